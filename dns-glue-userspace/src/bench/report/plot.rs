//! Time of a core for each reply, as bars: a group for each of the workloads
//! that say most, on one logarithmic scale, as SVG. A bar ends at the median of
//! the rounds; a line across its end goes from the quickest to the slowest.
//!
//! The colours are legible on white and on near-black, because an image does
//! not know which of the two the page around it has.

use std::fmt::Write as _;

use super::number::count;
use crate::bench::results::{Measurement, Run, contender};
use crate::bench::workload::tld::UNIFORM;
use crate::bench::workload::zone::{REFERRALS, REFERRALS_DO};

/// All lengths are in pixels at the image's own size.
const WIDTH: f64 = 860.0;
const LABEL_WIDTH: f64 = 170.0;
/// Room for the number behind the longest bar.
const NUMBER_WIDTH: f64 = 110.0;
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;
/// A group's heading.
const HEADING: f64 = 34.0;
const AXIS: f64 = 30.0;

const TEXT: &str = "#6e7681";
const GRID: &str = "#8b949e";
const OURS: &str = "#2f81f7";
const REFLECTOR: &str = "#8b949e";
const SERVER: &str = "#c4690d";

/// The picture; `None` if nothing was measured.
#[must_use]
pub fn svg(run: &Run) -> Option<String> {
    let shown = shown(&run.measurements);
    let scale = Scale::of(&shown)?;
    let mut body = String::new();
    let mut top = 30.0;
    let mut last = None;
    for measurement in shown {
        if last != Some(&measurement.workload) {
            top += HEADING;
            text(&mut body, 0.0, top - 10.0, "bold", &measurement.workload);
            last = Some(&measurement.workload);
        }
        bar(&mut body, &scale, measurement, top);
        top += ROW;
    }
    let height = top + AXIS;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\" \
         role=\"img\" aria-label=\"Time of a core for each reply\">\n"
    );
    let title = "Time of one core for each reply, nanoseconds: median, from the quickest round \
                 to the slowest (logarithmic)";
    text(&mut picture, 0.0, 16.0, "bold", title);
    axis(&mut picture, &scale, top);
    picture.push_str(&body);
    picture.push_str("</svg>\n");
    Some(picture)
}

/// Referrals of the real zone, and those of the last synthetic zone that is
/// asked evenly; all workloads if there are none of these. The quickest comes
/// first in each.
fn shown(measurements: &[Measurement]) -> Vec<&Measurement> {
    let last = |end: &str| {
        let end = format!(", {end}");
        let mut names = measurements.iter().rev().map(|one| one.workload.as_str());
        names.find(|name| name.ends_with(&end))
    };
    let wanted = [REFERRALS, REFERRALS_DO, UNIFORM].map(last);
    let is_wanted =
        |one: &&Measurement| wanted == [None; 3] || wanted.contains(&Some(one.workload.as_str()));
    let place = |one: &Measurement| {
        let mut all = measurements.iter();
        all.position(|other| other.workload == one.workload)
    };
    let mut shown: Vec<&Measurement> = measurements.iter().filter(is_wanted).collect();
    shown.sort_by(|one, other| {
        let [first, second] = [one, other].map(|each| each.core_ns_per_reply.median);
        place(one).cmp(&place(other)).then(first.total_cmp(&second))
    });
    shown
}

/// From nanoseconds to places.
struct Scale {
    /// Powers of ten at the ends.
    from: i32,
    to: i32,
}

impl Scale {
    fn of(measurements: &[&Measurement]) -> Option<Self> {
        let logarithm = |ns: f64| ns.max(1.0).log10();
        let spreads = measurements.iter().map(|one| one.core_ns_per_reply);
        let least = spreads.clone().map(|spread| logarithm(spread.min));
        let most = spreads.map(|spread| logarithm(spread.max));
        let (least, most) = (least.min_by(f64::total_cmp)?, most.max_by(f64::total_cmp)?);
        // A bar of its own for the least, too: a whole decade below it.
        let from = (least.floor() as i32 - 1).max(0);
        let to = (most.ceil() as i32).max(from + 1);
        Some(Self { from, to })
    }

