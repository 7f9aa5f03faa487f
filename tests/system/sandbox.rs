//! The verifier's confinement, tried from the inside: what hostile code could do there if it took the process over.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::undocumented_unsafe_blocks
)]

use glexec_sys::dir::Directory;
use glexec_sys::identity::Actor;
use glexec_sys::process::{Confinement, NoAnswer, ask_confined};
use nix::unistd::{Gid, Uid};
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

const NOBODY: u32 = 65534;

fn confined(readable: Option<&Directory>, work: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, NoAnswer> {
    confined_for(Duration::from_secs(60), readable, work)
}

fn confined_for(
    deadline: Duration,
    readable: Option<&Directory>,
    work: impl FnOnce() -> Vec<u8>,
) -> Result<Vec<u8>, NoAnswer> {
    let actor = Actor { uid: Uid::from_raw(NOBODY), gid: Gid::from_raw(NOBODY), groups: Some(vec![]) };
    let readable: Vec<_> = readable.into_iter().map(Directory::as_fd).collect();
    let how = Confinement { actor: &actor, readable: &readable, deadline, max_answer: 4096 };
    ask_confined(&how, work)
}

/// The answer of something that is refused with an error, or the signal that ended it.
fn outcome(work: impl FnOnce() -> std::io::Result<()>) -> String {
    let answer = confined(None, || match work() {
        Ok(()) => b"allowed".to_vec(),
        Err(error) => format!("refused: {:?}", error.kind()).into_bytes(),
    });
    match answer {
        Ok(text) => String::from_utf8(text).unwrap(),
        Err(NoAnswer::Died(why)) => why,
        Err(other) => panic!("{other}"),
    }
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
fn it_holds_none_of_the_callers_descriptors() {
    let ours = std::fs::File::open("/dev/zero").unwrap();
    let readable = |fd: i32| {
        let mut byte = [0_u8; 1];
        unsafe { libc::read(fd, byte.as_mut_ptr().cast(), 1) == 1 }
    };
    assert!(readable(std::os::fd::AsRawFd::as_raw_fd(&ours)));
    let answer =
        confined(None, || format!("{:?}", (0..1024).filter(|&fd| readable(fd)).collect::<Vec<_>>()).into_bytes());
    assert_eq!(answer, Ok(b"[]".to_vec()));
}

#[test]
fn an_answer_that_is_too_long_or_too_late_or_missing_is_none() {
    assert_eq!(confined(None, || vec![b'x'; 5000]), Err(NoAnswer::TooLong(4096)));
    let soon = Duration::from_secs(1);
    let busy = confined_for(soon, None, || {
        loop {
            std::hint::spin_loop();
        }
    });
    assert_eq!(busy, Err(NoAnswer::Deadline(soon)));
    assert!(matches!(confined(None, || panic!("hostile")), Err(NoAnswer::Died(_))));
    let hungry = confined(None, || vec![1_u8; 1 << 30]);
    assert!(matches!(hungry, Err(NoAnswer::Died(_))), "{hungry:?}");
}
