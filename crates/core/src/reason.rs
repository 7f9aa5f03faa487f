//! The one catalogue of refusals.
//!
//! Every way in which glexec says no is one line here: a stable dotted code, the class (exit code), whether trying
//! again can help, and what it means. `docs/reference/reasons.md` is held together with this table by a test.

use std::fmt;

/// Who has to fix it; the numbers are the exit codes that pilot frameworks know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 201: the caller gave something wrong.
    Client,
    /// 202: the site has to fix it.
    System,
    /// 203: policy or trust says no.
    Authorization,
    /// 126: the kernel refused to execute the command after the switch.
    Exec,
}

impl Class {
    /// The exit code of this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Client => 201,
            Class::System => 202,
            Class::Authorization => 203,
            Class::Exec => 126,
        }
    }

    /// Who fixes it, as one word, for the report.
    pub fn name(self) -> &'static str {
        match self {
            Class::Client | Class::Exec => "client",
            Class::System => "system",
            Class::Authorization => "authorization",
        }
    }
}

/// Whether the same call may succeed later without anybody changing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Trying again is useless.
    Useless,
    /// Trying again may help (`transient` in records and reports).
    MayHelp,
}

macro_rules! catalogue {
    ($( $variant:ident $code:literal $class:ident $retry:ident $meaning:literal; )*) => {
        /// A stable reason for a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $( #[doc = $meaning] $variant, )*
        }

        impl Reason {
            /// Every reason, in the order of the catalogue.
            pub const ALL: &'static [Reason] = &[ $( Reason::$variant, )* ];

            /// The stable dotted code.
            pub fn code(self) -> &'static str {
                match self { $( Reason::$variant => $code, )* }
            }

            pub fn from_code(code: &str) -> Option<Reason> {
                Reason::ALL.iter().copied().find(|reason| reason.code() == code)
            }

            /// The exit code's class.
            pub fn class(self) -> Class {
                match self { $( Reason::$variant => Class::$class, )* }
            }

            /// Whether trying again can help.
            pub fn retry(self) -> Retry {
                match self { $( Reason::$variant => Retry::$retry, )* }
            }

            /// What it means and who fixes it how: one sentence of the documentation.
            pub fn meaning(self) -> &'static str {
                match self { $( Reason::$variant => $meaning, )* }
            }
        }
    };
}

