//! The payload's environment and arguments, and the command line.

use crate::site::{Caller, Site, material_file};
use nix::libc::RLIM_INFINITY;
use nix::sys::resource::{Resource, setrlimit};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn alice(site: &Site) -> Caller<'_> {
    site.pilot().credential("alice")
}

/// The payload's environment, as its bytes.
fn environment(caller: &Caller) -> BTreeSet<Vec<u8>> {
    let run = caller.glexec(["env", "-0"]);
    run.exits(0).stdout_bytes().split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(<[u8]>::to_vec).collect()
}

fn set(entries: &[&str]) -> BTreeSet<Vec<u8>> {
    entries.iter().map(|entry| entry.as_bytes().to_vec()).collect()
}

const BASIC: [&str; 5] =
    ["HOME=/home/alice", "USER=alice", "LOGNAME=alice", "SHELL=/bin/bash", "PATH=/usr/local/bin:/usr/bin:/bin"];

/// Everything in a caller's environment that is meant for glexec or for the pilot only.
fn with_much(caller: Caller<'_>) -> Caller<'_> {
    [
        "GLEXEC_ID",
        "GLEXEC_MODE_",
        "X509_CERT_DIR",
        "X509_USER_KEY",
        "SSL_CERT_DIR",
        "SECRET",
        "SHLVL",
        "PWD",
        "TERM",
        "MAIL",
    ]
    .into_iter()
    .fold(caller, |caller, name| caller.env(name, "of the pilot"))
    .own_proxy("pilot")
    .env("GLEXEC_MODE", "lcmaps_get_account")
    .env("TMPDIR", "/tmp/of-the-pilot")
    .env("TZ", ":/etc/shadow")
}

#[test]
fn the_environment_is_the_documented_set_and_nothing_else() {
    for site in Site::in_both_modes() {
        let pilot = with_much(alice(&site));
        let none = pilot.clone().env("GLEXEC_TARGET_PROXY", "/dev/null");
        assert_eq!(environment(&none), set(&BASIC));
        let proxy = pilot.env("GLEXEC_TARGET_PROXY", "/home/alice/proxy").env("GLEXEC_ENV", "wrapped");
        let expected = [&BASIC[..], &["X509_USER_PROXY=/home/alice/proxy", "GLEXEC_ENV=wrapped"]].concat();
        assert_eq!(environment(&proxy), set(&expected));
    }
}

fn no_proxy(site: &Site) -> Caller<'_> {
    alice(site).env("GLEXEC_TARGET_PROXY", "/dev/null")
}

#[test]
fn what_the_site_preserves_by_name_or_prefix_is_passed_on() {
    let site = Site::new();
    site.set("preserve_env_variables = [\"LANG\", \"CONDOR_*\", \"UNSET\", \"EMPTY\"]");
    let pilot = no_proxy(&site)
        .env("LANG", "de_DE.UTF-8")
        .env("LANGUAGE", "de")
        .env("CONDOR_", "1")
        .env("CONDOR_JOB", "a b\nc=d")
        .env("XCONDOR_JOB", "x")
        .env("EMPTY", "");
    let expected = [&BASIC[..], &["LANG=de_DE.UTF-8", "CONDOR_=1", "CONDOR_JOB=a b\nc=d", "EMPTY="]].concat();
    assert_eq!(environment(&pilot), set(&expected));
}

