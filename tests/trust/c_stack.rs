//! Where the verifier and the C stack differ about the same files, and why.

use super::NOW;
use super::corpus::{Asked, Case, Files, GROUPS};
use super::differences::{LAX, Place, UNPRINTABLE, in_pem, is_accepted};
use glexec_core::credentials::{Credentials, Presence};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// What the C stack cannot be asked here: it gets copies of the trust directories.
const NOT_ASKED: &str = "trust.insecure-permissions";

struct Question {
    group: &'static str,
    case: &'static Case,
    asked: &'static Asked,
}

/// Whether a policy is one of those that the C stack comes near to. It has no such choices: it takes every generation
/// of proxies, looks at CRLs where there are any and at no signing policy, and passes over bad attribute certificates.
fn has(policy: &Credentials) -> bool {
    let mut rest = policy.clone();
    let default = Credentials::default();
    rest.proxy_types = default.proxy_types.clone();
    rest.bad_ac = default.bad_ac;
    rest.signing_policy = default.signing_policy;
    if rest.crl == Presence::IfPresent {
        rest.crl = default.crl;
    }
    format!("{rest:?}") == format!("{default:?}")
}

fn questions() -> Vec<Question> {
    let cases = GROUPS.iter().flat_map(|group| group.cases().iter().map(|case| (group.name, case)));
    cases
        .filter(|(_, case)| case.expected != NOT_ASKED)
        .filter_map(|(group, case)| Some(Question { group, case, asked: case.asked.as_ref()? }))
        .filter(|question| has(&question.asked.policy))
        .collect()
}

/// The driver, compiled.
fn driver() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trust/driver.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c-stack-driver");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(source);
    let built = gcc.args(["-llcmaps_return_account_from_pem", "-llcmaps"]).output().unwrap();
    let why = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success(), "packaging/install-missing installs what this needs: {why}");
    program
}

const DATABASE: &str = r#"path = /usr/lib/lcmaps
verify = "lcmaps_verify_proxy.mod" "-certdir certificates" "--allow-limited-proxy"
good = "lcmaps_dummy_good.mod" "--dummy-uid 1000" "--dummy-gid 1000"
all:
verify -> good
"#;

/// The C stack, in a process with a host name of its own.
struct Stack {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Stack {
    fn start(place: &Path) -> Stack {
        let (database, hosts) = (place.join("lcmaps.db"), place.join("hosts"));
        std::fs::write(&database, DATABASE).unwrap();
        std::fs::write(&hosts, "127.0.0.1 wn1.example.org\n").unwrap();
        let script = "mount --bind \"$1\" /etc/hosts; hostname wn1.example.org; shift; exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--uts", "sh", "-ec", script, "sh"]).arg(hosts);
        command.arg(driver()).arg(database).arg(NOW.to_string()).env_clear().envs([
            ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LCMAPS_POLICY_NAME", "all"),
            ("LCMAPS_LOG_FILE", "/dev/null"),
            ("LCMAPS_DEBUG_LEVEL", "0"),
            ("X509_CERT_DIR", "certificates"),
            ("X509_VOMS_DIR", "vomsdir"),
            // libvomsapi trusts the system's bundle too, and reads it at every question.
            ("SSL_CERT_FILE", "/nonexistent"),
            ("SSL_CERT_DIR", "/nonexistent"),
        ]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (questions, answers) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Stack { process, questions, answers }
    }

    /// The name and the FQANs, where the C stack accepts.
    fn ask(&mut self, directory: &Path, file: &[u8]) -> Option<Vec<String>> {
        let hex: String = file.iter().map(|byte| format!("{byte:02x}")).collect();
        let question = format!("{} {hex}\n", directory.display());
        self.questions.as_mut().unwrap().write_all(question.as_bytes()).unwrap();
        let mut line = String::new();
        assert!(self.answers.read_line(&mut line).unwrap() > 0, "the C stack has died: {:?}", self.process.wait());
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let text = |hex: &str| -> String { hex.as_bytes().chunks(2).map(|pair| char::from(byte(pair))).collect() };
        (line != "-\n").then(|| line.split_whitespace().map(text).collect())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.process.wait();
    }
}

