//! The test of a frame, as a program: is it ours?

use ipnet::IpNet;

use super::claims::{WORDS_PER_ADDRESS, WORDS_PER_PROTOCOL};
use crate::TransportProtocol;
use crate::bpf::assembler::Register::{R0, R1, R2, R6, R7, R8, R9, R10};
use crate::bpf::assembler::{
    Alu, Assembler, Condition, Helper, Instruction, Label, Width, network,
};
use crate::bpf::{Map, Purpose, no_and_yes};

/// The value of a routed subnet in the table of destinations; that of an address is its slot.
pub(super) const ALL: u32 = u32::MAX;

/// Fields of `struct __sk_buff` (`linux/bpf.h`).
const SKB_PACKET_TYPE: i16 = 4;
const SKB_VLAN_PRESENT: i16 = 20;

/// `linux/if_packet.h`. Above these: other stations' frames, and our own.
const PACKET_HOST: i32 = 0;
const PACKET_MULTICAST: i32 = 2;

const ETHERTYPE_OFFSET: i32 = 12;
const ETHERNET_LENGTH: i32 = 14;
const IPV6_LENGTH: i32 = 40;
const FRAGMENT_HEADER_LENGTH: i32 = 8;

/// IP protocol numbers.
const ICMP: i32 = 1;
const FRAGMENT_HEADER: i32 = 44;
const ICMPV6: i32 = 58;

/// In the place of a protocol number: a fragment that is not the first.
const LATER_FRAGMENT: i32 = 0x100;

/// The stack: the key of the destination, with the address aligned; a number of a word of bits; and bytes
/// of the frame.
const KEY: i16 = -20;
const KEY_ADDRESS: i16 = -16;
const WORD: i16 = -24;
const BYTES: i16 = -64;

/// The key of a subnet in the table of destinations. IPv4 is mapped (RFC 4291 §2.5.5.2); a packet over IPv6 to such
/// an address is on no network (RFC 6890 §2.2.3), so it may well be taken for IPv4's.
pub(super) fn key(subnet: IpNet) -> [u8; 20] {
    let (length, address) = match subnet {
        IpNet::V4(v4) => (96 + v4.prefix_len(), v4.addr().to_ipv6_mapped()),
        IpNet::V6(v6) => (v6.prefix_len(), v6.addr()),
    };
    let mut key = [0; 20];
    key[..4].copy_from_slice(&u32::from(length).to_ne_bytes());
    key[4..].copy_from_slice(&address.octets());
    key
}

/// The program. R6: the frame. R7: its packet type, later the word of bits. R8: the protocol, later the
/// port. R9: where the ports are in the frame.
pub(super) fn of(purpose: Purpose, destinations: &Map, bits: &Map) -> Vec<Instruction> {
    let mut asm = Assembler::default();
    let [ipv6, protocol_known, lookup, port, ours, not_ours] = [(); 6].map(|()| asm.label());

    asm.mov(R6, R1);
    asm.load(Width::Word, R0, R6, SKB_VLAN_PRESENT);
    asm.jump_if(R0, Condition::NotEqual, 0, not_ours);
    asm.load(Width::Word, R7, R6, SKB_PACKET_TYPE);
    asm.jump_if(R7, Condition::Above, PACKET_MULTICAST, not_ours);
    asm.load_frame(ETHERTYPE_OFFSET, 2, BYTES, not_ours);
    asm.load(Width::Half, R0, R10, BYTES);
    if purpose == Purpose::Socket {
        asm.jump_if(R0, Condition::Equal, network(libc::ETH_P_ARP), ours);
    }
    asm.jump_if(R0, Condition::Equal, network(libc::ETH_P_IPV6), ipv6);
    asm.jump_if(R0, Condition::NotEqual, network(libc::ETH_P_IP), not_ours);

    ipv4_header(
        &mut asm,
        lookup,
        not_ours,
        (purpose == Purpose::Socket).then_some(ours),
    );

    asm.bind(ipv6);
    ipv6_header(&mut asm, protocol_known, not_ours);
    asm.bind(protocol_known);
    if purpose == Purpose::Socket {
        // Neighbour discovery comes by multicast.
        asm.jump_if(R8, Condition::Equal, ICMPV6, ours);
    }
    asm.jump_if(R7, Condition::NotEqual, PACKET_HOST, not_ours);

    asm.bind(lookup);
    asm.load_map(R1, destinations);
    asm.stack_address(R2, KEY);
    asm.store(Width::Word, R10, KEY, 128);
    asm.call(Helper::MapLookup);
    asm.jump_if(R0, Condition::Equal, 0, not_ours);
    asm.load(Width::Word, R7, R0, 0);
    asm.mov(R0, R7);
    // Slots are few, so one bit tells `ALL` from them, whatever the verifier thinks of its sign.
    asm.alu(Alu::ShiftRight, R0, 31);
    asm.jump_if(R0, Condition::NotEqual, 0, ours);
    let later_fragment = if purpose == Purpose::Socket {
        ours
    } else {
        not_ours
    };
    asm.jump_if(R8, Condition::Equal, LATER_FRAGMENT, later_fragment);

    asm.alu(Alu::Mul, R7, WORDS_PER_ADDRESS as i32);
    for protocol in TransportProtocol::ALL {
        asm.jump_if(R8, Condition::Equal, i32::from(protocol.number()), port);
        asm.alu(Alu::Add, R7, WORDS_PER_PROTOCOL as i32);
    }
    asm.jump(not_ours);

    asm.bind(port);
    // The destination port is the second half of TCP's, UDP's and SCTP's first word.
    asm.alu(Alu::Add, R9, 2);
    asm.load_frame(R9, 2, BYTES, not_ours);
    asm.load(Width::Half, R8, R10, BYTES);
    asm.network_half(R8);
    asm.mov(R0, R8);
    asm.alu(Alu::ShiftRight, R0, 6);
    asm.alu(Alu::Add, R7, R0);
    asm.store(Width::Word, R10, WORD, R7);
    asm.load_map(R1, bits);
    asm.stack_address(R2, WORD);
    asm.call(Helper::MapLookup);
    asm.jump_if(R0, Condition::Equal, 0, not_ours);
    asm.load(Width::Double, R0, R0, 0);
    asm.alu(Alu::And, R8, 63);
    asm.alu(Alu::ShiftRight, R0, R8);
    asm.alu(Alu::And, R0, 1);
    asm.jump_if(R0, Condition::NotEqual, 0, ours);

    let (no, yes) = no_and_yes(purpose);
    asm.bind(not_ours);
    asm.mov(R0, no);
    asm.exit();
    asm.bind(ours);
    asm.mov(R0, yes);
    asm.exit();
    asm.finish()
}

