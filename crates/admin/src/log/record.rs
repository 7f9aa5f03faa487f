//! Reading a record back: the exact inverse of [`glexec::audit::record`].
//!
//! A line that glexec cannot have written is damaged, or somebody's forgery, and is not believed.

use glexec_core::escape::{is_visible, unquoted};
use glexec_core::field::Field;
use std::borrow::Cow;

/// What begins the text of every record.
pub const BEGINNINGS: [&str; 2] = ["event=start call=", "event=end call="];

/// Which of a call's two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was decided.
    Start,
    End,
}

/// A record of the form that glexec gives them.
#[derive(Debug)]
pub struct Read<'a> {
    pub event: Event,
    /// The call's id.
    pub call: u64,
    fields: Vec<(Field, Cow<'a, str>)>,
}

const WHAT_A_START_HAS: [Field; 4] = [Field::CallerUid, Field::CallerGid, Field::CallerPid, Field::Decision];
/// What a permitted call has besides.
const WHAT_A_PERMIT_HAS: [Field; 3] = [Field::TargetUser, Field::TargetUid, Field::TargetGid];
const WHAT_AN_END_HAS: [Field; 5] = [Field::Wall, Field::UserTime, Field::SysTime, Field::MaxRss, Field::Killed];

/// Whether a field's value is a number.
pub fn is_number(field: Field) -> bool {
    use Field::{
        CallerGid, CallerPid, CallerUid, Killed, MaxRss, PayloadPid, Signal, Status, SysTime, TargetGid, TargetUid,
        UserTime, Wall,
    };
    matches!(
        field,
        CallerUid
            | CallerGid
            | CallerPid
            | PayloadPid
            | TargetUid
            | TargetGid
            | Status
            | Signal
            | Wall
            | UserTime
            | SysTime
            | MaxRss
            | Killed
    )
}

impl<'a> Read<'a> {
    /// Reads the text of a record; `Err` says what is wrong with it.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let mut fields: Vec<(Field, Cow<'a, str>)> = Vec::with_capacity(Field::ALL.len());
        let mut rest = text;
        loop {
            let (name, after) = rest.split_once('=').ok_or("a field without a value")?;
            let (value, after) = unquoted(after).ok_or("a value that is cut or not as glexec quotes it")?;
            if !is_visible(&value) {
                return Err("a character that glexec would have written out");
            }
            match Field::from_name(name) {
                Some(field) if fields.iter().any(|(known, _)| *known == field) => return Err("a field is there twice"),
                Some(field) if is_number(field) && !looks_like_number(&value) => return Err("a number that is none"),
                Some(field) => fields.push((field, value)),
                // Of a newer glexec.
                None if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {}
                None => return Err("a field that is none"),
            }
            match after.strip_prefix(' ') {
                Some(more) if more.starts_with(ATTESTED) => {
                    return if by_root(more) { Read::complete(fields) } else { Err("it was not sent by root") };
                }
                Some(more) => rest = more,
                None if after.is_empty() => return Read::complete(fields),
                None => return Err("something after a value"),
            }
        }
    }

    fn complete(fields: Vec<(Field, Cow<'a, str>)>) -> Result<Self, &'static str> {
        let [(Field::Event, event), (Field::Call, call), ..] = fields.as_slice() else {
            return Err("it does not begin with event and call");
        };
        let id =
            u64::from_str_radix(call, 16).ok().filter(|_| call.len() == 16).ok_or("a call that is no call's id")?;
        let event = match event.as_ref() {
            "start" => Event::Start,
            "end" => Event::End,
            _ => return Err("neither a start nor an end"),
        };
        let read = Read { event, call: id, fields };
        let complete = match event {
            Event::Start => {
                read.has(&WHAT_A_START_HAS)
                    && match read.get(Field::Decision) {
                        Some("permit") => read.has(&WHAT_A_PERMIT_HAS),
                        Some("deny") => read.get(Field::Code).is_some(),
                        _ => false,
                    }
            }
            Event::End => {
                read.has(&WHAT_AN_END_HAS) && read.get(Field::Status).is_some() != read.get(Field::Signal).is_some()
            }
        };
        if complete { Ok(read) } else { Err("it is not complete") }
    }

    fn has(&self, fields: &[Field]) -> bool {
        fields.iter().all(|field| self.get(*field).is_some())
    }

    /// The value of a field, visible as the log has it.
    pub fn get(&self, wanted: Field) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == wanted).map(|(_, value)| value.as_ref())
    }

    /// Whether the call was permitted.
    pub fn is_permitted(&self) -> bool {
        self.get(Field::Decision) == Some("permit")
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &str)> {
        self.fields.iter().map(|(field, value)| (*field, value.as_ref()))
    }
}

