//! Mounts for one process and what it becomes: detached trees that show files under another owner, covers, and a mount
//! namespace to put them in. open_tree(2), mount_setattr(2), move_mount(2), fsopen(2), mount_namespaces(7).

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat, umask};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Gid, Pid, Uid};
use std::ffi::{CStr, OsString};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::errno_of;

// linux/mount.h
const OPEN_TREE_CLONE: libc::c_uint = 1;
const OPEN_TREE_CLOEXEC: libc::c_uint = libc::O_CLOEXEC as libc::c_uint;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const FSOPEN_CLOEXEC: libc::c_uint = 1;
const FSMOUNT_CLOEXEC: libc::c_uint = 1;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const ATTR_RDONLY: u64 = 0x01;
const ATTR_NOSUID: u64 = 0x02;
const ATTR_NODEV: u64 = 0x04;
const ATTR_NOEXEC: u64 = 0x08;
const ATTR_IDMAP: u64 = 0x0010_0000;

/// `struct mount_attr` (linux/mount.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// `struct clone_args` up to `tls` (linux/sched.h), its first published size.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// An account as files have it: a user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
}

/// What a detached tree shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Files belong to whom they belong on disk.
    AsOnDisk,
    /// Files of `disk`'s appear as `seen`'s, and what `seen` makes is `disk`'s. Every other id is nobody's: what is
    /// theirs cannot be written, and they can make nothing.
    Mapped {
        /// Whose they are on disk.
        disk: Owner,
        /// Whose they appear to be.
        seen: Owner,
    },
}

fn number(rc: libc::c_long) -> Result<libc::c_long, Errno> {
    Errno::result(rc)
}

fn descriptor(rc: libc::c_long) -> Result<OwnedFd, Errno> {
    let fd = libc::c_int::try_from(number(rc)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel made the descriptor just now, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A part of a file system, mounted nowhere until it is attached.
#[derive(Debug)]
pub struct Tree(OwnedFd);

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Tree {
    /// Clones the mount that a directory lies in from that directory downwards, without what is mounted below it:
    /// nosuid, nodev, private, and with these owners. Needs CAP_SYS_ADMIN.
    ///
    /// `EINVAL` where the file system cannot show other owners, `ENOSYS` where the kernel cannot.
    pub fn clone_of(directory: BorrowedFd<'_>, owners: Owners) -> Result<Tree, Errno> {
        let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as libc::c_uint;
        // SAFETY: the path is a C string; the kernel makes a descriptor.
        let opened = unsafe { libc::syscall(libc::SYS_open_tree, directory.as_raw_fd(), c"".as_ptr(), flags) };
        let tree = descriptor(opened)?;
        let mut attributes =
            Attributes { set: ATTR_NOSUID | ATTR_NODEV, propagation: libc::MS_PRIVATE, ..Default::default() };
        let namespace;
        if let Owners::Mapped { disk, seen } = owners {
            namespace = user_namespace(disk, seen)?;
            attributes.set |= ATTR_IDMAP;
            attributes.user_namespace = u64::try_from(namespace.as_raw_fd()).map_err(|_| Errno::EBADF)?;
        }
        set_attributes(tree.as_fd(), &attributes)?;
        Ok(Tree(tree))
    }

    /// Makes a directory in it, and those above, with the effective permissions, where they are missing.
    pub fn make_all(&self, path: &Path) -> Result<(), Errno> {
        let above: Vec<&Path> = path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        above.into_iter().rev().try_for_each(|path| match mkdirat(&self.0, path, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(errno),
        })
    }

    /// Mounts it on a directory of the process's own mount namespace.
    pub fn attach(&self, place: BorrowedFd<'_>) -> Result<(), Errno> {
        let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
        let (from, to) = (self.0.as_raw_fd(), place.as_raw_fd());
        // SAFETY: both paths are C strings.
        number(unsafe { libc::syscall(libc::SYS_move_mount, from, c"".as_ptr(), to, c"".as_ptr(), flags) }).map(drop)
    }

    /// Covers a directory of the process's own mount namespace: instead of what is in it there are only these
    /// directories, one in the other, root's, which nobody can change. Returns the innermost.
    pub fn cover(place: BorrowedFd<'_>, names: &[OsString]) -> Result<OwnedFd, Errno> {
        let tree = Tree(file_system(c"tmpfs", &[(c"mode", c"0755"), (c"size", c"64k")])?);
        let old = umask(Mode::empty());
        let made = tree.make_all(&names.iter().collect::<PathBuf>());
        umask(old);
        made?;
        set_attributes(tree.as_fd(), &Attributes { set: ATTR_RDONLY, ..Default::default() })?;
        tree.attach(place)?;
        // By way of the mount that is attached now.
        let inside: PathBuf = std::iter::once(OsString::from(".")).chain(names.iter().cloned()).collect();
        openat(&tree.0, &inside, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
    }
}

fn set_attributes(tree: BorrowedFd<'_>, attributes: &Attributes) -> Result<(), Errno> {
    let (path, flags, size) = (c"".as_ptr(), libc::AT_EMPTY_PATH, size_of::<Attributes>());
    // SAFETY: the kernel reads a C string and a structure of this size.
    let rc = unsafe { libc::syscall(libc::SYS_mount_setattr, tree.as_raw_fd(), path, flags, attributes, size) };
    number(rc).map(drop)
}

/// A new file system, mounted nowhere: root's, nosuid, nodev, noexec.
fn file_system(kind: &CStr, options: &[(&CStr, &CStr)]) -> Result<OwnedFd, Errno> {
    // SAFETY: a C string; the kernel makes a descriptor.
    let context = descriptor(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) })?;
    let configure = |command: libc::c_uint, pair: Option<(&CStr, &CStr)>| {
        let (key, value) = pair.map_or((std::ptr::null(), std::ptr::null()), |(k, v)| (k.as_ptr(), v.as_ptr()));
        // SAFETY: C strings, or null pointers where the command takes none.
        number(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) }).map(drop)
    };
    options.iter().try_for_each(|option| configure(FSCONFIG_SET_STRING, Some(*option)))?;
    configure(FSCONFIG_CMD_CREATE, None)?;
    let attributes = ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC;
    // SAFETY: numbers; the kernel makes a descriptor.
    descriptor(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes) })
}

