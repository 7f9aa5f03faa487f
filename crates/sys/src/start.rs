//! The first steps of a setuid program: take what the caller gave into owned memory, and stop inheriting.

use crate::descriptors;
use crate::dir::FileError;
use crate::identity::getgroups;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::prctl::set_timerslack;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, fstat, umask};
use nix::unistd::{Gid, Uid, getgid, getppid, getuid};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// Everything that the caller handed to this process, in owned memory.
#[derive(Debug)]
pub struct Inherited {
    /// argv, argv[0] included.
    pub arguments: Vec<OsString>,
    /// The environment in its order; a name may be there more than once.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory, where it can be told.
    pub cwd: Option<PathBuf>,
    /// The caller's real ids.
    pub uid: Uid,
    /// The caller's real group.
    pub gid: Gid,
    /// The caller's supplementary groups.
    pub groups: Vec<Gid>,
}

/// Copies argv and environment, empties the environment, and undoes what can be inherited across a setuid exec:
/// signal dispositions, the signal mask, interval timers, timer slack, umask.
///
/// Must be called first, and once.
pub fn take() -> Inherited {
    open_standard();
    let inherited = Inherited {
        arguments: std::env::args_os().collect(),
        environment: std::env::vars_os().collect(),
        cwd: std::env::current_dir().ok(),
        uid: getuid(),
        gid: getgid(),
        // getgroups(2) fails for bad arguments only.
        groups: getgroups().unwrap_or_default(),
    };
    // SAFETY: the process has one thread, and nothing holds pointers into the old environment.
    unsafe { libc::clearenv() };
    make_closed_stdin_empty();
    default_signals();
    ignore_signals_of_our_own_writing();
    reset_timer_slack();
    umask(Mode::from_bits_truncate(0o077));
    inherited
}

/// Opens /dev/null on descriptors 0 to 2 where they are closed, so that nothing else is opened there. The C library has
/// done so where the program is setuid (glibc csu/check_fds.c), but not for a caller who is root.
fn open_standard() {
    for fd in 0..=2 {
        // SAFETY: F_GETFD takes a number and touches no memory.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            // SAFETY: the path is a C string. The lowest free descriptor is this one, and it stays open.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}

/// Where the caller closed descriptor 0, glibc opens /dev/full there, for writing only, so that reading fails. Payloads
/// expect /dev/null.
fn make_closed_stdin_empty() {
    // makedev(1, 7), null(4)'s sibling full(4).
    let full = nix::sys::stat::makedev(1, 7);
    let stdin = std::io::stdin();
    let is_full = fstat(&stdin).is_ok_and(|stat| stat.st_rdev == full);
    let access = fcntl(&stdin, FcntlArg::F_GETFL).map_or(0, |flags| flags & libc::O_ACCMODE);
    if is_full && access == libc::O_WRONLY {
        if let Ok(null) = nix::fcntl::open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            // SAFETY: dup2 onto 0, which no object of this process owns.
            unsafe { libc::dup2(null.as_raw_fd(), 0) };
        }
    }
}

/// The largest signal number of the kernel on the architectures that we know (signal(7)).
const LAST_SIGNAL: libc::c_int = 64;

/// Gives every signal its default disposition, empties the mask and stops the interval timers. glibc refuses to touch
/// its two internal signals, which a caller may have ignored all the same: hence the raw call.
pub fn default_signals() {
    // A kernel sigaction of all zeros: SIG_DFL, no flags, empty mask; its size is at most 32 bytes.
    let default = [0_u64; 4];
    for signal in 1..=LAST_SIGNAL {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP {
            // SAFETY: the kernel reads at most 32 bytes of `default` and writes nothing (old action is null).
            unsafe {
                libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), 8_usize)
            };
        }
    }
    let empty = 0_u64;
    // SAFETY: the kernel reads 8 bytes of `empty` and writes nothing.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const empty, std::ptr::null::<u64>(), 8_usize)
    };
    for timer in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
        // SAFETY: itimerval is plain data for which all zeros means "stop".
        let stop: libc::itimerval = unsafe { std::mem::zeroed() };
        // SAFETY: `stop` is a valid itimerval and the old value is not asked for.
        unsafe { libc::syscall(libc::SYS_setitimer, timer, &raw const stop, std::ptr::null::<libc::itimerval>()) };
    }
}

/// A reader of stderr or of the report that went away, or a limit on file sizes that could not be raised, must not end
/// us before the audit record is written: writing then fails, and that is handled.
fn ignore_signals_of_our_own_writing() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ] {
        // SAFETY: SIG_IGN is no handler; nothing of ours runs in signal context.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// How late the kernel may end a sleep, in nanoseconds: its own default (PR_SET_TIMERSLACK(2const)).
const TIMER_SLACK: libc::c_ulong = 50_000;

/// Whoever sleeps longer than it wants to meets no deadline and ends no process in time, and the caller's timer slack, which
/// execve(2) hands on, may be centuries. Zero would not do: it stands for the slack of the caller's parent.
fn reset_timer_slack() {
    // Any number above zero is taken.
    let _ = set_timerslack(TIMER_SLACK);
}

/// Closes every descriptor from 3 on, except the report's, which is returned close-on-exec where `report` is an open
/// descriptor of 3 or above.
///
/// An error beside it means that others are still open: nothing may be run then. Call it once, before anything else is
/// opened.
pub fn close_descriptors(report: Option<RawFd>) -> (Option<OwnedFd>, Result<(), Errno>) {
    let keep = report.filter(|&fd| {
        // SAFETY: F_SETFD on a number that is not open fails and does nothing.
        fd >= 3 && fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).is_ok()
    });
    let closed = descriptors::close_all_but(keep.as_slice());
    // SAFETY: the descriptor is open, and nobody else in this process owns it.
    (keep.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }), closed)
}

