//! SAML 2.0 profile of XACML 2.0 over SOAP: what clients of SCAS, GUMS and Argus speak.
//!
//! Of a question only the certificates count: names and attributes beside them are text that anybody can write. The answer
//! has the account by name, in the obligations of the profile that the question was asked in.

use crate::xml::{read, written};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glexec_site_client::certificates::Chain;
use glexec_site_client::wire::{Answer, Mode, Permit, Question, VERSION};
use std::fmt::Write as _;
use time::OffsetDateTime;

/// Longest identifier of a question that is given back, in bytes.
const MAX_ID: usize = 200;

/// Which names for things a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// OGF GFD.205, Authorization Interoperability: SCAS and GUMS.
    Interoperability,
    /// Argus, gLite's: worker nodes and CREAM.
    Glite,
}

/// A question that was understood.
#[derive(Debug)]
pub struct Asked {
    pub profile: Profile,
    /// The identifier that the answer must name.
    pub id: String,
    /// What is asked.
    pub question: Question,
}

/// Reads a request; says what is wrong with it.
pub fn asked(bytes: &[u8]) -> Result<Asked, &'static str> {
    let envelope = read(bytes)?;
    if envelope.name != "Envelope" {
        return Err("this is no SOAP envelope");
    }
    let body = envelope.all("Body").next().ok_or("the envelope has no body")?;
    let query = body.all("XACMLAuthzDecisionQuery").next().ok_or("the body has no XACMLAuthzDecisionQuery")?;
    let id = query.attribute("ID").unwrap_or_default();
    if id.len() > MAX_ID {
        return Err("the query's ID is too long");
    }
    let request = query.find("Request").ok_or("the query has no request")?;
    let mut found: Option<(Profile, &str)> = None;
    for attribute in request.all("Subject").flat_map(|subject| subject.all("Attribute")) {
        let profile = match attribute.attribute("AttributeId") {
            Some("http://authz-interop.org/xacml/subject/cert-chain") => Profile::Interoperability,
            Some("urn:oasis:names:tc:xacml:1.0:subject:key-info") => Profile::Glite,
            _ => continue,
        };
        let value = attribute.all("AttributeValue").next().ok_or("the certificates are missing")?;
        // Two chains would be two people.
        if found.replace((profile, value.text.as_str())).is_some() {
            return Err("there is more than one chain of certificates");
        }
    }
    let (profile, text) =
        found.ok_or("the subject has no certificates (cert-chain or key-info), and its name alone proves nothing")?;
    let question = Question { version: VERSION, user: chain(text)?, pilot: None, mode: Mode::GetAccount };
    Ok(Asked { profile, id: id.to_owned(), question })
}

/// The certificates: PEM, or base64 of PEM or of DER.
fn chain(text: &str) -> Result<Chain, &'static str> {
    let of_pem = |pem: &[u8]| Chain::of_file(pem).map_err(|_| "the certificates cannot be read");
    if text.contains("-----BEGIN") {
        return of_pem(text.trim().as_bytes());
    }
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|_| "the certificates are neither PEM nor base64")?;
    match bytes.starts_with(b"-----BEGIN") {
        true => of_pem(&bytes),
        false => Ok(Chain::new(vec![bytes])),
    }
}

fn instant(now: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let ((year, month, day), (hour, minute, second)) = (at.to_calendar_date(), at.to_hms());
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

fn obligation(out: &mut String, id: &str, assignments: &[(&str, &str)]) {
    let _ = write!(out, "<xacml:Obligation ObligationId=\"{id}\" FulfillOn=\"Permit\">");
    for (attribute, value) in assignments {
        let _ = write!(
            out,
            "<xacml:AttributeAssignment AttributeId=\"{attribute}\" DataType=\"http://www.w3.org/2001/XMLSchema#string\">{}\
             </xacml:AttributeAssignment>",
            written(value)
        );
    }
    out.push_str("</xacml:Obligation>");
}

fn obligations(profile: Profile, permit: &Permit) -> String {
    let mut out = String::new();
    match profile {
        Profile::Interoperability => obligation(
            &mut out,
            "http://authz-interop.org/xacml/obligation/username",
            &[("http://authz-interop.org/xacml/attribute/username", &permit.account)],
        ),
        Profile::Glite => {
            let mut assignments = vec![("http://glite.org/xacml/attribute/user-id", permit.account.as_str())];
            assignments.extend(
                permit.group.iter().map(|group| ("http://glite.org/xacml/attribute/group-id/primary", group.as_str())),
            );
            let groups = permit.group.iter().chain(&permit.groups);
            assignments.extend(groups.map(|group| ("http://glite.org/xacml/attribute/group-id", group.as_str())));
            obligation(&mut out, "http://glite.org/xacml/obligation/local-environment-map/posix", &assignments);
        }
    }
    out
}

/// The answer to a question. Status, Assertion and Obligations are always there: old clients look into them without asking.
pub fn answered(asked: &Asked, answer: &Answer, own_id: &str, now: i64) -> String {
    let (decision, status, message, obligations) = match answer {
        Answer::Permit(permit) => ("Permit", "ok", String::new(), obligations(asked.profile, permit)),
        Answer::Deny(denial) => {
            let message = format!("{} ({})", denial.sentence, denial.code);
            let message = format!("<xacml-context:StatusMessage>{}</xacml-context:StatusMessage>", written(&message));
            // What the site must set right says nothing about the user.
            match denial.transient {
                true => ("Indeterminate", "processing-error", message, String::new()),
                false => ("Deny", "ok", message, String::new()),
            }
        }
    };
    let (id, now, own_id) = (written(&asked.id), instant(now), written(own_id));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <saml2p:Response xmlns:saml2p=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml2=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"r{own_id}\" InResponseTo=\"{id}\" IssueInstant=\"{now}\" Version=\"2.0\"><saml2:Issuer>glexec-site</saml2:Issuer>\
         <saml2p:Status><saml2p:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></saml2p:Status>\
         <saml2:Assertion ID=\"a{own_id}\" IssueInstant=\"{now}\" Version=\"2.0\"><saml2:Issuer>glexec-site</saml2:Issuer>\
         <saml2:Statement xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:xacml-saml=\"urn:oasis:names:tc:xacml:2.0:profile:saml2.0:v2:schema:assertion\" \
         xsi:type=\"xacml-saml:XACMLAuthzDecisionStatementType\">\
         <xacml-context:Response xmlns:xacml-context=\"urn:oasis:names:tc:xacml:2.0:context:schema:os\"><xacml-context:Result>\
         <xacml-context:Decision>{decision}</xacml-context:Decision><xacml-context:Status>\
         <xacml-context:StatusCode Value=\"urn:oasis:names:tc:xacml:1.0:status:{status}\"/>{message}</xacml-context:Status>\
         <xacml:Obligations xmlns:xacml=\"urn:oasis:names:tc:xacml:2.0:policy:schema:os\">{obligations}</xacml:Obligations>\
         </xacml-context:Result></xacml-context:Response></saml2:Statement></saml2:Assertion></saml2p:Response></soap:Body></soap:Envelope>"
    )
}

