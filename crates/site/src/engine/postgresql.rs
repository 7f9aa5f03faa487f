//! Leases and bans in PostgreSQL: several service hosts, a standby, one transaction a lease.
//!
//! `connect` may name several hosts and say `target_session_attrs=read-write`: which one is the primary is found by
//! trying. A question whose connection breaks is asked once more over a new one: a lease that was made in the meantime
//! is found.

use super::answer::{Changed, not_older, unavailable};
use super::postgresql_tls::Tls;
use glexec_config::lcmaps::Inconsistency;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::files::lease_name::LeaseName;
use glexec_policy::leases::{Leases, Pool, Usable};
use glexec_site_client::accounts::{Account, End, Lease, MAX_ACCOUNTS};
use glexec_site_client::bans::{Ban, Change, List, Name, Running};
use glexec_sys::time::now;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls, Row, Transaction};

/// How long a connection to one host may take to be made.
const CONNECT: Duration = Duration::from_millis(1500);
/// How long a transaction may take. The server does not cut it short: a commit that it stops waiting for its standby
/// counts as done there, and would be lost with the primary.
const PATIENCE: Duration = Duration::from_secs(4);
/// Most idle connections that are kept.
const MAX_IDLE: usize = 16;
/// What makes each schema out of the one before; the last is this program's.
const SCHEMAS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];
/// The key of the lock under which the schema is made: "glexec" in ASCII.
const MIGRATION_LOCK: i64 = 0x676c_6578_6563;
/// How often others may be faster before the pool counts as exhausted.
const ATTEMPTS: u32 = 200;
/// Seconds after which a use is noted again.
const NOTED_FOR: i64 = 60;
/// The shortest time for which an account that was taken back rests: longer than any call.
const MIN_REST: i64 = 3600;

pub struct Database {
    config: Config,
    tls: Option<Tls>,
    runtime: Handle,
    idle: Mutex<Vec<Client>>,
    /// The newest version of the bans that was seen.
    seen: AtomicU64,
}

/// A step that was refused, or did not work.
enum Failed {
    Refused(Refusal),
    Database(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Database(error)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Failed::Refused(refusal)
    }
}

/// What is wrong, with the server's own words.
fn in_words(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("PostgreSQL: {error}: {cause}"),
        None => format!("PostgreSQL: {error}"),
    }
}

/// Whether the same may work over another connection: this one is gone, its server is shutting down or is no primary
/// any more.
fn may_work_elsewhere(error: &Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ]
        .contains(code),
    }
}

impl Database {
    /// The database that `connect` names; nothing is asked yet.
    pub fn new(connect: &str, tls: Option<Tls>, runtime: Handle) -> Result<Self, String> {
        let mut config = Config::from_str(connect).map_err(|error| format!("[engine] connect: {error}"))?;
        config.connect_timeout(CONNECT).application_name("glexec-site");
        if tls.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_hosts().is_empty() {
            return Err("[engine] connect: names no host".to_owned());
        }
        Ok(Database { config, tls, runtime, idle: Mutex::default(), seen: AtomicU64::new(0) })
    }

