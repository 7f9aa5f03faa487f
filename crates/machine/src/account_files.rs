//! The machine's accounts as its own files have them, where the name service switch asks these first (nsswitch.conf(5)).
//!
//! That is how most worker nodes are, and what is asked of a file needs neither a library of somebody else's nor a process
//! that may hang. Whatever is unusual is not judged here: then the C library is asked, as it is for every other source.

use glexec_policy::accounts::Login;
use glexec_sys::account_files::{self, AccountFile};
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where the switch looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sources {
    /// In the files and nowhere else.
    FilesAlone,
    /// In the files, and where they have nothing, elsewhere.
    FilesFirst,
    /// In another order, or under conditions.
    Others,
}

/// The files, each read once.
#[derive(Debug, Default)]
pub struct AccountFiles {
    /// Whether a daemon answers in their place.
    cache: OnceCell<bool>,
    switch: OnceCell<Text>,
    passwd: OnceCell<Option<Text>>,
    group: OnceCell<Option<Text>>,
    shadow: OnceCell<Option<Text>>,
}

/// The text of a file, wiped when it is let go: one has hashes of passwords.
type Text = Zeroizing<Vec<u8>>;

/// What a look-up comes to: `None` where the C library has to be asked.
type Found<T> = Option<Option<T>>;

impl AccountFiles {
    /// The account of this name, with the ids of its groups and its login shell.
    pub fn user(&self, name: &str) -> Found<(Login, Vec<u32>, PathBuf)> {
        let Some(line) = self.passwd(|account| account.name == name.as_bytes())? else { return Some(None) };
        let login = line.login()?;
        let groups = self.groups_of(&login)?;
        Some(Some((login, groups, OsStr::from_bytes(line.shell).into())))
    }

    /// The account of this name, where its groups do not matter.
    pub fn login(&self, name: &str) -> Found<Login> {
        self.passwd(|account| account.name == name.as_bytes())?.map_or(Some(None), |line| line.login().map(Some))
    }

    /// The account of this user id.
    pub fn login_of(&self, uid: u32) -> Found<Login> {
        let uid = uid.to_string();
        self.passwd(|account| account.uid == uid.as_bytes())?.map_or(Some(None), |line| line.login().map(Some))
    }

    /// The ids of all groups of an account.
    pub fn groups_of(&self, login: &Login) -> Option<Vec<u32>> {
        // Memberships are gathered from every source.
        if self.sources("group") != Sources::FilesAlone || self.said_of("initgroups").next().is_some() {
            return None;
        }
        let mut groups = vec![login.gid];
        for line in lines(self.group_file()?) {
            let group = Group::parse(line)?;
            if group.members.split(|byte| *byte == b',').any(|member| member == login.name.as_bytes()) {
                let gid = number(group.gid)?;
                if !groups.contains(&gid) {
                    groups.push(gid);
                }
            }
        }
        Some(groups)
    }

    /// The id of the group of this name.
    pub fn group(&self, name: &str) -> Found<u32> {
        self.group_where(|group| group.name == name.as_bytes())?.map_or(Some(None), |group| number(group.gid).map(Some))
    }

    /// The name of the group of this id.
    pub fn group_by_gid(&self, gid: u32) -> Found<String> {
        let gid = gid.to_string();
        let name = |group: Group<'_>| String::from_utf8(group.name.to_vec()).ok().map(Some);
        self.group_where(|group| group.gid == gid.as_bytes())?.map_or(Some(None), name)
    }

    /// The day since 1970 from which on the account of this name is expired, where there is one.
    pub fn expiry(&self, name: &str) -> Found<i64> {
        let sources = self.sources("shadow");
        if sources == Sources::Others {
            return None;
        }
        let text = self.shadow.get_or_init(|| text(AccountFile::Shadow)).as_ref()?;
        let entry = first(text, sources, Expiry::parse, |entry| entry.name == name.as_bytes())?;
        match entry.map(|entry| entry.day) {
            None | Some([]) => Some(None),
            Some(day) => number(day).map(|day| Some(i64::from(day))),
        }
    }

