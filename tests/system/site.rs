//! A private test site and what can be done in it: callers, calls, expectations.
//!
//! A site is a process that keeps mount, pid, uts and ipc namespaces alive (`tests/site/enter`). The harness does not
//! run helpers in it: a call forks, joins the namespaces, becomes the caller and executes the program itself, so that
//! what the test sees (process id, wait status, descriptors) is the program's own.

#![allow(unsafe_code)] // a few lines of it, to become the caller between fork and exec

#[path = "../site/built.rs"]
mod built;

pub use built::built;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::libc::{self, c_int};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, fstat, umask};
use nix::unistd::{
    Gid, Pid, Uid, chdir, chroot, dup2_raw, fchdir, geteuid, pipe2, setgroups, setresgid, setresuid, setsid,
};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Where the program is installed in a site.
pub const GLEXEC: &str = "/usr/sbin/glexec";
const ADMIN: &str = "/usr/sbin/glexec-admin";
/// The audit log of a site without syslog daemon.
const LOG_FILE: &str = "/var/log/glexec/glexec.log";
/// What the syslog daemon of a site received, as it came in.
const SYSLOG_FILE: &str = "/var/log/messages.raw";
/// Where a program finds the descriptor of [`Caller::reporting`]: higher than any that the harness has open itself.
const REPORT_FD: i32 = 1000;
/// Nothing takes this long, on a crowded machine either; what does is a failure, not a hanging test run.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often what is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The folder with credentials and the site's files, made by the first test that asks.
fn material() -> &'static Path {
    static MATERIAL: OnceLock<PathBuf> = OnceLock::new();
    MATERIAL.get_or_init(|| {
        assert!(
            geteuid().is_root(),
            "the system tests mount file systems and switch accounts, so they must run as root: use `make test`"
        );
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("site");
        let done = Command::new(script("prepare")).arg(&dir).output().expect("tests/site/prepare starts");
        assert!(done.status.success(), "tests/site/prepare: {}", String::from_utf8_lossy(&done.stderr));
        dir
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/site").join(name)
}

/// A file of the credentials made for this run, as `certs/alice.pem` or `keys/user.key`: for tests that make more.
pub fn material_file(name: &str) -> Vec<u8> {
    fs::read(material().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Waits for something that another process does.
#[track_caller]
pub fn eventually(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(LOOK_EVERY);
    }
}

/// An account of the site.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

/// A private site; it and every process in it ends when this value is dropped.
pub struct Site {
    keeper: Child,
    keeper_stdin: Option<ChildStdin>,
    namespaces: Vec<File>,
    pid_namespace: File,
    root: File,
    syslog: bool,
}

impl Site {
    /// A new site, which logs to a file.
    pub fn new() -> Site {
        Site::enter(&[("--glexec", built("glexec"))], false)
    }

    /// A new site with a real rsyslogd, which glexec logs to.
    pub fn with_syslog() -> Site {
        Site::enter(&[("--glexec", built("glexec"))], true)
    }

    /// A new site that has glexec-admin, too.
    pub fn with_admin() -> Site {
        Site::enter(&[("--glexec", built("glexec")), ("--admin", built("glexec-admin"))], false)
    }

    /// A new site that nobody has installed glexec in, and that has neither its account nor its configuration.
    pub fn without_glexec() -> Site {
        let site = Site::enter(&[], false);
        site.sh("rm /etc/glexec.conf; rmdir /var/log/glexec; sed -i /^glexec:/d /etc/passwd /etc/group /etc/shadow");
        site
    }

    /// A new site whose files are changed before the test begins.
    pub fn with(change: impl FnOnce(&Site)) -> Site {
        let site = Site::new();
        change(&site);
        site
    }

    /// A new site in each mode: glexec becomes the payload, or stays to supervise it.
    pub fn in_both_modes() -> [Site; 2] {
        [Site::new(), Site::with(Site::linger)]
    }

    fn enter(programs: &[(&str, PathBuf)], syslog: bool) -> Site {
        let mut enter = Command::new(script("enter"));
        if syslog {
            enter.arg("--syslog");
        }
        for (option, program) in programs {
            enter.arg(option).arg(program);
        }
        // `cat` ends when the pipe closes, which happens even if the test run is killed: no site outlives it.
        enter.arg(material()).args(["--", "sh", "-c", "echo $SITE_PID; exec cat"]);
        let mut keeper = enter.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("tests/site/enter starts");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).expect("tests/site/enter answers");
        let pid: u32 = line.trim().parse().expect("tests/site/enter made a site (its message is above)");
        let open = |name: &str| File::open(format!("/proc/{pid}/{name}")).expect("the site's first process runs");
        let root = open("root");
        let device = |file: &File| fstat(file).unwrap().st_dev;
        assert_ne!(device(&root), device(&File::open("/").unwrap()), "this root would be the host's");
        Site {
            keeper_stdin: keeper.stdin.take(),
            keeper,
            namespaces: ["ns/mnt", "ns/uts", "ns/ipc"].map(open).into(),
            pid_namespace: open("ns/pid"),
            root,
            syslog,
        }
    }

    // ---- files ----

    /// Opens a file as the site sees it: symbolic links cannot lead to the host.
    fn open(&self, path: &str, flags: OFlag) -> io::Result<File> {
        let mode = if flags.contains(OFlag::O_CREAT) { Mode::from_bits_truncate(0o644) } else { Mode::empty() };
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).mode(mode).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        Ok(File::from(openat2(&self.root, path, how)?))
    }

    fn must_open(&self, path: &str, flags: OFlag) -> File {
        self.open(path, flags).unwrap_or_else(|e| panic!("{path} in the site: {e}"))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.open(path, OFlag::O_PATH).is_ok()
    }

    pub fn read(&self, path: &str) -> String {
        let mut bytes = Vec::new();
        self.must_open(path, OFlag::O_RDONLY).read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Writes a file as root; a new one is 0644, an old one keeps owner and mode.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        self.must_open(path, flags).write_all(content.as_ref()).unwrap();
    }

    pub fn append(&self, path: &str, content: &str) {
        self.must_open(path, OFlag::O_WRONLY | OFlag::O_APPEND).write_all(content.as_bytes()).unwrap();
    }

    /// Makes glexec stay beside the payload.
    pub fn linger(&self) {
        self.configure(|text| text.replace("linger = false", "linger = true\nlinger_grace = \"1s\""));
    }

    /// Rewrites glexec.conf.
    pub fn configure(&self, change: impl FnOnce(&str) -> String) {
        let old = self.read("/etc/glexec.conf");
        let new = change(&old);
        assert_ne!(old, new, "this change of glexec.conf changes nothing");
        self.write("/etc/glexec.conf", new);
    }

    /// Adds a line to the `[glexec]` table.
    pub fn set(&self, line: &str) {
        self.configure(|text| text.replacen("[glexec]\n", &format!("[glexec]\n{line}\n"), 1));
    }

    /// A file of the site, open for reading and writing, for instance to lock it.
    pub fn file(&self, path: &str) -> File {
        self.must_open(path, OFlag::O_RDWR)
    }

    /// Where the host finds something of the site, for what cannot be opened, like sockets. Symbolic links in it are the
    /// host's to follow: only for paths without any.
    pub fn host_path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}{path}", self.root.as_raw_fd()))
    }

    pub fn chmod(&self, path: &str, mode: u32) {
        let file = self.must_open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
        file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn chown(&self, path: &str, owner: &str) {
        let owner = self.account(owner);
        fchown(self.must_open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK), Some(owner.uid), Some(owner.gid)).unwrap();
    }

    /// Runs a shell script as root in the site and returns what it printed; it must succeed.
    pub fn sh(&self, script: &str) -> String {
        let run = Caller::new(self, self.account("root")).env("PATH", "/usr/sbin:/usr/bin").sh(script);
        run.exits(0);
        run.stdout()
    }

    /// Waits until root finds that this shell condition holds.
    #[track_caller]
    pub fn wait_until(&self, condition: &str) {
        eventually(condition, || Caller::new(self, self.account("root")).sh(condition).code() == Some(0));
    }

    /// Waits until no process of an account is left.
    #[track_caller]
    pub fn wait_until_nobody_is(&self, account: &str) {
        self.wait_until(&format!("! pgrep -u {account} > /dev/null"));
    }

    /// Waits for the end record of the first call: who kills the front does not wait for it.
    #[track_caller]
    pub fn wait_until_the_end_is_recorded(&self) {
        self.wait_until(&format!("grep -q event=end {LOG_FILE}"));
    }

    /// Puts another program in the place of what answers glexec at a socket, which runs as `user` and does `then` with
    /// every question.
    pub fn impostor(&self, socket: &str, user: &str, then: &str) -> Running<'_> {
        let script = format!(
            "import os, pwd, socket, time\n\
             os.makedirs('/run/glexec', 0o700, exist_ok=True)\n\
             os.umask(0o177)\n\
             listener = socket.socket(socket.AF_UNIX)\n\
             listener.bind('{socket}')\n\
             os.setuid(pwd.getpwnam('{user}').pw_uid)\n\
             listener.listen(64)\n\
             open('/tmp/listening', 'w').close()\n\
             while True:\n\
             \x20   line, _ = listener.accept()\n\
             \x20   while line.recv(65536): pass\n\
             \x20   {then}\n"
        );
        self.write("/root/impostor.py", script);
        let impostor = self.caller("root").start("/usr/bin/python3", ["/root/impostor.py"]);
        self.wait_until("test -e /tmp/listening");
        impostor
    }

    /// Runs glexec-admin as root, as it was built.
    pub fn admin<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run<'_> {
        if !self.exists(ADMIN) {
            // Written by a process of its own: a file that another thread's child still has open cannot be executed.
            self.write("/run/glexec-admin", fs::read(built("glexec-admin")).unwrap());
            self.sh(&format!("install -m 755 /run/glexec-admin {ADMIN}; rm /run/glexec-admin"));
        }
        Caller::new(self, self.account("root")).env("PATH", "/usr/sbin:/usr/bin").run(ADMIN, args)
    }

    /// The account of this name in the site's /etc/passwd, with its groups.
    pub fn account(&self, name: &str) -> Account {
        let split = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let passwd: Vec<_> = self.read("/etc/passwd").lines().map(split).collect();
        let entry = passwd.iter().find(|e| e[0] == name).unwrap_or_else(|| panic!("the site has no account {name}"));
        let gid = entry[3].parse().unwrap();
        let mut groups = vec![gid];
        for group in self.read("/etc/group").lines().map(split) {
            if group[3].split(',').any(|member| member == name) {
                groups.push(group[2].parse().unwrap());
            }
        }
        Account { name: name.into(), uid: entry[2].parse().unwrap(), gid, groups, home: entry[5].clone() }
    }

    // ---- callers ----

    /// The pilot, who is on the white list.
    pub fn pilot(&self) -> Caller<'_> {
        self.caller("pilot")
    }

    /// Any account as the caller: a real process with its ids, its groups and a minimal environment, in its home.
    pub fn caller(&self, name: &str) -> Caller<'_> {
        Caller::new(self, self.account(name))
    }

    // ---- records ----

    /// All audit records so far.
    pub fn records(&self) -> Vec<Record> {
        let path = if self.syslog { SYSLOG_FILE } else { LOG_FILE };
        if self.exists(path) { Record::parse_all(&self.read(path)) } else { Vec::new() }
    }

    /// All audit records, as soon as there are this many: the syslog daemon writes when it likes.
    pub fn records_awaited(&self, number: usize) -> Vec<Record> {
        if self.syslog {
            eventually("enough audit records", || self.records().len() >= number);
        }
        self.records()
    }

    /// The audit record of the last call.
    pub fn last_record(&self) -> Record {
        self.records_awaited(1).pop().expect("there is an audit record")
    }

    // ---- processes ----

    /// Starts a process in the site; `become_caller` runs in it before it executes the program.
    fn spawn(
        &self,
        command: &mut Command,
        become_caller: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Child {
        let duplicate = |file: &File| file.try_clone().unwrap();
        let namespaces: Vec<File> = self.namespaces.iter().map(duplicate).collect();
        let root = duplicate(&self.root);
        let prepare = move || {
            // What whoever runs the tests has open (make's jobserver, a lock) is no caller's.
            // SAFETY: marks descriptors as close-on-exec, and closes none.
            Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 3, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC) })?;
            for namespace in &namespaces {
                setns(namespace, CloneFlags::empty())?;
            }
            fchdir(&root)?;
            chroot(".")?;
            become_caller()
        };
        // SAFETY: between fork and exec only system calls on values made before the fork; nothing allocates or locks.
        unsafe { command.pre_exec(prepare) };
        // A process cannot change its pid namespace, only that of its children; in Linux this is each thread's own.
        let own = File::open("/proc/thread-self/ns/pid").unwrap();
        setns(&self.pid_namespace, CloneFlags::CLONE_NEWPID).expect("the site still runs");
        let child = command.spawn();
        setns(own, CloneFlags::CLONE_NEWPID).unwrap();
        child.unwrap_or_else(|e| panic!("{command:?} in the site: {e}"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.keeper_stdin = None;
        let _ = self.keeper.wait();
    }
}

