//! The one line that says the server can be used, and under which addresses.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

/// `ready http=127.0.0.1:8080 objects=127.0.0.1:9000 …`: each open door under the name of its
/// option, with its real port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    doors: Vec<(&'static str, SocketAddr)>,
}

impl Ready {
    /// Adds a door. Doors are named in the order in which they are added.
    #[must_use]
    pub fn with(mut self, name: &'static str, address: SocketAddr) -> Self {
        self.doors.push((name, address));
        self
    }

    /// Writes the line to standard output, where nothing else is written: whoever started us can
    /// wait for it. The log goes to standard error, so the line does not depend on the log's level
    /// or format.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn announce(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{self}")?;
        out.flush()
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ready")?;
        self.doors.iter().try_for_each(|(name, address)| write!(f, " {name}={address}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_every_door_in_order() {
        let line = Ready::default()
            .with("http", ([127, 0, 0, 1], 8080).into())
            .with("objects", ([127, 0, 0, 1], 9000).into())
            .with("https", "[::1]:8443".parse().expect("an address"));
        assert_eq!(line.to_string(), "ready http=127.0.0.1:8080 objects=127.0.0.1:9000 https=[::1]:8443");
    }
}
