//! What the caller says in its environment.

use glexec_config::lcmaps::Mode;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The caller's environment. A name that is there twice has its first value, as getenv(3) and so the original had it.
#[derive(Debug)]
pub struct Environment(Vec<(OsString, OsString)>);

/// What stands for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// GLEXEC_CLIENT_CERT.
    Proxy(PathBuf),
    /// GLEXEC_CLIENT_TOKEN.
    Token(PathBuf),
}

impl Client {
    pub fn path(&self) -> &Path {
        match self {
            Client::Proxy(path) | Client::Token(path) => path,
        }
    }
}

/// GLEXEC_TARGET_PROXY or GLEXEC_TARGET_TOKEN: where the payload's copy goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Not set: a name of our own in /tmp.
    Default,
    /// `/dev/null`: no copy.
    None,
    /// Here.
    At(PathBuf),
}

/// GLEXEC_REPORT_FD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFd {
    /// Not set.
    Unset,
    /// A number, which may be a descriptor's.
    Number(i32),
    /// No number.
    Nonsense,
}

/// What the caller asks for in `GLEXEC_*`, `X509_USER_PROXY` and `BEARER_TOKEN_FILE`.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// What stands for the user.
    pub client: Client,
    /// GLEXEC_SOURCE_PROXY, where it is set.
    pub source: Option<PathBuf>,
    /// GLEXEC_SOURCE_TOKEN, where it is set.
    pub source_token: Option<PathBuf>,
    /// GLEXEC_TARGET_PROXY.
    pub target: Target,
    /// GLEXEC_TARGET_TOKEN.
    pub target_token: Target,
    /// X509_USER_PROXY, the pilot's own, where it is set and not empty.
    pub pilot: Option<PathBuf>,
    /// BEARER_TOKEN_FILE, the pilot's own, where it is set and not empty.
    pub pilot_token: Option<PathBuf>,
    /// GLEXEC_MODE.
    pub mode: Mode,
    /// GLEXEC_EXPECTED_SUBJECT, where it is set: whom the caller expects the credential to stand for.
    pub expected: Option<OsString>,
}

/// Variables in which batch systems and grid services tell their job ids, for the audit record.
const BATCH_IDS: [&str; 9] = [
    "PBS_JOBID",
    "SLURM_JOB_ID",
    "LSB_JOBID",
    "JOB_ID",
    "LOADL_STEP_ID",
    "CONDOR_ID",
    "CREAM_JOBID",
    "GRID_GLOBAL_JOBID",
    "GLOBUS_GRAM_JOB_CONTACT",
];