    /// The first account of the file for which this holds; what comes before it and may be meant for it must be of the
    /// usual form.
    fn passwd(&self, is_it: impl Fn(&Account<'_>) -> bool) -> Found<Account<'_>> {
        let sources = self.sources("passwd");
        let text = self.passwd.get_or_init(|| text(AccountFile::Passwd)).as_ref();
        first(text.filter(|_| sources != Sources::Others)?, sources, Account::parse, is_it)
    }

    fn group_where(&self, is_it: impl Fn(&Group<'_>) -> bool) -> Found<Group<'_>> {
        let sources = self.sources("group");
        first(self.group_file().filter(|_| sources != Sources::Others)?, sources, Group::parse, is_it)
    }

    fn group_file(&self) -> Option<&[u8]> {
        self.group.get_or_init(|| text(AccountFile::Group)).as_ref().map(|text| text.as_slice())
    }

    /// What the switch says of a database, one piece for each of its lines. The C library wants no colon.
    fn said_of(&self, database: &'static str) -> impl Iterator<Item = &[u8]> {
        let text = self.switch.get_or_init(|| text(AccountFile::Switch).unwrap_or_default());
        text.split(|byte| *byte == b'\n').filter_map(|line| {
            let line = line.split(|byte| *byte == b'#').next()?.trim_ascii_start();
            let said = line.strip_prefix(database.as_bytes())?;
            said.first().is_some_and(|byte| *byte == b':' || byte.is_ascii_whitespace()).then_some(said)
        })
    }

    fn sources(&self, database: &'static str) -> Sources {
        if *self.cache.get_or_init(account_files::has_cache) {
            return Sources::Others;
        }
        let mut named = self.said_of(database);
        // What is not said is something else from one C library to the next.
        let (Some(line), None) = (named.next(), named.next()) else { return Sources::Others };
        let Some(line) = line.strip_prefix(b":") else { return Sources::Others };
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            // A condition in brackets.
            _ if line.contains(&b'[') => Sources::Others,
            (Some(b"files"), None) => Sources::FilesAlone,
            (Some(b"files"), Some(_)) => Sources::FilesFirst,
            _ => Sources::Others,
        }
    }
}

/// A line of passwd(5).
struct Account<'t> {
    name: &'t [u8],
    uid: &'t [u8],
    gid: &'t [u8],
    home: &'t [u8],
    shell: &'t [u8],
}

impl<'t> Account<'t> {
    fn parse(line: &'t [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let mut next = || fields.next();
        let (name, _, uid, gid) = (next()?, next()?, next()?, next()?);
        let (_, home, shell) = (next()?, next()?, next()?);
        let usual = fields.next().is_none() && is_name(name) && is_number(uid) && is_number(gid);
        usual.then_some(Account { name, uid, gid, home, shell })
    }

    fn login(&self) -> Option<Login> {
        Some(Login {
            name: String::from_utf8(self.name.to_vec()).ok()?,
            uid: number(self.uid)?,
            gid: number(self.gid)?,
            home: OsStr::from_bytes(self.home).into(),
        })
    }
}

/// A line of group(5).
struct Group<'t> {
    name: &'t [u8],
    gid: &'t [u8],
    members: &'t [u8],
}

impl<'t> Group<'t> {
    fn parse(line: &'t [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let mut next = || fields.next();
        let (name, _, gid, members) = (next()?, next()?, next()?, next()?);
        let usual = fields.next().is_none() && is_name(name) && is_number(gid);
        (usual && !members.iter().any(u8::is_ascii_whitespace)).then_some(Group { name, gid, members })
    }
}

/// What counts of a line of shadow(5).
struct Expiry<'t> {
    name: &'t [u8],
    day: &'t [u8],
}

impl<'t> Expiry<'t> {
    fn parse(line: &'t [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, _) = (fields.next().filter(|name| is_name(name))?, fields.next()?);
        let numbers: Vec<_> = fields.collect();
        let [_, _, _, _, _, day, _] = numbers.as_slice() else { return None };
        let usual = numbers.iter().all(|number| number.is_empty() || is_number(number));
        usual.then_some(Expiry { name, day })
    }
}

