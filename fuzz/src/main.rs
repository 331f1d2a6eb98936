//! `fuzz/run`: every target for a while, or one input again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use otaru_fuzz::run::{self, Watch, once};
use otaru_fuzz::targets::{self, Ground, Target};

/// Feeds parsers with mutated input
#[derive(Parser)]
#[command(name = "fuzz/run")]
struct Options {
    /// Targets; all of them unless named
    targets: Vec<String>,
    /// How long each of them runs
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    /// Where the randomness begins; another one each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Checks this one input and nothing else
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Lists the targets
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut all = targets::all();
    if let Some(unknown) = options.targets.iter().find(|name| !all.iter().any(|target| target.name == *name)) {
        eprintln!("there is no target {unknown}; --list tells which there are");
        return ExitCode::from(2);
    }
    all.retain(|target| options.targets.is_empty() || options.targets.iter().any(|name| target.name == *name));
    if options.list {
        all.iter().for_each(|target| println!("{:14} {}", target.name, target.about));
        return ExitCode::SUCCESS;
    }
    let seed = options.seed.unwrap_or_else(|| u64::from_le_bytes(otaru_core::clock::random()));
    let (mut ground, watch) = (Ground::default(), Watch::begin());
    let mut failed = 0;
    for target in &all {
        let verdict = match &options.input {
            Some(path) => again(target, &mut ground, &watch, path),
            None => for_a_while(target, &mut ground, &watch, seed, options.seconds),
        };
        match verdict {
            Ok(line) => println!("{:14} {line}", target.name),
            Err(line) => {
                failed += 1;
                println!("{:14} FAILED: {line}", target.name);
            }
        }
    }
    println!("{} passed, {failed} failed (seed {seed})", all.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn for_a_while(target: &Target, ground: &mut Ground, watch: &Watch, seed: u64, seconds: f64) -> Result<String, String> {
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    let figures = run::run(target, ground, watch, seed, time);
    let figures = figures.map_err(|failure| format!("{}\n  the input is {}", failure.what, failure.kept.display()))?;
    Ok(format!(
        "{:>9} inputs in {seconds} s, {:>4} outcomes, slowest {:>4} ms, {:>6} KiB more",
        figures.inputs,
        figures.outcomes,
        figures.slowest.as_millis(),
        figures.grown_kib
    ))
}

fn again(target: &Target, ground: &mut Ground, watch: &Watch, path: &std::path::Path) -> Result<String, String> {
    let input = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    once(target, ground, watch, &input).map_err(|failure| failure.what)
}
