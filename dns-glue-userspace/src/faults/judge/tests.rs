//! A reply put together from two versions is found, and so is one that lacks
//! something: with replies made record by record.

use std::fs;

use domain::base::Name;

use super::*;
use crate::faults::marked;
use crate::faults::query::referrals;
use crate::zone::source::ZoneSource;

fn knowledge() -> Knowledge {
    let folder =
        std::env::temp_dir().join(format!("dns-glue-judge-{:?}", std::thread::current().id()));
    fs::create_dir_all(&folder).expect("a folder");
    let sources = [1, 2, 3].map(|version| {
        let path = folder.join(format!("{version}.zone"));
        fs::write(&path, marked::zone(version, 6)).expect("a file");
        ZoneSource {
            apex: Name::vec_from_str(marked::APEX).expect("a name"),
            path,
        }
    });
    let knowledge = Knowledge::read(&sources).expect("zones");
    fs::remove_dir_all(&folder).expect("the folder goes");
    knowledge
}

/// A referral in the making.
#[derive(Clone)]
struct Made {
    flags: u16,
    sections: [Vec<Record>; 3],
}

impl Made {
    /// All that a version says.
    fn whole(knowledge: &Knowledge, query: &Query, version: usize) -> Self {
        let Due::Referral(place) = query.due else {
            panic!("no referral is due");
        };
        let mut made = Self {
            flags: flag::QR,
            sections: Default::default(),
        };
        let referral = &knowledge.delegations[place].referrals[version];
        for part in referral
            .parts
            .iter()
            .filter(|part| query.dnssec || !part.is_proof)
        {
            made.sections[part.section].extend(part.records.iter().cloned());
        }
        made
    }

    fn octets(&self, query: &Query) -> Vec<u8> {
        let mut octets = query.message[..query.question_end].to_vec();
        octets[2..4].copy_from_slice(&self.flags.to_be_bytes());
        for (section, at) in self.sections.iter().zip([6, 8, 10]) {
            let count = section.len() + usize::from(at == 10 && query.edns);
            octets[at + 1] = u8::try_from(count).expect("few records");
            section
                .iter()
                .for_each(|record| octets.extend(record.as_slice()));
        }
        if query.edns {
            let dnssec = if query.dnssec { 0x80 } else { 0 };
            octets.extend([0, 0, 41, 4, 208, 0, 0, dnssec, 0, 0, 0]);
        }
        octets
    }
}

/// Queries with DO, of which nothing is compressed and all must have room.
fn cases(knowledge: &Knowledge) -> Vec<Query> {
    let mut queries = referrals(knowledge);
    queries.retain(|query| query.edns);
    assert_eq!(queries.len(), 3 * 6);
    queries
}

#[test]
fn a_whole_referral_is_of_its_version() {
    let knowledge = knowledge();
    for query in cases(&knowledge) {
        for version in 0..3 {
            let octets = Made::whole(&knowledge, &query, version).octets(&query);
            let judgement = judge(&knowledge, &query, &octets);
            assert_eq!(judgement, Judgement::Right(Versions::at(version)));
        }
    }
}

#[test]
fn one_record_of_another_version_is_found_wherever_it_is() {
    let knowledge = knowledge();
    for query in cases(&knowledge) {
        let first = Made::whole(&knowledge, &query, 0);
        let second = Made::whole(&knowledge, &query, 1);
        for section in [1, 2] {
            for place in 0..first.sections[section].len() {
                let mut mixed = first.clone();
                mixed.sections[section][place] = second.sections[section][place].clone();
                let judgement = judge(&knowledge, &query, &mixed.octets(&query));
                assert!(matches!(judgement, Judgement::Mixed(_)), "{judgement:?}");
            }
        }
        let mut halves = first.clone();
        halves.sections[2] = second.sections[2].clone();
        let judgement = judge(&knowledge, &query, &halves.octets(&query));
        assert!(matches!(judgement, Judgement::Mixed(_)), "{judgement:?}");
    }
}

#[test]
fn a_record_that_is_missing_twice_or_altered_is_wrong() {
    let knowledge = knowledge();
    for query in cases(&knowledge) {
        let whole = Made::whole(&knowledge, &query, 0);
        for section in [1, 2] {
            for place in 0..whole.sections[section].len() {
                let mut made = whole.clone();
                let record = made.sections[section].remove(place);
                let missing = judge(&knowledge, &query, &made.octets(&query));
                assert!(matches!(missing, Judgement::Wrong(_)), "{missing:?}");

                let mut data = record.data().to_vec();
                // A signature, a digest, an address: but no length of a label.
                let last = data.len() - 1 - usize::from(data.last() == Some(&0));
                data[last] ^= 1;
                let altered = Record::new(record.owner(), record.rtype(), 3601, &data);
                made.sections[section].push(altered.expect("a record"));
                let altered = judge(&knowledge, &query, &made.octets(&query));
                assert!(matches!(altered, Judgement::Wrong(_)), "{altered:?}");
            }
        }
    }
}

#[test]
fn a_wrong_head_is_wrong() {
    let knowledge = knowledge();
    let query = &cases(&knowledge)[0];
    let whole = Made::whole(&knowledge, query, 0);
    for flags in [
        0,
        flag::QR | flag::AA,
        flag::QR | flag::TC,
        flag::QR | 2,
        flag::QR | flag::RA,
    ] {
        let made = Made {
            flags,
            ..whole.clone()
        };
        let judgement = judge(&knowledge, query, &made.octets(query));
        assert!(
            matches!(judgement, Judgement::Wrong(_)),
            "{flags:#06x} {judgement:?}"
        );
    }
    let octets = whole.octets(query);
    for end in 0..octets.len() {
        let judgement = judge(&knowledge, query, &octets[..end]);
        assert!(
            matches!(judgement, Judgement::Wrong(_)),
            "{end} {judgement:?}"
        );
    }
    let mut other = octets;
    other[13] ^= 0x20;
    let judgement = judge(&knowledge, query, &other);
    assert!(matches!(judgement, Judgement::Wrong(_)), "{judgement:?}");
}

#[test]
fn the_apex_is_the_server_behinds() {
    let knowledge = knowledge();
    let query = &crate::faults::query::apex(&knowledge)[0];
    let made = |record: Record, flags| Made {
        flags,
        sections: [vec![record], Vec::new(), Vec::new()],
    };
    let theirs = made(knowledge.soa_behind.clone(), flag::QR | flag::AA);
    let judgement = judge(&knowledge, query, &theirs.octets(query));
    assert_eq!(judgement, Judgement::Right(Versions::BEHIND));
    let lame = Made {
        flags: flag::QR,
        ..theirs
    };
    let judgement = judge(&knowledge, query, &lame.octets(query));
    assert!(matches!(judgement, Judgement::Wrong(_)), "{judgement:?}");
    let soa = &knowledge.soa_behind;
    let other = Record::new(soa.owner(), soa.rtype(), 1, soa.data()).expect("a record");
    let other = made(other, flag::QR | flag::AA);
    let judgement = judge(&knowledge, query, &other.octets(query));
    assert!(matches!(judgement, Judgement::Wrong(_)), "{judgement:?}");
}
