//! Queries that pass: everything that is not a plain query for a referral.

use super::random::{Draw as _, Random};
use crate::compare::{Ground, Server};

/// Types that pass at a cut: DS, NSEC, DELEG, ANY, and those that are not of
/// data.
const AT_CUT: [u16; 13] = [
    43, 47, 61_440, 255, 0, 41, 128, 200, 249, 250, 251, 253, 254,
];
/// Types at an apex and of data in the zone.
const OF_DATA: [u16; 20] = [
    1, 2, 5, 6, 15, 16, 28, 39, 43, 46, 47, 48, 50, 51, 59, 63, 65, 255, 257, 65_280,
];

/// Builds messages.
#[derive(Clone, Debug)]
struct Builder {
    name: Vec<u8>,
    qtype: u16,
    class: u16,
    flags: u16,
    /// Octets behind the question, and records counted for them.
    additional: (Vec<u8>, u8),
}

impl Builder {
    fn of(name: &[u8], qtype: u16) -> Self {
        Self {
            name: name.to_vec(),
            qtype,
            class: 1,
            flags: 0,
            additional: (Vec::new(), 0),
        }
    }

    fn class(mut self, class: u16) -> Self {
        self.class = class;
        self
    }

    fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// Adds an OPT record: size, version, flags, options.
    fn opt(mut self, size: u16, version: u8, flags: u16, options: &[u8]) -> Self {
        let octets = &mut self.additional.0;
        octets.extend([0, 0, 41]);
        octets.extend(size.to_be_bytes());
        octets.extend([0, version]);
        octets.extend(flags.to_be_bytes());
        octets.extend((options.len() as u16).to_be_bytes());
        octets.extend(options);
        self.additional.1 += 1;
        self
    }

    /// The same with DO.
    fn dnssec(self) -> Self {
        self.opt(1232, 0, 0x8000, &[])
    }

    fn option(self, code: u16, data: &[u8]) -> Self {
        let mut option = code.to_be_bytes().to_vec();
        option.extend((data.len() as u16).to_be_bytes());
        option.extend(data);
        self.opt(1232, 0, 0, &option)
    }

    fn octets(self, id: u16) -> Vec<u8> {
        let mut octets = id.to_be_bytes().to_vec();
        octets.extend(self.flags.to_be_bytes());
        octets.extend([0, 1, 0, 0, 0, 0, 0, self.additional.1]);
        octets.extend(self.name);
        octets.extend(self.qtype.to_be_bytes());
        octets.extend(self.class.to_be_bytes());
        octets.extend(self.additional.0);
        octets
    }
}

/// Messages that pass in front of a server.
///
/// `apexes` are the zones in wire form; of the delegations about `number` are
/// asked.
pub fn passing(
    server: Server,
    apexes: &[Vec<u8>],
    grounds: &[Ground],
    number: usize,
    random: &mut Random,
) -> Vec<Vec<u8>> {
    let mut queries = Vec::new();
    for apex in apexes {
        add_zone(&mut queries, apex, random);
    }
    let step = (grounds.len() / number.max(1)).max(1);
    for ground in grounds.iter().step_by(step) {
        add_cut(&mut queries, server, &ground.cut);
        for address in &ground.addresses {
            if ground.is_authoritative(&address.owner) {
                queries.push(Builder::of(&address.owner, address.rtype));
                queries.push(Builder::of(&address.owner, address.rtype).dnssec());
            }
        }
        if server == Server::Bind {
            queries.push(Builder::of(&ground.cut, 1).option(10, b"a cookie"));
            queries.push(Builder::of(&ground.cut, 1).option(8, &[0, 1, 24, 0, 198, 51, 100]));
        }
    }
    if server != Server::Bind {
        queries.push(Builder::of(b"\x07version\x04bind\0", 16).class(3));
        queries.push(Builder::of(b"\x02id\x06server\0", 16).class(3));
    }
    let mut messages: Vec<Vec<u8>> = queries
        .into_iter()
        .map(|query| query.octets(random.next() as u16))
        .collect();
    // What is wrong with these does not depend on the delegation.
    if let Some(ground) = grounds.get(step) {
        add_malformed(&mut messages, &ground.cut);
    }
    messages
}

