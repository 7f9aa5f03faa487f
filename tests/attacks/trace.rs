//! What a call does, as strace sees it: processes, identities, and steps that mean something.
//!
//! strace runs as root and makes the call as somebody else; glexec works under root's own tracer only.

use crate::site::{Run, Site};
use std::collections::BTreeMap;

/// Real, effective and saved user.
pub type Users = [u32; 3];

/// A system call as it was traced.
#[derive(Clone, Debug)]
pub struct Call {
    pub users: Users,
    pub name: String,
    pub arguments: String,
    pub result: String,
}

impl Call {
    pub fn failed(&self) -> bool {
        self.result.starts_with("-1 ")
    }

    /// The strings among the arguments, each with the directory that it is relative to.
    pub fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = self.arguments.as_str();
        while let Some((before, after)) = rest.split_once('"') {
            let (text, behind) = after.split_once('"').unwrap_or((after, ""));
            let directory = before.rsplit_once('<').and_then(|(_, dir)| dir.split_once('>')).map_or("", |(dir, _)| dir);
            found.push(if text.starts_with('/') {
                text.to_owned()
            } else {
                format!("{}/{text}", directory.trim_end_matches('/'))
            });
            rest = behind;
        }
        found
    }

    /// What the descriptor in the first argument is.
    pub fn object(&self) -> &str {
        let first = self.arguments.split(", ").next().unwrap_or_default();
        first.split_once('<').map_or("", |(_, name)| name.trim_end_matches('>'))
    }
}

/// One process of a call, up to the command that it executes.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    pub parent: Option<u32>,
    pub calls: Vec<Call>,
}

impl Process {
    pub fn has(&self, name: &str, part: &str) -> bool {
        self.calls.iter().any(|call| call.name == name && call.arguments.contains(part))
    }
}

/// Makes a call as `who` under root's strace and returns what each process did, glexec itself first.
pub fn trace<'s>(
    site: &'s Site,
    who: &str,
    variables: &[(&str, &str)],
    options: &[&str],
    command: &[&str],
) -> (Run<'s>, Vec<Process>) {
    site.sh("rm -rf /root/trace && mkdir /root/trace");
    let root = variables.iter().fold(site.caller("root").cwd("/"), |root, (name, value)| root.env(*name, *value));
    let fixed = ["-ff", "-y", "-o", "/root/trace/t", "-u", who];
    let run = root.run("/usr/bin/strace", fixed.iter().chain(options).chain(&[crate::site::GLEXEC]).chain(command));
    let caller = site.account(who).uid;
    let names = site.sh("cd /root/trace && ls");
    let mut texts: BTreeMap<u32, String> = names
        .lines()
        .map(|name| (name.rsplit('.').next().unwrap().parse().unwrap(), site.read(&format!("/root/trace/{name}"))))
        .collect();
    let Some((&first, _)) = texts.iter().next() else { return (run, Vec::new()) };
    let mut waiting = vec![(first, None, [caller, 0, 0])];
    let mut processes = Vec::new();
    while let Some((pid, parent, users)) = waiting.pop() {
        let text = texts.remove(&pid).unwrap_or_default();
        let (calls, children) = parse(&text, users);
        waiting.extend(children.into_iter().rev().map(|(child, users)| (child, Some(pid), users)));
        processes.push(Process { pid, parent, calls });
    }
    (run, processes)
}

/// The calls of one process, and its children with the identity that they begin with.
fn parse(text: &str, mut users: Users) -> (Vec<Call>, Vec<(u32, Users)>) {
    let (mut calls, mut children) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
        let Some((name, rest)) = line.split_once('(') else { continue };
        // The result follows the last ` = `; strace pads with blanks before it.
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { continue };
        let arguments = arguments.trim_end().trim_end_matches(')');
        let call = Call { users, name: name.into(), arguments: arguments.into(), result: result.trim().into() };
        let executed = name == "execve" && !call.failed() && !calls.is_empty();
        match name {
            "setresuid" if !call.failed() => {
                for (user, word) in users.iter_mut().zip(arguments.split(", ")) {
                    *user = word.parse().unwrap_or(*user); // -1 leaves it
                }
            }
            "clone" | "clone3" | "fork" | "vfork" => {
                children.extend(result.split(' ').next().and_then(|pid| pid.parse().ok()).map(|pid: u32| (pid, users)));
            }
            _ => {}
        }
        calls.push(call);
        if executed {
            break;
        }
    }
    (calls, children)
}
