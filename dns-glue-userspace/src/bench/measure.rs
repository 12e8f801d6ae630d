//! All contenders asked in turns.

use std::time::Duration;

use anyhow::Result;

use super::course::Course;
use super::failures::Failures;
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
/// alike. A contender that is gone or does not do what it should
/// ([`Course::turn`]) is noted and left out from then on.
///
/// # Errors
///
/// A signal has come.
pub fn measure(
    asker: &mut Asker<'_>,
    sites: &[Site],
    workload: &str,
    plan: &Plan,
    failures: &mut Failures,
) -> Result<Vec<Measurement>> {
    let mut courses = Vec::new();
    for site in sites {
        let course = of_running(site, Course::prepare(asker, site, plan));
        courses.extend(failures.or_note(&site.contender().to_string(), workload, course)?);
    }
    // One whose rate was lowered has lost the rounds before, and has more turns
    // than the others, until it has as many rounds.
    while courses.iter().any(|course| course.rounds() < plan.rounds) {
        let mut left = Vec::new();
        for mut course in courses {
            if course.rounds() < plan.rounds {
                asker.client.begin_round(course.rounds(), plan.rounds);
                let contender = course.contender();
                let turn = course.turn(asker, plan);
                let turn = of_running(course.site(), turn).map(|()| course);
                left.extend(failures.or_note(&contender, workload, turn)?);
            } else {
                left.push(course);
            }
        }
        courses = left;
    }
    let mut measurements = Vec::new();
    for course in courses {
        let contender = course.contender();
        let finished = course.finish(workload);
        measurements.extend(failures.or_note(&contender, workload, finished)?);
    }
    Ok(measurements)
}

/// What came of a site, or that it has ended: whatever else is then wrong, that
/// is the cause, and what seems right is not.
fn of_running<T>(site: &Site, result: Result<T>) -> Result<T> {
    site.ensure_running()?;
    result
}
