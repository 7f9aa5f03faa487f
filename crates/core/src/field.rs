//! The one catalogue of the fields that a record may have, in the order in which it has them; `docs/reference/audit.md` is held
//! together with it by a test.
//!
//! What glexec itself found out comes first, and what the caller can choose comes last, however long: a relay that cuts
//! lines must not cut away who ran as whom.

use std::fmt;

macro_rules! catalogue {
    ($( $variant:ident $name:literal $meaning:literal; )*) => {
        /// A field of a record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Field {
            $( #[doc = $meaning] $variant, )*
        }

        impl Field {
            /// Every field, in the order of a record.
            pub const ALL: &'static [Field] = &[ $( Field::$variant, )* ];

            /// Its name in records, which never changes.
            pub fn name(self) -> &'static str {
                match self { $( Field::$variant => $name, )* }
            }

            pub fn from_name(name: &str) -> Option<Field> {
                match name { $( $name => Some(Field::$variant), )* _ => None }
            }

            /// What its value is.
            pub fn meaning(self) -> &'static str {
                match self { $( Field::$variant => $meaning, )* }
            }
        }
    };
}

catalogue! {
    Event       "event"       "`start` or `end`.";
    Call        "call"        "The call's id, 16 hexadecimal digits, the same in both records.";
    Decision    "decision"    "`permit` or `deny`.";
    Code        "code"        "Of a refusal: its reason code (reasons.md).";
    Transient   "transient"   "Of a refusal: `true` where the same call may succeed later.";
    CallerUid   "caller_uid"  "The caller's real user id.";
    CallerUser  "caller_user" "The caller's account.";
    CallerGid   "caller_gid"  "The caller's real group id.";
    CallerPid   "caller_pid"  "The process that called glexec; without linger it becomes the payload.";
    TargetUser  "target_user" "The account that the payload runs as.";
    TargetUid   "target_uid"  "Its user id.";
    TargetGid   "target_gid"  "The payload's primary group.";
    Credential  "credential"  "By what the user is known: `x509` or `token`.";
    UserDn      "user_dn"     "Whom the user's proxy or token stands for; `/iss=…/sub=…` of a token.";
    Vo          "vo"          "The user's VO, from verified VOMS attributes or a verified token.";
    Lease       "lease"       "The pool account's lease, a file of the gridmapdir.";
    PilotDn     "pilot_dn"    "Whom the pilot's own proxy stands for, or its token.";
    IssuerDn    "issuer_dn"   "The CA that issued the user's certificate.";
    Serial      "serial"      "The serial number of the user's certificate, in hexadecimal.";
    Jti         "jti"         "The token's own id, as its issuer gave it.";
    Kid         "kid"         "The id of the issuer's key that signed the token.";
    NotAfter    "not_after"   "When the user's credential ends, in seconds since 1970 UTC.";
    Verifier    "verifier"    "Who judged the credentials: `agent` or `program`.";
    TargetGids  "target_gids" "The payload's supplementary groups.";
    Fqans       "fqans"       "The user's VOMS attributes or a token's groups, `/vo/Role=…,…`.";
    Scope       "scope"       "What the token allows, in its own words.";
    TokenSha256 "token_sha256" "The SHA-256 of the token's header, dot and payload, in hexadecimal. The token itself is never written.";
    Reason      "reason"      "Of a refusal: its sentence, and what only the log may tell.";
    Command     "command"     "The command as the caller wrote it; none where only the target proxy is renewed.";
    Args        "args"        "Its arguments, with blanks between, `'…'` around those that are empty or have blanks.";
    Cwd         "cwd"         "The caller's working directory.";
    Sandbox     "sandbox"     "The directory of the caller's that the payload works in (`--sandbox`), as the caller wrote it.";
    Batch       "batch"       "The batch jobs that the caller's environment claims, `NAME=id,…`. A claim, no proof.";
    GlexecId    "glexec_id"   "GLEXEC_ID, the caller's own text. A claim, no proof.";
    PayloadPid  "payload_pid" "The payload's main process, where glexec stays beside it.";
    Status      "status"      "The payload's exit code.";
    Signal      "signal"      "Or the number of the signal that ended it.";
    Wall        "wall"        "How long the payload ran, in seconds.";
    UserTime    "user_time"   "Processor time of the payload and everything below it, in seconds.";
    SysTime     "sys_time"    "The kernel's processor time for them, in seconds.";
    MaxRss      "max_rss"     "The largest resident memory that one process of them had, in KiB.";
    Killed      "killed"      "How many processes the payload left behind that had to be killed.";
    Epilogue    "epilogue"    "How the site's epilogue ended, where there is one.";
    Lost        "lost"        "`true` where front, monitor and payload were ended at once and `glexec-admin sweep` wrote the record: how the payload ended is not known.";
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_own_name_only() {
        for field in Field::ALL {
            assert_eq!(Field::from_name(field.name()), Some(*field));
        }
        assert_eq!(Field::from_name("Event"), None);
    }
}
