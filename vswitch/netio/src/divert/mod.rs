//! Which of the packets that come in for the host are ours, and not the kernel's.
//!
//! The host's addresses are shared: the kernel has its connections there, and we have ours, by other ports.
//! Both see each frame, as packet sockets get it before the ingress hook of `tc` does
//! (`__netif_receive_skb_core`). So one test runs in two places: a `tc` program drops what is ours, or the
//! kernel would answer it with a reset or "port unreachable"; and a filter lets packet sockets have nothing
//! but what is ours, with ARP, ICMP and neighbour discovery, which concern both.
//!
//! *Ours* is a packet
//! - to one of the host's addresses ([`Divert::add_address`]), TCP, UDP or SCTP, to a claimed port
//!   ([`DivertClaims::claim`]), or
//! - to a routed subnet ([`Divert::add_subnet`]), of any protocol.
//!
//! Frames with a VLAN tag, and frames to another station's MAC address, are nobody's. An IPv6 packet to one
//! of the host's addresses with extension headers other than a fragment header is the kernel's.
//!
//! A fragment other than the first has no port. To one of the host's addresses, packet sockets get it and
//! the kernel gets it too, which gives it up after a while without a word, as it never sees the first one.
//!
//! The `tc` program is not bound to the process: it goes on dropping what was claimed when the process is
//! killed, so that established connections are not reset before the next process takes over.

mod claims;
mod program;

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;

use crate::bpf::{BpfError, Map, Program, ProgramKind, Purpose};
use crate::netlink::{IngressProgram, Netlink, NetlinkError};
use crate::packet_socket::SocketFilter;

pub use claims::DivertClaims;
use claims::{MAX_ADDRESSES, WORDS_PER_ADDRESS};

/// The programs, and the tables they look in. Dropping it changes nothing about interfaces that it was
/// attached to.
///
/// Needs CAP_BPF and CAP_NET_ADMIN, and Linux 5.7.
#[derive(Debug)]
pub struct Divert {
    destinations: Map,
    claims: DivertClaims,
    subnets: Mutex<Vec<IpNet>>,
    ingress: Program,
    filter: SocketFilter,
}

/// Why packets cannot be diverted.
#[derive(Debug, thiserror::Error)]
pub enum DivertError {
    /// The kernel did not take the programs or tables, or an entry of them.
    #[error("cannot share the host's addresses with the kernel: {0}")]
    Bpf(#[from] BpfError),
    /// More addresses than there is room for.
    #[error(
        "cannot use {address} beside the kernel: there are {MAX_ADDRESSES} such addresses already"
    )]
    TooManyAddresses {
        /// The one too many.
        address: IpAddr,
    },
    /// More subnets than there is room for.
    #[error("cannot take all packets to {subnet}: there are {MAX_SUBNETS} such subnets already")]
    TooManySubnets {
        /// The one too many.
        subnet: IpNet,
    },
    /// A subnet of a single address that is one of the host's, or the other way round.
    #[error("{subnet} cannot be both an address of the host and a routed subnet")]
    AddressIsSubnet {
        /// Which.
        subnet: IpNet,
    },
}

/// Routed subnets at most.
pub const MAX_SUBNETS: usize = 4096;

impl Divert {
    /// Makes the tables, empty, and loads the programs.
    ///
    /// # Errors
    /// [`BpfError::NotPermitted`] and others of [`BpfError`].
    pub fn new() -> Result<Self, DivertError> {
        let entries = MAX_ADDRESSES + MAX_SUBNETS;
        let destinations = Map::prefixes(16, entries as u32)?;
        let bits = Map::words((MAX_ADDRESSES * WORDS_PER_ADDRESS) as u32)?;
        let program = |purpose| program::of(purpose, &destinations, &bits);
        let ingress = Program::load(
            ProgramKind::Classifier,
            "vswitch_ingress",
            &program(Purpose::Ingress),
        )?;
        let filter = SocketFilter::load("vswitch_socket", &program(Purpose::Socket))?;
        Ok(Self {
            claims: DivertClaims::new(bits.memory()?),
            subnets: Mutex::default(),
            filter,
            destinations,
            ingress,
        })
    }

