//! The tables, printed or written into docs/evidence/ between their markers: `<!-- bench: NAME -->` … `<!-- /bench -->`.

use crate::figures::{Count, Group, Load, Peak, Phases, Spread, Verification, quantile};
use crate::targets::{self, Goal};
use crate::{beside, plot, verification};
use serde::de::DeserializeOwned;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Everything that was measured; a part that was not is absent.
pub struct Figures {
    pub beside: Option<Vec<Group>>,
    pub growth: Option<Vec<Group>>,
    pub load: Option<Vec<Load>>,
    pub phases: Option<Vec<Phases>>,
    pub memory: Option<Vec<Peak>>,
    pub instructions: Option<Vec<Count>>,
    pub verification: Option<Vec<Verification>>,
    /// What it was measured on, one fact a line.
    machine: Option<String>,
}

impl Figures {
    fn read(directory: &Path) -> Self {
        fn part<T: DeserializeOwned>(directory: &Path, name: &str) -> Option<T> {
            let text = fs::read_to_string(directory.join(name)).ok()?;
            // A part that cannot be measured here has left "null".
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
        }
        Figures {
            beside: part(directory, "beside.json"),
            growth: part(directory, "growth.json"),
            load: part(directory, "load.json"),
            phases: part(directory, "phases.json"),
            memory: part(directory, "memory.json"),
            instructions: part(directory, "instructions.json"),
            verification: part(directory, "verification.json"),
            machine: fs::read_to_string(directory.join("machine")).ok(),
        }
    }

    /// Every table with its marker's name.
    fn tables(&self) -> Vec<(&'static str, Option<String>)> {
        vec![
            ("machine", self.machine.clone()),
            ("targets", Some(targets_table(self))),
            ("beside", self.beside.as_deref().map(beside_table)),
            ("readme", self.beside.as_deref().map(readme_table)),
            ("growth", self.growth.as_deref().map(growth_table)),
            ("load", self.load.as_deref().map(load_table)),
            ("phases", self.phases.as_deref().map(phases_tables)),
            ("memory", self.memory.as_deref().map(memory_table)),
            ("instructions", self.instructions.as_deref().map(instructions_table)),
            ("verification", self.verification.as_deref().map(verification_table)),
        ]
    }
}

pub fn print(figures: &Path) {
    for table in Figures::read(figures).tables().into_iter().filter_map(|(_, table)| table) {
        println!("{table}");
    }
}

/// Replaces what is between the markers of the pages in the folder `docs`, and draws the plot.
pub fn write(figures: &Path, docs: &Path) {
    let figures = Figures::read(figures);
    let tables = figures.tables();
    for page in ["performance.md", "trust-figures.md", "../../README.md"] {
        let path = docs.join(page);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, replaced(&text, &tables)).unwrap();
    }
    if let (Some(beside), Some(growth)) = (&figures.beside, &figures.growth) {
        fs::write(docs.join("performance.svg"), plot::draw(&beside[0], growth)).unwrap();
    }
}

fn replaced(text: &str, tables: &[(&str, Option<String>)]) -> String {
    const END: &str = "<!-- /bench -->";
    let mut text = text.to_owned();
    for (name, table) in tables {
        let marker = format!("<!-- bench: {name} -->\n");
        let (Some(start), Some(table)) = (text.find(&marker), table) else { continue };
        let start = start + marker.len();
        let end = start + text[start..].find(END).unwrap_or_else(|| panic!("{name}: no {END}"));
        text.replace_range(start..end, &format!("\n{}\n\n", table.trim()));
    }
    text
}

fn targets_table(figures: &Figures) -> String {
    let mut text = "| measure | target | measured | |\n|---|---:|---:|---|\n".to_owned();
    for target in targets::all(figures) {
        let goal = match target.goal {
            Goal::AtMost(limit) => format!("≤ {limit}"),
            Goal::AtLeast(limit) => format!("≥ {limit}"),
        };
        let measured = target.measured.map_or("not measured".into(), |spread| match spread.low == spread.high {
            true => format!("{:.2}", spread.median),
            false => spread.to_string(),
        });
        let said = match target.reached() {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "",
        };
        writeln!(text, "| {} | {goal} | {measured} | {said} |", target.what).unwrap();
    }
    text
}

fn beside_table(groups: &[Group]) -> String {
    let Some(group) = groups.first() else { return String::new() };
    let others = [beside::SUDO, beside::SUDO_RS, beside::DOAS, beside::SETPRIV, beside::PEER_BUNDLE];
    let others: Vec<_> = others.into_iter().filter(|name| group.case(name).is_some()).collect();
    let mut text = format!("{} rounds.\n\n| call | ms | p90 |", group.rounds());
    for other in &others {
        write!(text, " to {other} |").unwrap();
    }
    writeln!(text, "\n|---|---:|---:|{}", "---:|".repeat(others.len())).unwrap();
    for case in &group.cases {
        write!(text, "| {} | {:.2} | {:.2} |", case.name, quantile(&case.ms, 0.5), quantile(&case.ms, 0.9)).unwrap();
        for other in &others {
            let ratio = group.case(other).filter(|other| other.name != case.name).map(|other| case.ratio(other));
            write!(text, " {} |", ratio.map_or("1".into(), |ratio| ratio.to_string())).unwrap();
        }
        text.push('\n');
    }
    text
}

