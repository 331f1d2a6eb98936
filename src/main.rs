//! The binary `otaru`.

mod config;
mod listen;
mod log;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use config::Config;

/// Self-hosted over-the-air updates that speak the clouds' own APIs
#[derive(Debug, Parser)]
#[command(
    name = "otaru",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve every door until SIGTERM
    Serve(Box<Config>),
}

fn main() -> ExitCode {
    listen::tls::install_provider();
    let matches = Cli::command().get_matches();
    // The typed values are dropped: the same flags are read again, with file and environment under
    // them.
    let Command::Serve(_) = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli.command,
        Err(error) => error.exit(),
    };
    let flags = matches
        .subcommand()
        .map(|(_, flags)| flags)
        .unwrap_or(&matches);
    let outcome = Config::load(flags, std::env::vars_os())
        .map_err(|error| Box::new(error) as Box<dyn std::error::Error>)
        .and_then(|(config, secrets)| serve::run(&config, &secrets));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("otaru: {error}");
            ExitCode::FAILURE
        }
    }
}
