//! The claims of a token whose signature is right, in the order that the manual tells: times, version, audience, scope,
//! possession, subject, groups.

use super::issuer::{Issuer, Profile};
use super::json::{Object, Value};
use super::malformed::malformed;
use super::site::Rules;
use glexec_core::identity::{Fqan, MAX_FQANS, MAX_SUB, MAX_WORD, is_word};
use glexec_core::reason::{Outcome, Reason, Refusal};

/// What the claims say of a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub subject: String,
    /// `jti`, where it is visible ASCII.
    pub jti: Option<String>,
    /// `scope`, its words with one blank between.
    pub scope: String,
    /// `exp`, in seconds since 1970 UTC.
    pub not_after: i64,
    /// The VO that the issuer, or the token, speaks for.
    pub vo: Option<String>,
    /// Groups as FQANs, in their order, all of this VO.
    pub fqans: Vec<Fqan>,
}

/// What a token is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It stands for the user or the pilot: audience, scope and groups count.
    Identity,
    /// It is copied for the payload: they are free.
    Copy,
}

/// Judges the claims.
pub fn judge(claims: &Object, issuer: &Issuer, purpose: Use, rules: &Rules, now: i64) -> Outcome<Claims> {
    if claims.has_duplicates() {
        return Err(malformed("a claim is there twice"));
    }
    let not_after = judge_times(claims, rules, now)?;
    judge_version(claims, issuer)?;
    let scope = scope(claims)?;
    if purpose == Use::Identity {
        judge_audience(claims, issuer)?;
        judge_scope(&scope, issuer)?;
    }
    if claims.get("cnf").is_some() {
        let text = "the token is bound to a key that cannot be proved here (\"cnf\"): get one that is not";
        return Err(Refusal::new(Reason::TokenBound, text));
    }
    let subject = subject(claims)?;
    let fqans = match purpose {
        Use::Identity => groups(claims, issuer)?,
        Use::Copy => Vec::new(),
    };
    let vo = fqans.first().map(Fqan::vo).or(issuer.only_vo()).map(str::to_owned);
    let jti = claims.get("jti").and_then(Value::text).filter(|jti| is_word(jti, MAX_WORD)).map(str::to_owned);
    Ok(Claims { subject, jti, scope: scope.join(" "), not_after, vo, fqans })
}

fn judge_times(claims: &Object, rules: &Rules, now: i64) -> Outcome<i64> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(Some(time))) => Ok(Some(*time)),
        Some(_) => Err(malformed(&format!("its claim \"{name}\" is not a time in seconds"))),
    };
    let required = |name: &str| time(name)?.ok_or_else(|| malformed(&format!("it has no claim \"{name}\"")));
    let (expires, issued, begins) = (required("exp")?, required("iat")?, time("nbf")?);
    if expires <= now.saturating_sub(rules.clock_skew) {
        let ago = now.saturating_sub(expires);
        let text = format!("the token expired {ago} s ago: renew it");
        return Err(Refusal::new(Reason::TokenExpired, text));
    }
    let later = |what: &str| {
        let text = format!("the token {what}: check the clocks");
        Err(Refusal::new(Reason::TokenNotYetValid, text))
    };
    let latest = now.saturating_add(rules.clock_skew);
    if expires < issued {
        return Err(malformed("it ends (\"exp\") before it begins (\"iat\")"));
    }
    if issued > latest {
        return later("was issued in the future (\"iat\")");
    }
    if expires.checked_sub(issued).is_none_or(|lifetime| lifetime > rules.max_lifetime) {
        let text = format!("the token is valid for longer than the {} s that this site accepts", rules.max_lifetime);
        return Err(Refusal::new(Reason::TokenLifetime, text));
    }
    match begins.is_some_and(|begins| begins > latest) {
        true => later("is not valid yet (\"nbf\")"),
        false => Ok(expires),
    }
}