impl Environment {
    /// Takes the environment in its order.
    pub fn new(variables: Vec<(OsString, OsString)>) -> Self {
        Environment(variables)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_os_str())
    }

    /// All variables, each name once.
    pub fn unique(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let mut seen = std::collections::BTreeSet::new();
        self.0.iter().map(|(n, v)| (n.as_os_str(), v.as_os_str())).filter(move |(name, _)| seen.insert(*name))
    }

    /// GLEXEC_REPORT_FD.
    pub fn report_fd(&self) -> ReportFd {
        let Some(text) = self.get("GLEXEC_REPORT_FD") else { return ReportFd::Unset };
        let digits = text.to_str().filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).map_or(ReportFd::Nonsense, ReportFd::Number)
    }

    /// The batch job ids that the environment claims, as `NAME=VALUE`.
    pub fn batch_ids(&self) -> Vec<OsString> {
        BATCH_IDS
            .iter()
            .filter_map(|name| {
                let mut text = OsString::from(name);
                text.push("=");
                text.push(self.get(name)?);
                Some(text)
            })
            .collect()
    }

    /// What the caller asks for; refuses what is missing or contradicts itself.
    pub fn request(&self) -> Outcome<Request> {
        let client = self.client()?;
        let mode = match self.get("GLEXEC_MODE") {
            None => Mode::GetAccount,
            Some(mode) if mode == "lcmaps_get_account" => Mode::GetAccount,
            Some(mode) if mode == "lcmaps_verify_account" => Mode::VerifyAccount,
            Some(other) => {
                let shown = in_sentence(other);
                let sentence = format!("GLEXEC_MODE={shown} is neither lcmaps_get_account nor lcmaps_verify_account");
                return Err(Refusal::new(Reason::InvocationMode, sentence));
            }
        };
        let pilots = |name| self.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(Request {
            client,
            source: self.path("GLEXEC_SOURCE_PROXY")?,
            source_token: self.path("GLEXEC_SOURCE_TOKEN")?,
            target: self.target("GLEXEC_TARGET_PROXY")?,
            target_token: self.target("GLEXEC_TARGET_TOKEN")?,
            pilot: pilots("X509_USER_PROXY"),
            pilot_token: pilots("BEARER_TOKEN_FILE"),
            mode,
            expected: self.get("GLEXEC_EXPECTED_SUBJECT").map(OsStr::to_owned),
        })
    }

    fn client(&self) -> Outcome<Client> {
        match (self.path("GLEXEC_CLIENT_CERT")?, self.path("GLEXEC_CLIENT_TOKEN")?) {
            (Some(path), None) => Ok(Client::Proxy(path)),
            (None, Some(path)) => Ok(Client::Token(path)),
            (Some(_), Some(_)) => {
                let sentence =
                    "GLEXEC_CLIENT_CERT and GLEXEC_CLIENT_TOKEN are both set: set one, which says whom to run as";
                Err(Refusal::new(Reason::CredentialTwoIdentities, sentence))
            }
            (None, None) => {
                let sentence = "GLEXEC_CLIENT_CERT is not set: it names the proxy file of the user to run as, or GLEXEC_CLIENT_TOKEN the token file";
                Err(Refusal::new(Reason::CredentialNotGiven, sentence))
            }
        }
    }

    fn target(&self, name: &str) -> Outcome<Target> {
        match self.get(name) {
            None => Ok(Target::Default),
            Some(path) if path.is_empty() => {
                Err(Refusal::new(Reason::TargetProxyBad, format!("{name} is set but empty")))
            }
            Some(path) if path == "/dev/null" => Ok(Target::None),
            Some(path) => Ok(Target::At(path.into())),
        }
    }

    fn path(&self, name: &str) -> Outcome<Option<PathBuf>> {
        match self.get(name) {
            None => Ok(None),
            Some(path) if path.is_empty() => {
                Err(Refusal::new(Reason::CredentialNotGiven, format!("{name} is set but empty")))
            }
            Some(path) => Ok(Some(path.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(n, v)| (n.into(), v.into())).collect())
    }

    #[test]
    fn the_first_of_two_values_counts_as_for_getenv() {
        let environment = environment(&[("GLEXEC_CLIENT_CERT", "/a"), ("X", "1"), ("GLEXEC_CLIENT_CERT", "/b")]);
        assert_eq!(environment.request().unwrap().client, Client::Proxy("/a".into()));
        assert_eq!(environment.unique().count(), 2);
    }

    #[test]
    fn missing_empty_and_unknown_values_are_refused_with_their_reason() {
        let client = ("GLEXEC_CLIENT_CERT", "/p");
        let table = [
            (vec![], Reason::CredentialNotGiven),
            (vec![("GLEXEC_CLIENT_CERT", "")], Reason::CredentialNotGiven),
            (vec![client, ("GLEXEC_SOURCE_PROXY", "")], Reason::CredentialNotGiven),
            (vec![client, ("GLEXEC_TARGET_PROXY", "")], Reason::TargetProxyBad),
            (vec![("GLEXEC_CLIENT_TOKEN", "")], Reason::CredentialNotGiven),
            (vec![client, ("GLEXEC_CLIENT_TOKEN", "/t")], Reason::CredentialTwoIdentities),
            (vec![client, ("GLEXEC_SOURCE_TOKEN", "")], Reason::CredentialNotGiven),
            (vec![client, ("GLEXEC_TARGET_TOKEN", "")], Reason::TargetProxyBad),
            (vec![client, ("GLEXEC_MODE", "")], Reason::InvocationMode),
            (vec![client, ("GLEXEC_MODE", "LCMAPS_GET_ACCOUNT")], Reason::InvocationMode),
        ];
        for (variables, reason) in table {
            assert_eq!(environment(&variables).request().unwrap_err().reason(), reason, "{variables:?}");
        }
    }

    #[test]
    fn the_report_descriptor_is_a_plain_number() {
        let fd = |value: &str| environment(&[("GLEXEC_REPORT_FD", value)]).report_fd();
        assert_eq!([fd("3"), fd("0007"), fd("4096")], [3, 7, 4096].map(ReportFd::Number));
        for bad in ["", "-1", "+3", " 3", "3 ", "0x3", "99999999999"] {
            assert_eq!(fd(bad), ReportFd::Nonsense, "{bad:?}");
        }
    }

    #[test]
    fn batch_job_ids_are_collected_for_the_record() {
        let ids = environment(&[("SLURM_JOB_ID", "42"), ("OTHER", "1"), ("PBS_JOBID", "7.ce")]).batch_ids();
        assert_eq!(ids, [OsString::from("PBS_JOBID=7.ce"), OsString::from("SLURM_JOB_ID=42")]);
    }
}
