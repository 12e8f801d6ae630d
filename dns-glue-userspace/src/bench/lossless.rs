//! The highest rate without loss.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::load::programs::Rate;
use super::round::Asker;
use super::site::Site;

/// Queries a second with which the search starts.
const START: f64 = 20_000.0;
/// Queries a second that everybody answers.
const LEAST: f64 = 200.0;
/// The search ends when it knows the rate to this part.
const PRECISION: f64 = 0.05;
/// Less than this part of the queries may be lost.
const LOSS: f64 = 0.001;
/// So often a rate is tried before it counts as too high: the machine has
/// other work, which must not be taken for the contender's limit.
const TRIES: usize = 3;

/// Finds the highest rate, queries a second, at which fewer than one query in a
/// thousand is lost; no more than the client can send.
///
/// # Errors
///
/// The client's program fails, or the contender is gone.
pub fn search(asker: &mut Asker<'_>, site: &Site, turn: Duration) -> Result<f64> {
    let mut low = 0.0;
    let mut high = START;
    // Doubled until it is too high, or more than the client can send.
    while let Some(sent) = carries(asker, site, high, turn)? {
        low = sent;
        if sent < high * 0.95 {
            return Ok(low);
        }
        high *= 2.0;
    }
    while high - low > high * PRECISION {
        ensure!(
            high > LEAST,
            "it does not even answer {high:.0} queries a second"
        );
        let middle = (low + high) / 2.0;
        match carries(asker, site, middle, turn)? {
            Some(_) => low = middle,
            None => high = middle,
        }
    }
    Ok(low)
}

/// Whether a rate loses nothing; then the rate that was really sent.
fn carries(asker: &mut Asker<'_>, site: &Site, rate: f64, turn: Duration) -> Result<Option<f64>> {
    for _ in 0..TRIES {
        let round = asker.ask(site, Rate::Paced(rate), turn)?;
        let lost = round.queries.saturating_sub(round.replies());
        if (lost as f64) < round.queries as f64 * LOSS {
            return Ok(Some(round.queries as f64 / round.elapsed.as_secs_f64()));
        }
    }
    Ok(None)
}
