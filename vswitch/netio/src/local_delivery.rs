//! Ranges of local ports that one socket serves, whatever their length.
//!
//! A program (`BPF_PROG_TYPE_SK_LOOKUP`, Linux 5.9) has a say where the kernel looks for the socket that a
//! connection or datagram is for. It comes after connected sockets and before all others: a socket
//! that is bound to a port of a range gets nothing while the range is served. A range is a few entries in a
//! table of prefixes, at most thirty, however long it is.

use std::fs::File;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::TransportProtocol;
use crate::bpf::assembler::Register::{R0, R1, R2, R3, R6, R7, R10};
use crate::bpf::assembler::{Assembler, Condition, Helper, Instruction, Width};
use crate::bpf::{BpfError, Map, Program, ProgramKind};

/// The ranges of one network namespace. Dropping it ends them all; so does the end of the process.
///
/// Needs CAP_BPF and CAP_NET_ADMIN.
#[derive(Debug)]
pub struct LocalDelivery {
    /// The socket's number, by [`key`].
    ports: Map,
    sockets: Map,
    ranges: Mutex<Vec<Option<Served>>>,
    _attached: OwnedFd,
}

/// A range that is served, for [`LocalDelivery::remove`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeId(u32);

#[derive(Debug, Clone)]
struct Served {
    protocol: TransportProtocol,
    address: IpAddr,
    ports: RangeInclusive<u16>,
}

/// Why a range cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LocalDeliveryError {
    /// The kernel did not take the program, or the socket.
    #[error("cannot serve a range of ports: {0}")]
    Bpf(#[from] BpfError),
    /// The namespace cannot be named.
    #[error("cannot open the network namespace: {0}")]
    Namespace(std::io::Error),
    /// A port of the range is served already.
    #[error("port {port} is served already, with another range")]
    Overlap {
        /// The lowest such port.
        port: u16,
    },
    /// SCTP has no such programs.
    #[error("ranges are served of TCP and UDP only")]
    Protocol,
    /// As many ranges as there is room for.
    #[error("{MAX_RANGES} ranges are served already")]
    TooMany,
}

/// Ranges at most.
pub const MAX_RANGES: usize = 1024;

/// The prefixes that the longest range falls into: of each length twice.
const PREFIXES_PER_RANGE: usize = 30;

/// The bytes of a key behind its length, and where its parts are in them. The port comes last, as it is what
/// prefixes are cut from; before it, a place for alignment is left.
const KEY_LENGTH: usize = 22;
const KEY_FAMILY: usize = 0;
const KEY_PROTOCOL: usize = 1;
const KEY_ADDRESS: usize = 4;
const KEY_PORT: usize = 20;

/// Fields of `struct bpf_sk_lookup` (`linux/bpf.h`).
const FAMILY: i16 = 8;
const PROTOCOL: i16 = 12;
const LOCAL_IPV4: i16 = 40;
const LOCAL_IPV6: i16 = 44;
const LOCAL_PORT: i16 = 60;

const SK_PASS: i32 = 1;

impl LocalDelivery {
    /// Attaches the program to the calling thread's namespace, with no range yet.
    ///
    /// # Errors
    /// [`LocalDeliveryError::Bpf`]: no right to it, or an older kernel.
    pub fn new() -> Result<Self, LocalDeliveryError> {
        let entries = MAX_RANGES * PREFIXES_PER_RANGE;
        let ports = Map::prefixes(KEY_LENGTH as u32, entries as u32)?;
        let sockets = Map::sockets(MAX_RANGES as u32)?;
        let program = Program::load(
            ProgramKind::SocketLookup,
            "vswitch_lookup",
            &program(&ports, &sockets),
        )?;
        let namespace =
            File::open("/proc/thread-self/ns/net").map_err(LocalDeliveryError::Namespace)?;
        Ok(Self {
            ports,
            sockets,
            ranges: Mutex::default(),
            _attached: program.attach_to_netns(namespace.as_fd())?,
        })
    }