fn fill(directory: &Path, files: &Files) {
    std::fs::create_dir_all(directory).unwrap();
    for (name, bytes) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn answers(questions: &[Question]) -> Vec<Option<Vec<String>>> {
    let place = Place(format!("/tmp/glexec-c-stack-{}", std::process::id()).into());
    std::fs::create_dir_all(&place.0).unwrap();
    let mut stack = Stack::start(&place.0);
    let mut before: Option<&Asked> = None;
    let mut number = 0;
    let mut all = Vec::new();
    for question in questions {
        let asked = question.asked;
        let known = before.is_some_and(|before| {
            Arc::ptr_eq(&before.certificates, &asked.certificates) && Arc::ptr_eq(&before.vomsdir, &asked.vomsdir)
        });
        number += i32::from(!known);
        before = Some(asked);
        let directory = place.0.join(number.to_string());
        if !known {
            let pem = asked.certificates.iter().map(|(name, bytes)| (name.clone(), in_pem(name, bytes))).collect();
            fill(&directory.join("certificates"), &pem);
            fill(&directory.join("vomsdir"), &asked.vomsdir);
        }
        all.push(stack.ask(&directory, &asked.file));
    }
    all
}

/// What the C stack says otherwise, if anything.
fn otherwise(expected: &str, answer: Option<&[String]>) -> Option<&'static str> {
    let [name, theirs @ ..] = answer.unwrap_or_default() else { return is_accepted(expected).then_some("refuses") };
    let short = |fqan: &str| fqan.replace("/Role=NULL", "").replace("/Capability=NULL", "");
    let forms = ["EndEntity", "FullProxy", "LimitedProxy"];
    let cut = |form| expected.split_once(&format!(" {form}"));
    match forms.into_iter().find_map(cut) {
        None if theirs.is_empty() => Some("accepts"),
        None => Some("accepts with FQANs"),
        Some((subject, _)) if subject != name => Some("accepts another name"),
        Some((_, fqans))
            if short(fqans) == theirs.iter().map(|fqan| format!(" {}", short(fqan))).collect::<String>() =>
        {
            None
        }
        Some(_) if theirs.is_empty() => Some("accepts without FQANs"),
        Some(_) => Some("accepts with FQANs"),
    }
}

#[test]
fn the_c_stack_differs_where_it_is_known_to() {
    let questions = questions();
    let answers = answers(&questions);
    let mut wrong = Vec::new();
    let mut met = 0;
    for (question, answer) in questions.iter().zip(&answers) {
        let (name, here) = (question.case.name.as_str(), &question.case.expected);
        let known = DIFFERENCES
            .iter()
            .find(|known| known.cases.iter().any(|(group, names)| *group == question.group && names.contains(&name)));
        met += usize::from(known.is_some());
        let theirs = otherwise(here, answer.as_deref());
        if theirs != known.map(|known| known.theirs) && !known.is_some_and(|known| known.varies) {
            let expected = known.map_or("the same", |known| known.theirs);
            wrong.push(format!(
                "{}: {name}: {here} here; of the C stack {expected} is expected, not {answer:?}",
                question.group
            ));
        }
    }
    let listed = DIFFERENCES.iter().flat_map(|known| known.cases).map(|(_, names)| names.len()).sum::<usize>();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), questions.len(), wrong.join("\n"));
    assert_eq!(met, listed, "not every difference is a case that the C stack is asked about, once");
}

/// The part of the documentation.
pub fn section() -> String {
    use std::fmt::Write;
    let cases = GROUPS.iter().map(|group| group.cases().len()).sum::<usize>();
    let asked = questions().len();
    let listed = DIFFERENCES.iter().flat_map(|known| known.cases).map(|(_, names)| names.len()).sum::<usize>();
    let mut text = PREFACE.replace("$ASKED", &asked.to_string()).replace("$OTHERS", &(cases - asked).to_string());
    text = text.replace("$SAME", &(asked - listed).to_string());
    for known in DIFFERENCES {
        let varies = if known.varies { " (not all versions)" } else { "" };
        write!(text, "\n### The C stack {}{varies}: {}\n\n| case | here |\n|---|---|\n", known.theirs, known.why)
            .unwrap();
        for (group, names) in known.cases {
            let group = GROUPS.iter().find(|known| known.name == *group).unwrap();
            for name in *names {
                let case = group.cases().iter().find(|case| case.name == *name).unwrap();
                writeln!(text, "| {}: {name} | `{}` |", group.title(), case.expected).unwrap();
            }
        }
    }
    text
}

