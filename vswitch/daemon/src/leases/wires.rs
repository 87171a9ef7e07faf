//! The sockets that frames are sent and heard by: one for each NIC, and only while somebody listens there.

use std::collections::HashMap;
use std::io;
use std::net;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::io::Errno;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;
use tokio::task::coop::consume_budget;
use tokio::time::sleep;
use vswitch_netio::packet_socket::{self, Membership, PacketOptions, PacketSocket, Received};

use super::error::WireError;
use super::filter;
use super::place::Place;

/// Answers of DHCP servers are shorter ([`vswitch_dhcp`] says so to them), and all else is.
const LONGEST_FRAME: usize = 2048;

/// Frames that wait for a listener; the oldest are lost to who is slow.
const BACKLOG: usize = 128;

/// Bytes of frames that wait in the kernel.
const RECEIVE_BUFFER: usize = 256 << 10;

/// Frames that are read before others have their turn.
const BURST: usize = 32;

/// After a read that failed for another reason than that nothing has come.
const PAUSE: Duration = Duration::from_millis(100);

/// The NICs that are listened on.
#[derive(Debug, Default)]
pub(super) struct Wires(Mutex<HashMap<u32, Weak<Wire>>>);

/// One listener: what is heard at its place, and its voice.
#[derive(Debug)]
pub(super) struct Ear {
    wire: Arc<Wire>,
    place: Place,
    heard: broadcast::Receiver<Frame>,
}

/// One NIC. Its socket is read for as long as there are ears.
#[derive(Debug)]
struct Wire {
    socket: Arc<Polled>,
    membership: Membership,
    heard: broadcast::Sender<Frame>,
    reader: AbortHandle,
}

#[derive(Clone, Debug)]
struct Frame {
    tag: Option<packet_socket::VlanTag>,
    octets: Arc<[u8]>,
}

/// A socket of which the runtime tells when there is something to read.
#[derive(Debug)]
struct Polled {
    socket: PacketSocket,
    /// A second descriptor of it: the runtime polls what is a socket of some kind, and epoll does not mind of which.
    descriptor: UdpSocket,
}

impl Wires {
    /// Begins to listen. To be called by a task of the leases' thread, in whose namespace the NIC is.
    pub(super) fn listen(&self, place: Place) -> Result<Ear, WireError> {
        let wire = self.wire(&place)?;
        let joined = wire.membership.add_unicast(place.mac);
        joined.map_err(|source| WireError::Listen {
            wire: place.wire(),
            source,
        })?;
        let heard = wire.heard.subscribe();
        Ok(Ear { wire, place, heard })
    }

    fn wire(&self, place: &Place) -> Result<Arc<Wire>, WireError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, wire| wire.strong_count() > 0);
        if let Some(wire) = open.get(&place.interface).and_then(Weak::upgrade) {
            return Ok(wire);
        }
        let wire = Arc::new(Wire::open(place)?);
        open.insert(place.interface, Arc::downgrade(&wire));
        Ok(wire)
    }
}

impl Wire {
    fn open(place: &Place) -> Result<Self, WireError> {
        let not_open = |source| WireError::Open {
            wire: place.wire(),
            source,
        };
        let options = PacketOptions {
            vlan_tags: true,
            ignore_outgoing: true,
            receive_buffer: Some(RECEIVE_BUFFER),
            ..PacketOptions::default()
        };
        let membership = Membership::open(place.interface).map_err(not_open)?;
        let socket = PacketSocket::open(place.interface, &options).map_err(not_open)?;
        let not_listening = |source| WireError::Listen {
            wire: place.wire(),
            source,
        };
        SockRef::from(&socket)
            .attach_filter(&filter::program())
            .map_err(not_listening)?;
        // Neighbour discovery speaks to groups.
        membership.set_all_groups().map_err(not_listening)?;
        let socket = Arc::new(Polled::new(socket).map_err(not_listening)?);
        let (heard, _) = broadcast::channel(BACKLOG);
        let reader = tokio::spawn(read(socket.clone(), heard.clone()));
        Ok(Self {
            socket,
            membership,
            heard,
            reader: reader.abort_handle(),
        })
    }
}

impl Polled {
    fn new(socket: PacketSocket) -> io::Result<Self> {
        let descriptor = socket.as_fd().try_clone_to_owned()?;
        let descriptor = UdpSocket::from_std(net::UdpSocket::from(descriptor))?;
        Ok(Self { socket, descriptor })
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.descriptor
            .try_io(Interest::READABLE, || self.socket.receive(buffer))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Ear {
    /// Where it is.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Sends an untagged frame with the tag of the place. It may be lost on the way, also here.
    pub(super) fn send(&self, frame: Vec<u8>) -> Result<(), WireError> {
        let packet = self.place.tagged(frame);
        let sent = self.wire.socket.socket.write(&packet);
        match sent {
            Ok(_) => Ok(()),
            Err(error) if is_full(&error) => Ok(()),
            Err(source) => Err(WireError::Send {
                wire: self.place.wire(),
                source,
            }),
        }
    }

    /// The next frame of the place, without its tag.
    pub(super) async fn hear(&mut self) -> Result<Arc<[u8]>, WireError> {
        loop {
            match self.heard.recv().await {
                Ok(frame) if self.place.hears(frame.tag) => return Ok(frame.octets),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Err(WireError::Ended),
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Fails only for an address that was not added.
        let _ = self.wire.membership.remove_unicast(self.place.mac);
    }
}

/// Hands on what comes in, to whoever listens.
async fn read(socket: Arc<Polled>, heard: broadcast::Sender<Frame>) {
    let mut buffer = vec![0; LONGEST_FRAME];
    // Fails only when the runtime ends.
    while let Ok(()) = socket.descriptor.readable().await {
        for _ in 0..BURST {
            match socket.receive(&mut buffer) {
                Ok(received) => {
                    // There is always somebody: the last one takes the reader along.
                    let _ = heard.send(Frame {
                        tag: received.vlan,
                        octets: Arc::from(&buffer[..received.length]),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The link went down, which is told once, and may come back.
                Err(error) => {
                    tracing::debug!("a NIC that addresses are asked for on: {error}");
                    sleep(PAUSE).await;
                    break;
                }
            }
        }
        consume_budget().await;
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOBUFS | Errno::WOULDBLOCK)
    )
}
