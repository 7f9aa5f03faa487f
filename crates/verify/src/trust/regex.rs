//! The regular expressions of namespaces files: literals, `.`, `[…]`, `(…|…)`, `*`, `+`, `?`, `{n,m}`, `\d`, `\w`, `\s`.
//!
//! Matching goes from sets of positions to sets of positions, so that no pattern makes it run away. What is not listed
//! is an error: an expression that is half understood would permit names that it was not meant to.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;

/// Longest expression; names have at most 1024 bytes.
const MAX_LENGTH: usize = 1024;
/// Deepest nesting of groups.
const MAX_DEPTH: usize = 8;
/// Highest count in braces.
const MAX_COUNT: usize = 100;

#[derive(Debug)]
enum Node {
    Any,
    Literal(char),
    Class { ranges: Vec<(char, char)>, negated: bool },
    Group(Vec<Vec<Node>>),
    Repeat { node: Box<Node>, least: usize, most: Option<usize> },
}

/// An expression for a whole text.
#[derive(Debug)]
pub struct Regex(Node);

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

impl Regex {
    /// Reads an expression; `^` at its start and `$` at its end change nothing.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err("an expression is too long".into());
        }
        let text = text.strip_prefix('^').unwrap_or(text);
        let text = match text.strip_suffix('$') {
            Some(before) if !before.ends_with('\\') => before,
            _ => text,
        };
        let mut chars = text.chars().peekable();
        let node = group(&mut chars, 0)?;
        if chars.next().is_some() { Err("a group is closed but not open".into()) } else { Ok(Regex(node)) }
    }

    /// Whether the whole text matches.
    pub fn is_match(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        ends(&self.0, &text, &BTreeSet::from([0])).contains(&text.len())
    }
}

/// Alternatives up to a closing parenthesis, which stays.
fn group(chars: &mut Chars, depth: usize) -> Result<Node, String> {
    if depth > MAX_DEPTH {
        return Err("groups are nested too deep".into());
    }
    let mut alternatives = Vec::new();
    let mut sequence = Vec::new();
    while let Some(c) = chars.next_if(|c| *c != ')') {
        if c == '|' {
            alternatives.push(std::mem::take(&mut sequence));
            continue;
        }
        let node = match c {
            '.' => Node::Any,
            '[' => class(chars)?,
            '(' => {
                let inner = group(chars, depth.saturating_add(1))?;
                chars.next_if_eq(&')').ok_or("a group is not closed")?;
                inner
            }
            '\\' => escaped(chars.next().ok_or("it ends with a backslash")?)?,
            '*' | '+' | '?' | '{' | '}' | ']' | '^' | '$' => {
                return Err(format!("{c:?} stands where it means nothing"));
            }
            c => Node::Literal(c),
        };
        sequence.push(repeated(node, chars)?);
    }
    alternatives.push(sequence);
    Ok(Node::Group(alternatives))
}

fn escaped(c: char) -> Result<Node, String> {
    let ranges = match c {
        'd' => vec![('0', '9')],
        'w' => vec![('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')],
        's' => vec![(' ', ' '), ('\t', '\t')],
        c if c.is_alphanumeric() => return Err(format!("\\{c} is not known")),
        c => return Ok(Node::Literal(c)),
    };
    Ok(Node::Class { ranges, negated: false })
}

fn repeated(node: Node, chars: &mut Chars) -> Result<Node, String> {
    let (least, most) = match chars.peek() {
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('?') => (0, Some(1)),
        Some('{') => {
            let mut inside = String::new();
            chars.next();
            loop {
                match chars.next().ok_or("a brace is not closed")? {
                    '}' => return counted(node, &inside),
                    c => inside.push(c),
                }
            }
        }
        _ => return Ok(node),
    };
    chars.next();
    Ok(Node::Repeat { node: Box::new(node), least, most })
}

