//! Contenders that stand ready side by side, and are asked the same.

use anyhow::{Context as _, Result};

use super::contender::Contender;
use super::empty::EmptyProgram;
use super::failures::Failures;
use super::load::programs::Client;
use super::load::queries::PreparedQueries;
use super::measure::{self, Plan};
use super::results::Measurement;
use super::round::Asker;
use super::site::{Serving, Site};
use crate::testbed::network::Namespace;

/// Contenders with the same zones, one client for all of them.
pub struct Contest {
    // Dropped first: their wires begin in the namespace.
    sites: Vec<Site>,
    client: Namespace,
    /// The processor that sends.
    sender: usize,
}

impl Contest {
    /// Starts all of them, but for those that do not start, for the reason that
    /// is then noted; the processor of that number will send to them.
    ///
    /// # Errors
    ///
    /// There can be no namespace, or a signal has come.
    pub fn start(
        contenders: &[Contender],
        serving: &Serving<'_>,
        sender: usize,
        failures: &mut Failures,
    ) -> Result<Self> {
        let client = Namespace::new(format!("dgb{}-client", std::process::id()))?;
        let mut sites = Vec::new();
        for contender in contenders {
            let site = Site::start(*contender, serving, &client, &sites);
            sites.extend(failures.or_note(&contender.to_string(), "at its start", site)?);
        }
        Ok(Self {
            sites,
            client,
            sender,
        })
    }

    /// Asks all of them, in turns.
    ///
    /// # Errors
    ///
    /// The kernel refuses the client's programs, or [`measure::measure`] fails.
    pub fn hold(
        &mut self,
        workload: &str,
        queries: &PreparedQueries,
        plan: &Plan,
        failures: &mut Failures,
    ) -> Result<Vec<Measurement>> {
        let mut asker = self.asker(queries)?;
        measure::measure(&mut asker, &self.sites, workload, plan, failures)
    }

    /// A client with these queries, which listens to all of them. There can be
    /// one at a time.
    ///
    /// # Errors
    ///
    /// The kernel refuses its programs.
    pub fn asker(&self, queries: &PreparedQueries) -> Result<Asker<'_>> {
        let mut client = Client::load(queries)?;
        for site in &self.sites {
            let end = site.wire().client_end();
            let listening = self.client.within(|| client.listen(end))?;
            listening.with_context(|| format!("listen to {}", site.contender()))?;
        }
        Ok(Asker {
            client,
            namespace: &self.client,
            sender: self.sender,
            empty: EmptyProgram::load()?,
        })
    }

    /// The contenders, in the order in which they were named.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }
}
