//! The fields of a record, in their order.

#![forbid(unsafe_code)]

use crate::audit::escape::{quoted, visible};
use crate::credential::identity::Identity;
use crate::invocation::caller::Caller;
use crate::invocation::command_line::Payload;
use crate::invocation::environment::Environment;
use crate::lcmaps::Mapping;
use crate::payload::linger::epilogue::Done;
use crate::payload::linger::monitor::Over;
use crate::reason::{Refusal, Retry};
use crate::sys::handover::Back;
use crate::sys::supervise::{Ended, Usage};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Longest command, working directory, batch ids, GLEXEC_ID and reason in a record, in bytes.
const MAX_TEXT: usize = 256;
/// Longest list of arguments.
const MAX_ARGUMENTS: usize = 1024;
/// Longest distinguished name.
const MAX_NAME: usize = 512;
/// Longest list of FQANs or groups.
const MAX_LIST: usize = 1024;

/// A record: filled in as the call is understood, written once.
#[derive(Debug, Default)]
pub struct Record {
    fields: Vec<(&'static str, String)>,
}

impl Record {
    /// The record that the call with this id begins with.
    pub fn start(call: &str) -> Self {
        Record::new("start", call)
    }

    /// The record that a lingering call ends with.
    pub fn end(call: &str) -> Self {
        Record::new("end", call)
    }

    fn new(event: &str, call: &str) -> Self {
        let mut record = Record::default();
        record.set("event", event.as_bytes(), MAX_TEXT);
        record.set("call", call.as_bytes(), MAX_TEXT);
        record
    }

