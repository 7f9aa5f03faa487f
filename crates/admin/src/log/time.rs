//! Times in logs and on the command line: microseconds since 1970 UTC.

use time::{Date, Month, OffsetDateTime};

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;

/// A run of digits as a number, and what follows it.
fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())?.map(|number| (number, rest))
}

fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    Some(i64::from(date.to_julian_day()).saturating_sub(2_440_588))
}

fn of_day(days: i64, hours: i64, minutes: i64, seconds: i64) -> i64 {
    days.saturating_mul(24)
        .saturating_add(hours)
        .saturating_mul(60)
        .saturating_add(minutes)
        .saturating_mul(60)
        .saturating_add(seconds)
        .saturating_mul(SECOND)
}

fn clock(text: &str) -> Option<((i64, i64, i64), &str)> {
    let (hours, rest) = number(text, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (seconds, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2)?,
        None => (0, rest),
    };
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(((hours, minutes, seconds), rest))
}

/// A fraction of a second in microseconds, `.5` or `,5` (ISO 8601), and what follows it.
fn fraction(text: &str) -> (i64, &str) {
    let Some(digits) = text.strip_prefix(['.', ',']) else { return (0, text) };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let micros = digits.bytes().take(length).chain(std::iter::repeat(b'0')).take(6);
    let micros = micros.fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit & 15)));
    (micros, digits.get(length..).unwrap_or_default())
}

/// A date and a time of day, RFC 3339 or with a blank for the `T`; without a zone it is UTC.
pub fn of_text(text: &str) -> Option<i64> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let days = days(year, month, day)?;
    if rest.is_empty() {
        return Some(of_day(days, 0, 0, 0));
    }
    let ((hours, minutes, seconds), rest) = clock(rest.strip_prefix(['T', 't', ' '])?)?;
    let (micros, rest) = fraction(rest);
    let zone = match rest {
        "" | "Z" | "z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, rest) = number(zone.strip_prefix(['+', '-'])?, 2)?;
            let (minutes, rest) = number(rest.strip_prefix(':').unwrap_or(rest), 2)?;
            if !rest.is_empty() {
                return None;
            }
            of_day(0, hours, minutes, 0).saturating_mul(sign)
        }
    };
    Some(of_day(days, hours, minutes, seconds).saturating_add(micros).saturating_sub(zone))
}

/// A time on the command line: a date, a date with a time of day, `today`, `yesterday` (their beginnings in UTC), or how
/// long ago (`90s`, `2h`, `30d`).
pub fn of_argument(text: &str, now: i64) -> Result<i64, String> {
    let day = SECOND.saturating_mul(86_400);
    let today = now.saturating_sub(now.rem_euclid(day));
    match text {
        "today" => return Ok(today),
        "yesterday" => return Ok(today.saturating_sub(day)),
        _ => {}
    }
    let ago =
        || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds: i64 = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86400,
                _ => return None,
            };
            Some(now.saturating_sub(
                number.parse::<u32>().map(i64::from).ok()?.saturating_mul(seconds).saturating_mul(SECOND),
            ))
        };
    of_text(text).or_else(ago).ok_or_else(|| {
        format!("{text:?} is no time: 2026-11-22, 2026-11-22T16:41:00Z (UTC where no zone is named), yesterday, or 2h for two hours ago")
    })
}

/// The clock and zone of the machine that wrote a log in the traditional format, `Nov 22 16:41:00`.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: Option<tz::TimeZone>,
    /// No record is later than this; from it the year follows.
    latest: i64,
}

impl Zone {
    /// The zone of an /etc/localtime (UTC where there is none), for a log that was last written then.
    pub fn new(localtime: Option<&[u8]>, latest: i64) -> Self {
        let zone = localtime.and_then(|data| tz::TimeZone::from_tz_data(data).ok());
        Zone { zone, latest: latest.saturating_add(SECOND.saturating_mul(86400)) }
    }

    /// The same zone for another log.
    #[must_use]
    pub fn until(&self, latest: i64) -> Self {
        Zone { zone: self.zone.clone(), latest: latest.saturating_add(SECOND.saturating_mul(86400)) }
    }