/// Somebody who calls programs in the site.
#[derive(Clone)]
pub struct Caller<'s> {
    site: &'s Site,
    account: Account,
    env: BTreeMap<OsString, OsString>,
    cwd: String,
    stdin: Vec<u8>,
    arg0: Option<OsString>,
    closed: Vec<i32>,
    report: bool,
    steps: Vec<Arc<Step>>,
}

/// What the caller's process does before it executes the program: system calls only.
type Step = dyn Fn() -> io::Result<()> + Send + Sync;

impl<'s> Caller<'s> {
    fn new(site: &'s Site, account: Account) -> Self {
        let env =
            [("PATH", "/usr/bin:/bin"), ("HOME", &account.home), ("USER", &account.name), ("LOGNAME", &account.name)];
        Caller {
            site,
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            cwd: account.home.clone(),
            account,
            stdin: Vec::new(),
            arg0: None,
            closed: Vec::new(),
            report: false,
            steps: Vec::new(),
        }
    }

    /// Holds the proxy of this name (`tests/site/make-pki` lists them) and passes it as GLEXEC_CLIENT_CERT.
    pub fn credential(self, name: &str) -> Self {
        self.file_in("GLEXEC_CLIENT_CERT", &format!("{name}.pem"), &material_file(&format!("proxies/{name}.pem")))
    }

