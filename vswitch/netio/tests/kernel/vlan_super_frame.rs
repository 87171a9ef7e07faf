//! Frames larger than the MTU, with VLAN tags, through packet sockets: as stations have them on a LAN.

use std::io::{IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket, VlanTag};
use vswitch_netio::sysctl;
use vswitch_netio::tap::VNET_HEADER_LEN;

use crate::lab;

const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;

/// `VIRTIO_NET_HDR_*` of `linux/virtio_net.h`.
const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;

const V4: [&str; 2] = ["10.0.0.1/24", "10.0.0.2/24"];
const V6: [&str; 2] = ["fd00::1/64", "fd00::2/64"];

/// The LAN's NIC of a machine that knows of no tags, and the cable to that machine.
struct Site {
    cable: PacketSocket,
    nic: PacketSocket,
    /// The longest super-frame from the LAN.
    longest: usize,
}

/// Who does what the MTU and checksums ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segmentation {
    /// Nobody, as the LAN is a veth: super-frames cross it whole.
    Nobody,
    /// The kernel, before the driver; and the machine checks what it gets.
    Kernel,
}

#[test]
fn super_frames_cross_a_vlan() {
    cross(&[(CUSTOMER, 0x2005)], 1500, V4, Segmentation::Nobody);
}

#[test]
fn super_frames_are_cut_for_a_vlan() {
    cross(&[(CUSTOMER, 5)], 1500, V4, Segmentation::Kernel);
}

#[test]
fn super_frames_cross_a_service_vlan() {
    cross(&[(SERVICE, 5)], 1496, V6, Segmentation::Nobody);
}

#[test]
fn super_frames_are_cut_for_a_service_vlan() {
    cross(&[(SERVICE, 5)], 1496, V6, Segmentation::Kernel);
}

#[test]
fn super_frames_cross_a_vlan_in_a_service_vlan() {
    let tags = [(SERVICE, 5), (CUSTOMER, 7)];
    cross(&tags, 1492, V4, Segmentation::Nobody);
}

#[test]
fn super_frames_are_cut_for_a_vlan_in_a_service_vlan() {
    let tags = [(SERVICE, 5), (CUSTOMER, 7)];
    cross(&tags, 1492, V4, Segmentation::Kernel);
}

/// Sends a TCP stream there and back, and UDP super-frames, between machines with that MTU on a LAN with those tags.
fn cross(tags: &[(u16, u16)], mtu: u32, addresses: [&str; 2], segmentation: Segmentation) {
    const LENGTH: usize = 4 << 20;
    lab::enter();
    lab::command("ip link add nic0 type veth peer name nic1");
    let machines = [0, 1].map(|i| machine(i, addresses[i], mtu));
    let mut sites = [0, 1].map(|i| Site::new(i, segmentation));
    let server: IpAddr = addresses[1].split('/').next().unwrap().parse().unwrap();
    let sent: Vec<u8> = (0..LENGTH).map(|i| (i / 7) as u8).collect();
    let stop = AtomicBool::new(false);

    thread::scope(|scope| {
        let carrier = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for site in &mut sites {
                    site.send(tags);
                    site.receive(tags);
                }
                lab::readable(&sites[0].cable, Duration::from_millis(1));
            }
        });
        let server = SocketAddr::from((server, 80));
        let listener = machines[1]
            .run(|| TcpListener::bind(server).unwrap())
            .unwrap();
        let mut stream = machines[0]
            .run(|| TcpStream::connect_timeout(&server, lab::PATIENCE).unwrap())
            .unwrap();
        let (mut echo, _) = listener.accept().unwrap();
        for end in [&stream, &echo] {
            end.set_read_timeout(Some(lab::PATIENCE)).unwrap();
            end.set_write_timeout(Some(lab::PATIENCE)).unwrap();
        }
        scope.spawn(move || {
            let mut received = vec![0; LENGTH];
            echo.read_exact(&mut received).unwrap();
            echo.write_all(&received).unwrap();
        });
        stream.write_all(&sent).unwrap();
        let mut back = vec![0; LENGTH];
        stream.read_exact(&mut back).unwrap();
        assert!(back == sent, "the stream changed on the way");

        let receiver = machines[1]
            .run(|| UdpSocket::bind(server).unwrap())
            .unwrap();
        receiver.set_read_timeout(Some(lab::PATIENCE)).unwrap();
        let sender = machines[0]
            .run(|| UdpSocket::bind(stream.local_addr().unwrap()).unwrap())
            .unwrap();
        lab::set_udp_segment(&sender, 1000);
        sender.send_to(&sent[..9_500], server).unwrap();
        let lengths = [0; 10].map(|_| receiver.recv(&mut [0; 2048]).unwrap());
        assert_eq!((lengths[0], lengths[8], lengths[9]), (1000, 1000, 500));
        stop.store(true, Ordering::Relaxed);
        carrier.join().unwrap();
    });
    let longest = sites.map(|site| site.longest);
    match segmentation {
        Segmentation::Nobody => assert!(longest.iter().all(|&l| l > 30_000), "{longest:?}"),
        Segmentation::Kernel => assert_eq!(longest, [0; 2]),
    }
}

