//! Which frames of a NIC concern the stations that are on its wire through us.
//!
//! The NIC is the host's as well, and busy: the kernel runs the filter for each frame that comes in, of which
//! most may be none of ours, and what it refuses costs a look in one table and no copy.
//!
//! A frame passes that is
//! - to a group address, as any station may listen to it,
//! - to a station's own address ([`StationFilter::add_mac`]), or
//! - to the shared address ([`StationFilter::set_shared`]), and there to a station's IP address
//!   ([`StationFilter::add_address`]) by its IPv4 or IPv6 header or as an ARP target.
//!
//! in the station's VLAN, by the outer tag, which the kernel takes out before. A frame to the shared address
//! with a second tag in band passes, as its addresses are out of reach.
//!
//! What is to the shared address and for a station reaches the host's kernel as well, which would forward it, or
//! answer that it cannot. The same tables keep it from the kernel, at the ingress hook of `tc`
//! ([`StationFilter::keep_from_kernel`]).

mod program;

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use vswitch_packet::{EtherType, MacAddr, VlanId};

use crate::bpf::{BpfError, Map, Program, ProgramKind, Purpose};
use crate::mapping::SharedWords;
use crate::netlink::{IngressProgram, Netlink, NetlinkError};
use crate::packet_socket::SocketFilter;

/// The filter, and the tables it looks in. Changes hold at once for all sockets that have it.
///
/// Needs CAP_BPF and CAP_NET_ADMIN, and Linux 5.5.
#[derive(Debug)]
pub struct StationFilter {
    macs: Map,
    addresses: Map,
    settings: SharedWords,
    filter: SocketFilter,
    ingress: Program,
}

/// Stations' addresses at most, of either kind.
pub const MAX_STATIONS: u32 = 16384;

/// The tag of a VLAN on the NIC; `None` is what has none.
pub type Tag = Option<(EtherType, VlanId)>;

/// What entries of the tables have as their value, which nobody reads.
const PRESENT: [u8; 4] = [0; 4];

impl StationFilter {
    /// Makes the tables, empty, and loads the program: only frames to groups pass.
    ///
    /// # Errors
    /// [`BpfError::NotPermitted`] and others of [`BpfError`].
    pub fn new() -> Result<Self, BpfError> {
        let macs = Map::hash(program::MAC_LENGTH, MAX_STATIONS)?;
        let addresses = Map::hash(program::ADDRESS_LENGTH, MAX_STATIONS)?;
        let settings = Map::words(1)?;
        let program = |purpose| program::of(purpose, &macs, &addresses, &settings);
        Ok(Self {
            filter: SocketFilter::load("vswitch_station", &program(Purpose::Socket))?,
            ingress: Program::load(
                ProgramKind::Classifier,
                "vswitch_station",
                &program(Purpose::Ingress),
            )?,
            settings: settings.memory()?,
            macs,
            addresses,
        })
    }

    /// Lets frames to a station's own address pass.
    ///
    /// # Errors
    /// [`BpfError::Full`] if there are [`MAX_STATIONS`].
    pub fn add_mac(&self, tag: Tag, mac: MacAddr) -> Result<(), BpfError> {
        self.macs.set(&mac_key(tag, mac), &PRESENT)
    }

    /// Takes a station's own address back, however often it was added.
    ///
    /// # Errors
    /// [`BpfError::Call`], for want of memory.
    pub fn remove_mac(&self, tag: Tag, mac: MacAddr) -> Result<(), BpfError> {
        self.macs.remove(&mac_key(tag, mac))
    }

    /// Lets frames to an IP address pass that come to the shared address.
    ///
    /// # Errors
    /// As [`StationFilter::add_mac`].
    pub fn add_address(&self, tag: Tag, address: IpAddr) -> Result<(), BpfError> {
        self.addresses.set(&address_key(tag, address), &PRESENT)
    }

    /// Takes an IP address back, however often it was added.
    ///
    /// # Errors
    /// As [`StationFilter::remove_mac`].
    pub fn remove_address(&self, tag: Tag, address: IpAddr) -> Result<(), BpfError> {
        self.addresses.remove(&address_key(tag, address))
    }

    /// Sets the address that the host and stations share. Frames to it are told apart by IP address alone,
    /// whether it was added as a station's own or not.
    pub fn set_shared(&self, mac: Option<MacAddr>) {
        self.change(|settings| {
            let (octets, known) = mac.map_or(([0; 6], 0), |mac| (mac.0, 1));
            settings[..program::IS_SHARED].copy_from_slice(&octets);
            settings[program::IS_SHARED] = known;
        });
    }

    /// Lets everything pass, or what the tables say.
    pub fn set_everything(&self, everything: bool) {
        self.change(|settings| settings[program::IS_EVERYTHING] = everything.into());
    }

    /// The filter of packet sockets; it follows the tables.
    #[must_use]
    pub fn socket_filter(&self) -> SocketFilter {
        self.filter.clone()
    }

    /// From now on the kernel gets nothing from an interface that is for a station behind the shared address. It
    /// stays until [`StationFilter::leave_to_kernel`], whatever becomes of the process; what another process attached
    /// with the same tag is replaced.
    ///
    /// # Errors
    /// As [`Divert::attach`](crate::divert::Divert::attach).
    pub fn keep_from_kernel(
        &self,
        netlink: &mut Netlink,
        interface: u32,
        tag: &str,
    ) -> Result<(), NetlinkError> {
        let program = IngressProgram::tagged(interface, &tagged(tag));
        netlink.set_ingress_program(&program, self.ingress.as_fd())
    }

    /// Leaves everything to the kernel again, whoever attached it. True if there was something.
    ///
    /// # Errors
    /// [`NetlinkError::NotPermitted`].
    pub fn leave_to_kernel(
        netlink: &mut Netlink,
        interface: u32,
        tag: &str,
    ) -> Result<bool, NetlinkError> {
        netlink.remove_ingress_program(&IngressProgram::tagged(interface, &tagged(tag)))
    }

    /// Changes the settings in one step, so that no frame is judged by half of them.
    fn change(&self, change: impl Fn(&mut [u8; 8])) {
        let changed = |word: u64| {
            let mut settings = word.to_ne_bytes();
            change(&mut settings);
            Some(u64::from_ne_bytes(settings))
        };
        // Never an error, as there is always a next value.
        let _ = self.settings[0].fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}

/// Beside the program of [`crate::divert`], which may have the same tag.
fn tagged(tag: &str) -> String {
    format!("{tag}:stations")
}

/// The number in this machine's order and the type in the network's, as the kernel has them.
fn tag_key(tag: Tag) -> [u8; 4] {
    let Some((ethertype, vlan)) = tag else {
        return [0; 4];
    };
    let ([a, b], [c, d]) = (vlan.get().to_ne_bytes(), ethertype.0.to_be_bytes());
    [a, b, c, d]
}

fn mac_key(tag: Tag, mac: MacAddr) -> [u8; program::MAC_LENGTH as usize] {
    let mut key = [0; program::MAC_LENGTH as usize];
    key[..4].copy_from_slice(&tag_key(tag));
    key[4..].copy_from_slice(&mac.0);
    key
}

/// IPv4 is mapped (RFC 4291 §2.5.5.2); nobody may send such an address over IPv6.
fn address_key(tag: Tag, address: IpAddr) -> [u8; program::ADDRESS_LENGTH as usize] {
    let v6: Ipv6Addr = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut key = [0; program::ADDRESS_LENGTH as usize];
    key[..4].copy_from_slice(&tag_key(tag));
    key[4..].copy_from_slice(&v6.octets());
    key
}
