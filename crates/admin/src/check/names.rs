//! Names in lists of the site that mean nobody: each is a mistake, and in a ban file one that lets somebody in.

use glexec_core::identity::is_of_token;
use glexec_core::spelling::{Piece, as_printed, is_type, pieces};
use glexec_policy::files::banned;
use glexec_policy::files::map_file::{Line, lines};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// It gives something: an exact spelling counts.
    Gives,
    /// It bans: types of attributes count in every spelling.
    Bans,
}

/// What to do about such a name.
pub const MEND: &str = "write the name as `glexec-admin explain PROXY` shows it, /DC=org/…/CN=…, in double quotes";

/// What is wrong with the names of a list, with their lines.
pub fn odd(bytes: &[u8], list: List) -> Vec<String> {
    let told = |line: Line<'_>| fault(&line, list).map(|why| format!("line {}: {why}", line.number));
    lines(bytes).filter_map(Result::ok).filter_map(told).collect()
}

/// Why a line means nobody.
pub fn fault(line: &Line<'_>, list: List) -> Option<String> {
    let name = String::from_utf8_lossy(line.name);
    if !name.starts_with(['/', '*', '?', '[']) {
        return Some(format!("{name} does not start with /, so that it is nobody's name"));
    }
    let after = line.after.first();
    if line.unquoted.is_none() && after.is_some_and(|b| !matches!(b, b' ' | b'\t' | b',' | b'#')) {
        return Some(format!("{name} ends at a quote that text follows; a quote inside a name is \\\""));
    }
    if list == List::Gives && name.ends_with(' ') {
        return Some(format!("{name:?} has a blank at its end, as nobody's name has"));
    }
    if is_of_token(&name) {
        return None;
    }
    let printed = as_printed(&name);
    let pieces = pieces(&printed);
    let kinds: Vec<&str> = pieces.iter().filter_map(kind).collect();
    if let Some(kind) = kinds.iter().find(|kind| !is_known(kind, list)) {
        return Some(format!("{name}: no name has the attribute {kind} in this spelling"));
    }
    // The names of proxies have a CN more than their owner's.
    let last = pieces.iter().rev().map_while(|piece| match piece {
        Piece::Value(c) => Some(*c),
        Piece::Attribute(..) => None,
    });
    let last: String = last.collect::<Vec<char>>().into_iter().rev().collect();
    let ends_in_two = matches!(kinds.as_slice(), [.., before, last] if [before, last].iter().all(|kind| kind.eq_ignore_ascii_case("CN")));
    let is_proxy = matches!(last.as_str(), "proxy" | "limited proxy")
        || (list == List::Bans && !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    (ends_in_two && is_proxy).then(|| format!("{name} is the name of a proxy: leave /CN={last} off to name its owner"))
}

fn kind<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    match piece {
        Piece::Attribute(_, kind) => Some(kind),
        Piece::Value(_) => None,
    }
}

/// Whether names, or VOMS attributes, have such a part.
fn is_known(kind: &str, list: List) -> bool {
    let is_number = kind.contains('.') && kind.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_number
        || match list {
            List::Gives => is_type(|known| known == kind) || matches!(kind, "Role" | "Capability"),
            List::Bans => {
                is_type(|known| known.eq_ignore_ascii_case(kind))
                    || banned::is_other_type(kind)
                    || ["role", "capability"].iter().any(|known| known.eq_ignore_ascii_case(kind))
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_nobody_are_told() {
        for (line, gives, bans) in [
            ("\"/DC=org/CN=Alice\" a", "", ""),
            ("\"/DC=org/Email=a@x/USERID=b\" a", "", ""),
            ("\"/vo/g/Role=pilot/Capability=NULL\" .a", "", ""),
            ("\"/vo/*\" .a", "", ""),
            ("\"*\" .a", "", ""),
            ("\"/2.5.4.99=x/CN=a\" a", "", ""),
            ("CN=Alice,O=x a", "does not start with /", "does not start with /"),
            ("\"DC=org, DC=x, CN=Alice\" a", "does not start with /", "does not start with /"),
            ("subject=/CN=Alice a", "does not start with /", "does not start with /"),
            ("'/DC=org/CN=Alice' a", "does not start with /", "does not start with /"),
            ("\"/DC=org/CN=Alice \" a", "a blank at its end", ""),
            ("\"/DC=org/CN=Al \"Bea\" X\" a", "a quote that text follows", "a quote that text follows"),
            ("\"/O=x/STREET=a/CN=b\" a", "the attribute STREET", ""),
            ("\"/o=x/cn=b\" a", "the attribute o in", ""),
            ("\"/O=x/Name=a\" a", "the attribute Name", ""),
            ("\"/O=x/Nonsense=a\" a", "the attribute Nonsense", "the attribute Nonsense"),
            ("\"/O=x/CN=Alice/CN=proxy\" a", "leave /CN=proxy off", "leave /CN=proxy off"),
            ("\"/O=x/CN=Alice/CN=1234\" a", "", "leave /CN=1234 off"),
            ("\"/O=x/CN=1234\" a", "", ""),
        ] {
            for (list, expected) in [(List::Gives, gives), (List::Bans, bans)] {
                let said = odd(line.as_bytes(), list);
                match expected {
                    "" => assert_eq!(said, Vec::<String>::new(), "{line} {list:?}"),
                    expected => assert!(said.len() == 1 && said[0].contains(expected), "{line} {list:?} {said:?}"),
                }
            }
        }
    }
}
