//! Bytes of files that the kernel sends by itself (`sendfile`), and that never come into this process.
//!
//! A response is a stream of [`Bytes`], from the blob store through every layer down to HTTP's framing. What is sent straight
//! from a file flows the same way as a *stand-in*: bytes of the right number that nobody may look at, because they are not those
//! of the file. So layers count, hold back and frame what they do not have. At the end stands the socket, which knows stand-ins
//! by where in memory they are, asks [`StandIns`] what they stand for, and lets the kernel send that instead.
//!
//! What keeps a stand-in's own bytes from ever being sent:
//!
//! - They are only made for the [`StandIns`] of one connection, and only a socket that knows them puts those into the extensions
//!   of its requests. Over TLS and HTTP/2, and for bodies that are reshaped on their way (at a pace, for one), there are none.
//! - Pieces are sent in the order in which they were made. While one is due, whatever is written has its stand-in in it, at the
//!   very address at which the piece goes on; two pieces that follow each other have different addresses. Anything else is an
//!   error, before a byte is sent, and ends the connection: a device resumes, as after any break.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// What one stand-in stands for at most. More would cost no memory, only evenness among the connections of a thread.
pub(super) const PIECE_BYTES: u64 = 1 << 20;

/// Where all stand-ins are. Nothing reads or writes here, so it takes addresses and no memory.
static NOWHERE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; 2 * PIECE_BYTES as usize]));

/// What one connection is still to send from files. Cloning is cheap, all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct StandIns {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    due: VecDeque<Piece>,
    /// Where in [`NOWHERE`] the last piece ended.
    place: usize,
}

#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    offset: u64,
    place: usize,
    left: usize,
}

/// What has to be written next.
#[derive(Debug)]
pub enum Turn {
    /// The slices as they are.
    Bytes,
    /// The first slice as it is, after which a file follows at once.
    BytesThenFile,
    /// In place of the first slice, so many bytes of a file from an offset on; [`StandIns::sent`] is to be told how many left.
    File {
        /// The file, open for reading.
        file: Arc<File>,
        /// The first byte to send.
        offset: u64,
        /// How many, one at least.
        length: usize,
    },
}

impl StandIns {
    /// Something in place of `length` bytes of a file, at most [`PIECE_BYTES`]. It is not to be held back by who gets it.
    pub(super) fn stand_in(&self, file: Arc<File>, offset: u64, length: usize) -> Bytes {
        let mut state = self.state();
        let place = if state.place + length > NOWHERE.len() { 0 } else { state.place };
        state.place = place + length;
        state.due.push_back(Piece { file, offset, place, left: length });
        NOWHERE.slice(place..place + length)
    }

    /// Looks through what a connection is about to write.
    ///
    /// # Errors
    /// If a stand-in is where none belongs, or not where one does.
    pub fn turn(&self, slices: &[IoSlice<'_>]) -> io::Result<Turn> {
        let state = self.state();
        let mut filled = slices.iter().filter(|slice| !slice.is_empty()).enumerate();
        let Some((at, slice, place)) = filled.find_map(|(at, slice)| Some((at, slice, place_of(slice)?))) else {
            return if state.due.is_empty() { Ok(Turn::Bytes) } else { Err(out_of_order()) };
        };
        let piece = state.due.front().ok_or_else(out_of_order)?;
        if place != piece.place || slice.len() > piece.left {
            return Err(out_of_order());
        }
        if at > 0 {
            return Ok(Turn::BytesThenFile);
        }
        Ok(Turn::File { file: Arc::clone(&piece.file), offset: piece.offset, length: slice.len() })
    }

    /// Notes that so many bytes of the piece that is due have left.
    pub fn sent(&self, bytes: usize) {
        let mut state = self.state();
        if let Some(piece) = state.due.front_mut() {
            piece.offset += bytes as u64;
            piece.place += bytes;
            piece.left = piece.left.saturating_sub(bytes);
            if piece.left == 0 {
                state.due.pop_front();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place_of(slice: &[u8]) -> Option<usize> {
    let place = slice.as_ptr().addr().checked_sub(NOWHERE.as_ptr().addr())?;
    (place < NOWHERE.len()).then_some(place)
}

fn out_of_order() -> io::Error {
    io::Error::other("a piece of a file is not where it has to be in what is sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(stand_ins: &StandIns, slices: &[&[u8]]) -> io::Result<Turn> {
        let slices: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        stand_ins.turn(&slices)
    }

    fn some_file() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    #[track_caller]
    fn is_file(turn: io::Result<Turn>, offset: u64, length: usize) {
        match turn.unwrap() {
            Turn::File { offset: first, length: count, .. } => assert_eq!((first, count), (offset, length)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_piece_is_sent_bit_by_bit_after_what_comes_before_it() {
        let stand_ins = StandIns::default();
        assert!(matches!(turn(&stand_ins, &[b"nothing of a file"]), Ok(Turn::Bytes)));
        let (first, second) = (stand_ins.stand_in(some_file(), 7, 100), stand_ins.stand_in(some_file(), 1_000, 5));
        assert!(matches!(turn(&stand_ins, &[b"", b"head", &first, &second]), Ok(Turn::BytesThenFile)));
        is_file(turn(&stand_ins, &[&first, &second]), 7, 100);
        stand_ins.sent(60);
        is_file(turn(&stand_ins, &[b"", &first[60..], &second]), 67, 40);
        stand_ins.sent(40);
        assert!(matches!(turn(&stand_ins, &[b"between", &second]), Ok(Turn::BytesThenFile)));
        is_file(turn(&stand_ins, &[&second]), 1_000, 5);
        stand_ins.sent(5);
        assert!(matches!(turn(&stand_ins, &[b"the next answer"]), Ok(Turn::Bytes)));
    }

    #[test]
    fn a_part_of_a_stand_in_stands_for_that_part() {
        let stand_ins = StandIns::default();
        let mut rest = stand_ins.stand_in(some_file(), 0, 100);
        let portion = rest.split_to(30);
        is_file(turn(&stand_ins, &[&portion]), 0, 30);
        stand_ins.sent(30);
        is_file(turn(&stand_ins, &[&rest]), 30, 70);
    }

    #[test]
    fn nothing_is_sent_in_place_of_a_file() {
        let stand_ins = StandIns::default();
        let first = stand_ins.stand_in(some_file(), 0, 100);
        let copied = first.to_vec();
        assert!(turn(&stand_ins, &[b"head", &copied]).is_err(), "its bytes were copied");
        assert!(turn(&stand_ins, &[&first[1..]]).is_err(), "its beginning was lost");
        let second = stand_ins.stand_in(some_file(), 0, 100);
        assert!(turn(&stand_ins, &[&second]).is_err(), "a whole piece was lost");
        assert!(turn(&StandIns::default(), &[&first]).is_err(), "it is another connection's");
        stand_ins.sent(100);
        stand_ins.sent(100);
        assert!(turn(&stand_ins, &[&second]).is_err(), "it was sent already");
    }

    #[test]
    fn a_lost_piece_is_noticed_wherever_it_lies() {
        let stand_ins = StandIns::default();
        for length in [PIECE_BYTES as usize, 1, 65_536, PIECE_BYTES as usize, PIECE_BYTES as usize - 1, 3].repeat(5) {
            let lost = stand_ins.stand_in(some_file(), 0, length);
            let next = stand_ins.stand_in(some_file(), 0, length);
            assert!(turn(&stand_ins, &[&next]).is_err());
            is_file(turn(&stand_ins, &[&lost, &next]), 0, length);
            stand_ins.sent(length);
            stand_ins.sent(length);
        }
    }
}