catalogue! {
    InvocationUsage          "invocation.usage"           Client Useless "The command line has an option that glexec does not know; see glexec --help.";
    InvocationEmptyArgv      "invocation.empty-argv"      Client Useless "The program was started without any argument, not even its own name (argv[0]).";
    InvocationMode           "invocation.mode"            Client Useless "GLEXEC_MODE is neither lcmaps_get_account nor lcmaps_verify_account.";
    InvocationReportFd       "invocation.report-fd"       Client Useless "GLEXEC_REPORT_FD does not name an open file descriptor of 3 or above.";

    SelfNotSetuid            "self.not-setuid"            System Useless "glexec does not run with effective user root: not installed setuid root, on a nosuid mount, or traced by its caller.";
    SelfNoNewPrivs           "self.no-new-privs"          System Useless "The caller runs under no_new_privs (a container or a security profile), which forbids every identity switch.";
    SelfUserNamespace        "self.user-namespace"        System Useless "glexec runs in a user namespace, where even root cannot change to another account.";
    SelfTraced               "self.traced"                System Useless "A process that does not belong to root traces glexec.";
    SelfStartup              "self.start-up"              System Useless "A step of hardening the process failed; the log says which.";

    ConfigMissing            "config.missing"             System Useless "There is no configuration file.";
    ConfigInsecure           "config.insecure-permissions" System Useless "The configuration file, or a directory above it, can be written by somebody else than root.";
    ConfigUnreadable         "config.unreadable"          System Useless "The configuration file cannot be read.";
    ConfigHistoric           "config.historic-format"     System Useless "The configuration file has the historic .ini form; glexec-admin migrate converts it.";
    ConfigSyntax             "config.syntax"              System Useless "The configuration file is not valid TOML; the message has line and column.";
    ConfigInvalid            "config.invalid"             System Useless "The configuration has an unknown key, a value of the wrong type or a bad value; the message has line and column.";

    CallerUnknown            "caller.unknown-account"     Authorization Useless "The caller's user id has no account.";
    CallerNotWhiteListed     "caller.not-white-listed"    Authorization Useless "The caller's account is not in user_white_list.";

    CredentialNotGiven       "credential.not-given"       Client Useless "Neither GLEXEC_CLIENT_CERT nor GLEXEC_CLIENT_TOKEN is set, or one of the variables that name proxies and tokens is set but empty.";
    CredentialTwoIdentities  "credential.two-identities"  Client Useless "GLEXEC_CLIENT_CERT and GLEXEC_CLIENT_TOKEN are both set: a call is for one user.";
    CredentialUnreadable     "credential.unreadable"      Client Useless "The caller cannot open or read the proxy file.";
    CredentialNotRegular     "credential.not-a-regular-file" Client Useless "The proxy path names a directory, a device, a FIFO or a socket.";
    CredentialWrongOwner     "credential.wrong-owner"     Client Useless "The proxy file does not belong to the caller.";
    CredentialInsecure       "credential.insecure-permissions" Client Useless "The proxy file can be used by group or others; chmod 600 it.";
    CredentialTooLarge       "credential.too-large"       Client Useless "The proxy file is larger than 256 KiB.";
    CredentialLocked         "credential.locked"          Client Useless "Another process holds the lock of the proxy file for too long.";
    CredentialMalformed      "credential.malformed"       Client Useless "The proxy file is not a sequence of PEM blocks with well-formed certificates and keys.";
    CredentialNoCertificate  "credential.no-certificate"  Client Useless "The proxy file holds no certificate.";
    CredentialNoKey          "credential.no-private-key"  Client Useless "The proxy file holds no private key.";
    CredentialEncryptedKey   "credential.encrypted-key"   Client Useless "The private key is encrypted; a proxy's key must not be.";
    CredentialSeveralKeys    "credential.several-keys"    Client Useless "The proxy file holds more than one private key.";
    CredentialKeyMismatch    "credential.key-mismatch"    Client Useless "The private key does not belong to the first certificate of the file.";
    CredentialIncomplete     "credential.incomplete"      Client Useless "The chain is broken: the certificate that issued a proxy is not in the file.";
    CredentialExpired        "credential.expired"         Client Useless "A certificate of the chain has expired; renew the proxy.";
    CredentialNotYetValid    "credential.not-yet-valid"   Client Useless "A certificate of the chain is not valid yet; check the clocks.";
    CredentialIdentity       "credential.identity-mismatch" Client Useless "The source proxy stands for another person than the client certificate.";
    CredentialUnexpected     "credential.unexpected-subject" Authorization Useless "The credential stands for somebody else than GLEXEC_EXPECTED_SUBJECT says; nothing was run.";
    CredentialName           "credential.bad-name"        Authorization Useless "A certificate has a name that glexec does not accept: NUL, control characters, unknown string types, or too long.";
    CredentialChainTooLong   "credential.chain-too-long"  Authorization Useless "The file holds more certificates than max_chain.";
    CredentialUnknownCa      "credential.unknown-ca"      Authorization Useless "No certification authority of the trust directory issued this credential.";
    CredentialSignature      "credential.signature"       Authorization Useless "A signature of the chain is wrong.";
    CredentialRevoked        "credential.revoked"         Authorization Useless "A certificate of the chain has been revoked by its issuer.";
    CredentialCaRules        "credential.ca-rules"        Authorization Useless "A certificate was issued by one that may not issue it: not a CA, key usage, or path length (RFC 5280).";
    CredentialSigningPolicy  "credential.signing-policy"  Authorization Useless "The CA is not allowed to issue certificates of this name (signing_policy or namespaces).";
    CredentialExtension      "credential.unknown-extension" Authorization Useless "A certificate has a critical extension that glexec does not know, or the same extension twice.";
    CredentialWeakKey        "credential.weak-key"        Authorization Useless "A key of the chain is of a kind or size that is not accepted (min_rsa_bits, min_proxy_rsa_bits, curves).";
    CredentialWeakDigest     "credential.weak-digest"     Authorization Useless "A signature of the chain uses a digest that is not accepted (digests; on proxies proxy_digests).";
    CredentialPurpose        "credential.purpose"         Authorization Useless "A certificate's critical extended key usage does not allow what it is used for (RFC 5280 section 4.2.1.12).";
    CredentialProxySubject   "credential.proxy-subject"   Authorization Useless "A proxy's subject is not its issuer's subject plus one CN (RFC 3820 section 3.4).";
    CredentialProxyInfo      "credential.proxy-info"      Authorization Useless "A proxy's proxyCertInfo extension is malformed, not critical, or there twice (RFC 3820 section 3.8).";
    CredentialProxyPolicy    "credential.proxy-policy"    Authorization Useless "A proxy's policy language is neither inheritAll nor limited (RFC 3820 section 3.8.2).";
    CredentialProxyPathLength "credential.proxy-path-length" Authorization Useless "A proxy issued more proxies than its path length allows (RFC 3820 section 3.8.1).";
    CredentialProxyExtension "credential.proxy-extension" Authorization Useless "A proxy carries what a proxy must not: a CA flag, keyCertSign, subject or issuer alternative names (RFC 3820 section 3).";
    CredentialProxyUsage     "credential.proxy-key-usage" Authorization Useless "A certificate whose key usage lacks digitalSignature issued a proxy, or is one (RFC 3820 section 3.1, RFC 5280 section 4.2.1.3).";
    CredentialProxyLimited   "credential.full-below-limited" Authorization Useless "A full proxy was issued by a limited one.";
    CredentialProxyType      "credential.proxy-type"      Authorization Useless "Proxies of this generation are not accepted (proxy_types), or generations are mixed.";
    CredentialLimitedRefused "credential.limited-refused" Authorization Useless "Limited proxies are refused here (limited_proxy).";
    CredentialLimitedRequired "credential.limited-required" Authorization Useless "Only limited proxies are accepted here (limited_proxy).";
    CredentialLifetime       "credential.lifetime"        Authorization Useless "A proxy is valid for longer than max_proxy_lifetime.";
    CredentialPilotMissing   "credential.pilot-missing"   Client Useless "The site requires the pilot's own proxy (pilot_proxy, or an LCAS plug-in that says which pilots may run) and X509_USER_PROXY is not set.";

    VomsMalformed            "voms.ac-malformed"          Client Useless "A VOMS attribute certificate cannot be parsed.";
    VomsExpired              "voms.ac-expired"            Client Useless "The VOMS attributes have expired; renew them.";
    VomsNotYetValid          "voms.ac-not-yet-valid"      Client Useless "The VOMS attributes are not valid yet; check the clocks.";
    VomsSignature            "voms.ac-signature"          Authorization Useless "The signature of the VOMS attributes is wrong.";
    VomsHolder               "voms.ac-holder"             Authorization Useless "The VOMS attributes belong to another certificate.";
    VomsUntrusted            "voms.ac-untrusted"          Authorization Useless "The server that signed the VOMS attributes is not trusted for this VO (vomsdir, certdir).";
    VomsScope                "voms.ac-scope"              Authorization Useless "The VOMS attributes name a group outside their VO.";
    VomsExtension            "voms.ac-extension"          Authorization Useless "The VOMS attribute certificate has a critical extension that glexec does not know.";
    VomsTarget               "voms.ac-target"             Authorization Useless "The VOMS attributes are meant for other hosts.";
    VomsLifetime             "voms.ac-lifetime"           Authorization Useless "The VOMS attributes are valid for longer than max_ac_lifetime.";
    VomsLsc                  "voms.lsc-malformed"         System Useless "An .lsc file of the vomsdir cannot be understood.";

    TokenMalformed           "token.malformed"            Client Useless "The token file is not a JSON Web Token of the strict form that glexec reads.";
    TokenTooLarge            "token.too-large"            Client Useless "The token file is larger than 16 KiB.";
    TokenExpired             "token.expired"              Client Useless "The token has expired; renew it.";
    TokenNotYetValid         "token.not-yet-valid"        Client Useless "The token is not valid yet, or was issued in the future; check the clocks.";
    TokenDisabled            "token.disabled"             Authorization Useless "This site accepts no tokens: glexec.conf has no table [tokens].";
    TokenIssuer              "token.issuer"               Authorization Useless "The site does not trust the token's issuer (issuers.d).";
    TokenSignature           "token.signature"            Authorization Useless "The token's signature is wrong.";
    TokenAlgorithm           "token.algorithm"            Authorization Useless "The token is signed with an algorithm that is not accepted, or that its key is not for.";
    TokenKeyUnknown          "token.key-unknown"          Authorization MayHelp "The site does not have the key that the token names; the issuer may have a new one (glexec-admin fetch-keys).";
    TokenAudience            "token.audience"             Authorization Useless "The token is not meant for this site (aud).";
    TokenScope               "token.scope"                Authorization Useless "The token lacks a scope that the site requires for jobs, or carries capabilities where only groups may say who runs.";
    TokenGroups              "token.groups"               Authorization Useless "The token has no groups where they are needed, or groups of another VO.";
    TokenLifetime            "token.lifetime"             Authorization Useless "The token is valid for longer than max_lifetime.";
    TokenBound               "token.bound"                Authorization Useless "The token is bound to a key of its holder's, which cannot be proved here (cnf).";
    TokenType                "token.type"                 Authorization Useless "The token is not an access token (header typ).";
    TokenVersion             "token.version"              Authorization Useless "The token is of a version of its profile that glexec does not know.";
    TokenSubject             "token.subject"              Authorization Useless "The token's subject is missing, too long or not visible ASCII.";
    TokenKeysMissing         "token.keys-missing"         System MayHelp "The site has no keys of the token's issuer (glexec-admin fetch-keys).";
    TokenKeysExpired         "token.keys-expired"         System MayHelp "The keys of the token's issuer have expired (glexec-admin fetch-keys).";
    TokenKeysMalformed       "token.keys-malformed"       System Useless "The key file of the token's issuer is malformed, or has a key that nobody may use.";
    TokenIssuerFile          "token.issuer-file"          System Useless "A file of issuers.d is malformed, or two files are about one issuer.";

    TrustInsecure            "trust.insecure-permissions" System Useless "A trust directory, something in it or a directory above it can be written by somebody else than root.";
    TrustUnreadable          "trust.unreadable"           System Useless "A trust directory or a file in it is missing or cannot be read.";
    TrustCaMalformed         "trust.ca-malformed"         System Useless "A file of the CA directory is not a certificate.";
    TrustCaExpired           "trust.ca-expired"           System Useless "A certificate of the CA directory has expired or is not valid yet; the site has to update its CAs.";
    TrustCrlMissing          "trust.crl-missing"          System Useless "The CRL of a CA is missing (fetch-crl).";
    TrustCrlExpired          "trust.crl-expired"          System MayHelp "The CRL of a CA has expired (fetch-crl).";
    TrustCrlInvalid          "trust.crl-invalid"          System Useless "The CRL of a CA is malformed, not signed by it, or of a kind that is not accepted.";
    TrustPolicyMissing       "trust.signing-policy-missing" System Useless "The signing policy of a CA is missing.";
    TrustPolicyMalformed     "trust.signing-policy-malformed" System Useless "The signing policy of a CA cannot be understood.";

    VerifierVersion          "verifier.version"           System MayHelp "The verifier is of another version than glexec: an update is under way, or was interrupted.";
    VerifierFailed           "verifier.failed"            System Useless "The verifier process died, took too long or gave an answer that makes no sense.";

    AgentUnavailable         "agent.unavailable"          System MayHelp "The site requires glexec-agent ([agent] use) and it does not answer; the log says why.";

    LcasUserban              "lcas.userban"               Authorization Useless "The user is banned at this site.";
    LcasUserallow            "lcas.userallow"             Authorization Useless "The user is not on the site's list of people who may run here.";
    LcasVoms                 "lcas.voms"                  Authorization Useless "None of the VOMS attributes is on the site's list of those that may run here.";
    LcasTimeslots            "lcas.timeslots"             Authorization Useless "Nobody may run here at this time of day, week or year.";
    LcasCheckExecutable      "lcas.check-executable"      Authorization Useless "The command is not one of those that may be run here.";
    LcasExecDenied           "lcas.exec-denied"           Authorization Useless "A plug-in of the site's own refuses this call; the log has its message.";
    LcasExecFailed           "lcas.exec-failed"           System MayHelp "A plug-in of the site's own (LCAS exec) took too long, crashed or gave an answer that makes no sense.";
    LcasFileMissing          "lcas.file-missing"          System Useless "A file that an LCAS plug-in needs is missing or cannot be read.";
    LcasFileMalformed        "lcas.file-malformed"        System Useless "A file that an LCAS plug-in needs cannot be understood; the log has the line.";
    LcasFileInsecure         "lcas.insecure-permissions"  System Useless "A file that an LCAS plug-in needs can be written by somebody else than root.";

    LcmapsNoMapping          "lcmaps.no-mapping"          Authorization Useless "The site's mapping policy gives this user no account.";
    LcmapsPoolExhausted      "lcmaps.pool-exhausted"      Authorization MayHelp "All accounts of the user's pool are taken.";
    LcmapsNoLease            "lcmaps.no-lease"            Authorization Useless "lcmaps_verify_account: the user has no pool account yet.";
    LcmapsLeaseConflict      "lcmaps.lease-conflict"      Authorization Useless "The user's lease names an account of another pool (override_inconsistency), one that two users hold, or none: it has one link (a gridmapdir that was copied without hard links).";
    LcmapsLeaseName          "lcmaps.lease-name"          Authorization Useless "The name of the lease would be ambiguous or too long.";
    LcmapsBanned             "lcmaps.banned"              Authorization Useless "A ban_dn or ban_fqan plug-in of the site's mapping policy bans the user or a VOMS attribute.";
    LcmapsExecDenied         "lcmaps.exec-denied"         Authorization Useless "A mapping plug-in of the site's own has no account for this user; the log has its message.";
    LcmapsExecFailed         "lcmaps.exec-failed"         System MayHelp "A mapping plug-in of the site's own (LCMAPS exec) took too long, crashed or gave an answer that makes no sense.";
    LcmapsFileMissing        "lcmaps.file-missing"        System Useless "A map file or the gridmapdir is missing or cannot be read.";
    LcmapsFileMalformed      "lcmaps.file-malformed"      System Useless "A ban file of the mapping policy cannot be understood; the log has the line.";
    LcmapsFileInsecure       "lcmaps.insecure-permissions" System Useless "A map file or the gridmapdir can be written by somebody it must not be.";
    LcmapsNoGroup            "lcmaps.no-primary-group"    Authorization Useless "The site's mapping policy gives this user an account but no primary group (groupmapfile).";
    LcmapsGridmapdir         "lcmaps.gridmapdir-failed"   System Useless "The gridmapdir cannot be written: a read-only or full file system, or no permission.";

    SiteDenied               "site.denied"                Authorization Useless "The site's mapping service does not let this user run here: banned, or refused by the site's policy; the log has the service's reason.";
    SiteUnavailable          "site.unavailable"           System MayHelp "The site's mapping service cannot be asked, or cannot reach what it keeps (its database, its ban list).";

    AccountUnknown           "account.unknown"            Authorization Useless "The mapped account does not exist on this machine.";
    AccountNoGroup           "account.unknown-group"      Authorization Useless "A mapped group does not exist on this machine.";
    AccountForbidden         "account.forbidden"          Authorization Useless "The mapped account or group is root, nobody, or below min_uid or min_gid.";
    AccountLocked            "account.locked"             Authorization Useless "The mapped account has expired.";
    AccountSame              "account.same-as-caller"     Authorization Useless "The mapped account is the caller's own (allow_same_account).";
    AccountLookup            "account.lookup-failed"      System MayHelp "The account database cannot be reached.";

    CommandNotFound          "command.not-found"          Client Useless "The command does not exist, or the target account cannot reach it.";
    CommandNotExecutable     "command.not-executable"     Client Useless "The target account may not execute the command.";
    CommandExec              "command.exec-failed"        Exec   Useless "The kernel refused to execute the command: a missing interpreter, a wrong format, or too many arguments.";

    TargetProxyBad           "target-proxy.not-writable"  Client Useless "The target account cannot write the target proxy there.";
    TargetProxyForeign       "target-proxy.foreign"       Client Useless "The target proxy exists and is a link, not a regular file, or not the target account's.";
    TargetProxyIdentity      "target-proxy.other-identity" Client Useless "A call without a command would renew the target proxy of another person (subject or issuer of the certificate).";
    TargetProxyLocked        "target-proxy.locked"        Client Useless "Another process holds the lock of the target proxy for too long.";

    SandboxNotADirectory     "sandbox.not-a-directory"    Client Useless "The directory of --sandbox is no directory, or a symbolic link.";
    SandboxNotYours          "sandbox.not-yours"          Client Useless "The directory of --sandbox, or its group, is not the caller's own.";
    SandboxUnreachable       "sandbox.unreachable"        Client Useless "The directory of --sandbox does not exist, the caller cannot reach it, it was moved while glexec looked, or its owner may not enter it.";
    SandboxExposed           "sandbox.exposed"            Client Useless "The directory directly above that of --sandbox is not the caller's, or others may enter it: a payload could leave a setuid program for them; chmod 700 it.";
    SandboxUnsupported       "sandbox.unsupported"        System Useless "The kernel, the file system (NFS, overlay) or a container does not let files be shown under another owner; the log says which step failed. A pipe between two tar does without.";
    SandboxForbidden         "sandbox.forbidden"          Authorization Useless "The site does not allow --sandbox ([isolation] sandbox = false).";

    AuditUnavailable         "audit.unavailable"          System MayHelp "The audit record cannot be written (audit_required).";
    CgroupUnusable           "cgroup.unusable"            System Useless "The cgroup that the site names for payloads does not exist, is not a cgroup v2 that belongs to root, or the system refused to make one of the call's own in it; nothing was run.";
    PrologueUnusable         "prologue.unusable"          System Useless "The site's prologue is missing, not executable, or can be written by somebody else than root; nothing was run.";
    PrologueFailed           "prologue.failed"            System Useless "The site's prologue failed, took too long, or printed what glexec does not take; the log says what. Nothing was run.";
    WrapperUnusable          "wrapper.unusable"           System Useless "The site's wrapper of payloads is missing, can be written by somebody else than root, or the account may not execute it; nothing was run.";
    EpilogueUnusable         "epilogue.unusable"          System Useless "The site's epilogue is missing, can be written by somebody else than root, or its user or group does not exist; nothing was run.";
    EpilogueFailed           "epilogue.failed"            System Useless "The payload ran, but the site's epilogue failed or took too long; the end record says how it ended.";

    SwitchFailed             "switch.failed"              System Useless "The identity switch failed or could be undone; nothing was run.";
    SystemFailed             "system.failed"              System Useless "The system refused something that glexec needs; the log says what.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal: its reason, the caller's sentence and what the log gets besides.
///
/// The sentence must say no more than the caller could find out with its own permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Reason,
    sentence: String,
    detail: Option<String>,
}

