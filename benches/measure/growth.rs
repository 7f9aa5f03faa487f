//! What a call costs when a part of the site or of the credential grows. Each group differs in one thing only.

use crate::agents::{self, Agents};
use crate::case::{Callers, Case, measure};
use crate::figures::Group;
use crate::forge::pem;
use crate::grid::Grid;
use crate::site::{GRIDMAPDIR, Site, empty_record, forget, give, leases};
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub const MAP: &str = "lines in the grid-mapfile, ours the last";
pub const PATTERNS: &str = "lines in the grid-mapfile, half of them patterns, ours the last";
pub const POOL: &str = "accounts in the pool, nearly all leased: ours is leased";
pub const POOL_LINKED: &str = "accounts in the pool, nearly all leased: ours is a lease of the C library's";
pub const POOL_FIRST: &str = "accounts in the pool, nearly all leased: first lease";
pub const PASSWD: &str = "accounts in /etc/passwd";
pub const CAS: &str = "CAs in the CA directory";
pub const CRL: &str = "size of the CA's CRL (PEM, as fetch-crl writes it)";
pub const CRL_PROGRAM: &str = "size of the CA's CRL, without agent";
pub const DEPTH: &str = "proxies in the chain";
pub const FQANS: &str = "FQANs in the attribute certificate";

const DIRECTORY: &str = "/etc/grid-security/measured";
const FQAN: &str = "/testvo/Role=NULL/Capability=NULL";
/// How the user of [`Grid`] is written in a lease.
const LEASED: &str = "grace%20measured";

/// What judges.
#[derive(Clone, Copy)]
enum Way {
    Agent,
    Program,
}

struct Growing {
    site: Site,
    grid: Grid,
    /// The configuration that trusts the grid, with an agent.
    config: String,
    agents: Agents,
}

pub fn run(site: Site, callers: &mut Callers, rounds: usize) -> Vec<Group> {
    let grid = Grid::new();
    let (certificates, vomsdir) = (format!("{DIRECTORY}/5"), format!("{DIRECTORY}/vomsdir"));
    grid.certificates(&certificates, 5);
    grid.vomsdir(&vomsdir);
    give("grace", &grid.proxies(1, &[FQAN]));
    let mut agents = Agents::default();
    let config = agents.asked(&site.trusting(&certificates, &vomsdir));
    let mut growing = Growing { site, grid, config, agents };
    let groups = [
        (MAP, growing.map_lines(|_| false)),
        (PATTERNS, growing.map_lines(|number| number % 2 == 0)),
        (POOL, growing.pools(|_| Box::new(|| {}))),
        (POOL_LINKED, growing.pools(|pool| Box::new(move || empty_record(&pool, LEASED)))),
        (POOL_FIRST, growing.pools(|pool| Box::new(move || forget(&pool, LEASED)))),
        (CAS, growing.authorities()),
        (CRL, growing.revocations(Way::Agent)),
        (CRL_PROGRAM, growing.revocations(Way::Program)),
        (DEPTH, growing.chains()),
        (FQANS, growing.attributes()),
        // The last, because it leaves another /etc/passwd behind.
        (PASSWD, growing.accounts()),
    ];
    growing.agents.await_all();
    groups.into_iter().map(|(name, cases)| measure(&growing.site, callers, name, &cases, rounds)).collect()
}

impl Growing {
    fn case(&self, name: &str) -> Case {
        Case { config: self.config.clone(), ..Case::glexec(&self.site, name, "grace") }
    }

    /// A case with one value of the configuration changed.
    fn configured(&self, name: &str, from: &str, to: &str) -> Case {
        assert!(self.config.contains(from), "{from}");
        Case { config: self.config.replace(from, to), ..self.case(name) }
    }

    fn map_lines(&self, is_pattern: fn(usize) -> bool) -> Vec<Case> {
        let case = |lines: usize| {
            let path = format!("{DIRECTORY}/grid-mapfile-{}-{lines}", if is_pattern(2) { "patterns" } else { "names" });
            let line = |number: usize| match is_pattern(number) {
                true => format!("\"/vo{number}/group/*\" alice\n"),
                false => format!("\"/DC=org/DC=example/O=Grid/OU=people/CN=Somebody Else {number}\" alice\n"),
            };
            let mut text: String = (1..lines).map(line).collect();
            text.push_str("\"/testvo/*\" .tvo\n");
            fs::write(&path, text).unwrap();
            self.configured(&grouped(lines), "/etc/grid-security/grid-mapfile", &path)
        };
        let sizes: &[usize] = if is_pattern(2) { &[10, 1000, 100_000] } else { &[10, 100, 1000, 10_000, 100_000] };
        let cases = sizes.iter().copied().map(case).collect();
        // A site's map has been there for a while; the first call then makes the index of a large one.
        std::thread::sleep(std::time::Duration::from_secs(3));
        cases
    }

