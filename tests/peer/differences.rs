//! A thousand questions to both. Where the answers differ there is a reason; `docs/evidence/differences-policy.md` has them all.
//!
//! `WRITE_DOCS=1 cargo test --test peer` brings the page up to date.

use crate::cases::{Case, as_openssl, cases};
use crate::library::{ACCOUNTS, Library, Place, policies};
use crate::ours::{self, Accounts};
use glexec_core::reason::Reason as Code;
use glexec_policy::files::map_file::lines;
use glexec_policy::mapping::Mapping;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

const QUESTIONS: usize = 1000;

/// Whom somebody becomes: the account, or the pool that it is of, the groups, the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Who {
    account: String,
    primary: Option<u32>,
    others: Vec<u32>,
    lease: String,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let primary = self.primary.map_or("no primary group".to_owned(), |gid| gid.to_string());
        write!(f, "`{}` {primary} {:?} {}", self.account, self.others, self.lease)
    }
}

/// A question and both answers; a refusal here has its reason.
struct Asked {
    case: Case,
    here: Result<Who, Code>,
    there: Option<Who>,
}

impl Asked {
    fn agree(&self) -> bool {
        self.here.as_ref().ok() == self.there.as_ref()
    }

    fn is_ban(&self) -> bool {
        self.case.policy.name.starts_with("ban")
    }

    fn only_here(&self) -> bool {
        self.here.is_ok() && self.there.is_none()
    }

    fn only_there(&self) -> bool {
        self.here.is_err() && self.there.is_some()
    }

    fn has_malformed_line(&self) -> bool {
        lines(&self.case.map).any(|line| line.is_err())
    }

    fn dn_has(&self, part: &str) -> bool {
        self.case.dn.contains(part)
    }
}

/// Why both differ about a question.
struct Reason {
    here: &'static str,
    there: &'static str,
    why: &'static str,
    applies: fn(&Asked) -> bool,
}

/// The first that applies counts.
const REASONS: &[Reason] = &[
    Reason {
        here: "root, system accounts and system groups are given to nobody",
        there: "gives them",
        why: "nobody ever runs as root",
        applies: |it| it.here == Err(Code::AccountForbidden) && it.there.is_some(),
    },
    Reason {
        here: "a malformed line of a map file is passed over and noted",
        there: "it ends the search",
        why: "a typing error must not lock everybody out",
        applies: |it| it.only_here() && it.has_malformed_line(),
    },
    Reason {
        here: "a byte order mark and carriage returns are tolerated",
        there: "the first name never matches; the last mapping of a line does not exist",
        why: "editors leave them",
        applies: |it| it.case.map.contains(&b'\r') || it.case.map.starts_with(b"\xef\xbb\xbf"),
    },
    Reason {
        here: "a ban file that cannot be understood refuses everybody",
        there: "who has no FQAN passes ban_fqan whatever is in the file",
        why: "the site hears of it at once",
        applies: |it| it.is_ban() && it.only_there() && it.has_malformed_line(),
    },
    Reason {
        here: "a ban counts for every spelling of a name or an FQAN, and for a name without quotes that has blanks",
        there: "for the one that is written",
        why: "in doubt a line bans",
        applies: |it| it.is_ban() && it.only_there(),
    },
    Reason {
        here: "`Email`, `emailAddress`, `UID` and `USERID` are spellings of one name",
        there: "they are different names",
        why: "libraries wrote the same certificate's name differently",
        applies: |it| it.dn_has("mail") || it.dn_has("UID=") || it.dn_has("USERID="),
    },
    Reason {
        here: "a `/` inside a value is `\\/`, in map files and in names of leases",
        there: "it cannot be told from the start of the next attribute",
        why: "`/CN=a/CN=b` and the value `a/CN=b` are two people",
        applies: |it| it.dn_has("\\/"),
    },
    Reason {
        here: "a name that is not ASCII may be written in UTF-8 or as OpenSSL prints it",
        there: "as OpenSSL prints it only",
        why: "that is how editors show it",
        applies: |it| !it.case.dn.is_ascii(),
    },
    Reason {
        here: "`add_primary_gid_from_mapped_account` makes it supplementary where there is a primary group already",
        there: "a second primary group, which its callers do not use",
        why: "a process has one primary group",
        applies: |it| it.case.policy.name == "vaddp" && it.here.is_ok() && it.there.is_some(),
    },
];

/// Which account of a pool it is depends on the order of a directory on their side.
fn pool_of(account: &str) -> String {
    account.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
}

fn who(account: &str, primary: Option<u32>, groups: impl IntoIterator<Item = u32>, lease: String) -> Who {
    let mut others: Vec<u32> = groups.into_iter().filter(|gid| Some(*gid) != primary).collect();
    others.sort_unstable();
    others.dedup();
    let account = if lease.is_empty() { account.to_owned() } else { pool_of(account) };
    Who { account, primary, others, lease }
}

