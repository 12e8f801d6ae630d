//! How the tables of load are to be read, and what in a run is not as it should
//! be.

use super::number::{count, three_digits};
use crate::bench::results::{Asked, Measurement, Run};

/// What holds for every run.
const ALWAYS: [&str; 9] = [
    "All queries come from another core, so that they are in no contender's cache.",
    "asked: saturated: as fast as the client can, which leaves the core no time; 0.95 lossless: at \
     0.95 of lossless/s, as a server does best. NOT saturated: the client was too slow, or the core \
     had other work: replies/s is its rate and not the contender's, and core ns has the waking of a \
     thread in it that has no rest when it is saturated.",
    "replies/s: observed, as long as queries were sent. The replies are counted on the contender's \
     core, which takes a part of it: ratios of these rates are nearer to 1 than those of core time.",
    "core %: the part of the time in which the core worked for the contender or counted replies. \
     /s of core: replies in a second of core ns, the same kind of rate for all rows. / reflector, \
     / growing, / dns-glue: core ns to theirs, the median of the ratios of the rounds.",
    "lossless/s: the highest rate at which less than 0.1 % gets lost and no queue grows; \u{2265}: \
     all that the client can send. flooded/s: replies when as much is asked as can be, until the \
     last query is sent: not what buffers hold, but with what got lost behind the contender. With a \
     server, packets and processes take turns then.",
    "core ns: a reply's time of the contender's core, without the counting of replies. Before \
     servers, packets gather for 100 us, before dns-glue with a server behind it for 50 us; in the \
     kernel they do not, because there is always another one.",
    "program ns: by the kernel's clock, without what it counts for a program that does nothing.",
    "p50, p99: at 5000 queries a second, where no packet waits for others, whoever is asked; the \
     client sends in steps of some microseconds.",
    "lost: the share of all queries that did not come back: of a saturated contender that is what \
     was too much. unanswered: of those that arrived, in the worst round.",
];
/// The part of a core's time that a host may take before it is told.
const STOLEN: f64 = 0.01;

/// Lines for a run that has load in it.
#[must_use]
pub fn lines(run: &Run) -> Vec<String> {
    if run.measurements.is_empty() {
        return Vec::new();
    }
    let always = ALWAYS.iter().map(|line| (*line).to_owned());
    let of_it = run.measurements.iter().flat_map(remarks);
    always.chain(of_it).collect()
}

/// What is to be said of one measurement.
fn remarks(one: &Measurement) -> Vec<String> {
    let mut remarks = Vec::new();
    let percent = |part: f64| three_digits(100.0 * part);
    if one.asked == Asked::AsFastAsCanBe && !one.is_saturated() {
        remarks.push(format!(
            "the core was used to {} % only; its time comes to {} replies/s",
            percent(one.core_utilisation.median),
            count(one.replies_per_core_second())
        ));
    }
    if one.repeated.rounds > 0 {
        let again = match one.repeated.slower {
            0 => String::new(),
            slower => format!("; its rate was lowered by a tenth {slower} times"),
        };
        remarks.push(format!(
            "{} rounds do not count, because up to {} % of the queries got lost, or too many \
             waited{again}",
            one.repeated.rounds,
            percent(one.repeated.worst_loss)
        ));
    }
    if one.core_stolen > STOLEN {
        remarks.push(format!(
            "the host took {} % of the core's time",
            percent(one.core_stolen)
        ));
    }
    let of = |remark| format!("{}, {}: {remark}.", one.workload, one.contender);
    remarks.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_is_told() {
        let mut run = example::run();
        run.measurements[0].core_utilisation.median = 0.8;
        run.measurements[3].repeated.slower = 2;
        let lines = lines(&run);
        let of = |contender: &str| {
            let start = format!("root, referrals, {contender}: ");
            let found = lines.iter().filter_map(|line| line.strip_prefix(&start));
            found.collect::<Vec<_>>()
        };
        assert_eq!(
            of("reflector"),
            ["the core was used to 80.0 % only; its time comes to 10.0 M replies/s."]
        );
        assert!(of("dns-glue").is_empty(), "{lines:?}");
        assert_eq!(
            of("nsd"),
            [
                "1 rounds do not count, because up to 5.00 % of the queries got lost, or too many \
                 waited; its rate was lowered by a tenth 2 times.",
                "the host took 2.00 % of the core's time."
            ]
        );
        run.measurements.clear();
        assert!(super::lines(&run).is_empty());
    }
}