/// The caller's resource limits, to be given back to the payload.
#[derive(Debug)]
pub struct Limits(Vec<(Resource, libc::rlim_t, libc::rlim_t)>);

/// Limits that a caller could use to stop us half-way: at the log (FSIZE, SIGXFSZ), in the verifier (AS, DATA, CPU,
/// NPROC), when opening a CRL (NOFILE) or, where the caller may run in real time, in the monitor (RTTIME, whose hard limit
/// kills). The last three would hinder programs of the site's: a plug-in or an epilogue that locks memory or makes timers.
const HINDERING: [Resource; 10] = [
    Resource::RLIMIT_CPU,
    Resource::RLIMIT_FSIZE,
    Resource::RLIMIT_DATA,
    Resource::RLIMIT_AS,
    Resource::RLIMIT_NPROC,
    Resource::RLIMIT_NOFILE,
    Resource::RLIMIT_RTTIME,
    Resource::RLIMIT_MEMLOCK,
    Resource::RLIMIT_MSGQUEUE,
    Resource::RLIMIT_SIGPENDING,
];

/// Stack of what the site's programs get, which also bounds their arguments and environment (execve(2)).
const STACK: libc::rlim_t = 8 * 1024 * 1024;

/// Files that one call may need at once, with room for what NSS modules open.
const OPEN_FILES: libc::rlim_t = 1024;

/// Raises the limits that could hinder us, forbids core dumps, and returns what the caller had.
///
/// In a container root may lack CAP_SYS_RESOURCE; then the caller's hard limits stay, and what they hinder fails with
/// an error that refuses the call.
pub fn raise_limits() -> Result<Limits, Errno> {
    let mut saved = Vec::new();
    for resource in HINDERING {
        let (soft, hard) = getrlimit(resource)?;
        saved.push((resource, soft, hard));
        let wanted = if resource == Resource::RLIMIT_NOFILE { hard.max(OPEN_FILES) } else { libc::RLIM_INFINITY };
        match setrlimit(resource, wanted, wanted) {
            Err(Errno::EPERM) => setrlimit(resource, hard, hard)?,
            outcome => outcome?,
        }
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_STACK)?;
    saved.push((Resource::RLIMIT_STACK, soft, hard));
    match setrlimit(Resource::RLIMIT_STACK, STACK, hard.max(STACK)) {
        Err(Errno::EPERM) => setrlimit(Resource::RLIMIT_STACK, hard, hard)?,
        outcome => outcome?,
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    saved.push((Resource::RLIMIT_CORE, soft, hard));
    setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
    Ok(Limits(saved))
}

/// What the kernel makes of a larger soft limit on the stack where it starts a setuid program (`_STK_LIM` in begin_new_exec).
const CAPPED_STACK: libc::rlim_t = 8 * 1024 * 1024;

impl Limits {
    /// Finds the soft limit on the stack that the kernel has cut down at this program's start: the process that started it
    /// still has it. To be called without capabilities, so that it is told what the caller may know, and no more: of a
    /// process that is not the caller's nothing is learnt, and what the kernel made of it stays.
    ///
    /// A caller that changes its limit meanwhile gets no more than its hard limit, which any payload may raise its own to.
    pub fn ask_parent(&mut self) {
        let stack = self.0.iter_mut().find(|(resource, ..)| *resource == Resource::RLIMIT_STACK);
        let Some((_, soft, hard)) = stack.filter(|(_, soft, hard)| *soft == CAPPED_STACK && hard > soft) else {
            return;
        };
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        let parent = getppid().as_raw();
        // SAFETY: a null pointer sets nothing; the kernel writes one structure.
        let asked = unsafe { libc::prlimit64(parent, libc::RLIMIT_STACK, std::ptr::null(), &raw mut limit) };
        if asked == 0 && limit.rlim_cur > *soft {
            *soft = limit.rlim_cur.min(*hard);
        }
    }

    /// Gives the caller's limits back.
    pub fn restore(&self) -> Result<(), Errno> {
        self.0.iter().try_for_each(|&(resource, soft, hard)| setrlimit(resource, soft, hard))
    }
}

/// Makes the process neither dumpable nor traceable by its caller, prctl(2) PR_SET_DUMPABLE.
pub fn forbid_dumps() -> Result<(), Errno> {
    nix::sys::prctl::set_dumpable(false)
}

/// The text of a small kernel file, /proc/….
pub(super) fn proc_text(path: &str) -> Result<String, FileError> {
    let unusable = |e: std::io::Error| FileError::Unusable { path: path.into(), why: e.to_string() };
    // No such file tells its size before: with room for most of them one read is enough.
    let mut text = String::with_capacity(4096);
    File::open(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(unusable)?;
    Ok(text)
}
