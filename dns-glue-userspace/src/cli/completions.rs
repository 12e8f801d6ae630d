//! `dns-glue completions`: for packages, the shell's completions.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Print the completions of a shell
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every subcommand returns a result"
)]
pub fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut command = super::Cli::command();
    clap_complete::generate(args.shell, &mut command, "dns-glue", &mut std::io::stdout());
    Ok(())
}
