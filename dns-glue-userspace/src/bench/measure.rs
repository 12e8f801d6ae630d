//! All contenders asked in turns.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::course::Course;
use super::results::Measurement;
use super::round::Asker;
use super::site::Site;

/// How long to ask.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds in which each contender has its turn.
    pub rounds: usize,
    /// Length of a turn.
    pub turn: Duration,
}

/// Asks all sites in turns, so that what the machine does beside it meets all
/// alike.
///
/// # Errors
///
/// A contender is gone or does not do what it should; see [`Course::turn`].
pub fn measure(
    asker: &mut Asker<'_>,
    sites: &[Site],
    workload: &str,
    plan: &Plan,
) -> Result<Vec<Measurement>> {
    let mut courses = Vec::new();
    for site in sites {
        let course = Course::prepare(asker, site, plan);
        courses.push(course.with_context(|| site.contender().to_string())?);
    }
    for _ in 0..plan.rounds {
        for course in &mut courses {
            course.turn(asker, plan)?;
        }
    }
    // Who turned out to be slower has as many rounds at that rate as all others
    // have at theirs.
    for course in &mut courses {
        while course.rounds() < plan.rounds {
            course.turn(asker, plan)?;
        }
    }
    let finish = |course: Course<'_>| course.finish(workload);
    courses.into_iter().map(finish).collect()
}
