//! The `dns-glue` command.

use std::process::ExitCode;

use dns_glue::shortage::with_remedy;

fn main() -> ExitCode {
    match dns_glue::cli::main() {
        Ok(status) => status,
        // Not returned from main: its form is for programmers.
        Err(error) => {
            dns_glue::cli::complain(&with_remedy(format!("{error:#}"), error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
