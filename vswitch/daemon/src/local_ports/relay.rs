//! The bytes of two TCP connections, each to the other.

use std::io;
use std::net::Shutdown;
use std::pin::pin;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;

use super::scratch;

/// Copies both ways until both sides have ended their half. Each end is passed on as it comes, and the other
/// half stays open (RFC 9293 §3.6).
///
/// # Errors
/// One of them was reset, or timed out.
pub(super) async fn relay(a: &TcpStream, b: &TcpStream) -> io::Result<()> {
    let (mut forth, mut back) = (pin!(copy(a, b)), pin!(copy(b, a)));
    // Who has ended its half is not read from any more, so its reset would not be noticed before there is
    // something to write to it.
    tokio::select! {
        ended = &mut forth => {
            ended?;
            tokio::select! {
                ended = &mut back => ended,
                error = failure(a) => Err(error),
            }
        }
        ended = &mut back => {
            ended?;
            tokio::select! {
                ended = &mut forth => ended,
                error = failure(b) => Err(error),
            }
        }
    }
}

/// Copies until `from` ends its half, and then ends ours to `to`.
async fn copy(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    loop {
        from.readable().await?;
        let Some(mut rest) = copy_some(from, to)? else {
            return SockRef::from(to).shutdown(Shutdown::Write);
        };
        while !rest.is_empty() {
            to.writable().await?;
            let written = now(to.try_write(&rest))?.unwrap_or(0);
            rest.drain(..written);
        }
        consume_budget().await;
    }
}

/// One read and one write, without waiting: what was read and not written, or `None` at the end.
fn copy_some(from: &TcpStream, to: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    scratch::lend(|buffer| {
        let Some(read) = now(from.try_read(buffer))? else {
            return Ok(Some(Vec::new()));
        };
        if read == 0 {
            return Ok(None);
        }
        let written = now(to.try_write(&buffer[..read]))?.unwrap_or(0);
        Ok(Some(buffer[written..read].to_vec()))
    })
}

/// Waits until the connection has failed.
async fn failure(stream: &TcpStream) -> io::Error {
    loop {
        if let Err(error) = stream.ready(Interest::ERROR).await {
            return error;
        }
        let pending = || match stream.take_error()? {
            Some(error) => Err(error),
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        if let Err(error) = now(stream.try_io::<()>(Interest::ERROR, pending)) {
            return error;
        }
        consume_budget().await;
    }
}

/// `None` instead of an error for what would have to wait.
fn now<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
