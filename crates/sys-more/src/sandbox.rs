//! What confines a process that reads hostile bytes: another user, no capabilities, no_new_privs, limits, Landlock,
//! seccomp. Each step fails closed.

use crate::filter::{self, Rule};
use crate::landlock;
use glexec_sys::limits::lower_limit;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, BorrowedFd};

/// Memory that the sandboxed process may allocate, in bytes: a 256 KiB credential and CRLs of 24 MiB fit with room.
const MAX_MEMORY: libc::rlim_t = 64 * 1024 * 1024;
/// Processor seconds: a verification takes milliseconds.
const MAX_CPU_SECONDS: libc::rlim_t = 5;
/// Open files: two directories, the answer, and one file at a time.
const MAX_FILES: libc::rlim_t = 16;

/// Closes the sandbox around the calling process, which must have taken its unprivileged identity already: it can read
/// files below `readable`, answer on descriptors it has, allocate memory, and end; nothing else.
pub fn enter(readable: &[BorrowedFd<'_>]) -> Result<(), String> {
    prepare()?;
    close(readable)
}

/// The part of the sandbox that limits the process as a whole.
fn prepare() -> Result<(), String> {
    prctl::set_dumpable(false).map_err(|e| format!("PR_SET_DUMPABLE: {e}"))?;
    prctl::set_no_new_privs().map_err(|e| format!("PR_SET_NO_NEW_PRIVS: {e}"))?;
    limit_resources()
}

fn close(readable: &[BorrowedFd<'_>]) -> Result<(), String> {
    only_read(readable)?;
    restrict_system_calls(&[])
}

/// Closes the sandbox of [`enter`] around a process that waits for what it is given to judge, but for what it may read:
/// [`only_read`] is the rest. What it may do besides is to take one connection, and to confine itself further.
pub fn enter_waiting() -> Result<(), String> {
    prepare()?;
    restrict_system_calls(OF_WAITING)
}

/// Leaves nothing to be read but what is below these directories.
pub fn only_read(readable: &[BorrowedFd<'_>]) -> Result<(), String> {
    landlock::only_read_below(readable).map_err(|errno| format!("Landlock: {errno}"))
}

/// Closes the sandbox of a process that forks others, which close theirs ([`enter_waiting`]): it can read files and make
/// processes, and what those need to take their place; it can open no connection, and execute nothing.
pub fn enter_as_parent() -> Result<(), String> {
    prctl::set_dumpable(false).map_err(|e| format!("PR_SET_DUMPABLE: {e}"))?;
    prctl::set_no_new_privs().map_err(|e| format!("PR_SET_NO_NEW_PRIVS: {e}"))?;
    lower_limit(Resource::RLIMIT_CORE, 0)?;
    let root = nix::fcntl::open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
    let root = root.map_err(|errno| format!("/: {errno}"))?;
    landlock::only_read_below(&[root.as_fd()]).map_err(|errno| format!("Landlock: {errno}"))?;
    restrict_system_calls(OF_PARENTS)
}

fn limit_resources() -> Result<(), String> {
    let limits = [
        (Resource::RLIMIT_DATA, MAX_MEMORY),
        (Resource::RLIMIT_CPU, MAX_CPU_SECONDS),
        (Resource::RLIMIT_NOFILE, MAX_FILES),
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
    ];
    limits.into_iter().try_for_each(|(which, max)| lower_limit(which, max))
}

/// System calls that judging a credential needs whatever its arguments: memory, reading and answering on open
/// descriptors, randomness (hash tables), ending.
const ALLOWED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_restart_syscall, // what the kernel makes of a wait when the process was stopped and goes on (restart_syscall(2))
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_sysinfo,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// System calls that a process needs besides to take a connection, to tell so, to answer, and to confine itself further. None
/// opens anything: the connection is the only socket that it has then.
const OF_WAITING: &[libc::c_long] = &[
    libc::SYS_accept4,
    libc::SYS_getsockopt,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_setitimer,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// System calls that a process needs besides to make others, which take calls from a socket that is there already.
const OF_PARENTS: &[libc::c_long] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_wait4,
    libc::SYS_kill,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_getppid,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_setrlimit,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getrlimit,
    libc::SYS_setitimer,
    libc::SYS_close_range,
    libc::SYS_accept4,
    libc::SYS_getsockopt,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_readlinkat,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_seccomp,
];

/// Opening for anything but reading is not allowed; any other system call ends the process.
fn restrict_system_calls(besides: &[libc::c_long]) -> Result<(), String> {
    let writing = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
    // fdopendir(3) looks at its descriptor; Rust's debug builds ask before they close one whether it is open.
    let looking = [libc::F_GETFD, libc::F_GETFL, libc::F_SETFD].map(|command| command as u32);
    let mut rules: Vec<_> = ALLOWED.iter().chain(besides).map(|call| (*call, Rule::Always)).collect();
    rules.push((libc::SYS_openat, Rule::Without(2, writing as u32)));
    rules.push((libc::SYS_fcntl, Rule::OneOf(1, looking)));
    let program = filter::compile(rules).ok_or("seccomp: the filter is too large")?;
    filter::install(&program).map_err(|why| format!("seccomp: {why}"))
}
