//! The privileged side of the verifier: finds its program, asks it, and takes nothing but a verdict of the right form.
//!
//! One credential a process: the user's and the pilot's are judged side by side, and neither process is given the
//! other's.

use crate::agent::Agent;
use crate::credential_files::{Kind, RawCredential, RawCredentials};
use crate::invocation::caller::Caller;
use glexec_config::{Config, white_list};
use glexec_core::credentials::Credentials;
use glexec_core::described::ProxyFile;
use glexec_core::file_error::FileError;
use glexec_core::identity::Identity;
use glexec_core::question::{self, Asked, Certificates, Holder, KeyRule, Owner, Question};
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::surveyed::{IssuerFile, Surveyed};
use glexec_core::tokens::Tokens;
use glexec_core::values::AbsolutePath;
use glexec_core::verdict::{self, Judged, MAX_DESCRIPTION, MAX_VERDICT, failed};
use glexec_sys::dir::{self, Directory, Writers};
use glexec_sys::identity::Actor;
use glexec_sys::program::{self, Executable, NoAnswer, Program, Said};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where the verifier's program is; fixed when glexec is built.
pub const PROGRAM: &str = match option_env!("GLEXEC_VERIFIER") {
    Some(path) => path,
    None => "/usr/libexec/glexec/verifier",
};

/// How long it may take on a crowded node; alone it needs milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// Who the credentials stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    pub user: Identity,
    /// Whose proxy is copied for the payload, where it is not the user's client certificate.
    pub source: Option<Identity>,
    /// Whose token is copied.
    pub source_token: Option<Identity>,
    /// The pilot, where its proxy was judged.
    pub pilot: Option<Identity>,
    /// The pilot by its token, where that was judged.
    pub pilot_token: Option<Identity>,
    /// The certificates of the user's credential and of the pilot's, where the site's service is asked.
    pub certificates: Certified,
    /// For the log.
    pub notes: Vec<String>,
    /// Who judged.
    pub judge: Judge,
}

/// Who judges credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The agent, all of them.
    Agent,
    /// The verifier's program, one of them at least.
    Program,
}

impl Judge {
    /// As records say it.
    pub fn name(self) -> &'static str {
        match self {
            Judge::Agent => "agent",
            Judge::Program => "program",
        }
    }
}

/// Certificates, leaf first, each as base64 of its DER.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certified {
    /// The user's.
    pub user: Vec<String>,
    /// The pilot's.
    pub pilot: Vec<String>,
}

/// What is said of a credential, and whose it is.
type Verdict = (Holder, Outcome<Judged>);

/// A question as it goes over; it holds a private key, and is wiped when it is let go.
type Written = Zeroizing<Vec<u8>>;

/// The verifier, and what every question to it has.
#[derive(Debug)]
pub struct Verifier<'a> {
    /// Whom it runs as; `None` where the one who asks is nobody special.
    actor: Option<&'a Actor>,
    settings: &'a Credentials,
    now: i64,
}

impl VerifiedIdentity {
    /// The pilot by each of its own credentials that were judged, by its proxy first.
    pub fn pilots(&self) -> Vec<&Identity> {
        self.pilot.iter().chain(&self.pilot_token).collect()
    }

    /// Whose a payload's copy of this kind is.
    pub fn owner(&self, kind: Kind) -> &Identity {
        let source = match kind {
            Kind::Proxy => &self.source,
            Kind::Token => &self.source_token,
        };
        source.as_ref().unwrap_or(&self.user)
    }
}

impl<'a> Verifier<'a> {
    /// What every question has; `actor` is whom the program runs as, `None` where the one who asks is nobody special.
    pub fn new(actor: Option<&'a Actor>, settings: &'a Credentials, now: i64) -> Self {
        Verifier { actor, settings, now }
    }

