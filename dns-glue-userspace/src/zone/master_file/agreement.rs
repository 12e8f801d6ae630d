//! Tests that a text is read to the same end in pieces as in one, and in the
//! usual way as in all ways.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::tests::{any_record, any_text};
use super::*;

/// How to read.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// From the start to the end, every entry as if it were an unusual one.
    General,
    /// In pieces of so many octets.
    Pieces(usize),
}

/// All that a zone holds, or all that is wrong with the text.
fn read(path: &Path, text: &[u8], way: Way) -> Result<String, String> {
    let apex = Name::vec_from_str("example.").expect("a name");
    let mut reader = Reader::new(&apex, path);
    let size = match way {
        Way::General => {
            reader.is_general = true;
            usize::MAX
        }
        Way::Pieces(size) => size,
    };
    Pieces::begin(text, size)
        .and_then(|mut pieces| reader.read_pieces(&mut pieces, State::of_zone(&apex)))
        .expect("octets in memory can be read");
    let pushed = reader.builder.len();
    match reader.finish() {
        Ok(zone) => Ok(format!("{pushed} pushed\n{}", shown(&zone))),
        Err(errors) => Err(errors.to_string()),
    }
}

/// Everything that a zone says of itself.
fn shown(zone: &Zone) -> String {
    let mut shown = String::new();
    let (count, denial) = (zone.record_count(), zone.denial());
    writeln!(shown, "{count} {denial:?} {}", zone.holds_deleg()).expect("a string");
    for node in zone.nodes() {
        writeln!(shown, "{:?}", node.name().as_slice()).expect("a string");
        for rrset in node.rrsets() {
            let records: Vec<_> = rrset.records().collect();
            let signatures: Vec<_> = rrset.signatures().collect();
            let ttls = (rrset.ttl(), rrset.signature_ttl(), rrset.ttl_mismatch());
            let rtype = rrset.rtype();
            writeln!(shown, "  {rtype} {ttls:?} {records:?} {signatures:?}").expect("a string");
        }
        let strays: Vec<_> = node.stray_signatures().collect();
        writeln!(shown, "  {strays:?}").expect("a string");
    }
    shown
}

/// Fails unless all ways come to the same.
fn check(path: &Path, text: &[u8], size: usize) -> Result<(), TestCaseError> {
    let general = read(path, text, Way::General);
    for way in [Way::Pieces(usize::MAX), Way::Pieces(size)] {
        let found = read(path, text, way);
        let text = String::from_utf8_lossy(text);
        prop_assert_eq!(&found, &general, "{:?} of\n{}", way, text);
    }
    Ok(())
}

/// Owners, in several forms; none is the owner of the record before.
fn owner() -> impl Strategy<Value = String> {
    let owners = [
        "@",
        "a",
        "b",
        "b.example.",
        "B",
        "c.b",
        "example.",
        "*",
        "",
        "",
        "",
        "z.",
        "\\097",
        "a..b",
        "\"a\"",
        "-a_/",
    ];
    prop::sample::select(owners.to_vec()).prop_map(str::to_owned)
}

/// TTL and class.
fn before_type() -> impl Strategy<Value = &'static str> {
    let heads = [
        "",
        "",
        "",
        "60 ",
        "60 IN ",
        "IN ",
        "IN 61 ",
        "in ",
        "1h ",
        "2147483648 ",
        "007 ",
        "60 60 ",
        "IN IN ",
        "CH ",
    ];
    prop::sample::select(heads.to_vec())
}

/// Types and data, in several forms of each, some of them faulty.
fn data() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "NS ns.a",
        "NS ns1.provider.void.",
        "NS ns2.provider.void.",
        "NS NS1.Provider.void.",
        "NS @",
        "NS .",
        "NS ( ns )",
        "NS ns ns",
        "NS",
        "ns n",
        "NS \\110",
        "NS n\\.s",
        "A 192.0.2.1",
        "A 192.0.2.2 ; comment ( \"",
        "A 192.0.2.01",
        "A 192.0.2",
        "TYPE1 \\# 4 c0000203",
        "AAAA 2001:db8::1",
        "AAAA ::ffff:192.0.2.1",
        "AAAA 2001:db8::g",
        "CNAME a",
        "CNAME A",
        "CNAME b",
        "DNAME a",
        "PTR a.b.",
        "SOA n h 1 2 3 4 5",
        "SOA n h 1 2 3 4 6",
        "TXT \"a ( b\" c",
        "TXT \"a",
        "DS 1 8 2 0123456789abcdefABCDEF",
        "DS 1 8 2 0123 4567",
        "DS 1 8 2 012",
        "DS 1 256 2 0123",
        "DS 01 RSASHA256 2 01",
        "DNSKEY 257 3 13 AAAA",
        "RRSIG NS 13 2 60 20300101000000 20260101000000 1 example. AAAA BBBB",
        "RRSIG NS 13 2 60 ( 20300101000000\n\t20260101000000 1 example.\n  AAA= ) ; end",
        "RRSIG SOA 13 2 60 1893456000 1767225600 1 @ AA==",
        "RRSIG A 13 2 60 20300229000000 20260101000000 1 example. AAAA",
        "RRSIG TYPE65280 13 2 60 20280229235959 19700101000000 1 example. AAAA",
        "RRSIG NS 13 2 4294967295 4294967295 0 1 example. AA= =",
        "RRSIG NS 13 2 60 20300101000000 20260101000000 1 example. AAB=",
        "RRSIG NS 13 2 60 20300101000000 20260101000000 1 example. AA==AAAA",
        "NSEC b NS RRSIG NSEC",
        "NSEC b TYPE65280 A A a",
        "NSEC b",
        "NSEC3 1 1 0 - 0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM NS DS",
        "NSEC3 1 0 10 aAbB (\n 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom\nA )",
        "NSEC3 1 0 10 aab 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A",
        "NSEC3 1 0 10 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tow A",
        "NSEC3 1 0 10 - 0p9 A",
        "NSEC3PARAM 1 0 0 -",
        "TYPE61440 \\# 1 00",
        "ANY x",
        "A",
        "",
    ])
}

