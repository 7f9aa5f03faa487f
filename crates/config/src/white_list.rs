//! Who may call glexec: `user_white_list` and `omission_private_key_white_list`.

use serde::Deserialize;

/// One entry of a white list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Pattern {
    /// `*`: everybody.
    Anybody,
    /// `%group`: members of a group, as the account database says.
    Group(String),
    /// `.pool` or `pool*`: the pool's accounts, that is the name followed by digits only. The original took both forms.
    Pool(String),
    Account(String),
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let pattern = if text == "*" {
            Pattern::Anybody
        } else if let Some(group) = text.strip_prefix('%') {
            Pattern::Group(group.into())
        } else if let Some(pool) = text.strip_prefix('.').or_else(|| text.strip_suffix('*')) {
            Pattern::Pool(pool.into())
        } else {
            Pattern::Account(text.clone())
        };
        let name = match &pattern {
            Pattern::Anybody => return Ok(pattern),
            Pattern::Group(name) | Pattern::Pool(name) | Pattern::Account(name) => name,
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$');
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(format!("{text:?} is none of \"name\", \"%group\", \".pool\", \"name*\" and \"*\""));
        }
        Ok(pattern)
    }
}

impl Pattern {
    fn matches(&self, name: &str, groups: &[String]) -> bool {
        match self {
            Pattern::Anybody => true,
            Pattern::Account(account) => name == account,
            Pattern::Group(group) => groups.contains(group),
            Pattern::Pool(base) => name
                .strip_prefix(base.as_str())
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())),
        }
    }
}

/// The groups that a list asks about; the database need not be asked about others.
pub fn groups_named(list: &[Pattern]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(|pattern| match pattern {
        Pattern::Group(name) => Some(name.as_str()),
        _ => None,
    })
}

/// Whether an account is on the list; `groups` are those of the groups that the list names that it is a member of.
pub fn contains(list: &[Pattern], name: &str, groups: &[String]) -> bool {
    list.iter().any(|pattern| pattern.matches(name, groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(pattern: &str, name: &str, groups: &[&str]) -> bool {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        contains(&[Pattern::try_from(pattern.to_string()).unwrap()], name, &groups)
    }

    #[test]
    fn the_five_forms_match_what_they_say() {
        let table = [
            ("pilot", "pilot", true),
            ("pilot", "pilot1", false),
            ("pilot", "Pilot", false),
            (".pilot", "pilot007", true),
            (".pilot", "pilot", false),
            (".pilot", "pilot7a", false),
            (".pilot", "xpilot7", false),
            ("pilot*", "pilot007", true),
            ("pilot*", "pilot", false),
            ("pilot*", "pilotess", false),
            ("*", "anybody", true),
            ("%pilots", "member", true),
            ("%others", "member", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(listed(pattern, name, &["pilots"]), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_empty_list_lets_nobody_in() {
        assert!(!contains(&[], "root", &["root".into()]));
    }

    #[test]
    fn the_groups_that_are_named_are_asked_for_and_no_others() {
        let list = ["pilot", "%pilots", "*", ".pool", "%others", "name*"];
        let list = list.map(|text| Pattern::try_from(text.to_string()).unwrap());
        assert_eq!(groups_named(&list).collect::<Vec<_>>(), ["pilots", "others"]);
    }

    #[test]
    fn malformed_entries_are_errors() {
        for bad in ["", "%", ".", "a,b", "a b", "a*b", "**", "../x", "%a*"] {
            assert!(Pattern::try_from(bad.to_string()).is_err(), "{bad:?}");
        }
    }
}