impl Site {
    fn new(number: usize, segmentation: Segmentation) -> Self {
        let nic = format!("nic{number}");
        if segmentation == Segmentation::Kernel {
            lab::command(&format!(
                "ethtool -K {nic} tx off tso off gso off tx-udp-segmentation off"
            ));
        }
        Self {
            cable: open(&format!("cable{number}")),
            nic: open(&nic),
            longest: 0,
        }
    }

    /// Carries what waits from the machine to the LAN, with tags.
    fn send(&self, tags: &[(u16, u16)]) {
        let tags = in_band(tags);
        let mut buffer = vec![0; 1 << 17];
        while let Ok(length) = self.cable.read(&mut buffer) {
            let (header, frame) = buffer[..length].split_at_mut(VNET_HEADER_LEN);
            if header[0] == NEEDS_CHECKSUM {
                set_checksum_start(header, checksum_start(header) + tags.len());
            }
            let pieces = [&*header, &frame[..12], &tags, &frame[12..]].map(IoSlice::new);
            let written = self.nic.write_vectored(&pieces).unwrap();
            assert_eq!(written, length + tags.len());
        }
    }

    /// Carries what waits from the LAN to the machine, whose frames have lost the first tag.
    fn receive(&mut self, tags: &[(u16, u16)]) {
        let [(protocol, control), inner @ ..] = tags else {
            panic!("no tag");
        };
        let inner = in_band(inner);
        let outer = VlanTag {
            protocol: *protocol,
            control: *control,
        };
        let mut buffer = vec![0; 1 << 17];
        while let Ok(received) = self.nic.receive(&mut buffer) {
            assert_eq!(received.vlan, Some(outer));
            let (header, frame) = buffer[..received.length].split_at_mut(VNET_HEADER_LEN);
            let (addresses, rest) = frame.split_at(12);
            assert_eq!(rest[..inner.len()], inner);
            let rest = &rest[inner.len()..];
            if header[1] != GSO_NONE {
                self.longest = self.longest.max(received.length);
                assert_eq!(header[0], NEEDS_CHECKSUM);
            }
            if header[0] == NEEDS_CHECKSUM {
                let ip_header = if rest[..2] == [8, 0] { 20 } else { 40 };
                assert_eq!(checksum_start(header), 14 + inner.len() + ip_header);
                set_checksum_start(header, 14 + ip_header);
            }
            let pieces = [&*header, addresses, rest].map(IoSlice::new);
            self.cable.write_vectored(&pieces).unwrap();
        }
    }
}

/// A namespace with `inner`, which is at the other end of `cable0`.
fn machine(number: usize, address: &str, mtu: u32) -> Netns {
    lab::command(&format!(
        "ip link add cable{number} type veth peer name inner"
    ));
    let machine = Netns::create().unwrap();
    let mut netlink = Netlink::open().unwrap();
    let inner = netlink.link(&lab::name("inner")).unwrap().unwrap();
    netlink.set_mtu(inner.index, mtu).unwrap();
    netlink.set_netns(inner.index, &machine).unwrap();
    machine
        .run(|| {
            lab::command(&format!("ip address add {address} dev inner nodad"));
            lab::command("ip link set inner up");
        })
        .unwrap();
    machine
}

fn open(interface: &str) -> PacketSocket {
    let name = lab::name(interface);
    sysctl::set_ipv6_disabled(&name, true).unwrap();
    let mut netlink = Netlink::open().unwrap();
    let index = netlink.link(&name).unwrap().unwrap().index;
    netlink.set_up(index).unwrap();
    let options = PacketOptions {
        vnet_header: true,
        ignore_outgoing: true,
        promiscuous: true,
        vlan_tags: true,
        receive_buffer: Some(64 << 20),
        send_buffer: Some(64 << 20),
        ..PacketOptions::default()
    };
    PacketSocket::open(index, &options).unwrap()
}

fn in_band(tags: &[(u16, u16)]) -> Vec<u8> {
    let numbers = tags
        .iter()
        .flat_map(|&(protocol, control)| [protocol, control]);
    numbers.flat_map(u16::to_be_bytes).collect()
}

/// `virtio_net_hdr.csum_start`
fn checksum_start(header: &[u8]) -> usize {
    u16::from_ne_bytes([header[6], header[7]]).into()
}

/// Sets it, and `hdr_len`, which must not be longer than the frame, and was perhaps as long before a tag was taken out.
fn set_checksum_start(header: &mut [u8], start: usize) {
    header[2..4].copy_from_slice(&(start as u16 + 20).to_ne_bytes());
    header[6..8].copy_from_slice(&(start as u16).to_ne_bytes());
}