    /// Has a socket serve all ports of a range at an address, or at all of its family if that is
    /// unspecified. TCP: a listening socket; UDP: one that is bound. When it is closed, the range ends.
    ///
    /// Connections have the port that the client turned to as their local one; of datagrams,
    /// `IP_RECVORIGDSTADDR` tells it.
    ///
    /// # Errors
    /// [`LocalDeliveryError`]; nothing has changed then.
    pub fn add(
        &self,
        protocol: TransportProtocol,
        address: IpAddr,
        ports: RangeInclusive<u16>,
        socket: BorrowedFd<'_>,
    ) -> Result<RangeId, LocalDeliveryError> {
        if protocol == TransportProtocol::Sctp {
            return Err(LocalDeliveryError::Protocol);
        }
        let served = Served {
            protocol,
            address,
            ports,
        };
        let mut ranges = self.ranges();
        if let Some(port) = ranges
            .iter()
            .flatten()
            .filter_map(|other| other.overlap(&served))
            .min()
        {
            return Err(LocalDeliveryError::Overlap { port });
        }
        let vacant = ranges.iter().position(Option::is_none);
        let number = vacant.unwrap_or(ranges.len());
        if number == MAX_RANGES {
            return Err(LocalDeliveryError::TooMany);
        }
        let value = (number as u32).to_ne_bytes();
        self.sockets
            .set(&value, &socket.as_raw_fd().to_ne_bytes())?;
        for key in served.keys() {
            self.ports
                .set(&key, &value)
                .inspect_err(|_| self.withdraw(&served, value))?;
        }
        if number == ranges.len() {
            ranges.push(None);
        }
        ranges[number] = Some(served);
        Ok(RangeId(number as u32))
    }

    /// Ends a range.
    pub fn remove(&self, id: RangeId) {
        let mut ranges = self.ranges();
        if let Some(served) = ranges.get_mut(id.0 as usize).and_then(Option::take) {
            self.withdraw(&served, id.0.to_ne_bytes());
        }
    }

    /// Takes out what of a range is in the tables. It fails of nothing but what is not there: a socket that
    /// was closed, the rest of a range that did not fit.
    fn withdraw(&self, served: &Served, number: [u8; 4]) {
        let _ = self.sockets.remove(&number);
        for key in served.keys() {
            let _ = self.ports.remove(&key);
        }
    }

    fn ranges(&self) -> MutexGuard<'_, Vec<Option<Served>>> {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// The lowest port of both, if one of the addresses includes the other.
    fn overlap(&self, other: &Self) -> Option<u16> {
        let first = *self.ports.start().max(other.ports.start());
        let last = *self.ports.end().min(other.ports.end());
        let same_address = self.address == other.address
            || self.address.is_ipv4() == other.address.is_ipv4()
                && (self.address.is_unspecified() || other.address.is_unspecified());
        (self.protocol == other.protocol && same_address && first <= last).then_some(first)
    }

    /// The keys of the prefixes that the ports fall into.
    fn keys(&self) -> impl Iterator<Item = [u8; 4 + KEY_LENGTH]> {
        prefixes(self.ports.clone())
            .map(|(port, length)| key(self.protocol, self.address, port, length))
    }
}

/// The key of ports that agree in the first `length` bits: how many bits count, then the bytes of
/// [`KEY_LENGTH`]. An IPv4 address has zeros behind it.
fn key(
    protocol: TransportProtocol,
    address: IpAddr,
    port: u16,
    length: u32,
) -> [u8; 4 + KEY_LENGTH] {
    let mut key = [0; 4 + KEY_LENGTH];
    let (bits, data) = key.split_at_mut(4);
    bits.copy_from_slice(&(KEY_PORT as u32 * 8 + length).to_ne_bytes());
    data[KEY_PROTOCOL] = protocol.number();
    match address {
        IpAddr::V4(v4) => {
            data[KEY_FAMILY] = libc::AF_INET as u8;
            data[KEY_ADDRESS..][..4].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            data[KEY_FAMILY] = libc::AF_INET6 as u8;
            data[KEY_ADDRESS..][..16].copy_from_slice(&v6.octets());
        }
    }
    data[KEY_PORT..].copy_from_slice(&port.to_be_bytes());
    key
}

/// The fewest prefixes that make up a range: the first port of each, and its length.
fn prefixes(ports: RangeInclusive<u16>) -> impl Iterator<Item = (u16, u32)> {
    let end = u32::from(*ports.end()) + 1;
    let mut next = u32::from(*ports.start());
    std::iter::from_fn(move || {
        let left = end.checked_sub(next)?.checked_ilog2()?;
        // A block begins at a multiple of its size, and 0 is one of any.
        let size = left.min(next.trailing_zeros());
        let first = u16::try_from(next).ok()?;
        next += 1 << size;
        Some((first, 16 - size))
    })
}

