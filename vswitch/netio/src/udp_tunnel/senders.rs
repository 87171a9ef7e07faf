//! Sockets to send from, each with a source port of its own.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::net::sockopt;
use socket2::{MsgHdr, SockAddr, Socket};

use super::TunnelConfig;
use super::config::BUFFER;
use crate::message::Control;
use crate::socket_option;

/// Those of a tunnel, for all workers: a flow that changes workers keeps its source port. Never empty.
#[derive(Debug)]
pub(super) struct Senders(Vec<Socket>);

/// How many there are, unless ports are short. A source port is one of those for as long as the sockets are open:
/// the flows of a host take so many ways through the network.
const COUNT: usize = 16;

/// Within what RFC 7348 §5 recommends (49152 to 65535), above the ports that Linux takes for sockets without one.
const FIRST_PORT: u16 = 61000;
const PORTS: u16 = u16::MAX - FIRST_PORT + 1;

impl Senders {
    /// Binds sockets from a random port on, and passes over ports that are in use.
    ///
    /// # Errors
    /// `AddrInUse` if all ports are.
    pub(super) fn open(config: &TunnelConfig) -> io::Result<Self> {
        let start = getrandom::u32()? % u32::from(PORTS);
        let multicast_interface = config.multicast_interface()?;
        let mut senders = Vec::with_capacity(COUNT);
        let mut sender = prepare(config, multicast_interface)?;
        for offset in 0..u32::from(PORTS) {
            let port = FIRST_PORT + ((start + offset) % u32::from(PORTS)) as u16;
            match sender.bind(&config.address(config.local, port)) {
                Ok(()) => senders.push(sender),
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => continue,
                Err(e) => return Err(e),
            }
            if senders.len() == COUNT {
                break;
            }
            sender = prepare(config, multicast_interface)?;
        }
        if senders.is_empty() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok(Self(senders))
    }

    #[inline]
    pub(super) fn send(
        &self,
        to: SocketAddr,
        entropy: u16,
        tos: u8,
        ttl: Option<u8>,
        segment: Option<u16>,
        parts: &[IoSlice<'_>],
    ) -> io::Result<()> {
        let mut control = Control::new();
        if let Some(segment) = segment {
            control.push(libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
        }
        let (level, tos_kind, ttl_kind) = match to {
            SocketAddr::V4(_) => (libc::SOL_IP, libc::IP_TOS, libc::IP_TTL),
            SocketAddr::V6(_) => (libc::SOL_IPV6, libc::IPV6_TCLASS, libc::IPV6_HOPLIMIT),
        };
        if tos != 0 {
            control.push(level, tos_kind, &libc::c_int::from(tos).to_ne_bytes());
        }
        if let Some(ttl) = ttl {
            control.push(level, ttl_kind, &libc::c_int::from(ttl).to_ne_bytes());
        }
        let to = SockAddr::from(to);
        let message = MsgHdr::new()
            .with_addr(&to)
            .with_buffers(parts)
            .with_control(control.bytes());
        let sender = &self.0[usize::from(entropy) % self.0.len()];
        sender.sendmsg(&message, 0)?;
        Ok(())
    }
}

/// A socket to send from, which is not bound yet.
fn prepare(config: &TunnelConfig, multicast_interface: u32) -> io::Result<Socket> {
    let socket = config.socket()?;
    // Whoever sends to the source port, nobody would read it.
    socket_option::receive_nothing(&socket)?;
    if sockopt::set_socket_send_buffer_size_force(&socket, BUFFER).is_err() {
        socket.set_send_buffer_size(BUFFER)?;
    }
    match config.local {
        IpAddr::V4(_) => {
            socket.set_multicast_loop_v4(false)?;
            let any = &Ipv4Addr::UNSPECIFIED;
            sockopt::set_ip_multicast_if_with_ifindex(&socket, any, any, multicast_interface)?;
        }
        IpAddr::V6(_) => {
            socket.set_multicast_loop_v6(false)?;
            socket.set_multicast_if_v6(multicast_interface)?;
        }
    }
    Ok(socket)
}
