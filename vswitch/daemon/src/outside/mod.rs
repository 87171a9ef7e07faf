//! The way outside: the host's NICs, shared with the host's own kernel.
//!
//! The kernel sees every frame that comes in at a NIC, and so do we. Which are ours is said by
//! [`Divert`]: its program at the NIC's ingress keeps those from the kernel, and the same question,
//! asked at our sockets, lets only those through.

mod claims;
mod division;
mod host_ports;
mod nic;
mod ports;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ipnet::IpNet;
use vswitch_nat::Protocol;
use vswitch_netio::InterfaceName;
use vswitch_netio::divert::Divert;
use vswitch_netio::ephemeral_ports;
use vswitch_netio::netlink::{Neighbour, NeighbourState};
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};

use crate::config::Uplink;
use crate::daemon_id::DaemonId;
use crate::dataplane::{Dataplane, HostRoute, HostWay};
use crate::edge::Namespace;

use claims::Claim;
use division::Division;
use host_ports::SharedPorts;
use nic::{Nic, Survey};

/// The NICs in use, and what is ours of their frames.
#[derive(Debug)]
pub struct Outside {
    wanted: Uplink,
    /// NICs that networks are routed by, wanted or not.
    routed: BTreeSet<InterfaceName>,
    daemon: DaemonId,
    divert: Option<Divert>,
    ports: SharedPorts,
    /// What the kernel draws ports from by itself.
    ephemeral: RangeInclusive<u16>,
    /// As the router has them; `None` if it is to be told again.
    routes: Option<Vec<HostRoute>>,
    /// By index.
    nics: BTreeMap<u32, Nic>,
    addresses: BTreeSet<IpAddr>,
    subnets: BTreeSet<IpNet>,
    /// The published ports as configured, and as claimed at each address.
    hosts: Vec<(IpAddr, Protocol, RangeInclusive<u16>)>,
    published: BTreeSet<Claim>,
    /// When the host's sockets were looked at last, and the processor time that took.
    looked: (Instant, Duration),
}

/// Linux' default range (`inet_init_net`), where it cannot be read.
const DEFAULT_EPHEMERAL: RangeInclusive<u16> = 32768..=60999;
/// Where translation draws ports from that cannot be kept: above those that servers like best. The
/// kernel's own and those of the host's sockets are passed over.
pub const DRAWN_PORTS: RangeInclusive<u16> = 16384..=65535;
/// Octets that may wait at each socket: a few bursts of super-frames.
const RECEIVE_BUFFER: usize = 4 << 20;

impl Outside {
    /// Gets ready, in the host's namespace. No frame is touched before [`Outside::refresh`].
    ///
    /// Where the kernel has no BPF, or the daemon no right to it, there is no way outside, and the
    /// log says so.
    #[must_use]
    pub fn open(wanted: &Uplink, daemon: DaemonId) -> Self {
        let divert = match wanted {
            Uplink::None => None,
            _ => Divert::new()
                .inspect_err(|error| {
                    tracing::error!("containers cannot reach the outside: {error}");
                })
                .ok(),
        };
        let ephemeral = ephemeral_ports();
        let claims = divert.as_ref().map(Divert::claims);
        let mut outside = Self {
            wanted: wanted.clone(),
            routed: BTreeSet::new(),
            daemon,
            divert,
            ports: SharedPorts::new(claims, Division::none(&ephemeral)),
            ephemeral,
            routes: None,
            nics: BTreeMap::new(),
            addresses: BTreeSet::new(),
            subnets: BTreeSet::new(),
            hosts: Vec::new(),
            published: BTreeSet::new(),
            looked: (Instant::now(), Duration::ZERO),
        };
        outside.divide(&[]);
        outside
    }

    /// What translation has to know of the host's ports.
    pub(crate) fn host_ports(&self) -> SharedPorts {
        self.ports.clone()
    }

    /// The ports that published ones are taken from if nobody says which: those that the host's
    /// programs get, too.
    #[must_use]
    pub fn ports_for_any(&self) -> RangeInclusive<u16> {
        let division = self.ports.division();
        let first = division.kernels.first();
        first.unwrap_or(&self.ephemeral).clone()
    }

    /// The host's routes, each with the name of its uplink, if it leads to one.
    pub fn routes(&self) -> impl Iterator<Item = (&HostRoute, Option<&InterfaceName>)> {
        self.routes.iter().flatten().map(|route| {
            let nic = match route.way {
                HostWay::Interface { interface, .. } => self.nics.get(&interface),
                _ => None,
            };
            (route, nic.map(|nic| &nic.name))
        })
    }

    /// The name of an uplink.
    #[must_use]
    pub fn name(&self, interface: u32) -> Option<&InterfaceName> {
        self.nics.get(&interface).map(|nic| &nic.name)
    }

