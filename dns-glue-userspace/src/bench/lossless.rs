//! The highest rate without loss.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::load::programs::Rate;
use super::round::Asker;
use super::site::Site;

/// Queries a second that everybody answers.
const LEAST: f64 = 200.0;
/// The search ends when it knows the rate to this part.
const PRECISION: f64 = 0.05;
/// Less than this part of the queries may be lost.
const LOSS: f64 = 0.001;
/// So often a rate is tried before it counts as too high: the machine has
/// other work, which must not be taken for the contender's limit.
const TRIES: usize = 3;
/// What the client sends is less than it should if it is below this part of it.
const NEARLY: f64 = 0.95;
/// A rate of which this part is lost is too high at once.
const HOPELESS: f64 = 0.1;

/// A rate at which a contender loses next to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lossless {
    /// Queries a second.
    pub rate: f64,
    /// The client cannot send more, so that the contender may bear more.
    pub is_least: bool,
}

/// Finds the highest rate, queries a second, at which fewer than one query in a
/// thousand is lost, on the wire or by the contender, and none is put off until
/// nothing is sent any more. `start` is where the search begins, queries a
/// second.
///
/// # Errors
///
/// The client's program fails, or the contender is gone.
pub fn search(asker: &mut Asker<'_>, site: &Site, start: f64, turn: Duration) -> Result<Lossless> {
    let mut low = 0.0;
    let mut high = start;
    // Doubled until it is too high, or more than the client can send.
    while let Some(sent) = carries(asker, site, high, turn)? {
        low = sent;
        if sent < high * NEARLY {
            let is_least = true;
            return Ok(Lossless {
                rate: low,
                is_least,
            });
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
            Some(sent) => low = sent.min(middle),
            None => high = middle,
        }
    }
    Ok(Lossless {
        rate: low,
        is_least: false,
    })
}

/// Whether a rate loses nothing; then the rate that was really sent, the best of
/// those tried if the client could not send as much.
fn carries(asker: &mut Asker<'_>, site: &Site, rate: f64, turn: Duration) -> Result<Option<f64>> {
    let mut best = None;
    for _ in 0..TRIES {
        let round = asker.ask(site, Rate::Paced(rate), turn)?;
        let lost = round.lost() as f64 / round.queries as f64;
        if lost < LOSS && round.keeps_up() {
            let sent = round.queries_per_second();
            best = Some(sent.max(best.unwrap_or(sent)));
            if sent >= rate * NEARLY {
                break;
            }
        }
        if lost > HOPELESS {
            break;
        }
    }
    Ok(best)
}
