//! The status page: one document without a script, and nothing in it from anywhere else.

use crate::figures::{Minute, Node};
use crate::xml::written;
use glexec_site_client::bans::Ban;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use time::OffsetDateTime;

/// What the page shows.
pub struct Shown<'a> {
    /// The service's own address.
    pub listen: String,
    /// The engine's name.
    pub engine: &'static str,
    /// What does not work, where something does not.
    pub trouble: Option<String>,
    /// Bans, in force or not.
    pub bans: &'a [Ban],
    /// The last hours.
    pub minutes: Vec<Minute>,
    /// Refusals by code.
    pub denials: BTreeMap<&'static str, u64>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// Pools: name, accounts, how many of them leased; or why they cannot be shown.
    pub pools: Result<BTreeMap<String, (u64, u64)>, String>,
    /// The time, in seconds since 1970 UTC.
    pub now: i64,
}

/// Most rows of a table: the page is for people.
const ROWS: usize = 200;
/// The plot's height and the width of a minute, in the units of its view box.
const HEIGHT: u64 = 120;
const WIDTH: u64 = 4;

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#cf222e;--soft:#656d76}
@media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#f85149;--soft:#8b949e}}
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
p{margin:.3rem 0}.soft{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}
.table{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;border-bottom:1px solid var(--line)}.p{fill:var(--good)}.d{fill:var(--bad)}
meter{width:8rem}
";

fn time(seconds: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => {
            let ((year, month, day), (hour, minute, second)) = (at.to_calendar_date(), at.to_hms());
            format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC", u8::from(month))
        }
        Err(_) => "?".to_owned(),
    }
}

fn row(out: &mut String, cells: &[&str]) {
    out.push_str("<tr>");
    cells.iter().for_each(|cell| {
        let _ = write!(out, "<td>{}</td>", written(cell));
    });
    out.push_str("</tr>");
}

