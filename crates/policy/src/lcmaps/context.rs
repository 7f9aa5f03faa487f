//! What mapping plug-ins work with, what they find, and what they say where they find nothing.

use crate::accounts::{self, Account, AccountDatabase, account};
use crate::circumstances::Circumstances;
use crate::files::Files;
use crate::files::lease_name::LeaseName;
use crate::files::map_file::{Lookup, Map, Wanted};
use crate::files::subject::Subject;
use crate::leases::{Leases, Pool};
use crate::programs::Programs;
use crate::site::Site;
use crate::trail::Seen;
use glexec_config::lcmaps::gids::AccountGids;
use glexec_config::lcmaps::{Matching, Mode};
use glexec_core::account::{Limits, TargetGid};
use glexec_core::file_error::FileError;
use glexec_core::identity::Identity;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;

/// What a plug-in works with.
pub(super) struct Context<'a> {
    pub(super) identity: &'a Identity,
    pub(super) pilot: Option<&'a Identity>,
    pub(super) mode: Mode,
    pub(super) accounts: &'a dyn AccountDatabase,
    pub(super) limits: Limits,
    pub(super) files: &'a dyn Files,
    pub(super) call: &'a Circumstances,
    pub(super) programs: &'a dyn Programs,
    pub(super) leases: &'a dyn Leases,
    pub(super) site: &'a dyn Site,
}

/// The account, or how to get one.
#[derive(Clone, Debug)]
pub(super) enum Who {
    Local(Account),
    Pool(Leased),
    /// The site's service has leased it already, where it is leased.
    Site(Account, Option<String>),
}

/// What the plug-ins have found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    pub(super) who: Option<(Who, AccountGids)>,
    pub(super) primary: Option<TargetGid>,
    pub(super) secondary: Vec<TargetGid>,
    /// Groups of the caller that stay with the payload.
    pub(super) tracking: Vec<TargetGid>,
    /// Groups among these that are a guess until their leases are made.
    pub(super) unleased: Vec<UnleasedGroup>,
    /// What the plug-in that is running has found.
    pub(super) seen: Vec<Seen>,
}

impl Gathered {
    /// Notes the account; two plug-ins that each choose one leave nobody knowing which was meant.
    pub(super) fn choose(&mut self, who: Who, gids: AccountGids) -> Outcome<()> {
        if self.who.is_some() {
            let why = "another plug-in of the policy has chosen an account already";
            return Err(no_mapping().detail(why));
        }
        self.who = Some((who, gids));
        Ok(())
    }
}

pub(super) fn no_mapping() -> Refusal {
    Refusal::new(Reason::LcmapsNoMapping, "the site's policy has no account for you")
}

/// The refusal for what a line of a ban file bans.
pub(super) fn banned(file: &AbsolutePath, line: usize, what: &str) -> Refusal {
    Refusal::new(Reason::LcmapsBanned, "you are banned at this site")
        .detail(format!("{what}: {} line {line}", file.as_path().display()))
}

/// The refusal for a file that cannot be understood where it must be.
pub(super) fn malformed(file: &AbsolutePath, why: &str) -> Refusal {
    Refusal::new(Reason::LcmapsFileMalformed, "a file of the site's account mapping cannot be used")
        .detail(format!("{}: {why}", file.as_path().display()))
}

impl Context<'_> {
    pub(super) fn read(&self, path: &AbsolutePath) -> Outcome<Vec<u8>> {
        self.files.read(path).map_err(|error| file_refusal(&error))
    }

    pub(super) fn map(&self, path: &AbsolutePath) -> Outcome<Box<dyn Map>> {
        self.files.map(path).map_err(|error| file_refusal(&error))
    }

    /// Looks a name up in a map file, and keeps what was seen on the way.
    pub(super) fn look_up(
        &self,
        (path, map): (&AbsolutePath, &dyn Map),
        subject: &Subject,
        matching: Matching,
        wanted: Wanted,
        gathered: &mut Gathered,
    ) -> Outcome<Option<String>> {
        let path = path.as_path();
        let looked_up = map.lookup(subject, matching, wanted);
        let Lookup { found, notes } = looked_up.map_err(|error| file_refusal(&error))?;
        gathered.seen.extend(notes.iter().map(|note| Seen::passed_over(path, note)));
        Ok(found.map(|(name, number)| {
            gathered.seen.push(Seen::line(path, number, name.as_str()));
            name
        }))
    }
}

/// Turns what is wrong with a site's file into a refusal.
pub fn file_refusal(error: &FileError) -> Refusal {
    let reason = match error {
        FileError::Insecure { .. } => Reason::LcmapsFileInsecure,
        FileError::Missing(_) | FileError::Unreadable { .. } | FileError::Unusable { .. } => Reason::LcmapsFileMissing,
    };
    Refusal::new(reason, "a file of the site's account mapping cannot be used").detail(error.to_string())
}

/// A lease that exists, or one that has to be made.
#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) gridmapdir: AbsolutePath,
    pub(super) pool: Pool,
    pub(super) lease: LeaseName,
    pub(super) account: Option<Account>,
}

/// A group that was found free in its pool, to be leased when the whole policy has succeeded.
#[derive(Clone, Debug)]
pub(super) struct UnleasedGroup {
    pub(super) gridmapdir: AbsolutePath,
    pub(super) pool: Pool,
    pub(super) lease: LeaseName,
    pub(super) guess: String,
}

/// Whether an account or a group of a pool may be handed out: it exists, has no forbidden id and has not expired. One that
/// may not is passed over, or its file would keep people out although good ones are free.
pub(super) fn usable<T>(found: Outcome<T>) -> Outcome<bool> {
    match found {
        Ok(_) => Ok(true),
        Err(refusal)
            if matches!(
                refusal.reason(),
                Reason::AccountUnknown | Reason::AccountNoGroup | Reason::AccountForbidden | Reason::AccountLocked
            ) =>
        {
            Ok(false)
        }
        Err(refusal) => Err(refusal),
    }
}

impl UnleasedGroup {
    /// Makes the lease; false where it leads to another group than had been found free.
    pub(super) fn lease(&self, context: &Context<'_>) -> Outcome<bool> {
        let usable = |name: &str| usable(accounts::group(context.accounts, name, context.limits));
        let name = context.leases.lease(self.gridmapdir.as_path(), &self.pool, &self.lease, &usable)?;
        Ok(name == self.guess)
    }
}

impl Leased {
    /// The account and the lease's name; makes the lease if it did not exist.
    pub(super) fn account(self, context: &Context<'_>) -> Outcome<(Account, Option<String>)> {
        let found = match self.account {
            Some(account) => account,
            None => {
                let usable = |name: &str| usable(account(context.accounts, name, context.limits));
                let name = context.leases.lease(self.gridmapdir.as_path(), &self.pool, &self.lease, &usable)?;
                account(context.accounts, &name, context.limits)?
            }
        };
        Ok((found, Some(self.lease.as_str().to_owned())))
    }
}