    /// Judges the credentials of a call, by the agent where it is given.
    pub fn verify(
        &self,
        raw: &RawCredentials,
        caller: &Caller,
        config: &Config,
        agent: Option<&Agent<'_>>,
    ) -> Outcome<VerifiedIdentity> {
        let may_omit =
            white_list::contains(&config.glexec.omission_private_key_white_list, &caller.name, &caller.groups);
        let users = if may_omit { KeyRule::MayBeAbsent } else { KeyRule::Required };
        let files = [
            (Holder::User, users, Some(&raw.client)),
            (Holder::Source, users, raw.source.as_ref()),
            (Holder::Source, users, raw.source_token.as_ref()),
            (Holder::Pilot, KeyRule::Required, raw.pilot.as_ref()),
            (Holder::Pilot, KeyRule::Required, raw.pilot_token.as_ref()),
        ];
        let files = files.into_iter().filter_map(|(holder, key, file)| Some((holder, key, file?)));
        let (proxies, tokens): (Vec<_>, Vec<_>) = files.partition(|(.., file)| file.kind == Kind::Proxy);
        let mut judged: Vec<Verdict> = Vec::new();
        let mut judges = Vec::new();
        if !proxies.is_empty() {
            let trust = Trust::for_proxies(self.settings)?;
            let asked = |holder, key| {
                let asks = config.site.is_some() && holder != Holder::Source;
                let certificates = if asks { Certificates::With } else { Certificates::Without };
                Asked::Judge { holder, key, certificates }
            };
            let (verdicts, judge) = self.judge(&proxies, asked, &trust.descriptors(), agent)?;
            judged.extend(verdicts);
            judges.push(judge);
        }
        if !tokens.is_empty() {
            let settings = config.tokens.as_ref().ok_or_else(|| failed("a token without a table [tokens]"))?;
            let trust = Trust::for_tokens(settings)?;
            let asked = |holder, _| Asked::JudgeToken { holder, tokens: settings.clone() };
            let (verdicts, judge) = self.judge(&tokens, asked, &trust.descriptors(), agent)?;
            judged.extend(verdicts);
            judges.push(judge);
        }
        // The user's first, whatever it is: what is said of it counts before the others.
        judged.sort_by_key(|(holder, _)| *holder != Holder::User);
        let judge = if judges.contains(&Judge::Program) { Judge::Program } else { Judge::Agent };
        Ok(VerifiedIdentity { judge, ..together(judged.into_iter())? })
    }