/// Gives the process a mount namespace of its own: what it mounts is seen nowhere else, and what is mounted outside
/// later still arrives. Needs CAP_SYS_ADMIN.
pub fn leave_shared_view() -> Result<(), Errno> {
    // SAFETY: a number.
    Errno::result(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    let flags = libc::MS_SLAVE | libc::MS_REC;
    // SAFETY: C strings, or null pointers, which this change of propagation does not look at.
    let rc = unsafe { libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), flags, std::ptr::null()) };
    Errno::result(rc).map(drop)
}

/// Gives the process System V and POSIX IPC of its own, with what shows them: /dev/shm and /dev/mqueue, where they are.
/// To be called in a mount namespace of its own. Needs CAP_SYS_ADMIN.
pub fn leave_shared_ipc() -> Result<(), Errno> {
    // SAFETY: a number.
    Errno::result(unsafe { libc::unshare(libc::CLONE_NEWIPC) })?;
    replace("/dev/shm", c"tmpfs", &[(c"mode", c"1777")])?;
    replace("/dev/mqueue", c"mqueue", &[])
}

/// Mounts a new file system on a directory owned by root, where there is one.
fn replace(directory: &str, kind: &CStr, options: &[(&CStr, &CStr)]) -> Result<(), Errno> {
    let hold = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    match nix::fcntl::open(directory, hold, Mode::empty()) {
        Ok(place) => Tree(file_system(kind, options)?).attach(place.as_fd()),
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// A user namespace in which `disk` stands for `seen` and no other id means anything. Nobody is in it.
///
/// A child is made in it, and shares the descriptors: it opens the namespace, tells by its exit code where, and is
/// over. What is left of it until it is reaped is enough to write the maps.
fn user_namespace(disk: Owner, seen: Owner) -> Result<OwnedFd, Errno> {
    let arguments = CloneArguments {
        flags: (libc::CLONE_NEWUSER | libc::CLONE_FILES) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..Default::default()
    };
    // SAFETY: like fork(2): the child has a copy of the memory, and the process has one thread. It makes two system
    // calls.
    let child = number(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) })?;
    if child == 0 {
        // SAFETY: a C string; _exit does not return. Descriptor 0 is open, so that 0 stands for a failure.
        unsafe {
            let fd = libc::open(c"/proc/self/ns/user".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            libc::_exit(if (1..=255).contains(&fd) { fd } else { 0 })
        }
    }
    let child = Pid::from_raw(libc::pid_t::try_from(child).map_err(|_| Errno::ESRCH)?);
    let namespace = match waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
        // SAFETY: the child opened it for us, and is over: nobody else has it.
        Ok(WaitStatus::Exited(_, fd)) if fd > 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Ok(_) => Err(Errno::ESRCH),
        Err(errno) => Err(errno),
    };
    let mapped = namespace.and_then(|namespace| {
        write_map(child, "uid_map", disk.uid.as_raw(), seen.uid.as_raw())?;
        write_map(child, "gid_map", disk.gid.as_raw(), seen.gid.as_raw())?;
        Ok(namespace)
    });
    // Whatever it says, the child is over.
    let _ = waitpid(child, None);
    mapped
}

/// One id in the namespace of a child's, user_namespaces(7).
fn write_map(child: Pid, map: &str, inside: u32, outside: u32) -> Result<(), Errno> {
    let path = format!("/proc/{child}/{map}");
    let file = OpenOptions::new().write(true).custom_flags(libc::O_CLOEXEC).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{inside} {outside} 1\n").as_bytes()));
    written.map_err(|error| errno_of(&error))
}
