//! The line of JSON on GLEXEC_REPORT_FD: a caller's unambiguous word on what glexec itself did.

#![forbid(unsafe_code)]

use crate::lcmaps::Mapping;
use crate::reason::{Refusal, Retry};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

/// What is reported.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Report<'a> {
    Success { call: &'a str, transient: bool, account: &'a str, uid: u32, gid: u32, gids: Vec<u32> },
    Refused { call: &'a str, code: &'a str, class: &'a str, exit_code: u8, transient: bool, message: &'a str },
}

/// The caller's descriptor, where it gave one; it is written once and closed.
#[derive(Debug, Default)]
pub struct Reporter(Option<File>);

impl Reporter {
    /// Takes the caller's descriptor.
    pub fn new(fd: Option<OwnedFd>) -> Self {
        Reporter(fd.map(File::from))
    }

    /// Reports that the process has become the target account and is about to run the command.
    pub fn success(self, call: &str, target: &Mapping) {
        let gids = std::iter::once(target.gid).chain(target.groups.iter().copied());
        let mut gids: Vec<u32> = gids.map(|gid| gid.get()).collect();
        gids.dedup();
        let (uid, gid) = (target.uid.get(), target.gid.get());
        self.write(&Report::Success { call, transient: false, account: &target.name, uid, gid, gids });
    }

    /// Reports a refusal.
    pub fn refused(self, call: &str, refusal: &Refusal) {
        let reason = refusal.reason();
        self.write(&Report::Refused {
            call,
            code: reason.code(),
            class: reason.class().name(),
            exit_code: reason.class().exit_code(),
            transient: reason.retry() == Retry::MayHelp,
            message: refusal.sentence(),
        });
    }

    /// A caller that does not listen is not told: the exit code says the same.
    fn write(self, report: &Report<'_>) {
        let (Some(mut file), Ok(mut line)) = (self.0, serde_json::to_vec(report)) else { return };
        line.push(b'\n');
        let _ = file.write_all(&line);
    }
}