fn counted(node: Node, inside: &str) -> Result<Node, String> {
    let number =
        |text: &str| text.parse::<usize>().ok().filter(|n| *n <= MAX_COUNT).ok_or("a count in braces is wrong");
    let (least, most) = match inside.split_once(',') {
        None => (number(inside)?, Some(number(inside)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Ok(Node::Repeat { node: Box::new(node), least, most })
}

fn class(chars: &mut Chars) -> Result<Node, String> {
    let open = "a bracket is not closed";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let first = match chars.next().ok_or(open)? {
            ']' if !ranges.is_empty() => return Ok(Node::Class { ranges, negated }),
            '[' => return Err("named classes are not known".into()),
            '\\' => match escaped(chars.next().ok_or(open)?)? {
                Node::Literal(c) => c,
                Node::Class { ranges: inner, .. } => {
                    ranges.extend(inner);
                    continue;
                }
                _ => return Err(open.into()),
            },
            c => c,
        };
        if chars.next_if_eq(&'-').is_none() {
            ranges.push((first, first));
            continue;
        }
        match chars.next().ok_or(open)? {
            ']' => {
                ranges.extend([(first, first), ('-', '-')]);
                return Ok(Node::Class { ranges, negated });
            }
            last if first <= last && last != '\\' => ranges.push((first, last)),
            _ => return Err("a range in brackets is wrong".into()),
        }
    }
}

/// Where a match may end that starts at one of some positions.
fn ends(node: &Node, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
    let one = |fits: &dyn Fn(char) -> bool| {
        let next = |at: &usize| text.get(*at).filter(|c| fits(**c)).and_then(|_| at.checked_add(1));
        starts.iter().filter_map(next).collect()
    };
    match node {
        Node::Any => one(&|_| true),
        Node::Literal(literal) => one(&|c| c == *literal),
        Node::Class { ranges, negated } => one(&|c| ranges.iter().any(|(a, b)| *a <= c && c <= *b) != *negated),
        Node::Group(alternatives) => {
            let follow = |sequence: &Vec<Node>| sequence.iter().fold(starts.clone(), |at, node| ends(node, text, &at));
            alternatives.iter().flat_map(follow).collect()
        }
        Node::Repeat { node, least, most } => {
            let start = (0..*least).fold(starts.clone(), |at, _| ends(node, text, &at));
            let (mut all, mut newest, mut count) = (start.clone(), start, *least);
            while !newest.is_empty() && most.is_none_or(|most| count < most) {
                newest = ends(node, text, &newest).difference(&all).copied().collect();
                all.extend(&newest);
                count = count.saturating_add(1);
            }
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_whole_texts() {
        for (pattern, text, expected) in [
            ("/DC=org/.*", "/DC=org/CN=a", true),
            ("/DC=org/.*", "x/DC=org/CN=a", false),
            ("^/CN=a$", "/CN=a", true),
            ("/CN=a", "/CN=ab", false),
            ("/C=(DE|FR)/O=x", "/C=FR/O=x", true),
            ("/C=(DE|FR)/O=x", "/C=IT/O=x", false),
            ("a\\.b", "a.b", true),
            ("a\\.b", "axb", false),
            ("[a-c]+[^0-9]?", "abcab-", true),
            ("[a-c]+[^0-9]?", "abc1", false),
            ("(a|ab)(c|bcd)", "abcd", true),
            ("x{2,3}", "xx", true),
            ("x{2,3}", "xxxx", false),
            ("x{2}", "xx", true),
            ("x{1,}y", "xxxy", true),
            ("(a*)*", "aaaa", true),
            ("\\w+ \\d+", "Robot 7", true),
            ("[\\w.-]+", "a.b-c", true),
            ("[a-]x", "-x", true),
            ("", "", true),
            ("(|a)b", "b", true),
        ] {
            assert_eq!(Regex::new(pattern).unwrap().is_match(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for pattern in [
            "(",
            ")",
            "a)",
            "[",
            "[]",
            "[a",
            "*",
            "a**",
            "a\\",
            "\\b",
            "\\1",
            "x{",
            "x{2",
            "x{a}",
            "x{2,1000}",
            "(?:a)",
            "[[:alpha:]]",
            "a^b",
            "a$b",
            "[z-a]",
            "((((((((((a))))))))))",
        ] {
            assert!(Regex::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn an_expression_that_backtracks_elsewhere_takes_no_time() {
        let started = std::time::Instant::now();
        assert!(!Regex::new("(a|a)*(a|a)*b").unwrap().is_match(&"a".repeat(1000)));
        assert!(started.elapsed().as_secs() < 60);
    }
}