    /// Holds this proxy and passes it as X509_USER_PROXY.
    pub fn own_proxy(self, name: &str) -> Self {
        self.file_in("X509_USER_PROXY", &format!("own-{name}.pem"), &material_file(&format!("proxies/{name}.pem")))
    }

    /// Puts a file into the caller's home, 0600 and its own, and its path into a variable.
    pub fn file_in(self, variable: &str, name: &str, content: &[u8]) -> Self {
        let path = format!("{}/{name}", self.account.home);
        self.site.write(&path, content);
        self.site.chmod(&path, 0o600);
        self.site.chown(&path, &self.account.name);
        self.env(variable, path)
    }

    /// Where the file is that [`Caller::credential`] made.
    pub fn client_cert(&self) -> String {
        self.env[OsStr::new("GLEXEC_CLIENT_CERT")].to_str().unwrap().into()
    }

    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(OsStr::new(name));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub fn cwd(mut self, dir: &str) -> Self {
        self.cwd = dir.into();
        self
    }

    pub fn arg0(mut self, name: impl Into<OsString>) -> Self {
        self.arg0 = Some(name.into());
        self
    }

    /// Has these supplementary groups, whatever the account has.
    pub fn with_groups(&self, groups: &[u32]) -> Self {
        let mut caller = self.clone();
        caller.account.groups = groups.into();
        caller
    }

