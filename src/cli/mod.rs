//! The command line: what people and scripts do with a server, over its own API. Exit codes are in `docs/cli.md`.

mod client;
mod descriptor;
mod doctor;
mod failure;
mod import;
mod packages;
mod push;
mod records;
mod table;

use std::process::ExitCode;

use clap::{ArgMatches, Args, Subcommand};

use client::Connection;
use failure::{Failure, Kind};

use crate::config::Config;

/// The commands that talk to a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tenants: accounts whose records no other account can see
    Tenant(Noun<records::Tenant>),
    /// Access keys: who may sign in, in which role
    Key(Noun<records::Key>),
    /// Spaces: groups of products
    Space(Noun<records::Space>),
    /// Products: kinds of devices
    Product(Noun<records::Product>),
    /// Modules: parts of a product that are upgraded on their own
    Module(Noun<records::Module>),
    /// Packages: versions of a module, and their files
    Package(Noun<packages::Package>),
    /// Look for what is wrong with this machine's configuration and with a running server
    Doctor(Box<Doctor>),
}

/// A noun's commands, and the server that they are for.
#[derive(Debug, Args)]
pub struct Noun<C: Subcommand> {
    #[command(subcommand)]
    what: C,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    config: Config,
}

/// Carries a command out. `flags` are the matches of its subcommand.
pub fn run(command: Command, flags: &ArgMatches) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Usage, format!("no runtime: {error}")))
        .and_then(|runtime| runtime.block_on(carry_out(command, flags)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn carry_out(command: Command, flags: &ArgMatches) -> Result<(), Failure> {
    match command {
        Command::Tenant(Noun { what, connection }) => {
            records::tenant(&connection.client()?, what, connection.json).await
        }
        Command::Key(Noun { what, connection }) => records::key(&connection.client()?, what, connection.json).await,
        Command::Space(Noun { what, connection }) => records::space(&connection.client()?, what, connection.json).await,
        Command::Product(Noun { what, connection }) => {
            records::product(&connection.client()?, what, connection.json).await
        }
        Command::Module(Noun { what, connection }) => {
            records::module(&connection.client()?, what, connection.json).await
        }
        Command::Package(Noun { what, connection }) => {
            packages::run(&connection.client()?, what, connection.json).await
        }
        Command::Doctor(options) => doctor::run(&options.connection, flags).await,
    }
}