/// A newer minor version is accepted, a newer major one is not (WLCG Common JWT Profile section 2.1).
fn judge_version(claims: &Object, issuer: &Issuer) -> Outcome<()> {
    let (claim, prefix) = match issuer.profile {
        Profile::Wlcg => ("wlcg.ver", "1."),
        Profile::Scitokens => ("ver", "scitokens:2."),
        Profile::Egi | Profile::Diracx => return Ok(()),
    };
    let version = claims.get(claim).and_then(Value::text).unwrap_or_default();
    let minor = version.strip_prefix(prefix).unwrap_or_default();
    match !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(()),
        false => {
            let text = format!("the token is of no version that glexec knows: \"{claim}\" must be {prefix}x");
            Err(Refusal::new(Reason::TokenVersion, text).detail(format!("{claim}={version:?}")))
        }
    }
}

fn judge_audience(claims: &Object, issuer: &Issuer) -> Outcome<()> {
    let named = match claims.get("aud") {
        Some(Value::Text(one)) => vec![one.as_str()],
        Some(list @ Value::List(_)) => {
            list.texts().ok_or_else(|| malformed("its claim \"aud\" is neither a text nor a list of texts"))?
        }
        None => Vec::new(),
        Some(_) => return Err(malformed("its claim \"aud\" is neither a text nor a list of texts")),
    };
    let anybody = match issuer.profile {
        Profile::Wlcg => Some("https://wlcg.cern.ch/jwt/v1/any"),
        Profile::Scitokens => Some("ANY"),
        Profile::Egi | Profile::Diracx => None,
    };
    let is_meant = |audience: &&str| {
        issuer.audiences.iter().any(|ours| ours == audience)
            || (issuer.accept_any_audience && anybody == Some(*audience))
    };
    match named.iter().any(is_meant) {
        true => Ok(()),
        false => {
            let text = format!(
                "the token is not meant for this site: get one whose audience (\"aud\") is {}",
                issuer.audiences.join(" or ")
            );
            Err(Refusal::new(Reason::TokenAudience, text).detail(format!("aud={named:?}")))
        }
    }
}

fn scope(claims: &Object) -> Outcome<Vec<String>> {
    match claims.get("scope") {
        None => Ok(Vec::new()),
        Some(Value::Text(words)) => Ok(words.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()),
        Some(_) => Err(malformed("its claim \"scope\" is not a text")),
    }
}

/// All required scopes, word by word. Without a required one groups say who may run, but only for a token that carries no
/// capability: what was made to read one file must not start a job (WLCG Common JWT Profile section 2.2.3).
fn judge_scope(scope: &[String], issuer: &Issuer) -> Outcome<()> {
    if let Some(missing) = issuer.scopes.iter().find(|wanted| !scope.contains(wanted)) {
        let text = format!("the token does not allow to start jobs: get one with the scope {missing}");
        return Err(Refusal::new(Reason::TokenScope, text).detail(format!("scope={scope:?}")));
    }
    let capability = scope.iter().find(|word| is_capability(word)).filter(|_| issuer.scopes.is_empty());
    match capability {
        Some(word) => {
            let text = "the token is for something else than jobs: get one without capabilities, with groups only";
            Err(Refusal::new(Reason::TokenScope, text).detail(format!("scope has {word:?}")))
        }
        None => Ok(()),
    }
}

/// Words that allow something are written with a dot, a colon or a slash (`storage.read:/`, `compute.create`, `condor:/WRITE`,
/// `scim:read`), but for four old ones of SciTokens; what only asks for claims has a plain word (`openid`, `profile`), and
/// `wlcg.groups:/vo` asks for a group.
fn is_capability(word: &str) -> bool {
    let asks_for_groups = word == "wlcg.groups" || word.starts_with("wlcg.groups:");
    !asks_for_groups && (word.contains(['.', ':', '/']) || ["queue", "execute", "read", "write"].contains(&word))
}

fn subject(claims: &Object) -> Outcome<String> {
    match claims.get("sub").and_then(Value::text) {
        Some(subject) if is_word(subject, MAX_SUB) => Ok(subject.to_owned()),
        _ => {
            let text =
                "the token names nobody: its claim \"sub\" is missing, longer than 255 bytes, or not visible ASCII";
            Err(Refusal::new(Reason::TokenSubject, text))
        }
    }
}

