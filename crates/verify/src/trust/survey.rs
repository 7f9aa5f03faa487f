//! The whole CA directory, looked at with the eyes of the verifier: for who looks after the site.

#![forbid(unsafe_code)]

use super::{MAX_CA_FILE, crl, is_ca, read, signing_policy};
use crate::context::{Context, Link, Place};
use crate::trust::Trust;
use crate::x509::certificate::Certificate;
use crate::x509::chain::MAX_CAS;
use crate::x509::pem;
use glexec_core::credentials::Credentials;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::surveyed::Authority;
use glexec_core::verdict::Refused;

/// Every file `HASH.N`, as it would be judged at a time. The outer error is about the directory, the inner ones about one
/// file. Links to the same file count once.
pub fn survey(trust: &Trust, policy: &Credentials, now: i64) -> Outcome<Vec<Result<Authority, Refused>>> {
    let mut names = trust.cas.names().map_err(|error| super::unreadable("the CA directory", &error))?;
    names.sort_unstable();
    let mut seen = Vec::new();
    let mut all = Vec::new();
    for name in names.iter().filter_map(|name| name.to_str()).filter(|name| is_ca(name)) {
        let identity = trust.cas.identity(name.as_ref());
        if identity.is_none_or(|identity| !seen.contains(&identity)) {
            seen.extend(identity);
            all.push(look(trust, policy, now, name).map_err(|refusal| (&refusal).into()));
        }
    }
    Ok(all)
}

fn look(trust: &Trust, policy: &Credentials, now: i64, name: &str) -> Outcome<Authority> {
    let what = format!("the CA certificate {name}");
    let malformed =
        |why: String| Refusal::new(Reason::TrustCaMalformed, format!("{what} is none that glexec accepts")).detail(why);
    let file = read(&trust.cas, name, MAX_CA_FILE, &what)?;
    let file = file.ok_or_else(|| malformed("it has just vanished".into()))?;
    let der = pem::first_certificate(file).map_err(|why| malformed(why.to_owned()))?;
    let certificate = Certificate::parse(&der).map_err(|fault| malformed(format!("{fault:?}")))?;
    let subject = certificate.subject.text().to_string();
    if !super::authorities(trust, &certificate.subject)?.iter().any(|found| found.der == certificate.der) {
        let hash = super::hashes(&certificate.subject).into_iter().next().unwrap_or_default();
        return Err(malformed(format!(
            "no call finds the CA {subject}: the file must be called {hash}.0, or .1 and so on"
        )));
    }
    let (from, until) = (certificate.not_before, certificate.not_after);
    let ca = Link { certificate, place: Place::Directory };
    let mut faults = Vec::new();
    if now > until {
        faults.push(ca.refuse(Reason::TrustCaExpired, "has expired: the site has to update its CAs"));
    } else if now < from {
        faults.push(ca.refuse(Reason::TrustCaExpired, "is not valid yet: check the clock"));
    }
    // Each with budgets of its own.
    faults.extend(crl::check(&Context::new(policy, trust, now, None), &ca, &[]).err());
    // Whether the CA may sign its own name is not the question, but whether its policy can be read.
    let context = Context::new(policy, trust, now, None);
    let policy_fault = above(&context, &ca).and_then(|above| signing_policy::check(&context, &ca, &above, &ca)).err();
    faults.extend(policy_fault.filter(|refusal| refusal.reason() != Reason::CredentialSigningPolicy));
    let faults = faults.iter().map(Refused::from).collect();
    Ok(Authority { file: name.to_owned(), subject, not_after: until, faults })
}

/// The CAs above a CA as far as the directory has them: a policy may stand in their files. Only names are followed.
fn above(context: &Context, ca: &Link) -> Outcome<Vec<Link>> {
    let mut found: Vec<Link> = Vec::new();
    for _ in 0..MAX_CAS {
        let last = &found.last().unwrap_or(ca).certificate;
        if last.is_self_issued() {
            break;
        }
        let Some(issuer) = context.authorities(&last.issuer)?.first().cloned() else { break };
        found.push(Link { certificate: issuer, place: Place::Directory });
    }
    Ok(found)
}
