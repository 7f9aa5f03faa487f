//! The payload's environment, built from nothing.

#![forbid(unsafe_code)]

use crate::config::glexec::Glexec;
use crate::config::values::Preserve;
use crate::invocation::environment::Environment;
use crate::lcmaps::Mapping;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Variables that change how a program is loaded or what an interpreter runs first: from the dynamic loader's list of
/// unsafe variables (glibc, `unsecvars.h`), the shells' and the common interpreters' manuals.
const DANGEROUS: [&str; 40] = [
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "CLASSPATH",
    "ENV",
    "FPATH",
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "GLOBIGNORE",
    "HOSTALIASES",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LOCALDOMAIN",
    "LOCPATH",
    "NIS_PATH",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NULLCMD",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLIO_DEBUG",
    "PERLLIB",
    "POSIXLY_CORRECT",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "RUBYLIB",
    "RUBYOPT",
    "SHELLOPTS",
    "TZDIR",
    "ZDOTDIR",
];
/// The same by their beginnings; `BASH_FUNC_` are exported shell functions (CVE-2014-6271).
const DANGEROUS_PREFIXES: [&str; 4] = ["LD_", "MALLOC_", "BASH_FUNC_", "_RLD"];

/// Variables that say who the payload is: the caller's never replace them.
const IDENTITY: [&str; 4] = ["USER", "LOGNAME", "SHELL", "X509_USER_PROXY"];

/// Whether a variable must never reach a payload.
pub fn is_dangerous(name: &[u8]) -> bool {
    DANGEROUS.iter().any(|bad| bad.as_bytes() == name)
        || DANGEROUS_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// Builds the payload's environment: the account's own variables, PATH, GLEXEC_ENV, what the site preserves, and
/// X509_USER_PROXY where there is a target proxy.
///
/// HOME and PATH of the caller replace the account's only where the site names them exactly, as some did for gLExec.
pub fn build(
    environment: &Environment,
    config: &Glexec,
    target: &Mapping,
    proxy: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let mut built: Vec<(OsString, OsString)> = vec![
        ("HOME".into(), target.home.clone().into()),
        ("USER".into(), target.name.clone().into()),
        ("LOGNAME".into(), target.name.clone().into()),
        ("SHELL".into(), target.shell.clone().into()),
        ("PATH".into(), config.path.as_str().into()),
    ];
    if let Some(proxy) = proxy {
        built.push(("X509_USER_PROXY".into(), proxy.into()));
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
        || preserve.iter().any(|rule| match rule {
            Preserve::Name(wanted) => wanted.as_bytes() == bytes,
            Preserve::Prefix(prefix) => !own && bytes.starts_with(prefix.as_bytes()),
        })
}