/// A SOAP fault, for what is no question.
pub fn fault(why: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <soap:Fault><faultcode>soap:Client</faultcode><faultstring>{}</faultstring></soap:Fault></soap:Body></soap:Envelope>",
        written(why)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_site_client::wire::{Denial, OwnGroups};

    fn query(attributes: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='x'><s:Body><p:XACMLAuthzDecisionQuery ID='q&amp;1'><c:Request><c:Subject>{attributes}</c:Subject>\
             <c:Resource/></c:Request></p:XACMLAuthzDecisionQuery></s:Body></s:Envelope>"
        )
    }

    fn attribute(id: &str, value: &str) -> String {
        format!("<c:Attribute AttributeId='{id}'><c:AttributeValue>{value}</c:AttributeValue></c:Attribute>")
    }

    const CHAIN: &str = "http://authz-interop.org/xacml/subject/cert-chain";

    #[test]
    fn a_name_without_certificates_proves_nothing() {
        let name = attribute("http://authz-interop.org/xacml/subject/subject-x509-id", "/CN=Alice");
        assert!(asked(query(&name).as_bytes()).unwrap_err().contains("proves nothing"));
        let two = attribute(CHAIN, "AAAA") + &attribute(CHAIN, "AAAB");
        assert!(asked(query(&two).as_bytes()).unwrap_err().contains("more than one"));
        assert!(asked(query(&attribute(CHAIN, "!")).as_bytes()).is_err());
        assert!(asked(b"<a/>").is_err());
        let good = asked(query(&(name + &attribute(CHAIN, "\n AAAA\n"))).as_bytes()).unwrap();
        assert_eq!((good.id.as_str(), good.profile), ("q&1", Profile::Interoperability));
        assert_eq!(good.question.user.certificates(), [vec![0, 0, 0]]);
    }

    #[test]
    fn the_answer_has_everything_that_old_clients_look_into() {
        let asked =
            asked(query(&attribute("urn:oasis:names:tc:xacml:1.0:subject:key-info", "AAAA")).as_bytes()).unwrap();
        let permit = Permit {
            subject: "/CN=Alice".to_owned().try_into().unwrap(),
            issuer: "/CN=CA".to_owned().try_into().unwrap(),
            account: "p01".into(),
            group: Some("prod".into()),
            groups: vec!["vo".into()],
            own_groups: OwnGroups::None,
            lease: None,
            not_after: 0,
        };
        let deny = Denial { code: "lcas.userban".into(), transient: false, sentence: "<no>".into() };
        for (answer, decision) in [(Answer::Permit(permit), "Permit"), (Answer::Deny(deny), "Deny")] {
            let text = answered(&asked, &answer, "1", 0);
            let document = read(text.as_bytes()).unwrap();
            let response = document.find("Body").unwrap().all("Response").next().unwrap();
            assert_eq!(response.attribute("InResponseTo"), Some("q&1"));
            assert!(response.all("Status").next().is_some());
            let statement = response.find("Assertion").unwrap().find("Statement").unwrap();
            let result = statement.find("Result").unwrap();
            assert_eq!(result.find("Decision").unwrap().text, decision);
            let obligations = result.find("Obligations").unwrap();
            assert_eq!(
                obligations.find("AttributeAssignment").map(|a| a.text.as_str()),
                (decision == "Permit").then_some("p01")
            );
        }
    }
}
