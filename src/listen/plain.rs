//! A socket without TLS, which can send files: what [`StandIns`] stand for goes from the page cache to the network without a
//! copy in this process.
//!
//! HTTP above knows nothing of it. It writes the head of an answer and stand-ins for its body; here the former is written, told
//! that more follows so that both share their packets, and in place of the latter the kernel is given the file.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use otaru_core::blobs::{StandIns, Turn};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

pub(super) use kernel::CAN_SEND_FILES;
#[cfg(all(test, target_os = "linux"))]
pub(super) use kernel::copy;

pub(super) struct Plain {
    stream: TcpStream,
    stand_ins: StandIns,
}

impl Plain {
    pub(super) fn new(stream: TcpStream, stand_ins: StandIns) -> Plain {
        Plain { stream, stand_ins }
    }

    /// Calls something that writes to the socket without waiting, as soon as there is room in it.
    fn poll_with(
        &self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_io(Interest::WRITABLE, || call(&self.stream)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.stand_ins.turn(slices)? {
            Turn::Bytes => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
            Turn::BytesThenFile => {
                let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
                self.poll_with(cx, |stream| kernel::send_more(stream, first))
            }
            Turn::File { file, offset, length } => {
                let sent = ready!(self.poll_with(cx, |stream| kernel::send_file(stream, &file, offset, length)))?;
                if sent == 0 {
                    // The file was cut since it was opened, so what was promised of it cannot be sent.
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                self.stand_ins.sent(sent);
                Poll::Ready(Ok(sent))
            }
        }
    }

    /// What this says makes HTTP pass slices on as they are, in place of a copy.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Plain {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    use rustix::io::Errno;
    use rustix::net::SendFlags;
    use tokio::net::TcpStream;

    pub(in crate::listen) const CAN_SEND_FILES: bool = true;

    /// What is copied at once where the kernel cannot send from a file system.
    const COPIED_BYTES: usize = 64 << 10;

    pub(super) fn send_more(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(stream, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?)
    }

    pub(super) fn send_file(stream: &TcpStream, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        let mut at = offset;
        match rustix::fs::sendfile(stream, file, Some(&mut at), length) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                copy(stream, file, offset, length.min(COPIED_BYTES))
            }
            outcome => Ok(outcome?),
        }
    }

    /// The same by hand. The page cache was found to hold these bytes, so it does not wait for a disk.
    pub(in crate::listen) fn copy(stream: &TcpStream, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        let mut buffer = vec![0; length];
        let read = file.read_at(&mut buffer, offset)?;
        Ok(rustix::net::send(stream, &buffer[..read], SendFlags::NOSIGNAL)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::fs::File;
    use std::io;

    use tokio::net::TcpStream;

    pub(in crate::listen) const CAN_SEND_FILES: bool = false;

    pub(super) fn send_more(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        stream.try_write(bytes)
    }

    pub(super) fn send_file(_: &TcpStream, _: &File, _: u64, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
