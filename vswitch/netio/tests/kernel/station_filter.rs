//! Which frames of a NIC concern its stations.

use std::net::IpAddr;

use vswitch_netio::bpf::BpfError;
use vswitch_netio::netlink::Netlink;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_netio::station_filter::{MAX_STATIONS, StationFilter, Tag};
use vswitch_netio::tap::VNET_HEADER_LEN;
use vswitch_packet::{EtherType, MacAddr, VlanId};

use crate::lab;
use crate::uplink::Answer::{Refused, Silence};
use crate::uplink::Uplink;

const STATION: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
const STRANGER: MacAddr = MacAddr([2, 0, 0, 0, 0, 8]);
const EXPERIMENT: u16 = 0x88b5;
const ARP: u16 = 0x0806;

/// So that no frame of these tests is padded.
const PADDING: [u8; 46] = [0x5a; 46];

/// A NIC with stations, and what receives for them.
struct Parent {
    uplink: Uplink,
    filter: StationFilter,
    group: Vec<PacketSocket>,
    far: PacketSocket,
}

impl Parent {
    fn new() -> Self {
        lab::enter();
        let uplink = Uplink::new();
        let filter = StationFilter::new().unwrap();
        let options = PacketOptions {
            vnet_header: true,
            ignore_outgoing: true,
            promiscuous: true,
            vlan_tags: true,
            filter: Some(filter.socket_filter()),
            ..PacketOptions::default()
        };
        let group = PacketSocket::open_group(uplink.nic, &options, lab::queues(2)).unwrap();
        let far = uplink.far_socket();
        Self {
            uplink,
            filter,
            group,
            far,
        }
    }

    /// Whether a frame from outside passes: with its tags, to an address.
    fn passes(&self, tags: &[u16], destination: MacAddr, ethertype: u16, payload: &[u8]) -> bool {
        let mut frame = [destination.0, self.uplink.far_mac.0].concat();
        for tag in tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
        }
        frame.extend(ethertype.to_be_bytes());
        frame.extend(payload);
        frame.extend(PADDING);
        self.far.write(&frame).unwrap();
        if !tags.is_empty() {
            frame.drain(12..16);
        }
        let received: usize = self.group.iter().map(|socket| count(socket, &frame)).sum();
        assert!(received < 2, "received twice");
        received == 1
    }
}

/// How often a frame waits at a socket.
fn count(socket: &PacketSocket, frame: &[u8]) -> usize {
    let mut buffer = [0; 2048];
    let mut count = 0;
    while let Ok(received) = socket.receive(&mut buffer) {
        count += usize::from(&buffer[VNET_HEADER_LEN..received.length] == frame);
    }
    count
}

/// The frames of [`Parent::passes`] are in VLAN 7.
fn vlan(ethertype: EtherType, number: u16) -> Tag {
    Some((ethertype, VlanId::new(number).unwrap()))
}

/// The header of a packet to an address, behind its Ethertype.
fn to(address: &str) -> (u16, Vec<u8>) {
    match address.parse().unwrap() {
        IpAddr::V4(v4) => {
            let mut header = vec![0x45, 0, 0, 65, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1];
            header.extend(v4.octets());
            (0x0800, header)
        }
        IpAddr::V6(v6) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 45, 17, 64];
            header.extend([0xfd; 16]);
            header.extend(v6.octets());
            (0x86dd, header)
        }
    }
}

fn arp(target: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 192, 0, 2, 1];
    packet.extend([0; 6]);
    packet.extend(target);
    packet
}

#[test]
fn a_station_gets_what_is_to_it_and_to_groups() {
    let parent = Parent::new();
    let passes = |destination| parent.passes(&[], destination, EXPERIMENT, b"");
    let group = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
    assert!(passes(MacAddr([0xff; 6])) && passes(group));
    assert!(!passes(STATION) && !passes(parent.uplink.nic_mac));

    parent.filter.add_mac(None, STATION).unwrap();
    parent.filter.add_mac(None, STATION).unwrap();
    assert!(passes(STATION) && passes(group));
    assert!(!passes(STRANGER) && !passes(parent.uplink.nic_mac));
    for (tags, outer) in [
        (&[0x8100][..], EtherType::VLAN),
        (&[0x88a8, 0x8100], EtherType::SERVICE_VLAN),
    ] {
        let passes = |destination| parent.passes(tags, destination, EXPERIMENT, b"");
        parent.filter.add_mac(vlan(outer, 8), STATION).unwrap();
        assert!(!passes(STATION), "in no VLAN and in another one");
        parent.filter.add_mac(vlan(outer, 7), STATION).unwrap();
        assert!(passes(STATION) && !passes(STRANGER));
        parent.filter.remove_mac(vlan(outer, 8), STATION).unwrap();
        assert!(passes(STATION));
        parent.filter.remove_mac(vlan(outer, 7), STATION).unwrap();
        assert!(!passes(STATION));
    }

    parent.filter.remove_mac(None, STATION).unwrap();
    parent.filter.remove_mac(None, STATION).unwrap();
    assert!(!passes(STATION));
}

