//! All clients, phase by phase.
//!
//! A phase begins and ends with no query under way, so that what the clients
//! counted and what dns-glue counted are about the same queries.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result};

use super::client::{Client, Group, Moment, Role};
use super::query;
use super::tally::Tally;
use super::versions::{Knowledge, Versions};
use crate::testbed::network::Namespace;

/// The share of the pace that the clients of the steady addresses have
/// together, in percent; the others share the rest.
const STEADY_PERCENT: u32 = 80;
/// Queries in a second to the server behind.
const BEHIND_PACE: u32 = 200;

/// The addresses that are asked.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Those that nothing happens to, which several clients ask.
    pub steady: Vec<IpAddr>,
    /// The one that comes and goes.
    pub wandering: Vec<IpAddr>,
    /// Those of the interface that things happen to.
    pub troubled: Vec<IpAddr>,
}

/// Clients.
#[derive(Debug)]
pub struct Load {
    clients: Vec<Client>,
}

impl Load {
    /// Clients in a namespace that ask `pace` queries a second together.
    ///
    /// # Errors
    ///
    /// There is no route to a server.
    pub fn new(
        namespace: &Namespace,
        servers: &Servers,
        knowledge: &Arc<Knowledge>,
        pace: u32,
    ) -> Result<Self> {
        // Two clients to each steady address, so that there are several of each family.
        let steady: Vec<IpAddr> = [&servers.steady[..], &servers.steady[..]].concat();
        let others = servers.wandering.len() + servers.troubled.len();
        let steady_pace = pace * STEADY_PERCENT / 100 / steady.len() as u32;
        let other_pace = pace * (100 - STEADY_PERCENT) / 100 / (others.max(1)) as u32;
        let mut roles = Vec::new();
        for (group, servers, pace) in [
            (Group::Steady, &steady, steady_pace),
            (Group::Wandering, &servers.wandering, other_pace),
            (Group::Troubled, &servers.troubled, other_pace),
            (Group::Behind, &servers.steady, BEHIND_PACE),
        ] {
            let role = |server: &IpAddr| Role {
                group,
                server: *server,
                pace,
            };
            roles.extend(servers.iter().map(role));
        }
        let referrals = query::referrals(knowledge).into();
        let apex = query::apex(knowledge).into();
        let clients = namespace.within(|| -> Result<Vec<Client>> {
            let open = |(seed, role): (u64, Role)| {
                let queries = match role.group {
                    Group::Behind => Arc::clone(&apex),
                    Group::Steady | Group::Wandering | Group::Troubled => Arc::clone(&referrals),
                };
                Client::open(role, Arc::clone(knowledge), queries, seed)
                    .with_context(|| format!("a client of {}", role.server))
            };
            (1..).zip(roles).map(open).collect()
        })??;
        Ok(Self { clients })
    }

    /// Does something while all clients ask; what came of both. Queries of
    /// `excused` clients may be lost or pass. At first `allowed` versions may
    /// answer in the kernel.
    ///
    /// # Errors
    ///
    /// Those of `action`.
    pub fn during<T>(
        &mut self,
        excused: &[Group],
        allowed: Versions,
        action: impl FnOnce(&Moment) -> Result<T>,
    ) -> Result<(T, Tally)> {
        let moment = Moment::default();
        moment.allow(allowed);
        thread::scope(|scope| {
            let moment = &moment;
            let threads: Vec<_> = self
                .clients
                .iter_mut()
                .map(|client| {
                    let is_excused = excused.contains(&client.group());
                    scope.spawn(move || client.ask(moment, is_excused))
                })
                .collect();
            let end = End(moment);
            let done = action(moment);
            drop(end);
            let mut sum = Tally::default();
            for thread in threads {
                match thread.join() {
                    Ok(tally) => sum.add(&tally),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok((done?, sum))
        })
    }
}

/// Ends a moment when dropped, whatever else goes wrong: the clients are waited
/// for.
struct End<'m>(&'m Moment);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
