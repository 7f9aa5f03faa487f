//! Where the verifier and `openssl verify` differ about the same files, and why.

use super::corpus::{Case, Files, GROUPS, document};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

const OPTIONS: &[&str] = &["-allow_proxy_certs", "-crl_check_all", "-no-CAfile", "-no-CAstore"];

/// Refusals for what openssl verify is not asked and cannot be: it sees certificates and CRLs, nothing else.
const NOT_ASKED: &[(&str, &str)] = &[
    ("credential.no-private-key", "it does not look at private keys"),
    ("credential.several-keys", "it does not look at private keys"),
    ("credential.encrypted-key", "it does not look at private keys"),
    ("credential.key-mismatch", "it does not look at private keys"),
    ("credential.no-certificate", "it has nothing to look at"),
    ("credential.too-large", "it has no budget for the file"),
    ("credential.chain-too-long", "it has no budget for the number of certificates"),
    ("credential.signing-policy", "it knows no signing policies"),
    ("trust.signing-policy", "it knows no signing policies"),
    ("trust.insecure-permissions", "it does not ask who can write the trust directory"),
    ("voms.", "it knows no VOMS attributes"),
];

/// Groups about how the file is read, which is done for openssl here.
const NOT_ASKED_AT_ALL: &[&str] = &[
    "the_file_is_pem_with_the_leaf_first_and_its_key_anywhere",
    "blocks_may_stand_in_any_order_that_has_the_leaf_before_the_rest",
];

struct Question<'a> {
    group: &'static str,
    case: &'a Case,
    certificates: &'a Arc<Files>,
    leaf: String,
    rest: String,
}

/// The PEM blocks of certificates, as they stand.
fn certificates(file: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(file).replace('\r', "");
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    blocks
        .filter_map(|block| block.split_once("-----END CERTIFICATE-----"))
        .map(|(body, _)| format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n"))
        .collect()
}

fn questions() -> Vec<Question<'static>> {
    let mut all = Vec::new();
    for group in GROUPS.iter().filter(|group| !NOT_ASKED_AT_ALL.contains(&group.name)) {
        for case in group.cases() {
            let Some(asked) = case.asked.as_ref().filter(|asked| asked.is_ordinary()) else { continue };
            let blocks = certificates(&asked.file);
            let ours = NOT_ASKED.iter().any(|(code, _)| case.expected.starts_with(code));
            if let (Some((leaf, rest)), false) = (blocks.split_first(), ours) {
                let (leaf, rest) = (leaf.clone(), rest.concat());
                all.push(Question { group: group.name, case, certificates: &asked.certificates, leaf, rest });
            }
        }
    }
    all
}

