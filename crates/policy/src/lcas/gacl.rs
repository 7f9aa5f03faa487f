//! Grid Access Control Lists, as the `voms` plug-in of LCAS reads them.
//!
//! An entry has conditions and gives or takes rights; a person has what the entries give whose conditions it all satisfies,
//! less what they take. Any right that is left permits. Conditions: `<voms-cred>` with `<vo>`, `<group>`, `<role>`,
//! `<capability>` (all that are given must be of one FQAN; `<voms>`, the server, is ignored: the vomsdir binds servers to
//! VOs), `<voms>` with `<fqan>`, `<person>` with `<dn>`, `<any-user/>`, `<auth-user/>`. What is not known here makes the
//! whole file unusable, since it could be what takes a right away.

use crate::files::banned::Banned;
use crate::files::subject::Subject;
use glexec_config::lcmaps::Matching;
use glexec_core::identity::{Fqan, Identity};

/// Deepest nesting; a GACL has four levels.
const MAX_DEPTH: usize = 8;

/// An element: its name, the text directly in it, the elements in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    name: String,
    text: String,
    inner: Vec<Element>,
}

/// One entry: for whom it counts, and what it says.
#[derive(Debug, Default)]
struct Entry {
    conditions: Vec<Condition>,
    gives: Vec<String>,
    takes: Vec<String>,
}

/// For whom an entry counts.
#[derive(Debug)]
enum Condition {
    Anybody,
    /// A distinguished name.
    Person(String),
    /// An FQAN in all its spellings.
    Fqan(Vec<String>),
    /// Parts of one FQAN, by their names.
    Parts(Vec<(String, String)>),
}

/// Whether the list permits a person anything.
pub(super) fn permits(bytes: &[u8], identity: &Identity) -> Result<bool, String> {
    let entries = entries(bytes)?;
    // An ambiguous name takes rights from whoever it may mean, and gives them to nobody.
    let counts = |entry: &Entry, denies| entry.conditions.iter().all(|it| it.holds(identity, denies));
    let is_taken = |right| entries.iter().any(|entry| entry.takes.contains(right) && counts(entry, true));
    Ok(entries.iter().filter(|entry| counts(entry, false)).flat_map(|entry| &entry.gives).any(|right| !is_taken(right)))
}

/// Why a list cannot be understood.
pub(super) fn fault(bytes: &[u8]) -> Option<String> {
    entries(bytes).err()
}

/// All of the list is read, so that a mistake is found whoever comes.
fn entries(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let root = parse(std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text")?)?;
    if root.name != "gacl" {
        return Err(format!("the outermost element is {}, not gacl", root.name));
    }
    root.elements()?.iter().map(entry).collect()
}

fn entry(element: &Element) -> Result<Entry, String> {
    if element.name != "entry" {
        return Err(format!("an element {} where an entry is expected", element.name));
    }
    let mut entry = Entry::default();
    for inner in element.elements()? {
        match inner.name.as_str() {
            "allow" => entry.gives.extend(rights(inner)?),
            "deny" => entry.takes.extend(rights(inner)?),
            _ => entry.conditions.push(condition(inner)?),
        }
    }
    // It would count for everybody, which is what any-user says.
    match entry.conditions.is_empty() {
        true => Err("an entry without a condition".to_owned()),
        false => Ok(entry),
    }
}

fn rights(element: &Element) -> Result<Vec<String>, String> {
    let known = |right: &Element| match right.name.as_str() {
        name @ ("read" | "list" | "write" | "exec" | "admin") => right.nothing().map(|()| name.to_owned()),
        other => Err(format!("an unknown right {other}")),
    };
    match element.elements()? {
        // A denial of nothing denied something once.
        [] => Err(format!("{} without a right", element.name)),
        rights => rights.iter().map(known).collect(),
    }
}

fn condition(element: &Element) -> Result<Condition, String> {
    let only = |name: &str| match element.elements()? {
        [one] if one.name == name => one.words(),
        _ => Err(format!("{} must have one {name} and nothing else", element.name)),
    };
    match element.name.as_str() {
        "any-user" | "auth-user" => element.nothing().map(|()| Condition::Anybody),
        "person" => Ok(Condition::Person(only("dn")?.to_owned())),
        "voms" => {
            let fqan = Fqan::try_from(only("fqan")?.to_owned()).map_err(|e| e.to_string())?;
            Ok(Condition::Fqan(fqan.spellings()))
        }
        "voms-cred" => {
            let mut parts = Vec::new();
            for part in element.elements()? {
                match part.name.as_str() {
                    "voms" => {}
                    "vo" | "group" | "role" | "capability" => parts.push((part.name.clone(), part.words()?.to_owned())),
                    other => return Err(format!("an unknown element {other} in voms-cred")),
                }
            }
            match parts.iter().any(|(name, _)| matches!(name.as_str(), "vo" | "group")) {
                true => Ok(Condition::Parts(parts)),
                false => Err("a voms-cred without vo and group".to_owned()),
            }
        }
        other => Err(format!("an unknown element {other}")),
    }
}

impl Condition {
    fn holds(&self, identity: &Identity, denies: bool) -> bool {
        match self {
            Condition::Anybody => true,
            Condition::Person(dn) => {
                let (person, name) = (&identity.subject, dn.as_bytes());
                match denies {
                    true => Banned::person(person).is_meant(name, Matching::Exact),
                    false => Subject::mapped(person).is(name),
                }
            }
            Condition::Fqan(wanted) => {
                identity.fqans.iter().any(|fqan| wanted.iter().any(|spelling| spelling == fqan.as_str()))
            }
            Condition::Parts(parts) => {
                identity.fqans.iter().any(|fqan| parts.iter().all(|(name, value)| part(fqan, name) == value))
            }
        }
    }
}

impl Element {
    /// The elements in it, where it has no text: a word there could be what takes a right away.
    fn elements(&self) -> Result<&[Element], String> {
        match self.text.trim() {
            "" => Ok(&self.inner),
            text => Err(format!("{text:?} in {}", self.name)),
        }
    }

    /// The text in it, where it has text only.
    fn words(&self) -> Result<&str, String> {
        match (self.text.trim(), self.inner.as_slice()) {
            (text, []) if !text.is_empty() => Ok(text),
            _ => Err(format!("{} must have text and nothing else", self.name)),
        }
    }

    fn nothing(&self) -> Result<(), String> {
        match self.elements()? {
            [] => Ok(()),
            [inner, ..] => Err(format!("an element {} in {}", inner.name, self.name)),
        }
    }
}

/// A part of an FQAN by its GACL name.
fn part<'a>(fqan: &'a Fqan, name: &str) -> &'a str {
    match name {
        "vo" => fqan.vo(),
        "group" => fqan.group(),
        "role" => fqan.role().unwrap_or("NULL"),
        _ => fqan.capability().unwrap_or("NULL"),
    }
}