/// The few that are compared first.
fn readme_table(groups: &[Group]) -> String {
    let Some(group) = groups.first() else { return String::new() };
    let mut text = "| whole call of `/bin/true` | ms | to `sudo -n` |\n|---|---:|---:|\n".to_owned();
    let names = [
        beside::USUAL,
        beside::USUAL_PROGRAM,
        beside::USUAL_BEFORE,
        beside::SETPRIV,
        beside::DOAS,
        beside::SUDO_RS,
        beside::SUDO,
        beside::PEER_BUNDLE,
    ];
    for case in names.into_iter().filter_map(|name| group.case(name)) {
        let ratio = group.case(beside::SUDO).map_or(f64::NAN, |sudo| case.ratio(sudo).median);
        writeln!(text, "| {} | {:.2} | {ratio:.2} |", case.name, quantile(&case.ms, 0.5)).unwrap();
    }
    text
}

fn growth_table(groups: &[Group]) -> String {
    let mut text = String::new();
    for group in groups {
        let Some(first) = group.cases.first() else { continue };
        write!(text, "**{}**, {} rounds:\n\n| |", capitalised(&group.name), group.rounds()).unwrap();
        group.cases.iter().for_each(|case| write!(text, " {} |", case.name).unwrap());
        writeln!(text, "\n|---|{}", "---:|".repeat(group.cases.len())).unwrap();
        text.push_str("| ms |");
        group.cases.iter().for_each(|case| write!(text, " {:.2} |", quantile(&case.ms, 0.5)).unwrap());
        write!(text, "\n| to {} |", first.name).unwrap();
        for case in &group.cases {
            let ratio = if case.name == first.name { "1".into() } else { case.ratio(first).to_string() };
            write!(text, " {ratio} |").unwrap();
        }
        text.push_str("\n\n");
    }
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn load_table(loads: &[Load]) -> String {
    let mut text = String::new();
    for load in loads {
        let rounds = load.levels.first().map_or(0, |level| level.per_second.len());
        write!(
            text,
            "**{}**: {} cores, {rounds} rounds of {} calls at each level.\n\n\
             | at once | calls a second | for each core | p50, ms | p99, ms |\n|---:|---:|---:|---:|---:|\n",
            capitalised(&load.way),
            load.cores,
            load.calls
        )
        .unwrap();
        for level in &load.levels {
            let Spread { median, .. } = Spread::of(&level.per_second);
            let busy = level.at_once.min(load.cores) as f64;
            let [p50, p99] = [0.5, 0.99].map(|part| quantile(&level.ms, part));
            writeln!(text, "| {} | {median:.0} | {:.0} | {p50:.2} | {p99:.2} |", level.at_once, median / busy).unwrap();
        }
        text.push('\n');
    }
    text
}

fn phases_tables(all: &[Phases]) -> String {
    all.iter()
        .map(|phases| format!("**{}**: {}", capitalised(&phases.way), phases_table(phases)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn phases_table(phases: &Phases) -> String {
    let medians: Vec<f64> = phases.phases.iter().map(|phase| quantile(&phase.us, 0.5)).collect();
    let sum: f64 = medians.iter().sum();
    let mut text = format!(
        "{} traced calls, with others between them. The whole call takes {:.2} ms, traced {:.2} ms (medians). System calls until the payload: \
         {} by the privileged process, {} by the verifier.\n\n| phase | µs | p90 | of the call |\n|---|---:|---:|---:|\n",
        phases.traced_ms.len(),
        quantile(&phases.plain_ms, 0.5),
        quantile(&phases.traced_ms, 0.5),
        phases.system_calls[0],
        phases.system_calls[1],
    );
    for (phase, median) in phases.phases.iter().zip(&medians) {
        let part = 100.0 * median / sum;
        writeln!(text, "| {} | {median:.0} | {:.0} | {part:.0} % |", phase.name, quantile(&phase.us, 0.9)).unwrap();
    }
    if let Some(lookups) = phases.lookups.as_ref().filter(|_| phases.lookups_a_call > 0.0) {
        let (median, high) = (quantile(&lookups.us, 0.5), quantile(&lookups.us, 0.9));
        let (part, count) = (100.0 * median / sum, phases.lookups_a_call);
        writeln!(text, "| *within these: {count} account database look-ups* | {median:.0} | {high:.0} | {part:.0} % |")
            .unwrap();
    }
    text
}

fn memory_table(peaks: &[Peak]) -> String {
    let mut text = "| call | process | peak, MiB | of which anonymous |\n|---|---|---:|---:|\n".to_owned();
    for peak in peaks {
        let (resident, anonymous) = (peak.resident_kib / 1024.0, peak.anonymous_kib / 1024.0);
        writeln!(text, "| {} | {} | {resident:.2} | {anonymous:.2} |", peak.call, peak.process).unwrap();
    }
    text
}

fn instructions_table(counts: &[Count]) -> String {
    let mut text = "| what | million instructions |\n|---|---:|\n".to_owned();
    for count in counts {
        writeln!(text, "| {} | {:.2} |", count.what, count.instructions as f64 / 1e6).unwrap();
    }
    text
}

fn verification_table(verifications: &[Verification]) -> String {
    let mut text = "| verification | in the process, ms | as a process, ms | `openssl verify`, ms | ratio |\n\
                    |---|---:|---:|---:|---:|\n"
        .to_owned();
    for Verification { name, inside_ms, group } in verifications {
        let [ours, openssl] = [verification::OURS, verification::OPENSSL]
            .map(|name| group.case(name).map_or(f64::NAN, |case| quantile(&case.ms, 0.5)));
        let ratio =
            group.ratio(verification::OURS, verification::OPENSSL).map_or(String::new(), |ratio| ratio.to_string());
        writeln!(text, "| {name} | {inside_ms:.2} | {ours:.2} | {openssl:.2} | {ratio} |").unwrap();
    }
    text
}