/// A directory that vanishes with the value.
pub struct Place(pub PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether openssl verify accepts, and what it says.
fn verify(place: &Path, number: usize, question: &Question, directory: &Path) -> (bool, String) {
    let (leaf, rest) = (place.join(format!("{number}.leaf")), place.join(format!("{number}.rest")));
    std::fs::write(&leaf, &question.leaf).unwrap();
    let mut command = Command::new("openssl");
    command.arg("verify").args(OPTIONS).args(["-attime", &super::NOW.to_string(), "-CApath"]).arg(directory);
    if !question.rest.is_empty() {
        std::fs::write(&rest, &question.rest).unwrap();
        command.arg("-untrusted").arg(&rest);
    }
    let output = command.arg(&leaf).stdin(Stdio::null()).output().expect("openssl: apt-get install openssl");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn answers(questions: &[Question]) -> Vec<(bool, String)> {
    let place = Place(format!("/tmp/glexec-differences-{}", std::process::id()).into());
    let mut directories: Vec<&Arc<Files>> = Vec::new();
    for question in questions {
        if directories.iter().any(|known| Arc::ptr_eq(known, question.certificates)) {
            continue;
        }
        let path = place.0.join(format!("d{}", directories.len()));
        std::fs::create_dir_all(&path).unwrap();
        for (name, bytes) in question.certificates.iter() {
            std::fs::write(path.join(name), in_pem(name, bytes)).unwrap();
        }
        directories.push(question.certificates);
    }
    let ask = |(number, question): (usize, &Question)| {
        let at = directories.iter().position(|known| Arc::ptr_eq(known, question.certificates)).unwrap();
        verify(&place.0, number, question, &place.0.join(format!("d{at}")))
    };
    let all: Vec<(usize, &Question)> = questions.iter().enumerate().collect();
    let half = all.len() / 2;
    std::thread::scope(|scope| {
        let second = scope.spawn(|| all[half..].iter().copied().map(ask).collect::<Vec<_>>());
        let mut found: Vec<_> = all[..half].iter().copied().map(ask).collect();
        found.extend(second.join().unwrap());
        found
    })
}

/// openssl reads PEM only from a CApath directory; the corpus holds DER too.
pub fn in_pem(name: &str, bytes: &[u8]) -> Vec<u8> {
    let label = if name.contains(".r") { "X509 CRL" } else { "CERTIFICATE" };
    if bytes.first() == Some(&0x30) { super::pem(label, bytes).into_bytes() } else { bytes.to_vec() }
}

fn version() -> String {
    let output = Command::new("openssl").arg("version").output().unwrap();
    String::from_utf8_lossy(&output.stdout).split(' ').nth(1).unwrap_or_default().to_owned()
}

pub fn is_accepted(expected: &str) -> bool {
    expected.starts_with('/')
}

#[test]
fn openssl_verify_differs_where_it_is_known_to() {
    let questions = questions();
    let answers = answers(&questions);
    let version = version();
    let mut wrong = Vec::new();
    let mut met = vec![0; DIFFERENCES.len()];
    let mut counted = 0;
    for (question, (theirs, said)) in questions.iter().zip(&answers) {
        let ours = is_accepted(&question.case.expected);
        let known = DIFFERENCES
            .iter()
            .position(|known| known.group == question.group && known.cases.contains(&question.case.name.as_str()));
        let name = format!("{}: {}", question.group, question.case.name);
        if let Some(at) = known {
            met[at] += 1;
        }
        let may_vary = known.is_some_and(|at| DIFFERENCES[at].varies);
        if ours != *theirs {
            counted += 1;
        }
        match (ours == *theirs, known) {
            (true, Some(_)) if !may_vary => wrong.push(format!("no difference any more: {name}")),
            (false, None) => {
                wrong.push(format!("{name}: {} here, openssl {version} says {theirs} {said}", question.case.expected));
            }
            _ => {}
        }
    }
    for (known, met) in DIFFERENCES.iter().zip(&met) {
        if known.cases.len() != *met {
            wrong.push(format!("not all are cases that openssl is asked about: {} {:?}", known.group, known.cases));
        }
    }
    assert!(questions.len() >= 300, "{} cases, {counted} differences", questions.len());
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), questions.len(), wrong.join("\n"));
}

/// Cases where openssl verify says the opposite, and why.
struct Difference {
    group: &'static str,
    cases: &'static [&'static str],
    why: &'static str,
    /// Its versions differ: the case may or may not be a difference.
    varies: bool,
}

/// Certificates that parsers of BER read.
pub const LAX: &[&str] = &[
    "a negative serial number",
    "a serial number of 21 octets",
    "something behind everything",
    "an indefinite length",
    "a length in too many octets",
    "version 4",
    "extensions in version 2",
    "a unique identifier in version 1",
];

/// Certificates with names that would garble a log or a map file.
pub const UNPRINTABLE: &[&str] = &[
    "a NUL in a name",
    "a line feed in a name",
    "a name that runs backwards",
    "an empty value",
    "a Hangul filler in a name",
    "a variation selector in a name",
    "a soft hyphen in a name",
    "a DEL in a name",
    "a C1 control in a T61String",
    "Latin-1 in a PrintableString",
    "a UniversalString",
    "a very long name",
];