#[test]
fn variables_of_loaders_and_interpreters_are_never_passed_on() {
    let site = Site::new();
    let beginnings: Vec<String> = ('A'..='Z').chain(['_']).map(|first| format!("\"{first}*\"")).collect();
    site.set(&format!("preserve_env_variables = [{}, \"LD_*\", \"PYTHON*\"]", beginnings.join(", ")));
    let dangerous = [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "LD_NONE",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "MALLOC_CHECK_",
        "BASH_ENV",
        "BASH_FUNC_ls%%",
        "BASH_FUNC_x()",
        "ENV",
        "IFS",
        "SHELLOPTS",
        "BASHOPTS",
        "PS4",
        "PROMPT_COMMAND",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "PERL5LIB",
        "PERL5OPT",
        "RUBYOPT",
        "NODE_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "LOCPATH",
        "NLSPATH",
        "HOSTALIASES",
        "RES_OPTIONS",
        "TZDIR",
        "CLASSPATH",
        "_JAVA_OPTIONS",
        "LUA_INIT",
        "LUA_INIT_5_4",
        "PYTHONUSERBASE",
        "PYTHONBREAKPOINT",
        "PYTHONWARNINGS",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "R_PROFILE",
        "R_PROFILE_USER",
        "GIT_SSH_COMMAND",
        "GIT_CONFIG_KEY_0",
        "DOTNET_STARTUP_HOOKS",
        "CORECLR_PROFILER_PATH",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "LESSOPEN",
        "PAGER",
        "MAKEFLAGS",
        "TAR_OPTIONS",
        "JULIA_LOAD_PATH",
        "TERMINFO",
        "XDG_CONFIG_HOME",
    ];
    let pilot = dangerous.into_iter().fold(no_proxy(&site), |pilot, name| pilot.env(name, "/tmp/evil"));
    let pilot = pilot.env("FUNCTION", "() { echo evil; }").env("LAST", "1").env("USER", "evil").env("SHELL", "/evil");
    let environment: Vec<String> =
        environment(&pilot).into_iter().map(|entry| String::from_utf8(entry).unwrap()).collect();
    assert!(environment.iter().all(|entry| !entry.contains("evil")), "{environment:?}");
    assert!(environment.contains(&"LAST=1".to_owned()), "{environment:?}");
    for own in BASIC {
        assert!(environment.contains(&own.to_owned()), "{own}: {environment:?}");
    }
}

#[test]
fn no_library_of_the_program_reads_the_callers_environment() {
    let site = Site::new();
    site.sh("mkfifo -m 666 /tmp/pipe"); // who opens it waits for ever
    let names = [
        "TZ",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "OPENSSL_ENGINES",
        "SSL_CERT_FILE",
        "LC_ALL",
        "LOCPATH",
        "NLSPATH",
        "LANGUAGE",
        "GCONV_PATH",
        "HOSTALIASES",
        "RES_OPTIONS",
        "TMPDIR",
        "X509_CERT_DIR",
        "X509_VOMS_DIR",
        "GRIDMAP",
        "GRIDMAPDIR",
        "LCMAPS_DB_FILE",
        "LCAS_DB_FILE",
        "LD_PRELOAD",
        "LD_AUDIT",
        "RUST_LOG",
        "RUST_BACKTRACE",
    ];
    let evil = |caller| names.into_iter().fold(caller, |caller: Caller, name| caller.env(name, ":/tmp/pipe"));
    let evil = |caller| evil(caller).env("OPENSSL_CONF", "/tmp/pipe").env("LD_PRELOAD", "/tmp/pipe");
    evil(alice(&site)).glexec(["id", "-un"]).succeeds_with("alice\n");
    // The pilot's own idea of whom to trust counts for nothing.
    site.sh("mkdir -m 755 /tmp/ca");
    let hash = "openssl x509 -noout -subject_hash < /tmp/ca/unknown";
    site.write("/tmp/ca/unknown", material_file("certs/unknown-ca.pem"));
    site.sh(&format!("cp /tmp/ca/unknown /tmp/ca/$({hash}).0"));
    let uma = site.pilot().credential("uma").env("X509_CERT_DIR", "/tmp/ca").env("SSL_CERT_DIR", "/tmp/ca");
    uma.glexec(["id"]).refused(203, "credential.unknown-ca");
}

#[test]
fn a_configuration_that_names_a_loader_variable_is_refused() {
    let site = Site::new();
    site.set("preserve_env_variables = [\"LD_PRELOAD\"]");
    alice(&site).glexec(["true"]).refused_without_record(202, "config.invalid");
}

#[test]
fn the_payload_has_the_callers_soft_limit_on_the_stack() {
    for site in Site::in_both_modes() {
        let pilot = no_proxy(&site);
        // The kernel cuts it down for glexec; the shell that starts glexec has it.
        for limit in ["65536", "8192", "4096", "unlimited"] {
            let script = format!("ulimit -S -s {limit} && /usr/sbin/glexec sh -c 'ulimit -S -s'; exit $?");
            pilot.sh(&script).succeeds_with(&format!("{limit}\n"));
        }
        // The hard limit bounds it.
        let script =
            "ulimit -S -s 16384; (ulimit -H -s 16384; /usr/sbin/glexec sh -c 'ulimit -S -s; ulimit -H -s'; exit $?)";
        pilot.sh(script).succeeds_with("16384\n16384\n");
    }
}

