//! Calls as job records of APEL, the accounting of EGI and WLCG: messages `APEL-individual-job-message: v0.3`
//! (EGI's wiki, APEL/MessageFormat), which `ssmsend` takes as they are.

use super::answer::{Answer, Columns};
use super::calls::{Call, Counts, Waiting};
use super::envelope::Envelope;
use super::filter::Filter;
use super::reader::Question;
use super::record::Read;
use super::time::SECOND;
use glexec_core::escape::is_visible;
use glexec_core::field::Field;
use serde::Deserialize;
use std::io::Error;

/// The file that says what no call can know.
pub const FILE: &str = "/etc/glexec/accounting.toml";
/// What everybody who publishes this has to know; it goes to standard error.
pub const WARNING: &str = "only calls with an end record are in it (linger = true writes one). The batch system accounts the \
                           same processor time for the pilot's job: publish one of the two\n";

/// What a site says of itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name in the GOCDB.
    site: String,
    /// The computing element that the jobs came through; the worker node where none is named.
    submit_host: Option<String>,
    /// How many processors a call is counted with.
    #[serde(default = "one")]
    processors: u32,
    /// The unit of the benchmark: `HEPscore23`, `HEPSPEC`.
    service_level_type: String,
    /// What one processor is worth in that unit.
    service_level: f64,
}

fn one() -> u32 {
    1
}

impl Site {
    /// Reads what [`FILE`] says.
    pub fn parse(text: &str) -> Result<Site, String> {
        let site: Site = toml::from_str(text).map_err(|error| error.to_string())?;
        let names = [Some(&site.site), site.submit_host.as_ref(), Some(&site.service_level_type)];
        if let Some(name) = names.into_iter().flatten().find(|name| name.is_empty() || !is_visible(name)) {
            return Err(format!("{name:?} is no name"));
        }
        match site.service_level > 0.0 && site.service_level.is_finite() && site.processors > 0 {
            true => Ok(site),
            false => Err("service_level and processors are numbers above 0".to_owned()),
        }
    }

    /// The record of a call; `None` where its end is not known.
    fn record(&self, call: &Call) -> Option<String> {
        let end = call.end()?.div_euclid(SECOND);
        let seconds = |field| call.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let wall = seconds(Field::Wall);
        let cpu = seconds(Field::UserTime) + seconds(Field::SysTime);
        let fqan = call.get(Field::Fqans).and_then(|all| all.split(',').next());
        let (group, role) = fqan.map(group_and_role).unwrap_or_default();
        let Site { site, submit_host, processors, service_level_type, service_level } = self;
        let start = end.saturating_sub(wall.round().to_string().parse().unwrap_or(0));
        let always = [
            ("Site", site.clone()),
            ("SubmitHost", submit_host.clone().unwrap_or_else(|| call.host().to_owned())),
            ("MachineName", call.host().to_owned()),
            ("LocalJobId", format!("{:016x}", call.id())),
        ];
        let known = [
            ("LocalUserId", call.get(Field::TargetUser)),
            ("GlobalUserName", call.get(Field::UserDn)),
            ("FQAN", fqan),
            ("VO", call.get(Field::Vo)),
            ("VOGroup", group),
            ("VORole", role),
        ];
        let numbers = [
            ("WallDuration", wall.round().to_string()),
            ("CpuDuration", cpu.round().to_string()),
            ("Processors", processors.to_string()),
            ("NodeCount", "1".to_owned()),
            ("StartTime", start.to_string()),
            ("EndTime", end.to_string()),
            ("InfrastructureDescription", "APEL-GLEXEC".to_owned()),
            ("InfrastructureType", "grid".to_owned()),
            ("MemoryReal", call.get(Field::MaxRss).unwrap_or("0").to_owned()),
            ("ServiceLevelType", service_level_type.clone()),
            ("ServiceLevel", service_level.to_string()),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key, value?.to_owned())));
        let lines = always.into_iter().chain(known).chain(numbers).map(|(key, value)| format!("{key}: {value}\n"));
        Some(lines.collect::<String>() + "%%\n")
    }
}

/// `/vo/group/Role=name/Capability=NULL`: the group with its slash, and the role as `Role=name`.
fn group_and_role(fqan: &str) -> (Option<&str>, Option<&str>) {
    let Some((group, rest)) = fqan.split_once("/Role=") else { return (Some(fqan), None) };
    let role = rest.split('/').next().filter(|role| !role.is_empty() && *role != "NULL");
    let length = role.map(|role| role.len().saturating_add("Role=".len()));
    let from = group.len().saturating_add(1);
    (Some(group), length.and_then(|length| fqan.get(from..from.saturating_add(length))))
}

/// The records of calls that ended in the time asked for.
pub struct Apel<'f> {
    site: Site,
    calls: Waiting<'f>,
    begun: bool,
}

impl<'f> Apel<'f> {
    /// Nothing is written yet.
    pub fn new(site: Site, filter: &'f Filter) -> Self {
        Apel { site, calls: Waiting::new(filter, Counts::Ended), begun: false }
    }

    fn write(&mut self, call: &Call, answer: &mut Answer<'_>) -> Result<(), Error> {
        let Some(record) = self.site.record(call) else { return Ok(()) };
        if !std::mem::replace(&mut self.begun, true) {
            answer.text("APEL-individual-job-message: v0.3\n")?;
        }
        answer.text(&record)
    }
}

impl Question for Apel<'_> {
    fn columns(&self) -> Columns {
        Columns { headings: Vec::new(), names: Vec::new() }
    }

    fn start(&mut self, filter: &Filter, envelope: &Envelope<'_>, record: &Read<'_>) {
        self.calls.start(filter, envelope, record);
    }

    fn end(&mut self, envelope: &Envelope<'_>, record: &Read<'_>) {
        self.calls.end(envelope, record);
    }

    fn answer_some(&mut self, answer: &mut Answer<'_>) -> Result<(), Error> {
        while let Some(call) = self.calls.next_complete() {
            self.write(&call, answer)?;
        }
        Ok(())
    }

    fn answer_all(mut self: Box<Self>, answer: &mut Answer<'_>) -> Result<(), Error> {
        while let Some(call) = self.calls.next_of_all() {
            self.write(&call, answer)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_fqan_gives_group_and_role() {
        for (fqan, group, role) in [
            ("/vo", "/vo", None),
            ("/vo/prod/Role=NULL/Capability=NULL", "/vo/prod", None),
            ("/vo/Role=pilot", "/vo", Some("Role=pilot")),
            ("/vo/a/Role=production/Capability=NULL", "/vo/a", Some("Role=production")),
        ] {
            assert_eq!(group_and_role(fqan), (Some(group), role), "{fqan}");
        }
    }

    #[test]
    fn a_site_that_says_too_little_is_told_what() {
        let good = "site = \"EXAMPLE-LCG2\"\nservice_level_type = \"HEPscore23\"\nservice_level = 11.5\n";
        assert!(Site::parse(good).is_ok());
        for (bad, says) in [
            (good.replace("site = \"EXAMPLE-LCG2\"\n", ""), "site"),
            (good.replace("11.5", "0"), "above 0"),
            (good.replace("11.5", "nan"), "above 0"),
            (good.replace("EXAMPLE", "A\\nB"), "no name"),
            (format!("{good}siet = 1\n"), "siet"),
        ] {
            let error = Site::parse(&bad).unwrap_err();
            assert!(error.contains(says), "{says}: {error}");
        }
    }
}
