//! Signals of the operating system: SIGTERM and SIGINT drain, SIGHUP reloads.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The exit code after a second request to stop: the shell's convention for SIGINT.
const IMPATIENT: i32 = 130;

/// What the outside asks of the process.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Cancelled by the first SIGTERM or SIGINT. A second one ends the process at once.
    pub drain: CancellationToken,
    /// Changes with every SIGHUP.
    pub hangup: watch::Receiver<u64>,
}

impl Signals {
    /// Begins to listen. Has to be called inside the runtime, once.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn install() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let (hangups, hangup) = watch::channel(0);
        let drain = CancellationToken::new();
        let signals = Self { drain: drain.clone(), hangup };
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => stop(&drain, "SIGTERM"),
                    _ = interrupt.recv() => stop(&drain, "SIGINT"),
                    _ = hang_up.recv() => {
                        tracing::info!("SIGHUP: reloading");
                        hangups.send_modify(|count| *count += 1);
                    }
                }
            }
        });
        Ok(signals)
    }
}

fn stop(drain: &CancellationToken, name: &str) {
    if drain.is_cancelled() {
        tracing::warn!("{name} again: stopping at once");
        std::process::exit(IMPATIENT);
    }
    tracing::info!("{name}: draining, no new connections");
    drain.cancel();
}