/// An entry, mostly a record.
fn entry() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec![" ", "\t", "  ", "\t\t", " ( ", " (\n"]);
    let end = prop::sample::select(vec![
        "\n", "\n", "\n", "\r\n", " ; c\n", " )\n", "", " \\\n",
    ]);
    let record = (owner(), space, before_type(), data(), end)
        .prop_map(|(owner, space, head, data, end)| format!("{owner}{space}{head}{data}{end}"));
    let other = prop::sample::select(vec![
        "$TTL 70\n",
        "$TTL 1h\n",
        "$TTL\n",
        "$ORIGIN b\n",
        "$ORIGIN example.\n",
        "$ORIGIN example.\n",
        "$INCLUDE part.zone\n",
        "$INCLUDE part.zone b\n",
        "$INCLUDE none.zone\n",
        "$OTHER\n",
        "; comment\n",
        "\n",
        "   \n",
        "\r\n",
        "(\n",
        ")\n",
    ]);
    prop_oneof![12 => record, 1 => other.prop_map(str::to_owned)]
}

/// Entries behind a start that a zone can be made of.
fn entries() -> impl Strategy<Value = String> {
    let starts = [
        "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\n",
        "@ SOA n h 1 2 3 4 5\n@ NS n\n",
        "@ 60 SOA n h 1 2 3 4 5\n  NS n\n",
        "$ORIGIN example.\n@ 60 IN SOA n h 1 2 3 4 5\n@ NS ns1.provider.void.\n@ DNSKEY 257 3 13 AAAA\n",
        "",
    ];
    let start = prop::sample::select(starts.to_vec());
    (start, prop::collection::vec(entry(), 0..12))
        .prop_map(|(start, entries)| format!("{start}{}", entries.concat()))
}

/// Records only, none of them faulty: the texts that become zones.
fn good_entries() -> impl Strategy<Value = String> {
    let owner = prop::sample::select(vec!["a", "a", "B", "b", "c.b", "d", "", "", "*", "@"]);
    let data = prop::sample::select(vec![
        "NS ns1.provider.void.",
        "NS ns2.provider.void.",
        "60 NS NS1.provider.void.",
        "A 192.0.2.1",
        "IN 30 A 192.0.2.2",
        "AAAA 2001:db8::1",
        "TXT \"(\"",
        "DS 1 8 2 ( 01\n 23 )",
        "RRSIG NS 13 2 60 ( 20300101000000\n\t20260101000000 1 example.\n  AAA= )",
        "50 RRSIG DS 13 2 60 20300101000000 20260101000000 1 example. AAAA",
        "NSEC b NS",
        "SVCB 1 . alpn=h2",
    ]);
    let record = (owner, data).prop_map(|(owner, data)| format!("{owner} {data}\n"));
    let directive = prop::sample::select(vec!["$TTL 70\n", "$ORIGIN b\n", "$ORIGIN example.\n"]);
    let entry = prop_oneof![20 => record, 1 => directive.prop_map(str::to_owned)];
    prop::collection::vec(entry, 0..40).prop_map(|entries| {
        let start = "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS ns1.provider.void.\n";
        format!("{start}{}", entries.concat())
    })
}

/// The path of a zone that does not exist, beside a file to include.
fn beside_a_part() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/including/main.zone")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn entries_of_all_kinds(text in entries(), size in 1..200_usize) {
        check(&beside_a_part(), text.as_bytes(), size)?;
    }

    #[test]
    fn zones(text in good_entries(), size in 1..200_usize) {
        let path = Path::new("test.zone");
        prop_assert!(read(path, text.as_bytes(), Way::Pieces(size)).is_ok());
        check(path, text.as_bytes(), size)?;
    }

    #[test]
    fn any_words(text in any_text(), size in 1..100_usize) {
        check(Path::new("/nowhere/test.zone"), &text, size)?;
    }

    #[test]
    fn any_data(record in any_record(), size in 1..100_usize) {
        let text = [b"$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\n".as_slice(), &record].concat();
        check(Path::new("/nowhere/test.zone"), &text, size)?;
    }
}
