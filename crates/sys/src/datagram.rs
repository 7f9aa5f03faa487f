//! Datagrams whose receiver learns from the kernel who sent them.

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, UnixCredentials, sendmsg};
use nix::unistd::{getegid, geteuid, getpid};
use std::io::IoSlice;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

/// Sends a datagram with the effective ids; by itself the kernel attests the real ones (unix(7), SCM_CREDENTIALS), and a
/// setuid program's records would look like its caller's own. Nobody without privilege can claim to be root there.
pub fn send_as_oneself(socket: &UnixDatagram, message: &[u8]) -> Result<usize, Errno> {
    let ids = libc::ucred { pid: getpid().as_raw(), uid: geteuid().as_raw(), gid: getegid().as_raw() };
    let credentials = UnixCredentials::from(ids);
    let attested = [ControlMessage::ScmCredentials(&credentials)];
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(message)], &attested, MsgFlags::MSG_NOSIGNAL, None)
}