    /// Starts the program with this descriptor closed.
    pub fn closing(mut self, fd: i32) -> Self {
        self.closed.push(fd);
        self
    }

    /// Opens a descriptor for glexec's report and names it in GLEXEC_REPORT_FD.
    pub fn reporting(mut self) -> Self {
        self.report = true;
        self.env("GLEXEC_REPORT_FD", REPORT_FD.to_string())
    }

    /// Does something in the caller's process just before it executes the program. It runs between fork and exec, so
    /// nothing in it may allocate or lock.
    pub fn first(mut self, step: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Calls glexec with exactly these arguments and this environment: argv may be empty, names may be there twice.
    pub fn execve<A: AsRef<[u8]>>(&self, argv: impl IntoIterator<Item = A>, env: &[&[u8]]) -> Run<'s> {
        let owned = |text: &[u8]| CString::new(text).unwrap();
        let argv: Vec<CString> = argv.into_iter().map(|word| owned(word.as_ref())).collect();
        let env: Vec<CString> = env.iter().map(|text| owned(text)).collect();
        let path = CString::new(GLEXEC).unwrap();
        // The kernel wants arrays of pointers that end with null; addresses as numbers may cross threads.
        let array = |list: &[CString]| -> Vec<usize> {
            list.iter().map(|text| text.as_ptr() as usize).chain(std::iter::once(0)).collect()
        };
        let (argv_array, env_array) = (array(&argv), array(&env));
        let step = move || {
            let _alive = (&argv, &env);
            // SAFETY: both arrays are as execve(2) wants them, and the strings live as long as this closure.
            unsafe { libc::execve(path.as_ptr(), argv_array.as_ptr().cast(), env_array.as_ptr().cast()) };
            Err(io::Error::last_os_error())
        };
        self.clone().first(step).glexec::<&str>([])
    }

