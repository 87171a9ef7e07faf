//! Asking a gateway whether it is there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::{Domain, Protocol, Socket, Type};
use vswitch_netio::netns::Netns;

/// An echo request (RFC 792), identifier and sequence number 0, with its checksum: nobody else asks in there.
const ECHO_REQUEST: [u8; 8] = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
/// The type of an answer, and where it is in what the kernel hands over: behind an IPv4 header without options.
const ECHO_REPLY: u8 = 0;
const TYPE: usize = 20;

/// How long until it is asked again.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long it is asked.
const PERSISTENCE: Duration = Duration::from_secs(10);

/// Waits until it answers a ping.
///
/// # Errors
/// If it does not within 10 s.
pub(super) fn answers(namespace: &Netns, gateway: Ipv4Addr) -> Result<()> {
    namespace.run(|| {
        let mut socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        socket.connect(&SocketAddrV4::new(gateway, 0).into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let start = Instant::now();
        while start.elapsed() < PERSISTENCE {
            // An interface that has just come is sometimes not ready to send.
            let _ = socket.write(&ECHO_REQUEST);
            let mut answer = [0; 64];
            if let Ok(length) = socket.read(&mut answer)
                && answer[..length].get(TYPE) == Some(&ECHO_REPLY)
            {
                return Ok(());
            }
        }
        bail!("{gateway} does not answer")
    })?
}

#[cfg(test)]
mod tests {
    use super::ECHO_REQUEST;

    #[test]
    fn the_checksum_is_right() {
        let words = ECHO_REQUEST.chunks(2);
        let sum: u32 = words
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        assert_eq!(sum, 0xffff);
    }
}
