//! Generated questions: a map file, a person with VOMS attributes, a policy.

use crate::library::{DN_POLICIES, FQAN_POLICIES, Policy, VOMS_POLICIES};

/// Random numbers that are the same in every run (xorshift64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Names of people as the verifier writes them.
const PEOPLE: &[&str] = &[
    "/O=x/CN=Alice Adams",
    "/O=x/CN=alice adams",
    "/O=x/CN=Bob",
    "/O=x/OU=people/CN=Bob",
    "/O=x/CN=Bob/emailAddress=bob@x.org",
    "/O=x/CN=Bob/Email=bob@x.org",
    "/O=x/UID=uma/CN=Uma",
    "/O=x/USERID=uma/CN=Uma",
    "/O=x/CN=host\\/node.x.org",
    "/O=x/CN=J\u{fc}rgen",
    "/O=x/CN=[A]lice",
    "/O=x/CN=a*b",
    "/O=x/CN=x?y",
    "/O=x/CN=sharp # sign",
    "/O=x/CN=comma, name",
    "/O=x/CN=tilde~dot.dash-under_",
    "/O=x/CN=robot:1 (cron)",
];

/// FQANs in the spellings that servers use.
const FQANS: &[&str] = &[
    "/vo/Role=NULL/Capability=NULL",
    "/vo/Role=pilot/Capability=NULL",
    "/vo/Role=production/Capability=NULL",
    "/vo/g/Role=NULL/Capability=NULL",
    "/vo/g/sub/Role=pilot/Capability=NULL",
    "/vo",
    "/vo/Role=pilot",
];

const ACCOUNTS: &[&str] = &["lalice", "lbob", "p001", "root", "low", "nosuch", "5001", "l\\alice"];
const GROUPS: &[&str] = &["vo", "pilot", "prod", "wheel", "nosuch", "staff", "501"];
const POOLS: &[&str] = &[".p", ".q", ".p", ".q", ".none", "\\.p", ".", "..p", ".p0"];

/// One question.
pub struct Case {
    pub policy: &'static Policy,
    pub map: Vec<u8>,
    pub dn: String,
    pub fqans: Vec<&'static str>,
}

/// The name as OpenSSL prints it, which is what the C library gets: nothing is escaped but what is not ASCII.
pub fn as_openssl(dn: &str) -> String {
    let bare = dn.replace("\\/", "/").replace("\\\\", "\\");
    bare.bytes()
        .map(|byte| if byte.is_ascii() { char::from(byte).to_string() } else { format!("\\x{byte:02X}") })
        .collect()
}

pub fn cases(count: usize) -> Vec<Case> {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    (0..count).map(|_| case(&mut random)).collect()
}

fn case(random: &mut Random) -> Case {
    let (policies, by_fqan, names) = match random.below(3) {
        0 => (DN_POLICIES, false, ACCOUNTS),
        1 => (FQAN_POLICIES, true, ACCOUNTS),
        _ => (VOMS_POLICIES, true, GROUPS),
    };
    let dn = (random.one(PEOPLE)).to_owned();
    let mut fqans: Vec<&str> = Vec::new();
    for _ in 0..random.below(4) {
        let fqan = random.one(FQANS);
        if !fqans.contains(&fqan) {
            fqans.push(fqan);
        }
    }
    let subject = match fqans.first() {
        Some(_) if by_fqan => (random.one(&fqans)).to_owned(),
        _ => dn.clone(),
    };
    let mut map = Vec::new();
    if random.chance(2) {
        map.extend(b"\xef\xbb\xbf");
    }
    let lines = 1 + random.below(5);
    for number in 0..lines {
        let mut line = line(random, &subject, by_fqan, names);
        if random.chance(3) {
            line.push(b'\r');
        }
        map.extend(line);
        if number + 1 < lines || random.chance(90) {
            map.push(b'\n');
        }
    }
    if map.is_empty() {
        map.push(b'\n');
    }
    Case { policy: &policies[random.below(policies.len())], map, dn, fqans }
}

fn line(random: &mut Random, subject: &str, by_fqan: bool, names: &[&str]) -> Vec<u8> {
    match random.below(40) {
        0 => return b"".to_vec(),
        1 => return b"# a comment \"/O=x/CN=Bob\" .p".to_vec(),
        2 => return format!("\"{subject} .p").into_bytes(),
        3 => return format!("\"{subject}\" .p\\").into_bytes(),
        4 => return b"   \t".to_vec(),
        5 => return format!("\"{subject}\"").into_bytes(),
        _ => {}
    }
    let pattern = pattern(random, subject, by_fqan);
    let pattern = match random.below(12) {
        0 => pattern,
        _ => format!("\"{pattern}\""),
    };
    let mut line = if random.chance(5) { "  ".to_owned() } else { String::new() };
    line += &pattern;
    line += random.one(&[" ", "\t", "  ", " \t "]);
    for number in 0..1 + random.below(3) {
        if number > 0 {
            line += random.one(&[",", " ", " , ", "\t", ",,"]);
        }
        let mappings = if random.chance(60) { POOLS } else { names };
        line += random.one(mappings);
    }
    if random.chance(8) {
        line += random.one(&[" # .q", "# lbob", " #"]);
    }
    line.into_bytes()
}

/// A name or a pattern that stands for the subject, or nearly.
fn pattern(random: &mut Random, subject: &str, by_fqan: bool) -> String {
    let other = if by_fqan { random.one(FQANS) } else { random.one(PEOPLE) };
    let plain = as_openssl(subject);
    let cut = |text: &str, at: usize| text.chars().take(at).collect::<String>();
    let length = subject.chars().count();
    match random.below(16) {
        0..=3 => subject.to_owned(),
        4 => plain,
        5 => format!("{}*", cut(subject, length / 2)),
        6 => format!("{}?{}", cut(&plain, 4), plain.chars().skip(5).collect::<String>()),
        7 => format!(
            "{}[{}]{}",
            cut(&plain, 4),
            plain.chars().nth(4).unwrap_or('a'),
            plain.chars().skip(5).collect::<String>()
        ),
        8 => format!("{}[!a-z]{}", cut(&plain, 4), plain.chars().skip(5).collect::<String>()),
        9 => subject.to_lowercase(),
        10 => (random.one(&["*", "/vo*", "/vo/*", "/O=x/*", "/vo/Role=pilot", "/vo/Role=pilot/*", "/[", "/vo[*"]))
            .to_owned(),
        11 => subject.replace(' ', "\\ ").replace('*', "\\*"),
        12..=14 => subject.replace("emailAddress", "Email").replace("UID", "USERID"),
        _ => other.to_owned(),
    }
}
