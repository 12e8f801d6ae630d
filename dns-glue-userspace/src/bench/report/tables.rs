//! The tables of a run.

use super::number::{count, octets, three_digits};
use super::table::Table;
use crate::bench::results::{
    Asked, Circumstances, Failure, Goal, LeftOut, Machine, Measurement, ProgramCase, Run, Spread,
    Verdict, ZoneWork, contender,
};

/// All of them; those without a row are left out.
#[must_use]
pub fn all(run: &Run) -> Vec<Table> {
    let mut tables = vec![goals(&run.goals)];
    for workload in distinct(run.measurements.iter().map(|one| &one.workload)) {
        let of_it = run
            .measurements
            .iter()
            .filter(|one| &one.workload == workload);
        tables.push(load(workload, &of_it.collect::<Vec<_>>()));
    }
    for zone in distinct(run.zone_work.iter().map(|one| &one.zone)) {
        let of_it = run.zone_work.iter().filter(|one| &one.zone == zone);
        tables.push(zone_work(&of_it.collect::<Vec<_>>()));
    }
    tables.push(phases(&run.zone_work));
    tables.push(cases(&run.cases));
    tables.push(failures(&run.failures));
    tables.push(left_out(&run.left_out));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// The machine in one line.
#[must_use]
pub fn machine(machine: &Machine) -> String {
    let Machine {
        cpu,
        cores,
        memory_octets,
        kernel,
        knot,
        nsd,
        bind,
    } = machine;
    let servers = [("Knot DNS", knot), ("NSD", nsd), ("BIND", bind)];
    let servers = servers.iter().map(|(name, version)| match version {
        Some(version) => format!(", {name} {version}"),
        None => format!(", no {name}"),
    });
    let servers: String = servers.collect();
    let noun = if *cores == 1 { "core" } else { "cores" };
    let memory = octets(*memory_octets);
    format!("{cpu}, {cores} {noun}, {memory}, Linux {kernel}{servers}")
}

/// Of what a run is, in one line.
#[must_use]
pub fn circumstances(circumstances: &Circumstances) -> String {
    let Circumstances {
        commit,
        date,
        options,
        rounds,
        jit,
        load_before,
        load_after,
        stolen_share,
        // These are long, and in the JSON.
        seed: _,
        contenders: _,
        jit_harden: _,
        mitigations: _,
    } = circumstances;
    let commit = commit.as_deref().unwrap_or("unknown");
    let options = match options.is_empty() {
        true => String::new(),
        false => format!(", {}", options.join(" ")),
    };
    let jit = match jit {
        Some(0) => ", no JIT",
        _ => "",
    };
    let stolen = 100.0 * stolen_share;
    format!(
        "{date}, commit {commit}{options}, {rounds} rounds{jit}; load before {load_before}, \
         after {load_after}; stolen {stolen:.1} %"
    )
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

fn goals(goals: &[Goal]) -> Table {
    let row = |goal: &Goal| {
        let verdict = match goal.verdict {
            Verdict::Met => "met",
            Verdict::NotMet => "not met",
            Verdict::NotMeasured => "not measured",
        };
        let number = goal.number.map(three_digits).unwrap_or_default();
        vec![
            goal.what.clone(),
            verdict.into(),
            goal.bound.clone(),
            number,
        ]
    };
    Table {
        title: "Goals".into(),
        heads: vec!["goal", "verdict", "bound", "measured"],
        rows: goals.iter().map(row).collect(),
        words: 2,
    }
}

fn load(workload: &str, measurements: &[&Measurement]) -> Table {
    let base = |name: &str| measurements.iter().find(|one| one.contender == name);
    let bases = [contender::BARE, contender::GROWING, contender::DNS_GLUE].map(base);
    let row = |one: &&Measurement| {
        let [bare, growing, ours] = bases.map(|base| {
            let ratio = base.and_then(|base| one.core_time_to(base));
            ratio.map(three_digits).unwrap_or_default()
        });
        let latency = |of: fn(&crate::bench::results::Latency) -> f64| {
            one.latency
                .as_ref()
                .map(of)
                .map(three_digits)
                .unwrap_or_default()
        };
        vec![
            contender_cell(one),
            asked(one).to_owned(),
            spread(one.replies_per_second, count),
            format!("{:.0}", 100.0 * one.core_utilisation.median),
            count(one.replies_per_core_second()),
            lossless(one),
            one.flood
                .map(|flood| count(flood.replies_per_second))
                .unwrap_or_default(),
            spread(one.core_ns_per_reply, count),
            bare,
            growing,
            ours,
            one.program_ns
                .map(|ns| count(ns.median))
                .unwrap_or_default(),
            latency(|latency| latency.p50_us),
            latency(|latency| latency.p99_us),
            share(one.losses.share()),
            share(one.unanswered),
            one.socket_drops.to_string(),
            format!("{:.0}", one.reply_octets_mean),
            rcodes(one),
        ]
    };
    Table {
        title: format!("Load: {workload}"),
        heads: vec![
            "contender",
            "asked",
            "replies/s",
            "core %",
            "/s of core",
            "lossless/s",
            "flooded/s",
            "core ns",
            "/ reflector",
            "/ growing",
            "/ dns-glue",
            "program ns",
            "p50 us",
            "p99 us",
            "lost",
            "unanswered",
            "drops",
            "octets",
            "replies",
        ],
        rows: measurements.iter().map(row).collect(),
        words: 2,
    }
}

/// How much was asked while core time was taken, and whether that was enough.
fn asked(measurement: &Measurement) -> &'static str {
    match (measurement.asked, measurement.is_saturated()) {
        (Asked::AsFastAsCanBe, true) => "saturated",
        (Asked::AsFastAsCanBe, false) => "NOT saturated",
        (Asked::NearLossless, _) => "0.95 lossless",
    }
}

/// The highest rate without loss, or the highest that could be tried.
fn lossless(measurement: &Measurement) -> String {
    let rate = measurement.lossless_rate.map(count).unwrap_or_default();
    match measurement.lossless_is_least {
        true => format!("\u{2265} {rate}"),
        false => rate,
    }
}

/// Its name, and how frames come to its `AF_XDP` sockets.
fn contender_cell(measurement: &Measurement) -> String {
    let how = match measurement.copies_frames {
        Some(true) => " (copies)",
        Some(false) => " (zero copy)",
        None => "",
    };
    format!("{}{how}", measurement.contender)
}

/// The median, and how far the rounds lie from it: `1.24 M ±3 %`. One round
/// says nothing of that.
fn spread(spread: Spread, form: impl Fn(f64) -> String) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        return form(median);
    }
    let farthest = (max - median).max(median - min);
    let percent = 100.0 * farthest / median;
    if percent.is_finite() {
        format!("{} \u{b1}{percent:.0} %", form(median))
    } else {
        form(median)
    }
}

