//! Frames of IGMP, MLD and multicast data.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{
    Icmpv6Packet, IgmpPacket, IgmpRepr, IgmpVersion, MldAddressRecordRepr, MldRecordType, MldRepr,
};
use vswitch_packet::{MacAddr, checksum};

pub(super) const GROUP: &str = "239.1.2.3";
pub(super) const GROUP6: &str = "ff05::1:3";
pub(super) const ROUTER4: &str = "10.0.0.9";
pub(super) const ROUTER6: &str = "fe80::9";
pub(super) const HOST4: &str = "10.0.0.1";
pub(super) const HOST6: &str = "fe80::1";
pub(super) const ALL_SYSTEMS: &str = "224.0.0.1";
pub(super) const ALL_REPORTS: &str = "224.0.0.22";
pub(super) const ALL_NODES: &str = "ff02::1";
pub(super) const ALL_REPORTS6: &str = "ff02::16";

pub(super) const JOIN: u8 = 4;
pub(super) const LEAVE: u8 = 3;

pub(super) fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub(super) fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(super) fn ethernet(to: MacAddr, ethertype: u16, packet: &[u8]) -> Vec<u8> {
    [
        &to.0[..],
        &[2, 0, 0, 0, 0, 1],
        &ethertype.to_be_bytes(),
        packet,
    ]
    .concat()
}

/// An IPv4 packet with the router alert option, as IGMP is sent.
pub(super) fn ipv4(from: &str, to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let to = v4(to);
    let length = (24 + payload.len()) as u16;
    let mut header = vec![0x46, 0xc0, 0, 0, 0, 0, 0, 0, 1, protocol, 0, 0];
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header.extend(v4(from).octets());
    header.extend(to.octets());
    header.extend([0x94, 4, 0, 0]);
    let sum = !checksum::sum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let [_, b, c, d] = to.octets();
    ethernet(
        MacAddr([1, 0, 0x5e, b & 0x7f, c, d]),
        0x0800,
        &[&header[..], payload].concat(),
    )
}

/// An IPv6 packet with the router alert option, as MLD is sent.
pub(super) fn ipv6(from: &str, to: &str, mut message: Vec<u8>) -> Vec<u8> {
    let (from, to) = (v6(from), v6(to));
    message[2..4].fill(0);
    let addresses = [from.octets(), to.octets()].concat();
    let pseudo = checksum::pseudo_header(&addresses, 58, message.len() as u32);
    let sum = !checksum::add(checksum::sum(&message), pseudo);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 0, 1];
    packet[4..6].copy_from_slice(&((8 + message.len()) as u16).to_be_bytes());
    packet.extend(addresses);
    packet.extend([58, 0, 5, 2, 0, 0, 1, 0]);
    packet.extend(message);
    let [.., a, b, c, d] = to.octets();
    ethernet(MacAddr([0x33, 0x33, a, b, c, d]), 0x86dd, &packet)
}

pub(super) fn sealed(mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    let sum = !checksum::sum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

pub(super) fn igmp(from: &str, to: &str, repr: &IgmpRepr) -> Vec<u8> {
    let mut message = vec![0; repr.buffer_len()];
    repr.emit(&mut IgmpPacket::new_unchecked(&mut message));
    ipv4(from, to, 2, &message)
}

pub(super) fn query(from: &str, group: Option<&str>) -> Vec<u8> {
    let seconds = if group.is_some() { 1 } else { 10 };
    let repr = IgmpRepr::MembershipQuery {
        max_resp_time: smoltcp::time::Duration::from_secs(seconds),
        group_addr: group.map_or(Ipv4Addr::UNSPECIFIED, v4),
        version: IgmpVersion::Version2,
    };
    igmp(from, group.unwrap_or(ALL_SYSTEMS), &repr)
}

/// A query of version 3 for `group`, with flags and a number of sources.
pub(super) fn query3(group: &str, flags: u8, sources: u8) -> Vec<u8> {
    let mut message = vec![0x11, 10, 0, 0];
    message.extend(v4(group).octets());
    message.extend([flags, 125, 0, sources]);
    message.extend(vec![1; 4 * usize::from(sources)]);
    ipv4(ROUTER4, group, 2, &sealed(message))
}

pub(super) fn report2(group: &str) -> Vec<u8> {
    let repr = IgmpRepr::MembershipReport {
        group_addr: v4(group),
        version: IgmpVersion::Version2,
    };
    igmp(HOST4, group, &repr)
}

pub(super) fn leave2(group: &str) -> Vec<u8> {
    igmp(
        HOST4,
        "224.0.0.2",
        &IgmpRepr::LeaveGroup {
            group_addr: v4(group),
        },
    )
}

pub(super) fn record3(kind: u8, group: &str, sources: u8) -> Vec<u8> {
    let mut record = vec![kind, 0, 0, sources];
    record.extend(v4(group).octets());
    record.extend(vec![1; 4 * usize::from(sources)]);
    record
}

/// A report of version 3 that claims `count` records.
pub(super) fn report3(count: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![0x22, 0, 0, 0, 0, 0];
    message.extend(count.to_be_bytes());
    message.extend(records.concat());
    ipv4(HOST4, ALL_REPORTS, 2, &sealed(message))
}

pub(super) fn query6(from: &str, group: Option<&str>) -> Vec<u8> {
    let repr = MldRepr::Query {
        max_resp_code: if group.is_some() { 1000 } else { 10_000 },
        mcast_addr: group.map_or(Ipv6Addr::UNSPECIFIED, v6),
        s_flag: false,
        qrv: 2,
        qqic: 125,
        num_srcs: 0,
        data: &[],
    };
    ipv6(from, group.unwrap_or(ALL_NODES), mld(&repr, 28))
}

pub(super) fn report6(kind: MldRecordType, group: &str) -> Vec<u8> {
    let record = MldAddressRecordRepr::new(kind, v6(group));
    let records = [record];
    let repr = MldRepr::ReportRecordReprs(&records);
    ipv6(HOST6, ALL_REPORTS6, mld(&repr, 28))
}

pub(super) fn mld(repr: &MldRepr<'_>, len: usize) -> Vec<u8> {
    let mut message = vec![0; len];
    repr.emit(&mut Icmpv6Packet::new_unchecked(&mut message[..]));
    message
}

/// A message of MLD version 1.
pub(super) fn mld1(kind: u8, from: &str, to: &str, group: &str) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x27, 0x10, 0, 0];
    message.extend(v6(group).octets());
    ipv6(from, to, message)
}

pub(super) fn data(group: &str) -> Vec<u8> {
    let udp = [0, 9, 0, 9, 0, 8, 0, 0];
    match group.parse::<IpAddr>().unwrap() {
        IpAddr::V4(_) => ipv4(HOST4, group, 17, &udp),
        IpAddr::V6(_) => {
            let mut bytes = ipv6(HOST6, group, udp.to_vec());
            bytes[54] = 17;
            bytes
        }
    }
}

/// Makes the checksum of an IGMP or MLD message right again after a change.
pub(super) fn reseal(bytes: &mut [u8]) {
    if bytes.len() >= 46 && bytes[12..14] == [8, 0] {
        let message = sealed(bytes[38..].to_vec());
        bytes[38..].copy_from_slice(&message);
    } else if bytes.len() >= 70 {
        bytes[64..66].fill(0);
        let len = (bytes.len() - 62) as u32;
        let pseudo = checksum::pseudo_header(&bytes[22..54], 58, len);
        let sum = !checksum::add(checksum::sum(&bytes[62..]), pseudo);
        bytes[64..66].copy_from_slice(&sum.to_be_bytes());
    }
}
