//! The grammar of lcmaps.db, from its yacc and lex sources: variables first, then policies.

/// A variable: a plug-in instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub module: String,
    /// Its arguments, split on white space.
    pub arguments: Vec<String>,
}

/// A policy and its rules in the notation that glexec has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub name: String,
    /// `a -> b`, `a -> b | c`, `~a -> b`.
    pub rules: Vec<String>,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// The variables but `path`.
    pub variables: Vec<Variable>,
    /// The policies in their order.
    pub policies: Vec<Policy>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// A name at the start of a line with a colon after it.
    Label(String),
    Text(String),
    Equals,
    Arrow,
    Or,
    Not,
}

fn is_name_byte(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/')
}

/// Splits the text into tokens with their line numbers.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let mut rest = line.trim_start();
        let mut first = true;
        while let Some(c) = rest.chars().next() {
            let bad = |what: &str| format!("{number}: {what}");
            let token;
            (token, rest) = match c {
                '#' => break,
                '"' => text_token(rest).ok_or_else(|| bad("unbalanced quotes"))?,
                '=' => (Token::Equals, rest.strip_prefix('=').unwrap_or_default()),
                '|' => (Token::Or, rest.strip_prefix('|').unwrap_or_default()),
                '~' => (Token::Not, rest.strip_prefix('~').unwrap_or_default()),
                '-' => match rest.strip_prefix("->") {
                    Some(rest) => (Token::Arrow, rest),
                    None => return Err(bad("unrecognized token '-'")),
                },
                c if is_name_byte(c) => {
                    let end = rest.find(|c| !is_name_byte(c)).unwrap_or(rest.len());
                    let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                    match after.strip_prefix(':').filter(|_| first) {
                        Some(after) => (Token::Label(name.to_owned()), after),
                        None => (Token::Name(name.to_owned()), after),
                    }
                }
                other => return Err(bad(&format!("unrecognized token '{other}'"))),
            };
            tokens.push((number, token));
            rest = rest.trim_start();
            first = false;
        }
    }
    Ok(tokens)
}

/// A string up to its end; `\"` is a quote.
fn text_token(rest: &str) -> Option<(Token, &str)> {
    let body = rest.strip_prefix('"')?;
    let mut text = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Token::Text(text), body.get(at.saturating_add(1)..)?)),
            '\\' if chars.as_str().starts_with('"') => {
                text.push('"');
                chars.next();
            }
            c => text.push(c),
        }
    }
    None
}

/// Reads a database; an error begins with the line's number.
pub fn parse(text: &str) -> Result<Database, String> {
    let tokens = tokens(text)?;
    let mut database = Database::default();
    let mut rest = tokens.as_slice();
    loop {
        rest = match rest {
            [] => return Ok(database),
            [(_, Token::Label(name)), after @ ..] => {
                database.policies.push(Policy { name: name.clone(), rules: Vec::new() });
                after
            }
            [(number, Token::Name(_)), (_, Token::Equals), ..] if !database.policies.is_empty() => {
                return Err(format!("{number}: a variable after the first policy"));
            }
            [(_, Token::Name(name)), (_, Token::Equals), after @ ..] => variable(name, after, &mut database)?,
            [(number, _), ..] => {
                let (rule, after) = rule(rest).ok_or_else(|| format!("{number}: syntax error"))?;
                match database.policies.last_mut() {
                    Some(policy) => policy.rules.push(rule),
                    None => return Err(format!("{number}: a rule outside of a policy")),
                }
                after
            }
        };
    }
}

type Tokens<'t> = &'t [(usize, Token)];

fn variable<'t>(name: &str, tokens: Tokens<'t>, database: &mut Database) -> Result<Tokens<'t>, String> {
    let mut words = Vec::new();
    let mut rest = tokens;
    if let [(_, Token::Name(value)), after @ ..] = rest {
        match database.variables.iter().find(|variable| variable.name == *value) {
            // Another name for a variable.
            Some(other) => words.extend([&other.module].into_iter().chain(&other.arguments).cloned()),
            None => words.push(value.clone()),
        }
        rest = after;
    } else {
        while let [(_, Token::Text(text)), after @ ..] = rest {
            words.extend(text.split_whitespace().map(str::to_owned));
            rest = after;
        }
    }
    // `path` says where the modules are: there are none any more.
    if name != "path" {
        let number = tokens.first().map_or(0, |(number, _)| *number);
        let mut words = words.into_iter();
        let module = words.next().ok_or_else(|| format!("{number}: {name} has no module"))?;
        database.variables.push(Variable { name: name.to_owned(), module, arguments: words.collect() });
    }
    Ok(rest)
}

/// A name in a rule that no variable has was the file name of a module.
pub fn add_modules(database: &mut Database) {
    for word in database.policies.iter().flat_map(|policy| &policy.rules).flat_map(|rule| rule.split(' ')) {
        let name = word.trim_start_matches('~');
        let is_known = database.variables.iter().any(|variable| variable.name == name);
        if !is_known && !matches!(name, "->" | "|") {
            let (name, module) = (name.to_owned(), name.to_owned());
            database.variables.push(Variable { name, module, arguments: Vec::new() });
        }
    }
}

fn rule(tokens: Tokens<'_>) -> Option<(String, Tokens<'_>)> {
    match tokens {
        [(_, Token::Not), (_, Token::Name(a)), (_, Token::Arrow), (_, Token::Name(b)), after @ ..] => {
            Some((format!("~{a} -> {b}"), after))
        }
        [
            (_, Token::Name(a)),
            (_, Token::Arrow),
            (_, Token::Name(b)),
            (_, Token::Or),
            (_, Token::Name(c)),
            after @ ..,
        ] => Some((format!("{a} -> {b} | {c}"), after)),
        [(_, Token::Name(a)), (_, Token::Arrow), (_, Token::Name(b)), after @ ..] => {
            Some((format!("{a} -> {b}"), after))
        }
        _ => None,
    }
}

/// A name without the slashes that only file names of modules had.
pub fn safe(name: &str) -> String {
    name.replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        let text = "# comment\npath = /usr/lib/lcmaps\na = \"lcmaps_x.mod\" \"-o b c\"\n  \" -d \\\"e\\\"\" # more\n\
            b=\"y.mod\"\n\nfirst:\na -> b|c\n~b -> c second: \n";
        let database = parse(text).unwrap_err();
        assert_eq!(database, "9: unrecognized token ':'");
        let database = parse(&text.replace(" second: ", "\n second: a->b")).unwrap();
        let variable = |name: &str, module: &str, arguments: &[&str]| Variable {
            name: name.into(),
            module: module.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            database.variables,
            [variable("a", "lcmaps_x.mod", &["-o", "b", "c", "-d", "\"e\""]), variable("b", "y.mod", &[])]
        );
        assert_eq!(database.policies.len(), 2);
        assert_eq!(database.policies[0].rules, ["a -> b | c", "~b -> c"]);
        assert_eq!((database.policies[1].name.as_str(), &database.policies[1].rules[0][..]), ("second", "a -> b"));
    }

    #[test]
    fn mistakes_have_a_line() {
        for (text, expected) in [
            ("\na = \"x\n", "2: unbalanced quotes"),
            ("a-b = \"x\"", "1: unrecognized token '-'"),
            ("a -> b", "1: a rule outside of a policy"),
            ("p:\na b", "2: syntax error"),
            ("p:\na -> b\nc = \"x\"", "3: a variable after the first policy"),
            ("a =\np:\n", "2: a has no module"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
