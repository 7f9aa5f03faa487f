//! DER, written by hand.

pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        n if n < 0x80 => out.push(u8::try_from(n).unwrap()),
        n if n < 0x100 => out.extend([0x81, u8::try_from(n).unwrap()]),
        n if n < 0x10000 => {
            out.push(0x82);
            out.extend(u16::try_from(n).unwrap().to_be_bytes());
        }
        n => {
            out.push(0x83);
            out.extend(&u32::try_from(n).unwrap().to_be_bytes()[1..]);
        }
    }
    out.extend_from_slice(value);
    out
}

pub fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn null() -> Vec<u8> {
    vec![5, 0]
}

pub fn boolean(octet: u8) -> Vec<u8> {
    tlv(0x01, &[octet])
}

pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

pub fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u32> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut out = Vec::new();
    for arc in [&[arcs[0] * 40 + arcs[1]], &arcs[2..]].concat() {
        let groups: Vec<u8> = (0..5).rev().map(|n| u8::try_from((arc >> (7 * n)) & 0x7f).unwrap()).collect();
        let first = groups.iter().position(|g| *g != 0).unwrap_or(4);
        out.extend(groups[first..4].iter().map(|g| g | 0x80));
        out.push(groups[4]);
    }
    tlv(0x06, &out)
}

/// Seconds since 1970 as YYYYMMDDhhmmss, by the days-to-civil algorithm.
fn digits(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// UTCTime up to 2049, GeneralizedTime from 2050.
pub fn time(seconds: i64) -> Vec<u8> {
    let digits = digits(seconds);
    match digits.strip_prefix("20").filter(|short| *short < "5") {
        Some(short) => tlv(0x17, format!("{short}Z").as_bytes()),
        None => tlv(0x18, format!("{digits}Z").as_bytes()),
    }
}

pub fn generalized(seconds: i64) -> Vec<u8> {
    tlv(0x18, format!("{}Z", digits(seconds)).as_bytes())
}

/// One attribute of a name: type, string tag, bytes.
pub fn attribute(kind: &str, tag: u8, value: &[u8]) -> Vec<u8> {
    let number = match kind {
        "CN" => "2.5.4.3",
        "C" => "2.5.4.6",
        "O" => "2.5.4.10",
        "OU" => "2.5.4.11",
        "DC" => "0.9.2342.19200300.100.1.25",
        "UID" => "0.9.2342.19200300.100.1.1",
        "emailAddress" => "1.2.840.113549.1.9.1",
        dotted => dotted,
    };
    seq(&[oid(number), tlv(tag, value)])
}

pub fn rdn(attributes: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &attributes.concat())
}

/// A name of single-valued RDNs from `/TYPE=value/…`; `//` stands for a slash inside a value.
pub fn name(text: &str) -> Vec<u8> {
    let mut rdns = Vec::new();
    for part in text.replace("//", "\0").split('/').skip(1) {
        let (kind, value) = part.split_once('=').unwrap();
        let tag = if matches!(kind, "DC" | "emailAddress") { 0x16 } else { 0x0c };
        rdns.push(rdn(&[attribute(kind, tag, value.replace('\0', "/").as_bytes())]));
    }
    seq(&rdns)
}

/// A name and one more common name.
pub fn extend(name: &[u8], common_name: &str) -> Vec<u8> {
    extend_by(name, &rdn(&[attribute("CN", 0x13, common_name.as_bytes())]))
}

pub fn extend_by(name: &[u8], rdn: &[u8]) -> Vec<u8> {
    tlv(0x30, &[content(name), rdn].concat())
}

pub fn content(der: &[u8]) -> &[u8] {
    match der[1] {
        n if n < 0x80 => &der[2..],
        n => &der[2 + usize::from(n & 0x7f)..],
    }
}
