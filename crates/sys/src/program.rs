//! Running a program to ask it something: unprivileged, with a deadline, and gone afterwards with all that it started.
//!
//! It serves plug-ins of the site's and glexec's own verifier. Several may be asked at once, each with a document of
//! its own: none of them sees another's.

use crate::execute::{execute, execute_open};
use crate::identity::{self, Actor};
use crate::limits::lower_limit;
use crate::supervise::{self, Below};
use crate::{descriptors, errno_of};
pub use glexec_core::program::{NoAnswer, Said};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, chdir, fork, getpid, pipe2, setsid};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

/// All of the environment of a program of the site's; glexec's own has none.
const ENVIRONMENT: &CStr = c"PATH=/usr/local/bin:/usr/bin:/bin";
/// Memory that it may allocate, in bytes: an interpreter and a TLS library fit with room.
const MAX_MEMORY: libc::rlim_t = 1024 * 1024 * 1024;
/// Processor seconds beyond the deadline, which ends it anyway.
const MAX_CPU_SECONDS: libc::rlim_t = 60;
/// Open files.
const MAX_FILES: libc::rlim_t = 256;
/// Processes that the service user may have when it starts one more: of all calls together, so it is far above what
/// they need, and few enough to be found and killed.
const MAX_PROCESSES: libc::rlim_t = 4096;
/// Largest file that it may write.
const MAX_FILE: libc::rlim_t = 16 * 1024 * 1024;
/// How much of its complaints is kept, in bytes.
const MAX_ERRORS: usize = 2048;
/// How long it may take to kill it and what it has started.
const PATIENCE: Duration = Duration::from_secs(10);
/// Exit status of a child that could not become the program.
const NOT_STARTED: i32 = 125;
/// Which program it is, and with it how far it is trusted.
#[derive(Clone, Copy, Debug)]
pub enum Executable<'a> {
    /// One of the site's, by its path: it gets a PATH and limits, and may start others, which are looked for and ended.
    Of(&'a Path),
    /// One that the site has root run: it gets this environment and whatever root may, and may start others. To be
    /// asked by a process that is root in every id and has no other children: all that is below it is ended.
    OfRoot {
        /// Its environment.
        environment: &'a [CString],
    },
    /// glexec's own, open: it gets no environment, closes its own sandbox first of all, and can start nothing.
    Own(BorrowedFd<'a>),
}

/// A program to be asked.
pub struct Program<'a> {
    /// Whom it runs as, never root; `None` where the one who asks is nobody special.
    pub actor: Option<&'a Actor>,
    pub executable: Executable<'a>,
    /// Its argv[0].
    pub name: &'a OsStr,
    pub arguments: &'a [String],
    /// What it gets on descriptors from 3 on; a gap stays closed.
    pub descriptors: &'a [Option<BorrowedFd<'a>>],
    /// How long it may take.
    pub deadline: Duration,
    /// How much it may say, in bytes.
    pub max_answer: usize,
}

/// Our ends of the pipes.
struct Ends {
    input: Option<File>,
    output: Option<File>,
    errors: Option<File>,
}

/// A program that has been started.
struct Running<'a> {
    program: &'a Program<'a>,
    child: Pid,
    ended: OwnedFd,
    ends: Ends,
    unsent: &'a [u8],
    output: Vec<u8>,
    errors: Vec<u8>,
    /// Whether it has been waited for: then its number may be another's.
    reaped: bool,
    /// What came of it, once it is known.
    said: Option<Result<Said, NoAnswer>>,
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> NoAnswer {
    move |errno| NoAnswer::System(what, errno.to_string())
}

/// Runs the program with `document` on its standard input. It counts when it has ended; whatever it has started and
/// left behind is killed, however the call ends.
pub fn ask(program: &Program<'_>, document: &[u8]) -> Result<Said, NoAnswer> {
    let mut all = ask_all(&[(program, document)]);
    all.pop().unwrap_or_else(|| Err(NoAnswer::System("nothing was asked", Errno::EINVAL.to_string())))
}