/// The first entry of a file for which this holds. A line of another form ends the search where it comes before: what it means
/// the C library knows.
fn first<'t, T>(
    text: &'t [u8],
    sources: Sources,
    parse: impl Fn(&'t [u8]) -> Option<T>,
    is_it: impl Fn(&T) -> bool,
) -> Found<T> {
    for line in lines(text) {
        let entry = parse(line)?;
        if is_it(&entry) {
            return Some(Some(entry));
        }
    }
    (sources == Sources::FilesAlone).then_some(None)
}

/// The lines that are neither empty nor comments.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// A name that means nothing else: `+` and `-` are of another syntax, blanks the C library drops.
fn is_name(name: &[u8]) -> bool {
    let usual = |byte: &u8| byte.is_ascii_graphic() || !byte.is_ascii();
    name.iter().all(usual) && !name.is_empty() && !name.starts_with(b"+") && !name.starts_with(b"-")
}

/// Decimal digits as they are usually written, so that equal numbers are equal bytes.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
        && (text == b"0" || !text.starts_with(b"0"))
        && !text.is_empty()
        && text.len() <= 10
}

fn number(text: &[u8]) -> Option<u32> {
    is_number(text).then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

fn text(file: AccountFile) -> Option<Text> {
    account_files::read(file).ok().filter(|text| !text.contains(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCH: &str = "# comment\npasswd: files\ngroup:\tfiles # here\nshadow: files\n";
    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\n# no account\n\nann:x:1001:100:A,B:/home/ann:\nbo:x:1002:100::h:/bin/sh";
    const GROUP: &str = "root:x:0:\nusers:x:100:ann\nplay:x:200:bo,ann\nagain:x:200:ann\n";
    const SHADOW: &str = "root:*:1:0:9:7:::\nann:!:1:0:9:7::19000:\nbo:$6$x:1:0:9:7:::\n";

    fn files(switch: &str, passwd: &str, group: &str, shadow: &str) -> AccountFiles {
        let text = |text: &str| OnceCell::from(Some(Zeroizing::new(text.as_bytes().to_vec())));
        let switch = OnceCell::from(Zeroizing::new(switch.as_bytes().to_vec()));
        AccountFiles {
            cache: OnceCell::from(false),
            switch,
            passwd: text(passwd),
            group: text(group),
            shadow: text(shadow),
        }
    }

    fn usual() -> AccountFiles {
        files(SWITCH, PASSWD, GROUP, SHADOW)
    }

    fn ann() -> Login {
        Login { name: "ann".into(), uid: 1001, gid: 100, home: "/home/ann".into() }
    }

    #[test]
    fn what_the_files_say_is_found() {
        let files = usual();
        assert_eq!(files.user("ann"), Some(Some((ann(), vec![100, 200], "".into()))));
        assert_eq!(files.login_of(1001), Some(Some(ann())));
        assert_eq!(files.login("bo").flatten().map(|login| login.home), Some("h".into()));
        assert_eq!(files.group("play"), Some(Some(200)));
        assert_eq!(files.group_by_gid(200), Some(Some("play".into())));
        assert_eq!((files.expiry("ann"), files.expiry("bo")), (Some(Some(19000)), Some(None)));
        assert_eq!((files.login("an"), files.login_of(7), files.group("x")), (Some(None), Some(None), Some(None)));
        assert_eq!((files.group_by_gid(7), files.expiry("nobody")), (Some(None), Some(None)));
    }

    #[test]
    fn only_what_the_switch_looks_for_in_the_files_first_is_judged_here() {
        let with = |switch: &str| files(switch, PASSWD, GROUP, SHADOW);
        let first = with("passwd: files systemd\ngroup: files sss\nshadow:files sss\n");
        assert_eq!(first.login("ann"), Some(Some(ann())));
        assert_eq!((first.group("play"), first.expiry("ann")), (Some(Some(200)), Some(Some(19000))));
        // Elsewhere there may be more.
        assert_eq!((first.login("none"), first.group("none"), first.expiry("none")), (None, None, None));
        assert_eq!((first.user("ann"), first.groups_of(&ann())), (None, None), "more groups, too");
        for switch in [
            "",
            "passwd: sss files",
            "passwd: files [SUCCESS=continue] sss",
            "passwd: compat",
            "passwd: files\npasswd: sss",
            "passwdx: files",
            "passwd : files",
            "passwd files",
            "passwd sss\npasswd: files",
        ] {
            assert_eq!(with(switch).login("ann"), None, "{switch}");
        }
        for other in ["passwd: files\ngroup: files\ninitgroups: sss\n", "group: files\ninitgroups sss\n"] {
            assert_eq!((with(other).groups_of(&ann()), with(other).expiry("ann")), (None, None));
        }
    }

    #[test]
    fn where_a_daemon_may_answer_it_is_asked() {
        let cached = AccountFiles { cache: OnceCell::from(true), ..usual() };
        assert_eq!((cached.user("ann"), cached.groups_of(&ann())), (None, None));
        assert_eq!((cached.group("play"), cached.expiry("ann")), (None, None));
    }

    #[test]
    fn lines_of_another_form_are_left_to_the_c_library() {
        for line in [
            "+",
            "+::::::",
            "-bo",
            " ann:x:5:5::/:",
            "ann:x:5:5:/:",
            "ann:x:05:5::/:",
            "ann:x:-1:5::/:",
            "ann:x::5::/:",
            "ann:x:5:5::/:/bin/sh:",
            "an n:x:5:5::/:",
        ] {
            let files = files(SWITCH, &format!("root:x:0:0::/:\n{line}\n{PASSWD}"), GROUP, SHADOW);
            assert_eq!((files.login("ann"), files.login_of(1001)), (None, None), "{line}");
            assert!(files.login("root").flatten().is_some(), "{line}: what comes before counts");
        }
        for line in ["+", "users:x:100", "users:x:1 00:ann", "users:x:100:ann :"] {
            let files = files(SWITCH, PASSWD, &format!("{line}\n{GROUP}"), SHADOW);
            assert_eq!((files.group("play"), files.groups_of(&ann())), (None, None), "{line}");
        }
        for line in
            ["ann:!:1", "+", "ann:!:1:0:9:7::x:", "ann:!:1:0:9:7:::1:", "ann:!:one:0:9:7:::", "bo:!:1:0:-1:7:::"]
        {
            assert_eq!(files(SWITCH, PASSWD, GROUP, &format!("{line}\n{SHADOW}")).expiry("ann"), None, "{line}");
        }
        assert_eq!(files(SWITCH, "ann:x:4294967296:5::/:\n", GROUP, SHADOW).login("ann"), None);
    }

    /// The machine's own accounts, one by one.
    #[test]
    fn the_c_library_says_the_same() {
        let files = AccountFiles::default();
        for id in 0..200 {
            let (uid, gid) = (nix::unistd::Uid::from_raw(id), nix::unistd::Gid::from_raw(id));
            if let Some(found) = files.login_of(id) {
                let expected = nix::unistd::User::from_uid(uid).unwrap();
                assert_eq!(found.map(|login| (login.name, login.home)), expected.map(|user| (user.name, user.dir)));
            }
            if let Some(found) = files.group_by_gid(id) {
                assert_eq!(found, nix::unistd::Group::from_gid(gid).unwrap().map(|group| group.name));
            }
        }
        if let Some(found) = files.user("daemon") {
            let (login, groups, shell) = found.unwrap();
            let expected = nix::unistd::User::from_name("daemon").unwrap().unwrap();
            assert_eq!((login.uid, shell), (expected.uid.as_raw(), expected.shell));
            let name = std::ffi::CString::new("daemon").unwrap();
            let known = nix::unistd::getgrouplist(&name, expected.gid).unwrap();
            assert_eq!(groups, known.into_iter().map(nix::unistd::Gid::as_raw).collect::<Vec<_>>());
        }
    }
}
