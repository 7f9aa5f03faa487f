//! The line of JSON on GLEXEC_REPORT_FD: a caller's unambiguous word on what glexec itself did.

use crate::credential_files::Kind;
use crate::payload::switch::Prepared;
use glexec_core::identity::Identity;
use glexec_core::reason::{Refusal, Retry};
use glexec_policy::mapping::Mapping;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Report<'a> {
    Success {
        call: &'a str,
        transient: bool,
        account: &'a str,
        uid: u32,
        gid: u32,
        gids: Vec<u32>,
        subject: &'a str,
        /// As the payload sees it; bytes that are no UTF-8 become U+FFFD.
        target_proxy: Option<String>,
        target_token: Option<String>,
        not_after: i64,
    },
    Refused {
        call: &'a str,
        code: &'a str,
        class: &'a str,
        exit_code: u8,
        transient: bool,
        message: &'a str,
    },
}

impl Report<'_> {
    fn line(&self) -> Vec<u8> {
        // Numbers and strings always become JSON; an empty line would be none.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// The caller's descriptor, where it gave one, and what a success will say on it.
#[derive(Debug, Default)]
pub struct Reporter {
    file: Option<File>,
    success: Vec<u8>,
}

impl Reporter {
    /// Takes the caller's descriptor.
    pub fn new(fd: Option<OwnedFd>) -> Self {
        Reporter { file: fd.map(File::from), success: Vec::new() }
    }

    /// Whether there is anybody to report to.
    pub fn is_wanted(&self) -> bool {
        self.file.is_some()
    }

    /// Notes what there is to say should the call succeed.
    pub fn prepare(&mut self, call: &str, target: &Mapping, user: &Identity, prepared: &Prepared) {
        let gids = std::iter::once(target.gid).chain(target.groups.iter().copied());
        let mut gids: Vec<u32> = gids.map(|gid| gid.get()).collect();
        gids.dedup();
        let copy = |kind| prepared.copy(kind).map(|path| path.to_string_lossy().into_owned());
        let success = Report::Success {
            call,
            transient: false,
            account: &target.name,
            uid: target.uid.get(),
            gid: target.gid.get(),
            gids,
            subject: user.subject.as_str(),
            target_proxy: copy(Kind::Proxy),
            target_token: copy(Kind::Token),
            not_after: user.not_after,
        };
        self.success = success.line();
    }

    /// Reports the success that was prepared.
    pub fn success(&mut self) {
        let line = std::mem::take(&mut self.success);
        self.write(&line);
    }

    /// Reports a refusal.
    pub fn refused(&mut self, call: &str, refusal: &Refusal) {
        let reason = refusal.reason();
        let report = Report::Refused {
            call,
            code: reason.code(),
            class: reason.class().name(),
            exit_code: reason.class().exit_code(),
            transient: reason.retry() == Retry::MayHelp,
            message: refusal.sentence(),
        };
        self.write(&report.line());
    }

    /// A caller that does not listen is not told: the exit code says the same.
    fn write(&mut self, line: &[u8]) {
        if let Some(file) = &mut self.file {
            let _ = file.write_all(line);
        }
    }
}
