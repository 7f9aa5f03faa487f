//! The log as one page for a browser: calls, refusals, users, VOs and time, drawn as SVG in the page itself. It needs
//! nothing from anywhere else and runs no script.

use super::answer::{Answer, Columns};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::Read;
use super::refusals::Refusals;
use super::sums::{Groups, Open, Used};
use super::time::{self, SECOND};
use glexec_core::field::Field;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Error;

const HOUR: i64 = SECOND * 3600;
/// How many hours a column of the charts may stand for: the first that leaves at most [`COLUMNS`] of them is taken.
const STEPS: [i64; 9] = [1, 3, 6, 12, 24, 72, 168, 672, 8760];
const COLUMNS: usize = 60;
/// How many users or VOs are shown; the rest is one line.
const ROWS: usize = 20;
/// The charts' size in units of their own; the page gives them the width that there is.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2733;--paper:#fff;--soft:#5b6b7b;--line:#d5dce3;--good:#2f6f9f;--bad:#b5442f;--dim:#8fb3cc}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--paper:#15191e;--soft:#9aa7b3;--line:#333c45;--good:#6fb1dd;--bad:#e58470;--dim:#3f6a88}}
body{margin:0 auto;max-width:60rem;padding:1rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.5rem;margin:.5rem 0 0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.3rem 0;color:var(--soft)}
dl{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:1rem 0}dt{color:var(--soft);font-size:.9rem}dd{margin:0;font-size:1.5rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:11px}
.good{fill:var(--good)}.bad{fill:var(--bad)}.dim{fill:var(--dim)}.axis{stroke:var(--line)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.95rem}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
td:first-child{overflow-wrap:anywhere;min-width:12rem}.n{text-align:right;white-space:nowrap}th{color:var(--soft);font-weight:normal}
";

/// The sums that the page shows.
#[derive(Default)]
pub struct Page {
    all: Used,
    users: Groups,
    vos: Groups,
    refusals: Refusals,
    /// By the hour in which calls started, and in which they ended: their times count there.
    hours: BTreeMap<i64, Used>,
    open: Open<[usize; 2]>,
    first: Option<i64>,
    last: i64,
}

impl Question for Page {
    fn columns(&self) -> Columns {
        Columns { headings: Vec::new(), names: Vec::new() }
    }

    fn start(&mut self, filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        if !filter.is_within(envelope.time) || !filter.is_of_process(record.get(Field::CallerPid), None) {
            return;
        }
        self.refusals.start(filter, envelope, record);
        let groups = [
            self.users.of(record.get(Field::UserDn).unwrap_or_default()),
            self.vos.of(record.get(Field::Vo).unwrap_or_default()),
        ];
        self.each(envelope.time, groups, |used| used.start(record));
        if record.is_permitted() {
            self.open.insert(record.call, groups);
        }
    }

    fn end(&mut self, envelope: &Envelope<'_>, record: &Read<'_>) {
        if let Some(groups) = self.open.remove(record.call) {
            self.each(envelope.time, groups, |used| used.end(record));
        }
    }

    fn answer_all(self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        answer.text(&self.html())
    }
}

impl Page {
    fn each(&mut self, at: i64, [user, vo]: [usize; 2], count: impl Fn(&mut Used)) {
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(at);
        let hour = self.hours.entry(at.div_euclid(HOUR)).or_default();
        [Some(&mut self.all), Some(hour), self.users.get(user), self.vos.get(vo)].into_iter().flatten().for_each(count);
    }

    fn html(self) -> String {
        let Page { all, users, vos, refusals, hours, first, last, .. } = self;
        let period = match first {
            Some(first) => format!("{} to {}, times in UTC", time::shown(first), time::shown(last)),
            None => "no call was found".to_owned(),
        };
        let numbers = [
            ("calls", all.calls.to_string()),
            ("refused", all.refused.to_string()),
            ("processor hours", hours_of(all.cpu)),
            ("wall clock hours", hours_of(all.wall)),
        ];
        let numbers: String =
            numbers.iter().map(|(name, n)| format!("<div><dt>{name}</dt><dd>{n}</dd></div>")).collect();
        let (step, bars) = columns(&hours);
        let calls = bars.iter().map(|(at, used)| Bar::new(*at, [whole(used.calls), whole(used.refused)])).collect();
        let times = bars.iter().map(|(at, used)| Bar::new(*at, [used.cpu / 3600.0, used.wall / 3600.0])).collect();
        let per = format!("per {}", if step == 1 { "hour".to_owned() } else { format!("{step} hours") });
        let calls = chart(&format!("Calls {per}"), &["permitted", "refused"], &["good", "bad"], Bars::OnTop, calls);
        let times = chart(&format!("Hours {per}"), &["processor", "wall clock"], &["good", "dim"], Bars::Behind, times);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>glexec: what was used</title><style>{STYLE}</style></head><body>\
             <h1>What was used through glexec</h1><p>{period}</p><dl>{numbers}</dl>\
             <h2>Calls</h2>{calls}<h2>Time</h2>{times}\
             <p>Only calls with an end record have times; they count where the call ended.</p>\
             {}{}{}</body></html>\n",
            reasons(refusals),
            table("VOs", "VO", vos),
            table("Users", "User", users),
        )
    }
}

