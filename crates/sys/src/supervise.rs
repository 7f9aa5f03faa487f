//! What supervising a payload needs of the kernel: forking, signals as messages, reaping, finding descendants.

use crate::identity::{setresgid, setresuid};
use crate::start::proc_text;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, getpgid, getpid, getppid, getsid, setgroups, setsid};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Which side of a fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The new process.
    Child,
    /// The old one, with the new one's id.
    Parent(Pid),
}

/// Forks.
pub fn split() -> Result<Side, Errno> {
    // SAFETY: glexec has one thread, so the child may do whatever the parent may.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(Side::Child),
        ForkResult::Parent { child } => Ok(Side::Parent(child)),
    }
}

/// `CLONE_INTO_CGROUP` (linux/sched.h), which libc has in a type of its own.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks; the new process is in this cgroup v2 from its first moment. `ENOSYS` where the kernel cannot, or a container forbids
/// clone3(2).
pub fn split_into(cgroup: impl AsFd) -> Result<Side, Errno> {
    // SAFETY: plain data for which all zeros means "nothing special".
    let mut how: libc::clone_args = unsafe { std::mem::zeroed() };
    how.flags = INTO_CGROUP;
    how.exit_signal = libc::SIGCHLD as u64;
    how.cgroup = u64::try_from(cgroup.as_fd().as_raw_fd()).map_err(|_| Errno::EBADF)?;
    // SAFETY: without a stack and CLONE_VM this is fork(2): the child goes on here with memory of its own, and glexec has one
    // thread, so the child may do whatever the parent may.
    match Errno::result(unsafe { libc::syscall(libc::SYS_clone3, &raw const how, size_of::<libc::clone_args>()) })? {
        0 => Ok(Side::Child),
        pid => i32::try_from(pid).map(|pid| Side::Parent(Pid::from_raw(pid))).map_err(|_| Errno::EOVERFLOW),
    }
}

/// Ends the process at once, without running anything that belongs to another process of the same memory.
pub fn end(code: i32) -> ! {
    // SAFETY: _exit does not return.
    unsafe { libc::_exit(code) }
}

/// Blocks the signals that the front hands on to the payload, so that they can be read as messages; none is lost from here
/// on. That is every signal that a payload could handle, for batch systems send more than SIGTERM (SIGXCPU before a time
/// limit), but SIGCHLD, which tells of our own.
pub fn hold_signals() -> Result<SignalFd, Errno> {
    let mut set = SigSet::all();
    set.remove(Signal::SIGCHLD);
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// One end of a connection that carries short messages; it ends when the other side dies.
#[derive(Debug)]
pub struct Line(OwnedFd);

/// What came over a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Message([u8; 5]),
    /// The other side is gone.
    Gone,
}

impl Line {
    /// Two connected ends.
    pub fn pair() -> Result<(Line, Line), Errno> {
        let (a, b) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Line(a), Line(b)))
    }

    /// Sends a message; an error means that nobody listens any more.
    pub fn say(&self, message: [u8; 5]) -> Result<(), Errno> {
        send(self.0.as_raw_fd(), &message, MsgFlags::MSG_NOSIGNAL).map(drop)
    }

    /// Waits for the other side's end, at most this long.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        // The end is told also where nothing is asked for (poll(2), POLLHUP).
        poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::empty())], timeout).is_ok_and(|ready| ready > 0)
    }

    /// Receives one message.
    pub fn hear(&self) -> Heard {
        self.receive(MsgFlags::empty()).map_or(Heard::Gone, Heard::Message)
    }

    /// What has been said already.
    pub fn heard(&self) -> Option<[u8; 5]> {
        self.receive(MsgFlags::MSG_DONTWAIT)
    }

    fn receive(&self, flags: MsgFlags) -> Option<[u8; 5]> {
        let mut message = [0_u8; 5];
        loop {
            match recv(self.0.as_raw_fd(), &mut message, flags) {
                Ok(5) => return Some(message),
                // The other side closed with a message of ours unread, as when a signal and the payload's end cross: the
                // kernel tells that once, before what the other side said (unix_release_sock). Then comes that, or the end.
                Err(Errno::EINTR | Errno::ECONNRESET) => {}
                _ => return None,
            }
        }
    }
}

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel, for instance for a key that was typed at the terminal.
    Kernel,
    /// This process, as far as it says so itself.
    Process(Pid),
}

