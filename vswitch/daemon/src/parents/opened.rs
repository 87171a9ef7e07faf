//! The sockets on a NIC: what they let in.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use anyhow::Context as _;
use vswitch_api::ParentFilter;
use vswitch_netio::packet_socket::{Membership, PacketOptions, PacketSocket};
use vswitch_netio::station_filter::{StationFilter, Tag};
use vswitch_packet::MacAddr;

use super::nic::Nic;
use crate::daemon_id::DaemonId;
use crate::edge::Namespace;

/// A station on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The VLAN it is in.
    pub tag: Tag,
    /// By what its frames are told from others there.
    pub known_by: KnownBy,
}

/// By what a station's frames are told from others in its VLAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// Its own MAC address.
    Mac(MacAddr),
    /// Its IP addresses, behind the NIC's MAC address.
    Addresses(Vec<IpAddr>),
    /// Every frame is its.
    Everything,
}

/// A NIC with sockets of ours on it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) index: u32,
    membership: Membership,
    filter: StationFilter,
    /// By which a later daemon knows what was attached to the NIC.
    mark: String,
    /// Whether frames to stations behind the NIC's address are kept from the kernel.
    pub(super) is_kept: bool,
    filtering: ParentFilter,
    /// Whether it hands on everything because we want it to.
    receives_all: bool,
    /// Whether it was told of stations' addresses, and what it makes of them is not known yet.
    is_asked: bool,
    /// How many want it to hand on everything, before any of our addresses was given to it.
    promiscuity: u32,
}

/// Octets that may wait at each socket: a few bursts of super-frames.
const RECEIVE_BUFFER: usize = 4 << 20;

impl Opened {
    /// Opens a socket for each worker.
    pub(super) fn open(
        host: &mut Namespace,
        nic: &Nic,
        workers: NonZeroUsize,
        daemon: DaemonId,
    ) -> anyhow::Result<(Self, Vec<PacketSocket>)> {
        let filter = StationFilter::new().context("no filter for the NIC's frames")?;
        filter.set_shared(Some(nic.mac));
        let options = PacketOptions {
            vnet_header: true,
            ignore_outgoing: true,
            vlan_tags: true,
            filter: Some(filter.socket_filter()),
            receive_buffer: Some(RECEIVE_BUFFER),
            ..PacketOptions::default()
        };
        let promiscuity = promiscuity(host, nic.index)?;
        let membership = Membership::open(nic.index)?;
        membership.set_all_groups()?;
        let sockets = PacketSocket::open_group(nic.index, &options, workers)?;
        let opened = Self {
            index: nic.index,
            membership,
            filter,
            mark: daemon.to_string(),
            is_kept: false,
            filtering: ParentFilter::SharedMac,
            receives_all: false,
            is_asked: false,
            promiscuity,
        };
        Ok((opened, sockets))
    }

    /// Lets in what is for a station.
    pub(super) fn admit(&mut self, host: &mut Namespace, station: &Station) -> anyhow::Result<()> {
        let tag = station.tag;
        match &station.known_by {
            KnownBy::Mac(mac) => {
                self.filter.add_mac(tag, *mac)?;
                self.membership.add_unicast(*mac)?;
                if self.filtering == ParentFilter::SharedMac {
                    self.is_asked = true;
                    self.look(host)?;
                }
            }
            KnownBy::Addresses(addresses) => {
                for &address in addresses {
                    self.filter.add_address(tag, address)?;
                }
                if !self.is_kept {
                    self.filter
                        .keep_from_kernel(&mut host.netlink, self.index, &self.mark)?;
                    self.is_kept = true;
                }
            }
            KnownBy::Everything => self.filter.set_everything(true),
        }
        // Which VLANs there are beside the host's, a NIC that selects by them does not know.
        if tag.is_some() || station.known_by == KnownBy::Everything {
            self.receive_all()?;
        }
        Ok(())
    }

    /// The reverse of [`Opened::admit`].
    pub(super) fn dismiss(&self, station: &Station) -> anyhow::Result<()> {
        let tag = station.tag;
        match &station.known_by {
            KnownBy::Mac(mac) => {
                self.filter.remove_mac(tag, *mac)?;
                // The NIC may be gone, and its filter with it.
                let _ = self.membership.remove_unicast(*mac);
            }
            KnownBy::Addresses(addresses) => {
                for &address in addresses {
                    self.filter.remove_address(tag, address)?;
                }
            }
            // The one that is let go of is followed by another like it, or by the end.
            KnownBy::Everything => self.filter.set_everything(false),
        }
        Ok(())
    }

    fn receive_all(&mut self) -> anyhow::Result<()> {
        if !self.receives_all {
            self.membership.set_promiscuous()?;
            self.receives_all = true;
        }
        self.filtering = ParentFilter::Promiscuous;
        self.is_asked = false;
        Ok(())
    }

    /// Leaves the NIC as it was found.
    pub(super) fn close(self, host: &mut Namespace) {
        if self.is_kept {
            leave_to_kernel(host, self.index, &self.mark);
        }
    }

    /// The NIC has another address.
    pub(super) fn set_shared(&self, mac: MacAddr) {
        self.filter.set_shared(Some(mac));
    }

    pub(super) const fn filtering(&self) -> ParentFilter {
        self.filtering
    }

    /// Finds out how the NIC selects frames, if that is not known. The kernel puts one that cannot select by our
    /// addresses into promiscuous mode as soon as it is up, and tells of it.
    pub(super) fn look(&mut self, host: &mut Namespace) -> anyhow::Result<()> {
        let link = host.netlink.link_at(self.index)?;
        if let Some(link) = link.filter(|link| self.is_asked && link.up) {
            self.is_asked = false;
            self.filtering = if link.promiscuity > self.promiscuity {
                ParentFilter::Promiscuous
            } else {
                ParentFilter::Unicast
            };
        }
        Ok(())
    }
}

/// Leaves the frames of a NIC that is no parent any more to the kernel.
pub(super) fn leave_to_kernel(host: &mut Namespace, interface: u32, mark: &str) {
    // The NIC may be gone, and the program with it.
    if let Ok(true) = StationFilter::leave_to_kernel(&mut host.netlink, interface, mark) {
        tracing::debug!(interface, "its frames are all the kernel's again");
    }
}

fn promiscuity(host: &mut Namespace, index: u32) -> anyhow::Result<u32> {
    let link = host.netlink.link_at(index)?;
    Ok(link.map_or(0, |link| link.promiscuity))
}
