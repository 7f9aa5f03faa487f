//! The confinement of those who judge, the verifier's program and the agent's workers, tried from the inside: what hostile code
//! could do there if it took the process over. Each thing is tried in both.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::undocumented_unsafe_blocks
)]

use glexec_sys::descriptors::close_all_but;
use glexec_sys::dir::Directory;
use glexec_sys::identity::{Actor, become_for_good};
use glexec_sys_more::sandbox;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, pipe};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

const NOBODY: u32 = 65534;

/// Who is confined.
#[derive(Clone, Copy, Debug)]
enum Who {
    Verifier,
    /// Forked by a zygote, which is confined too, and with a call taken.
    Worker,
}

impl Who {
    fn enter(self, readable: &[BorrowedFd<'_>]) -> Result<(), String> {
        match self {
            Who::Verifier => sandbox::enter(readable),
            Who::Worker => {
                sandbox::enter_as_parent()?;
                sandbox::enter_waiting()?;
                sandbox::only_read(readable)
            }
        }
    }
}

/// What `work` says in a process that is confined so, both ways.
fn confined(readable: Option<&Directory>, work: impl Fn() -> Vec<u8>) -> Result<Vec<u8>, String> {
    let [verifier, worker] = [Who::Verifier, Who::Worker].map(|who| confined_as(who, readable, &work));
    assert_eq!(verifier.is_ok(), worker.is_ok(), "{verifier:?} {worker:?}");
    worker
}

/// What `work` says in a process that is confined so, or how the process ended.
fn confined_as(who: Who, readable: Option<&Directory>, work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, String> {
    let actor = Actor { uid: Uid::from_raw(NOBODY), gid: Gid::from_raw(NOBODY), groups: Some(vec![]) };
    let (ours, theirs) = pipe().unwrap();
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(ours);
            let close = || {
                // Other tests of this process have files open.
                let keep: Vec<_> =
                    readable.into_iter().map(|dir| dir.as_fd().as_raw_fd()).chain([theirs.as_raw_fd()]).collect();
                close_all_but(&keep).map_err(|errno| errno.to_string())?;
                become_for_good(&actor)?;
                who.enter(&readable.into_iter().map(Directory::as_fd).collect::<Vec<_>>())
            };
            let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match close() {
                Ok(()) => (work(), 0),
                Err(why) => (why.into_bytes(), 3),
            }));
            let (said, code) = said.unwrap_or_default();
            let _ = File::from(theirs).write_all(&said);
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let mut said = Vec::new();
            File::from(ours).read_to_end(&mut said).unwrap();
            match waitpid(child, None).unwrap() {
                WaitStatus::Exited(_, 0) => Ok(said),
                WaitStatus::Signaled(_, signal, _) => Err(format!("signal {signal}")),
                other => panic!("{other:?}: {}", String::from_utf8_lossy(&said)),
            }
        }
    }
}

/// The answer of something that is refused with an error, or the signal that ended it.
fn outcome(work: impl Fn() -> std::io::Result<()>) -> String {
    let [verifier, worker] = [Who::Verifier, Who::Worker].map(|who| outcome_as(who, &work));
    assert_eq!(verifier, worker, "a worker may no more than the verifier's program");
    worker
}

fn outcome_as(who: Who, work: impl FnOnce() -> std::io::Result<()>) -> String {
    let answer = confined_as(who, None, || match work() {
        Ok(()) => b"allowed".to_vec(),
        Err(error) => format!("refused: {:?}", error.kind()).into_bytes(),
    });
    answer.map_or_else(|why| why, |text| String::from_utf8(text).unwrap())
}

