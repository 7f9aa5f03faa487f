//! The corpus: groups of cases, each judged once, whoever asks first.

use super::*;
use glexec_core::question::Holder;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The files of a directory, by their paths in it.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What was judged, so that others can be asked about it too.
pub struct Asked {
    pub certificates: Arc<Files>,
    pub vomsdir: Arc<Files>,
    pub policy: Credentials,
    pub file: Vec<u8>,
}

impl Asked {
    /// Whether the policy is the default.
    pub fn is_ordinary(&self) -> bool {
        format!("{:?}", self.policy) == format!("{:?}", Credentials::default())
    }
}

/// What was judged, all files of the call.
pub struct Put {
    pub certificates: Arc<Files>,
    pub vomsdir: Arc<Files>,
    pub policy: Credentials,
    pub questions: Vec<(Holder, KeyRule, Vec<u8>)>,
}

/// One line of the corpus.
pub struct Case {
    pub name: String,
    pub expected: String,
    /// What came out instead.
    pub wrong: Option<String>,
    /// The question, where it was about one file.
    pub asked: Option<Asked>,
    /// All of it.
    pub put: Option<Put>,
}

/// Cases about one thing.
pub struct Group {
    pub name: &'static str,
    pub fill: fn(),
    pub cases: OnceLock<Vec<Case>>,
}

#[derive(Default)]
struct Recorder {
    cases: Vec<Case>,
    asked: Option<Asked>,
    put: Option<Put>,
    /// The directories of the question before, which most have in common.
    certificates: Arc<Files>,
    vomsdir: Arc<Files>,
}

thread_local! {
    static RECORDER: RefCell<Recorder> = RefCell::default();
}

impl Group {
    pub fn cases(&self) -> &[Case] {
        self.cases.get_or_init(|| {
            RECORDER.take();
            (self.fill)();
            RECORDER.take().cases
        })
    }

    pub fn check(&self) {
        let wrong: Vec<&str> = self.cases().iter().filter_map(|case| case.wrong.as_deref()).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let mut names: Vec<&str> = self.cases().iter().map(|case| case.name.as_str()).collect();
        names.sort_unstable();
        let twice: Vec<&[&str]> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "two cases of one name: {twice:?}");
    }

    /// The name as a sentence.
    pub fn title(&self) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        let spelled = |(position, word): (usize, &str)| match word {
            "rfc" | "pem" | "ca" | "lsc" | "vo" | "der" | "ac" => word.to_uppercase(),
            "crls" => "CRLs".into(),
            "crl" => "CRL".into(),
            "cas" => "CAs".into(),
            "voms" => "VOMS".into(),
            "openssl" => "OpenSSL".into(),
            "sites" => "site's".into(),
            word if position == 0 => capital(word),
            word => word.into(),
        };
        let words: Vec<String> = self.name.split('_').enumerate().map(spelled).collect();
        words.join(" ")
    }
}

/// Remembers what is being judged, for the case that follows.
pub fn remember(site: &Site, question: &Question, policy: &Credentials) {
    let alone = question.source.is_none() && question.pilot.is_none() && question.key == KeyRule::Required;
    let files = [
        (Holder::User, question.key, Some(question.user)),
        (Holder::Source, question.key, question.source),
        (Holder::Pilot, KeyRule::Required, question.pilot),
    ];
    let files = files.into_iter().filter_map(|(holder, key, file)| Some((holder, key, file?.to_vec())));
    RECORDER.with_borrow_mut(|recorder| {
        let certificates = shared(&mut recorder.certificates, &site.certificates());
        let vomsdir = shared(&mut recorder.vomsdir, &site.vomsdir());
        recorder.asked = alone.then(|| Asked {
            certificates: certificates.clone(),
            vomsdir: vomsdir.clone(),
            policy: policy.clone(),
            file: question.user.to_vec(),
        });
        recorder.put = Some(Put { certificates, vomsdir, policy: policy.clone(), questions: files.collect() });
    });
}

/// The files of a directory.
pub fn files(directory: &Path) -> Files {
    let mut files = Files::new();
    read(directory, "", &mut files);
    files
}

/// The files of a directory, one value for as long as they stay the same.
fn shared(known: &mut Arc<Files>, directory: &Path) -> Arc<Files> {
    let files = files(directory);
    if **known != files {
        *known = Arc::new(files);
    }
    known.clone()
}

fn read(directory: &Path, above: &str, files: &mut Files) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{above}{}", entry.file_name().into_string().unwrap());
        match entry.path().is_dir() {
            true => read(&entry.path(), &format!("{name}/"), files),
            false => drop(files.insert(name, std::fs::read(entry.path()).unwrap())),
        }
    }
}

