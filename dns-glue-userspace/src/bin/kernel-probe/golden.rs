//! The table of golden cases, of which each is a test run of the program.

use anyhow::Result;

use super::cases::{self, Case, Setup};
use super::check::{check, check_octets};
use super::machine::tell;
use super::program_support::program::Program;
use super::score::Score;

/// Loads the program of each setup, and no more.
///
/// # Errors
///
/// The kernel refuses one.
pub fn load() -> Result<()> {
    each_setup(|_, _| ())
}

/// Loads the program of each setup and runs it on the setup's cases.
///
/// # Errors
///
/// The kernel refuses a program; what goes wrong with a case is only told.
pub fn run() -> Result<()> {
    let cases = cases::all();
    let written_out = cases::written_out();
    let mut score = Score::of(cases.len() + written_out.len());
    each_setup(|setup, program| {
        for case in cases.iter().filter(|case| case.setup == setup) {
            score.attempt(case, || run_case(program, case));
        }
        if setup == Setup::Plain {
            for (query, reply) in &written_out {
                score.attempt("a reply written out", || {
                    let (reason, octets) = program.run_counted(query);
                    check_octets(reply, reason, &octets);
                });
            }
        }
    })?;
    tell("golden", score);
    Ok(())
}

fn run_case(program: &Program, case: &Case) {
    let (reason, octets) = program.run_counted(&case.frame);
    check(case, reason, &octets);
}

/// Does something with the program of each setup, one after the other, and
/// tells of the largest.
fn each_setup(mut action: impl FnMut(Setup, &Program)) -> Result<()> {
    let mut instructions = None;
    let mut jited_octets = 0;
    for setup in Setup::ALL {
        let program = Program::try_load(setup.memory()).inspect_err(|_| tell("loaded", "no"))?;
        let facts = program.facts();
        println!("{setup:?}: {facts:?}");
        instructions = instructions.max(facts.verified_instructions);
        jited_octets = jited_octets.max(facts.jited_octets);
        action(setup, &program);
    }
    tell("loaded", "yes");
    if let Some(instructions) = instructions {
        tell("instructions", instructions);
    }
    tell("jited", jited_octets);
    Ok(())
}
