//! Tests of reading whole texts.

use domain::base::iana::Rtype;
use proptest::prelude::*;

use super::*;
use crate::zone::records::Denial;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a valid name")
}

fn read(text: &[u8]) -> Result<Zone, ZoneErrors> {
    read_text(&name("example."), Path::new("test.zone"), text)
}

fn good(text: &str) -> Zone {
    match read(text.as_bytes()) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    }
}

/// The first record of that owner and type, with its TTL.
fn record(zone: &Zone, owner: &str, rtype: Rtype) -> (u32, Vec<u8>) {
    let node = zone.find(name(owner).for_slice()).expect("the owner");
    let rrset = node.rrset(rtype).expect("the RRset");
    (
        rrset.ttl(),
        rrset.records().next().expect("a record").to_vec(),
    )
}

#[test]
fn forms_of_entries() {
    let zone = good(
        "$TTL 1h30m\n\
         @ IN SOA ns1 host.example. ( 1 ; serial\n 2 3 4\n 5 )\n\
         \x20 NS ns1\n\
         ns1 60 IN A 192.0.2.1\n\
         ns2 IN 61 A 192.0.2.2\n\
         ns3 62 A 192.0.2.3\n\
         ns4 in a 192.0.2.4\n\
         \tTYPE65280 \\# 3 01 0203\n\
         \tCLASS1 TYPE28 \\# 16 20010db8000000000000000000000001\n\
         $ORIGIN sub.example.\n\
         x TXT \"a b\" c\\100e \"\"\n\
         $origin Deep\n\
         @ MX 10 x\n",
    );
    assert_eq!(record(&zone, "example.", Rtype::NS).0, 5400);
    assert_eq!(
        record(&zone, "ns1.example.", Rtype::A),
        (60, vec![192, 0, 2, 1])
    );
    assert_eq!(record(&zone, "ns2.example.", Rtype::A).0, 61);
    assert_eq!(record(&zone, "ns3.example.", Rtype::A).0, 62);
    assert_eq!(record(&zone, "ns4.example.", Rtype::A).0, 5400);
    assert_eq!(
        record(&zone, "ns4.example.", Rtype::from_int(65280)).1,
        [1, 2, 3]
    );
    assert_eq!(record(&zone, "ns4.example.", Rtype::AAAA).1.len(), 16);
    assert_eq!(
        record(&zone, "x.sub.example.", Rtype::TXT).1,
        b"\x03a b\x03cde\0"
    );
    assert_eq!(
        record(&zone, "deep.sub.example.", Rtype::MX).1,
        b"\0\x0a\x01x\x04Deep\x03sub\x07example\0"
    );
    assert_eq!(zone.serial(), 1);
    assert_eq!(zone.denial(), Denial::Unsigned);
}

#[test]
fn ttls_without_a_directive() {
    let zone = good("@ SOA n h 1 2 3 4 77\n@ NS n\na 5 A 192.0.2.1\nb A 192.0.2.1\n");
    assert_eq!(zone.soa().ttl(), 77);
    assert_eq!(record(&zone, "example.", Rtype::NS).0, 77);
    assert_eq!(record(&zone, "b.example.", Rtype::A).0, 5);
}

#[test]
fn ttl_units() {
    let ttl = |text: &str| {
        let zone = read(format!("$TTL {text}\n@ SOA n h 1 2 3 4 5\n@ NS n\n").as_bytes());
        zone.ok().map(|zone| zone.soa().ttl())
    };
    assert_eq!(ttl("0"), Some(0));
    assert_eq!(
        ttl("1w2D3h4M5s"),
        Some(604_800 + 2 * 86_400 + 3 * 3600 + 4 * 60 + 5)
    );
    assert_eq!(ttl("1h30"), Some(3630));
    assert_eq!(ttl("2147483647"), Some(2_147_483_647));
    for bad in [
        "2147483648",
        "99999999999999999999999999w",
        "h",
        "1hh",
        "-1",
        "1.5",
        "\"\"",
    ] {
        assert_eq!(ttl(bad), None, "{bad}");
    }
}

