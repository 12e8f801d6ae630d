//! A seeded stream of queries, ordinary and mutated, for the comparison of the
//! kernel with the host.

use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::records::Zone;

use super::program_support::frame::{Path, fix_ipv4_checksum, put_number};
use super::program_support::query::Query;
use super::program_support::random::Draw;

/// Names that queries of the stream are about: those of the zones and their
/// delegations.
pub fn names(zones: &[Zone]) -> Vec<Vec<u8>> {
    let cuts = find_cuts(zones, &[]);
    let delegated = cuts.delegations.iter().map(|delegation| delegation.cut);
    // Delegations twice, so that most queries have something to find.
    delegated
        .clone()
        .chain(delegated)
        .chain(
            zones
                .iter()
                .flat_map(|zone| zone.nodes().map(|node| node.name())),
        )
        .map(|name| name.as_slice().to_vec())
        .collect()
}

/// The next frame of the stream.
pub fn frame(random: &mut impl Draw, names: &[Vec<u8>]) -> Vec<u8> {
    let path = path(random);
    let mut frame = path.frame(&message(random, names));
    if random.once_in(5) {
        mutate(random, &mut frame);
        repair(random, &path, &mut frame);
    }
    // The kernel takes no frame without an Ethernet header.
    if frame.len() < 14 {
        frame.resize(14, 0);
    }
    frame
}

/// The next message of the stream.
pub fn message(random: &mut impl Draw, names: &[Vec<u8>]) -> Vec<u8> {
    let mut message = query(random, names).octets();
    if random.once_in(5) {
        mutate(random, &mut message);
    }
    message
}

fn path(random: &mut impl Draw) -> Path {
    let path = if random.once_in(2) {
        Path::v4()
    } else {
        Path::v6()
    };
    let tags = [(0x8100, 7), (0x88a8, 0x1fff), (0x8100, 0xffff)];
    let count = *random.pick(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3]);
    let path = path.tagged(&tags[..count]);
    path.padded(*random.pick(&[0, 0, 60, 64, 200, 1400]))
}

fn query(random: &mut impl Draw, names: &[Vec<u8>]) -> Query {
    let mut name = random.pick(names).clone();
    // Next to it: another letter somewhere.
    if random.once_in(6) {
        let place = random.below(name.len());
        if name[place].is_ascii_alphanumeric() {
            name[place] = *random.pick(b"abcxyzABCXYZ019-_");
        }
    }
    // Above it.
    if random.once_in(12) && name.len() > 1 {
        name.drain(..=usize::from(name[0]));
    }
    // Below it, up to 255 octets.
    let labels = *random.pick(&[0, 0, 1, 1, 2, 3, 30, 130]);
    for _ in 0..labels {
        let longest = *random.pick(&[1, 3, 10, 63]);
        let octets = 1 + random.below(longest);
        if name.len() + octets + 1 > 255 {
            break;
        }
        let label: Vec<u8> = std::iter::once(octets as u8)
            .chain((0..octets).map(|_| random.below(256) as u8))
            .collect();
        name.splice(0..0, label);
    }
    mix_case(random, &mut name);
    let mut query = Query::of(&name);
    query.id = random.below(1 << 16) as u16;
    query.flags = *random.pick(&[0, 0x0100, 0x0110, 0x07f0, 0x0020]);
    query.qtype = *random.pick(&[1, 1, 1, 2, 15, 28, 43, 46, 47, 255, 0, 252, 61_440, 65]);
    if random.once_in(40) {
        query.class = 3;
    }
    if !random.once_in(4) {
        let sizes = [
            0, 511, 512, 513, 600, 700, 1000, 1231, 1232, 1233, 1400, 4096, 65_535,
        ];
        let size = match random.below(3) {
            0 => 500 + random.below(800) as u16,
            _ => *random.pick(&sizes),
        };
        query = query.edns(size, *random.pick(&[0, 0x8000, 0x8000, 0x4000, 0xffff]));
        for _ in 0..*random.pick(&[0, 0, 0, 1, 2, 18]) {
            let code = *random.pick(&[3, 8, 9, 10, 11, 12, 19, 65_001]);
            let octets = random.below(20);
            query = query.option(code, &vec![0; octets]);
        }
    }
    query
}

fn mix_case(random: &mut impl Draw, name: &mut [u8]) {
    if random.once_in(2) {
        return;
    }
    for octet in name {
        // A length octet is at most 63, so none is a letter.
        if octet.is_ascii_alphabetic() && random.once_in(2) {
            *octet ^= 0x20;
        }
    }
}

/// Flips bits, cuts, repeats, lies about lengths.
pub fn mutate(random: &mut impl Draw, octets: &mut Vec<u8>) {
    if octets.is_empty() {
        return;
    }
    match random.below(5) {
        0 => {
            for _ in 0..1 + random.below(4) {
                let place = random.below(octets.len());
                octets[place] ^= 1 << random.below(8);
            }
        }
        1 => octets.truncate(random.below(octets.len() + 1)),
        2 => {
            let place = random.below(octets.len());
            octets[place] = *random.pick(&[0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff]);
        }
        3 => octets.extend((0..random.below(40)).map(|place| place as u8)),
        _ => {
            let from = random.below(octets.len());
            let to = random.below(octets.len());
            let octet = octets[from];
            octets.insert(to, octet);
        }
    }
}

/// Makes checksums and lengths of a mutated frame right again, now and then, so
/// that the mutation is looked at and not only the checksum.
fn repair(random: &mut impl Draw, path: &Path, frame: &mut [u8]) {
    if random.once_in(3) || frame.len() < path.message_start() {
        return;
    }
    let (ip, udp) = (path.ip_start(), path.udp_start());
    let octets = frame.len() - udp;
    if random.once_in(2) {
        put_number(frame, udp + 4, octets as u16);
        if path.source.is_ipv4() {
            put_number(frame, ip + 2, 20 + octets as u16);
        } else {
            put_number(frame, ip + 4, octets as u16);
        }
    }
    if path.source.is_ipv4()
        && ip + usize::from(frame[ip] & 0x0f) * 4 <= frame.len()
        && frame[ip] & 0x0f >= 5
    {
        fix_ipv4_checksum(frame, ip);
    }
    let said = usize::from(u16::from_be_bytes([frame[udp + 4], frame[udp + 5]]));
    if (8..=octets).contains(&said) {
        path.fix_udp_checksum(frame);
    }
}