/// Runs programs side by side, each with a document; the answers in the same order.
pub fn ask_all(questions: &[(&Program<'_>, &[u8])]) -> Vec<Result<Said, NoAnswer>> {
    let may_leave = questions.iter().any(|(program, _)| !matches!(program.executable, Executable::Own(_)));
    // Orphans of the program become our children, so that they can be found.
    let adopt = |wanted: bool| match may_leave {
        true => prctl::set_child_subreaper(wanted).map_err(system("PR_SET_CHILD_SUBREAPER")),
        false => Ok(()),
    };
    let started = Instant::now();
    let mut running: Vec<_> =
        questions.iter().map(|(program, document)| adopt(true).and_then(|()| begin(program, document))).collect();
    while running.iter().flatten().any(|one| one.said.is_none()) {
        converse(&mut running, started);
    }
    for one in running.iter().flatten() {
        end_all(one);
    }
    let calm = adopt(false);
    let said = |one: Result<Running<'_>, NoAnswer>| {
        let said = one?.said.unwrap_or_else(|| Err(NoAnswer::Died("it said nothing".into())));
        calm.clone().and(said)
    };
    running.into_iter().map(said).collect()
}

/// Starts a program.
fn begin<'a>(program: &'a Program<'a>, document: &'a [u8]) -> Result<Running<'a>, NoAnswer> {
    let words = std::iter::once(program.name).chain(program.arguments.iter().map(OsStr::new));
    let words: Result<Vec<CString>, _> = words.map(|word| CString::new(word.as_bytes())).collect();
    let words = words.map_err(|_| NoAnswer::System("a NUL in an argument", Errno::EINVAL.to_string()))?;
    let pipes = || pipe2(OFlag::O_CLOEXEC).map_err(system("pipe"));
    let (input, output, errors) = (pipes()?, pipes()?, pipes()?);
    for end in [&input.1, &output.0, &errors.0] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(system("fcntl"))?;
    }
    let parent = getpid();
    // SAFETY: the process has one thread, so the child may do whatever the parent may.
    let child = match unsafe { fork() }.map_err(system("fork"))? {
        ForkResult::Child => {
            let ends = [&input.0, &output.1, &errors.1];
            let run = AssertUnwindSafe(|| become_program(program, &words, parent, ends));
            // With unwinding panics the child must not return into the parent's code.
            let _ = std::panic::catch_unwind(run);
            supervise::end(NOT_STARTED)
        }
        ForkResult::Parent { child } => child,
    };
    let ends = Ends {
        input: Some(File::from(input.1)),
        output: Some(File::from(output.0)),
        errors: Some(File::from(errors.0)),
    };
    let ended = pidfd(child).inspect_err(|_| {
        // Our own child, not reaped yet: the number is nobody else's.
        let _ = kill(child, Signal::SIGKILL);
        let _ = waitpid(child, None);
    })?;
    let (output, errors) = (Vec::new(), Vec::new());
    Ok(Running { program, child, ended, ends, unsent: document, output, errors, reaped: false, said: None })
}

/// The child's side; returns only where something went wrong, and then has said so to whoever reads its errors.
fn become_program(program: &Program<'_>, words: &[CString], parent: Pid, ends: [&OwnedFd; 3]) {
    for (fd, end) in (0..).zip(ends) {
        // SAFETY: dup2 onto 0, 1 or 2, which no object of this process owns.
        if unsafe { libc::dup2(end.as_raw_fd(), fd) } < 0 {
            return;
        }
    }
    let prepare = || -> Result<Option<RawFd>, String> {
        // A session of its own is out of the reach of the caller's terminal. The verifier has none either way, and
        // would be scheduled as a stranger to the call (sched(7), autogroup), besides what a session costs.
        if !matches!(program.executable, Executable::Own(_)) {
            setsid().map_err(|e| format!("setsid: {e}"))?;
        }
        match (program.executable, program.actor) {
            (Executable::OfRoot { .. }, _) => identity::become_root(Gid::from_raw(0))?,
            (_, Some(actor)) => identity::become_for_good(actor)?,
            (_, None) => {}
        }
        supervise::die_with(parent)?;
        if !matches!(program.executable, Executable::OfRoot { .. }) {
            prctl::set_no_new_privs().map_err(|e| format!("PR_SET_NO_NEW_PRIVS: {e}"))?;
        }
        limit(program)?;
        chdir("/").map_err(|e| format!("chdir: {e}"))?;
        umask(Mode::from_bits_truncate(0o077));
        hand_over(program).map_err(|e| format!("descriptors: {e}"))
    };
    let why = match prepare() {
        Ok(None) => {
            let path = words.first().map_or(c"", |word| word.as_c_str());
            match program.executable {
                Executable::OfRoot { environment } => execute(path, words, environment),
                _ => execute(path, words, &[ENVIRONMENT.to_owned()]),
            }
            .desc()
            .to_owned()
        }
        // SAFETY: the descriptor stays open until the program has taken the process's place.
        Ok(Some(fd)) => execute_open(unsafe { BorrowedFd::borrow_raw(fd) }, words).desc().to_owned(),
        Err(why) => why,
    };
    // Nobody is there to hear that this failed.
    let _ = std::io::stderr().write_all(why.as_bytes());
}

