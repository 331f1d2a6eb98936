//! File descriptors: a connection is one, a download is two. Shells and service managers hand a process few of them and let it
//! take more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many as the system lets us have, and answers how many that is; nothing stands for no limit.
pub fn take_all() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "no more file descriptors than at the start");
            limit.current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_may_be_had_is_taken() {
        let before = getrlimit(Resource::Nofile);
        let most = before.maximum.expect("a limit");
        // Hardly less, so that tests beside this one notice nothing.
        setrlimit(Resource::Nofile, Rlimit { current: Some(most - 1), maximum: Some(most) }).expect("ours to set");
        assert_eq!(take_all(), Some(most));
        assert_eq!(getrlimit(Resource::Nofile).current, Some(most));
        assert_eq!(take_all(), Some(most), "again there is nothing to do");
    }
}