    /// Calls glexec and waits for its end.
    pub fn glexec<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run<'s> {
        self.run(GLEXEC, args)
    }

    /// Runs a shell script as the caller.
    pub fn sh(&self, script: &str) -> Run<'s> {
        self.run("/bin/bash", ["-c", script])
    }

    /// Runs any program of the site and waits for its end.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Run<'s> {
        self.start(program, args).finish()
    }

    /// Starts any program of the site.
    pub fn start<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Running<'s> {
        self.start_on(Stdio::piped(), program, args)
    }

    /// Starts any program of the site with this as its stdin.
    pub fn start_on<A: AsRef<OsStr>>(
        &self,
        stdin: impl Into<Stdio>,
        program: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Running<'s> {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(&self.env);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(name) = &self.arg0 {
            command.arg0(name);
        }
        let (report, report_in) = match self.report.then(|| pipe2(OFlag::O_CLOEXEC).unwrap()) {
            Some((read, write)) => (Some(File::from(read)), Some(write)),
            None => (None, None),
        };

        let (uid, gid) = (Uid::from_raw(self.account.uid), Gid::from_raw(self.account.gid));
        let groups: Vec<Gid> = self.account.groups.iter().copied().map(Gid::from_raw).collect();
        let cwd = CString::new(self.cwd.as_bytes()).unwrap();
        let closed = self.closed.clone();
        let steps = self.steps.clone();
        let report_fd = report_in.as_ref().map(|fd| fd.try_clone().unwrap());
        let become_caller = move || {
            setsid()?; // as from a batch system: without a terminal
            umask(Mode::from_bits_truncate(0o022));
            setgroups(&groups)?;
            setresgid(gid, gid, gid)?;
            setresuid(uid, uid, uid)?;
            chdir(cwd.as_c_str())?;
            if let Some(fd) = &report_fd {
                // SAFETY: nothing in this process owns a descriptor of this number.
                let _ = unsafe { dup2_raw(fd, REPORT_FD) }?.into_raw_fd();
            }
            for fd in &closed {
                nix::unistd::close(*fd)?;
            }
            steps.iter().try_for_each(|step| step())
        };

        let records_before = self.site.records().len();
        let started = Instant::now();
        let mut child = self.site.spawn(&mut command, become_caller);
        drop((command, report_in)); // the writing ends of the report belong to the program now
        if let Some(mut stdin) = child.stdin.take() {
            let input = self.stdin.clone();
            thread::spawn(move || stdin.write_all(&input)); // it may end without reading all
        }
        let what = format!("{}: {program}", self.account.name);
        Running { site: self.site, child: Started(Some(child)), report, started, records_before, what }
    }
}