    /// The time of a traditional stamp, which has no year and no zone, and what follows it.
    pub fn stamp<'a>(&self, text: &'a str) -> Option<(i64, &'a str)> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (name, rest) = text.split_at_checked(3)?;
        let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()?.saturating_add(1);
        let (day, rest) = rest.strip_prefix(' ')?.split_at_checked(2)?;
        let day: i64 = day.trim_start().parse().ok()?;
        let ((hours, minutes, seconds), rest) = clock(rest.strip_prefix(' ')?)?;
        let (micros, rest) = fraction(rest);
        let year = i64::from(OffsetDateTime::from_unix_timestamp(self.latest.div_euclid(SECOND)).ok()?.year());
        // 29 February may be up to eight years back.
        let local = (0..=8)
            .filter_map(|back| days(year.saturating_sub(back), month, day))
            .map(|days| self.utc(of_day(days, hours, minutes, seconds)).saturating_add(micros))
            .find(|time| *time <= self.latest)?;
        Some((local, rest))
    }

    fn utc(&self, local: i64) -> i64 {
        let offset = |at: i64| {
            let zone = self.zone.as_ref()?;
            let kind = zone.find_local_time_type(at.div_euclid(SECOND)).ok()?;
            Some(i64::from(kind.ut_offset()).saturating_mul(SECOND))
        };
        // The offset at about that time, then at that very time.
        let guess = local.saturating_sub(offset(local).unwrap_or(0));
        local.saturating_sub(offset(guess).unwrap_or(0))
    }
}

/// A time in UTC, ISO 8601, to the second.
pub fn shown(time: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(time.div_euclid(SECOND)) {
        Ok(at) => {
            let (year, month, day) = at.to_calendar_date();
            let (hour, minute, second) = at.to_hms();
            format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
        }
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Option<String> {
        of_text(text).map(shown)
    }

    #[test]
    fn stamps_of_rfc_3339_are_read_with_their_zone() {
        for text in
            ["2026-11-22T16:41:00Z", "2026-11-22T17:41:00.999999+01:00", "2026-11-22 16:41", "2026-11-22T11:11:00-0530"]
        {
            assert_eq!(micros(text).as_deref(), Some("2026-11-22T16:41:00Z"), "{text}");
        }
        assert_eq!(of_text("1970-01-01T00:00:00.000001Z"), Some(1));
        for bad in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-11-22T",
            "2026-11-22T25:00",
            "2026-11-22T16:41:00 x",
            "2026-11-22T16:41:00+1",
        ] {
            assert_eq!(of_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn how_long_ago_counts_from_now() {
        let now = of_text("2026-11-22T16:41:00Z").unwrap();
        assert_eq!(shown(of_argument("2h", now).unwrap()), "2026-11-22T14:41:00Z");
        assert_eq!(shown(of_argument("30d", now).unwrap()), "2026-10-23T16:41:00Z");
        assert_eq!(shown(of_argument("today", now).unwrap()), "2026-11-22T00:00:00Z");
        assert_eq!(shown(of_argument("yesterday", now).unwrap()), "2026-11-21T00:00:00Z");
        for bad in ["", "h", "-2h", "2w", "tomorrow"] {
            assert!(of_argument(bad, now).unwrap_err().contains("is no time"), "{bad}");
        }
    }

    #[test]
    fn traditional_stamps_get_the_year_that_fits_and_the_zone_of_the_machine() {
        let zone = Zone::new(None, of_text("2026-01-05").unwrap());
        let read = |text| zone.stamp(text).map(|(time, rest)| (shown(time), rest));
        assert_eq!(read("Jan  5 01:02:03 host"), Some(("2026-01-05T01:02:03Z".to_owned(), " host")));
        assert_eq!(read("Dec 31 23:59:59"), Some(("2025-12-31T23:59:59Z".to_owned(), "")));
        assert_eq!(read("Feb 29 00:00:00"), Some(("2024-02-29T00:00:00Z".to_owned(), "")));
        assert_eq!(read("Foo 29 00:00:00"), None);
        let Ok(berlin) = glexec_sys_more::plain::read_bytes("/usr/share/zoneinfo/Europe/Berlin".as_ref(), 1 << 20)
        else {
            return;
        };
        let zone = Zone::new(Some(&berlin), of_text("2026-12-31").unwrap());
        let read = |text| zone.stamp(text).map(|(time, _)| shown(time)).unwrap();
        assert_eq!(read("Nov 22 16:41:00"), "2026-11-22T15:41:00Z");
        assert_eq!(read("Jul  1 16:41:00"), "2026-07-01T14:41:00Z");
    }
}