    /// Makes an address one of the host's, of which nothing is claimed. One that is already is left as it is.
    ///
    /// # Errors
    /// [`DivertError::TooManyAddresses`], [`DivertError::AddressIsSubnet`].
    pub fn add_address(&self, address: IpAddr) -> Result<(), DivertError> {
        let subnets = self.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        let subnet = IpNet::from(address);
        if subnets.contains(&subnet) {
            return Err(DivertError::AddressIsSubnet { subnet });
        }
        let slot = self
            .claims
            .take_slot(address)
            .ok_or(DivertError::TooManyAddresses { address })?;
        let key = program::key(subnet);
        self.destinations
            .set(&key, &slot.to_ne_bytes())
            .inspect_err(|_| self.claims.free_slot(address))?;
        Ok(())
    }

    /// Takes an address back, with all that is claimed of it. One that is none of the host's is left as it is.
    ///
    /// # Errors
    /// [`DivertError::Bpf`].
    pub fn remove_address(&self, address: IpAddr) -> Result<(), DivertError> {
        let _order = self.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        if self.claims.has(address) {
            self.destinations.remove(&program::key(address.into()))?;
            self.claims.free_slot(address);
        }
        Ok(())
    }

    /// The host's addresses, as they were added.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.claims.addresses()
    }

    /// Takes all packets to a subnet. It may hold addresses of the host's, which stay shared.
    ///
    /// # Errors
    /// [`DivertError::TooManySubnets`], [`DivertError::AddressIsSubnet`].
    pub fn add_subnet(&self, subnet: IpNet) -> Result<(), DivertError> {
        let subnet = subnet.trunc();
        let mut subnets = self.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        if subnets.contains(&subnet) {
            return Ok(());
        }
        if subnet.prefix_len() == subnet.max_prefix_len() && self.claims.has(subnet.addr()) {
            return Err(DivertError::AddressIsSubnet { subnet });
        }
        if subnets.len() == MAX_SUBNETS {
            return Err(DivertError::TooManySubnets { subnet });
        }
        self.destinations
            .set(&program::key(subnet), &program::ALL.to_ne_bytes())?;
        subnets.push(subnet);
        Ok(())
    }

    /// Leaves a subnet to the kernel. One that was not taken is left as it is.
    ///
    /// # Errors
    /// [`DivertError::Bpf`].
    pub fn remove_subnet(&self, subnet: IpNet) -> Result<(), DivertError> {
        let subnet = subnet.trunc();
        let mut subnets = self.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = subnets.iter().position(|&known| known == subnet) {
            self.destinations.remove(&program::key(subnet))?;
            subnets.swap_remove(index);
        }
        Ok(())
    }

    /// The claimed ports; all handles share them.
    #[must_use]
    pub fn claims(&self) -> DivertClaims {
        self.claims.clone()
    }

    /// The filter of packet sockets: only what is ours passes, and ARP, ICMP and ICMPv6, and later fragments to
    /// the host's addresses. It follows the tables.
    #[must_use]
    pub fn socket_filter(&self) -> SocketFilter {
        self.filter.clone()
    }

    /// From now on the kernel gets nothing of what is ours from an interface. What another process attached
    /// with the same tag is replaced, with no packet between the two: fill the tables first.
    ///
    /// It stays until [`Divert::detach`], or until the interface is gone. Where there is no `clsact` queueing
    /// discipline (or the older `ingress`), one is made, which stays.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`] if there is no such interface, or the kernel lacks `sch_ingress` or `cls_bpf`.
    pub fn attach(
        &self,
        netlink: &mut Netlink,
        interface: u32,
        tag: &str,
    ) -> Result<(), NetlinkError> {
        netlink.set_ingress_program(
            &IngressProgram::tagged(interface, tag),
            self.ingress.as_fd(),
        )
    }

    /// Leaves everything from an interface to the kernel again, whoever attached it. True if there was
    /// something attached with that tag.
    ///
    /// # Errors
    /// [`NetlinkError::NotPermitted`].
    pub fn detach(netlink: &mut Netlink, interface: u32, tag: &str) -> Result<bool, NetlinkError> {
        netlink.remove_ingress_program(&IngressProgram::tagged(interface, tag))
    }
}