/// Hundredths; nothing of nothing.
fn share(part: f64) -> String {
    if part == 0.0 {
        return String::from("0");
    }
    format!("{:.2} %", 100.0 * part)
}

/// `NOERROR`, or `NOERROR 45 %, NXDOMAIN 55 %`, and TC=1 if there is any.
fn rcodes(measurement: &Measurement) -> String {
    let total: u64 = measurement.rcodes.values().sum();
    let share = |part: u64| format!("{:.0} %", 100.0 * part as f64 / total as f64);
    let several = measurement.rcodes.len() > 1;
    let parts = measurement
        .rcodes
        .iter()
        .map(|(name, replies)| match several {
            true => format!("{name} {}", share(*replies)),
            false => name.clone(),
        });
    let mut parts: Vec<String> = parts.collect();
    if measurement.truncated != 0 {
        parts.push(format!("TC=1 {}", share(measurement.truncated)));
    }
    parts.join(", ")
}

fn zone_work(works: &[&ZoneWork]) -> Table {
    let ours = works
        .iter()
        .find(|one| one.contender == contender::DNS_GLUE);
    let ours = ours.map(|one| one.ready_seconds.median);
    let row = |one: &&ZoneWork| {
        let ready = one.ready_seconds.median;
        let ratio = ours.map(|ours| three_digits(ready / ours));
        let total = one
            .served_octets
            .map(|served| served + one.map_octets.unwrap_or(0));
        vec![
            one.contender.clone(),
            spread(one.ready_seconds, three_digits),
            ratio.unwrap_or_default(),
            spread(one.cpu_seconds, three_digits),
            octets(one.peak_octets),
            one.served_octets.map(octets).unwrap_or_default(),
            one.map_octets.map(octets).unwrap_or_default(),
            per_delegation(one.map_octets, one.delegations),
            per_delegation(total, one.delegations),
            one.reload_seconds
                .map(|seconds| spread(seconds, three_digits))
                .unwrap_or_default(),
            one.reload_peak_octets.map(octets).unwrap_or_default(),
            one.restart_seconds
                .map(|seconds| spread(seconds, three_digits))
                .unwrap_or_default(),
        ]
    };
    let title = works.first().map_or(String::new(), |one| {
        let (zone, delegations, file) = (&one.zone, one.delegations, octets(one.file_octets));
        format!("Zone: {zone}, {delegations} delegations, a file of {file}")
    });
    Table {
        title,
        heads: vec![
            "server",
            "ready s",
            "/ dns-glue",
            "CPU s",
            "peak",
            "serving",
            "maps",
            "maps each",
            "all each",
            "reload s",
            "reload peak",
            "restart s",
        ],
        rows: works.iter().map(row).collect(),
        words: 1,
    }
}

