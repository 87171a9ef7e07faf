//! The test of a frame, as a program: is it for a station?

use crate::bpf::assembler::Register::{R0, R1, R2, R6, R7, R8, R10};
use crate::bpf::assembler::{
    Alu, Assembler, Condition, Helper, Instruction, Label, Width, network,
};
use crate::bpf::{Map, Purpose, no_and_yes};

/// Bytes of the keys of the two tables: the tag, and an address.
pub(super) const MAC_LENGTH: u32 = 4 + 6;
pub(super) const ADDRESS_LENGTH: u32 = 4 + 16;

/// Fields of `struct __sk_buff` (`linux/bpf.h`).
const SKB_VLAN_PRESENT: i16 = 20;
const SKB_VLAN_CONTROL: i16 = 24;
const SKB_VLAN_PROTOCOL: i16 = 28;

/// The number of a VLAN in a tag.
const VLAN_NUMBER: i32 = 0xfff;

/// The settings, 8 bytes: the shared address, whether there is one, and whether everything passes.
pub(super) const IS_SHARED: usize = 6;
pub(super) const IS_EVERYTHING: usize = 7;

const ETHERNET_LENGTH: i32 = 14;

/// Where the addresses are in the frame.
const IPV4_DESTINATION: i32 = ETHERNET_LENGTH + 16;
const IPV6_DESTINATION: i32 = ETHERNET_LENGTH + 24;
const ARP_TARGET: i32 = ETHERNET_LENGTH + 24;

/// The stack: the settings; an IP address behind the tag, which are its key; and the Ethernet header behind the tag, which
/// begin with the key of a MAC address.
const SETTINGS: i16 = -8;
const KEY: i16 = -24;
const KEY_TAG: i16 = KEY - 4;
const HEADER: i16 = -48;
const HEADER_TAG: i16 = HEADER - 4;
const ETHERTYPE: i16 = HEADER + 12;

/// The program. R6: the frame. R8: where in it the IPv4 address is.
///
/// At the ingress hook, it concerns only what is for a station behind the shared address: all else the host's
/// kernel leaves alone, as it is to another address, or has to hear as well.
pub(super) fn of(
    purpose: Purpose,
    macs: &Map,
    addresses: &Map,
    settings: &Map,
) -> Vec<Instruction> {
    let mut asm = Assembler::default();
    let [by_mac, by_address, pass, refuse] = [(); 4].map(|()| asm.label());
    let (everything, group, unknown) = match purpose {
        Purpose::Socket => (pass, pass, pass),
        Purpose::Ingress => (refuse, refuse, refuse),
    };

    asm.mov(R6, R1);
    asm.load_map_value(R0, settings);
    // At once: the process changes them at once.
    asm.load(Width::Double, R7, R0, 0);
    asm.store(Width::Double, R10, SETTINGS, R7);
    asm.load(Width::Byte, R0, R10, SETTINGS + IS_EVERYTHING as i16);
    asm.jump_if(R0, Condition::NotEqual, 0, everything);

    tag(&mut asm);
    asm.load_frame(0, ETHERNET_LENGTH, HEADER, refuse);
    asm.load(Width::Byte, R0, R10, HEADER);
    asm.alu(Alu::And, R0, 1);
    asm.jump_if(R0, Condition::NotEqual, 0, group);

    asm.load(Width::Byte, R0, R10, SETTINGS + IS_SHARED as i16);
    asm.jump_if(R0, Condition::Equal, 0, by_mac);
    for (width, at) in [(Width::Word, 0), (Width::Half, 4)] {
        asm.load(width, R0, R10, HEADER + at);
        asm.load(width, R1, R10, SETTINGS + at);
        asm.jump_if(R0, Condition::NotEqual, R1, by_mac);
    }
    address_key(&mut asm, by_address, unknown, refuse);
    asm.bind(by_address);
    look_up(&mut asm, addresses, KEY_TAG, pass);
    asm.jump(refuse);

    asm.bind(by_mac);
    if purpose == Purpose::Socket {
        look_up(&mut asm, macs, HEADER_TAG, pass);
    }

    let (no, yes) = no_and_yes(purpose);
    asm.bind(refuse);
    asm.mov(R0, no);
    asm.exit();
    asm.bind(pass);
    asm.mov(R0, yes);
    asm.exit();
    asm.finish()
}

/// Puts the tag on the stack, twice: zeros for a frame of no VLAN, which a priority tag does not change.
fn tag(asm: &mut Assembler) {
    let untagged = asm.label();
    for at in [KEY_TAG, HEADER_TAG] {
        asm.store(Width::Word, R10, at, 0);
    }
    asm.load(Width::Word, R0, R6, SKB_VLAN_PRESENT);
    asm.jump_if(R0, Condition::Equal, 0, untagged);
    asm.load(Width::Word, R0, R6, SKB_VLAN_CONTROL);
    asm.alu(Alu::And, R0, VLAN_NUMBER);
    asm.jump_if(R0, Condition::Equal, 0, untagged);
    asm.load(Width::Word, R1, R6, SKB_VLAN_PROTOCOL);
    for at in [KEY_TAG, HEADER_TAG] {
        asm.store(Width::Half, R10, at, R0);
        asm.store(Width::Half, R10, at + 2, R1);
    }
    asm.bind(untagged);
}

/// Puts the destination's key on the stack, and goes to `done`; with a tag in band, to `unknown`, and with another
/// protocol, to `none`.
fn address_key(asm: &mut Assembler, done: Label, unknown: Label, none: Label) {
    let [ipv4, ipv6] = [(); 2].map(|()| asm.label());
    asm.load(Width::Half, R0, R10, ETHERTYPE);
    asm.jump_if(R0, Condition::Equal, network(libc::ETH_P_IPV6), ipv6);
    for tag in [libc::ETH_P_8021Q, libc::ETH_P_8021AD] {
        asm.jump_if(R0, Condition::Equal, network(tag), unknown);
    }
    asm.mov(R8, IPV4_DESTINATION);
    asm.jump_if(R0, Condition::Equal, network(libc::ETH_P_IP), ipv4);
    asm.mov(R8, ARP_TARGET);
    asm.jump_if(R0, Condition::NotEqual, network(libc::ETH_P_ARP), none);

    asm.bind(ipv4);
    asm.store(Width::Double, R10, KEY, 0);
    asm.store(Width::Word, R10, KEY + 8, u32::to_be(0xffff).cast_signed());
    asm.load_frame(R8, 4, KEY + 12, none);
    asm.jump(done);

    asm.bind(ipv6);
    asm.load_frame(IPV6_DESTINATION, 16, KEY, none);
}

/// Goes on at `found` if a map has the key on the stack.
fn look_up(asm: &mut Assembler, map: &Map, key: i16, found: Label) {
    asm.load_map(R1, map);
    asm.stack_address(R2, key);
    asm.call(Helper::MapLookup);
    asm.jump_if(R0, Condition::NotEqual, 0, found);
}