/// The hours in columns of one width, without a gap where nothing happened; how many hours one is.
fn columns(hours: &BTreeMap<i64, Used>) -> (i64, Vec<(i64, Used)>) {
    let (Some((first, _)), Some((last, _))) = (hours.first_key_value(), hours.last_key_value()) else {
        return (1, Vec::new());
    };
    let count =
        |step: i64| usize::try_from(last.div_euclid(step).saturating_sub(first.div_euclid(step))).unwrap_or(usize::MAX);
    let step = STEPS.into_iter().find(|step| count(*step) < COLUMNS).unwrap_or(8760);
    let mut all = BTreeMap::new();
    for (hour, used) in hours {
        all.entry(hour.div_euclid(step)).or_insert_with(Used::default).add(used);
    }
    // The last columns, if a clock was ever centuries off.
    let from = last.div_euclid(step).saturating_sub(i64::try_from(count(step).min(COLUMNS)).unwrap_or(0));
    let column = |number: i64| {
        let at = number.saturating_mul(step).saturating_mul(HOUR);
        (at, all.get(&number).cloned().unwrap_or_default())
    };
    (step, (from..=last.div_euclid(step)).map(column).collect())
}

/// A column of a chart: when it begins, and two values.
struct Bar {
    at: i64,
    values: [f64; 2],
}

impl Bar {
    fn new(at: i64, values: [f64; 2]) -> Self {
        Bar { at, values }
    }
}

/// Where the second value of a column is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bars {
    /// On top of the first.
    OnTop,
    /// Behind it.
    Behind,
}

fn chart(title: &str, names: &[&str; 2], classes: &[&str; 2], bars: Bars, columns: Vec<Bar>) -> String {
    let top = |bar: &Bar| match bars {
        Bars::OnTop => bar.values[0] + bar.values[1],
        Bars::Behind => bar.values[0].max(bar.values[1]),
    };
    let most = columns.iter().map(top).fold(0.0, f64::max);
    let scale = if most > 0.0 { HEIGHT / most } else { 0.0 };
    let width = WIDTH / columns.iter().map(|_| 1.0).sum::<f64>().max(1.0);
    let rectangle = |class: &str, x: f64, foot: f64, height: f64| {
        format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            20.0 + HEIGHT - foot - height,
            (width - 1.0).max(0.5)
        )
    };
    let mut drawn = String::new();
    let mut x = 0.0;
    for bar in &columns {
        let [first, second] = bar.values.map(|value| value * scale);
        let both = match bars {
            Bars::OnTop => rectangle(classes[0], x, 0.0, first) + &rectangle(classes[1], x, first, second),
            Bars::Behind => rectangle(classes[1], x, 0.0, second) + &rectangle(classes[0], x, 0.0, first),
        };
        let says = format!(
            "{}: {} {}, {} {}",
            time::shown(bar.at),
            short(bar.values[0]),
            names[0],
            short(bar.values[1]),
            names[1]
        );
        drawn.push_str(&format!("<g><title>{says}</title>{both}</g>"));
        x += width;
    }
    let day =
        |bar: Option<&Bar>| bar.map(|bar| time::shown(bar.at).chars().take(16).collect::<String>()).unwrap_or_default();
    let foot = 20.0 + HEIGHT;
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{title}\">\
         <text x=\"0\" y=\"12\">{title}, at most {}</text>\
         <rect class=\"{}\" x=\"480\" y=\"3\" width=\"10\" height=\"10\"/><text x=\"495\" y=\"12\">{}</text>\
         <rect class=\"{}\" x=\"600\" y=\"3\" width=\"10\" height=\"10\"/><text x=\"615\" y=\"12\">{}</text>\
         {drawn}<line class=\"axis\" x1=\"0\" y1=\"{foot}\" x2=\"{WIDTH}\" y2=\"{foot}\"/>\
         <text x=\"0\" y=\"{:.0}\">{}</text><text x=\"{WIDTH}\" y=\"{:.0}\" text-anchor=\"end\">{}</text></svg>",
        foot + 20.0,
        short(most),
        classes[0],
        names[0],
        classes[1],
        names[1],
        foot + 14.0,
        day(columns.first()),
        foot + 14.0,
        day(columns.last()),
    )
}

