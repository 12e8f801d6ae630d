//! A DNS message as dig prints it.

use std::fmt::{self, Write as _};

use domain::base::iana::Rtype;
use domain::base::message::RecordSection;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt as _};
use domain::base::{Message, ParsedRecord, ToName as _};
use domain::rdata::AllRecordData;

/// The columns in which dig begins TTL, class, type and data.
const COLUMNS: [usize; 4] = [24, 32, 40, 48];
/// The width of a tab.
const TAB: usize = 8;

/// A DNS message, the octets of which are parsed when it is printed; what does
/// not parse is said to be malformed.
#[derive(Clone, Copy, Debug)]
pub struct Dig<'m>(pub &'m [u8]);

impl fmt::Display for Dig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Message::from_slice(self.0) {
            Ok(message) => {
                write_header(f, message)?;
                write_opt(f, message)?;
                if write_sections(f, message)?.is_err() {
                    writeln!(f, "\n;; malformed from here on")?;
                }
            }
            Err(_) => writeln!(f, ";; shorter than a header")?,
        }
        writeln!(f, "\n;; MSG SIZE  rcvd: {}", self.0.len())
    }
}

fn write_header(f: &mut fmt::Formatter<'_>, message: &Message<[u8]>) -> fmt::Result {
    let header = message.header();
    let opcode = header.opcode();
    let rcode = message.opt_rcode();
    writeln!(
        f,
        ";; ->>HEADER<<- opcode: {}, status: {}, id: {}",
        opcode.to_mnemonic_str().unwrap_or("RESERVED"),
        rcode.to_mnemonic_str().unwrap_or("RESERVED"),
        header.id()
    )?;
    f.write_str(";; flags:")?;
    for (set, name) in [
        (header.qr(), "qr"),
        (header.aa(), "aa"),
        (header.tc(), "tc"),
        (header.rd(), "rd"),
        (header.ra(), "ra"),
        (header.ad(), "ad"),
        (header.cd(), "cd"),
    ] {
        if set {
            write!(f, " {name}")?;
        }
    }
    let counts = message.header_counts();
    writeln!(
        f,
        "; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}",
        counts.qdcount(),
        counts.ancount(),
        counts.nscount(),
        counts.arcount()
    )
}

fn write_opt(f: &mut fmt::Formatter<'_>, message: &Message<[u8]>) -> fmt::Result {
    let Some(opt) = message.opt() else {
        return Ok(());
    };
    let dnssec = if opt.dnssec_ok() { " do" } else { "" };
    writeln!(
        f,
        "\n;; OPT PSEUDOSECTION:\n; EDNS: version: {}, flags:{dnssec}; udp: {}",
        opt.version(),
        opt.udp_payload_size()
    )
}

/// A message that cannot be parsed any further.
struct Malformed;

/// Writes question and records as far as they parse.
fn write_sections(
    f: &mut fmt::Formatter<'_>,
    message: &Message<[u8]>,
) -> Result<Result<(), Malformed>, fmt::Error> {
    f.write_str("\n;; QUESTION SECTION:\n")?;
    for question in message.question() {
        let Ok(question) = question else {
            return Ok(Err(Malformed));
        };
        let name = format!(";{}", question.qname().fmt_with_dot());
        let fields = [
            "",
            &question.qclass().to_string(),
            &question.qtype().to_string(),
        ];
        writeln!(f, "{}", row(name, &fields))?;
    }
    let Ok((_, answer, authority, additional)) = message.sections() else {
        return Ok(Err(Malformed));
    };
    for (title, section) in [
        ("ANSWER", answer),
        ("AUTHORITY", authority),
        ("ADDITIONAL", additional),
    ] {
        if write_section(f, title, section)?.is_err() {
            return Ok(Err(Malformed));
        }
    }
    Ok(Ok(()))
}

