//! Physical networks: the sockets on a NIC, and which LANs there are behind it.

use std::net::IpAddr;

use anyhow::Context as _;
use vswitch_cnm::{BridgeSettings, LanFace, LanMode, LanSettings, PortSettings, SegmentId};
use vswitch_datapath::lan::{Face, Lan, Mode, Station, Wire as LanWire};
use vswitch_datapath::{BridgeId, Identity, Port, PortId, Role, link_local};
use vswitch_netio::clock;
use vswitch_netio::packet_socket::PacketSocket;
use vswitch_packet::MacAddr;

use super::name::{ParentKey, PortName};
use super::queue::Queue;
use super::snapshot::{Snapshot, Wire};
use super::{Dataplane, Directory, introduce};

/// What the workers have to know of a NIC that containers are put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentSpec {
    /// Its address.
    pub mac: MacAddr,
    /// The longest packet, in octets.
    pub mtu: u16,
}

impl Dataplane {
    /// Adds a NIC, which may not be there yet.
    ///
    /// # Errors
    /// If it was added before.
    pub fn add_parent(&self, key: ParentKey) -> anyhow::Result<()> {
        let mut directory = self.directory();
        let name = PortName::Parent(key);
        self.add_outer_port(&mut directory, name, Vec::new(), |port, _| Port {
            role: Role::Parent,
            ..port
        })
    }

    /// Has the workers use a NIC; one socket for each of them. Sockets that they had before are closed
    /// when this returns.
    ///
    /// # Errors
    /// If the NIC was not added.
    pub fn open_parent(
        &self,
        key: ParentKey,
        spec: ParentSpec,
        sockets: Vec<PacketSocket>,
    ) -> anyhow::Result<()> {
        let queues = sockets.into_iter().map(Queue::Tagged).collect();
        self.rewire_parent(key, Some(spec), queues)
    }

    /// Has the workers close their sockets on a NIC that is gone. Its stations go on among themselves.
    pub fn close_parent(&self, key: ParentKey) {
        // A parent that was never added has no sockets.
        let _ = self.rewire_parent(key, None, Vec::new());
    }

    /// The NIC's address or MTU is another one now.
    pub fn set_parent(&self, key: ParentKey, spec: ParentSpec) {
        let directory = self.directory();
        if let Some(port) = directory.parent(key) {
            self.change(|next| next.edit_port(port, |port| spec.apply(port)));
        }
    }

    /// Takes a NIC away, that no segment is on any more. Returns when no worker holds its sockets.
    pub fn remove_parent(&self, key: ParentKey) {
        self.remove_port(&PortName::Parent(key));
    }

    /// Puts a segment on a NIC.
    ///
    /// # Errors
    /// If one of them is not there.
    pub fn join_lan(&self, settings: &BridgeSettings, key: ParentKey) -> anyhow::Result<()> {
        let directory = self.directory();
        let lan = settings.lan.as_ref().context("it is on no LAN")?;
        let bridge = directory
            .bridge(settings.id())
            .context("the segment is not switched")?;
        let port = directory.parent(key).context("the NIC was not added")?;
        let lan = on_parent(lan, port);
        self.change(|next| next.topology.edit_bridge(bridge, |b| b.lan = Some(lan)));
        Ok(())
    }

    /// Gives the router another address on a segment's link.
    pub fn set_gateway_mac(&self, segment: SegmentId, mac: MacAddr) {
        let directory = self.directory();
        if let Some(bridge) = directory.bridge(segment) {
            self.change(|next| {
                next.topology.edit_bridge(bridge, |bridge| {
                    if let Some(gateway) = &mut bridge.gateway {
                        gateway.mac = mac;
                    }
                });
            });
        }
    }

    /// Gives a segment, and its host port, another MTU.
    pub fn resize(&self, settings: &BridgeSettings) {
        let mut directory = self.directory();
        if let Some((_, known)) = directory.bridges.get_mut(&settings.id()) {
            known.mtu = settings.mtu;
        }
        if let Some(&port) = directory.ports.get(&PortName::Host(settings.id())) {
            self.change(|next| next.edit_port(port, |port| port.mtu = settings.mtu));
        }
    }

    /// Changes what an endpoint is known by: its interface has another MAC address, or other addresses.
    pub fn readdress(&self, settings: &PortSettings, mac: MacAddr) {
        let directory = self.directory();
        let Some((bridge, network)) = directory.bridges.get(&settings.segment_id()).cloned() else {
            return;
        };
        let name = PortName::Endpoint(settings.endpoint);
        let Some(&id) = directory.ports.get(&name) else {
            return;
        };
        self.change(|next| {
            if let (Some(bridge), Some(port)) =
                (next.topology.bridge(bridge), next.topology.port(id))
            {
                bridge.fdb.forget_port(id);
                bridge.neighbours.forget_port(id);
                let port = Port {
                    mac,
                    mtu: settings.mtu,
                    identity: identity(settings, mac),
                    station: station(settings, &network),
                    ..port.clone()
                };
                introduce(bridge, &port, settings, clock::now());
                next.topology.add_port(port);
            }
        });
    }

