//! The payload's own copies of the proxy and of a token.

use crate::credential_files::Kind;
use crate::invocation::environment::Target;
use crate::payload::view::View;
use glexec_core::escape::in_sentence;
use glexec_core::lock::Mechanism;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_sys::left_file::LeftFile;
use glexec_sys::target_file::{self, Refused, Written};
use std::path::{Path, PathBuf};

/// How long a copy stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until a lingering glexec ends: its name is ours.
    Temporary,
    /// The caller named it and looks after it.
    Kept,
}

/// What is copied, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub kind: Kind,
    /// Where it goes.
    pub target: &'a Target,
    pub bytes: &'a [u8],
}

/// A copy that was written.
#[derive(Debug)]
pub struct Copy {
    pub kind: Kind,
    /// Its absolute path, the payload's X509_USER_PROXY or BEARER_TOKEN_FILE.
    pub path: PathBuf,
    /// How long it is to stay.
    pub lifetime: Lifetime,
    written: Written,
}

impl Copy {
    /// Takes the copy back, because nothing will be run; one in the place of an older copy stays, for a payload may be
    /// using it. To be called while acting as the target.
    pub fn remove(&self) {
        // There is nobody left to tell: the call is being refused for another reason.
        let _ = self.written.remove();
    }
}

impl Copy {
    /// Device and inode of one that is removed at the end. To be called while acting as the target.
    pub fn identity(&self) -> Option<(u64, u64)> {
        self.written.identity().filter(|_| self.lifetime == Lifetime::Temporary)
    }

    /// Where it lies, for the process that removes it when nobody of the call is left to do so.
    pub fn left(&self) -> Option<LeftFile> {
        self.written.left().filter(|_| self.lifetime == Lifetime::Temporary)
    }
}

/// Writes the copy. To be called while acting as the target, whose user id is `uid`.
pub fn write(
    wanted: &Wanted<'_>,
    cwd: Option<&Path>,
    view: &View,
    uid: u32,
    mechanism: Mechanism,
) -> Outcome<Option<Copy>> {
    let Wanted { kind, target, bytes } = *wanted;
    match target {
        Target::None => Ok(None),
        Target::Default => {
            let start = match kind {
                Kind::Proxy => "x509up",
                Kind::Token => "bt",
            };
            let prefix = view.path(Path::new(&format!("/tmp/{start}_u{uid}.glexec.")));
            let written = target_file::create_new(&view.place(&prefix), bytes);
            let written = written.map_err(|why| refusal(kind, &prefix, &why))?;
            let path = prefix.with_file_name(written.name());
            Ok(Some(Copy { kind, path, lifetime: Lifetime::Temporary, written }))
        }
        Target::At(path) => {
            let path = view.path(&cwd.map_or_else(|| path.clone(), |cwd| cwd.join(path)));
            let written = if path.is_absolute() {
                target_file::replace(&view.place(&path), bytes, mechanism)
            } else {
                Err(Refused::NotWritable(nix::errno::Errno::ENOENT))
            };
            let written = written.map_err(|why| refusal(kind, &path, &why))?;
            Ok(Some(Copy { kind, path, lifetime: Lifetime::Kept, written }))
        }
    }
}

/// The refusal for a target proxy whose lock somebody holds for too long.
pub fn locked(path: &Path) -> Refusal {
    Refusal::new(Reason::TargetProxyLocked, format!("{} stays locked by another process", in_sentence(path)))
}

fn refusal(kind: Kind, path: &Path, why: &Refused) -> Refusal {
    let shown = in_sentence(path);
    match why {
        Refused::NotWritable(errno) => {
            let sentence = format!("the target account cannot write the {} to {shown}: {}", kind.name(), errno.desc());
            Refusal::new(Reason::TargetProxyBad, sentence)
        }
        Refused::Foreign => {
            let sentence = format!("{shown} is there already and is no regular file of the target account");
            Refusal::new(Reason::TargetProxyForeign, sentence)
        }
        Refused::Locked => locked(path),
    }
}
