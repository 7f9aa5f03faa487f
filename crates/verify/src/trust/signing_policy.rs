//! Which names a CA may certify at this site: `HASH.signing_policy` (Globus EACL) and `HASH.namespaces`.
//!
//! Either file satisfies `signing_policy = "require"`; where both are there, both must permit. A file may speak of the CAs
//! below its own too. The signing policy is lines of
//!
//! ```text
//! access_id_CA  X509    '/DC=org/DC=example/CN=CA'
//! pos_rights    globus  CA:sign
//! cond_subjects globus  '"/DC=org/DC=example/*" "/DC=org/DC=other/*"'
//! ```
//!
//! with `*` for any text and `?` for one character, compared with the canonical one-line name of the certificate (see
//! [`crate::x509::name`]). Globus judges every certificate that a CA has issued, CAs too, and so does this.

#![forbid(unsafe_code)]

use crate::context::{Context, Link};
use crate::trust::{Verdict, companion, namespaces};
use glexec_core::credentials::Presence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::spelling::{all_escaped, as_printed, pattern_as_printed};

/// Largest policy file; real ones stay below 10 KiB.
const MAX_FILE: u64 = 256 * 1024;

/// Checks that the site lets a CA certify a name. What the CA's own files say counts; where they say nothing about it, the
/// files of the nearest CA above it that do: distributions write the policy of a whole hierarchy into the root's files.
pub fn check(context: &Context, ca: &Link, above: &[Link], issued: &Link) -> Outcome<()> {
    if context.policy.signing_policy == Presence::Off {
        return Ok(());
    }
    let issuer = ca.certificate.subject.text();
    let mut silent = false;
    for owner in [ca].into_iter().chain(above) {
        match judge_by(context, owner, ca, issued)? {
            Some(Verdict::Permitted) => return Ok(()),
            Some(Verdict::Silent) if std::ptr::eq(owner, ca) => silent = true,
            _ => {}
        }
    }
    let text = match (silent, context.policy.signing_policy) {
        (false, Presence::IfPresent) => return Ok(()),
        (true, _) => format!("the signing policy of the CA {issuer} does not name this CA"),
        (false, _) => format!("the site has no signing policy of the CA {issuer}"),
    };
    Err(Refusal::new(Reason::TrustPolicyMissing, format!("{text}: the site has to fix it")))
}

/// What the files of one CA say about a name that a CA certified, itself or one below it; `None` where it has no files.
/// Where it has both forms, both must permit; a denial is an error.
fn judge_by(context: &Context, owner: &Link, ca: &Link, issued: &Link) -> Outcome<Option<Verdict>> {
    let [owner_name, issuer, subject] = [owner, ca, issued].map(|link| link.certificate.subject.text().as_str());
    let mut said = None;
    for suffix in ["signing_policy", "namespaces"] {
        let what = format!("the {suffix} file of the CA {owner_name}");
        let Some(file) = companion(&context.trust.cas, &owner.certificate.subject, suffix, MAX_FILE, &what)? else {
            continue;
        };
        let judged =
            std::str::from_utf8(&file).map_err(|_| "it is not UTF-8".to_owned()).and_then(|text| match suffix {
                "namespaces" => namespaces::judge(text, owner_name, issuer, subject),
                _ => judge(text, issuer, subject),
            });
        let verdict = judged.map_err(|why| {
            let text = format!("{what} cannot be understood: the site has to fix it");
            Refusal::new(Reason::TrustPolicyMalformed, text).detail(why)
        })?;
        match verdict {
            Verdict::Permitted => said = Some(verdict),
            Verdict::Silent => said = said.or(Some(verdict)),
            Verdict::Denied => {
                let text = format!("has a name that {issuer} may not certify here ({what})");
                return Err(issued.refuse(Reason::CredentialSigningPolicy, text));
            }
        }
    }
    Ok(said)
}

/// One `access_id_…` and the lines that belong to it.
#[derive(Default)]
struct Entry {
    is_ours: bool,
    may_sign: bool,
    matches: bool,
}

/// Judges a name by an EACL.
pub fn judge(text: &str, issuer: &str, subject: &str) -> Result<Verdict, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            read_line(line, issuer, subject, &mut entries).map_err(|why| format!("line {number}: {why}"))?;
        }
    }
    if entries.iter().any(|entry| entry.is_ours && entry.may_sign && entry.matches) {
        return Ok(Verdict::Permitted);
    }
    Ok(if entries.iter().any(|entry| entry.is_ours) { Verdict::Denied } else { Verdict::Silent })
}