fn theirs(answer: &str) -> Option<Who> {
    if answer == "-" {
        return None;
    }
    let words: Vec<&str> = answer.split(' ').collect();
    let gids = |text: &str| text.split(',').filter_map(|gid| gid.parse().ok()).collect::<Vec<u32>>();
    let uid: u32 = words[0].parse().unwrap();
    let account = ACCOUNTS.iter().find(|account| account.1 == uid).map_or("unknown", |account| account.0);
    // dummy_good calls what it gives a lease.
    let lease = if words[3].starts_with("dummy") { "" } else { words[3] };
    Some(who(account, gids(words[1]).first().copied(), gids(words[2]), lease.to_owned()))
}

fn ours(mapping: &Mapping) -> Who {
    let groups = mapping.groups.iter().map(|gid| gid.get());
    who(&mapping.name, Some(mapping.gid.get()), groups, mapping.lease.clone().unwrap_or_default())
}

/// Puts all questions to both, each without leases.
fn ask_all() -> Vec<Asked> {
    let (here, there) = (Place::new("ours"), Place::new("theirs"));
    for place in [&here, &there] {
        place.touch(["p001", "p002", "p003", "q1", "q2"]);
    }
    let plans: BTreeMap<&str, _> = policies().map(|policy| (policy.name, ours::plan(policy, &here))).collect();
    let start = |policy| Library::start(policy, &there, &[], -1);
    let mut libraries: BTreeMap<&str, Library> = policies().map(|policy| (policy.name, start(policy))).collect();
    let accounts = Accounts::with(&[]);
    let ask = |case: Case| {
        let Case { policy, map, dn, fqans } = &case;
        let there = theirs(&libraries.get_mut(policy.name).unwrap().ask(Some(map), &as_openssl(dn), fqans));
        std::fs::write(here.map(), map).unwrap();
        here.remove_leases();
        let mapping = ours::ask(&plans[policy.name], &accounts, dn, fqans);
        let here = mapping.as_ref().map(ours).map_err(|refusal| refusal.reason());
        Asked { here, there, case }
    };
    cases(QUESTIONS).into_iter().map(ask).collect()
}

fn shown(asked: &Asked) -> String {
    let Asked { case, here, there } = asked;
    let map = String::from_utf8_lossy(&case.map).escape_debug().to_string().replace("\\\"", "\"");
    let here = here.as_ref().map_or_else(|code| format!("`{code}`"), Who::to_string);
    let there = there.as_ref().map_or("no mapping".to_owned(), Who::to_string);
    let who = [std::slice::from_ref(&case.dn.as_str()), &case.fqans].concat().join(" ");
    format!("policy {}, `{who}`, map `{map}`: here {here}; there {there}", case.policy.name).replace('|', "\\|")
}

/// The differences, each with the first reason that applies.
fn by_reason(all: &[Asked]) -> Vec<Vec<&Asked>> {
    let mut sorted: Vec<Vec<&Asked>> = REASONS.iter().map(|_| Vec::new()).collect();
    for asked in all.iter().filter(|asked| !asked.agree()) {
        if let Some(first) = REASONS.iter().position(|reason| (reason.applies)(asked)) {
            sorted[first].push(asked);
        }
    }
    sorted
}

fn page(all: &[Asked]) -> String {
    let mut out = format!(
        "# Where mapping differs from the C library\n\n{} generated questions (a map file, a person, FQANs, a policy; the same in every \
        run) are put to the real LCMAPS library and to glexec: quotes, patterns, escapes, comments, several mappings a line, \
        names in other letter case and beyond ASCII, malformed lines, and the options of the plug-ins. {} answers are the same to \
        the account's pool, the groups and the name of the lease. This page has the reasons for the others; another \
        difference, or one that vanishes, fails the test. Generated: `WRITE_DOCS=1 cargo test --test peer`.\n\n\
        Leases that either makes are honoured by the other; that, and both at work at once, is tested beside this. What the table in \
        [policy.md](../reference/policy.md) has besides cannot show in single questions.\n\n\
        | here | the C library | why | questions | for instance |\n|---|---|---|---|---|\n",
        all.len(),
        all.iter().filter(|asked| asked.agree()).count()
    );
    for (Reason { here, there, why, .. }, differ) in REASONS.iter().zip(by_reason(all)) {
        if let Some(example) = differ.iter().min_by_key(|asked| asked.case.map.len()) {
            writeln!(out, "| {here} | {there} | {why} | {} | {} |", differ.len(), shown(example)).unwrap();
        }
    }
    out
}

#[test]
fn every_difference_from_the_c_library_has_a_reason() {
    let all = ask_all();
    let differ = || all.iter().filter(|asked| !asked.agree());
    let unexplained: Vec<_> =
        differ().filter(|asked| !REASONS.iter().any(|reason| (reason.applies)(asked))).map(shown).collect();
    assert!(unexplained.is_empty(), "{} of {}:\n{}", unexplained.len(), differ().count(), unexplained.join("\n"));
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/evidence/differences-policy.md");
    let new = page(&all);
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, new).unwrap();
    } else {
        let stale = "docs/evidence/differences-policy.md: to bring it up to date: WRITE_DOCS=1 cargo test --test peer";
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), new, "{stale}");
    }
    let vanished = REASONS.iter().zip(by_reason(&all)).filter(|(_, differ)| differ.is_empty());
    let vanished: Vec<_> = vanished.map(|(reason, _)| reason.here).collect();
    assert!(vanished.is_empty(), "no question shows these differences any more: {vanished:?}");
}
