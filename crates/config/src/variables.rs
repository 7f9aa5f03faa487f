//! Variables that no payload gets, whatever the site says.

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

/// Whether a variable must never reach a payload.
pub fn is_dangerous(name: &[u8]) -> bool {
    DANGEROUS.iter().any(|bad| bad.as_bytes() == name)
        || DANGEROUS_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}
