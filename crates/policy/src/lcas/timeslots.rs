//! `timeslots`: when anybody may run here.
//!
//! A line is a slot: minutes, hours, days of the month, months, years and days of the week (0 is Sunday), each `*`, `n`,
//! `n-m` or `n-` (to the end). The time of day runs from the first hour and minute to the last, the date from the first
//! day to the last, both ends included; times of day and days of the week may wrap (`22-6`, `5-1`). `#` starts a comment.
//! One slot must have the present time. The clock is the site's: the zone of /etc/localtime, UTC where there is none. A
//! malformed line refuses: a short file that decides for everybody is better fixed than guessed at.

use super::context::{Context, malformed};
use crate::files::map_file::BYTE_ORDER_MARK;
use glexec_core::file_error::FileError;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::values::AbsolutePath;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use time::{OffsetDateTime, UtcOffset};

/// The site's time zone.
const ZONE: &str = "/etc/localtime";

/// What each field may be.
const FIELDS: [(&str, RangeInclusive<u32>); 6] = [
    ("minutes", 0..=59),
    ("hours", 0..=24),
    ("days of the month", 1..=31),
    ("months", 1..=12),
    ("years", 0..=9999),
    ("days of the week", 0..=6),
];

/// Refuses at a time that is in no slot.
pub(super) fn judge(path: &AbsolutePath, context: &Context<'_>) -> Outcome<()> {
    let bytes = context.read(path)?;
    let slots = slots(&bytes).map_err(|why| malformed(path, &why))?;
    let zone = AbsolutePath::try_from(PathBuf::from(ZONE)).map_err(|why| malformed(path, &why))?;
    let zone = match context.files.read(&zone) {
        Ok(bytes) => Some(bytes),
        Err(FileError::Missing(_)) => None,
        Err(error) => return Err(malformed(path, &error.to_string())),
    };
    let now = local(context.call.now, zone.as_deref()).map_err(|why| malformed(path, &format!("{ZONE}: {why}")))?;
    if slots.iter().any(|slot| slot.has(now)) {
        return Ok(());
    }
    Err(Refusal::new(Reason::LcasTimeslots, "the site lets nobody run at this time")
        .detail(format!("{} has no slot for {now}", path.as_path().display())))
}

/// The present time on the site's clock.
fn local(now: i64, zone: Option<&[u8]>) -> Result<OffsetDateTime, String> {
    let offset = match zone {
        None => 0,
        Some(bytes) => {
            let zone = tz::TimeZone::from_tz_data(bytes).map_err(|e| e.to_string())?;
            zone.find_local_time_type(now).map_err(|e| e.to_string())?.ut_offset()
        }
    };
    let offset = UtcOffset::from_whole_seconds(offset).map_err(|e| e.to_string())?;
    Ok(OffsetDateTime::from_unix_timestamp(now).map_err(|e| e.to_string())?.to_offset(offset))
}

/// First and last of a field.
type Span = (u32, u32);

#[derive(Debug, PartialEq, Eq)]
struct Slot {
    /// Hours and minutes.
    time: ((u32, u32), (u32, u32)),
    /// Years, months and days.
    date: ((u32, u32, u32), (u32, u32, u32)),
    weekdays: Span,
}

impl Slot {
    fn has(&self, now: OffsetDateTime) -> bool {
        let time = (u32::from(now.hour()), u32::from(now.minute()));
        let year = u32::try_from(now.year()).unwrap_or(0);
        let date = (year, u32::from(u8::from(now.month())), u32::from(now.day()));
        let weekday = u32::from(now.weekday().number_days_from_sunday());
        within(time, self.time) && self.date.0 <= date && date <= self.date.1 && within(weekday, self.weekdays)
    }
}

/// Whether a value lies between two, which wrap where the first is the larger.
fn within<T: PartialOrd>(value: T, (first, last): (T, T)) -> bool {
    match first <= last {
        true => first <= value && value <= last,
        false => first <= value || value <= last,
    }
}

/// Why a file cannot be understood.
pub(super) fn fault(bytes: &[u8]) -> Option<String> {
    slots(bytes).err()
}

fn slots(bytes: &[u8]) -> Result<Vec<Slot>, String> {
    // Comments were written in all encodings; what is no text in a slot is no number either.
    let text = String::from_utf8_lossy(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes));
    let mut slots = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            slots.push(slot(line).map_err(|why| format!("line {number}: {why}"))?);
        }
    }
    Ok(slots)
}

fn slot(line: &str) -> Result<Slot, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if words.len() != FIELDS.len() {
        return Err(format!("{} fields instead of {}", words.len(), FIELDS.len()));
    }
    let fields = words.iter().zip(&FIELDS).map(|(word, (what, range))| {
        span(word, range).ok_or_else(|| format!("{word:?} says no {what} (from {} to {})", range.start(), range.end()))
    });
    let fields: Vec<Span> = fields.collect::<Result<_, _>>()?;
    let [minutes, hours, days, months, years, weekdays] = fields[..] else {
        return Err("not six fields".to_owned());
    };
    let date = ((years.0, months.0, days.0), (years.1, months.1, days.1));
    if date.0 > date.1 {
        return Err("the last day is before the first".to_owned());
    }
    Ok(Slot { time: ((hours.0, minutes.0), (hours.1, minutes.1)), date, weekdays })
}