/// Takes protocol, destination and the place of the ports from an IPv4 header, and goes to `lookup`; with
/// ICMP, to `icmp` if there is such a place.
fn ipv4_header(asm: &mut Assembler, lookup: Label, not_ours: Label, icmp: Option<Label>) {
    asm.jump_if(R7, Condition::NotEqual, PACKET_HOST, not_ours);
    asm.load_frame(ETHERNET_LENGTH, 20, BYTES, not_ours);
    // The header's length is in words, in the low half of the first byte.
    asm.load(Width::Byte, R9, R10, BYTES);
    asm.alu(Alu::And, R9, 0x0f);
    asm.alu(Alu::ShiftLeft, R9, 2);
    asm.alu(Alu::Add, R9, ETHERNET_LENGTH);
    asm.load(Width::Byte, R8, R10, BYTES + 9);
    if let Some(icmp) = icmp {
        asm.jump_if(R8, Condition::Equal, ICMP, icmp);
    }
    asm.store(Width::Double, R10, KEY_ADDRESS, 0);
    asm.store(
        Width::Word,
        R10,
        KEY_ADDRESS + 8,
        u32::to_be(0xffff).cast_signed(),
    );
    asm.load(Width::Word, R0, R10, BYTES + 16);
    asm.store(Width::Word, R10, KEY_ADDRESS + 12, R0);
    asm.load(Width::Half, R0, R10, BYTES + 6);
    asm.alu(Alu::And, R0, network(0x1fff));
    asm.jump_if(R0, Condition::Equal, 0, lookup);
    asm.mov(R8, LATER_FRAGMENT);
    asm.jump(lookup);
}

/// As [`ipv4_header`], from an IPv6 header and the fragment header that may be behind it.
fn ipv6_header(asm: &mut Assembler, done: Label, not_ours: Label) {
    asm.load_frame(ETHERNET_LENGTH, IPV6_LENGTH, BYTES, not_ours);
    asm.load(Width::Byte, R8, R10, BYTES + 6);
    asm.mov(R9, ETHERNET_LENGTH + IPV6_LENGTH);
    for half in [0, 8] {
        asm.load(Width::Double, R0, R10, BYTES + 24 + half);
        asm.store(Width::Double, R10, KEY_ADDRESS + half, R0);
    }
    asm.jump_if(R8, Condition::NotEqual, FRAGMENT_HEADER, done);
    asm.load_frame(R9, FRAGMENT_HEADER_LENGTH, BYTES, not_ours);
    asm.alu(Alu::Add, R9, FRAGMENT_HEADER_LENGTH);
    asm.load(Width::Byte, R8, R10, BYTES);
    asm.load(Width::Half, R0, R10, BYTES + 2);
    asm.alu(Alu::And, R0, network(0xfff8));
    asm.jump_if(R0, Condition::Equal, 0, done);
    asm.mov(R8, LATER_FRAGMENT);
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn a_key_is_the_length_and_the_address() {
        let mut expected = [0; 20];
        expected[..4].copy_from_slice(&120u32.to_ne_bytes());
        expected[14..].copy_from_slice(&[0xff, 0xff, 10, 1, 2, 0]);
        assert_eq!(key("10.1.2.0/24".parse().unwrap()), expected);
        let v6 = key(IpNet::from("fd00::1".parse::<IpAddr>().unwrap()));
        assert_eq!(
            (v6[..4].to_vec(), v6[4], v6[19]),
            (128u32.to_ne_bytes().to_vec(), 0xfd, 1)
        );
    }
}
