//! Asking a PEP of Argus, in the profile for worker nodes: certificates go, and account and groups come by name.

use crate::hessian::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glexec_core::account::is_name;
use glexec_core::identity::Identity;
use glexec_core::reason::Reason;
use glexec_core::site::{Answer, Denial, Mode, OwnGroups, Permit};
use glexec_site_client::wire::Question;

/// What a body is sent as.
pub const CONTENT: &str = "application/x-www-form-urlencoded";
/// Most groups that are taken.
const MAX_GROUPS: usize = 100;

const TEXT: &str = "http://www.w3.org/2001/XMLSchema#string";
const PROFILE: &str = "http://glite.org/xacml/profile/grid-wn/1.0";
/// The obligation of gLite's profiles, and that of dci-sec.org's.
const MAPPINGS: [&str; 2] = [
    "http://glite.org/xacml/obligation/local-environment-map/posix",
    "http://dci-sec.org/xacml/obligation/map-local-user/posix",
];
/// What a result says.
const DENY: i32 = 0;
const PERMIT: i32 = 1;
const NOT_APPLICABLE: i32 = 3;

fn class(name: &str) -> String {
    format!("org.glite.authz.common.model.{name}")
}

fn attribute(id: &str, text: &str) -> Value {
    let fields = vec![
        ("id", Value::text(id)),
        ("dataType", Value::text(TEXT)),
        ("issuer", Value::Null),
        ("values", Value::List(vec![Value::text(text)])),
    ];
    Value::object(&class("Attribute"), fields)
}

/// The question's body.
pub fn question(question: &Question) -> Result<Vec<u8>, String> {
    if question.mode == Mode::VerifyAccount {
        let why = "an Argus leases an account when it is asked: it cannot be asked whether there is one";
        return Err(why.to_owned());
    }
    // A chain has no place for a key.
    let chain = String::from_utf8(question.user.to_pem()).map_err(|error| error.to_string())?;
    let holder = |name: &str, first: Option<(&'static str, Value)>, id: &str, text: &str| {
        let attributes = ("attributes", Value::List(vec![attribute(id, text)]));
        Value::object(&class(name), first.into_iter().chain([attributes]).collect())
    };
    let subject =
        holder("Subject", Some(("category", Value::Null)), "urn:oasis:names:tc:xacml:1.0:subject:key-info", &chain);
    let resource = holder(
        "Resource",
        Some(("content", Value::Null)),
        "http://glite.org/xacml/attribute/resource-type",
        "http://glite.org/xacml/resource-type/wn",
    );
    let action = holder(
        "Action",
        None,
        "urn:oasis:names:tc:xacml:1.0:action:action-id",
        "http://glite.org/xacml/action/execute",
    );
    let environment = holder("Environment", None, "http://glite.org/xacml/attribute/profile-id", PROFILE);
    let fields = vec![
        ("subjects", Value::List(vec![subject])),
        ("resources", Value::List(vec![resource])),
        ("action", action),
        ("environment", environment),
    ];
    let mut bytes = Vec::new();
    Value::object(&class("Request"), fields).write(&mut bytes);
    Ok(STANDARD.encode(bytes).into_bytes())
}

/// What a response says about a user.
pub fn answer(body: &[u8], user: &Identity) -> Result<Answer, String> {
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(text).map_err(|_| "the PEP's answer is not base64".to_owned())?;
    let response = Value::read(&bytes).map_err(|why| format!("the PEP's answer: {why}"))?;
    let [result] = response.items("results") else { return Err("the PEP's answer has not one result".to_owned()) };
    match result.field("decision") {
        Some(Value::Int(PERMIT)) => permit(result, user).map(Answer::Permit),
        Some(Value::Int(DENY | NOT_APPLICABLE)) => Ok(Answer::Deny(Denial {
            code: Reason::SiteDenied.code().to_owned(),
            transient: false,
            sentence: "the site's Argus does not let you run here".to_owned(),
        })),
        _ => Err("the PEP's answer is neither yes nor no".to_owned()),
    }
}

/// A permit without an account is no answer: Argus has left it out under load.
fn permit(result: &Value, user: &Identity) -> Result<Permit, String> {
    let is_mapping = |obligation: &&Value| obligation.word("id").is_some_and(|id| MAPPINGS.contains(&id));
    let mapping = result.items("obligations").iter().find(is_mapping);
    let mapping = mapping.ok_or_else(|| "the PEP permits, but maps to no account".to_owned())?;
    let (mut accounts, mut primaries, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for assignment in mapping.items("assignments") {
        let id = assignment.word("attributeId").or_else(|| assignment.word("id")).unwrap_or_default();
        let place = match id.rsplit_once("attribute/").map_or(id, |(_, name)| name) {
            "user-id" => &mut accounts,
            "group-id/primary" => &mut primaries,
            "group-id" => &mut groups,
            _ => continue,
        };
        place.extend(assignment.word("value"));
        place.extend(assignment.items("values").iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }));
    }
    let [account] = accounts.as_slice() else { return Err("the PEP permits, but maps not to one account".to_owned()) };
    if primaries.len() > 1 || groups.len() > MAX_GROUPS {
        return Err("the PEP's mapping has too many groups".to_owned());
    }
    if let Some(bad) = std::iter::once(account).chain(&primaries).chain(&groups).find(|name| !is_name(name)) {
        return Err(format!("the PEP's mapping has {bad:?}, which is not the name of an account or a group"));
    }
    let primary = primaries.first().map(|group| (*group).to_owned());
    let supplementary = groups.iter().filter(|group| Some(**group) != primary.as_deref());
    Ok(Permit {
        subject: user.subject.clone(),
        issuer: user.issuer().cloned().ok_or("Argus knows people by their certificates")?,
        account: (*account).to_owned(),
        groups: supplementary.map(|group| (*group).to_owned()).collect(),
        group: primary,
        own_groups: OwnGroups::None,
        lease: None,
        not_after: user.not_after,
    })
}