const PREFACE: &str = "
## gLExec with LCMAPS (`verify_proxy`) and libvomsapi

$ASKED cases of the corpus are put before the real C stack too, in one process with the same files at the same time:
LCMAPS with the policy `verify_proxy -> dummy_good`, and libvomsapi, which LCMAPS asks for the FQANs. It says the same of
$SAME: accepted or refused, the name and the FQANs (`/Role=NULL` and `/Capability=NULL` aside). The others follow, by
reason; another difference, or one that vanishes, fails the test. Measured with lcmaps 1.6.6, verify-proxy 1.5.10 and
libvomsapi 2.1.0~rc3 on OpenSSL 3.0.19.

$OTHERS cases are not asked: those of policies that the C stack has no settings for, of the pilot's and the source proxy, of
a missing key, and of the permissions of files. Two differences are beyond the test: it accepts a proxy file that everybody
can read (the caller had to look; here it is refused), and an attribute certificate whose CA is in OpenSSL's default bundle
alone (here only the CA directory is trusted). Where both refuse, the C stack says the same sentence for most reasons; here
each has its own.
";

/// Cases of which the C stack says something else, and why: groups and their cases.
struct Difference {
    why: &'static str,
    theirs: &'static str,
    /// Its versions differ: the cases may or may not be differences.
    varies: bool,
    cases: &'static [(&'static str, &'static [&'static str])],
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        why: "it judges them; here who has a name of a form that is constrained and not judged is refused",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "name_constraints_bind_alternative_names_too",
            &[
                "permitted mail names, and one is there",
                "excluded DNS names, and one is there",
                "excluded URI names, and one is there",
                "permitted address names, and one is there",
            ],
        )],
    },
    Difference {
        why: "a NumericString is another value to it than the same digits, and letters beyond ASCII have one case",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "name_constraints_bind_alternative_names_too",
            &["an excluded name in another string type", "an excluded name in other case, beyond ASCII"],
        )],
    },
    Difference {
        why: "its proxies are compared as text, in which a BMPString has other bytes",
        theirs: "refuses",
        varies: false,
        cases: &[(
            "names_are_equal_whatever_string_type_carries_them",
            &["the user's name as a BMPString, the copy as UTF-8"],
        )],
    },
    Difference {
        why: "it compares names without regard to case",
        theirs: "accepts",
        varies: false,
        cases: &[("names_are_equal_whatever_string_type_carries_them", &["the CA's name in capitals"])],
    },
    Difference {
        why: "it reads BER and asks for less than RFC 5280, RFC 3820 and DER; parsers that differ are how identities get confused",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
                &["proxyCertInfo and more", "a negative path length"],
            ),
            ("lax_certificates_are_malformed", LAX),
        ],
    },
    Difference {
        why: "it takes every generation of proxies; here `proxy_types` has to name the older ones, which nobody makes any more",
        theirs: "accepts",
        varies: false,
        cases: &[
            ("a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule", &["GT3"]),
            (
                "older_generations_pass_only_where_they_are_named_and_never_mixed",
                &[
                    "none named: legacy",
                    "none named: legacy limited",
                    "none named: GT3",
                    "none named: GT3 limited",
                    "none named: GT3, not critical, in RFC 3820's order",
                    "none named: GT3 with CA flag",
                    "none named: legacy of version 1",
                    "legacy named: GT3",
                    "legacy named: GT3 limited",
                    "legacy named: GT3, not critical, in RFC 3820's order",
                    "legacy named: GT3 with CA flag",
                    "GT3 named: legacy",
                    "GT3 named: legacy limited",
                    "GT3 named: legacy of version 1",
                ],
            ),
        ],
    },
    Difference {
        why: "RFC 3820 section 3.8.2: such a proxy does not stand for its user; it asks for no policy language",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
                &["independent", "anyLanguage", "unknown language", "a policy", "an empty policy"],
            ),
            (
                "older_generations_pass_only_where_they_are_named_and_never_mixed",
                &[
                    "none named: GT3, independent",
                    "none named: GT3, unknown language",
                    "legacy named: GT3, independent",
                    "legacy named: GT3, unknown language",
                    "GT3 named: GT3, independent",
                    "GT3 named: GT3, unknown language",
                    "both named: GT3, independent",
                    "both named: GT3, unknown language",
                ],
            ),
        ],
    },
    Difference {
        why: "it does not ask proxies for their extensions and key usage",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
                &["name constraints", "key usage without digitalSignature"],
            ),
            (
                "older_generations_pass_only_where_they_are_named_and_never_mixed",
                &[
                    "legacy named: legacy of version 1",
                    "GT3 named: GT3 with CA flag",
                    "both named: GT3 with CA flag",
                    "both named: legacy of version 1",
                ],
            ),
        ],
    },
    Difference {
        why: "it has no such budget",
        theirs: "accepts",
        varies: false,
        cases: &[
            ("a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule", &["twenty proxies"]),
            ("the_file_is_pem_with_the_leaf_first_and_its_key_anywhere", &["too many certificates"]),
            ("lax_certificates_are_malformed", &["a certificate longer than any", "41 extensions"]),
        ],
    },
    Difference {
        why: "a last CN of `proxy` makes a certificate a proxy to it, no matter who signed it; here a CA's certificate is a user's",
        theirs: "accepts another name",
        varies: false,
        cases: &[(
            "older_generations_pass_only_where_they_are_named_and_never_mixed",
            &[
                "none named: the same with Alice's certificate beside it",
                "legacy named: the same with Alice's certificate beside it",
                "GT3 named: the same with Alice's certificate beside it",
                "both named: the same with Alice's certificate beside it",
            ],
        )],
    },
    Difference {
        why: "a last CN of `proxy` makes a certificate a proxy to it, no matter who signed it; here a CA's certificate is a user's",
        theirs: "refuses",
        varies: false,
        cases: &[(
            "older_generations_pass_only_where_they_are_named_and_never_mixed",
            &[
                "none named: a CA's certificate for CN=proxy",
                "legacy named: a CA's certificate for CN=proxy",
                "GT3 named: a CA's certificate for CN=proxy",
                "both named: a CA's certificate for CN=proxy",
            ],
        )],
    },
    Difference {
        why: "it overrides what OpenSSL says of CAs and purposes, and asks less itself: a CA needs no basic constraints, and what a user has signed below the own name is a proxy whatever its last CN says",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "older_generations_pass_only_where_they_are_named_and_never_mixed",
                &[
                    "none named: legacy with a wrong word",
                    "legacy named: legacy with a wrong word",
                    "GT3 named: legacy with a wrong word",
                    "both named: legacy with a wrong word",
                ],
            ),
            ("a_purpose_counts_where_it_is_critical", &["serverAuth alone"]),
            ("cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas", &["no basic constraints"]),
        ],
    },
    Difference {
        why: "OpenSSL asks a user with keyUsage for the right to sign certificates, as if of a CA, when the proxy below is an older one (error 32)",
        theirs: "refuses",
        varies: false,
        cases: &[(
            "older_generations_pass_only_where_they_are_named_and_never_mixed",
            &[
                "legacy named: legacy of legacy",
                "legacy named: legacy, three deep",
                "GT3 named: GT3 of GT3",
                "both named: legacy of legacy",
                "both named: GT3 of GT3",
                "both named: legacy, three deep",
            ],
        )],
    },
    Difference {
        why: "it reads a CRL of the file too, and fails on one that is malformed",
        theirs: "refuses",
        varies: false,
        cases: &[("the_file_is_pem_with_the_leaf_first_and_its_key_anywhere", &["a foreign block"])],
    },
    Difference {
        why: "it takes from the file what it knows and passes over the rest; the first key counts",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "the_file_is_pem_with_the_leaf_first_and_its_key_anywhere",
            &[
                "two keys",
                "a certificate with OpenSSL's trust settings",
                "an attribute certificate of its own",
                "a key named as the older kind",
                "an end without a beginning",
                "blanks inside the base64",
                "a byte order mark",
            ],
        )],
    },
    Difference {
        why: "the file is a C string to it, and ends there",
        theirs: "refuses",
        varies: false,
        cases: &[("the_file_is_pem_with_the_leaf_first_and_its_key_anywhere", &["a NUL between blocks"])],
    },
    Difference {
        why: "it takes the certificate before the first that is no proxy to it for the user, in the order of the file",
        theirs: "accepts another name",
        varies: false,
        cases: &[(
            "blocks_may_stand_in_any_order_that_has_the_leaf_before_the_rest",
            &["two proxies, the user between them"],
        )],
    },
    Difference {
        why: "RFC 5280 section 4.1.2.5 and 5.1.2.5: both ends belong to the time; it ends one second earlier",
        theirs: "refuses",
        varies: false,
        cases: &[
            ("every_certificate_must_be_valid_now_and_both_ends_belong_to_the_time", &["the last second"]),
            ("crls_are_needed_current_genuine_and_complete", &["its last second"]),
        ],
    },
    Difference {
        why: "it prints such names into logs and map files",
        theirs: "accepts",
        varies: false,
        cases: &[("lax_certificates_are_malformed", UNPRINTABLE)],
    },
    Difference {
        why: "the sizes and kinds of keys are logged only",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far",
            &["a proxy by RSA with 1024 bits", "a user with RSA of 1024 bits", "P-224", "secp256k1", "Ed25519"],
        )],
    },
    Difference {
        why: "MD5 and SHA-1 bring a warning only, other digests are not asked; forged certificates have been made with both",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far",
                &["RSA and SHA-1", "RSA and MD5", "ECDSA and SHA-1", "ECDSA and SHA-224"],
            ),
            ("cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas", &["signed with SHA-1"]),
            ("crls_are_needed_current_genuine_and_complete", &["SHA-1"]),
        ],
    },
    Difference {
        why: "RFC 5758 section 3.2: ECDSA has no parameters",
        theirs: "accepts",
        varies: false,
        cases: &[("weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far", &["ECDSA with parameters"])],
    },
    Difference {
        why: "`X509_NAME_oneline` writes bytes beyond ASCII in hexadecimal, `/` and `+` with a backslash and a backslash without; here the name in UTF-8, with a backslash where it would be read as another name",
        theirs: "accepts another name",
        varies: false,
        cases: &[
            (
                "names_that_look_alike_are_different_people",
                &[
                    "/O=x/CN=host/foo.example.org FullProxy",
                    "/O=x/CN=Jürgen FullProxy",
                    "/CN=Jürgen FullProxy",
                    "/O=x/CN=C++ FullProxy",
                    "/O=x/CN=http://www.x.org FullProxy",
                    "/O=x/CN=a\\\\b FullProxy",
                    "/CN=Jü FullProxy",
                ],
            ),
            ("policies_are_written_in_many_ways", &["signing policy: UTF-8", "signing policy: bytes in hexadecimal"]),
        ],
    },
    Difference {
        why: "it judges them; here a critical extension that is not judged refuses",
        theirs: "accepts",
        varies: false,
        cases: &[("cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas", &["policy constraints"])],
    },
    Difference {
        why: "OpenSSL takes a list of no names for none; RFC 5280 section 4.2.1.10 does not let it be empty",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
            &["constraints that permit nothing"],
        )],
    },
    Difference {
        why: "OpenSSL asks every CA that names purposes for clientAuth itself; here a purpose counts where it is critical, and any is one",
        theirs: "refuses",
        varies: false,
        cases: &[(
            "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
            &["for any purpose", "for serverAuth alone, not critical"],
        )],
    },
    Difference {
        why: "OpenSSL's own format",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
            &["a CA file with OpenSSL's own trust settings"],
        )],
    },
    Difference {
        why: "it asks no CRL for proxies; the serial number of a proxy on the list of the user's CA refuses here",
        theirs: "accepts",
        varies: false,
        cases: &[
            ("crls_are_needed_current_genuine_and_complete", &["the proxy"]),
            (
                "crls_are_asked_at_every_level",
                &["the proxy's number on the list of the user's CA", "the proxy in the middle"],
            ),
        ],
    },
    Difference {
        why: "it asks lists for less than RFC 5280, or passes over those that say more than it reads; a list of the CA that is not understood refuses here",
        theirs: "accepts",
        varies: false,
        cases: &[(
            "crls_are_needed_current_genuine_and_complete",
            &[
                "without nextUpdate",
                "by another issuer",
                "an entry with a certificate issuer: indirect",
                "version 0",
                "extensions in version 1",
                "the user, with zeros before the number",
                "something behind the list",
                "a delta beside a full list",
            ],
        )],
    },
    Difference {
        why: "it asks lists for less than RFC 5280, or passes over those that say more than it reads; a list of the CA that is not understood refuses here",
        theirs: "accepts",
        varies: true,
        cases: &[
            ("crls_are_needed_current_genuine_and_complete", &["delta", "indirect"]),
            (
                "a_crl_counts_for_the_certificates_that_it_speaks_for",
                &[
                    "for some reasons only",
                    "for some reasons only, not critical",
                    "indirect, not critical",
                    "for nobody in particular, not critical",
                    "for users only and for CAs only",
                    "a delta, not critical",
                    "an entry of another issuer, not critical",
                ],
            ),
        ],
    },
    Difference {
        why: "OpenSSL asks for a list that speaks for the anchor, too, which no list revokes here",
        theirs: "refuses",
        varies: false,
        cases: &[(
            "a_crl_counts_for_the_certificates_that_it_speaks_for",
            &[
                "for users only",
                "for users only, not critical",
                "of the place that the user's certificate names",
                "of that place, not critical",
                "of one of two places that it names",
                "of a place with two names",
                "for users only, of the place that is named",
            ],
        )],
    },
    Difference {
        why: "without a CRL it accepts, even a revoked certificate, and what is not a list to it is none; here `crl = \"require\"`, so that an attacker who removes a list gains nothing",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "crls_are_needed_current_genuine_and_complete",
                &[
                    "no CRL at all",
                    "cut off",
                    "one that is cut off, beside a good list",
                    "an entry's extension that is none",
                    "without thisUpdate",
                    "an entry without a number",
                    "PEM by another name",
                    "PEM that breaks off",
                    "an empty file",
                    "a list with the number 1 and none with 0",
                    "no list, but required",
                ],
            ),
            ("crls_are_asked_at_every_level", &["the anchor's list"]),
        ],
    },
    Difference {
        why: "of several lists or CAs of one name it takes one; here every list counts that the right CA signed",
        theirs: "accepts",
        varies: false,
        cases: &[("crls_are_needed_current_genuine_and_complete", &["revoked by the older of two lists"])],
    },
    Difference {
        why: "of several lists or CAs of one name it takes one; here every list counts that the right CA signed",
        theirs: "refuses",
        varies: false,
        cases: &[
            ("crls_are_needed_current_genuine_and_complete", &["of two, only the one that the CA signed counts"]),
            (
                "of_several_cas_with_one_hash_the_one_with_the_right_key_is_found",
                &["the third of three CAs", "the sixteenth"],
            ),
        ],
    },
    Difference {
        why: "an anchor is trusted because the site put it there",
        theirs: "refuses",
        varies: false,
        cases: &[("crls_are_asked_at_every_level", &["the anchor's own number on its list"])],
    },
    Difference {
        why: "it looks at no signing policy, which is what the site agreed to",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "signing_policies_bind_every_ca",
                &[
                    "the user",
                    "the CA",
                    "a signing policy that cannot be read",
                    "no policy, but required",
                    "namespaces for other names",
                    "of another CA",
                    "namespaces that cannot be read",
                    "both must permit",
                    "the root's file says no for the CA below it",
                    "the root's file says no, judged because it is there",
                    "the root's file says yes, the CA's own no",
                    "SELF is the root alone",
                    "the root's namespaces deny a user of the CA below it",
                    "neither file speaks of the CA",
                ],
            ),
            (
                "a_ca_may_have_quotes_in_its_name",
                &["an apostrophe, and names of others", "an apostrophe without a backslash"],
            ),
            (
                "policies_are_written_in_many_ways",
                &[
                    "signing policy: a pattern in other case",
                    "signing policy: a pattern that ends too soon",
                    "signing policy: no condition",
                    "signing policy: no right",
                    "signing policy: another CA",
                    "signing policy: an empty file",
                    "signing policy: a right that is denied",
                    "signing policy: a condition before any CA",
                    "signing policy: a quote that is not closed",
                    "signing policy: binary",
                    "signing policy: a CA that is not of X509",
                    "signing policy: two values that are not in one",
                    "signing policy: two double quotes in a row",
                    "signing policy: several CAs, the user's names at another's",
                    "signing policy: not UTF-8",
                    "signing policy: a slash in a value is not one between names",
                    "namespaces: not the whole name",
                    "namespaces: a denial after the permission",
                    "namespaces: a denial before the permission",
                    "namespaces: a denial alone",
                    "namespaces: another CA alone",
                    "namespaces: nothing",
                    "namespaces: cut off",
                    "namespaces: an unknown word",
                    "namespaces: an expression that looks back",
                    "namespaces: an expression that looks ahead",
                    "namespaces: a later version",
                    "namespaces: another CA's broken expression",
                ],
            ),
        ],
    },
    Difference {
        why: "OpenSSL has dropped the old hash",
        theirs: "refuses",
        varies: false,
        cases: &[(
            "the_directory_is_found_by_the_old_hash_too",
            &["everything under the old hash", "the CA's name as a PrintableString, its hash as of UTF-8"],
        )],
    },
    Difference {
        why: "it asks for noRevAvail and an authority key identifier that is not critical, and for exactly the certificates that the .lsc file names; and it believes none where one of two is bad",
        theirs: "accepts without FQANs",
        varies: false,
        cases: &[(
            "voms_attributes_are_proved_or_refused",
            &[
                "two in one proxy: the first",
                "a critical authority key identifier",
                "no extension at all but the certificates",
                "the anchor embedded too",
            ],
        )],
    },
    Difference {
        why: "it reads targets as VOMS servers write them only",
        theirs: "accepts without FQANs",
        varies: false,
        cases: &[(
            "voms_attributes_are_proved_or_refused",
            &[
                "for this host",
                "for this host, in RFC 5755's form",
                "for this host and another",
                "for this host in capitals",
            ],
        )],
    },
    Difference {
        why: "an attribute certificate that it does not believe is passed over, and the user mapped by the name alone; here it refuses, since a ban by FQAN must not be shed (`bad_ac`)",
        theirs: "accepts",
        varies: false,
        cases: &[
            (
                "voms_attributes_are_proved_or_refused",
                &[
                    "for other hosts, as VOMS servers write it",
                    "for nobody, as VOMS servers write it",
                    "targets that are wrapped once too often",
                    "for another host",
                    "of Bob",
                    "of Alice at another CA",
                    "altered, by a server with RSA",
                    "signed by the user",
                    "by a server without .lsc",
                    "by a server of a false CA, with RSA",
                    "in another server's name",
                    "without the server's certificate",
                    "of an unknown VO",
                    "of a VO called ..",
                    "of a VO with a slash",
                    "of no VO",
                    "another VO's group",
                    "a VO whose name starts alike",
                    "not a group",
                    "no group",
                    "expired for an hour",
                    "of the future, in an hour",
                    "an unknown critical extension",
                    "backwards",
                    "a time without seconds",
                    "for another certificate of Alice",
                    "for the proxy instead of the user",
                    "for Alice by subject, with the number of another certificate",
                    "for Bob by subject",
                    "a holder without a name",
                    "a negative serial number of the holder",
                    "for no host",
                    "for a host of which this one's name is a part",
                    "targets that are none",
                    "for a group of hosts",
                    "with RSA, by a key that is not the server's",
                    "by a proxy of the server",
                    "eleven certificates embedded",
                    "an embedded certificate that is none",
                    "a false anchor embedded",
                    "a VO in capitals",
                    "a hidden VO",
                    "a VO with a NUL",
                    "an empty VO",
                    "a VO of 256 letters",
                    "a line feed",
                    "a NUL",
                    "one foreign group at the end",
                    "of Bob, in a proxy below one with Alice's",
                    "two kinds of holder",
                    "not an AC",
                    "no AC",
                    "not DER",
                    "too long",
                    "by an expired server, with RSA",
                ],
            ),
            (
                "a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo",
                &[
                    "an empty file",
                    "without the CA",
                    "in the wrong order",
                    "another server's",
                    "a file that cannot be read",
                    "a chain torn in two",
                    "in small letters",
                    "the server twice, no CA",
                    "stars",
                    "names of stars",
                    "in a file that is no .lsc file",
                    "a VO without any file",
                    "its chain at another VO",
                    "an embedded CA must be named",
                ],
            ),
        ],
    },
    Difference {
        why: "it does not ask what the server's key may be used for (RFC 5755 section 4.5)",
        theirs: "accepts with FQANs",
        varies: false,
        cases: &[("voms_attributes_are_proved_or_refused", &["by a server whose key may not sign"])],
    },
    Difference {
        why: "an attribute certificate signed with ECDSA is believed no matter who signed it, and of the server's certificate no more is asked than its name in the .lsc file; with RSA the signature and the certificate are checked (the cases \"with RSA\")",
        theirs: "accepts with FQANs",
        varies: false,
        cases: &[
            (
                "voms_attributes_are_proved_or_refused",
                &[
                    "altered",
                    "signed by another key",
                    "by a server of a false CA",
                    "by an expired server",
                    "with SHA-1",
                    "by a server with a weak key",
                    "by a server that is a CA",
                    "by a server for mail only",
                    "by a server of the future",
                    "by a server with an unknown critical extension",
                ],
            ),
            (
                "a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo",
                &[
                    "with more than there is",
                    "a revoked server",
                    "a server outside its CA's policy",
                    "a CA for mail and code only",
                    "what the site has to fix is its own class",
                    "and is not ignored",
                ],
            ),
            (
                "a_bad_ac_is_dropped_where_the_site_says_so",
                &["altered", "the nearest to the leaf is bad: the one behind it does not count"],
            ),
        ],
    },
    Difference {
        why: "it reads attribute certificates laxer, and FQANs as they come",
        theirs: "accepts with FQANs",
        varies: false,
        cases: &[
            (
                "voms_attributes_are_proved_or_refused",
                &[
                    "a group with blanks",
                    "a group called ..",
                    "101 groups",
                    "an extension twice",
                    "for another host, not critical",
                    "a role twice",
                    "a capability before the role",
                    "an empty role",
                    "a group behind the role",
                    "a star",
                    "a quote",
                    "an FQAN of 600 letters",
                    "version 1",
                    "something behind",
                ],
            ),
            ("a_bad_ac_is_dropped_where_the_site_says_so", &["malformed"]),
        ],
    },
    Difference {
        why: "it gives attribute certificates five minutes at both ends",
        theirs: "accepts with FQANs",
        varies: false,
        cases: &[
            ("voms_attributes_are_proved_or_refused", &["expired", "of the future"]),
            ("a_bad_ac_is_dropped_where_the_site_says_so", &["expired"]),
        ],
    },
    Difference {
        why: "it takes them from any certificate of the file; here from proxies, which VOMS clients put them into",
        theirs: "accepts with FQANs",
        varies: false,
        cases: &[("voms_attributes_are_proved_or_refused", &["in the user's certificate: not looked at"])],
    },
    Difference {
        why: "OpenSSL does not know the extension, and it overrides that in the user's part only",
        theirs: "refuses",
        varies: false,
        cases: &[("voms_attributes_are_proved_or_refused", &["a critical extension with attributes"])],
    },
    Difference {
        why: "it reads the server's own .lsc file only, and that with fewer liberties",
        theirs: "accepts without FQANs",
        varies: false,
        cases: &[(
            "a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo",
            &[
                "CRLF, a comment, blanks",
                "in the file of another server of the VO",
                "a service's name as .lsc files write it",
            ],
        )],
    },
];