/// `*`, `n`, `n-m` or `n-`.
fn span(word: &str, range: &RangeInclusive<u32>) -> Option<Span> {
    let number = |text: &str| {
        let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|number| digits && range.contains(number))
    };
    match word.split_once('-') {
        None if word == "*" => Some((*range.start(), *range.end())),
        None => number(word).map(|number| (number, number)),
        Some((first, "")) => Some((number(first)?, *range.end())),
        Some((first, last)) => Some((number(first)?, number(last)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sunday 22 November 2026, 16:45 UTC.
    const SUNDAY: i64 = 1_795_365_900;

    fn open(line: &str, now: i64) -> bool {
        let now = local(now, None).unwrap();
        slots(line.as_bytes()).unwrap().iter().any(|slot| slot.has(now))
    }

    #[test]
    fn slots_have_the_times_that_they_say() {
        assert_eq!(local(SUNDAY, None).unwrap().to_string(), "2026-11-22 16:45:00.0 +00:00:00");
        let table = [
            ("* * * * * *", true),
            ("", false),
            ("# nothing\n", false),
            ("0-59 8-18 * * * 1-5", false),             // working hours
            ("0-59 8-18 * * * 1-5\n* * * * * 0", true), // and Sundays
            ("* * * * * 5-3", true),                    // Friday to Wednesday
            ("* * * * * 4-6", false),
            ("* * * * * 0", true),
            ("46- 16 * * * *", false),
            ("45- 16 * * * *", true),
            ("0-45 16-16 * * * *", true),
            ("0-44 16-16 * * * *", false),
            ("0-0 16-17 * * * *", true),    // from 16:00 to 17:00
            ("50-10 16-17 * * * *", false), // from 16:50 to 17:10
            ("0-0 22-6 * * * *", false),    // the night
            ("0-0 16-6 * * * *", true),
            ("0-0 17-6 * * * *", false),
            ("* 18-24 * * * *", false),
            ("* 0-24 * * * *", true),
            ("* * 20-31 11 2026 *", true),
            ("* * 22 11 2026 *", true),
            ("* * 23- 11 2026 *", false),
            ("* * 1-1 11-12 2026 *", true),      // from 1 November to 1 December
            ("* * 25-1 10-1 2026-2027 *", true), // from 25 October 2026 to 1 January 2027
            ("* * * * 2027- *", false),
        ];
        for (line, expected) in table {
            assert_eq!(open(line, SUNDAY), expected, "{line}");
        }
    }

    #[test]
    fn only_what_a_slot_says_must_be_understood() {
        let open = |bytes: &[u8]| slots(bytes).map(|slots| slots.len());
        assert_eq!(open(b"\xef\xbb\xbf# la journ\xe9e\n* 8-18 * * * * # ferm\xe9 la nuit\r\n"), Ok(1));
        assert!(open(b"# a\n* 8-18 * * * \xe9\n").unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn malformed_lines_have_a_number() {
        for bad in [
            "* * * * *",
            "* * * * * * *",
            "60 * * * * *",
            "* 25 * * * *",
            "* * 0 * * *",
            "* * * * * 7",
            "a * * * * *",
            "+1 * * * * *",
            "1-2-3 * * * * *",
            "* * 5-3 1 2026 *",
            "* * * * 20266 *",
            "- * * * * *",
            "* * * * -2027 *",
        ] {
            let error = slots(format!("# first\n{bad}\n").as_bytes()).unwrap_err();
            assert!(error.starts_with("line 2: "), "{bad}: {error}");
        }
    }

    #[test]
    fn the_clock_is_the_zones_summer_and_winter() {
        // Europe/Amsterdam as a file that has nothing but its rule for ever (RFC 9636 section 3).
        let block = |version: u8| {
            let mut bytes = b"TZif".to_vec();
            bytes.push(version);
            bytes.extend([0; 15]);
            for count in [0_u32, 0, 0, 0, 1, 4] {
                bytes.extend(count.to_be_bytes());
            }
            bytes.extend(3600_i32.to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(b"CET\0");
            bytes
        };
        let zone = [block(b'2'), block(b'2'), b"\nCET-1CEST,M3.5.0,M10.5.0/3\n".to_vec()].concat();
        assert_eq!(local(SUNDAY, Some(&zone)).unwrap().hour(), 17);
        let summer = SUNDAY - 120 * 86400;
        assert_eq!(local(summer, Some(&zone)).unwrap().hour(), 18);
        assert!(local(SUNDAY, Some(b"nonsense")).is_err());
    }
}
