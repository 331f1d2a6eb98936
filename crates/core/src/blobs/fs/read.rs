//! Bytes on their way out.
//!
//! What the page cache holds is read right here: the system call says "do not wait" (`RWF_NOWAIT`), so it cannot keep the
//! runtime waiting, and a trip to the blocking pool would cost more than the copy. What is not there, and everything on
//! systems without such a call, is read in the blocking pool.
//!
//! To a connection that takes stand-ins, what the page cache holds is not read at all: the kernel sends it from there. Sending
//! waits for a disk like any other reading does, so what is not there goes the way through the blocking pool here as well.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};

use super::{Fs, object_name, off_runtime};
use crate::blobs::standin::PIECE_BYTES;
use crate::blobs::{BlobError, Digest, StandIns};

/// Bytes per item of a stream, at most.
const CHUNK_BYTES: u64 = 256 << 10;

/// What is shorter is copied also to a connection that takes stand-ins: head and bytes leave by one call and in one go, which
/// is worth more than two copies of so little.
const SENT_FROM_BYTES: u64 = 128 << 10;

/// A blob that is open for reading.
#[derive(Clone)]
pub struct BlobReader {
    file: Arc<File>,
    size_bytes: u64,
}

impl BlobReader {
    /// Length of the whole blob.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes of a range, in chunks of at most 256 KiB, or stand-ins for more if the connection takes them. Nothing outside
    /// the range is read; what of it lies behind the end of the blob is left out. The stream ends after an error.
    pub fn stream(
        &self,
        range: Range<u64>,
        connection: Option<StandIns>,
    ) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static + use<> {
        let end = range.end.min(self.size_bytes);
        let connection = connection.filter(|_| end.saturating_sub(range.start) >= SENT_FROM_BYTES);
        let reading = Reading { file: Arc::clone(&self.file), next: range.start, end, may_be_cached: true, connection };
        stream::try_unfold(
            reading,
            |mut reading| async move { Ok(reading.chunk().await?.map(|bytes| (bytes, reading))) },
        )
    }
}

impl Fs {
    pub(in crate::blobs) async fn open_blob(self: &Arc<Fs>, digest: &Digest) -> Result<BlobReader, BlobError> {
        let file = match nowait::open(&self.objects_dir, &object_name(digest)) {
            Some(file) => file,
            None => {
                let path = self.object_path(digest);
                off_runtime(move || Ok(File::open(path)?)).await?
            }
        };
        let size_bytes = file.metadata()?.len();
        Ok(BlobReader { file: Arc::new(file), size_bytes })
    }
}

struct Reading {
    file: Arc<File>,
    next: u64,
    end: u64,
    /// Cleared when the system cannot read without waiting, so that it is asked once only.
    may_be_cached: bool,
    /// Where the bytes go, if it takes stand-ins.
    connection: Option<StandIns>,
}

impl Reading {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.next >= self.end {
            return Ok(None);
        }
        if let Some(connection) = &self.connection {
            let length = (self.end - self.next).min(PIECE_BYTES);
            if is_cached(&self.file, self.next, length) {
                let piece = connection.stand_in(Arc::clone(&self.file), self.next, length as usize);
                self.next += length;
                return Ok(Some(piece));
            }
        }
        let wanted = (self.end - self.next).min(CHUNK_BYTES) as usize;
        let mut buffer = vec![0; wanted];
        let mut read = None;
        if self.may_be_cached {
            match nowait::read(&self.file, &mut buffer, self.next) {
                nowait::Read::Some(some) => read = Some(some),
                nowait::Read::NotCached => {}
                nowait::Read::Unsupported => self.may_be_cached = false,
            }
        }
        let read = match read {
            Some(read) => read,
            None => {
                let (file, offset) = (Arc::clone(&self.file), self.next);
                let read;
                (buffer, read) = off_runtime(move || {
                    let read = read_waiting(&file, &mut buffer, offset)?;
                    Ok((buffer, read))
                })
                .await?;
                read
            }
        };
        if read == 0 {
            return Err(BlobError::Corrupt);
        }
        buffer.truncate(read);
        self.next += read as u64;
        Ok(Some(Bytes::from(buffer)))
    }
}

/// Whether the page cache seems to hold a piece of a file. Asking for a byte of each chunk will do: files are read in from disk,
/// and given up again, in runs. A piece that does not reach so far because the file was cut is not there either.
fn is_cached(file: &File, offset: u64, length: u64) -> bool {
    let last = offset + length - 1;
    let mut asked = (offset..last).step_by(CHUNK_BYTES as usize).chain([last]);
    asked.all(|at| matches!(nowait::read(file, &mut [0], at), nowait::Read::Some(1)))
}

