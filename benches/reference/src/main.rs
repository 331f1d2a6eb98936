//! What the benchmarks hold Otaru against: the same statements, commits and bytes, with nothing around them.

mod commits;
mod files;
mod handler;
mod statement;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
enum Command {
    /// Answer every request on an address with one statement of Otaru's store run and so many bytes written
    Handler {
        #[command(flatten)]
        database: Database,
        /// The statement's name in the store
        #[arg(long)]
        name: String,
        /// What the statement's text must have in it, if several have the name
        #[arg(long, default_value = "")]
        holding: String,
        /// Its parameters as a JSON list; a text that begins with `x'` is bytes in hexadecimal digits
        #[arg(long)]
        parameters: String,
        #[command(flatten)]
        answer: Answer,
    },
    /// Put rows on record, each committed before the next of its caller, and tell how many in a second
    Commits {
        #[command(flatten)]
        database: Database,
        #[arg(long, default_value_t = 32)]
        callers: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Copy a file and sync it; tell the seconds
    Copy { from: PathBuf, to: PathBuf },
    /// Hash a file with the digests that Otaru takes of an upload; tell the seconds
    Hash { file: PathBuf },
}

/// One of the two.
#[derive(Debug, Args, Clone)]
#[group(required = true, multiple = false)]
struct Database {
    #[arg(long)]
    sqlite: Option<PathBuf>,
    #[arg(long)]
    postgres: Option<String>,
}

#[derive(Debug, Args, Clone)]
struct Answer {
    /// Size of each answer's body
    #[arg(long)]
    bytes: usize,
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> Result<(), Box<dyn Error>> {
    match Command::parse() {
        Command::Handler { database, name, holding, parameters, answer } => {
            handler::serve(&database, &statement::find(&name, &holding)?, statement::parameters(&parameters)?, &answer)
        }
        Command::Commits { database, callers, seconds } => commits::run(&database, callers, seconds),
        Command::Copy { from, to } => files::copy(&from, &to),
        Command::Hash { file } => files::hash(&file),
    }
}