/// The apex, data, names that are not there.
fn add_zone(queries: &mut Vec<Builder>, apex: &[u8], random: &mut Random) {
    let below = |labels: &[u8]| [labels, apex].concat();
    let mut letters = || -> Vec<u8> {
        let mut label = vec![20];
        label.extend((0..20).map(|_| b'a' + random.below(26) as u8));
        label
    };
    let mut names = vec![
        apex.to_vec(),
        below(b"\x01*"),
        below(b"\x03nic"),
        below(b"\x03ns1\x03nic"),
        below(b"\x03NO.\x04such"),
        below(b"\x04a\\.b"),
        below(b"\x01\0\x01\xff"),
    ];
    names.extend((0..20).map(|_| below(&letters())));
    names.extend((0..5).map(|_| below(&[letters(), letters()].concat())));
    for name in names {
        for qtype in OF_DATA {
            if name.len() > apex.len() && ![1, 28, 43, 255].contains(&qtype) {
                continue;
            }
            queries.push(Builder::of(&name, qtype));
            queries.push(Builder::of(&name, qtype).dnssec());
        }
        queries.push(Builder::of(&name, 1).opt(512, 0, 0x8000, &[]));
        queries.push(Builder::of(&name, 1).flags(0x0110));
    }
}

/// What passes although its name is that of a delegation.
fn add_cut(queries: &mut Vec<Builder>, server: Server, cut: &[u8]) {
    let below = [b"\x03wWw", cut].concat();
    for qtype in AT_CUT {
        queries.push(Builder::of(cut, qtype));
        queries.push(Builder::of(cut, qtype).dnssec());
    }
    for qtype in [255, 0, 41, 128, 250, 254] {
        queries.push(Builder::of(&below, qtype));
    }
    for class in [2, 3, 4, 254, 255, 0] {
        // BIND answers three such queries a second in class CH.
        if class != 3 || server != Server::Bind {
            queries.push(Builder::of(cut, 1).class(class));
        }
    }
    for opcode in [1, 2, 3, 4, 5, 6, 15] {
        queries.push(Builder::of(cut, 6).flags(opcode << 11));
    }
    for rcode in [1, 5, 15] {
        queries.push(Builder::of(cut, 1).flags(rcode));
    }
    for version in [1, 255] {
        queries.push(Builder::of(cut, 1).opt(1232, version, 0x8000, &[]));
    }
    // NSID, EXPIRE, ZONEVERSION.
    for code in [3, 9, 19] {
        queries.push(Builder::of(&below, 1).option(code, &[]));
    }
    // Options whose lengths lie, and one cut short.
    for options in [
        &[0, 3, 0, 1][..],
        &[0, 3, 0],
        &[0, 3],
        &[0, 99, 255, 255, 1],
        &[0],
    ] {
        queries.push(Builder::of(cut, 1).opt(1232, 0, 0, options));
    }
    let opt = |query: Builder| query.opt(1232, 0, 0, &[]);
    queries.push(opt(opt(Builder::of(cut, 1))));
}

/// Messages that are no queries, or not quite.
fn add_malformed(messages: &mut Vec<Vec<u8>>, cut: &[u8]) {
    let query = Builder::of(cut, 1).octets(0x5a5a);
    let edns = Builder::of(cut, 1).dnssec().octets(0x5a5b);
    for octets in [1, 5, 11, 12, query.len() - 4, query.len() - 1] {
        messages.push(query[..octets].to_vec());
    }
    messages.push(edns[..edns.len() - 1].to_vec());
    messages.push(edns[..edns.len() - 11].to_vec());
    messages.push([edns.as_slice(), &[0]].concat());
    messages.push([query.as_slice(), &[0, 1, 2]].concat());
    // QR=1, and counts that lie.
    for (at, octet) in [(2, 0x80), (5, 0), (5, 2), (7, 1), (9, 1), (11, 1)] {
        let mut message = query.clone();
        message[at] = octet;
        messages.push(message);
    }
    // Pointers and extended label types in QNAME.
    for octet in [0xc0, 0x40, 0x80] {
        let mut message = query.clone();
        message[12] = octet;
        messages.push(message);
    }
    // A name of more than 255 octets.
    let long = [&[63; 64].repeat(4)[..], cut].concat();
    messages.push(Builder::of(&long, 1).octets(0x5a5c));
    // An OPT record that is not the root's, and a record that is none.
    let mut owned = query.clone();
    owned[11] = 1;
    owned.extend([0xc0, 12, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    messages.push(owned);
    let mut stray = query;
    stray[11] = 1;
    stray.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    messages.push(stray);
}