impl Refusal {
    /// A refusal with a sentence that both caller and log may see.
    pub fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Refusal { reason, sentence: sentence.into(), detail: None }
    }

    /// Adds what only the log may see.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Puts what the refusal is about in front of its sentence.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.sentence = format!("{what}: {}", self.sentence);
        self
    }

    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The sentence for the caller.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// What only the log may see.
    pub fn only_for_log(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The text for the log: the sentence and the detail.
    pub fn for_log(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {}", self.sentence, detail),
            None => self.sentence.clone(),
        }
    }
}

/// What a step of the pipeline gives.
pub type Outcome<T> = Result<T, Refusal>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_has_the_form_area_dot_reason() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let (area, rest) = reason.code().split_once('.').unwrap();
            for part in [area, rest] {
                assert!(part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{reason}");
            }
            assert!(seen.insert(reason.code()), "{reason} is there twice");
        }
    }

    #[test]
    fn only_full_pools_expired_crls_missing_keys_failed_plugins_and_unreachable_services_are_transient() {
        let transient: Vec<_> = Reason::ALL.iter().filter(|r| r.retry() == Retry::MayHelp).map(|r| r.code()).collect();
        let expected = [
            "token.key-unknown",
            "token.keys-missing",
            "token.keys-expired",
            "trust.crl-expired",
            "verifier.version",
            "agent.unavailable",
            "lcas.exec-failed",
            "lcmaps.pool-exhausted",
            "lcmaps.exec-failed",
            "site.unavailable",
            "account.lookup-failed",
            "audit.unavailable",
        ];
        assert_eq!(transient, expected);
    }
}