    /// Pools in which strangers have all accounts but those of the site, which has accounts for its own only.
    fn pools(&self, before: impl Fn(String) -> Box<dyn Fn()>) -> Vec<Case> {
        let case = |accounts: usize| {
            let pool = format!("{DIRECTORY}/gridmapdir-{accounts}");
            make_pool(&pool, accounts);
            Case { before: before(pool.clone()), ..self.configured(&grouped(accounts), GRIDMAPDIR, &pool) }
        };
        [20, 100, 1000, 10_000].map(case).into()
    }

    fn accounts(&self) -> Vec<Case> {
        let own = fs::read_to_string("/etc/passwd").unwrap();
        let count = own.lines().count();
        let case = |accounts: usize| {
            let others: String = (count..accounts)
                .map(|n| format!("other{n}:x:{}:4000:another account:/home/other{n}:/bin/bash\n", 10_000 + n))
                .collect();
            let path = format!("/etc/passwd.{accounts}");
            // The site's own come last.
            fs::write(&path, others + &own).unwrap();
            Case { before: Box::new(move || replace_passwd(&path)), ..self.case(&grouped(accounts)) }
        };
        [count, 1000, 10_000].map(case).into()
    }

    fn authorities(&mut self) -> Vec<Case> {
        let case = |count: usize| {
            let path = format!("{DIRECTORY}/{count}");
            self.grid.certificates(&path, count);
            self.trusting(&grouped(count), &path, Way::Agent)
        };
        [5, 20, 100, 200].map(case).into()
    }

    /// A case that trusts another directory.
    fn trusting(&mut self, name: &str, certificates: &str, way: Way) -> Case {
        let config = self.site.trusting(certificates, &format!("{DIRECTORY}/vomsdir"));
        let config = match way {
            Way::Agent => self.agents.asked(&config),
            Way::Program => agents::unasked(&config),
        };
        Case { config, ..Case::glexec(&self.site, name, "grace") }
    }

    fn revocations(&mut self, way: Way) -> Vec<Case> {
        let entry = self.grid.crl(&self.grid.root, 1001).len() - self.grid.crl(&self.grid.root, 1000).len();
        let case = |(name, kib): (&str, usize)| {
            let path = format!("{DIRECTORY}/crl-{kib}");
            self.grid.certificates(&path, 5);
            // PEM is a third longer than DER.
            let entries = (kib * 1024 * 3 / 4 / entry).saturating_sub(10);
            let crl = pem("X509 CRL", &self.grid.crl(&self.grid.root, entries as u32));
            fs::write(self.grid.crl_file(&path), crl).unwrap();
            self.trusting(name, &path, way)
        };
        [("1 kB", 1), ("10 kB", 10), ("100 kB", 100), ("1 MB", 1024), ("5 MB", 5 * 1024)].map(case).into()
    }

    fn chains(&self) -> Vec<Case> {
        let case = |depth: usize| {
            let credential = format!("grace-{depth}-proxies");
            give(&credential, &self.grid.proxies(depth, &[FQAN]));
            Case { config: self.config.clone(), ..Case::glexec(&self.site, &grouped(depth), &credential) }
        };
        [1, 2, 4, 8].map(case).into()
    }

    fn attributes(&self) -> Vec<Case> {
        let case = |count: usize| {
            let credential = format!("grace-{count}-fqans");
            let more = (1..count).map(|n| format!("/testvo/group{n}/Role=NULL/Capability=NULL"));
            let fqans: Vec<String> = std::iter::once(FQAN.into()).chain(more).collect();
            let fqans: Vec<&str> = fqans.iter().map(String::as_str).collect();
            give(&credential, &self.grid.proxies(1, &fqans));
            Case { config: self.config.clone(), ..Case::glexec(&self.site, &grouped(count), &credential) }
        };
        [1, 5, 10, 20].map(case).into()
    }
}

/// A gridmapdir of so many accounts; the site's own are free.
fn make_pool(pool: &str, accounts: usize) {
    let own: Vec<String> = fs::read_dir(GRIDMAPDIR)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("tvo"))
        .collect();
    fs::create_dir_all(pool).unwrap();
    fs::set_permissions(pool, fs::Permissions::from_mode(0o755)).unwrap();
    for name in &own {
        fs::write(format!("{pool}/{name}"), "").unwrap();
    }
    for number in 0..accounts - own.len() {
        let account = format!("{pool}/tvo{}", 10_000 + number);
        fs::write(&account, "").unwrap();
        let stranger = format!("{pool}/%2fdc%3dorg%2fdc%3dexample%2fcn%3dstranger%20{number}:testvo");
        fs::hard_link(&account, stranger).or_else(already).unwrap();
    }
    assert_eq!(leases(pool).len(), accounts - own.len());
}

fn replace_passwd(by: &str) {
    fs::hard_link(by, "/etc/passwd.new").unwrap();
    fs::rename("/etc/passwd.new", "/etc/passwd").unwrap();
    // rename(2) leaves both where both are the same file already.
    let _ = fs::remove_file("/etc/passwd.new");
}

/// The groups with first leases use the pools that are there.
fn already(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

/// 100000 as 100,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