/// Fills the buffer as far as the file goes.
fn read_waiting(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Opening and reading without ever waiting for a disk.
#[cfg(target_os = "linux")]
mod nowait {
    use std::fs::File;
    use std::io::IoSliceMut;

    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    pub(super) enum Read {
        /// So many bytes, at least one unless the file ends here.
        Some(usize),
        /// The page cache does not hold the first of them.
        NotCached,
        /// This file system or kernel cannot tell.
        Unsupported,
    }

    /// Opens a file if its path is in the kernel's cache; `None` says nothing about whether it exists.
    pub(super) fn open(directory: &File, path: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        openat2(directory, path, flags, Mode::empty(), ResolveFlags::CACHED).ok().map(File::from)
    }

    pub(super) fn read(file: &File, buffer: &mut [u8], offset: u64) -> Read {
        match preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Read::Some(read),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => Read::Unsupported,
            // Not cached, interrupted, or an error that the waiting read will meet again and report.
            Err(_) => Read::NotCached,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nowait {
    use std::fs::File;

    pub(super) enum Read {
        #[expect(dead_code, reason = "only Linux can read without waiting")]
        Some(usize),
        #[expect(dead_code, reason = "only Linux can read without waiting")]
        NotCached,
        Unsupported,
    }

    pub(super) fn open(_: &File, _: &str) -> Option<File> {
        None
    }

    pub(super) fn read(_: &File, _: &mut [u8], _: u64) -> Read {
        Read::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    async fn collect(mut reading: Reading) -> (Vec<usize>, Vec<u8>) {
        let (mut lengths, mut all) = (Vec::new(), Vec::new());
        while let Some(chunk) = reading.chunk().await.unwrap() {
            lengths.push(chunk.len());
            all.extend_from_slice(&chunk);
        }
        (lengths, all)
    }

    #[tokio::test]
    async fn with_or_without_the_page_cache_the_same_bytes_come_in_chunks_of_256_kib() {
        let content: Vec<u8> = (0..700_000u32).map(|i| (i / 7) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        let file = Arc::new(file);
        for may_be_cached in [true, false] {
            let reading =
                Reading { file: Arc::clone(&file), next: 1_000, end: 699_999, may_be_cached, connection: None };
            let (lengths, all) = collect(reading).await;
            assert!(all == content[1_000..699_999], "cached: {may_be_cached}");
            assert!(lengths.iter().all(|&length| length <= CHUNK_BYTES as usize));
            if !may_be_cached {
                assert_eq!(lengths, [262_144, 262_144, 174_711]);
            }
        }
    }

    /// The kernel counts what a thread reads (`rchar`); what the page cache holds is read on this thread.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn nothing_outside_the_range_is_read() {
        fn read_so_far() -> u64 {
            let counters = std::fs::read_to_string("/proc/thread-self/io").unwrap();
            counters.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 4 << 20]).unwrap();
        let file = Arc::new(file);
        let asking = {
            let before = read_so_far();
            read_so_far() - before
        };
        for (next, end) in [(4_194_000, 4_194_304), (0, 1), (300_000, 600_000), (5, 5)] {
            let before = read_so_far();
            let (_, all) =
                collect(Reading { file: Arc::clone(&file), next, end, may_be_cached: true, connection: None }).await;
            let read = read_so_far() - before;
            assert_eq!(all.len() as u64, end - next);
            assert!(read <= end - next + asking + 8, "{read} bytes were read for {next}..{end}");
        }
    }

    /// A file of which the cache holds nothing is what a restarted server finds.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_cold_file_reads_the_same() {
        let content: Vec<u8> = (0..1_000_000u32).map(|i| (i / 11) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let reading =
            Reading { file: Arc::new(file), next: 123_456, end: 1_000_000, may_be_cached: true, connection: None };
        assert!(collect(reading).await.1 == content[123_456..]);
    }

    /// What goes out in place of the bytes is as long as they are, and what is not at hand or gone is not promised.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_connection_that_takes_stand_ins_gets_them_for_what_the_cache_holds() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 3_000_000]).unwrap();
        let file = Arc::new(file);
        let reading = |next, end| {
            let connection = Some(StandIns::default());
            Reading { file: Arc::clone(&file), next, end, may_be_cached: true, connection }
        };
        let (lengths, _) = collect(reading(100_000, 3_000_000)).await;
        assert_eq!(lengths, [1 << 20, 1 << 20, 802_848]);
        assert_eq!(collect(reading(5, 6)).await.0, [1]);
        assert!(collect(reading(5, 5)).await.0.is_empty());

        file.sync_all().unwrap();
        rustix::fs::fadvise(&*file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let (lengths, all) = collect(reading(0, 3_000_000)).await;
        assert_eq!(lengths[0], 262_144, "the first chunk was read, and with it what is behind it");
        assert!(all[..262_144] == [7; 262_144] && all.len() == 3_000_000);

        file.set_len(1_500_000).unwrap();
        let mut cut = reading(1_000_000, 3_000_000);
        assert_eq!(cut.chunk().await.unwrap().unwrap().len(), 262_144, "it is read as far as it goes");
        let broken = loop {
            match cut.chunk().await {
                Ok(chunk) => assert!(chunk.is_some(), "the end of a cut file is no good end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(broken, BlobError::Corrupt));
    }
}