    /// Judges credentials of one kind.
    fn judge(
        &self,
        files: &[(Holder, KeyRule, &RawCredential)],
        asked: impl Fn(Holder, KeyRule) -> Asked,
        given: &[Option<BorrowedFd<'_>>],
        agent: Option<&Agent<'_>>,
    ) -> Outcome<(Vec<Verdict>, Judge)> {
        let questions =
            self.write(files.iter().map(|(holder, key, file)| (asked(*holder, *key), file.bytes())).collect())?;
        let (judged, judge): (Vec<_>, _) = match agent.map_or(Ok(None), |agent| agent.judge(&questions, given))? {
            Some(judged) => (judged, Judge::Agent),
            None => {
                let answers = self.run(&questions, given, MAX_VERDICT)?;
                (answers.into_iter().map(|answer| verdict::judged(&answer?)).collect(), Judge::Program)
            }
        };
        Ok((files.iter().map(|(holder, ..)| *holder).zip(judged).collect(), judge))
    }

    /// Whether a file is a person's proxy, or token, by which they are known.
    pub fn whose(&self, file: &[u8], person: &Identity) -> Outcome<Owner> {
        let subject = person.subject.clone();
        let asked = match person.issuer() {
            Some(issuer) => Asked::Whose { subject, issuer: issuer.clone() },
            None => Asked::WhoseToken { subject },
        };
        verdict::decode(&self.ask_one(asked, file, &[], MAX_VERDICT)?)
    }

    /// What a proxy file holds.
    pub fn describe(&self, file: &[u8]) -> Outcome<ProxyFile> {
        verdict::decode(&self.ask_one(Asked::Describe, file, &[], MAX_DESCRIPTION)?)
    }

    /// How the trust directories look, now and at a later time.
    pub fn survey(&self, later: i64) -> Outcome<Surveyed> {
        let trust = Trust::for_proxies(self.settings)?;
        verdict::decode(&self.ask_one(Asked::Survey { later }, &[], &trust.descriptors(), MAX_DESCRIPTION)?)
    }

    /// How the site's files about issuers of tokens look, with the keys that it has of them.
    pub fn survey_tokens(&self, settings: &Tokens) -> Outcome<Vec<IssuerFile>> {
        let trust = Trust::for_tokens(settings)?;
        let asked = Asked::SurveyTokens { tokens: settings.clone() };
        verdict::decode(&self.ask_one(asked, &[], &trust.descriptors(), MAX_DESCRIPTION)?)
    }

    /// How many keys of a JWK set can check a token's signature of these algorithms.
    pub fn judge_key_set(&self, set: &[u8], algorithms: &[String]) -> Outcome<usize> {
        let asked = Asked::JudgeKeySet { algorithms: algorithms.to_vec() };
        verdict::decode(&self.ask_one(asked, set, &[], MAX_VERDICT)?)
    }

    fn ask_one(&self, asked: Asked, file: &[u8], given: &[Option<BorrowedFd<'_>>], most: usize) -> Outcome<Vec<u8>> {
        let questions = self.write(vec![(asked, file)])?;
        self.run(&questions, given, most)?.pop().unwrap_or_else(|| Err(failed("nothing was asked")))
    }

    fn write(&self, asked: Vec<(Asked, &[u8])>) -> Outcome<Vec<Written>> {
        // Attributes may be meant for certain hosts only.
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        let write = |(asked, file)| {
            let question = Question { asked, settings: self.settings.clone(), host: host.clone(), now: self.now };
            question::encode(&question, file).ok_or_else(|| failed("the question would be too long"))
        };
        asked.into_iter().map(write).collect()
    }

    /// Runs the program for several questions at once, each a process of its own.
    fn run(
        &self,
        questions: &[Written],
        descriptors: &[Option<BorrowedFd<'_>>],
        max_answer: usize,
    ) -> Outcome<Vec<Outcome<Vec<u8>>>> {
        // It must be root's, as everything above it must.
        let executable = dir::open_program(Path::new(PROGRAM)).map_err(|error| failed(&error.to_string()))?;
        let program = Program {
            actor: self.actor,
            executable: Executable::Own(executable.as_fd()),
            name: OsStr::new("glexec-verifier"),
            arguments: &[],
            descriptors,
            deadline: DEADLINE,
            max_answer,
        };
        let documents: Vec<_> = questions.iter().map(|question| (&program, question.as_slice())).collect();
        Ok(program::ask_all(&documents).into_iter().map(heard).collect())
    }
}

/// The verdict's bytes, where the program ended well.
fn heard(said: Result<Said, NoAnswer>) -> Outcome<Vec<u8>> {
    match said {
        Ok(Said { status: 0, output, .. }) => Ok(output),
        Ok(Said { status, errors, .. }) => {
            Err(failed(&format!("{PROGRAM}: exit status {status}: {}", String::from_utf8_lossy(&errors).trim())))
        }
        Err(why) => Err(failed(&format!("{PROGRAM}: {why}"))),
    }
}

/// What several verdicts come to: the first refusal counts, and what is copied must be the user's.
pub fn together(verdicts: impl Iterator<Item = (Holder, Outcome<Judged>)>) -> Outcome<VerifiedIdentity> {
    let (mut user, mut sources, mut pilots, mut notes) = (None, (None, None), (None, None), Vec::new());
    let mut certified = Certified::default();
    for (holder, judged) in verdicts {
        let Judged { identity, notes: said, certificates } = judged?;
        notes.extend(said);
        match holder {
            Holder::User => certified.user = certificates,
            Holder::Pilot if identity.token().is_none() => certified.pilot = certificates,
            Holder::Pilot | Holder::Source => {}
        }
        let is_token = identity.token().is_some();
        let place = match (holder, is_token) {
            (Holder::User, _) => &mut user,
            (Holder::Source, false) => &mut sources.0,
            (Holder::Source, true) => &mut sources.1,
            (Holder::Pilot, false) => &mut pilots.0,
            (Holder::Pilot, true) => &mut pilots.1,
        };
        *place = Some(identity);
        if holder == Holder::Source {
            let user = user.as_ref().ok_or_else(nobody)?;
            [&sources.0, &sources.1].into_iter().flatten().try_for_each(|source| check_source(source, user))?;
        }
    }
    let ((source, source_token), (pilot, pilot_token)) = (sources, pilots);
    let (user, certificates) = (user.ok_or_else(nobody)?, certified);
    let judge = Judge::Program;
    Ok(VerifiedIdentity { user, source, source_token, pilot, pilot_token, certificates, notes, judge })
}

fn nobody() -> Refusal {
    failed("nobody judged the user's")
}

/// What is copied for the payload must be the user's. Between a proxy and a token nothing tells whose they are: there
/// it must be of the user's VO.
fn check_source(source: &Identity, user: &Identity) -> Outcome<()> {
    let refuse = |text: String| Err(Refusal::new(Reason::CredentialIdentity, text));
    let (of_source, of_user) = (&source.subject, &user.subject);
    match (source.token(), user.token()) {
        _ if source.is_same_person(user) => Ok(()),
        (None, None) => refuse(format!(
            "the source proxy stands for {of_source}, the client certificate for {of_user}: they must be of the same user and CA"
        )),
        (Some(_), Some(_)) => refuse(format!(
            "the source token stands for {of_source}, the client token for {of_user}: they must be of the same issuer and subject"
        )),
        _ if source.vo().is_some() && source.vo() == user.vo() => Ok(()),
        _ => {
            let named = |vo: Option<&str>| vo.map_or("no VO".to_owned(), |vo| format!("the VO {vo}"));
            let (of_source, of_user) = (named(source.vo()), named(user.vo()));
            refuse(format!("the source is of {of_source}, the user of {of_user}: they must be of one VO"))
        }
    }
}

/// The site's directories of what is trusted, open and checked, as the verifier is given them.
struct Trust(Vec<Option<Directory>>);

impl Trust {
    /// For proxies: the CA directory, the vomsdir where there is one, and those that links in these lead to.
    fn for_proxies(settings: &Credentials) -> Outcome<Self> {
        let first = [open(&settings.certdir).map(Some), open_if_there(&settings.vomsdir)];
        let linked = settings.linked_directories.paths().iter().map(|path| open(path).map(Some));
        first.into_iter().chain(linked).collect::<Outcome<_>>().map(Trust)
    }

    /// For tokens: the issuers', and those with their keys where there are any.
    fn for_tokens(settings: &Tokens) -> Outcome<Self> {
        let keys = settings.jwks.paths().iter().map(open_if_there);
        std::iter::once(open(&settings.issuers).map(Some)).chain(keys).collect::<Outcome<_>>().map(Trust)
    }

    fn descriptors(&self) -> Vec<Option<BorrowedFd<'_>>> {
        self.0.iter().map(|directory| directory.as_ref().map(Directory::as_fd)).collect()
    }
}

fn open(path: &AbsolutePath) -> Outcome<Directory> {
    open_if_there(path)?.ok_or_else(|| unusable(&FileError::Missing(path.as_path().into())))
}

fn open_if_there(path: &AbsolutePath) -> Outcome<Option<Directory>> {
    match Directory::open_trusted(path.as_path(), Writers::RootOnly) {
        Err(FileError::Missing(_)) => Ok(None),
        directory => directory.map(Some).map_err(|error| unusable(&error)),
    }
}

fn unusable(error: &FileError) -> Refusal {
    let reason = match error {
        FileError::Insecure { .. } => Reason::TrustInsecure,
        _ => Reason::TrustUnreadable,
    };
    Refusal::new(reason, "the site's trust directories cannot be used").detail(error.to_string())
}