/// A signal that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub number: i32,
    /// Who sent it.
    pub sender: Sender,
}

impl Arrived {
    fn new(info: &libc::signalfd_siginfo) -> Self {
        let number = |field: u32| i32::try_from(field).unwrap_or(0);
        // Processes send signals with codes of zero and below (sigaction(2)).
        let sender =
            if info.ssi_code > 0 { Sender::Kernel } else { Sender::Process(Pid::from_raw(number(info.ssi_pid))) };
        Arrived { number: number(info.ssi_signo), sender }
    }

    /// Whether somebody at the terminal wants to have the job stopped.
    pub fn is_typed_stop(self) -> bool {
        self.number == libc::SIGTSTP && self.sender == Sender::Kernel
    }
}

/// What happened first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// One of the held signals arrived.
    Signal(Arrived),
    /// The line has a message or has ended.
    Line,
    /// Nothing, in the time given.
    Nothing,
}

/// Waits for one of the held signals, at most this long.
pub fn pause(signals: &SignalFd, patience: Duration) {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    // What the signal would have told is looked for afterwards, whatever this says.
    let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout);
    let _ = signals.read_signal();
}

pub fn wait(signals: &SignalFd, line: &Line, patience: Option<Duration>) -> Result<Event, Errno> {
    let timeout = patience.map_or(PollTimeout::NONE, |time| PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX));
    let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(line.0.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, timeout) {
        Err(Errno::EINTR) => return Ok(Event::Nothing),
        result => result?,
    };
    // The line first: children that end without pause must not keep the end of the other side from being seen.
    let [_, line] = fds;
    if line.any() == Some(true) {
        return Ok(Event::Line);
    }
    let signal = signals.read_signal()?;
    Ok(signal.map_or(Event::Nothing, |info| Event::Signal(Arrived::new(&info))))
}

/// Stops the own process as SIGTSTP stops one: until SIGCONT comes, and not at all where no shell is there to send that.
pub fn stop_as_typed() -> Result<(), Errno> {
    let stop: SigSet = [Signal::SIGTSTP].into_iter().collect();
    signal(getpid(), libc::SIGTSTP);
    stop.thread_unblock()?;
    stop.thread_block()
}

/// Makes the process the parent of every orphan below it (PR_SET_CHILD_SUBREAPER(2const)).
pub fn adopt_orphans() -> Result<(), Errno> {
    prctl::set_child_subreaper(true)
}

/// Out of the caller's reach: all ids root's, so that neither caller nor payload may signal this process.
pub fn leave_callers_ids() -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// Lets this process outlive its parent, whatever it asked for with [`die_with`].
pub fn outlive_parent() -> Result<(), Errno> {
    prctl::set_pdeathsig(None)
}

/// A session of its own, so that no terminal signals this process.
pub fn leave_session() -> Result<(), Errno> {
    setsid().map(drop)
}

/// Signals that the monitor reads as messages: a child has ended or stopped.
pub fn hold_child_signal() -> Result<SignalFd, Errno> {
    SigSet::all().thread_block()?;
    let child: SigSet = [Signal::SIGCHLD].into_iter().collect();
    SignalFd::with_flags(&child, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Signals that a service reads as messages: a child has ended, or the service is to end.
pub fn hold_ends() -> Result<SignalFd, Errno> {
    let ends: SigSet = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    ends.thread_block()?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// Has the kernel end this process when so long has passed.
pub fn die_within(life: Duration) -> Result<(), Errno> {
    // SAFETY: itimerval is plain data for which all zeros means "once, never".
    let mut timer: libc::itimerval = unsafe { std::mem::zeroed() };
    timer.it_value.tv_sec = libc::time_t::try_from(life.as_secs()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `timer` is a valid itimerval and the old value is not asked for.
    Errno::result(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) }).map(drop)
}

/// Lets the signals come again that [`hold_child_signal`] held. A signal that is held is not dropped where it is ignored:
/// it waits, and would end whatever is executed next.
pub fn release_signals() -> Result<(), Errno> {
    SigSet::empty().thread_set_mask()
}

/// What interrupts a process that waits, and does nothing to one that does not.
const INTERRUPTS: Signal = Signal::SIGUSR1;

/// Lets [`interrupt`] do so to this process and those that it forks.
pub fn let_be_interrupted() -> Result<(), Errno> {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing, so it can do no harm wherever it comes.
    unsafe { sigaction(INTERRUPTS, &action) }.map(drop)
}

/// Has a process that waits go on with `EINTR`.
pub fn interrupt(process: Pid) {
    signal(process, INTERRUPTS as i32);
}

/// Asks the kernel to end this process when its parent ends; fails when the parent has ended already. To be called when the
/// process has its last identity: a change of ids clears what was asked for (prctl(2)).
pub fn die_with(parent: Pid) -> Result<(), String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| format!("PR_SET_PDEATHSIG: {errno}"))?;
    if getppid() == parent { Ok(()) } else { Err("the parent is gone".into()) }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(i32),
    Signaled(i32),
}

