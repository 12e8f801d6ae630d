//! Queries, octet by octet.

use domain::base::Name;

/// Record types by number.
pub mod rtype {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const SOA: u16 = 6;
    pub const OPT: u16 = 41;
    pub const DS: u16 = 43;
    pub const NSEC: u16 = 47;
    pub const ANY: u16 = 255;
    pub const DELEG: u16 = 61_440;
}

/// Bits of the second word of the header.
pub mod flag {
    pub const QR: u16 = 0x8000;
    pub const AA: u16 = 0x0400;
    pub const TC: u16 = 0x0200;
    pub const RD: u16 = 0x0100;
    pub const RA: u16 = 0x0080;
    pub const Z: u16 = 0x0040;
    pub const AD: u16 = 0x0020;
    pub const CD: u16 = 0x0010;
}

/// Bits of the OPT record's TTL field.
pub mod edns_flag {
    pub const DO: u16 = 0x8000;
    pub const CO: u16 = 0x4000;
    pub const DE: u16 = 0x2000;
}

/// An OPT record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opt {
    pub size: u16,
    /// The upper half of the TTL field: extended RCODE and version.
    pub version: u16,
    pub flags: u16,
    pub options: Vec<u8>,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub id: u16,
    pub flags: u16,
    /// QNAME in wire form.
    pub name: Vec<u8>,
    pub qtype: u16,
    pub class: u16,
    pub opt: Option<Opt>,
}

impl Query {
    /// A query for a name, as text, type A, without EDNS.
    pub fn new(name: &str) -> Self {
        let name = Name::vec_from_str(name).expect("a name");
        Self::of(name.as_slice())
    }

    /// A query for a name in wire form, type A, without EDNS.
    pub fn of(name: &[u8]) -> Self {
        Self {
            id: 0x1d5a,
            flags: 0,
            name: name.to_vec(),
            qtype: rtype::A,
            class: 1,
            opt: None,
        }
    }

    /// The same for another type.
    pub fn qtype(mut self, qtype: u16) -> Self {
        self.qtype = qtype;
        self
    }

    /// The same in another class.
    pub fn class(mut self, class: u16) -> Self {
        self.class = class;
        self
    }

    /// The same with other header flags.
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// The same with an OPT record.
    pub fn edns(mut self, size: u16, flags: u16) -> Self {
        self.opt = Some(Opt {
            size,
            flags,
            ..Opt::default()
        });
        self
    }

    /// The same with an EDNS option, and with an OPT record if it had none.
    pub fn option(mut self, code: u16, data: &[u8]) -> Self {
        let opt = self.opt.get_or_insert_with(|| Opt {
            size: 1232,
            ..Opt::default()
        });
        opt.options.extend(code.to_be_bytes());
        let octets = u16::try_from(data.len()).expect("a short option");
        opt.options.extend(octets.to_be_bytes());
        opt.options.extend(data);
        self
    }

    /// Octets up to the end of the question.
    pub fn question_end(&self) -> usize {
        12 + self.name.len() + 4
    }

    /// The message.
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(64);
        octets.extend(self.id.to_be_bytes());
        octets.extend(self.flags.to_be_bytes());
        octets.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.opt.is_some())]);
        octets.extend(&self.name);
        octets.extend(self.qtype.to_be_bytes());
        octets.extend(self.class.to_be_bytes());
        if let Some(opt) = &self.opt {
            octets.extend([0, 0, 41]);
            octets.extend(opt.size.to_be_bytes());
            octets.extend(opt.version.to_be_bytes());
            octets.extend(opt.flags.to_be_bytes());
            let rdata_octets = u16::try_from(opt.options.len()).expect("short options");
            octets.extend(rdata_octets.to_be_bytes());
            octets.extend(&opt.options);
        }
        octets
    }
}
