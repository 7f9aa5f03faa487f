//! The agent's side of its socket: one place, one listener, one connection at a time.

use glexec_sys::asking::MAX_DESCRIPTORS;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, accept4, bind,
    getsockopt, listen, recvmsg, shutdown, socket,
    sockopt::{AcceptConn, PeerCredentials},
};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, unlink};
use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Where a service manager puts the socket that it has made (sd_listen_fds(3)).
const GIVEN: RawFd = 3;
/// How many calls may wait for a worker; the kernel may allow fewer (net.core.somaxconn).
const WAITING: i32 = 4096;

/// A socket that calls come in at.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Makes the socket, which nobody but root may connect to, in the place of an old one.
    pub fn bind(path: &Path) -> Result<Self, Errno> {
        let made = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        match unlink(path) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = bind(made.as_raw_fd(), &UnixAddr::new(path)?);
        umask(before);
        bound.map(|()| Listener(made))
    }

    /// The socket that a service manager has made; `None` where it gave none.
    ///
    /// Must be called once, before anything is opened.
    pub fn given() -> Option<Self> {
        // SAFETY: nobody else in this process owns the number; where it is not open the calls fail and nothing is done.
        let fd = unsafe { BorrowedFd::borrow_raw(GIVEN) };
        if !getsockopt(&fd, AcceptConn).is_ok_and(|listens| listens) {
            return None;
        }
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
        // SAFETY: the descriptor is open, and nobody else in this process owns it.
        Some(Listener(unsafe { OwnedFd::from_raw_fd(GIVEN) }))
    }

    /// Listens: from here on the kernel tells whoever connects the ids that this process has now (unix(7), SO_PEERCRED).
    pub fn listen(&self) -> Result<(), Errno> {
        listen(&self.0, Backlog::new(WAITING)?)
    }

    /// The same for a runtime, which waits for many things at once.
    pub fn for_runtime(self) -> std::io::Result<UnixListener> {
        let listener = UnixListener::from(self.0);
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Waits for a call; `EINTR` where a signal came before one.
    pub fn accept(&self) -> Result<Connection, Errno> {
        let fd = accept4(self.0.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
        // SAFETY: the kernel has just made the descriptor, and nobody else owns it.
        Ok(Connection(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }
}

/// A call that came in.
#[derive(Debug)]
pub struct Connection(File);

impl Connection {
    /// Who calls.
    pub fn peer(&self) -> Result<Uid, Errno> {
        getsockopt(&self.0, PeerCredentials).map(|peer| Uid::from_raw(peer.uid()))
    }

    /// Answers, and says at once that this is all: who asked need not wait for the end of the process.
    pub fn answer(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        shutdown(self.0.as_raw_fd(), Shutdown::Write).map_err(std::io::Error::from)
    }

    /// The descriptors that come first, in their order. A signal that was meant for one who waits for a call changes nothing.
    pub fn descriptors(&self) -> Result<Vec<Option<OwnedFd>>, Errno> {
        let mut which = [0_u8];
        let mut room = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
        let mut into = [IoSliceMut::new(&mut which)];
        let received = loop {
            match recvmsg::<()>(self.0.as_raw_fd(), &mut into, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC) {
                Err(Errno::EINTR) => {}
                received => break received?,
            }
        };
        let mut fds = Vec::new();
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(given) = message {
                // SAFETY: the kernel has just made the descriptors, and nobody else owns them.
                fds.extend(given.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        let mut fds = fds.into_iter();
        let [which] = which;
        Ok((0..MAX_DESCRIPTORS).map(|bit| if (which >> bit) & 1 == 1 { fds.next() } else { None }).collect())
    }
}

impl Read for Connection {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}