/// What rsyslog adds to a message with `SysSock.Annotate="on"`: the ids that the kernel attests (imuxsock), ` @[_PID=… _UID=…`.
const ATTESTED: &str = "@[_PID=";

fn by_root(attested: &str) -> bool {
    attested
        .strip_prefix(ATTESTED)
        .and_then(|pid| pid.split_once(' '))
        .is_some_and(|(_, ids)| ids.starts_with("_UID=0 "))
}

fn looks_like_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec::audit::record::Record;
    use glexec::invocation::command_line::{Job, Payload};
    use glexec::invocation::environment::Environment;
    use glexec_core::reason::{Reason, Refusal};
    use proptest::prelude::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    const START: &str = "event=start call=0123456789abcdef decision=permit caller_uid=1 caller_gid=2 caller_pid=3 \
                         target_user=alice target_uid=4 target_gid=5";
    const END: &str =
        "event=end call=0123456789abcdef status=0 wall=1.5 user_time=0.1 sys_time=0.2 max_rss=100 killed=0";

    #[test]
    fn a_record_is_read_as_it_was_meant() {
        let read = Read::parse(START).unwrap();
        assert_eq!((read.event, read.call, read.is_permitted()), (Event::Start, 0x0123_4567_89ab_cdef, true));
        let read = Read::parse(END).unwrap();
        assert_eq!((read.event, read.get(Field::Wall)), (Event::End, Some("1.5")));
    }

    #[test]
    fn fields_of_a_newer_glexec_are_passed_over() {
        assert!(Read::parse(&format!("{START} more=\"than now\"")).is_ok());
    }

    #[test]
    fn what_glexec_cannot_have_written_is_not_believed() {
        for text in [
            "",
            "event=start",
            &START.replace("event=start call=0123456789abcdef", "call=0123456789abcdef event=start"),
            &START.replace("0123456789abcdef", "0123"),
            &START.replace("decision=permit ", ""),
            &START.replace("permit", "deny"),
            &START.replace("permit", "perhaps"),
            &START.replace("caller_uid=1", "caller_uid=one"),
            &START.replace("target_uid=4 ", ""),
            &END.replace("status=0 ", ""),
            &END.replace("status=0", "status=0 signal=9"),
            &START.replace("permit", "\"permit\""),
            &format!("{START} "),
            &format!("{START}  cwd=/"),
            &format!("{START} decision=permit"),
            &format!("{START} cwd=\"/a"),
            &format!("{START} cwd=/a b"),
            &format!("{START} cwd=\"/a\\\""),
            &format!("{START} cwd=\"a\u{202e}\""),
            &format!("{START} CWD=/a"),
            &START.replace("start", "stop"),
        ] {
            assert!(Read::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_sender_that_the_kernel_attests_must_be_root() {
        let by = |uid: &str| format!("{START} @[_PID=24 _UID={uid} _GID=2000 _COMM=x _CMDLINE=\"@[_PID=1 _UID=0 \"]");
        assert!(Read::parse(&by("0")).is_ok());
        for uid in ["2000", "", "00", "0x"] {
            assert_eq!(Read::parse(&by(uid)).unwrap_err(), "it was not sent by root", "{uid}");
        }
    }

    #[test]
    fn a_record_that_was_cut_anywhere_is_noticed() {
        // The last field that must be there is the target's group, or how many were killed: only cutting that number short,
        // or whole fields behind it, goes unseen.
        for whole in [START, END] {
            for end in 0..whole.len().saturating_sub(1) {
                assert!(Read::parse(&whole[..end]).is_err(), "{}", &whole[..end]);
            }
        }
    }

    proptest! {
        #[test]
        fn every_record_that_is_written_is_read_back(
            command in proptest::collection::vec(1_u8.., 0..40),
            arguments in proptest::collection::vec(proptest::collection::vec(1_u8.., 0..40), 0..4),
            id in proptest::collection::vec(1_u8.., 0..300),
        ) {
            let text = OsString::from_vec;
            let payload = Payload { command: text(command), arguments: arguments.into_iter().map(text).collect() };
            let mut record = Record::start("0123456789abcdef");
            record.process(1, 2, 3);
            record.wish(&Job { sandbox: None, payload: Some(payload) }, None, &Environment::new(vec![("GLEXEC_ID".into(), text(id))]));
            record.deny(&Refusal::new(Reason::LcasUserban, "banned").detail("a \"quoted\" \\ detail"));
            let line = record.line();
            let read = Read::parse(&line).unwrap();
            let fields: Vec<_> = read.fields().map(|(field, value)| (field, value.to_owned())).collect();
            prop_assert_eq!(fields, record.fields().to_vec());
        }
    }
}
