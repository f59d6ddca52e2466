//! Parse, run, print the error and its hint, exit.

use std::io::Write as _;
use std::process::ExitCode;

use aksiso::app::cli::Cli;
use aksiso::app::exit::Exit;
use aksiso::text::problem::Problem;
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(aksiso::app::run(cli));
        // A sign-in plug-in that hangs must not keep the process alive.
        runtime.shutdown_background();
        outcome
    });
    outcome.map_or_else(|error| report(&error), ExitCode::from)
}

/// Says what was wrong and what to do next.
fn report(error: &anyhow::Error) -> ExitCode {
    let mut text = format!("error: {error:#}\n");
    if let Some(problem) = error.downcast_ref::<Problem>() {
        text.push_str(&format!(" hint: {}\n", problem.hint));
    }
    // Nobody is left to tell where stderr is closed.
    let _ = anstream::stderr().write_all(aksiso::text::for_ci_log(&text).as_bytes());
    Exit::CouldNotRun.into()
}