    /// Learns the host's addresses, which must be known before what is claimed of them is.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn prepare(&mut self, host: &mut Namespace, dataplane: &Dataplane) -> anyhow::Result<()> {
        let survey = Survey::take(host, &self.wanted, &self.routed, self.daemon)?;
        self.set_addresses(&survey.addresses, dataplane);
        // A former daemon had other uplinks, maybe.
        let uplinks: BTreeSet<u32> = survey.nics.iter().map(|nic| nic.spec.interface).collect();
        for link in host.netlink.links()? {
            if !uplinks.contains(&link.index) {
                self.leave(host, link.index);
            }
        }
        Ok(())
    }

    /// Makes the uplinks, and what the router knows of routes and neighbours, agree with the kernel.
    ///
    /// # Errors
    /// If the kernel cannot be asked. What is wrong with one NIC is logged.
    pub fn refresh(&mut self, host: &mut Namespace, dataplane: &Dataplane) -> anyhow::Result<()> {
        if self.divert.is_none() {
            return Ok(());
        }
        let survey = Survey::take(host, &self.wanted, &self.routed, self.daemon)?;
        let nics: BTreeMap<u32, Nic> = survey
            .nics
            .into_iter()
            .map(|nic| (nic.spec.interface, nic))
            .collect();
        self.drop_nics(host, dataplane, &nics);
        self.set_addresses(&survey.addresses, dataplane);
        for (interface, nic) in nics {
            match self.nics.get_mut(&interface) {
                Some(present) => {
                    if present.spec.addresses != nic.spec.addresses {
                        dataplane.set_uplink_addresses(interface, &nic.spec.addresses);
                    }
                    *present = nic;
                }
                None => self.add_nic(host, dataplane, nic),
            }
        }
        // There may be very many, and most news is of something else.
        if self.routes.as_ref() != Some(&survey.routes) {
            dataplane.set_host_routes(&survey.routes);
            self.routes = Some(survey.routes);
        }
        for neighbour in host.netlink.neighbours()? {
            self.learn(&neighbour, dataplane);
        }
        Ok(())
    }

    /// Tells the router of a neighbour that the kernel is sure of. Others it asks for itself.
    pub fn learn(&self, neighbour: &Neighbour, dataplane: &Dataplane) {
        use NeighbourState::{Permanent, Reachable};
        if let Some(mac) = neighbour.mac
            && matches!(neighbour.state, Permanent | Reachable)
            && self.nics.contains_key(&neighbour.interface)
        {
            let permanent = neighbour.state == Permanent;
            dataplane.learn_uplink_neighbour(neighbour.interface, neighbour.ip, mac, permanent);
        }
    }

    /// Replaces the NICs that networks are routed by. True if they were others before, and
    /// [`Outside::refresh`] is due.
    pub fn set_routed(&mut self, routed: BTreeSet<InterfaceName>) -> bool {
        let changed = self.routed != routed;
        self.routed = routed;
        changed
    }

    fn drop_nics(
        &mut self,
        host: &mut Namespace,
        dataplane: &Dataplane,
        wanted: &BTreeMap<u32, Nic>,
    ) {
        let stays = |present: &Nic| {
            let nic = wanted.get(&present.spec.interface);
            // After its device vanished, the port is of no use even if another has the number.
            nic.is_some_and(|nic| {
                (nic.spec.mac, nic.spec.mtu) == (present.spec.mac, present.spec.mtu)
            }) && dataplane.has_uplink(present.spec.interface)
        };
        let gone: Vec<Nic> = self
            .nics
            .values()
            .filter(|nic| !stays(nic))
            .cloned()
            .collect();
        for nic in gone {
            let interface = nic.spec.interface;
            self.nics.remove(&interface);
            self.routes = None;
            dataplane.remove_uplink(interface);
            if !wanted.contains_key(&interface) {
                self.leave(host, interface);
            }
            tracing::info!(interface = %nic.name, "no uplink any more");
        }
    }

    /// Leaves what comes in at an interface to the kernel.
    fn leave(&self, host: &mut Namespace, interface: u32) {
        // The interface may be gone, and the program with it.
        if let Ok(true) = Divert::detach(&mut host.netlink, interface, &self.daemon.to_string()) {
            tracing::debug!(interface, "its frames are all the kernel's again");
        }
    }

    fn add_nic(&mut self, host: &mut Namespace, dataplane: &Dataplane, nic: Nic) {
        match self.open_nic(host, dataplane, &nic) {
            Ok(()) => {
                tracing::info!(interface = %nic.name, mtu = nic.spec.mtu, "uplink");
                self.nics.insert(nic.spec.interface, nic);
                self.routes = None;
            }
            Err(error) => {
                dataplane.remove_uplink(nic.spec.interface);
                tracing::error!(interface = %nic.name, "cannot use the uplink: {error:#}");
            }
        }
    }

    fn open_nic(
        &self,
        host: &mut Namespace,
        dataplane: &Dataplane,
        nic: &Nic,
    ) -> anyhow::Result<()> {
        let divert = self.divert.as_ref().context("no divert")?;
        let interface = nic.spec.interface;
        let options = PacketOptions {
            vnet_header: true,
            ignore_outgoing: true,
            filter: Some(divert.socket_filter()),
            receive_buffer: Some(RECEIVE_BUFFER),
            ..PacketOptions::default()
        };
        let workers = NonZeroUsize::new(dataplane.workers()).context("no workers")?;
        let sockets = PacketSocket::open_group(interface, &options, workers)?;
        dataplane.add_uplink(&nic.spec, sockets)?;
        // Last: until then, the kernel answers as it did.
        divert.attach(&mut host.netlink, interface, &self.daemon.to_string())?;
        Ok(())
    }
}

fn ephemeral_ports() -> RangeInclusive<u16> {
    ephemeral_ports::range().unwrap_or_else(|error| {
        tracing::warn!("cannot read the host's ephemeral ports: {error}");
        DEFAULT_EPHEMERAL
    })
}

fn log_failure<E: std::fmt::Display>(what: &str, result: Result<(), E>) {
    if let Err(error) = result {
        tracing::error!("cannot {what}: {error}");
    }
}