fn read_line(line: &str, issuer: &str, subject: &str, entries: &mut Vec<Entry>) -> Result<(), &'static str> {
    let (keyword, rest) = word(line);
    let (authority, value) = word(rest);
    if keyword.starts_with("access_id_") {
        let [name] = patterns(value)?.try_into().map_err(|_| "there must be one name")?;
        let is_ours = keyword == "access_id_CA" && authority == "X509" && as_printed(&name) == issuer;
        entries.push(Entry { is_ours, ..Entry::default() });
        return Ok(());
    }
    let entry = entries.last_mut().ok_or("there is no access_id_CA before it")?;
    match (keyword, authority) {
        ("pos_rights", "globus") if patterns(value)? == ["CA:sign"] => entry.may_sign = true,
        ("cond_subjects", "globus") => {
            entry.matches |= patterns(value)?.iter().any(|pattern| is_meant(pattern, subject));
        }
        _ => return Err("it is none of access_id_CA X509, pos_rights globus CA:sign, cond_subjects globus"),
    }
    Ok(())
}

fn word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

/// The values of a line: a bare word, `'one value'`, or `'"a value" "another"'` with either quote outside. A backslash
/// protects a quote: the CA `Let's Encrypt` is written `'/O=Let\'s Encrypt'`.
fn patterns(value: &str) -> Result<Vec<String>, &'static str> {
    let Some(outer) = value.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let is_word = !value.is_empty() && !value.contains([' ', '\t', '\'', '"']);
        return if is_word { Ok(vec![value.to_owned()]) } else { Err("its value is missing or not quoted") };
    };
    let (inside, after) = quoted(value, outer).ok_or("its quotes do not pair")?;
    if !after.is_empty() {
        return Err("there is something after its closing quote");
    }
    let inner = if outer == '"' { '\'' } else { '"' };
    let mut rest = inside.trim();
    if !rest.starts_with(inner) {
        return if rest.is_empty() { Err("its value is empty") } else { Ok(vec![inside]) };
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (value, after) = quoted(rest, inner).ok_or("a quote is not closed")?;
        found.push(value);
        rest = after.trim_start();
    }
    Ok(found)
}

/// Whether a pattern means a name. One with a backslash may be in the spelling of OpenSSL 3, too.
fn is_meant(pattern: &str, subject: &str) -> bool {
    let printed = pattern_as_printed(pattern);
    is_match(&printed, subject)
        || (printed.contains('\\') && is_match(&printed, &all_escaped(subject)))
        || (!pattern.contains(['*', '?']) && as_printed(pattern) == subject)
}

/// The text between a quote, which comes first, and the next one of its kind that no backslash protects; and what follows.
/// Such a backslash goes; every other one stays, as a name may have it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix(quote)?.chars();
    let mut inside = String::new();
    loop {
        match rest.next()? {
            c if c == quote => return Some((inside, rest.as_str())),
            '\\' => match rest.next()? {
                c if c == quote => inside.push(c),
                c => inside.extend(['\\', c]),
            },
            c => inside.push(c),
        }
    }
}