    /// The call's id, 16 hexadecimal digits.
    pub fn id() -> Result<String, nix::errno::Errno> {
        crate::sys::random::<8>().map(|bytes| format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    fn set(&mut self, name: &'static str, value: &[u8], max: usize) {
        self.fields.push((name, visible(value, max)));
    }

    fn set_list<'a>(&mut self, name: &'static str, items: impl Iterator<Item = &'a str>) {
        let list: Vec<_> = items.collect();
        if !list.is_empty() {
            self.set(name, list.join(",").as_bytes(), MAX_LIST);
        }
    }

    /// What is known before anything is read: the process's ids.
    pub fn process(&mut self, uid: u32, gid: u32, pid: i32) {
        self.set("caller_uid", uid.to_string().as_bytes(), MAX_TEXT);
        self.set("caller_gid", gid.to_string().as_bytes(), MAX_TEXT);
        self.set("caller_pid", pid.to_string().as_bytes(), MAX_TEXT);
    }

    /// The caller's account.
    pub fn caller(&mut self, caller: &Caller) {
        self.set("caller_user", caller.name.as_bytes(), MAX_TEXT);
    }

    /// What the caller wants to run, from where, on whose behalf as it says.
    pub fn wish(&mut self, payload: Option<&Payload>, cwd: Option<&Path>, environment: &Environment) {
        if let Some(payload) = payload {
            self.set("command", payload.command.as_bytes(), MAX_TEXT);
            let arguments: Vec<String> = payload.arguments.iter().map(|a| argument(a)).collect();
            // Visible already; only the bound is left.
            self.fields.push(("args", bounded(arguments.join(" "), MAX_ARGUMENTS)));
            if let Some(take) = &payload.take {
                self.set("take", take.as_os_str().as_bytes(), MAX_TEXT);
            }
        }
        if let Some(cwd) = cwd {
            self.set("cwd", cwd.as_os_str().as_bytes(), MAX_TEXT);
        }
        let batch = environment.batch_ids();
        if !batch.is_empty() {
            self.set("batch", batch.join(OsStr::new(",")).as_bytes(), MAX_TEXT);
        }
        if let Some(id) = environment.get("GLEXEC_ID") {
            self.set("glexec_id", id.as_bytes(), MAX_TEXT);
        }
    }

    /// Whom the credentials stand for.
    pub fn identities(&mut self, user: &Identity, pilot: Option<&Identity>) {
        if let Some(pilot) = pilot {
            self.set("pilot_dn", pilot.subject.as_str().as_bytes(), MAX_NAME);
        }
        self.set("user_dn", user.subject.as_str().as_bytes(), MAX_NAME);
        self.set("issuer_dn", user.issuer.as_str().as_bytes(), MAX_NAME);
        self.set("serial", user.serial.as_str().as_bytes(), MAX_TEXT);
        if let Some(vo) = user.vo() {
            self.set("vo", vo.as_bytes(), MAX_TEXT);
        }
        self.set_list("fqans", user.fqans.iter().map(|fqan| fqan.as_str()));
    }

    /// The account that the policy gave.
    pub fn mapping(&mut self, mapping: &Mapping) {
        let number = |n: u32| n.to_string();
        self.set("target_user", mapping.name.as_bytes(), MAX_TEXT);
        self.set("target_uid", number(mapping.uid.get()).as_bytes(), MAX_TEXT);
        self.set("target_gid", number(mapping.gid.get()).as_bytes(), MAX_TEXT);
        let groups: Vec<String> = mapping.groups.iter().map(|gid| number(gid.get())).collect();
        self.set_list("target_gids", groups.iter().map(String::as_str));
        if let Some(lease) = &mapping.lease {
            self.set("lease", lease.as_bytes(), MAX_NAME);
        }
    }

    /// The decision: run it.
    pub fn permit(&mut self) {
        self.set("decision", b"permit", MAX_TEXT);
    }

    /// The decision: refuse.
    pub fn deny(&mut self, refusal: &Refusal) {
        self.set("decision", b"deny", MAX_TEXT);
        self.set("code", refusal.reason().code().as_bytes(), MAX_TEXT);
        self.set("reason", refusal.for_log().as_bytes(), MAX_LIST);
        let transient = if refusal.reason().retry() == Retry::MayHelp { "true" } else { "false" };
        self.set("transient", transient.as_bytes(), MAX_TEXT);
    }

    /// How the payload ended, what it used and what it left behind: times in seconds, memory in KiB.
    pub fn ended(&mut self, over: &Over, wall: Duration, usage: &Usage) {
        let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
        match over.ended {
            Ended::Exited(code) => self.set("status", code.to_string().as_bytes(), MAX_TEXT),
            Ended::Signaled(signal) => self.set("signal", signal.to_string().as_bytes(), MAX_TEXT),
        }
        self.set("wall", seconds(wall).as_bytes(), MAX_TEXT);
        self.set("user_time", seconds(usage.user).as_bytes(), MAX_TEXT);
        self.set("sys_time", seconds(usage.system).as_bytes(), MAX_TEXT);
        self.set("max_rss", usage.max_rss.to_string().as_bytes(), MAX_TEXT);
        self.set("killed", over.killed.to_string().as_bytes(), MAX_TEXT);
    }

    /// How many entries of a directory went back to the caller, and how many did not.
    pub fn handed_back(&mut self, back: &Back) {
        self.set("handed_back", back.given.to_string().as_bytes(), MAX_TEXT);
        self.set("kept", back.kept.to_string().as_bytes(), MAX_TEXT);
    }

    /// How the site's epilogue ended.
    pub fn epilogue(&mut self, done: Done) {
        self.set("epilogue", done.word().as_bytes(), MAX_TEXT);
    }

    /// Names and visible values in their order.
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// The record as one `key=value` line without its end.
    pub fn line(&self) -> String {
        let pairs: Vec<String> = self.fields.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        pairs.join(" ")
    }
}

/// An argument as a shell would want it: in quotes where it is empty or has blanks, so that lists stay unambiguous.
fn argument(argument: &OsStr) -> String {
    let text = visible(argument.as_bytes(), MAX_ARGUMENTS).replace('\'', "\\x27");
    if text.is_empty() || text.contains(' ') { format!("'{text}'") } else { text }
}

/// Cuts a visible text so that no escape sequence is cut in half: at the last blank that fits, or all of it.
fn bounded(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let room = max.saturating_sub(4);
    let end = text.char_indices().take_while(|(at, _)| *at <= room).filter(|(_, c)| *c == ' ').last();
    let head = end.and_then(|(at, _)| text.get(..at)).unwrap_or_default();
    format!("{head} ...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    #[test]
    fn a_hostile_command_stays_one_line_with_its_own_fields() {
        let mut record = Record::start("0123456789abcdef");
        let payload = Payload {
            command: "/bin/x\nevent=start".into(),
            arguments: vec!["a b".into(), "\" decision=permit".into()],
            take: None,
        };
        let environment = Environment::new(vec![("GLEXEC_ID".into(), "two\nlines".into())]);
        record.wish(Some(&payload), Some(Path::new("/tmp")), &environment);
        record.deny(&Refusal::new(Reason::LcasUserban, "banned"));
        let expected = [
            r"event=start call=0123456789abcdef",
            r#"command="/bin/x\x0aevent=start""#,
            r#"args="'a b' '\" decision=permit'""#,
            r#"cwd=/tmp glexec_id="two\x0alines""#,
            r"decision=deny code=lcas.userban reason=banned transient=false",
        ];
        assert_eq!(record.line(), expected.join(" "));
    }

    #[test]
    fn arguments_are_cut_between_two_arguments() {
        let mut record = Record::start("0");
        let arguments = (0..5000).map(|n| n.to_string().into()).collect();
        record.wish(Some(&Payload { command: "x".into(), arguments, take: None }), None, &Environment::new(Vec::new()));
        let (_, text) = record.fields().iter().find(|(name, _)| *name == "args").unwrap();
        assert!(text.len() <= MAX_ARGUMENTS && text.ends_with(" ..."), "{text}");
    }
}