/// Reads the part of XML that access control lists use: elements, text, comments, declarations; attributes are passed
/// over; no document types, so no entities but the five.
fn parse(text: &str) -> Result<Element, String> {
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while let Some((before, tag)) = rest.split_once('<') {
        add_text(open.last_mut(), before)?;
        if let Some(comment) = tag.strip_prefix("!--") {
            rest = comment.split_once("-->").ok_or("a comment without end")?.1;
            continue;
        }
        if let Some(declaration) = tag.strip_prefix('?') {
            rest = declaration.split_once("?>").ok_or("a declaration without end")?.1;
            continue;
        }
        let (tag, after) = tag.split_once('>').ok_or("a < without >")?;
        rest = after;
        let (tag, closes, opens) = match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
            (Some(name), _) => (name, true, false),
            (None, Some(name)) => (name, true, true),
            (None, None) => (tag, false, true),
        };
        let name = tag.split_ascii_whitespace().next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(format!("<{tag}> is not an element"));
        }
        if opens {
            if root.is_some() || open.len() >= MAX_DEPTH {
                return Err(format!("<{name}> is too deep or after the end"));
            }
            open.push(Element { name: name.to_owned(), ..Element::default() });
        }
        if closes {
            let done = open.pop().filter(|done| done.name == name).ok_or(format!("</{name}> closes nothing"))?;
            match open.last_mut() {
                Some(outer) => outer.inner.push(done),
                None => root = Some(done),
            }
        }
    }
    add_text(None, rest)?;
    root.filter(|_| open.is_empty()).ok_or_else(|| "an element without end, or none at all".to_owned())
}