    fn rewire_parent(
        &self,
        key: ParentKey,
        spec: Option<ParentSpec>,
        queues: Vec<Queue>,
    ) -> anyhow::Result<()> {
        let mut directory = self.directory();
        let port = directory.parent(key).context("the NIC was not added")?;
        let incarnation = directory.incarnation();
        self.change(|next| {
            if let Some(spec) = spec {
                next.edit_port(port, |port| spec.apply(port));
            }
            next.wire_up(Wire::new(port, incarnation, PortName::Parent(key), queues));
        });
        self.settle();
        Ok(())
    }
}

impl ParentSpec {
    const fn apply(self, port: &mut Port) {
        port.mac = self.mac;
        port.mtu = self.mtu;
    }
}

impl Directory {
    fn parent(&self, key: ParentKey) -> Option<PortId> {
        self.ports.get(&PortName::Parent(key)).copied()
    }
}

impl Snapshot {
    fn edit_port(&mut self, id: PortId, change: impl FnOnce(&mut Port)) {
        if let Some(port) = self.topology.port(id) {
            let mut port = port.clone();
            change(&mut port);
            self.topology.add_port(port);
        }
    }
}

/// A segment without a NIC. One with a NIC is put there by [`Dataplane::join_lan`].
pub(super) fn internal(
    settings: &BridgeSettings,
    SegmentNumber(number): SegmentNumber,
) -> Option<Lan> {
    settings.lan.as_ref().map(|_| Lan {
        wire: LanWire::Internal(number),
        transparent: false,
    })
}

/// Tells internal networks apart: the same for all segments of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentNumber(pub(super) u32);

impl SegmentNumber {
    /// That of the network's segment that was there first, or of `bridge`, which is to be its first.
    pub(super) fn of(
        segment: SegmentId,
        bridges: impl Iterator<Item = (SegmentId, BridgeId)>,
        bridge: BridgeId,
    ) -> Self {
        let siblings = bridges.filter(|(other, _)| other.network == segment.network);
        Self(siblings.map(|(_, id)| id.0).min().unwrap_or(bridge.0))
    }
}

fn on_parent(settings: &LanSettings, port: PortId) -> Lan {
    Lan {
        wire: LanWire::Parent {
            port,
            tag: settings.tag(),
        },
        transparent: settings.mode == LanMode::Passthru && settings.vlan.is_none(),
    }
}

/// What an endpoint is on its LAN; `None` on other networks.
pub(super) fn station(settings: &PortSettings, network: &BridgeSettings) -> Option<Box<Station>> {
    let lan = network.lan.as_ref()?;
    Some(Box::new(Station {
        mode: match lan.mode {
            LanMode::Bridge => Mode::Bridge,
            LanMode::Private => Mode::Private,
            LanMode::Vepa => Mode::Vepa,
            LanMode::Passthru => Mode::Passthru,
        },
        face: match lan.face {
            LanFace::Own => Face::Own,
            LanFace::Shared => Face::Shared,
            LanFace::Translated => Face::Translated,
        },
        addresses: match lan.face {
            LanFace::Own => Vec::new(),
            LanFace::Shared | LanFace::Translated => addresses_behind(settings),
        },
        managed_dhcp: lan.dhcp,
    }))
}

/// By which an endpoint is found behind a MAC address that is not its alone.
#[must_use]
pub fn addresses_behind(settings: &PortSettings) -> Vec<IpAddr> {
    let own = link_local(settings.mac).into();
    settings.addresses.iter().copied().chain([own]).collect()
}

/// The host port of a LAN.
pub(super) fn host_station(network: &BridgeSettings) -> Option<Box<Station>> {
    network.lan.as_ref()?;
    Some(Box::new(Station {
        mode: Mode::Bridge,
        face: Face::Own,
        addresses: Vec::new(),
        managed_dhcp: false,
    }))
}

/// What an endpoint may send from, its interface's address being `mac`; `None` if that is not checked.
///
/// Where several share one MAC address, each has the link-local address that its own would make.
pub(super) fn identity(settings: &PortSettings, mac: MacAddr) -> Option<Identity> {
    let own = link_local(settings.mac);
    settings.anti_spoof.then(|| {
        let identity = Identity::with_link_local(mac, own, &settings.addresses);
        match settings.slaac {
            true => identity.choosing_ipv6(),
            false => identity,
        }
    })
}