    async fn connect(&self) -> Result<Client, Error> {
        // The connection ends with the client; what went wrong, the question hears.
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        client.batch_execute("set lock_timeout = '2s'").await?;
        Ok(client)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Client>> {
        // A thread that panicked with the lock has left nothing half-done in it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a transaction, once more over a new connection where that may help.
    fn run<T>(&self, work: impl AsyncFn(&Transaction<'_>) -> Result<T, Failed>) -> Outcome<T> {
        self.runtime.block_on(async {
            let mut kept = self.idle().pop();
            for last in [false, true] {
                let asked = tokio::time::timeout(PATIENCE, async {
                    let mut client = match kept.take().filter(|client| !client.is_closed()) {
                        Some(client) => client,
                        None => self.connect().await?,
                    };
                    let transaction = client.transaction().await?;
                    let done = work(&transaction).await?;
                    transaction.commit().await?;
                    Ok((client, done))
                });
                match asked.await {
                    Ok(Ok((client, done))) => {
                        let mut idle = self.idle();
                        if idle.len() < MAX_IDLE {
                            idle.push(client);
                        }
                        return Ok(done);
                    }
                    Ok(Err(Failed::Refused(refusal))) => return Err(refusal),
                    Ok(Err(Failed::Database(error))) if !last && may_work_elsewhere(&error) => self.idle().clear(),
                    Ok(Err(Failed::Database(error))) => return Err(unavailable(in_words(&error))),
                    Err(_) if !last => self.idle().clear(),
                    Err(_) => return Err(unavailable("PostgreSQL: no answer in time")),
                }
            }
            Err(unavailable("PostgreSQL: no answer"))
        })
    }

    /// Makes the tables where they are missing or of a release before; one host at a time does.
    pub fn migrate(&self) -> Outcome<()> {
        self.run(async |transaction| {
            transaction.execute("select pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
            let there = transaction.query_one("select to_regclass('glexec_state') is not null", &[]).await?;
            let schema: i32 = match there.get(0) {
                true => transaction.query_one("select schema from glexec_state", &[]).await?.get(0),
                false => 0,
            };
            let own = i32::try_from(SCHEMAS.len()).unwrap_or(i32::MAX);
            if schema > own {
                let why = format!("PostgreSQL: the tables have schema {schema}, this program knows {own}: upgrade it");
                return Err(unavailable(why).into());
            }
            for (number, script) in (1..).zip(SCHEMAS).filter(|(number, _)| *number > schema) {
                transaction.batch_execute(script).await?;
                transaction.execute("update glexec_state set schema = $1", &[&number]).await?;
            }
            Ok(())
        })
    }

    pub fn bans(&self) -> Outcome<List> {
        not_older(self.run(async |transaction| list(transaction).await)?, &self.seen)
    }

    pub fn change_bans(&self, change: &Change, by: &str, now: i64) -> Outcome<Changed> {
        self.run(async |transaction| {
            transaction.query_one("select bans from glexec_state for update", &[]).await?;
            let Some(list) = list(transaction).await?.changed(change, by, now) else { return Ok(Changed::Nothing) };
            let (Change::Add { name, .. } | Change::Remove { name }) = change;
            transaction.execute("delete from glexec_ban where name = $1", &[&name.as_str()]).await?;
            if let Change::Add { name, until, reason, running } = change {
                let insert =
                    "insert into glexec_ban (name, until, reason, by, since, running) values ($1, $2, $3, $4, $5, $6)";
                transaction.execute(insert, &[&name.as_str(), until, reason, &by, &now, &running.as_str()]).await?;
            }
            transaction.execute("update glexec_state set bans = bans + 1", &[]).await?;
            Ok(Changed::Made(list))
        })
    }

    /// Pools by name: all accounts, and how many are leased.
    pub fn pools(&self) -> Outcome<Vec<(String, (u64, u64))>> {
        self.run(async |transaction| {
            let select =
                "select regexp_replace(account, '[0-9]+$', ''), count(*), count(lease) filter (where coalesce(ends > $1, true)) \
                from glexec_account group by 1";
            let number = |row: &Row, column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
            let rows = transaction.query(select, &[&now()?]).await?;
            Ok(rows.iter().map(|row| (row.get(0), (number(row, 1), number(row, 2)))).collect())
        })
    }

    pub fn accounts(&self, after: &str) -> Outcome<Vec<Account>> {
        let limit = i64::try_from(MAX_ACCOUNTS).unwrap_or(i64::MAX);
        self.run(async |transaction| {
            let select = "select account, lease, holder, coalesce(since, 0), coalesce(used, 0), ends from glexec_account \
                where account > $1 order by account limit $2";
            let rows = transaction.query(select, &[&after, &limit]).await?;
            let lease = |row: &Row| {
                let (name, holder): (Option<String>, Option<String>) = (row.get(1), row.get(2));
                name.zip(holder).map(|(name, holder)| Lease {
                    name,
                    holder,
                    since: row.get(3),
                    used: row.get(4),
                    ends: row.get(5),
                })
            };
            Ok(rows.iter().map(|row| Account { account: row.get(0), lease: lease(row) }).collect())
        })
    }

    /// Lets leases end after a rest, unless their holders come before; those accounts of which it is so now.
    pub fn end(&self, end: &End) -> Outcome<Vec<String>> {
        let ends = now()?.saturating_add(end.rest.max(MIN_REST));
        self.run(async |transaction| {
            let update =
                "update glexec_account set ends = coalesce(ends, $3) where account = $1 and lease = $2 and used < $4";
            let before = end.unused_since.unwrap_or(i64::MAX);
            let mut ended = Vec::new();
            for (account, lease) in &end.leases {
                if transaction.execute(update, &[account, lease, &ends, &before]).await? == 1 {
                    ended.push(account.clone());
                }
            }
            Ok(ended)
        })
    }

    /// Takes accounts over. One that is leased already keeps its holder, and must have the same.
    pub fn import(&self, accounts: &[Account]) -> Outcome<u64> {
        self.run(async |transaction| {
            let mut new: u64 = 0;
            for Account { account, lease } in accounts {
                let insert = "insert into glexec_account (account) values ($1) on conflict do nothing";
                new = new.saturating_add(transaction.execute(insert, &[account]).await?);
                let Some(lease) = lease else { continue };
                let update = "update glexec_account set lease = $2, holder = $3, since = $4, used = $5 where account = $1 and lease is null \
                    and not exists (select 1 from glexec_account where lease = $2)";
                let Lease { name, holder, since, used, .. } = lease;
                if transaction.execute(update, &[account, name, holder, since, used]).await? == 0 {
                    let select = "select account from glexec_account where lease = $1";
                    let holds = transaction.query_opt(select, &[name]).await?.map(|row| row.get::<_, String>(0));
                    if holds.as_ref() != Some(account) {
                        let holds = holds.unwrap_or_else(|| "nothing".to_owned());
                        let why = format!("{account} is leased to somebody else there, or {holder} has {holds} there");
                        return Err(Refusal::new(Reason::LcmapsLeaseConflict, why).into());
                    }
                }
            }
            Ok(new)
        })
    }
}

async fn list(transaction: &Transaction<'_>) -> Result<List, Failed> {
    // One snapshot would need another isolation; the version is read first, so that a list is never older than it says.
    let version: i64 = transaction.query_one("select bans from glexec_state", &[]).await?.get(0);
    let rows = transaction
        .query("select name, until, reason, by, since, running from glexec_ban order by since, name", &[])
        .await?;
    let mut bans = Vec::with_capacity(rows.len());
    for row in rows {
        let name = Name::try_from(row.get::<_, String>(0)).map_err(|why| unavailable(format!("glexec_ban: {why}")))?;
        // A word of a later version: what it means is not known, and ends nobody's work.
        let running = Running::of(row.get(5)).unwrap_or_default();
        bans.push(Ban { name, until: row.get(1), reason: row.get(2), by: row.get(3), since: row.get(4), running });
    }
    Ok(List { version: u64::try_from(version).unwrap_or(0), bans })
}

/// A lease that is there.
struct Held {
    account: String,
    /// The exact name of the holder.
    holder: String,
    used: i64,
    ends: Option<i64>,
}

async fn held(transaction: &Transaction<'_>, lease: &LeaseName) -> Result<Option<Held>, Error> {
    let select = "select account, holder, coalesce(used, 0), ends from glexec_account where lease = $1";
    let row = transaction.query_opt(select, &[&lease.as_str()]).await?;
    Ok(row.map(|row| Held { account: row.get(0), holder: row.get(1), used: row.get(2), ends: row.get(3) }))
}

fn conflict(lease: &LeaseName, why: &str) -> Refusal {
    Refusal::new(Reason::LcmapsLeaseConflict, "the lease of a pool account is in conflict with the site's policy")
        .detail(format!("{}: {why}", lease.as_str()))
}

fn exhausted(pool: &Pool, lease: &LeaseName) -> Refusal {
    let sentence = format!("all accounts of the pool {} are taken", pool.prefix);
    Refusal::new(Reason::LcmapsPoolExhausted, sentence).detail(format!("lease {}", lease.as_str()))
}

impl Database {
    async fn existing_in(
        &self,
        transaction: &Transaction<'_>,
        pool: &Pool,
        lease: &LeaseName,
    ) -> Result<Option<String>, Failed> {
        let Some(Held { account, holder, used, ends }) = held(transaction, lease).await? else { return Ok(None) };
        if lease.is_shared_with(&holder) {
            let sentence = "your name differs only in letter case from another user's, who has this lease";
            let refusal = Refusal::new(Reason::LcmapsLeaseName, sentence);
            return Err(refusal.detail(format!("holder {holder:?}")).into());
        }
        if !pool.has(&account) {
            // A database has no C library beside it: what the site wants overridden, an operator takes back.
            let why = format!("{account} is not of pool {}", pool.prefix);
            let more = match pool.inconsistency {
                Inconsistency::Refuse => "",
                Inconsistency::Override => "; override_inconsistency does not count with engine postgresql",
            };
            return Err(conflict(lease, &format!("{why}{more}")).into());
        }
        let now = now()?;
        if ends.is_some() || now.saturating_sub(used) > NOTED_FOR {
            let update = "update glexec_account set used = $2, ends = null where lease = $1";
            // Where it had ended, somebody else may just have taken the account.
            if transaction.execute(update, &[&lease.as_str(), &now]).await? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(account))
    }

    /// The free accounts of a pool in the order in which they are taken.
    async fn free(&self, transaction: &Transaction<'_>, pool: &Pool) -> Result<Vec<String>, Failed> {
        let select =
            "select account from glexec_account where (lease is null or ends <= $2) and starts_with(account, $1)";
        let rows = transaction.query(select, &[&pool.prefix, &now()?]).await?;
        let mut names: Vec<String> = rows.iter().map(|row| row.get(0)).filter(|name: &String| pool.has(name)).collect();
        names.sort_by(|a, b| pool.rank(a).cmp(&pool.rank(b)));
        Ok(names)
    }
}

impl Leases for Database {
    fn existing(&self, _directory: &Path, pool: &Pool, lease: &LeaseName) -> Outcome<Option<String>> {
        self.run(async |transaction| self.existing_in(transaction, pool, lease).await)
    }

    fn look(&self, directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<Option<String>> {
        match self.existing(directory, pool, lease)? {
            Some(account) => Ok(Some(account)),
            None => self.first_free(directory, pool, lease, usable).map(|_| None),
        }
    }

    fn first_free(&self, _directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        let free = self.run(async |transaction| self.free(transaction, pool).await)?;
        for account in free {
            if usable(&account)? {
                return Ok(account);
            }
        }
        Err(exhausted(pool, lease))
    }

    fn lease(&self, _directory: &Path, pool: &Pool, lease: &LeaseName, usable: &Usable<'_>) -> Outcome<String> {
        for _ in 0..ATTEMPTS {
            let made = self.run(async |transaction| {
                // Two jobs of one person come one after the other; the key of the lock is the lease.
                transaction.execute("select pg_advisory_xact_lock(hashtextextended($1, 1))", &[&lease.as_str()]).await?;
                if let Some(account) = self.existing_in(transaction, pool, lease).await? {
                    return Ok(Some(account));
                }
                let mut any = false;
                for account in self.free(transaction, pool).await? {
                    if !usable(&account)? {
                        continue;
                    }
                    any = true;
                    // Another service that is just taking it has locked its row: the next one then.
                    let update = "update glexec_account set lease = $2, holder = $3, since = $4, used = $4, ends = null where account = \
                        (select account from glexec_account where account = $1 and (lease is null or ends <= $4) for update skip locked)";
                    let taken = transaction.execute(update, &[&account, &lease.as_str(), &lease.holder(), &now()?]).await?;
                    if taken == 1 {
                        return Ok(Some(account));
                    }
                }
                match any {
                    true => Ok(None),
                    false => Err(exhausted(pool, lease).into()),
                }
            })?;
            if let Some(account) = made {
                return Ok(account);
            }
        }
        Err(exhausted(pool, lease))
    }
}
