//! The arguments about the server behind, and about a daemon that is gone.

use std::time::Duration;

use clap::Args;

use crate::serve::behind::Policy;

/// The word for a duration that never ends.
const NEVER: &str = "never";

/// When referrals are not to be given.
#[derive(Args, Clone, Debug)]
pub struct BehindArgs {
    /// How long the server behind may have another serial than the compiled
    /// zone: after that its queries pass, until the two agree
    ///
    /// As 90s, 10m, 1h, 1d, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    max_lag: Duration,

    /// Give referrals only while the server behind answers over UDP and TCP: a
    /// zone that it answers at no service address passes until it does
    #[arg(long)]
    require_fallback: bool,

    /// How long referrals are given after the daemon has died or hangs: after
    /// that everything passes
    ///
    /// As 90s, 10m, 1h, 1d, or `never`.
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = at_least_a_second)]
    max_unattended: Duration,
}

impl BehindArgs {
    /// What follows from what the server behind does.
    pub fn policy(&self) -> Policy {
        Policy {
            max_lag: self.max_lag,
            require_fallback: self.require_fallback,
        }
    }

    /// How long referrals are given without a daemon; [`Duration::MAX`] for
    /// ever.
    pub fn max_unattended(&self) -> Duration {
        self.max_unattended
    }
}

/// Reads a duration: numbers with units, or `never`.
fn duration(text: &str) -> Result<Duration, String> {
    if text == NEVER {
        return Ok(Duration::MAX);
    }
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write 90s, 10m, 1h, 1d or {NEVER}"))
}

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) {
        return Err(String::from("at least a second"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        behind: BehindArgs,
    }

    fn parse(line: &str) -> Result<BehindArgs, String> {
        let line = Line::try_parse_from(line.split_whitespace());
        line.map(|line| line.behind)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_read() {
        let args = parse("run").expect("there are defaults");
        let policy = Policy {
            max_lag: Duration::from_secs(600),
            require_fallback: false,
        };
        assert_eq!(args.policy(), policy);
        assert_eq!(args.max_unattended(), Duration::from_secs(86_400));
        for (text, seconds) in [("0s", 0), ("90s", 90), ("1h", 3600), ("1h 30m", 5400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        let args = parse("run --max-lag never --max-unattended 1s --require-fallback");
        let args = args.expect("all of it");
        assert_eq!(args.policy().max_lag, Duration::MAX);
        assert!(args.policy().require_fallback);
        assert_eq!(args.max_unattended(), Duration::from_secs(1));
    }

    #[test]
    fn what_is_no_duration_is_refused_by_the_name_of_its_option() {
        for (line, why) in [
            ("run --max-lag 10", "write 90s, 10m"),
            ("run --max-lag soon", "write 90s, 10m"),
            ("run --max-lag=-1s", "'--max-lag <DURATION>'"),
            (
                "run --max-unattended 10parsecs",
                "'--max-unattended <DURATION>'",
            ),
            ("run --max-unattended 999ms", "at least a second"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
