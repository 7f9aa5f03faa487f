//! A process that makes the measured calls: an unprivileged account of the site, as pilots are, or root for `setpriv`.
//!
//! It takes orders on its standard input and answers with the time of every call, from posix_spawn(3) until waitpid(2)
//! has told the end.

use nix::sys::wait::{WaitStatus, wait};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What is to be called, how often, and how many calls may run at the same time.
#[derive(Serialize, Deserialize, Clone)]
pub struct Order {
    /// The program and its arguments.
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub calls: usize,
    pub at_once: usize,
}

/// One call: CLOCK_MONOTONIC in nanoseconds, and the exit code.
#[derive(Serialize, Deserialize, Clone, Copy)]
pub struct Call {
    pub start: u64,
    pub end: u64,
    pub code: i32,
}

impl Call {
    pub fn ms(&self) -> f64 {
        (self.end - self.start) as f64 / 1e6
    }
}

/// A caller that waits for orders.
pub struct Caller {
    _child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Caller {
    pub fn start(uid: u32) -> Self {
        let mut command = Command::new("/proc/self/exe");
        command.args(["--caller", &uid.to_string()]).env_clear().current_dir("/");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Caller { _child: child, orders, answers }
    }

    pub fn call(&mut self, order: &Order) -> Vec<Call> {
        writeln!(self.orders, "{}", serde_json::to_string(order).unwrap()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).expect("the caller ended")
    }
}

/// The caller's side.
pub fn serve(uid: u32) {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    setgroups(&[group]).unwrap();
    setresgid(group, group, group).unwrap();
    setresuid(user, user, user).unwrap();
    for order in std::io::stdin().lines() {
        let calls = carry_out(&serde_json::from_str(&order.unwrap()).unwrap());
        println!("{}", serde_json::to_string(&calls).unwrap());
    }
}

pub fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

fn carry_out(order: &Order) -> Vec<Call> {
    let mut command = Command::new(&order.command[0]);
    command.args(&order.command[1..]).env_clear().envs(order.environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (mut running, mut ended) = (HashMap::new(), Vec::new());
    for number in 0..order.calls + order.at_once {
        if running.len() == order.at_once || number >= order.calls {
            if running.is_empty() {
                break;
            }
            let status = wait().unwrap();
            let end = now();
            let start = running.remove(&status.pid().unwrap().as_raw()).unwrap();
            let code = if let WaitStatus::Exited(_, code) = status { code } else { -1 };
            ended.push(Call { start, end, code });
        }
        if number < order.calls {
            let start = now();
            running.insert(command.spawn().unwrap().id() as i32, start);
        }
    }
    ended
}