/// Octets for each delegation.
fn per_delegation(octets: Option<u64>, delegations: u64) -> String {
    match octets {
        Some(octets) if delegations != 0 => format!("{}", octets / delegations),
        _ => String::new(),
    }
}

fn phases(works: &[ZoneWork]) -> Table {
    let of_work = |work: &ZoneWork| {
        let row = |phase: &crate::bench::results::Phase| {
            let seconds = three_digits(phase.seconds);
            vec![
                work.contender.clone(),
                work.zone.clone(),
                phase.name.clone(),
                seconds,
            ]
        };
        work.phases.iter().map(row).collect::<Vec<_>>()
    };
    Table {
        title: "Parts of the work on a zone".into(),
        heads: vec!["server", "zone", "part", "seconds"],
        rows: works.iter().flat_map(of_work).collect(),
        words: 3,
    }
}

fn failures(failures: &[Failure]) -> Table {
    let row = |one: &Failure| {
        // A log of several lines would end the row.
        let error = one.error.split_whitespace().collect::<Vec<_>>().join(" ");
        vec![one.contender.clone(), one.what.clone(), error]
    };
    Table {
        title: "Failed".into(),
        heads: vec!["contender", "where", "why"],
        rows: failures.iter().map(row).collect(),
        words: 3,
    }
}

fn left_out(left_out: &[LeftOut]) -> Table {
    let row = |one: &LeftOut| vec![one.what.clone(), one.why.clone()];
    Table {
        title: "Left out".into(),
        heads: vec!["what", "why"],
        rows: left_out.iter().map(row).collect(),
        words: 2,
    }
}

fn cases(cases: &[ProgramCase]) -> Table {
    let row = |case: &ProgramCase| {
        let ratios = [case.over_bare, case.over_growing];
        let [bare, growing] = ratios.map(|ratio| ratio.map(three_digits).unwrap_or_default());
        vec![case.name.clone(), three_digits(case.ns), bare, growing]
    };
    Table {
        title: "The program alone, on a frame in memory".into(),
        heads: vec!["case", "ns", "/ reflector", "/ growing"],
        rows: cases.iter().map(row).collect(),
        words: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{example, markdown, text};

    #[test]
    fn text_has_the_numbers_and_the_ratios() {
        let text = text(&example::run());
        let line_after = |title: &str, start: &str| {
            let (_, rest) = text.split_once(title).unwrap_or_default();
            let line = rest.lines().find(|line| line.starts_with(start));
            let line = line.unwrap_or_else(|| panic!("no line {start} in\n{text}"));
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            line_after("", "Made-up CPU"),
            "Made-up CPU, 2 cores, 1.0 GiB, Linux 6.18.0, Knot DNS 3.2.6, NSD 4.6.1, no BIND"
        );
        assert_eq!(
            line_after("Load: root, referrals\n", "nsd  "),
            "nsd 0.95 lossless 160 k \u{b1}10 % 70 200 k 150 k 10.0 k 5.00 k \u{b1}10 % 50.0 25.0 12.5 \
             - 40.0 90.0 0.05 % 0.04 % 7 400 NOERROR 90 %, SERVFAIL 10 %, TC=1 5 %"
        );
        let zone = "Zone: TLD 1 M, 1000000 delegations, a file of 100.0 MiB\n";
        assert!(text.contains(zone), "{text}");
        assert_eq!(
            line_after("Zone: ", "Knot  "),
            "Knot 4.00 \u{b1}25 % 2.00 3.00 900.0 MiB 800.0 MiB - - 838 5.00 1.0 GiB 6.00"
        );
        assert_eq!(
            line_after("Parts", "dns-glue  TLD 1 M  compiling"),
            "dns-glue TLD 1 M compiling 1.50"
        );
        assert_eq!(
            line_after("", "2026"),
            "2026-01-02T03:04:05Z, commit 0123abcd, --quick, 3 rounds; load before 0.25, after 1.5; \
             stolen 2.0 %"
        );
        assert_eq!(
            line_after("Failed", "knot-xdp"),
            "knot-xdp root, referrals it does not start"
        );
        assert_eq!(
            line_after("Left out", "BIND"),
            "BIND, what a zone takes it is not installed"
        );
        assert_eq!(
            line_after("The program", "miss"),
            "miss: no delegation 30.0 2.00 1.00"
        );
    }

    #[test]
    fn what_was_not_measured_has_no_table() {
        let mut run = example::run();
        run.cases.clear();
        run.measurements.clear();
        let text = markdown(&run);
        assert!(!text.contains("The program alone"), "{text}");
        assert!(!text.contains("Load"), "{text}");
        assert!(text.contains("**Zone: TLD 1 M"), "{text}");
        assert!(text.contains("| not met |"), "{text}");
    }
}