/// The groups as FQANs. A group does not imply the one above it (section 2.2.2).
fn groups(claims: &Object, issuer: &Issuer) -> Outcome<Vec<Fqan>> {
    let refuse = |why: String| {
        let text =
            "the token's groups are not accepted: they must be groups of one VO that this site knows at its issuer";
        Refusal::new(Reason::TokenGroups, text).detail(why)
    };
    let Some(claim) = issuer.groups_claims().into_iter().find_map(|name| claims.get(name)) else {
        return match (&issuer.default_group, issuer.profile, issuer.group_only) {
            (Some(group), _, false) => Ok(vec![group.clone()]),
            (None, Profile::Wlcg | Profile::Scitokens, false) if !issuer.scopes.is_empty() => Ok(Vec::new()),
            _ => Err(refuse("it has no groups".into())),
        };
    };
    let texts = match claim {
        Value::Text(one) => vec![one.as_str()],
        list => list.texts().ok_or_else(|| refuse("the claim is not a list of texts".into()))?,
    };
    let spelled: Vec<String> = match issuer.profile {
        // These profiles have groups and no roles: a group that is called `Role=x` is none.
        Profile::Wlcg | Profile::Scitokens => match texts.iter().find(|text| text.contains('=')) {
            Some(text) => return Err(refuse(format!("{text:?} is no group"))),
            None => texts.into_iter().map(str::to_owned).collect(),
        },
        Profile::Egi => entitlements(&texts, issuer).map_err(refuse)?,
        Profile::Diracx => {
            let vo = claims.get("vo").and_then(Value::text).ok_or_else(|| refuse("it names no \"vo\"".into()))?;
            match texts.iter().chain([&vo]).find(|word| !is_plain(word)) {
                Some(text) => return Err(refuse(format!("{text:?} is no group"))),
                None => texts.iter().map(|group| format!("/{vo}/{group}")).collect(),
            }
        }
    };
    if spelled.is_empty()
        && issuer.default_group.is_none()
        && (issuer.scopes.is_empty() || issuer.profile == Profile::Egi)
    {
        return Err(refuse("it has no groups".into()));
    }
    if spelled.len() > MAX_FQANS {
        return Err(refuse(format!("it has more than {MAX_FQANS} groups")));
    }
    let mut fqans: Vec<Fqan> = Vec::new();
    for group in spelled {
        let fqan = Fqan::try_from(group.clone()).map_err(|_| refuse(format!("{group:?} is no group")))?;
        if !issuer.has_vo(fqan.vo()) || fqans.first().is_some_and(|other| other.vo() != fqan.vo()) {
            return Err(refuse(format!("{group:?} is a group of another VO")));
        }
        if !fqans.contains(&fqan) {
            fqans.push(fqan);
        }
    }
    match (&issuer.default_group, fqans.is_empty()) {
        (Some(group), true) => Ok(vec![group.clone()]),
        _ => Ok(fqans),
    }
}

/// Whether a word of a token is one word of an FQAN.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && !word.contains(['/', '='])
}

/// The FQANs of entitlements `NAMESPACE:group:VO[:GROUP]*[:role=ROLE]#AUTHORITY` (AARC-G069). Those of other namespaces are
/// what others say of a person, which the issuer only passes on; those of VOs that the site does not name say nothing here.
fn entitlements(texts: &[&str], issuer: &Issuer) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for text in texts {
        let Some((path, _authority)) =
            text.strip_prefix(issuer.namespace()).and_then(|rest| rest.strip_prefix(":group:")?.split_once('#'))
        else {
            continue;
        };
        let mut words: Vec<&str> = path.split(':').collect();
        let role = words.last().and_then(|last| last.strip_prefix("role="));
        if role.is_some() {
            words.pop();
        }
        if !words.first().is_some_and(|vo| issuer.has_vo(vo)) {
            continue;
        }
        if !words.iter().chain(&role).all(|word| is_plain(word)) {
            return Err(format!("{text:?} is no group"));
        }
        let role = role.map(|role| format!("/Role={role}")).unwrap_or_default();
        all.push(format!("/{}{role}", words.join("/")));
    }
    Ok(all)
}