/// What [`reap`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// This child has ended so.
    One(Pid, Ended),
    /// There are children, and none has ended.
    Nobody,
    /// There is no child at all.
    NoChildren,
}

/// Reaps one child that has ended, without waiting for one. nix has no real-time signals, and so no word for a child that
/// one of them has ended.
pub fn reap() -> Reaped {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes one number into `status`.
        match Errno::result(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }) {
            Ok(0) => return Reaped::Nobody,
            Ok(pid) if libc::WIFSIGNALED(status) => {
                return Reaped::One(Pid::from_raw(pid), Ended::Signaled(libc::WTERMSIG(status)));
            }
            Ok(pid) => return Reaped::One(Pid::from_raw(pid), Ended::Exited(libc::WEXITSTATUS(status))),
            Err(Errno::ECHILD) => return Reaped::NoChildren,
            Err(Errno::EINTR) => {}
            Err(_) => return Reaped::Nobody,
        }
    }
}

/// Waits for one child to end.
pub fn reap_this(child: Pid) {
    while waitpid(child, None) == Err(Errno::EINTR) {}
}

/// Sends a signal to a child of ours that is not reaped yet: nobody else gets its number before.
pub fn signal(pid: Pid, number: i32) {
    // SAFETY: kill takes two numbers. The process may have ended just now.
    unsafe { libc::kill(pid.as_raw(), number) };
}

/// A process by descriptor, pidfd_open(2): never another one that got its number.
#[derive(Debug)]
pub struct Held {
    pid: Pid,
    fd: OwnedFd,
}

impl Held {
    /// Takes hold of whoever has the number now; `None` where nobody has.
    pub fn new(pid: Pid) -> Option<Held> {
        // SAFETY: pidfd_open takes two numbers.
        let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) }).ok()?;
        // SAFETY: the kernel has just made this descriptor, and nobody else has it.
        let fd = unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd).ok()?) };
        Some(Held { pid, fd })
    }

    /// Takes hold of the process that had the number and was started then, as [`started`] told; `None` where it has ended.
    pub fn started_then(pid: Pid, then: &str) -> Option<Held> {
        Held::new(pid).filter(|_| !then.is_empty() && started(pid) == then)
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for its end, at most this long: a child can be reaped then.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0)
    }

    /// Sends it a signal, if it has not ended. What was asked about its number after it was taken hold of is true of it then.
    pub fn signal(&self, number: i32) {
        let (fd, no_info) = (self.fd.as_raw_fd(), std::ptr::null::<libc::siginfo_t>());
        // SAFETY: the descriptor is open; a null pointer asks for what kill(2) would tell.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, number, no_info, 0) };
    }
}

/// A process that was seen below another one: its number, its parent's, and when that was started.
#[derive(Clone, Debug)]
pub struct Below {
    /// Its number.
    pub pid: Pid,
    parent: Pid,
    parent_started: String,
}

impl Below {
    /// Sends a signal to the process that was seen below `root`, if it still is there, and to nobody who got its number
    /// since: it is taken hold of first, and looked at then. A child of `root`'s is one that nobody has reaped.
    pub fn signal(&self, root: Pid, number: i32) {
        let Some(held) = Held::new(self.pid) else { return };
        if self.is_known(root, &stat(self.pid)) {
            held.signal(number);
        }
    }