    fn x(&self, ns: f64) -> f64 {
        let share = (ns.max(1.0).log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        LABEL_WIDTH + share * (WIDTH - LABEL_WIDTH - NUMBER_WIDTH)
    }
}

fn axis(picture: &mut String, scale: &Scale, bottom: f64) {
    for power in scale.from..=scale.to {
        let ns = 10_f64.powi(power);
        let x = scale.x(ns);
        push(
            picture,
            format_args!(
                "<line x1=\"{x:.1}\" y1=\"30\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{GRID}\" \
                 stroke-opacity=\"0.3\"/>\n"
            ),
        );
        // Powers of ten have no digits that count behind the point.
        let label = count(ns).replace(".00", "").replace(".0", "");
        text(picture, x - 8.0, bottom + 18.0, "normal", &label);
    }
}

fn bar(picture: &mut String, scale: &Scale, measurement: &Measurement, top: f64) {
    let spread = measurement.core_ns_per_reply;
    let colour = match measurement.contender.as_str() {
        contender::DNS_GLUE | contender::DNS_GLUE_BEFORE_KNOT => OURS,
        contender::BARE
        | contender::GROWING
        | contender::WRITING
        | contender::READING_ONE
        | contender::READING_TWO
        | contender::READING_THREE => REFLECTOR,
        _ => SERVER,
    };
    let weight = if colour == OURS { "bold" } else { "normal" };
    let (end, baseline) = (scale.x(spread.median), top + BAR - 2.0);
    let (quickest, slowest) = (scale.x(spread.min), scale.x(spread.max));
    text(picture, 0.0, baseline, weight, &measurement.contender);
    push(
        picture,
        format_args!(
            "<rect x=\"{LABEL_WIDTH}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\" \
             fill=\"{colour}\"/>\n",
            end - LABEL_WIDTH
        ),
    );
    let middle = top + BAR / 2.0;
    push(
        picture,
        format_args!(
            "<path d=\"M{quickest:.1} {middle:.1}H{slowest:.1}M{quickest:.1} {:.1}v6M{slowest:.1} \
             {:.1}v6\" stroke=\"{TEXT}\" stroke-width=\"1.5\" fill=\"none\"/>\n",
            middle - 3.0,
            middle - 3.0
        ),
    );
    let number = count(spread.median);
    text(picture, slowest.max(end) + 6.0, baseline, weight, &number);
}

fn text(picture: &mut String, x: f64, y: f64, weight: &str, content: &str) {
    let content = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    push(
        picture,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-weight=\"{weight}\" fill=\"{TEXT}\">{content}</text>\n"
        ),
    );
}

fn push(picture: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = picture.write_fmt(content);
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::bench::workload::zone::RANDOM_NAMES;

    #[test]
    fn the_picture_is_xml_with_a_bar_for_each_that_is_shown() {
        let mut run = example::run();
        let strange = example::measurement("<a> & b", "TLD 1 M, uniform", 777.0);
        run.measurements.push(strange);
        let measurements = run.measurements.iter();
        let shown = measurements
            .filter(|one| !one.workload.contains(RANDOM_NAMES))
            .count();
        let other = example::measurement("other", "TLD 10 k, uniform", 888.0);
        run.measurements.insert(0, other);
        let picture = svg(&run).unwrap();
        let document = roxmltree::Document::parse(&picture).unwrap();
        let named = |name: &'static str| {
            let all = document.descendants();
            all.filter(move |node| node.tag_name().name() == name)
        };
        assert_eq!(named("rect").count(), shown);
        let texts: Vec<&str> = named("text").filter_map(|node| node.text()).collect();
        for content in [
            "root, referrals",
            "<a> & b",
            "777",
            "5.00 k",
            "dns-glue",
            "1 k",
        ] {
            assert!(texts.contains(&content), "{content}: {texts:?}");
        }
        assert!(!texts.contains(&"other"), "{texts:?}");
        assert_eq!(named("path").count(), shown);
        for node in named("rect") {
            let number = |name| node.attribute(name).unwrap().parse::<f64>().unwrap();
            let (start, width) = (number("x"), number("width"));
            assert!(width > 0.0 && start + width <= WIDTH - NUMBER_WIDTH + 0.1);
        }
    }

    #[test]
    fn bars_are_logarithmic() {
        let scale = Scale { from: 1, to: 4 };
        let steps = [10.0, 100.0, 1000.0, 10_000.0].map(|ns| scale.x(ns));
        assert!((steps[0] - LABEL_WIDTH).abs() < 1e-9);
        let first = steps[1] - steps[0];
        assert!(
            steps
                .windows(2)
                .all(|pair| (pair[1] - pair[0] - first).abs() < 1e-9)
        );
    }

    #[test]
    fn nothing_measured_is_no_picture() {
        let mut run = example::run();
        run.measurements.clear();
        assert_eq!(svg(&run), None);
    }
}