/// Writes a section, if it holds anything but an OPT record.
fn write_section(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    section: RecordSection<'_, [u8]>,
) -> Result<Result<(), Malformed>, fmt::Error> {
    let mut empty = true;
    for record in section {
        let Ok(record) = record else {
            return Ok(Err(Malformed));
        };
        if record.rtype() == Rtype::OPT {
            continue;
        }
        if empty {
            writeln!(f, "\n;; {title} SECTION:")?;
            empty = false;
        }
        let Some(line) = record_row(&record) else {
            return Ok(Err(Malformed));
        };
        writeln!(f, "{line}")?;
    }
    Ok(Ok(()))
}

/// A record; `None` if its data are not what its type wants.
fn record_row(record: &ParsedRecord<'_, [u8]>) -> Option<String> {
    let parsed = record.to_any_record::<AllRecordData<_, _>>().ok()?;
    let data = match parsed.data() {
        AllRecordData::Rrsig(rrsig) => {
            // The library writes the times as numbers.
            let text = rrsig.display_zonefile(DisplayKind::Simple).to_string();
            let mut fields: Vec<String> = text.split(' ').map(String::from).collect();
            for (place, time) in [(4, rrsig.expiration()), (5, rrsig.inception())] {
                if let Some(field) = fields.get_mut(place) {
                    *field = time_text(time.into_int());
                }
            }
            fields.join(" ")
        }
        data => data.display_zonefile(DisplayKind::Simple).to_string(),
    };
    let fields = [
        &record.ttl().as_secs().to_string(),
        &record.class().to_string(),
        &record.rtype().to_string(),
        data.as_str(),
    ];
    Some(row(record.owner().fmt_with_dot().to_string(), &fields))
}

/// Fields in dig's columns, at least one tab apart.
fn row(mut line: String, fields: &[&str]) -> String {
    let mut width = line.len();
    for (field, column) in fields.iter().zip(COLUMNS) {
        loop {
            line.push('\t');
            width = (width / TAB + 1) * TAB;
            if width >= column {
                break;
            }
        }
        line.push_str(field);
        width += field.len();
    }
    line
}

/// Seconds since 1970 as RRSIG shows them (RFC 4034 section 3.2).
///
/// The number is taken modulo 2^32 from 1970, as dig does for times before
/// 2106.
fn time_text(seconds: u32) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut text = format!("{year:04}{month:02}{day:02}");
    write!(
        text,
        "{:02}{:02}{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
    .expect("a String takes everything");
    text
}

/// Year, month and day of a day counted from 1970-01-01.
fn date(mut days: u32) -> (u32, u32, u32) {
    let is_leap = |year: u32| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_date_prints_them() {
        for (seconds, text) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (951_868_799, "20000229235959"),
            (1_767_225_599, "20251231235959"),
            (1_767_225_600, "20260101000000"),
            (u32::MAX, "21060207062815"),
        ] {
            assert_eq!(time_text(seconds), text);
        }
    }

    #[test]
    fn a_message_in_digs_form() {
        let mut message = Vec::from(*b"\x12\x34\x82\0\0\x01\0\0\0\x01\0\x02");
        message.extend(b"\x01a\x04test\0\0\x01\0\x01");
        message.extend(b"\xc0\x0c\0\x02\0\x01\0\x01\x51\x80\0\x05\x02ns\xc0\x0c");
        message.extend(b"\xc0\x24\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
        message.extend(b"\0\0\x29\x04\xd0\0\0\x80\0\0\0");
        assert_eq!(
            Dig(&message).to_string(),
            ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 4660\n\
             ;; flags: qr tc; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 2\n\
             \n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags: do; udp: 1232\n\
             \n;; QUESTION SECTION:\n;a.test.\t\t\tIN\tA\n\
             \n;; AUTHORITY SECTION:\na.test.\t\t\t86400\tIN\tNS\tns.a.test.\n\
             \n;; ADDITIONAL SECTION:\nns.a.test.\t\t60\tIN\tA\t192.0.2.1\n\
             \n;; MSG SIZE  rcvd: 68\n"
        );
        let short = Dig(&message[..50]).to_string();
        assert!(
            short.contains("malformed") && short.contains("rcvd: 50"),
            "{short}"
        );
        assert!(
            Dig(&message[..5])
                .to_string()
                .contains("shorter than a header")
        );
    }
}