    /// Whether this is what the process that was seen below `root` looks like: its parent is the one of then, or `root`.
    fn is_known(&self, root: Pid, now: &Stat) -> bool {
        now.parent == Some(root) || now.parent == Some(self.parent) && stat(self.parent).started == self.parent_started
    }
}

/// Every process below one, parents before children.
pub fn seen_below(root: Pid) -> Vec<Below> {
    seen_from(root, children(root))
}

/// These children of a process and every one below them, parents before children.
pub fn seen_from(root: Pid, first: Vec<Pid>) -> Vec<Below> {
    let started = stat(root).started;
    let seen = |parent: Pid, started: &str| {
        let parent_started = started.to_owned();
        move |pid| Below { pid, parent, parent_started: parent_started.clone() }
    };
    let mut found: Vec<Below> = first.into_iter().map(seen(root, &started)).collect();
    let mut next = 0;
    while let Some(one) = found.get(next).cloned() {
        next = next.saturating_add(1);
        let own = stat(one.pid);
        if one.is_known(root, &own) {
            found.extend(children(one.pid).into_iter().map(seen(one.pid, &own.started)));
        }
    }
    found
}

/// The children of a process, as /proc/PID/task/TID/children says of each of its threads (proc_pid_task(5)); all of them
/// while none of them ends, fewer otherwise, so a caller repeats.
pub fn children(pid: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    // Not std's, which panics where a directory cannot be closed.
    let threads = Dir::open(format!("/proc/{pid}/task").as_str(), OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
    let Ok(mut threads) = threads else { return found };
    let numbers = threads.iter().flatten().filter_map(|entry| entry.file_name().to_str().ok()?.parse::<i32>().ok());
    for thread in numbers {
        let text = proc_text(&format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|word| word.parse().ok()).map(Pid::from_raw));
    }
    found
}

/// The numbers of all processes below one, parents before children.
pub fn descendants(pid: Pid) -> Vec<Pid> {
    seen_below(pid).into_iter().map(|one| one.pid).collect()
}

/// Whether a process is below another one; not known, and so denied, of one that is gone.
pub fn is_below(pid: Pid, other: Pid) -> bool {
    let mut parent = stat(pid).parent;
    while let Some(pid) = parent {
        if pid == other {
            return true;
        }
        parent = stat(pid).parent;
    }
    false
}

/// Whether a process has this user as its real one, proc_pid_status(5).
pub fn runs_as(pid: Pid, user: Uid) -> bool {
    let status = proc_text(&format!("/proc/{pid}/status")).unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.and_then(|uids| uids.split_whitespace().next()) == Some(user.to_string().as_str())
}

/// The id of a process, and of its process group and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessIds {
    /// Process id.
    pub pid: Pid,
    /// Process group.
    pub group: Pid,
    pub session: Pid,
}

/// The ids of a process that has not been reaped; zeros for what the system does not tell.
pub fn ids(pid: Pid) -> ProcessIds {
    let none = Pid::from_raw(0);
    ProcessIds { pid, group: getpgid(Some(pid)).unwrap_or(none), session: getsid(Some(pid)).unwrap_or(none) }
}

/// When a process was started, in the kernel's words: until the machine is started again no other one of its number has the same.
pub fn started(pid: Pid) -> String {
    stat(pid).started
}

/// This start of the machine, in a word that no other one has, and this process's pid namespace.
pub fn world() -> String {
    let boot = proc_text("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = nix::fcntl::readlink("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.to_string_lossy())
}

/// Whether a process is stopped: state `T`.
pub fn is_stopped(pid: Pid) -> bool {
    stat(pid).state == "T"
}

/// Whether a process is known to have ended with all its threads, and is not reaped: state `Z`, and no thread but one.
pub fn is_over(pid: Pid) -> bool {
    let stat = stat(pid);
    stat.state == "Z" && stat.threads == "1"
}

/// `PF_EXITING` (linux/sched.h): the kernel lets go of what the thread had, and no program's code runs in it any more.
const EXITING: u64 = 0x4;