/// A process of ours in a site. A test that fails must reap it too: a site ends only when nothing is left in it.
struct Started(Option<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            // What has failed may have left something behind that only the end of the site ends, which waits for this.
            match thread::panicking() {
                true => drop(thread::spawn(move || child.wait())),
                false => drop(child.wait()),
            }
        }
    }
}

/// A program that has been started.
pub struct Running<'s> {
    site: &'s Site,
    child: Started,
    report: Option<File>,
    started: Instant,
    records_before: usize,
    what: String,
}

impl<'s> Running<'s> {
    /// The process id, as the host counts.
    pub fn pid(&self) -> i32 {
        self.child.0.as_ref().unwrap().id().try_into().unwrap()
    }

    /// The process id, as the site counts.
    pub fn pid_in_site(&self) -> i32 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it still runs");
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
        ids.split_whitespace().last().unwrap().parse().unwrap()
    }

    /// Waits until the site's root finds that this shell condition holds.
    #[track_caller]
    pub fn wait_until(&self, condition: &str) {
        self.site.wait_until(condition);
    }

    /// Sends a signal to it, as root.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for its end and the end of its output.
    pub fn finish(self) -> Run<'s> {
        let Running { site, mut child, report, started, records_before, what } = self;
        let child = child.0.take().unwrap();
        let (done, wait) = mpsc::channel();
        thread::spawn(move || done.send(child.wait_with_output()));
        // If this gives up, the site is dropped with everything in it.
        let output = wait.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what} still runs after {PATIENCE:?}"));
        let elapsed = started.elapsed();
        let mut text = String::new();
        if let Some(mut report) = report {
            report.read_to_string(&mut text).unwrap();
        }
        let run = Run { site, output: output.unwrap(), elapsed, report: text, records_before, what };
        assert!(!run.stderr().contains("panicked"), "it panicked\n{run}");
        run
    }
}

/// How a call ended.
pub struct Run<'s> {
    site: &'s Site,
    output: Output,
    pub elapsed: Duration,
    /// What was written to the descriptor of [`Caller::reporting`].
    pub report: String,
    records_before: usize,
    what: String,
}

