//! The program in the kernel against the server behind (`dns-glue verify`).
//!
//! ```text
//! status of the daemon -> which program, zones, addresses, limits
//! zone files           -> sample (delegations) -> queries
//!                             each query -> kernel (BPF_PROG_TEST_RUN of the running program)
//!                                        -> server (UDP, TCP for whole referrals)
//!                                        -> crate::compare -> findings
//! ```
//!
//! Nothing is sent to a client: the program is run on frames that no interface
//! has seen. They count like any other packet.

mod findings;
mod kernel;
mod sample;
mod server;

pub use findings::{Difference, Findings, SerialFinding};
pub use kernel::{Kernel, KernelError};
pub use sample::Sample;
pub use server::{Server, ServerError};

use crate::compare::{Ground, Judge, Wholes};
use crate::progress::Progress;
use crate::report::query::{Edns, write_query};
use crate::zone::cuts::{Cuts, Delegation};
use domain::base::Name;
use domain::base::iana::Rtype;

/// UDP sizes that are asked with; `None` is a query without EDNS.
const SIZES: [Option<u16>; 3] = [None, Some(512), Some(1232)];
/// The label of the names that are asked for below each cut.
const LABEL: &[u8] = b"\x03www";

/// Why a comparison has no result.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The program could not be asked.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The server could not be asked.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// How both sides answer, as far as it bears on the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the longest reply of the program.
    pub max_udp: usize,
    /// Whether it copies CD.
    pub copy_cd: bool,
}

/// Asks both sides for the delegations of the sample, and compares what they
/// say.
///
/// # Errors
///
/// One of the sides cannot be asked. What differs is no error.
pub fn compare(
    cuts: &Cuts<'_>,
    sample: Sample,
    kernel: &Kernel,
    server: &Server,
    limits: Limits,
    progress: &dyn Progress,
) -> Result<Findings, VerifyError> {
    let places = sample.places(cuts.delegations.len());
    progress.begin("asking both sides", places.len() as u64);
    let mut findings = Findings::of(cuts.delegations.len(), places.len());
    let mut judge = Judge {
        reference: Wholes::new(|query: &[u8]| server.ask_tcp(query)),
        max_udp: limits.max_udp,
        copy_cd: limits.copy_cd,
    };
    let mut id: u16 = 0;
    for place in places {
        let delegation = &cuts.delegations[place];
        let ground = Ground::of(delegation);
        for mut query in queries(delegation) {
            id = id.wrapping_add(1);
            query[..2].copy_from_slice(&id.to_be_bytes());
            let Some(ours) = kernel.ask(&query)? else {
                findings.add_passed();
                continue;
            };
            let theirs = server.ask_udp(&query)?;
            let judgement = judge.judge(&ground, &query, &ours, &theirs)?;
            findings.add(delegation.cut, &query, judgement);
        }
        judge.reference.clear();
        progress.advance(1);
    }
    Ok(findings)
}

/// The queries for a delegation: for its name and for one below it, of every
/// size, with and without DO.
fn queries(delegation: &Delegation<'_>) -> Vec<Vec<u8>> {
    let below = [LABEL, delegation.cut.as_slice()].concat();
    // At the cut itself when there is no room below.
    let names = [
        Some(delegation.cut.as_slice()),
        Name::from_slice(&below).ok().map(Name::as_slice),
    ];
    let mut queries = Vec::new();
    for name in names.into_iter().flatten() {
        let name = Name::from_slice(name).expect("a name, or a label before one");
        for size in SIZES {
            for dnssec in [false, true] {
                if size.is_none() && dnssec {
                    continue;
                }
                let edns = size.map(|udp_octets| Edns {
                    udp_octets,
                    dnssec,
                    nsid: false,
                });
                let mut query = Vec::new();
                write_query(&mut query, name, Rtype::A, edns);
                queries.push(query);
            }
        }
    }
    queries
}
