//! TCP/IP hosts of smoltcp at the ports of a bench: real conversations, in process.

use core::net::IpAddr;
use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken};
use smoltcp::socket::{icmp, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};
use vswitch_datapath::PortId;

use crate::bench::Bench;
use crate::counters::{Change, on};
use crate::crafted::TCP;
use crate::station::Station;
use crate::tap_frame::{GSO_TCPV4, NEEDS_CSUM, TapFrame};
use crate::wire;

/// Octets of an Ethernet frame at MTU 1500.
const FRAME_LEN: usize = 1514;
/// From which a host connects.
pub(crate) const LOCAL_PORT: u16 = 49152;
/// What a super-frame may have of payload.
const SUPER_LEN: usize = 40_000;

/// A network card, and the switch port it is plugged into.
pub(crate) struct Card {
    pub(crate) port: PortId,
    /// Leaves the checksums of TCP and its segmentation over IPv4 to the switch.
    offload: bool,
    arrived: VecDeque<Vec<u8>>,
    leaving: Vec<TapFrame>,
}

/// A host: its stack and its sockets.
pub(crate) struct Host {
    card: Card,
    interface: Interface,
    pub(crate) sockets: SocketSet<'static>,
}

impl Host {
    pub(crate) fn new(port: PortId, station: Station, offload: bool) -> Self {
        let mut card = Card {
            port,
            offload,
            arrived: VecDeque::new(),
            leaving: vec![],
        };
        let address = HardwareAddress::Ethernet(EthernetAddress(station.mac.0));
        let mut interface = Interface::new(Config::new(address), &mut card, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(station.v4.into(), 24)).unwrap();
            addresses.push(IpCidr::new(station.v6.into(), 64)).unwrap();
        });
        Self {
            card,
            interface,
            sockets: SocketSet::new(vec![]),
        }
    }

    /// With `gateway` as its default router.
    pub(crate) fn routed_by(mut self, gateway: Station) -> Self {
        let routes = self.interface.routes_mut();
        routes.add_default_ipv4_route(gateway.v4).unwrap();
        routes.add_default_ipv6_route(gateway.v6).unwrap();
        self
    }

    /// Forgets all sockets.
    pub(crate) fn close_all(&mut self) {
        self.sockets = SocketSet::new(vec![]);
    }

    fn tcp(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 65535]);
        self.sockets.add(tcp::Socket::new(buffer(), buffer()))
    }

    pub(crate) fn listen(&mut self, port: u16) -> SocketHandle {
        let handle = self.tcp();
        self.sockets
            .get_mut::<tcp::Socket<'_>>(handle)
            .listen(port)
            .unwrap();
        handle
    }

    pub(crate) fn connect(&mut self, to: IpAddr, port: u16) -> SocketHandle {
        let handle = self.tcp();
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket
            .connect(self.interface.context(), (to, port), LOCAL_PORT)
            .unwrap();
        handle
    }

    /// A socket for ICMP errors about what is sent from this TCP port.
    pub(crate) fn listen_to_errors(&mut self, port: u16) -> SocketHandle {
        self.icmp(icmp::Endpoint::Tcp(port.into()))
    }

    /// A socket for the answers to pings with this identifier.
    pub(crate) fn pinger(&mut self, ident: u16) -> SocketHandle {
        self.icmp(icmp::Endpoint::Ident(ident))
    }

    fn icmp(&mut self, endpoint: icmp::Endpoint) -> SocketHandle {
        let buffer =
            || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 4096]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        socket.bind(endpoint).unwrap();
        self.sockets.add(socket)
    }
}

/// Hosts at the ports of a switch, and what they should have made it count.
pub(crate) struct Lan {
    pub(crate) bench: Bench,
    pub(crate) hosts: Vec<Host>,
    expected: Vec<Change>,
    /// Super-frames that hosts sent.
    pub(crate) super_frames: u64,
    /// Super-frames that trains became.
    pub(crate) trains: u64,
}

impl Lan {
    pub(crate) fn new(bench: Bench, hosts: Vec<Host>) -> Self {
        Self {
            bench,
            hosts,
            expected: vec![],
            super_frames: 0,
            trains: 0,
        }
    }

