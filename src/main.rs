//! The binary `otaru`.

mod background;
mod cli;
mod config;
mod doors;
mod first_start;
mod house;
mod listen;
mod log;
mod metrics;
mod migrate;
mod requests;
mod serve;

use std::error::Error;
use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use config::{Config, Secrets};

// glibc's allocator gives back what was freed and is as fast here: after a million hostile requests, of which ten megabytes are in
// use, it holds half of what mimalloc does (docs/adr/0017-cost-of-a-request.md). musl's own is slow.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Self-hosted over-the-air updates that speak the clouds' own APIs
#[derive(Debug, Parser)]
#[command(name = "otaru", version, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve every door until SIGTERM
    Serve(Box<Config>),
    /// Bring the database's schema up to date (serving does it too)
    Migrate(Migrate),
    #[command(flatten)]
    Client(Box<cli::Command>),
}

#[derive(Debug, Args)]
struct Migrate {
    /// Change nothing; tell what would be done, and exit with 1 if it is anything
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    config: Box<Config>,
}

fn main() -> ExitCode {
    listen::tls::install_provider();
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // The typed values of the configuration are dropped: the same flags are read again, with file and environment under them.
    let flags = matches.subcommand().map_or(&matches, |(_, flags)| flags);
    let outcome = match cli.command {
        Command::Serve(_) => load(flags).and_then(|(config, secrets)| serve::run(&config, &secrets)).map(|()| true),
        Command::Client(command) => return cli::run(*command, flags),
        Command::Migrate(options) => load(flags).and_then(|(config, _)| migrate_now(&config, options.check)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("otaru: {error}");
            ExitCode::FAILURE
        }
    }
}

fn load(flags: &ArgMatches) -> Result<(Config, Secrets), Box<dyn Error>> {
    Ok(Config::load(flags, std::env::vars_os())?)
}

fn migrate_now(config: &Config, check: bool) -> Result<bool, Box<dyn Error>> {
    log::begin(&config.log);
    tokio::runtime::Runtime::new()?.block_on(migrate::run(config, check))
}