fn limit(program: &Program<'_>) -> Result<(), String> {
    if !matches!(program.executable, Executable::Of(_)) {
        return lower_limit(Resource::RLIMIT_CORE, 0);
    }
    let limits = [
        (Resource::RLIMIT_DATA, MAX_MEMORY),
        (Resource::RLIMIT_CPU, MAX_CPU_SECONDS.saturating_add(program.deadline.as_secs())),
        (Resource::RLIMIT_NOFILE, MAX_FILES),
        (Resource::RLIMIT_NPROC, MAX_PROCESSES),
        (Resource::RLIMIT_FSIZE, MAX_FILE),
        (Resource::RLIMIT_CORE, 0),
    ];
    limits.into_iter().try_for_each(|(which, max)| lower_limit(which, max))
}

/// Gives the program its descriptors from 3 on and closes all others; returns where glexec's own program is open, which
/// closes when it is executed. The caller may have left room for a dozen descriptors only: what is not needed goes
/// first.
fn hand_over(program: &Program<'_>) -> Result<Option<RawFd>, Errno> {
    let own = match program.executable {
        Executable::Of(_) | Executable::OfRoot { .. } => None,
        Executable::Own(fd) => Some(fd),
    };
    let needed = program.descriptors.iter().copied().chain([own]).flatten();
    descriptors::close_all_but(&needed.map(|fd| fd.as_raw_fd()).collect::<Vec<_>>())?;
    // Copies above the numbers that will be given, so that none is overwritten before it has got its own.
    let above = RawFd::try_from(program.descriptors.len()).map_err(|_| Errno::EMFILE)?.saturating_add(3);
    let copy = |fd: BorrowedFd<'_>| fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above));
    let own = own.map(copy).transpose()?;
    let given: Result<Vec<_>, _> = program.descriptors.iter().map(|fd| fd.map(copy).transpose()).collect();
    let mut keep: Vec<RawFd> = own.into_iter().collect();
    for (number, fd) in (3..).zip(given?) {
        let Some(fd) = fd else { continue };
        // SAFETY: whatever had the number is copied or about to be closed, and this child uses none of it any more.
        Errno::result(unsafe { libc::dup2(fd, number) })?;
        keep.push(number);
    }
    descriptors::close_all_but(&keep)?;
    Ok(own)
}

/// Waits until something happens, then writes to the programs and reads from them what there is.
fn converse(running: &mut [Result<Running<'_>, NoAnswer>], started: Instant) {
    let mut waiting: Vec<&mut Running<'_>> = running.iter_mut().flatten().filter(|one| one.said.is_none()).collect();
    let left = |one: &Running<'_>| one.program.deadline.saturating_sub(started.elapsed());
    let patience = waiting.iter().map(|one| left(one)).min().unwrap_or_default();
    let mut fds = Vec::new();
    for one in &waiting {
        fds.push(PollFd::new(one.ended.as_fd(), PollFlags::POLLIN));
        fds.extend(one.ends.input.as_ref().map(|end| PollFd::new(end.as_fd(), PollFlags::POLLOUT)));
        let read = [&one.ends.output, &one.ends.errors];
        fds.extend(read.into_iter().flatten().map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN)));
    }
    let polled = match poll(&mut fds, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    };
    drop(fds);
    for one in &mut waiting {
        one.said = match polled {
            Err(errno) => Some(Err(system("poll")(errno))),
            Ok(()) if left(one).is_zero() => Some(Err(NoAnswer::Deadline(one.program.deadline))),
            Ok(()) => one.go_on().transpose(),
        };
    }
}

impl Running<'_> {
    /// Writes and reads what can be; what came of it where the program has ended or said too much.
    fn go_on(&mut self) -> Result<Option<Said>, NoAnswer> {
        // Looked at before the pipes are read, so that nothing that it wrote is missed.
        let mut ended = [PollFd::new(self.ended.as_fd(), PollFlags::POLLIN)];
        let looked = poll(&mut ended, PollTimeout::ZERO);
        let over = matches!(looked, Ok(1..));
        self.unsent = send(&mut self.ends.input, self.unsent);
        let max_answer = self.program.max_answer;
        drain(&mut self.ends.output, &mut self.output, max_answer.saturating_add(1))?;
        drain(&mut self.ends.errors, &mut self.errors, MAX_ERRORS)?;
        if self.output.len() > max_answer {
            return Err(NoAnswer::TooLong(max_answer));
        }
        self.reaped = over;
        match over {
            true => conclude(self.child, std::mem::take(&mut self.output), std::mem::take(&mut self.errors)).map(Some),
            false => Ok(None),
        }
    }
}