#[test]
fn stations_that_share_an_address_get_what_is_to_their_ip_addresses() {
    let parent = Parent::new();
    let filter = &parent.filter;
    let shared = parent.uplink.nic_mac;
    let passes = |destination: MacAddr, address: &str| {
        let (ethertype, header) = to(address);
        parent.passes(&[], destination, ethertype, &header)
    };
    let arp = |target| parent.passes(&[], shared, ARP, &arp(target));
    for address in ["10.0.0.7", "fd00::7"] {
        filter.add_address(None, address.parse().unwrap()).unwrap();
        assert!(!passes(shared, address), "nothing is shared yet");
    }
    filter.set_shared(Some(shared));
    for (station, others) in [
        ("10.0.0.7", ["10.0.0.1", "10.0.0.8", "7.0.0.10"]),
        ("fd00::7", ["fd00::1", "fd00::8", "fd01::7"]),
    ] {
        assert!(passes(shared, station));
        assert!(!passes(STRANGER, station));
        for other in others {
            assert!(!passes(shared, other), "{other}");
        }
    }
    assert!(arp([10, 0, 0, 7]) && !arp([10, 0, 0, 1]));
    assert!(!parent.passes(&[], shared, EXPERIMENT, b""));
    let (ethertype, header) = to("10.0.0.7");
    assert!(!parent.passes(&[0x8100], shared, ethertype, &header));
    let tagged = vlan(EtherType::VLAN, 7);
    filter.add_address(tagged, [10, 0, 0, 7].into()).unwrap();
    assert!(parent.passes(&[0x8100], shared, ethertype, &header));
    let (ethertype, header) = to("10.0.0.8");
    assert!(!parent.passes(&[0x8100], shared, ethertype, &header));
    for inner in [0x8100, 0x88a8] {
        assert!(
            parent.passes(&[0x88a8, inner], shared, ethertype, &header),
            "its address is out of reach"
        );
        assert!(!parent.passes(&[0x88a8, inner], STRANGER, ethertype, &header));
    }

    filter.add_mac(None, shared).unwrap();
    assert!(
        !passes(shared, "10.0.0.8"),
        "told apart by IP address alone"
    );
    filter.set_shared(Some(STATION));
    assert!(passes(STATION, "10.0.0.7") && !passes(STATION, "10.0.0.8"));
    filter.remove_mac(None, shared).unwrap();
    assert!(!passes(shared, "10.0.0.7"));
    filter
        .remove_address(None, "10.0.0.7".parse().unwrap())
        .unwrap();
    assert!(!passes(STATION, "10.0.0.7") && passes(STATION, "fd00::7"));
    filter.set_shared(None);
    assert!(!passes(STATION, "fd00::7"));
}

#[test]
fn a_packet_that_is_cut_off_is_to_nobody() {
    let parent = Parent::new();
    parent.filter.set_shared(Some(parent.uplink.nic_mac));
    // What is behind the headers here would be taken for the address otherwise.
    parent.filter.add_address(None, [0; 4].into()).unwrap();
    for (ethertype, length, whole) in [
        (0x0800, 19, false),
        (0x0800, 20, true),
        (ARP, 27, false),
        (ARP, 28, true),
        (0x86dd, 39, false),
    ] {
        let frame = parent.uplink.to_host(ethertype, &vec![0; length]);
        parent.far.write(&frame).unwrap();
        let received: usize = parent
            .group
            .iter()
            .map(|socket| count(socket, &frame))
            .sum();
        assert_eq!(received, usize::from(whole), "{ethertype:x}, {length}");
    }
}

