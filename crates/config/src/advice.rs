//! What to write instead, for the mistakes that people make who know the historic file.

use crate::glexec::Glexec;

/// Where somebody made a mistake.
struct Place<'a> {
    /// The header of the table, as `[glexec]`; empty above the first.
    table: &'a str,
    /// The same, or the header that the mistake is in.
    header: &'a str,
    /// The key, empty where the line has none.
    key: &'a str,
    /// The value as it is written.
    value: &'a str,
}

fn place(text: &str, offset: usize) -> Place<'_> {
    let start = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at.saturating_add(1));
    let (above, rest) = text.split_at_checked(start).unwrap_or((text, ""));
    let line = rest.lines().next().unwrap_or_default().trim();
    let is_header = |line: &&str| line.starts_with('[');
    let table = above.lines().map(str::trim).rfind(is_header).unwrap_or_default();
    match line.split_once('=') {
        Some((key, value)) if !is_header(&line) => Place { table, header: table, key: key.trim(), value: value.trim() },
        _ => Place { table, header: if is_header(&line) { line } else { table }, key: "", value: "" },
    }
}

fn is_plugin(table: &str) -> bool {
    table.starts_with("[[lcas.plugin") || table.starts_with("[lcmaps.plugins")
}

/// The option of `dummy_good` that takes a name in the place of the historic one that takes a number.
fn name_for(option: &str) -> Option<&'static str> {
    match option {
        "dummy_uid" => Some("dummy_username"),
        "dummy_gid" => Some("dummy_group"),
        "dummy_sec_gid" => Some("dummy_sec_group"),
        _ => None,
    }
}

/// The sentence for a mistake of which the parser says `message`: what to write, where that is known. It does not repeat
/// lists of all keys.
pub fn sentence(text: &str, message: &str, offset: usize) -> String {
    let Place { table, header, key, value } = place(text, offset);
    let quoted = value.starts_with(['"', '\'']);
    if !key.is_empty() && !table.is_empty() && table != "[glexec]" && glexec_keys().iter().any(|known| known == key) {
        return format!("{key} is a key of [glexec] and stands below {table}: move it to the lines below [glexec]");
    }
    if let Some(unknown) = message.strip_prefix("unknown field ") {
        let mut names = in_backticks(unknown).into_iter();
        let wrong = names.next().unwrap_or_default();
        let what = match (key.is_empty(), table) {
            (true, _) => format!("there is no table {wrong}"),
            (false, "") => format!("there is no key {wrong} above the first table"),
            (false, table) if is_plugin(table) => {
                format!("there is no key {wrong} for the type of {table}")
            }
            (false, table) => format!("there is no key {wrong} in {table}"),
        };
        if let Some(name) = name_for(wrong) {
            return format!("{wrong} is a number; name the account or group with {name}");
        }
        return match nearest(wrong, names) {
            Some(near) => format!("{what}; did you mean {near}?"),
            None => format!("{what}; glexec.conf(5) has all that there are"),
        };
    }
    if let Some(missing) = message.strip_prefix("missing field ").filter(|_| is_plugin(header)) {
        return format!("{header} needs {} for its type", missing.trim_matches('`'));
    }
    if message == "expected empty table" && is_plugin(header) {
        return format!("{header} has no options in its type");
    }
    let word = value.split(['#', ' ']).next().unwrap_or_default();
    let is_switch = ["yes", "no", "on", "off", "true", "false"].iter().any(|known| known.eq_ignore_ascii_case(word));
    if message.contains("expected a boolean") || (is_switch && !["true", "false"].contains(&word)) {
        return format!("{key} takes true or false, without quotes");
    }
    let is_number = ["expected u", "expected i", "expected a nonzero"].iter().any(|start| message.contains(start));
    if quoted && is_number {
        return format!("{key} takes a number, without quotes");
    }
    if quoted && message.contains("expected a sequence") {
        return format!("{key} takes a list: {key} = [{word}]");
    }
    message.to_owned()
}

/// The keys of `[glexec]`, as their reader names them to whoever writes another one.
fn glexec_keys() -> Vec<String> {
    let message = toml::from_str::<Glexec>("-=0").map_err(|error| error.message().to_owned()).err().unwrap_or_default();
    known(&message)
}

/// The names that the parser would have taken, from what it says of one that it does not know.
pub fn known(message: &str) -> Vec<String> {
    match message.starts_with("unknown ") {
        true => in_backticks(message).into_iter().skip(1).map(str::to_owned).collect(),
        false => Vec::new(),
    }
}

fn in_backticks(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The name that differs least, if it does by two letters at most.
fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (distance(wrong, name), name)).min()?;
    (near.0 <= 2 && wrong.len() > 2).then_some(near.1)
}

/// How many letters have to be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (number, x) in a.bytes().enumerate() {
        let mut left = number.saturating_add(1);
        let mut above_left = number;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1)) {
            let changed = above_left.saturating_add(usize::from(x != y));
            left = changed.min(left.saturating_add(1)).min(above.saturating_add(1));
            next.push(left);
            above_left = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_far_apart_as_letters_differ() {
        for (a, b, far) in [
            ("linger", "linger", 0),
            ("lingr", "linger", 1),
            ("lingre", "linger", 2),
            ("", "abc", 3),
            ("min_uid", "min_gid", 1),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (far, far), "{a} {b}");
        }
    }

    #[test]
    fn the_keys_of_the_first_table_are_known() {
        let keys = glexec_keys();
        assert!(keys.len() > 20 && keys.iter().any(|key| key == "linger"), "{keys:?}");
    }
}