fn table(out: &mut String, title: &str, headings: &[&str], rows: Vec<Vec<String>>, none: &str) {
    let _ = write!(out, "<h2>{title}</h2>");
    if rows.is_empty() {
        let _ = write!(out, "<p class=\"soft\">{none}</p>");
        return;
    }
    out.push_str("<div class=\"table\"><table><thead><tr>");
    headings.iter().for_each(|heading| {
        let _ = write!(out, "<th scope=\"col\">{heading}</th>");
    });
    out.push_str("</tr></thead><tbody>");
    for cells in rows.iter().take(ROWS) {
        row(out, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    out.push_str("</tbody></table></div>");
    if let Some(more) = rows.len().checked_sub(ROWS).filter(|more| *more > 0) {
        let _ = write!(out, "<p class=\"soft\">and {more} more</p>");
    }
}

/// Bars, one a minute: what was permitted, and what was refused on top of it.
fn plot(out: &mut String, minutes: &[Minute]) {
    let most = minutes.iter().map(|minute| minute.permits.saturating_add(minute.denials)).max().unwrap_or(0).max(1);
    let (permits, denials) = minutes.iter().fold((0_u64, 0_u64), |(permits, denials), minute| {
        (permits.saturating_add(minute.permits), denials.saturating_add(minute.denials))
    });
    let width = WIDTH.saturating_mul(u64::try_from(minutes.len()).unwrap_or(0));
    let _ = write!(
        out,
        "<h2>Questions a minute, the last {} hours</h2><p><span class=\"good\">{permits} answered with an account</span>, \
         <span class=\"bad\">{denials} refused</span>, at most {most} a minute</p>\
         <svg viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-label=\"questions a minute\">",
        minutes.len().div_euclid(60)
    );
    for (index, minute) in (0_u64..).zip(minutes) {
        let height = |number: u64| number.saturating_mul(HEIGHT).div_ceil(most).min(HEIGHT);
        let (lower, all) = (height(minute.permits), height(minute.permits.saturating_add(minute.denials)));
        let x = index.saturating_mul(WIDTH);
        for (class, from, to) in [("p", 0, lower), ("d", lower, all)] {
            if to > from {
                let (y, tall) = (HEIGHT.saturating_sub(to), to.saturating_sub(from));
                let _ = write!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"3\" height=\"{tall}\"/>");
            }
        }
    }
    out.push_str("</svg>");
}

pub fn document(shown: &Shown<'_>) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>glexec-site</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"refresh\" content=\"30\">\
         <style>{STYLE}</style></head><body><h1>The site's mapping service</h1>"
    );
    let _ = match &shown.trouble {
        Some(trouble) => write!(out, "<p class=\"bad\">Nothing is answered: {}</p>", written(trouble)),
        None => write!(out, "<p class=\"good\">Works</p>"),
    };
    let (listen, engine, now) = (written(&shown.listen), shown.engine, time(shown.now));
    let _ = write!(out, "<p class=\"soft\">{listen}, engine {engine}, {now}</p>");
    plot(&mut out, &shown.minutes);
    let mut denials: Vec<_> = shown.denials.iter().collect();
    denials.sort_by(|a, b| b.1.cmp(a.1));
    let denials = denials.into_iter().map(|(code, number)| vec![(*code).to_owned(), number.to_string()]).collect();
    table(&mut out, "Refusals since the start", &["Reason", "Number"], denials, "None.");
    let bans = shown.bans.iter().map(|ban| {
        let until = match ban.until {
            Some(until) if until <= shown.now => format!("ended {}", time(until)),
            Some(until) => time(until),
            None => "lifted".to_owned(),
        };
        vec![
            ban.name.as_str().to_owned(),
            until,
            time(ban.since),
            ban.by.clone(),
            ban.reason.clone().unwrap_or_default(),
        ]
    });
    table(&mut out, "Bans", &["Who", "Until", "Since", "By", "Why"], bans.collect(), "Nobody is banned.");
    match &shown.pools {
        Ok(pools) => {
            let pools = pools.iter().map(|(pool, (all, leased))| {
                let percent = leased.saturating_mul(100).checked_div(*all).unwrap_or(0);
                vec![pool.clone(), leased.to_string(), all.to_string(), format!("{percent} %")]
            });
            table(&mut out, "Pools", &["Pool", "Leased", "Accounts", "Full"], pools.collect(), "There is no pool.");
        }
        Err(why) => {
            let _ = write!(out, "<h2>Pools</h2><p class=\"bad\">{}</p>", written(why));
        }
    }
    let mut nodes: Vec<_> = shown.nodes.iter().collect();
    nodes.sort_by_key(|(_, node)| std::cmp::Reverse(node.seen));
    let nodes = nodes.into_iter().map(|(name, node)| {
        let ago = shown.now.saturating_sub(node.seen).max(0);
        vec![name.clone(), format!("{ago} s ago"), node.asked.to_string(), node.refused.to_string()]
    });
    table(
        &mut out,
        "Nodes",
        &["Node", "Last question", "Questions", "Refused"],
        nodes.collect(),
        "No node has asked yet.",
    );
    out.push_str("</body></html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use glexec_site_client::bans::Running;

    #[test]
    fn no_name_is_more_than_a_text_on_the_page() {
        let evil = "/CN=<script>alert('x')</script>\"&";
        let ban = Ban {
            name: evil.to_owned().try_into().unwrap(),
            until: None,
            reason: Some(evil.into()),
            by: evil.into(),
            since: 0,
            running: Running::GoesOn,
        };
        let shown = Shown {
            listen: evil.into(),
            engine: "gridmapdir",
            trouble: Some(evil.into()),
            bans: &[ban],
            minutes: vec![Minute { number: 1, permits: 3, denials: 1 }],
            denials: BTreeMap::from([("lcas.userban", 1)]),
            nodes: BTreeMap::from([(evil.to_owned(), Node::default())]),
            pools: Ok(BTreeMap::from([(evil.to_owned(), (10, 1))])),
            now: 100,
        };
        let page = document(&shown);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="), "{page}");
    }
}