const DIFFERENCES: &[Difference] = &[
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["the name in capitals"],
        why: "it compares names without regard to case",
        varies: false,
    },
    Difference {
        group: "name_constraints_bind_alternative_names_too",
        cases: &[
            "permitted mail names, and one is there",
            "excluded DNS names, and one is there",
            "excluded URI names, and one is there",
            "permitted address names, and one is there",
        ],
        why: "it judges them; here who has a name of a form that is constrained and not judged is refused",
        varies: false,
    },
    Difference {
        group: "name_constraints_bind_alternative_names_too",
        cases: &["an excluded name in another string type", "an excluded name in other case, beyond ASCII"],
        why: "a NumericString is another value to it than the same digits, and letters beyond ASCII have one case",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["proxyCertInfo not critical"],
        why: "RFC 3820 section 3.8: it must be critical",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["proxyCertInfo and more"],
        why: "something behind the value is not DER",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["independent", "anyLanguage", "unknown language", "a policy", "an empty policy"],
        why: "it leaves policies to the application; none but inheritAll and limited stands for its user (section 3.8.2)",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["keyCertSign", "name constraints"],
        why: "it does not ask proxies for them",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["key usage without digitalSignature"],
        why: "it asks for that with a purpose only, and is asked for none; such a proxy can prove nothing to anybody",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["full below limited", "full below limited, limited below that"],
        why: "it knows no limited proxies",
        varies: false,
    },
    Difference {
        group: "a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule",
        cases: &["a CA as user"],
        why: "it verifies any certificate; a CA is nobody's identity here",
        varies: false,
    },
    Difference {
        group: "a_purpose_counts_where_it_is_critical",
        cases: &["serverAuth alone"],
        why: "it is asked for no purpose",
        varies: false,
    },
    Difference {
        group: "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
        cases: &["for serverAuth alone"],
        why: "it is asked for no purpose",
        varies: false,
    },
    Difference {
        group: "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
        cases: &["constraints that permit nothing"],
        why: "RFC 5280 section 4.2.1.10: a list of none is malformed; to it, everything is permitted",
        varies: false,
    },
    Difference {
        group: "every_certificate_must_be_valid_now_and_both_ends_belong_to_the_time",
        cases: &["the last second"],
        why: "RFC 5280 section 4.1.2.5: both ends belong to the time; it ends one second earlier",
        varies: false,
    },
    Difference {
        group: "lax_certificates_are_malformed",
        cases: LAX,
        why: "it reads BER and asks for less than RFC 5280 and DER; parsers that differ are how identities get confused",
        varies: false,
    },
    Difference {
        group: "lax_certificates_are_malformed",
        cases: UNPRINTABLE,
        why: "it does not print names into logs and map files",
        varies: false,
    },
    Difference {
        group: "lax_certificates_are_malformed",
        cases: &["a certificate longer than any", "41 extensions"],
        why: "it has no budgets",
        varies: false,
    },
    Difference {
        group: "weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far",
        cases: &[
            "RSA with 1023 bits",
            "a proxy by RSA with 1024 bits",
            "a user with RSA of 1024 bits",
            "P-224",
            "secp256k1",
            "Ed25519",
        ],
        why: "min_rsa_bits and the accepted curves; it has no minimum where no security level is set",
        varies: false,
    },
    Difference {
        group: "weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far",
        cases: &[
            "RSA with 8193 bits",
            "RSA with 65536 bits",
            "a negative modulus",
            "the exponent 0",
            "the exponent 1",
            "an even exponent",
            "an exponent of 33 bits",
            "an even modulus",
            "RSA without NULL",
            "the point at infinity",
        ],
        why: "it does not look at the leaf's key, which signs nothing in the chain",
        varies: false,
    },
    Difference {
        group: "weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far",
        cases: &["RSA and SHA-1", "RSA and MD5", "ECDSA and SHA-1", "ECDSA and SHA-224"],
        why: "the digests that are accepted; it has no minimum where no security level is set",
        varies: false,
    },
    Difference {
        group: "weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far",
        cases: &["ECDSA with parameters"],
        why: "RFC 5758 section 3.2: there are none",
        varies: false,
    },
    Difference {
        group: "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
        cases: &["policy constraints"],
        why: "it judges them; here a critical extension that is not judged refuses",
        varies: false,
    },
    Difference {
        group: "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
        cases: &["signed with SHA-1"],
        why: "the digests that are accepted",
        varies: false,
    },
    Difference {
        group: "cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas",
        cases: &["a CA file with OpenSSL's own trust settings"],
        why: "its own format",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["the proxy"],
        why: "it asks no CRL for proxies; the serial number of a proxy on the list of the user's CA refuses here",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["its last second"],
        why: "both ends belong to the time",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["without nextUpdate"],
        why: "RFC 5280 section 5.1.2.5: it must be there, or an old list would be good for ever",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["SHA-1"],
        why: "the digests that are accepted",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["delta", "indirect"],
        why: "partial lists are refused here; 3.0 accepts the indirect one, 3.5 the delta",
        varies: true,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["an entry with a certificate issuer: indirect"],
        why: "indirect lists are refused, it knows them",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["version 0", "extensions in version 1", "something behind the list"],
        why: "it reads laxer than RFC 5280 and DER",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["revoked by the older of two lists"],
        why: "it chooses one list, here every list of the CA counts",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["a delta beside a full list"],
        why: "it is not told to use deltas and passes over them; a list that is signed by the CA and not understood refuses here",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["one that is cut off, beside a good list"],
        why: "it passes over it; what stands in the CA's name and cannot be read may revoke somebody",
        varies: false,
    },
    Difference {
        group: "crls_are_needed_current_genuine_and_complete",
        cases: &["of two, only the one that the CA signed counts"],
        why: "it chooses a list by its name and date and then refuses it for its signature",
        varies: false,
    },
    Difference {
        group: "a_crl_counts_for_the_certificates_that_it_speaks_for",
        cases: &[
            "for users only",
            "for users only, not critical",
            "of the place that the user's certificate names",
            "of that place, not critical",
            "of one of two places that it names",
            "of a place with two names",
            "for users only, of the place that is named",
        ],
        why: "it asks for a list that speaks for the anchor, too, which no list revokes here",
        varies: false,
    },
    Difference {
        group: "a_crl_counts_for_the_certificates_that_it_speaks_for",
        cases: &[
            "for nobody in particular, not critical",
            "for users only and for CAs only",
            "a delta, not critical",
            "an entry of another issuer, not critical",
        ],
        why: "partial and indirect lists, and those that say what RFC 5280 forbids, are refused here",
        varies: true,
    },
    Difference {
        group: "crls_are_asked_at_every_level",
        cases: &["the proxy's number on the list of the user's CA", "the proxy in the middle"],
        why: "it asks no CRL for proxies",
        varies: false,
    },
    Difference {
        group: "crls_are_asked_at_every_level",
        cases: &["the anchor's own number on its list"],
        why: "an anchor is trusted because the site put it there",
        varies: false,
    },
    Difference {
        group: "of_several_cas_with_one_hash_the_one_with_the_right_key_is_found",
        cases: &["the third of three CAs", "the sixteenth"],
        why: "it takes the first CA, or list, of the right name and looks for no other when the signature does not fit",
        varies: false,
    },
    Difference {
        group: "names_are_equal_whatever_string_type_carries_them",
        cases: &["the issuer's name in capitals", "the CA's name in capitals"],
        why: "it compares names without regard to case",
        varies: false,
    },
    Difference {
        group: "the_directory_is_found_by_the_old_hash_too",
        cases: &["everything under the old hash", "the CA's name as a PrintableString, its hash as of UTF-8"],
        why: "it has dropped the old hash",
        varies: false,
    },
    Difference {
        group: "voms_attributes_are_proved_or_refused",
        cases: &["a critical extension with attributes"],
        why: "it does not know the extension",
        varies: false,
    },
    Difference {
        group: "a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo",
        cases: &["what the site has to fix is its own class"],
        why: "it is not asked about the VOMS server, whose CA has no CRL",
        varies: false,
    },
];

