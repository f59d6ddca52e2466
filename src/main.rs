//! Parse, run, print the error and its hint, exit.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use aksiso::app::cli::{self, Cli};
use aksiso::app::exit::Exit;
use aksiso::text::{self, problem::Problem};
use clap::FromArgMatches as _;

fn main() -> ExitCode {
    // What a panic says may hold text from a cluster.
    std::panic::set_hook(Box::new(|panic| say(&format!("aksiso: bug: {}\n", text::clean(&panic.to_string())))));
    aksiso::app::complete();
    let matches = cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    cli.color.apply();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let run = || runtime.block_on(aksiso::app::run(cli));
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(run));
        // A sign-in plug-in that hangs must not keep the process alive.
        runtime.shutdown_background();
        outcome.unwrap_or_else(|_| {
            let hint = "please report it, with the lines above: it should not happen whatever it read";
            Err(Problem::new("aksiso failed, which is a bug", hint).into())
        })
    });
    outcome.map_or_else(|error| report(&error), ExitCode::from)
}

/// Says what was wrong and what to do next.
fn report(error: &anyhow::Error) -> ExitCode {
    let mut text = format!("error: {error:#}\n");
    if let Some(problem) = error.downcast_ref::<Problem>() {
        text.push_str(&format!(" hint: {}\n", problem.hint));
    }
    say(&text);
    Exit::CouldNotRun.into()
}

fn say(text: &str) {
    // Nobody is left to tell where stderr is closed.
    let _ = anstream::stderr().write_all(text::for_ci_log(text).as_bytes());
}
