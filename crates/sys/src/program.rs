//! Running a program of the site's to ask it something: unprivileged, with a deadline, and gone afterwards with all that
//! it started.

use crate::identity::{self, Actor};
use crate::supervise::{self, Below};
use crate::{descriptors, errno_of, process, sandbox};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, fork, getpid, pipe2, setsid};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

/// All of its environment.
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

/// A program to be asked.
pub struct Program<'a> {
    /// Whom it runs as; never root.
    pub actor: &'a Actor,
    /// Its path, which is its argv[0] too.
    pub path: &'a Path,
    /// Its arguments.
    pub arguments: &'a [String],
    /// How long it may take.
    pub deadline: Duration,
    /// How much it may say, in bytes.
    pub max_answer: usize,
}

pub use glexec_core::program::{NoAnswer, Said};

/// Our ends of the pipes.
struct Ends {
    input: Option<File>,
    output: Option<File>,
    errors: Option<File>,
}

/// Runs the program with `document` on its standard input. It counts when it has ended; whatever it has started and left
/// behind is killed, however the call ends.
pub fn ask(program: &Program<'_>, document: &[u8]) -> Result<Said, NoAnswer> {
    let system = |what| move |errno: Errno| NoAnswer::System(what, errno.to_string());
    let words = std::iter::once(program.path.as_os_str()).chain(program.arguments.iter().map(OsStr::new));
    let words: Result<Vec<CString>, _> = words.map(|word| CString::new(word.as_bytes())).collect();
    let words = words.map_err(|_| NoAnswer::System("a NUL in an argument", Errno::EINVAL.to_string()))?;
    let pipes = || pipe2(OFlag::O_CLOEXEC).map_err(system("pipe"));
    let (input, output, errors) = (pipes()?, pipes()?, pipes()?);
    let parent = getpid();
    // Orphans of the program become our children, so that they can be found.
    prctl::set_child_subreaper(true).map_err(system("PR_SET_CHILD_SUBREAPER"))?;
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
    drop((input.0, output.1, errors.1));
    let ends = Ends {
        input: Some(File::from(input.1)),
        output: Some(File::from(output.0)),
        errors: Some(File::from(errors.0)),
    };
    let said = converse(program, document, child, ends);
    end_all(child, program.actor);
    let calm = prctl::set_child_subreaper(false).map_err(system("PR_SET_CHILD_SUBREAPER"));
    let said = said?;
    calm.map(|()| said)
}

/// The child's side; returns only where something went wrong, and then has said so to whoever reads its errors.
fn become_program(program: &Program<'_>, words: &[CString], parent: Pid, ends: [&OwnedFd; 3]) {
    for (fd, end) in (0..).zip(ends) {
        // SAFETY: dup2 onto 0, 1 or 2, which no object of this process owns.
        if unsafe { libc::dup2(end.as_raw_fd(), fd) } < 0 {
            return;
        }
    }
    let prepare = || -> Result<(), String> {
        setsid().map_err(|e| format!("setsid: {e}"))?;
        identity::become_for_good(program.actor)?;
        supervise::die_with(parent)?;
        prctl::set_no_new_privs().map_err(|e| format!("PR_SET_NO_NEW_PRIVS: {e}"))?;
        for (which, max) in [
            (Resource::RLIMIT_DATA, MAX_MEMORY),
            (Resource::RLIMIT_CPU, MAX_CPU_SECONDS.saturating_add(program.deadline.as_secs())),
            (Resource::RLIMIT_NOFILE, MAX_FILES),
            (Resource::RLIMIT_NPROC, MAX_PROCESSES),
            (Resource::RLIMIT_FSIZE, MAX_FILE),
            (Resource::RLIMIT_CORE, 0),
        ] {
            sandbox::lower_limit(which, max)?;
        }
        chdir("/").map_err(|e| format!("chdir: {e}"))?;
        umask(Mode::from_bits_truncate(0o077));
        descriptors::close_all_but(&[]).map_err(|e| format!("close_range: {e}"))
    };
    let why = match (prepare(), words.first()) {
        (Err(why), _) => why,
        (Ok(()), None) => "no program".to_owned(),
        (Ok(()), Some(path)) => process::execute(path, words, &[ENVIRONMENT.to_owned()]).desc().to_owned(),
    };
    // Nobody is there to hear that this failed.
    let _ = std::io::stderr().write_all(why.as_bytes());
}

/// Writes the document and reads what the program says, until it ends.
fn converse(program: &Program<'_>, document: &[u8], child: Pid, mut ends: Ends) -> Result<Said, NoAnswer> {
    let started = Instant::now();
    let ended = pidfd(child)?;
    for end in [&ends.input, &ends.output, &ends.errors].into_iter().flatten() {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|e| NoAnswer::System("fcntl", e.to_string()))?;
    }
    let (mut unsent, mut output, mut errors) = (document, Vec::new(), Vec::new());
    loop {
        let left = program.deadline.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(NoAnswer::Deadline(program.deadline));
        }
        let mut fds = vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        fds.extend(ends.input.as_ref().map(|end| PollFd::new(end.as_fd(), PollFlags::POLLOUT)));
        fds.extend(
            [&ends.output, &ends.errors].into_iter().flatten().map(|e| PollFd::new(e.as_fd(), PollFlags::POLLIN)),
        );
        match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(NoAnswer::System("poll", errno.to_string())),
        }
        let over = fds.first().and_then(PollFd::any).unwrap_or(false);
        unsent = send(&mut ends.input, unsent);
        drain(&mut ends.output, &mut output, program.max_answer.saturating_add(1))?;
        drain(&mut ends.errors, &mut errors, MAX_ERRORS)?;
        if output.len() > program.max_answer {
            return Err(NoAnswer::TooLong(program.max_answer));
        }
        if over {
            // Looked at before the pipes were read, so nothing that it wrote is missed.
            return conclude(child, output, errors);
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

/// Kills and reaps the program and everything that it has left. Children that the caller had before it became glexec are
/// ours, too: they do not run as the service user and are left alone.
///
/// Before any is killed all are stopped, since a program that forks without end would fork into the places of the dead.
fn end_all(child: Pid, actor: &Actor) {
    let started = Instant::now();
    let mut stopped = BTreeSet::new();
    loop {
        let mut left = supervise::seen_below(getpid());
        left.retain(|one| one.pid == child || supervise::runs_as(one.pid, actor.uid));
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