impl Run<'_> {
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    pub fn signal(&self) -> Option<i32> {
        self.output.status.signal()
    }

    pub fn dumped_core(&self) -> bool {
        self.output.status.core_dumped()
    }

    pub fn stdout_bytes(&self) -> &[u8] {
        &self.output.stdout
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The line on GLEXEC_REPORT_FD.
    #[track_caller]
    pub fn reported(&self) -> serde_json::Value {
        assert!(
            self.report.ends_with('\n') && self.report.lines().count() == 1,
            "one line of report: {:?}",
            self.report
        );
        serde_json::from_str(&self.report).unwrap_or_else(|e| panic!("{e}: {:?}\n{self}", self.report))
    }

    /// The audit records that were written since the call began.
    pub fn records(&self) -> Vec<Record> {
        self.site.records_awaited(self.records_before + 1).split_off(self.records_before)
    }

    /// The one audit record of the call's start.
    pub fn record(&self) -> Record {
        let mut starts = self.records();
        starts.retain(|record| record["event"] == "start");
        assert_eq!(starts.len(), 1, "one start record expected, not {starts:?}\n{self}");
        starts.remove(0)
    }

    /// It ended with this exit code, whatever it printed.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert!(self.code() == Some(code), "exit code {code} expected\n{self}");
        self
    }

    /// It was ended by this signal.
    #[track_caller]
    pub fn killed_by(&self, signal: Signal) -> &Self {
        assert!(self.signal() == Some(signal as i32), "{signal} expected\n{self}");
        self
    }

    /// The payload ran and printed exactly this, nothing on stderr.
    #[track_caller]
    pub fn succeeds_with(&self, stdout: &str) -> &Self {
        self.exits(0);
        assert!(self.stderr().is_empty(), "no output on stderr expected\n{self}");
        assert!(self.stdout() == stdout, "{stdout:?} expected on stdout\n{self}");
        self
    }

    /// glexec refused: exit code, one sentence with the reason code, no other output, and one audit record that says so.
    #[track_caller]
    pub fn refused(&self, exit: i32, code: &str) -> &Self {
        self.refused_without_record(exit, code);
        let record = self.record();
        assert!(
            record["decision"] == "deny" && record["code"] == code,
            "the record should say decision=deny code={code}: {record:?}\n{self}"
        );
        self
    }

    /// The same for refusals that come before there is a log to write to (or because there is none).
    #[track_caller]
    pub fn refused_without_record(&self, exit: i32, code: &str) -> &Self {
        self.exits(exit);
        assert!(self.output.stdout.is_empty(), "no output on stdout expected\n{self}");
        let stderr = self.stderr();
        let sentence = stderr.strip_prefix("[gLExec]: ").and_then(|rest| rest.strip_suffix(&format!(" ({code})\n")));
        assert!(
            sentence.is_some_and(|text| !text.trim().is_empty() && !text.contains('\n')),
            "one line `[gLExec]: … ({code})` expected on stderr\n{self}"
        );
        self
    }
}

impl std::fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Run { what, output, elapsed, .. } = self;
        write!(
            f,
            "{what}: {} after {elapsed:?}\nstdout: {:?}\nstderr: {:?}",
            output.status,
            self.stdout(),
            self.stderr()
        )
    }
}

/// An audit record: its `key=value` fields. `record["code"]` is "" where there is no such field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(BTreeMap<String, String>);

impl std::ops::Index<&str> for Record {
    type Output = String;

    fn index(&self, field: &str) -> &String {
        static NONE: String = String::new();
        self.0.get(field).unwrap_or(&NONE)
    }
}

impl Record {
    /// Every line with an `event=` is a record; what precedes it belongs to the log, not to the record.
    pub fn parse_all(log: &str) -> Vec<Record> {
        let start = |line: &str| line.find("event=start ").or_else(|| line.find("event=end "));
        let messages = log.lines().map(after_structured_data);
        messages.filter_map(|line| start(line).map(|at| Record::parse(&line[at..]))).collect()
    }

    /// `key=value` fields with blanks between; a value with blanks in it is in quotes, with `\"` and `\\` inside.
    fn parse(mut text: &str) -> Record {
        let mut fields = BTreeMap::new();
        while let Some((key, rest)) = text.trim_start().split_once('=') {
            let value;
            (value, text) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted),
                None => rest.split_once(' ').map_or((rest.to_owned(), ""), |(v, rest)| (v.to_owned(), rest)),
            };
            assert_eq!(fields.insert(key.to_owned(), value), None, "{key} twice in an audit record");
        }
        Record(fields)
    }

    /// These fields have these values.
    #[track_caller]
    pub fn says<const N: usize>(&self, fields: [(&str, &str); N]) -> &Self {
        for (field, value) in fields {
            assert!(self[field] == value, "{field}={value} expected in the audit record {self:?}");
        }
        self
    }

    pub fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }
}

/// What follows the structured data of an RFC 5424 message, or all of a line without any: a value in it may look like
/// a record. It ends with the first `]` that is not in quotes.
fn after_structured_data(line: &str) -> &str {
    let Some(start) = line.find("[glexec@32473 ").filter(|_| line.starts_with('<')) else { return line };
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return &line[start + at + 1..],
            _ => {}
        }
    }
    panic!("structured data that does not end: {line}")
}

/// The value up to the closing quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                Some((_, other)) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            char => value.push(char),
        }
    }
    (value, "")
}
