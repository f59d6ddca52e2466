//! How soon the program is there, and how large it is.

use std::process::Command;

use crate::measure;

pub fn run() {
    let own = measure::best(50, || {
        let mut command = measure::aksiso();
        command.arg("--version");
        command
    });
    let nothing = measure::best(50, || Command::new("true"));
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_aksiso")).expect("the program").len();
    #[allow(clippy::cast_precision_loss, reason = "a size in MB")]
    let size = size as f64 / 1e6;
    println!("startup");
    println!("  --version: {:.1} ms (starting any process here: {:.1} ms; goal: under 5 ms)", ms(&own), ms(&nothing));
    println!("  size: {size:.1} MB (goal: at most 15 MB)");
}

fn ms(cost: &measure::Cost) -> f64 {
    cost.wall.as_secs_f64() * 1e3
}