/// Writes what the pipe takes. A program that does not read to the end need not.
fn send<'d>(end: &mut Option<File>, document: &'d [u8]) -> &'d [u8] {
    let Some(file) = end else { return document };
    let rest = match file.write(document) {
        Ok(written) => document.get(written..).unwrap_or_default(),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => document,
        Err(_) => &[],
    };
    if rest.is_empty() {
        *end = None;
    }
    rest
}

/// Reads what is there; keeps at most `keep` bytes, and throws the rest away.
fn drain(end: &mut Option<File>, into: &mut Vec<u8>, keep: usize) -> Result<(), NoAnswer> {
    let Some(file) = end else { return Ok(()) };
    let mut chunk = [0_u8; 4096];
    // Bounded, so that a program that never stops talking does not keep us from the clock.
    for _ in 0..64 {
        match file.read(&mut chunk) {
            Ok(0) => {
                *end = None;
                return Ok(());
            }
            Ok(n) => {
                let room = keep.saturating_sub(into.len());
                into.extend_from_slice(chunk.get(..n.min(room)).unwrap_or_default());
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(NoAnswer::System("read", errno_of(&e).to_string())),
        }
    }
    Ok(())
}

/// A descriptor that becomes readable when the child ends, pidfd_open(2).
fn pidfd(child: Pid) -> Result<OwnedFd, NoAnswer> {
    // SAFETY: takes two numbers and touches no memory.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0) });
    let fd = fd.map_err(|e| NoAnswer::System("pidfd_open", e.to_string()))?;
    // SAFETY: the kernel has just made the descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// Reaps the program, which has ended.
fn conclude(child: Pid, output: Vec<u8>, errors: Vec<u8>) -> Result<Said, NoAnswer> {
    let complaint = |what: String| {
        let errors = String::from_utf8_lossy(&errors);
        NoAnswer::Died(if errors.trim().is_empty() { what } else { format!("{what}: {}", errors.trim()) })
    };
    loop {
        return match waitpid(child, None) {
            Err(Errno::EINTR) => continue,
            Err(errno) => Err(NoAnswer::System("waitpid", errno.to_string())),
            Ok(WaitStatus::Exited(_, NOT_STARTED)) => Err(complaint("it could not be started".to_owned())),
            Ok(WaitStatus::Exited(_, status)) => Ok(Said { status, output, errors }),
            Ok(WaitStatus::Signaled(_, signal, _)) => Err(complaint(format!("signal {signal}"))),
            Ok(other) => Err(complaint(format!("{other:?}"))),
        };
    }
}

/// Kills and reaps the program and everything that it has left. Children that the caller had before it became glexec
/// are ours, too: they do not run as the service user and are left alone.
fn end_all(one: &Running<'_>) {
    match (one.program.executable, one.program.actor) {
        (Executable::Of(_), Some(actor)) => {
            end_tree(&|pid| pid == one.child || supervise::runs_as(pid, actor.uid));
        }
        (Executable::OfRoot { .. }, _) => end_tree(&|_| true),
        // It was alone.
        _ if one.reaped => {}
        _ => {
            let _ = kill(one.child, Signal::SIGKILL);
            while waitpid(one.child, None) == Err(Errno::EINTR) {}
        }
    }
}

/// Before any is killed all are stopped, since a program that forks without end would fork into the places of the dead.
fn end_tree(is_meant: &dyn Fn(Pid) -> bool) {
    let started = Instant::now();
    let mut stopped = BTreeSet::new();
    loop {
        let mut left = supervise::seen_below(getpid());
        left.retain(|one| is_meant(one.pid));
        let running: Vec<Below> = left.iter().filter(|one| stopped.insert(one.pid)).cloned().collect();
        let (those, signal) = if running.is_empty() { (&left, Signal::SIGKILL) } else { (&running, Signal::SIGSTOP) };
        for one in those {
            one.signal(getpid(), signal as libc::c_int);
        }
        for one in &left {
            let _ = waitpid(one.pid, Some(WaitPidFlag::WNOHANG));
        }
        if left.is_empty() || started.elapsed() > PATIENCE {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