#[test]
fn everything_passes_if_so_set() {
    let parent = Parent::new();
    parent.filter.set_shared(Some(STATION));
    let (ethertype, header) = to("10.0.0.7");
    for everything in [true, false] {
        parent.filter.set_everything(everything);
        for destination in [STATION, STRANGER, parent.uplink.nic_mac] {
            let passes = parent.passes(&[0x8100], destination, ethertype, &header);
            assert_eq!(passes, everything);
        }
    }
    parent
        .filter
        .add_address(None, "10.0.0.7".parse().unwrap())
        .unwrap();
    assert!(
        parent.passes(&[], STATION, ethertype, &header),
        "still shared"
    );
}

#[test]
fn a_table_that_is_full_is_told() {
    let filter = StationFilter::new().unwrap();
    let mac = |number: u32| {
        let [a, b, c, d] = number.to_be_bytes();
        MacAddr([2, 0, a, b, c, d])
    };
    for number in 0..MAX_STATIONS {
        filter.add_mac(None, mac(number)).unwrap();
    }
    let error = filter.add_mac(None, mac(MAX_STATIONS)).unwrap_err();
    assert!(
        matches!(
            error,
            BpfError::Full {
                entries: MAX_STATIONS
            }
        ),
        "{error}"
    );
    filter.add_mac(None, mac(0)).unwrap();
    filter.remove_mac(None, mac(0)).unwrap();
    filter.add_mac(None, mac(MAX_STATIONS)).unwrap();
}

#[test]
fn a_group_goes_on_when_the_nic_comes_back() {
    let parent = Parent::new();
    parent.filter.set_everything(true);
    let mut netlink = Netlink::open().unwrap();
    for _ in 0..2 {
        netlink.set_down(parent.uplink.nic).unwrap();
        for socket in &parent.group {
            let mut down = 0;
            let last = loop {
                match socket.receive(&mut [0; 2048]) {
                    Ok(_) => {}
                    Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => down += 1,
                    Err(e) => break e,
                }
            };
            assert_eq!((down, last.kind()), (1, std::io::ErrorKind::WouldBlock));
        }
        netlink.set_up(parent.uplink.nic).unwrap();
        lab::eventually("the cable is plugged in", || {
            let far = parent.uplink.outside.run(|| {
                let mut netlink = Netlink::open().unwrap();
                netlink.link_at(parent.uplink.far).unwrap().unwrap().running
            });
            far.unwrap()
        });
        // Flows enough for both sockets.
        let mut heard = [0; 2];
        for flow in 0..64 {
            let (ethertype, header) = to(&format!("10.0.1.{flow}"));
            let mut frame = parent.uplink.to_host(ethertype, &header);
            frame.extend(PADDING);
            parent.far.write(&frame).unwrap();
            for (heard, socket) in heard.iter_mut().zip(&parent.group) {
                *heard += count(socket, &frame);
            }
        }
        assert_eq!(heard.iter().sum::<usize>(), 64);
        assert!(heard.iter().all(|&heard| heard > 0), "{heard:?}");
    }
}

#[test]
fn the_kernel_hears_nothing_of_what_is_for_a_station_behind_the_hosts_address() {
    const TAG: &str = "test";
    let parent = Parent::new();
    let Parent { uplink, filter, .. } = &parent;
    let mut netlink = Netlink::open().unwrap();
    // Addresses that the kernel has show whether it heard.
    let (v4, v6): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap());
    filter.set_shared(Some(uplink.nic_mac));
    filter.add_address(None, v4).unwrap();
    assert_eq!(uplink.connect((v4, 80)), Refused, "not attached yet");
    filter
        .keep_from_kernel(&mut netlink, uplink.nic, TAG)
        .unwrap();
    assert_eq!(uplink.connect((v4, 80)), Silence);
    assert_eq!(uplink.connect((v6, 80)), Refused, "the host's own");

    filter.add_address(None, v6).unwrap();
    assert_eq!(uplink.connect((v6, 80)), Silence);
    filter.remove_address(None, v4).unwrap();
    assert_eq!(uplink.connect((v4, 80)), Refused);
    filter.set_shared(None);
    assert_eq!(uplink.connect((v6, 80)), Refused);

    filter.set_shared(Some(uplink.nic_mac));
    let leave = |netlink: &mut Netlink| StationFilter::leave_to_kernel(netlink, uplink.nic, TAG);
    assert!(leave(&mut netlink).unwrap());
    assert_eq!(uplink.connect((v6, 80)), Refused);
    assert!(!leave(&mut netlink).unwrap());
}