fn system_call(number: libc::c_long, a: usize, b: usize, c: usize) -> std::io::Result<()> {
    match unsafe { libc::syscall(number, a, b, c, 0, 0) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[test]
fn it_reads_below_its_directories_and_nowhere_else() {
    let etc = Directory::open(Path::new("/etc")).unwrap();
    let read = confined(Some(&etc), || etc.read(OsStr::new("passwd"), 1 << 20).map(|_| b"read".to_vec()).unwrap());
    assert_eq!(read, Ok(b"read".to_vec()));
    for path in ["/etc/passwd", "/etc/shadow", "/proc/self/status", "/"] {
        assert_eq!(outcome(|| std::fs::File::open(path).map(drop)), "refused: PermissionDenied", "{path}");
    }
}

#[test]
fn it_has_no_capability_in_any_set() {
    let proc = Directory::open(Path::new("/proc")).unwrap();
    let answer = confined(Some(&proc), || std::fs::read("/proc/self/status").unwrap()).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let sets: Vec<&str> = answer.lines().filter(|line| line.starts_with("Cap")).collect();
    assert_eq!(sets.len(), 5, "{answer}");
    assert!(sets.iter().all(|set| set.ends_with("\t0000000000000000")), "{sets:?}");
}

#[test]
fn it_cannot_write_or_make_any_file() {
    let target = std::env::temp_dir().join("written-from-the-sandbox");
    assert_eq!(outcome(|| std::fs::write(&target, b"x")), "signal SIGSYS");
    assert_eq!(outcome(|| std::fs::create_dir(&target)), "signal SIGSYS");
    assert_eq!(outcome(|| std::fs::remove_file("/etc/passwd")), "signal SIGSYS");
    assert!(!target.exists());
}

#[test]
fn it_cannot_reach_the_network_or_another_process() {
    let sigsys = "signal SIGSYS";
    assert_eq!(outcome(|| std::net::UdpSocket::bind("127.0.0.1:0").map(drop)), sigsys);
    assert_eq!(outcome(|| std::os::unix::net::UnixDatagram::unbound().map(drop)), sigsys);
    let parent = std::process::id() as usize;
    assert_eq!(outcome(|| system_call(libc::SYS_kill, parent, 0, 0)), sigsys);
    assert_eq!(outcome(|| system_call(libc::SYS_ptrace, libc::PTRACE_ATTACH as usize, parent, 0)), sigsys);
    assert_eq!(outcome(|| system_call(libc::SYS_clone, 0, 0, 0)), sigsys);
    for reaching in [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_sendmsg,
        libc::SYS_pidfd_open,
        libc::SYS_process_vm_readv,
        libc::SYS_memfd_create,
        libc::SYS_prctl,
        libc::SYS_prlimit64,
        libc::SYS_mount,
        libc::SYS_bpf,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_shmget,
    ] {
        assert_eq!(outcome(|| system_call(reaching, parent, 0, 0)), sigsys, "{reaching}");
    }
    // The memory of another one, which may hold a credential.
    assert_eq!(outcome(|| File::open(format!("/proc/{parent}/mem")).map(drop)), "refused: PermissionDenied");
}

#[test]
fn a_worker_that_was_taken_over_takes_no_other_call() {
    // What it may do with its own connection leads nowhere without one.
    for call in [libc::SYS_accept4, libc::SYS_recvmsg, libc::SYS_sendto, libc::SYS_getsockopt, libc::SYS_shutdown] {
        let said = outcome_as(Who::Worker, || (0..64).try_for_each(|fd| system_call(call, fd, 0, 0)));
        assert!(said.starts_with("refused"), "{call}: {said}");
        assert_eq!(outcome_as(Who::Verifier, || system_call(call, 0, 0, 0)), "signal SIGSYS");
    }
}

#[test]
fn it_cannot_execute_anything_or_change_its_identity() {
    let sigsys = "signal SIGSYS";
    let path = c"/bin/true".as_ptr() as usize;
    assert_eq!(outcome(|| system_call(libc::SYS_execve, path, 0, 0)), sigsys);
    assert_eq!(outcome(|| system_call(libc::SYS_setuid, 0, 0, 0)), sigsys);
    assert_eq!(outcome(|| system_call(libc::SYS_setresuid, 0, 0, 0)), sigsys);
    assert_eq!(outcome(|| system_call(libc::SYS_unshare, libc::CLONE_NEWUSER as usize, 0, 0)), sigsys);
}

#[test]
fn it_gets_no_more_memory_than_a_verification_needs() {
    let hungry = confined(None, || vec![1_u8; 1 << 30]);
    assert!(hungry.is_err(), "{:?}", hungry.map(|said| said.len()));
}
