//! The `dns-glue` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    match dns_glue::cli::main() {
        Ok(status) => status,
        // Not returned from main: its form is for programmers.
        Err(error) => {
            dns_glue::cli::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
