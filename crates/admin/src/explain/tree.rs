//! An explanation for people.

use super::{Answer, Explanation, Target, Verdict};
use glexec_core::described::{Attributes, Part, ProxyFile};
use glexec_core::escape::visible;
use time::OffsetDateTime;

/// Longest line in bytes.
const MAX_LINE: usize = 2000;

/// A line and what belongs to it.
struct Node {
    text: String,
    under: Vec<Node>,
}

fn leaf(text: impl AsRef<str>) -> Node {
    node(text, Vec::new())
}

fn node(text: impl AsRef<str>, under: Vec<Node>) -> Node {
    Node { text: visible(text.as_ref().as_bytes(), MAX_LINE), under }
}

impl Node {
    fn print(&self, before: &str, out: &mut String) {
        for (left, child) in (0..self.under.len()).rev().zip(&self.under) {
            let (branch, further) = if left == 0 { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            out.push_str(&format!("{before}{branch}{}\n", child.text));
            child.print(&format!("{before}{further}"), out);
        }
    }
}

/// The whole explanation as text.
pub fn render(explanation: &Explanation) -> String {
    let mut out = String::new();
    for node in nodes(explanation) {
        out.push_str(&format!("{}\n", node.text));
        node.print("", &mut out);
    }
    out
}

fn nodes(it: &Explanation) -> Vec<Node> {
    let mut nodes = vec![leaf(format!("configuration: {}", it.configuration.display()))];
    if let Some(caller) = &it.caller {
        nodes.push(leaf(format!("caller: {} (uid {}, gid {})", caller.account, caller.uid, caller.gid)));
    }
    for (whose, file, person) in
        [("the user's proxy", &it.user_proxy, &it.user), ("the pilot's proxy", &it.pilot_proxy, &it.pilot)]
    {
        let Some(file) = file else { continue };
        let mut under = certificates(file);
        if let Some(person) = person {
            let fqans = person.fqans.iter().map(leaf).collect();
            under.push(node(format!("verified: {}, until {}", person.dn, date(person.not_after)), fqans));
        }
        nodes.push(node(whose, under));
    }
    for (side, title) in [("lcas", "authorization (LCAS)"), ("lcmaps", "account mapping (LCMAPS)")] {
        let steps = it.steps.iter().filter(|step| step.side == side);
        let steps: Vec<Node> = steps
            .map(|step| {
                let mut under: Vec<Node> = step.seen.iter().map(leaf).collect();
                let answer = match &step.answer {
                    Answer::Yes => "yes".to_owned(),
                    Answer::No { code, sentence, detail } => {
                        under.extend(detail.iter().map(leaf));
                        format!("no, {sentence} ({code})")
                    }
                };
                node(format!("{}: {answer}", step.plugin), under)
            })
            .collect();
        if !steps.is_empty() {
            nodes.push(node(title, steps));
        }
    }
    nodes.extend(it.target.as_ref().map(account));
    if let Some(command) = &it.command {
        nodes.push(leaf(format!("command: {command}")));
    }
    if !it.remarks.is_empty() {
        nodes.push(node("remarks", it.remarks.iter().map(leaf).collect()));
    }
    nodes.push(verdict(&it.verdict));
    nodes
}

fn certificates(file: &ProxyFile) -> Vec<Node> {
    let mut nodes: Vec<Node> =
        (1_usize..).zip(&file.certificates).map(|(position, part)| certificate(position, part)).collect();
    nodes.extend(file.unreadable.as_ref().map(|why| leaf(format!("cannot be read: {why}"))));
    if file.unreadable.is_none() {
        nodes.push(leaf(if file.private_key { "private key" } else { "no private key" }));
    }
    nodes
}

fn certificate(position: usize, part: &Part) -> Node {
    match part {
        Part::Broken { broken } => leaf(format!("certificate {position}: {broken}")),
        Part::Certificate { kind, subject, issuer, serial, not_before, not_after, attributes } => {
            let mut under = vec![
                leaf(format!("issuer {issuer}, serial number {serial}")),
                leaf(format!("valid from {} until {}", date(*not_before), date(*not_after))),
            ];
            under.extend(attributes.as_ref().map(self::attributes));
            node(format!("certificate {position}: {kind}, {subject}"), under)
        }
    }
}

fn attributes(attributes: &Attributes) -> Node {
    match attributes {
        Attributes::Broken { broken } => leaf(format!("VOMS attributes that cannot be read: {broken}")),
        Attributes::Ac { vo, server, not_before, not_after, fqans } => {
            let valid = format!("valid from {} until {}", date(*not_before), date(*not_after));
            let text = format!("VOMS attributes of {vo}, by {server}, {valid}");
            node(text, fqans.iter().map(leaf).collect())
        }
    }
}

fn account(target: &Target) -> Node {
    let mut under = vec![leaf(format!("primary group {}", target.group))];
    if !target.groups.is_empty() {
        under.push(leaf(format!("supplementary groups {}", target.groups.join(", "))));
    }
    if let Some(lease) = &target.lease {
        under.push(leaf(match target.lease_exists {
            true => format!("lease {lease}, which exists"),
            false => format!("lease {lease}, which would be made"),
        }));
    }
    node(format!("account: {} (uid {})", target.account, target.uid), under)
}

fn verdict(verdict: &Verdict) -> Node {
    match verdict {
        Verdict::Permitted => leaf("permitted: the exit code is the command's own"),
        Verdict::Refused { code, exit_code, transient, sentence, detail } => {
            let mut under: Vec<Node> = detail.iter().map(leaf).collect();
            if *transient {
                under.push(leaf("trying again may help"));
            }
            node(format!("refused with exit code {exit_code}: {sentence} ({code})"), under)
        }
        Verdict::Open { why } => node("open: this cannot be told with your permissions", vec![leaf(why)]),
    }
}

fn date(seconds: i64) -> String {
    let Ok(date) = OffsetDateTime::from_unix_timestamp(seconds) else { return seconds.to_string() };
    let (hour, minute, second) = date.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", date.date())
}