/// Adds text to the innermost element; outside of all there can be only white space.
fn add_text(element: Option<&mut Element>, text: &str) -> Result<(), String> {
    match element {
        Some(element) => element.text.push_str(&unescaped(text)?),
        None if text.trim().is_empty() => {}
        None => return Err("text outside of all elements".to_owned()),
    }
    Ok(())
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';').ok_or("an & without ;")?;
        out.push_str(before);
        out.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            other => return Err(format!("an unknown entity &{other};")),
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lcas::tests::who;
    use proptest::prelude::*;

    fn verdict(entries: &str, dn: &str, fqans: &[&str]) -> Result<bool, String> {
        let fqans = fqans.iter().map(|fqan| (*fqan).to_owned().try_into().unwrap()).collect();
        let identity = Identity { fqans, ..who(dn) };
        permits(format!("<?xml version=\"1.0\"?>\n<gacl version=\"0.0.1\">{entries}</gacl>\n").as_bytes(), &identity)
    }

    #[test]
    fn entries_give_and_take() {
        let vo = "<entry><voms-cred><voms>/CN=server</voms><vo>vo</vo></voms-cred><allow><read/></allow></entry>";
        let role = "<entry><voms-cred><vo>vo</vo><group>/vo/g</group><role>pilot</role></voms-cred>\
            <allow><exec/></allow></entry>";
        let fqan = "<entry><voms><fqan>/vo/Role=pilot</fqan></voms><allow><exec/></allow></entry>";
        let bob = "<entry><person><dn>/CN=Bob &amp; Co</dn></person><deny><read/><exec/></deny></entry>";
        let all = "<entry><any-user/><allow><read/></allow></entry>";
        let mixed = "<entry><person><dn>/CN=host/a</dn></person><allow><read/></allow><deny><list/></deny></entry>";
        let both =
            "<entry><person><dn>/CN=a</dn></person><voms-cred><vo>vo</vo></voms-cred><allow><read/></allow></entry>";
        let bare = "<entry><person><dn>/CN=a/CN=b</dn></person><deny><read/></deny></entry>";
        let barely = "<entry><person><dn>/CN=a/CN=b</dn></person><allow><read/></allow></entry>";
        let openssl = "<entry><person><dn>/CN=host\\/a</dn></person><allow><read/></allow></entry>";
        let table: &[(&str, &str, &[&str], bool)] = &[
            (&[all, bare].concat(), "/CN=a\\/CN=b", &[], false),
            (barely, "/CN=a\\/CN=b", &[], false),
            (openssl, "/CN=host/a", &[], true),
            (&[all, &openssl.replace("allow", "deny")].concat(), "/CN=host/a", &[], false),
            (openssl, "/CN=host/CN=a", &[], false),
            ("", "/CN=a", &["/vo"], false),
            (vo, "/CN=a", &["/vo"], true),
            (vo, "/CN=a", &["/vo2"], false),
            (vo, "/CN=a", &[], false),
            (role, "/CN=a", &["/vo/g/Role=pilot"], true),
            (role, "/CN=a", &["/vo/g", "/vo/Role=pilot"], false),
            (fqan, "/CN=a", &["/vo", "/vo/Role=pilot"], true),
            (fqan, "/CN=a", &["/vo"], false),
            (fqan, "/CN=a", &["/vo/Role=pilot/Capability=NULL"], true),
            (&[vo, bob].concat(), "/CN=Bob & Co", &["/vo"], false),
            (&[bob, vo].concat(), "/CN=Bob & Co", &["/vo"], false),
            (&[bob, vo].concat(), "/CN=Bob", &["/vo"], true),
            (all, "/CN=a", &[], true),
            (mixed, "/CN=host/a", &[], true),
            (mixed, "/CN=host\\/CN=a", &[], false),
            (both, "/CN=a", &["/vo"], true),
            (both, "/CN=b", &["/vo"], false),
            (both, "/CN=a", &[], false),
            (&["<!-- <entry> -->", vo].concat(), "/CN=a", &["/vo"], true),
        ];
        for (entries, dn, fqans, expected) in table {
            assert_eq!(verdict(entries, dn, fqans), Ok(*expected), "{entries} {dn} {fqans:?}");
        }
    }

    #[test]
    fn what_is_not_understood_makes_the_list_unusable() {
        let all = "<entry><any-user/><allow><read/></allow></entry>";
        for bad in [
            "<entry>",
            "</entry>",
            "<entry><any-user></entry>",
            "<entry><dn-list><url>x</url></dn-list><deny><read/></deny></entry>",
            "<entry><person/><allow><read/></allow></entry>",
            "<entry><person><url>/CN=a</url></person><allow><read/></allow></entry>",
            "<entry><voms-cred/><allow><read/></allow></entry>",
            "<entry><any-user/><allow><fly/></allow></entry>",
            "<entry><allow><read/></allow></entry>",
            "<entry><deny><read/></deny></entry>",
            "<entry/>",
            "<entry>nobody<any-user/><allow><read/></allow></entry>",
            "<entry><any-user/><deny>read</deny></entry>",
            "<entry><any-user/><deny/></entry>",
            "<entry><any-user/><deny><read>no</read></deny></entry>",
            "<entry><any-user><person><dn>/CN=a</dn></person></any-user><allow><read/></allow></entry>",
            "<entry><person><dn><not/>/CN=b</dn></person><allow><read/></allow></entry>",
            "<entry><voms-cred><vo>vo</vo><role/></voms-cred><allow><read/></allow></entry>",
            "text",
            "<entry><voms><fqan>vo</fqan></voms><allow><read/></allow></entry>",
            "<other/>",
            "<!DOCTYPE x>",
            "&x;",
            "<!-- ",
        ] {
            assert!(verdict(&format!("{all}{bad}"), "/CN=a", &[]).is_err(), "{bad}");
            assert!(fault(format!("<gacl>{all}{bad}</gacl>").as_bytes()).is_some(), "{bad}");
        }
        for bad in ["", "text", "<gacl/>x", "<gacl/><gacl/>", "<x/>"] {
            assert!(permits(bad.as_bytes(), &who("/CN=a")).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>/!?a-z&; =\"-]{0,80}") {
            let _ = parse(&text);
        }
    }
}