/// Whether a process is over, or its only thread is ending, which takes as long as a file system likes that one of its
/// descriptors is closed on.
pub fn is_ending(pid: Pid) -> bool {
    let stat = stat(pid);
    stat.threads == "1" && (stat.state == "Z" || stat.flags & EXITING != 0)
}

/// Fields 3, 4, 9, 20 and 22 of /proc/PID/stat (proc_pid_stat(5)); empty where the system does not tell.
struct Stat {
    state: String,
    parent: Option<Pid>,
    flags: u64,
    threads: String,
    started: String,
}

fn stat(pid: Pid) -> Stat {
    let text = proc_text(&format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command's name, field 2, may hold blanks and parentheses; the last parenthesis ends it.
    let mut fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let state = fields.next().unwrap_or_default().to_owned();
    // The first process of a system or a container has none: zero.
    let parent = fields.next().and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0).map(Pid::from_raw);
    let flags = fields.nth(4).and_then(|flags| flags.parse().ok()).unwrap_or(0);
    let threads = fields.nth(10).unwrap_or_default().to_owned();
    Stat { state, parent, flags, threads, started: fields.nth(1).unwrap_or_default().to_owned() }
}

/// What all reaped descendants used together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User time.
    pub user: Duration,
    /// System time.
    pub system: Duration,
    /// The largest resident set of one of them, in KiB.
    pub max_rss: i64,
}

/// The use of reaped children and theirs, getrusage(2).
pub fn usage() -> Usage {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Usage::default() };
    let time = |value: nix::sys::time::TimeVal| {
        Duration::new(u64::try_from(value.tv_sec()).unwrap_or(0), 0)
            .saturating_add(Duration::from_micros(u64::try_from(value.tv_usec()).unwrap_or(0)))
    };
    Usage { user: time(usage.user_time()), system: time(usage.system_time()), max_rss: usage.max_rss() }
}

/// Ends the process by a signal, so that its parent sees the same wait status; without a core of its own.
pub fn end_by(signal: i32) -> ! {
    // Should it fail, the process is not dumpable all the same.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    crate::start::default_signals();
    self::signal(getpid(), signal);
    // The signal does not end a process: the shells' convention.
    end(signal.saturating_add(128))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_heard_although_ours_was_not() {
        let (front, monitor) = Line::pair().unwrap();
        front.say(*b"signl").unwrap();
        monitor.say(*b"ended").unwrap();
        drop(monitor);
        assert_eq!(front.hear(), Heard::Message(*b"ended"));
        assert_eq!(front.hear(), Heard::Gone);

        let (front, monitor) = Line::pair().unwrap();
        front.say(*b"signl").unwrap();
        drop(monitor);
        assert_eq!(front.hear(), Heard::Gone);
    }

    #[test]
    fn whoever_got_the_number_of_a_process_that_was_seen_gets_no_signal() {
        let script = "sleep 1000 & wait $!; exit $?";
        let mut shell = std::process::Command::new("sh").args(["-c", script]).spawn().unwrap();
        let main = Pid::from_raw(shell.id() as i32);
        let sleeper = loop {
            if let [_, sleeper] = seen_from(getpid(), vec![main]).as_slice() {
                break sleeper.clone();
            }
        };
        let before = Below { parent_started: "1".into(), ..sleeper.clone() };
        let elsewhere = Below { parent: Pid::from_raw(1), ..sleeper.clone() };
        for other in [before, elsewhere] {
            other.signal(getpid(), libc::SIGKILL);
        }
        sleeper.signal(getpid(), libc::SIGTERM);
        assert_eq!(shell.wait().unwrap().code(), Some(128 + libc::SIGTERM), "ended by whoever was meant");
    }

    #[test]
    fn an_end_is_seen_behind_words_that_are_heard_afterwards() {
        let (front, monitor) = Line::pair().unwrap();
        assert_eq!(monitor.heard(), None);
        front.say(*b"ready").unwrap();
        assert!(!monitor.ends_within(Duration::ZERO));
        drop(front);
        assert!(monitor.ends_within(Duration::ZERO));
        assert_eq!(monitor.heard(), Some(*b"ready"));
        assert_eq!(monitor.heard(), None);
    }
}
