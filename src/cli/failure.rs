//! Why a command did not succeed, and the exit code that scripts see. The codes are documented in `docs/cli.md`.

use std::fmt;
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check found something wrong: bytes differ, the doctor found a fault.
    Check,
    /// The command cannot be carried out as it was given.
    Usage,
    /// The server refused the request.
    Refused,
    /// The server cannot be reached, or failed.
    Server,
}

impl Kind {
    pub fn code(self) -> u8 {
        match self {
            Kind::Check => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Server => 4,
        }
    }
}

/// What went wrong and, where there is something, what to do.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub text: String,
    pub advice: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into(), advice: None }
    }

    pub fn usage(text: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, text)
    }

    pub fn advise(self, advice: impl Into<String>) -> Failure {
        Failure { advice: Some(advice.into()), ..self }
    }

    /// Tells it on stderr.
    pub fn report(&self) -> ExitCode {
        eprintln!("otaru: {}", self.text);
        if let Some(advice) = &self.advice {
            eprintln!("       {advice}");
        }
        ExitCode::from(self.kind.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A file of this machine that cannot be read or written.
pub fn file(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}