    /// Lets every host do what it has to do, and the switch carry it.
    pub(crate) fn poll(&mut self) {
        let now = Instant::from_micros((self.bench.now().as_nanos() / 1000) as i64);
        for Host {
            card,
            interface,
            sockets,
        } in &mut self.hosts
        {
            interface.poll(now, card, sockets);
        }
        for place in 0..self.hosts.len() {
            let Card { port, leaving, .. } = &mut self.hosts[place].card;
            let (port, frames) = (*port, std::mem::take(leaving));
            self.expected.push(on(port).received(&frames));
            self.super_frames += frames.iter().filter(|frame| frame.is_super()).count() as u64;
            self.bench.burst(frames.iter().map(|frame| (port, frame)));
            self.deliver(&frames);
        }
        self.bench.wait(core::time::Duration::from_micros(200));
    }

    fn deliver(&mut self, entered: &[TapFrame]) {
        for (port, frame) in self.bench.sent() {
            self.expected.push(on(port).sent([&frame]));
            // The headers of one that came whole may have been rewritten by the router.
            let same = |whole: &&TapFrame| {
                let len = frame.bytes.len();
                whole.bytes.len() == len && whole.bytes[66..] == frame.bytes[66..]
            };
            if frame.is_super() && !entered.iter().filter(|f| f.is_super()).any(|f| same(&f)) {
                self.expected.push(on(port).coalesced(frame.segments()));
                self.trains += 1;
            }
            let host = self
                .hosts
                .iter_mut()
                .find(|host| host.card.port == port)
                .unwrap();
            host.card.arrived.extend(wire::packets(&frame));
        }
    }

    /// Everything was counted, and what else `changes` say.
    #[track_caller]
    pub(crate) fn assert_counted(&mut self, changes: impl IntoIterator<Item = Change>) {
        let expected = std::mem::take(&mut self.expected);
        self.bench
            .assert_counted(expected.into_iter().chain(changes));
    }
}

impl Device for Card {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Leaving<'_>)> {
        let frame = self.arrived.pop_front()?;
        Some((Arrived(frame), self.leave()))
    }

    fn transmit(&mut self, _: Instant) -> Option<Leaving<'_>> {
        Some(self.leave())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_LEN;
        if self.offload {
            // Whatever arrives is checked in any case. There is no TSO6: smoltcp 0.14 drops what
            // it should hand over.
            capabilities.checksum.tcp = Checksum::Rx;
            capabilities.segmentation.tcpv4 = core::num::NonZeroUsize::new(SUPER_LEN);
        }
        capabilities
    }
}

impl Card {
    fn leave(&mut self) -> Leaving<'_> {
        Leaving {
            card: self,
            size: None,
        }
    }
}

pub(crate) struct Arrived(Vec<u8>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(crate) struct Leaving<'a> {
    card: &'a mut Card,
    /// Octets of payload that each segment should have.
    size: Option<u16>,
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = TapFrame::plain(vec![0; len]);
        let result = f(&mut frame.bytes);
        if self.card.offload {
            leave_to_device(&mut frame, self.size);
        }
        self.card.leaving.push(frame);
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.size = meta
            .segmentation_offload_size
            .map(core::num::NonZeroU16::get);
    }
}

/// Writes the virtio header for a segment whose checksum nobody has computed.
fn leave_to_device(frame: &mut TapFrame, size: Option<u16>) {
    let bytes = &mut frame.bytes;
    let (protocol, start, addresses) = match bytes[12..14] {
        [0x08, 0x00] => (bytes[23], 34, 26..34),
        [0x86, 0xdd] => (bytes[20], 54, 22..54),
        _ => return,
    };
    if protocol != TCP {
        return;
    }
    let len = (bytes.len() - start) as u32;
    let pseudo = [&bytes[addresses], &len.to_be_bytes(), &[0, 0, 0, TCP]].concat();
    let field = start + 16;
    bytes[field..field + 2].copy_from_slice(&wire::sum(&pseudo).to_be_bytes());
    let headers_len = start + usize::from(bytes[start + 12] >> 4) * 4;
    let header = &mut frame.header;
    (header.flags, header.csum_start, header.csum_offset) = (NEEDS_CSUM, start as u16, 16);
    if let Some(size) = size {
        (header.gso_type, header.gso_size) = (GSO_TCPV4, size);
        header.hdr_len = headers_len as u16;
    }
}