/// A case: what came out, what should have, and what it is about.
pub fn case(got: String, expected: impl AsRef<str>, name: impl Into<String>) {
    let (name, expected) = (name.into(), expected.as_ref().to_owned());
    let wrong = (got != expected).then(|| format!("{name}: expected {expected}, got {got}"));
    RECORDER.with_borrow_mut(|recorder| {
        let (asked, put) = (recorder.asked.take(), recorder.put.take());
        recorder.cases.push(Case { name, expected, wrong, asked, put });
    });
}

macro_rules! groups {
    ($( $module:ident: $($name:ident)*; )*) => {
        pub static GROUPS: &[&Group] = &[ $($( {
            static GROUP: Group =
                Group { name: stringify!($name), fill: super::$module::$name, cases: OnceLock::new() };
            &GROUP
        }, )*)* ];

        mod each {
            $($(
                #[test]
                fn $name() {
                    super::GROUPS.iter().find(|group| group.name == stringify!($name)).unwrap().check();
                }
            )*)*
        }
    };
}

groups! {
    proxies:
        proxies_of_rfc_3820_stand_for_their_user
        a_proxy_that_breaks_rfc_3820_is_refused_by_the_rule
        older_generations_pass_only_where_they_are_named_and_never_mixed
        the_sites_rules_on_proxies_are_kept
        a_purpose_counts_where_it_is_critical
        source_and_pilot_are_judged_too;
    file:
        the_file_is_pem_with_the_leaf_first_and_its_key_anywhere
        blocks_may_stand_in_any_order_that_has_the_leaf_before_the_rest
        a_missing_key_passes_only_where_the_caller_may_omit_it
        every_certificate_must_be_valid_now_and_both_ends_belong_to_the_time
        lax_certificates_are_malformed
        weak_keys_and_digests_are_refused_and_the_policy_can_bend_only_so_far
        names_that_look_alike_are_different_people;
    authorities:
        only_the_ca_directory_is_trusted
        cas_below_an_anchor_come_from_the_file_or_the_directory_and_must_be_cas
        name_constraints_bind_alternative_names_too
        crls_are_needed_current_genuine_and_complete
        a_crl_counts_for_the_certificates_that_it_speaks_for
        crls_are_asked_at_every_level
        signing_policies_bind_every_ca
        policies_are_written_in_many_ways
        a_ca_may_have_quotes_in_its_name
        of_several_cas_with_one_hash_the_one_with_the_right_key_is_found
        names_are_equal_whatever_string_type_carries_them
        the_directory_is_found_by_the_old_hash_too
        openssl_agrees_on_the_hash_of_every_kind_of_name
        what_others_can_write_is_not_trusted;
    voms:
        voms_attributes_are_proved_or_refused
        a_voms_server_needs_its_chain_in_an_lsc_file_of_the_vo
        a_bad_ac_is_dropped_where_the_site_says_so;
}

const PREFACE: &str = "# The corpus

What the verifier says about friendly and hostile credentials: every case of `tests/trust/`, generated. The outcome is
the reason code of the refusal ([reasons.md](../reference/reasons.md)), or the identity: the subject, the kind of credential, and the
FQANs. To bring this file up to date: `WRITE_DOCS=1 cargo test --test trust`.
";

#[test]
fn the_documentation_lists_every_case() {
    use std::fmt::Write;
    let mut table = String::from("| group | cases |\n|---|---:|\n");
    let mut lists = String::new();
    let mut count = 0;
    for group in GROUPS {
        let cases = group.cases();
        count += cases.len();
        writeln!(table, "| {} | {} |", group.title(), cases.len()).unwrap();
        write!(lists, "\n## {}\n\n| case | outcome |\n|---|---|\n", group.title()).unwrap();
        for case in cases {
            writeln!(lists, "| {} | `{}` |", case.name, case.expected).unwrap();
        }
    }
    writeln!(table, "| **all** | **{count}** |").unwrap();
    assert!(count >= 300, "{count} cases");
    document("docs/evidence/corpus.md", &format!("{PREFACE}\n{table}{lists}"));
}

/// Holds a generated file and the program together.
pub fn document(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(path, text).unwrap();
    } else {
        let old = std::fs::read_to_string(path).unwrap_or_default();
        assert!(old == text, "to bring {name} up to date: WRITE_DOCS=1 cargo test --test trust");
    }
}

/// Times, names and trust are read the same wherever and by whomever: the same cases in a strange environment.
#[test]
fn the_environment_changes_no_verdict() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--test-threads=1"]);
    for group in [
        "every_certificate_must_be_valid_now_and_both_ends_belong_to_the_time",
        "names_that_look_alike_are_different_people",
        "only_the_ca_directory_is_trusted",
    ] {
        command.arg(format!("corpus::each::{group}"));
    }
    command.env_clear().envs([
        ("TZ", "Pacific/Kiritimati"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        ("X509_CERT_DIR", "/nonexistent"),
        ("X509_VOMS_DIR", "/nonexistent"),
        ("OPENSSL_CONF", "/nonexistent"),
    ]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("3 passed"), "{said}");
}