#[test]
fn svcb_parameters_in_quotes() {
    let zone = good(
        "@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\n\
         a 60 SVCB 1 . alpn=\"h2,h3\" port=53 ipv4hint=192.0.2.1\n",
    );
    let (_, rdata) = record(&zone, "a.example.", Rtype::SVCB);
    assert!(rdata.starts_with(b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\0\x35"));
}

#[test]
fn soa_with_units_and_without_names_of_its_own() {
    let zone = good("@ 60 SOA @ . ( 4294967295 2h 15m 2w 1h )\n@ 60 NS n\n");
    let (_, rdata) = record(&zone, "example.", Rtype::SOA);
    let words: Vec<_> = rdata[10..]
        .chunks(4)
        .map(|w| u32::from_be_bytes(w.try_into().expect("4")))
        .collect();
    assert_eq!(words, [u32::MAX, 7200, 900, 1_209_600, 3600]);
    assert_eq!(zone.negative_ttl(), 60);
    for bad in [
        "@ . 1h 2 3 4 5",
        "@ . 1 2 3 4",
        "@ . 1 2 3 4 9999999999",
        "@ . 1 2 3 4 5 6",
    ] {
        assert!(
            read(format!("@ 60 SOA {bad}\n@ 60 NS n\n").as_bytes()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn axfr_form_and_line_ends_of_other_systems() {
    let soa = "example.\t60\tIN\tSOA\tn. h. 1 2 3 4 5\r\n";
    let zone = good(&format!("{soa}example. 60 IN NS n.\r\n{soa}"));
    assert_eq!(zone.record_count(), 2);
}

#[test]
fn octets_beyond_ascii_stand_for_themselves() {
    let text = b"@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\n\xe9 60 TXT \xff \"\xc3\xa9\"\n";
    let zone = read(text).expect("a zone");
    let (_, rdata) = record(&zone, "\\233.example.", Rtype::TXT);
    assert_eq!(rdata, b"\x01\xff\x02\xc3\xa9");
}

#[test]
fn what_an_include_sets_ends_with_it() {
    let folder = std::env::temp_dir().join(format!("dns-glue-include-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("parts")).expect("a folder");
    let main = folder.join("main.zone");
    std::fs::write(
        &main,
        "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\nlast A 192.0.2.1\n\
         $INCLUDE parts/one.zone\n\tTXT after\n$INCLUDE \"parts/one.zone\" other\nz A 192.0.2.9\n",
    )
    .expect("written");
    std::fs::write(
        folder.join("parts/one.zone"),
        "in A 192.0.2.2\n$INCLUDE two.zone\n",
    )
    .expect("written");
    std::fs::write(
        folder.join("parts/two.zone"),
        "$TTL 9\n$ORIGIN deep\n@ A 192.0.2.3\n",
    )
    .expect("written");
    let zone = read_file(&name("example."), &main).expect("a zone");
    std::fs::remove_dir_all(&folder).expect("removed");
    let owners: Vec<_> = zone.nodes().map(|node| node.name().to_string()).collect();
    assert_eq!(
        owners,
        [
            "example",
            "deep.example",
            "in.example",
            "last.example",
            "deep.other.example",
            "in.other.example",
            "z.example"
        ]
    );
    assert_eq!(record(&zone, "last.example.", Rtype::TXT).0, 60);
    assert_eq!(record(&zone, "deep.example.", Rtype::A).0, 9);
}

/// Words of master files, so that random texts get far into the grammar.
pub(super) fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "@",
        "a",
        "b.example.",
        ".",
        "IN",
        "CH",
        "60",
        "1h",
        "A",
        "NS",
        "SOA",
        "DS",
        "RRSIG",
        "NSEC",
        "NSEC3",
        "NSEC3PARAM",
        "DNSKEY",
        "TXT",
        "SVCB",
        "HTTPS",
        "CAA",
        "NAPTR",
        "TYPE1",
        "TYPE65535",
        "IPSECKEY",
        "SSHFP",
        "TLSA",
        "OPENPGPKEY",
        "ZONEMD",
        "CDS",
        "HINFO",
        "\\#",
        "4",
        "c0000201",
        "192.0.2.1",
        "2001:db8::1",
        "20260101000000",
        "99999999999999",
        "alpn=\"h2\"",
        "key65535=",
        "mandatory=alpn",
        "\"",
        "(",
        ")",
        ";",
        "\\",
        "\\065",
        "\\256",
        "$ORIGIN",
        "$TTL",
        "$INCLUDE",
        "AAAA",
        "AQAB",
        "ZZZ=",
        "\u{e9}",
        "\u{0}",
        "-",
        "\n",
        "\n",
        "\n",
        " ",
        " ",
        "\t",
        "\r\n",
        "*",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let octets = prop::collection::vec(any::<u8>(), 0..4);
    let piece = prop_oneof![9 => word, 1 => octets];
    let piece = (piece, prop::bool::weighted(0.7)).prop_map(|(mut piece, space)| {
        if space {
            piece.push(b' ');
        }
        piece
    });
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Record types with random words as their data: what the data parsers of
/// all types make of anything at all.
pub(super) fn any_record() -> impl Strategy<Value = Vec<u8>> {
    (any_text(), 0..300_u16).prop_map(|(text, rtype)| {
        let mut record = format!("a 60 {} ", Rtype::from_int(rtype)).into_bytes();
        record.extend(
            text.into_iter()
                .map(|octet| if octet == b'\n' { b' ' } else { octet }),
        );
        record
    })
}

fn check_places(text: &[u8], errors: &ZoneErrors) -> Result<(), TestCaseError> {
    prop_assert!(!errors.is_empty());
    let lines: Vec<_> = text.split(|octet| *octet == b'\n').collect();
    for error in errors.errors() {
        if error.position.file != 0 {
            continue;
        }
        let line = error.position.line as usize;
        prop_assert!((1..=lines.len()).contains(&line), "{errors}");
        let columns = lines[line - 1].len() + 1;
        prop_assert!(
            (1..=columns).contains(&usize::from(error.position.column)),
            "{errors}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_a_zone_or_has_errors_at_places(text in any_text()) {
        if let Err(errors) = read(&text) {
            check_places(&text, &errors)?;
        }
    }

    #[test]
    fn any_data_of_any_type_is_taken_or_refused(record in any_record()) {
        let mut text = b"@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\n".to_vec();
        text.extend(record);
        match read(&text) {
            Ok(zone) => prop_assert!(zone.record_count() >= 2),
            Err(errors) => check_places(&text, &errors)?,
        }
    }
}

/// A device may go on for ever.
#[test]
fn what_is_neither_file_nor_pipe_is_refused() {
    let apex = Name::vec_from_str("test.").expect("a name");
    for (path, why) in [
        ("/dev/zero", "neither a file nor a pipe"),
        ("/dev", "is a directory"),
    ] {
        let errors = read_file(&apex, Path::new(path)).expect_err("refused");
        assert!(errors.to_string().contains(why), "{errors}");
    }
}

/// To open a pipe does not wait for one who writes, and to read it not for
/// ever.
#[test]
fn pipes_are_read_while_somebody_writes() {
    let folder = std::env::temp_dir().join(format!("dns-glue-pipe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("pipe");
    let status = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(status.expect("mkfifo is there").success());
    let text = Text::open(&path).expect("opened at once");
    drop(text);
    let to = path.clone();
    let writer = std::thread::spawn(move || {
        let text = "$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\na NS ns.void.\n";
        std::fs::write(to, text)
    });
    let apex = Name::vec_from_str("test.").expect("a name");
    let zone = read_file(&apex, &path);
    writer.join().expect("a thread").expect("written");
    std::fs::remove_dir_all(&folder).expect("the folder");
    assert_eq!(
        zone.map(|zone| zone.serial())
            .map_err(|errors| errors.to_string()),
        Ok(1)
    );
}
