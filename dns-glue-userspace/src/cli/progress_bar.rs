//! The progress bar of a long compile.

use std::time::Duration;

use indicatif::ProgressStyle;

use crate::progress::Progress;

/// A bar on stderr that shows itself only when a phase takes long; its drop
/// clears it.
pub struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    /// An empty bar.
    pub fn new() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }
}

impl Progress for ProgressBar {
    fn begin(&self, phase: &str, steps: u64) {
        let template = if steps == 0 {
            "{spinner} {msg} ({elapsed})"
        } else {
            "{spinner} {msg} {wide_bar} {human_pos}/{human_len} ({eta} left)"
        };
        let style = ProgressStyle::with_template(template).expect("a template of this file");
        self.0.set_style(style);
        self.0.reset();
        self.0.set_length(steps);
        self.0.set_message(phase.to_owned());
    }

    fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
