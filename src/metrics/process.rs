//! What the process itself uses, under the names that every Prometheus client has for it. Read from `/proc`, at each scrape;
//! where there is none, these numbers are missing.

use std::fs;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Clock ticks per second in `/proc`, the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

pub fn describe() {
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Memory that is in use.");
    describe_gauge!("process_virtual_memory_bytes", Unit::Bytes, "Memory that is mapped.");
    describe_gauge!("process_open_fds", "File descriptors that are open.");
    describe_gauge!("process_max_fds", "File descriptors that may be open.");
    describe_gauge!("process_threads", "Threads.");
    describe_counter!("process_cpu_seconds_total", Unit::Seconds, "Processor time, rounded down.");
}

/// Takes the numbers of this moment.
pub fn measure() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kibibytes) = field(&status, "VmRSS:") {
        gauge!("process_resident_memory_bytes").set(kibibytes * 1024.0);
    }
    if let Some(kibibytes) = field(&status, "VmSize:") {
        gauge!("process_virtual_memory_bytes").set(kibibytes * 1024.0);
    }
    if let Some(threads) = field(&status, "Threads:") {
        gauge!("process_threads").set(threads);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(open.count() as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = field(&limits, "Max open files") {
        gauge!("process_max_fds").set(most);
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&stat) {
        counter!("process_cpu_seconds_total").absolute(seconds as u64);
    }
}

/// The first number behind `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Time in the program and in the kernel: the 14th and 15th field, counted behind the name, which may contain anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_what_the_kernel_writes() {
        let status = "Name:\totaru\nVmSize:\t  102400 kB\nVmRSS:\t   20480 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(20_480.0));
        assert_eq!(field(status, "Threads:"), Some(7.0));
        assert_eq!(field(status, "VmSwap:"), None);
        assert_eq!(
            field("Max open files            1024                 4096                 files", "Max open files"),
            Some(1024.0)
        );
        assert_eq!(
            field("Max open files            unlimited            unlimited            files", "Max open files"),
            None
        );
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds(""), None);
    }
}
