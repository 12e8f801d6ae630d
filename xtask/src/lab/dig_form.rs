//! An answer as dig prints it.

use std::fmt::{self, Display, Write as _};

use anyhow::{Context as _, Result};
use domain::{
    base::{
        Message, RecordSection, Rtype,
        name::ToName as _,
        zonefile_fmt::{DisplayKind, ZonefileFmt as _},
    },
    rdata::AllRecordData,
};

/// The answer's text, up to the last record.
///
/// # Errors
/// When a section cannot be read.
pub fn text(reply: &Message<Vec<u8>>) -> Result<String> {
    let mut text = String::new();
    head(reply, &mut text)?;
    let (question, answer, authority, additional) =
        reply.sections().context("read the sections of the reply")?;
    line(&mut text, ";; QUESTION SECTION:")?;
    for asked in question {
        let asked = asked.context("read the question")?;
        let name = asked.qname().fmt_with_dot();
        line(
            &mut text,
            format_args!(";{name} {} {}", asked.qclass(), asked.qtype()),
        )?;
    }
    for (title, records) in [
        ("ANSWER", answer),
        ("AUTHORITY", authority),
        ("ADDITIONAL", additional),
    ] {
        section(title, records, &mut text).with_context(|| format!("read section {title}"))?;
    }
    Ok(text)
}

fn head(reply: &Message<Vec<u8>>, text: &mut String) -> fmt::Result {
    let header = reply.header();
    let counts = reply.header_counts();
    let flags = [
        (header.qr(), " qr"),
        (header.aa(), " aa"),
        (header.tc(), " tc"),
        (header.rd(), " rd"),
        (header.ra(), " ra"),
        (header.ad(), " ad"),
        (header.cd(), " cd"),
    ];
    let flags: String = flags
        .iter()
        .filter_map(|(is_set, name)| is_set.then_some(*name))
        .collect();
    line(
        text,
        format_args!(
            ";; ->>HEADER<<- opcode: {}, status: {}, id: {}",
            header.opcode().display_zonefile(DisplayKind::Simple),
            reply.opt_rcode(),
            header.id()
        ),
    )?;
    line(
        text,
        format_args!(
            ";; flags:{flags}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n",
            counts.qdcount(),
            counts.ancount(),
            counts.nscount(),
            counts.arcount()
        ),
    )?;
    let Some(opt) = reply.opt() else {
        return Ok(());
    };
    let dnssec = if opt.dnssec_ok() { " do" } else { "" };
    line(text, ";; OPT PSEUDOSECTION:")?;
    line(
        text,
        format_args!(
            "; EDNS: version: {}, flags:{dnssec}; udp: {}",
            opt.version(),
            opt.udp_payload_size()
        ),
    )
}

fn section(title: &str, records: RecordSection<'_, Vec<u8>>, text: &mut String) -> Result<()> {
    let mut is_first = true;
    for record in records {
        let record = record?;
        // Shown above.
        if record.rtype() == Rtype::OPT {
            continue;
        }
        if is_first {
            line(text, format_args!("\n;; {title} SECTION:"))?;
            is_first = false;
        }
        let record = record.to_any_record::<AllRecordData<_, _>>()?;
        line(text, record.display_zonefile(DisplayKind::Simple))?;
    }
    Ok(())
}

fn line(text: &mut String, line: impl Display) -> fmt::Result {
    writeln!(text, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::{MessageBuilder, Name, Ttl, iana::Class};
    use domain::rdata::A;

    #[test]
    fn an_answer_reads_as_dig_prints_it() {
        let name: Name<Vec<u8>> = "www.example.".parse().expect("a name");
        let mut message = MessageBuilder::new_vec();
        message.header_mut().set_id(7);
        message.header_mut().set_qr(true);
        message.header_mut().set_tc(true);
        let mut message = message.question();
        message.push((&name, Rtype::A)).expect("room");
        let mut message = message.answer();
        let address = A::from_octets(192, 0, 2, 1);
        message
            .push((&name, Class::IN, Ttl::from_secs(60), address))
            .expect("room");
        let mut message = message.additional();
        message
            .opt(|opt| {
                opt.set_udp_payload_size(1232);
                opt.set_dnssec_ok(true);
                Ok(())
            })
            .expect("room");
        let expected = "\
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7
;; flags: qr tc; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags: do; udp: 1232
;; QUESTION SECTION:
;www.example. IN A

;; ANSWER SECTION:
www.example. 60 IN A 192.0.2.1
";
        assert_eq!(text(&message.into_message()).expect("text"), expected);
    }
}