fn reasons(refusals: Refusals) -> String {
    let rows: String = refusals
        .sorted()
        .iter()
        .map(|(code, refused)| row(code, &[refused.calls.to_string(), time::shown(refused.last)]))
        .collect();
    section("Refusals", &["Reason", "Calls", "The last"], &rows)
}

fn table(title: &str, name: &str, groups: Groups) -> String {
    let all = groups.sorted();
    let numbers =
        |used: &Used| [used.calls.to_string(), used.refused.to_string(), hours_of(used.cpu), hours_of(used.wall)];
    let mut rows: String = all.iter().take(ROWS).map(|(key, used)| row(key, &numbers(used))).collect();
    let mut rest = Used::default();
    all.iter().skip(ROWS).for_each(|(_, used)| rest.add(used));
    if all.len() > ROWS {
        rows.push_str(&row(&format!("{} others", all.len().saturating_sub(ROWS)), &numbers(&rest)));
    }
    section(title, &[name, "Calls", "Refused", "Processor hours", "Wall clock hours"], &rows)
}

fn row(name: &str, numbers: &[String]) -> String {
    let name = if name.is_empty() { "(not known)".to_owned() } else { escaped(name) };
    let numbers: String = numbers.iter().map(|number| format!("<td class=\"n\">{}</td>", escaped(number))).collect();
    format!("<tr><td>{name}</td>{numbers}</tr>")
}

fn section(title: &str, headings: &[&str], rows: &str) -> String {
    if rows.is_empty() {
        return format!("<h2>{title}</h2><p>None.</p>");
    }
    let heading = |(at, text): (usize, &&str)| match at {
        0 => format!("<th>{text}</th>"),
        _ => format!("<th class=\"n\">{text}</th>"),
    };
    let headings: String = headings.iter().enumerate().map(heading).collect();
    format!("<h2>{title}</h2><div class=\"wide\"><table><tr>{headings}</tr>{rows}</table></div>")
}

/// A text that is no markup: names in it are chosen by others.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn hours_of(seconds: f64) -> String {
    short(seconds / 3600.0)
}

/// As many digits as somebody wants to read.
fn short(number: impl Into<f64> + Display) -> String {
    let number = number.into();
    if number.fract() == 0.0 || number >= 100.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

fn whole(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(records: &[(i64, String)]) -> Page {
        let filter = Filter { wanted: vec![], pid: None, host: None, since: i64::MIN, until: i64::MAX, longest: 0 };
        let mut page = Page::default();
        for (at, text) in records {
            let (envelope, record) = (Envelope { time: *at, host: "w1", text }, Read::parse(text).unwrap());
            match record.event {
                super::super::record::Event::Start => page.start(&filter, &envelope, &record),
                super::super::record::Event::End => page.end(&envelope, &record),
            }
        }
        page
    }

    fn start(call: u64, user: &str) -> String {
        format!(
            "event=start call={call:016x} decision=permit caller_uid=1 caller_gid=1 caller_pid=1 target_user=a target_uid=4 target_gid=5 user_dn=\"{user}\" vo=v"
        )
    }

    #[test]
    fn no_name_is_markup() {
        let html = given(&[(0, start(1, "/CN=<script>alert(1)</script>&'"))]).html();
        assert!(html.contains("/CN=&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn the_page_takes_nothing_from_elsewhere() {
        let html = given(&[(0, start(1, "/CN=a"))]).html();
        for foreign in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_chart_has_few_columns_whatever_the_time_that_it_shows() {
        for (hours, step) in [(1, 1), (59, 1), (60, 3), (24 * 30, 24), (24 * 365, 168), (24 * 365 * 30, 8760)] {
            let page = given(&[(0, start(1, "/CN=a")), (hours * HOUR, start(2, "/CN=a"))]);
            let (chosen, bars) = columns(&page.hours);
            assert_eq!(chosen, step, "{hours}");
            assert!(bars.len() <= COLUMNS + 1, "{hours}: {}", bars.len());
            assert_eq!(bars.iter().map(|(_, used)| used.calls).sum::<u64>(), 2, "{hours}");
        }
    }

    #[test]
    fn more_users_than_fit_are_one_line_together() {
        let records: Vec<_> = (0..25).map(|n| (0, start(n, &format!("/CN={n}")))).collect();
        let html = given(&records).html();
        assert!(html.contains("<td>5 others</td><td class=\"n\">5</td>"), "{html}");
    }

    #[test]
    fn a_log_without_a_call_is_a_page_too() {
        let html = Page::default().html();
        assert!(html.contains("no call was found") && html.contains("None."), "{html}");
    }
}