#[test]
fn of_somebody_elses_process_no_limit_is_learnt() {
    let site = Site::new();
    // Started by root, for the pilot: what the kernel made of the limit stays.
    let pilot = no_proxy(&site).first(|| Ok(setrlimit(Resource::RLIMIT_STACK, RLIM_INFINITY, RLIM_INFINITY)?));
    pilot.glexec(["sh", "-c", "ulimit -S -s"]).succeeds_with("8192\n");
}

#[test]
fn a_configuration_that_passes_everything_on_is_refused() {
    let site = Site::new();
    site.set("preserve_env_variables = [\"*\"]");
    alice(&site).glexec(["true"]).refused_without_record(202, "config.invalid");
    let check = site.admin(["check"]);
    assert!(check.stdout().contains("a lone * passes on everything that a caller has"), "{check}");
}

#[test]
fn home_and_path_of_the_caller_count_only_where_the_site_names_them() {
    let site = Site::new();
    site.set("preserve_env_variables = [\"HOME\", \"P*\"]");
    let environment = environment(&no_proxy(&site).env("PATH", "/of/the/pilot").env("HOME", "/home/pilot"));
    assert!(environment.contains(b"HOME=/home/pilot".as_slice()));
    assert!(environment.contains(b"PATH=/usr/local/bin:/usr/bin:/bin".as_slice()));
}

#[test]
fn names_values_and_arguments_are_kept_byte_for_byte() {
    let site = Site::new();
    site.set("preserve_env_variables = [\"X*\"]");
    let odd =
        |prefix: &[u8]| OsString::from_vec([prefix, &(1..=255).filter(|b| *b != b'=').collect::<Vec<u8>>()].concat());
    let pilot = no_proxy(&site).env(odd(b"X"), odd(b"=")).env("GLEXEC_ENV", odd(b"")).arg0(odd(b""));
    let environment = environment(&pilot);
    let entry = [odd(b"X").into_vec(), b"==".to_vec(), odd(b"").into_vec()].concat();
    assert!(environment.contains(&entry), "{environment:?}");
    let words = [odd(b""), "".into(), "-".into(), "--".into(), "a b".into(), odd(b"$(")];
    let run = pilot.glexec([OsString::from("/usr/bin/printf"), "%s\\0".into()].iter().chain(&words));
    let expected: Vec<u8> = words.iter().flat_map(|word| [word.clone().into_vec(), vec![0]].concat()).collect();
    assert!(run.exits(0).stdout_bytes() == expected, "{run}");
}

#[test]
fn the_first_of_two_values_counts() {
    for site in Site::in_both_modes() {
        let pilot = alice(&site);
        let client = format!("GLEXEC_CLIENT_CERT={}", pilot.client_cert());
        let variables: [&[u8]; 7] = [
            b"GLEXEC_ENV=first",
            client.as_bytes(),
            b"GLEXEC_TARGET_PROXY=/dev/null",
            b"GLEXEC_CLIENT_CERT=/no/such/file",
            b"GLEXEC_ENV=second",
            b"no equals sign",
            b"=x",
        ];
        let run = pilot.execve(["glexec", "env"], &variables);
        let lines: BTreeSet<Vec<u8>> = run.exits(0).stdout().lines().map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!(lines, set(&[&BASIC[..], &["GLEXEC_ENV=first"]].concat()), "{run}");
        let twisted: [&[u8]; 2] = [b"GLEXEC_CLIENT_CERT=/no/such/file", client.as_bytes()];
        pilot.execve(["glexec", "env"], &twisted).refused(201, "credential.unreadable");
    }
}

#[test]
fn argument_zero_is_ignored_whatever_it_is() {
    let site = Site::new();
    for name in ["", "-h", "--", "sudo", "%n%s", "/bin/../../x"] {
        alice(&site).arg0(name).glexec(["id", "-un"]).succeeds_with("alice\n");
    }
}

#[test]
fn a_call_without_even_argument_zero_is_refused() {
    let site = Site::with_syslog();
    let client = format!("GLEXEC_CLIENT_CERT={}", alice(&site).client_cert());
    alice(&site).execve::<&str>([], &[client.as_bytes()]).refused(201, "invocation.empty-argv");
}