/// Whether a text matches a pattern with `*` and `?`, in time proportional to both lengths.
fn is_match(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // The lengths of the prefixes of the text that the pattern's beginning matches.
    let mut reached = vec![false; text.len().saturating_add(1)];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    for p in pattern.chars() {
        let mut next = vec![false; reached.len()];
        if p == '*' {
            let mut any = false;
            for (after, before) in next.iter_mut().zip(&reached) {
                any |= before;
                *after = any;
            }
        } else {
            for ((after, before), c) in next.iter_mut().skip(1).zip(&reached).zip(&text) {
                *after = *before && (p == '?' || p == *c);
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &str = "/DC=org/CN=CA";

    fn policy(conditions: &str) -> String {
        format!(
            "# policy\n\naccess_id_CA  X509 '{CA}'\npos_rights\tglobus CA:sign\n  cond_subjects globus {conditions}\n"
        )
    }

    fn verdict(text: &str, subject: &str) -> Result<Verdict, String> {
        judge(text, CA, subject)
    }

    #[test]
    fn conditions_are_quoted_in_the_usual_ways_and_may_be_several() {
        for conditions in [
            "'\"/DC=org/*\"'",
            "'/DC=org/*'",
            "\"/DC=org/*\"",
            "/DC=org/*",
            "'\"/O=x/*\" \"/DC=org/*\"'",
            "\"'/O=x/*' '/DC=org/*'\"",
            r#"'"/O=Let\'s/*" "/DC=org/*"'"#,
            r#"'"/O=a \"b\"/*" "/DC=org/*"'"#,
        ] {
            assert_eq!(verdict(&policy(conditions), "/DC=org/CN=A B"), Ok(Verdict::Permitted), "{conditions}");
            assert_eq!(verdict(&policy(conditions), "/DC=orgs/CN=A"), Ok(Verdict::Denied), "{conditions}");
        }
    }

    #[test]
    fn names_are_taken_in_the_spelling_of_openssl_3_too_but_a_backslash_goes_on_telling_them_apart() {
        for (condition, subject, expected) in [
            ("'/CN=host\\/a.org'", "/CN=host/a.org", Verdict::Permitted),
            ("'/CN=host\\/*'", "/CN=host/a.org", Verdict::Permitted),
            ("'/CN=host/*'", "/CN=host/a.org", Verdict::Permitted),
            ("'/CN=host\\/*'", "/CN=host/CN=a", Verdict::Denied),
            ("'/CN=Al\\/CN=Bea'", "/CN=Al\\/CN=Bea", Verdict::Permitted),
            ("'/CN=Al\\/CN=Bea'", "/CN=Al/CN=Bea", Verdict::Denied),
            ("'/CN=Al/CN=Bea'", "/CN=Al\\/CN=Bea", Verdict::Denied),
            ("'/CN=a??b'", "/CN=a/b", Verdict::Denied),
        ] {
            assert_eq!(verdict(&policy(condition), subject), Ok(expected), "{condition} {subject}");
        }
        let slashed = policy("'*'").replace(CA, "/O=A\\/S/CN=CA");
        assert_eq!(judge(&slashed, "/O=A/S/CN=CA", "/CN=a"), Ok(Verdict::Permitted));
    }

    #[test]
    fn a_quote_in_a_name_is_protected_by_a_backslash_or_by_quotes_of_the_other_kind() {
        for (written, name) in [
            (r"'/O=Let\'s/CN=R3'", "/O=Let's/CN=R3"),
            (r#"'"/O=Let\'s/CN=R3"'"#, "/O=Let's/CN=R3"),
            ("\"/O=Let's/CN=R3\"", "/O=Let's/CN=R3"),
            (r#""/O=\"x\"/CN=R3""#, "/O=\"x\"/CN=R3"),
            (r#"'/O="x"/CN=R3'"#, "/O=\"x\"/CN=R3"),
            (r#"'"/O=\"x\"/CN=R3"'"#, "/O=\"x\"/CN=R3"),
            (r"'/O=a\\'", r"/O=a\\"),
            (r"'/O=a\/CN=b'", r"/O=a\/CN=b"),
        ] {
            assert_eq!(patterns(written).as_deref(), Ok(&[name.to_owned()][..]), "{written}");
        }
        for wrong in [r"'/O=a\'", r"'/O=a' b'", r"'/O=Let's'", r"'/O=a\\' b'", r#"'"/O=a\"'"#, r"'/O=a\"] {
            assert!(patterns(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_entry_of_the_ca_counts() {
        let other = "access_id_CA X509 '/CN=other'\npos_rights globus CA:sign\ncond_subjects globus '\"*\"'\n";
        assert_eq!(verdict(other, "/CN=a"), Ok(Verdict::Silent));
        assert_eq!(verdict(&format!("{}{other}", policy("'/CN=b'")), "/CN=a"), Ok(Verdict::Denied));
        assert_eq!(verdict(&format!("{other}{}", policy("'/CN=a'")), "/CN=a"), Ok(Verdict::Permitted));
        assert_eq!(verdict("", "/CN=a"), Ok(Verdict::Silent));
        assert_eq!(
            verdict(&format!("access_id_CA X509 '{CA}'\ncond_subjects globus '\"*\"'\n"), "/CN=a"),
            Ok(Verdict::Denied)
        );
    }

    #[test]
    fn what_is_not_understood_is_malformed() {
        for text in [
            policy("'\"/DC=org/*'"),
            policy("'/DC=org/*"),
            policy("/DC=org/* /DC=x"),
            policy(""),
            policy("''"),
            policy("'\"/a\" junk'"),
            policy("\"/DC=org/*\" \"/DC=x/*\""),
            policy("\"/DC=org/*\"\"CN=x\""),
            policy("'/DC=org/*' '/DC=x/*'"),
            policy("'*'").replace("X509 ", ""),
            format!("{}neg_rights globus CA:sign\n", policy("'*'")),
            "pos_rights globus CA:sign\n".into(),
            "hello\n".into(),
            policy("'*'").replace("CA:sign", "CA:everything"),
        ] {
            assert!(verdict(&text, "/CN=a").is_err(), "{text}");
        }
    }

    #[test]
    fn patterns_know_star_and_question_mark_only() {
        for (pattern, text, expected) in [
            ("/CN=*", "/CN=", true),
            ("/CN=?", "/CN=", false),
            ("/CN=?", "/CN=é", true),
            ("*/CN=a*b*", "/O=x/CN=a--b--", true),
            ("/CN=[ab]", "/CN=a", false),
            ("/CN=a", "/CN=A", false),
            ("", "", true),
            ("**", "anything", true),
            ("/CN=a", "/CN=ab", false),
        ] {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
    }
}
