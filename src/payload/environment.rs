//! The payload's environment, built from nothing.

use crate::credential_files::Kind;
use crate::invocation::environment::Environment;
use crate::payload::target_proxy::Copy;
use glexec_config::glexec::Glexec;
use glexec_config::values::Preserve;
use glexec_config::variables::is_dangerous;
use glexec_policy::mapping::Mapping;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Variables that say who and where the payload is: the caller's never replace them.
/// A token's value is passed on by no site: who reads an environment has it.
const IDENTITY: [&str; 7] =
    ["USER", "LOGNAME", "SHELL", "X509_USER_PROXY", "BEARER_TOKEN_FILE", "BEARER_TOKEN", "GLEXEC_SANDBOX"];

/// Builds the payload's environment: the account's own variables, PATH, GLEXEC_ENV, HTCondor's marks, what the site preserves, and
/// X509_USER_PROXY and BEARER_TOKEN_FILE where there are copies, GLEXEC_SANDBOX where there is a sandbox.
///
/// HOME and PATH of the caller replace the account's only where the site names them exactly, as some did for gLExec.
pub fn build(
    environment: &Environment,
    config: &Glexec,
    target: &Mapping,
    copies: &[Copy],
    sandbox: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let mut built: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), target.home.clone().into()),
        ("USER".into(), target.name.clone().into()),
        ("LOGNAME".into(), target.name.clone().into()),
        ("SHELL".into(), target.shell.clone().into()),
        ("PATH".into(), config.path.as_str().into()),
    ];
    for copy in copies {
        let name = match copy.kind {
            Kind::Proxy => "X509_USER_PROXY",
            Kind::Token => "BEARER_TOKEN_FILE",
        };
        built.push((name.into(), copy.path.clone().into()));
    }
    if let Some(sandbox) = sandbox {
        built.push(("GLEXEC_SANDBOX".into(), sandbox.into()));
    }
    for (name, value) in environment.unique() {
        if is_preserved(name, value, &config.preserve_env_variables) {
            built.retain(|(own, _)| own != name);
            built.push((name.into(), value.into()));
        }
    }
    built
}

fn is_preserved(name: &OsStr, value: &OsStr, preserve: &[Preserve]) -> bool {
    let bytes = name.as_bytes();
    // A value of this form is a shell function for old versions of bash.
    if is_dangerous(bytes) || IDENTITY.iter().any(|own| *own == name) || value.as_bytes().starts_with(b"()") {
        return false;
    }
    let own = name == "HOME" || name == "PATH";
    name == "GLEXEC_ENV"
        || is_condors_mark(bytes, value.as_bytes())
        || preserve.iter().any(|rule| match rule {
            Preserve::Name(wanted) => wanted.as_bytes() == bytes,
            Preserve::Prefix(prefix) => !own && bytes.starts_with(prefix.as_bytes()),
        })
}

/// By these variables HTCondor finds the processes of a job where it has no cgroups; their values are numbers with colons between.
fn is_condors_mark(name: &[u8], value: &[u8]) -> bool {
    let number = name.strip_prefix(b"_CONDOR_ANCESTOR_".as_slice());
    number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
        && value.iter().all(|byte| byte.is_ascii_digit() || *byte == b':')
}