#[test]
fn options_end_at_the_first_operand() {
    let site = Site::new();
    let pilot = alice(&site);
    pilot.glexec(["echo", "-h", "--version", "--", "-V"]).succeeds_with("-h --version -- -V\n");
    pilot.glexec(["--", "echo", "--"]).succeeds_with("--\n");
    pilot.glexec(["--", "--help"]).refused(201, "command.not-found");
    pilot.glexec(["--"]).succeeds_with("");
}

#[test]
fn unknown_options_are_refused() {
    let site = Site::new();
    for bad in [&["-x"][..], &["--frobnicate", "id"], &["-hx"], &["--help=1"], &["-", "-x"]] {
        if bad == ["-", "-x"] {
            alice(&site).glexec(bad).refused(201, "command.not-found");
        } else {
            alice(&site).glexec(bad).refused(201, "invocation.usage");
        }
    }
}

#[test]
fn a_sentence_is_short_and_names_what_it_is_about_whatever_the_caller_says() {
    let site = Site::new();
    let long = "x".repeat(100_000);
    let (option, path) = (format!("--{long}"), format!("/{long}"));
    for (variable, argument, code) in [
        (("GLEXEC_MODE", &long), "id", "invocation.mode"),
        (("GLEXEC_SOURCE_PROXY", &path), "id", "credential.unreadable"),
        (("GLEXEC_TARGET_PROXY", &path), "id", "target-proxy.not-writable"),
        (("GLEXEC_ID", &long), &option, "invocation.usage"),
        (("GLEXEC_ID", &long), &path, "command.not-found"),
    ] {
        let run = alice(&site).env(variable.0, variable.1).reporting().glexec([argument]);
        let (said, reported) = (run.refused(201, code).stderr(), run.reported());
        let message = reported["message"].as_str().unwrap_or_default();
        assert!(said.len() < 400 && message.len() < 400 && message.contains("xxx..."), "{run}");
    }
    for (name, says) in [("", "GLEXEC_MODE=\"\" is neither"), ("a\u{202e}b", "GLEXEC_MODE=a\\u{202e}b is neither")] {
        let run = alice(&site).env("GLEXEC_MODE", name).glexec(["id"]);
        assert!(run.refused(201, "invocation.mode").stderr().contains(says), "{run}");
    }
    let run = alice(&site).glexec([""]);
    assert!(run.refused(201, "command.not-found").stderr().contains(" \"\": the target account"), "{run}");
}

#[test]
fn anybody_gets_help_and_version_and_root_the_settings() {
    let site = Site::new();
    site.sh("rm /etc/glexec.conf");
    for who in ["mallory", "root"] {
        for option in ["-h", "--help"] {
            let run = site.caller(who).glexec([option, "id"]);
            assert!(run.exits(0).stdout().contains("GLEXEC_CLIENT_CERT") && run.stderr().is_empty(), "{run}");
        }
        for option in ["-v", "--version"] {
            let version = format!("glexec {}\n", env!("CARGO_PKG_VERSION"));
            site.caller(who).glexec([option]).succeeds_with(&version);
        }
    }
    site.caller("root").glexec(["-V"]).succeeds_with("GLEXEC_CONFIG_FILE=\"/etc/glexec.conf\"\n");
    site.caller("mallory").glexec(["-V"]).refused_without_record(201, "invocation.usage");
    let full = site.caller("mallory").sh("/usr/sbin/glexec -h > /dev/full");
    assert!(full.code() != Some(0) && full.stderr().is_empty(), "{full}");
}

#[test]
fn the_marks_by_which_htcondor_finds_a_jobs_processes_are_passed_on_and_nothing_that_looks_like_them() {
    for site in Site::in_both_modes() {
        let pilot = site.pilot().credential("alice").env("_CONDOR_ANCESTOR_42", "43:1700000000:123");
        let pilot = pilot.env("_CONDOR_ANCESTOR_7", "$(id)").env("_CONDOR_ANCESTOR_X", "1").env("_CONDOR_SLOT", "1");
        let run = pilot.glexec(["sh", "-c", "env | grep _CONDOR"]);
        run.succeeds_with("_CONDOR_ANCESTOR_42=43:1700000000:123\n");
    }
}
