//! `dns-glue explain`: the answer to one query, and why.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use domain::base::Name;
use domain::base::iana::Rtype;

use super::zone_args::parse_name;
use super::{ReplyArgs, print};
use crate::compile;
use crate::report::dig::Dig;
use crate::report::explain::{Ask, Verdict, explain};
use crate::report::query::Edns;
use crate::serve::compiled::{ZoneChoice, read_zones};
use crate::serve::fallback::{self, FallbackZones, Settings, Transport};
use crate::zone::cuts::find_cuts;
use crate::zone::records::Zone;
use crate::zone::source::ZoneSource;

/// Show the answer to a query, or why it passes
///
/// Needs no privileges and sends nothing: the zones are compiled, and the
/// program's own code answers on this host. Like dig, the query says EDNS with
/// 1232 octets unless told otherwise; unlike dig's, it has RD=0 and no cookie.
/// With --nsid it asks for the identifier.
#[derive(Debug, Args)]
// One value a flag: what follows would else be taken for a zone, not the name.
#[command(mut_arg("zones", |arg| arg.num_args(1)), mut_arg("serves", |arg| arg.num_args(1)))]
pub struct ExplainArgs {
    /// A zone to compile, and its master file, for example `.=root.zone`; may
    /// be given several times
    #[arg(long = "zone", value_name = "ORIGIN=FILE", required = true)]
    zones: Vec<ZoneSource>,

    /// A zone that the server behind serves too: names below it pass; may be
    /// given several times
    #[arg(long, value_name = "APEX", value_parser = parse_name)]
    serves: Vec<Name<Vec<u8>>>,

    /// The name asked for, absolute with or without a final dot
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: Name<Vec<u8>>,

    /// The type asked for: a mnemonic or TYPEn
    #[arg(long = "type", value_name = "TYPE", default_value = "A")]
    rtype: Rtype,

    /// The client's UDP size in its OPT record
    #[arg(long, value_name = "OCTETS", default_value_t = Ask::USUAL_UDP_OCTETS)]
    bufsize: u16,

    /// Ask for DNSSEC records (DO)
    #[arg(long)]
    dnssec: bool,

    /// Ask without an OPT record
    #[arg(long, conflicts_with_all = ["bufsize", "dnssec"])]
    no_edns: bool,

    #[command(flatten)]
    replies: ReplyArgs,

    /// Show too what the built-in server answers: over UDP to a query that
    /// passes, over TCP after a reply with TC=1
    #[arg(long)]
    fallback: bool,
}

impl ExplainArgs {
    fn ask(&self) -> Ask {
        let edns = Edns {
            udp_octets: self.bufsize,
            dnssec: self.dnssec,
            nsid: self.replies.policy().nsid.is_some(),
        };
        Ask {
            name: self.name.clone(),
            rtype: self.rtype,
            edns: (!self.no_edns).then_some(edns),
        }
    }
}

pub fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let choice = ZoneChoice {
        sources: args.zones.clone(),
        also_served: args.serves.clone(),
        strict: false,
    };
    let zones = read_zones(&choice, &())?;
    let ask = args.ask();
    let query = ask.message();
    let (mut text, transport) = {
        let cuts = find_cuts(&zones, &choice.also_served);
        let compilation = compile::compile(&zones, &cuts, &())?;
        let policy = Policy {
            flags: compilation.generation.policy_flags,
            ..args.replies.policy()
        };
        let explanation = explain(&cuts, &compilation, &policy, ask);
        let transport = match &explanation.verdict {
            Verdict::Passes(_) => Some(Transport::Udp),
            Verdict::Refers(referral) if referral.outcome == Reason::ReferralTruncated => {
                Some(Transport::Tcp)
            }
            Verdict::Refers(_) => None,
        };
        (explanation.to_string(), transport)
    };
    if args.fallback
        && let Some(transport) = transport
    {
        text += &ask_fallback(zones, &args.replies.policy(), &query, transport)?;
    }
    print(&text)?;
    Ok(())
}

/// The built-in server's answer, in words.
fn ask_fallback(
    zones: Vec<Zone>,
    policy: &Policy,
    query: &[u8],
    transport: Transport,
) -> anyhow::Result<String> {
    let zones = FallbackZones::new(zones.into_iter().map(Arc::new))?;
    let settings = Settings {
        max_udp: policy.max_udp,
        nsid: policy.nsid,
        ..Settings::default()
    };
    let over = match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    };
    let mut text = format!("\n;; THE BUILT-IN SERVER, over {over}:\n");
    match fallback::answer(&zones, &settings, query, transport) {
        Some(reply) => write!(text, "{}", Dig(&reply))?,
        None => text.push_str(";; no reply\n"),
    }
    Ok(text)
}