/// The program. R6: the context. R7: the socket.
fn program(ports: &Map, sockets: &Map) -> Vec<Instruction> {
    /// The stack: the length of a key, its data, and the number of a socket.
    const LENGTH: i16 = -32;
    const DATA: i16 = LENGTH + 4;
    const ADDRESS: i16 = DATA + KEY_ADDRESS as i16;
    const NUMBER: i16 = -4;
    let mut asm = Assembler::default();
    let [ipv6, addressed, found, pass] = [(); 4].map(|()| asm.label());

    asm.mov(R6, R1);
    asm.store(Width::Word, R10, LENGTH, KEY_LENGTH as i32 * 8);
    asm.store(Width::Word, R10, DATA, 0);
    asm.load(Width::Word, R0, R6, PROTOCOL);
    asm.store(Width::Byte, R10, DATA + KEY_PROTOCOL as i16, R0);
    asm.load(Width::Word, R0, R6, LOCAL_PORT);
    asm.network_half(R0);
    asm.store(Width::Half, R10, DATA + KEY_PORT as i16, R0);
    unspecified(&mut asm, ADDRESS);
    asm.load(Width::Word, R0, R6, FAMILY);
    asm.store(Width::Byte, R10, DATA + KEY_FAMILY as i16, R0);
    asm.jump_if(R0, Condition::Equal, libc::AF_INET6, ipv6);
    asm.load(Width::Word, R0, R6, LOCAL_IPV4);
    asm.store(Width::Word, R10, ADDRESS, R0);
    asm.jump(addressed);
    asm.bind(ipv6);
    for offset in [0, 4, 8, 12] {
        asm.load(Width::Word, R0, R6, LOCAL_IPV6 + offset);
        asm.store(Width::Word, R10, ADDRESS + offset, R0);
    }
    asm.bind(addressed);
    look_up(&mut asm, ports, LENGTH);
    asm.jump_if(R0, Condition::NotEqual, 0, found);
    unspecified(&mut asm, ADDRESS);
    look_up(&mut asm, ports, LENGTH);
    asm.jump_if(R0, Condition::Equal, 0, pass);
    asm.bind(found);
    asm.load(Width::Word, R0, R0, 0);
    asm.store(Width::Word, R10, NUMBER, R0);
    look_up(&mut asm, sockets, NUMBER);
    asm.jump_if(R0, Condition::Equal, 0, pass);
    asm.mov(R7, R0);
    asm.mov(R1, R6);
    asm.mov(R2, R7);
    asm.mov(R3, 0);
    asm.call(Helper::SocketAssign);
    asm.mov(R1, R7);
    asm.call(Helper::SocketRelease);
    asm.bind(pass);
    asm.mov(R0, SK_PASS);
    asm.exit();
    asm.finish()
}

/// Writes the address that stands for all of its family.
fn unspecified(asm: &mut Assembler, at: i16) {
    asm.store(Width::Double, R10, at, 0);
    asm.store(Width::Double, R10, at + 8, 0);
}

/// Looks for the key on the stack; R0 points at its value, or is 0.
fn look_up(asm: &mut Assembler, map: &Map, key: i16) {
    asm.load_map(R1, map);
    asm.stack_address(R2, key);
    asm.call(Helper::MapLookup);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prefixes_hold_the_ports_of_a_range_and_no_others(first: u16, last: u16) {
            let mut ports = Vec::new();
            let mut count = 0;
            for (port, length) in prefixes(first..=last) {
                let size = 1u32 << (16 - length);
                prop_assert_eq!(u32::from(port) % size, 0);
                ports.extend(u32::from(port)..u32::from(port) + size);
                count += 1;
            }
            prop_assert!(ports.into_iter().eq((first..=last).map(u32::from)));
            prop_assert!(count <= PREFIXES_PER_RANGE);
        }
    }

    #[test]
    fn all_ports_are_one_prefix_and_the_worst_range_is_thirty() {
        assert!(prefixes(0..=u16::MAX).eq([(0, 0)]));
        assert_eq!(prefixes(1..=u16::MAX - 1).count(), PREFIXES_PER_RANGE);
    }
}