const PREFACE: &str = "# Where the verifier differs from others

## `openssl verify`

Every case of the [corpus](corpus.md) that it can judge is put before `openssl verify -allow_proxy_certs -crl_check_all
-no-CAfile -no-CAstore -CApath …` with the same files. The table lists all cases where the two differ, with the reason;
another difference, or one that vanishes, fails the test. Generated: `WRITE_DOCS=1 cargo test --test trust`.

It is not asked about the following, and neither about how the file is read:

";

#[test]
fn the_documentation_lists_every_difference() {
    use std::fmt::Write;
    let mut text = String::from(PREFACE);
    for (code, why) in NOT_ASKED {
        writeln!(text, "- `{code}{}`: {why}", if code.ends_with('.') { "*" } else { "" }).unwrap();
    }
    text.push_str("\n| case | here | `openssl verify` | why |\n|---|---|---|---|\n");
    for difference in DIFFERENCES {
        let group = GROUPS.iter().find(|group| group.name == difference.group).unwrap();
        for name in difference.cases {
            let case = group.cases().iter().find(|case| case.name == *name).unwrap();
            let theirs = if is_accepted(&case.expected) { "refuses" } else { "accepts" };
            let (here, why) = (&case.expected, difference.why);
            let versions = if difference.varies { " (not all versions)" } else { "" };
            writeln!(text, "| {}: {name} | `{here}` | {theirs}{versions} | {why} |", group.title()).unwrap();
        }
    }
    text.push_str(&super::c_stack::section());
    document("docs/evidence/differences-trust.md", &text);
}
