//! How the program is attached, the same for every subcommand.

use clap::ValueEnum;

use crate::kernel::attach::{AttachMode, ModeChoice};

/// A way of attaching.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Mode {
    /// Native where the driver can, generic elsewhere; says which
    Auto,
    /// By the driver, or not at all
    Native,
    /// By the network stack: any interface, slower
    Generic,
}

impl Mode {
    /// What it is for the kernel.
    pub fn choice(self) -> ModeChoice {
        match self {
            Self::Auto => ModeChoice::Auto,
            Self::Native => ModeChoice::Only(AttachMode::Native),
            Self::Generic => ModeChoice::Only(AttachMode::Generic),
        }
    }
}
