//! What to do about a refusal, for the administrator: one line each, the same on the page docs/use/troubleshooting.md.

use glexec_core::reason::Reason;

/// The reasons that a site meets when something is not set up rightly, and how to fix them.
pub const MENDS: &[(Reason, &str)] = &[
    (Reason::SelfNotSetuid, "chown root:root and chmod 4711 the program, on a file system without nosuid"),
    (
        Reason::SelfNoNewPrivs,
        "start the pilot without no_new_privs (apptainer, systemd NoNewPrivileges=, Docker no-new-privileges)",
    ),
    (Reason::SelfUserNamespace, "start the pilot outside of user namespaces (rootless containers)"),
    (Reason::ConfigMissing, "write /etc/glexec.conf; glexec-admin migrate makes one from historic files"),
    (Reason::ConfigInsecure, "chown root and chmod go-w the file, and every directory above it"),
    (Reason::ConfigUnreadable, "make it a regular file that root can read"),
    (
        Reason::ConfigHistoric,
        "glexec-admin migrate --output /etc/glexec.conf, and look at the lines that begin with # LOOK",
    ),
    (Reason::ConfigSyntax, "correct the line; glexec-admin migrate --check FILE tries a file"),
    (Reason::ConfigInvalid, "correct the line; glexec.conf(5) has every key"),
    (Reason::CallerNotWhiteListed, "add the pilot's account to user_white_list, if it may call"),
    (Reason::CredentialUnreadable, "let the pilot search the directories above its proxy, and name the right file"),
    (Reason::CredentialInsecure, "chmod 600 the proxy"),
    (Reason::CredentialExpired, "renew the proxy; if it is new, check the clock"),
    (Reason::CredentialNotYetValid, "check the clock (chronyc tracking)"),
    (
        Reason::CredentialWeakDigest,
        "on a proxy: docs/use/troubleshooting.md, SHA-1; a certificate has to be replaced by its CA",
    ),
    (Reason::CredentialWeakKey, "make a new proxy, or get a certificate with a longer key"),
    (Reason::CredentialUnknownCa, "install the CA's package, if the site trusts it"),
    (Reason::TrustInsecure, "chown root and chmod go-w the trust directory, what is in it, and what is above it"),
    (
        Reason::TrustUnreadable,
        "let certdir and vomsdir be there and readable for service_user; where links lead out of them: linked_directories",
    ),
    (Reason::TrustCaMalformed, "install the CA's package anew"),
    (Reason::TrustCaExpired, "update the CA packages; if they are new, check the clock"),
    (Reason::TrustCrlMissing, "run fetch-crl, and see that it runs every few hours"),
    (Reason::TrustCrlExpired, "run fetch-crl, and see that it runs every few hours; if it does, check the clock"),
    (Reason::TrustCrlInvalid, "remove the file and run fetch-crl"),
    (
        Reason::TrustPolicyMissing,
        "install the CA's package anew: a HASH.signing_policy or HASH.namespaces, its own or of a CA above it, has to speak of it",
    ),
    (
        Reason::TrustPolicyMalformed,
        "correct the line that is named; if the CA's package brought it, tell who made the package",
    ),
    (Reason::VomsUntrusted, "install the VO's .lsc file in vomsdir/VO/, if the site supports the VO"),
    (Reason::VomsLsc, "write the .lsc file anew: subject and issuer of the VOMS server, one a line"),
    (Reason::TokenIssuerFile, "correct the file: docs/use/tokens.md has an example; one file an issuer"),
    (Reason::TokenKeysMissing, "run glexec-admin fetch-keys, and see that glexec-fetch-keys.timer is enabled"),
    (Reason::TokenKeysExpired, "run glexec-admin fetch-keys, and see that glexec-fetch-keys.timer is enabled"),
    (
        Reason::TokenKeysMalformed,
        "remove the file and run glexec-admin fetch-keys; a private key in it has to be replaced by the issuer",
    ),
    (
        Reason::VerifierVersion,
        "nothing, while an update is under way; else install the package again: glexec and /usr/libexec/glexec/verifier are of different versions",
    ),
    (
        Reason::VerifierFailed,
        "useradd --system --shell /usr/sbin/nologin glexec, or name another service_user; the kernel needs Landlock",
    ),
    (
        Reason::CgroupUnusable,
        "mkdir it on the cgroup v2 file system at every boot; only root may write it (docs/reference/payload.md)",
    ),
    (Reason::LcasFileMissing, "write the file, or take its plug-in out of glexec.conf"),
    (Reason::LcasFileInsecure, "chown root and chmod go-w the file, and every directory above it"),
    (Reason::LcasFileMalformed, "correct the line: until then everybody is refused"),
    (Reason::LcmapsNoMapping, "add a line for the user or the VO to the grid-mapfile, if they may run here"),
    (Reason::LcmapsPoolExhausted, "add accounts to the pool, or take back unused ones: glexec-admin leases expire"),
    (Reason::LcmapsFileMissing, "write the file or make the directory, or correct its name in glexec.conf"),
    (
        Reason::LcmapsFileInsecure,
        "chown root and chmod go-w the file (a gridmapdir: o-w), and every directory above it",
    ),
    (Reason::LcmapsFileMalformed, "correct the line: until then everybody is refused"),
    (Reason::LcmapsGridmapdir, "make the gridmapdir writable for root: not read-only, not full, no root_squash"),
    (Reason::AccountUnknown, "make the account (useradd), or correct the line that names it"),
    (Reason::AccountNoGroup, "make the group (groupadd), or correct the line that names it"),
    (Reason::AccountForbidden, "map to an account with ids of at least min_uid and min_gid"),
    (Reason::AccountLocked, "renew the account (chage -E), or take it out of the map"),
    (Reason::AccountLookup, "look at the name service: getent passwd ACCOUNT"),
    (
        Reason::AuditUnavailable,
        "start the syslog daemon (or journald), or set log_destination; fix log_file and the directories above it",
    ),
];

/// What to do.
pub fn mend(reason: Reason) -> &'static str {
    MENDS.iter().find(|(known, _)| *known == reason).map_or(reason.meaning(), |(_, mend)| *mend)
}
