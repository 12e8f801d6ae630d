//! A run in words, in pictures and for the README.
//!
//! ```text
//! results -> evidence -> goals (what was to be reached)
//!         -> tables (rows of cells) -> table (as text, as Markdown)
//!         -> legend (how to read them)
//!         -> plot (SVG)
//! ```

pub mod evidence;
pub mod goals;
pub mod legend;
pub mod number;
pub mod plot;
pub mod table;
pub mod tables;

use super::results::Run;
use table::Table;

/// All tables as text.
#[must_use]
pub fn text(run: &Run) -> String {
    write(run, Table::text)
}

/// All tables as Markdown, each with its heading in bold.
#[must_use]
pub fn markdown(run: &Run) -> String {
    write(run, Table::markdown)
}

fn write(run: &Run, form: impl Fn(&Table) -> String) -> String {
    let tables = tables::all(run);
    let tables: Vec<String> = tables.iter().map(form).collect();
    let lines = legend::lines(run).into_iter();
    let lines: String = lines.map(|line| format!("\n- {line}")).collect();
    let machine = tables::machine(&run.machine);
    let circumstances = tables::circumstances(&run.circumstances);
    format!(
        "{machine}\n{circumstances}\n\n{}{lines}\n",
        tables.join("\n")
    )
}

#[cfg(test)]
pub(crate) mod example;
