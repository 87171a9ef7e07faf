//! Tunnels to other hosts: their sockets, their ends, and what is given as being there.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use vswitch_cnm::{BridgeSettings, Remote, SegmentId};
use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{BridgeId, Overlay, Port, PortCounters, PortId, Role, Tunnel};
use vswitch_netio::clock;
use vswitch_netio::udp_tunnel::{GroupSocket, TunnelSocket};
use vswitch_packet::{Capabilities, MacAddr};
use vswitch_vxlan::{Path, Vni};

use super::name::{PortName, UnderlayKey};
use super::queue::{Datagrams, Queue};
use super::snapshot::{Snapshot, Wire};
use super::{Dataplane, Directory};

/// The longest packet there is; what a way carries is told apart from that.
const NO_LIMIT: u16 = u16::MAX;

/// The end of a tunnel that is to be added.
#[derive(Clone, Debug)]
pub struct TunnelSpec {
    /// The segment.
    pub segment: SegmentId,
    /// The other host, or the group.
    pub peer: IpAddr,
    /// Which sockets it uses.
    pub underlay: UnderlayKey,
    /// What is known of the way there.
    pub path: Arc<Path>,
    /// Whether what is for everybody goes there.
    pub is_flooded: bool,
}

impl Dataplane {
    /// Adds the sockets of tunnels, for each worker one.
    ///
    /// # Errors
    /// If they are there.
    pub fn add_underlay(&self, key: UnderlayKey, sockets: Vec<TunnelSocket>) -> anyhow::Result<()> {
        let queues = sockets.into_iter().map(Datagrams::Underlay);
        let queues = queues.map(Queue::Datagrams).collect();
        let mut directory = self.directory();
        let name = PortName::Underlay(key);
        self.add_outer_port(&mut directory, name, queues, |port, _| port)
    }

    /// Whether these sockets are there.
    #[must_use]
    pub fn has_underlay(&self, key: UnderlayKey) -> bool {
        self.directory()
            .ports
            .contains_key(&PortName::Underlay(key))
    }

    /// All sockets of tunnels.
    #[must_use]
    pub fn underlays(&self) -> Vec<UnderlayKey> {
        let directory = self.directory();
        let names = directory.ports.keys();
        let keys = names.filter_map(|name| match name {
            PortName::Underlay(key) => Some(*key),
            _ => None,
        });
        keys.collect()
    }

    /// Takes sockets away. Returns when no worker holds them.
    pub fn remove_underlay(&self, key: UnderlayKey) {
        self.remove_port(&PortName::Underlay(key));
    }

    /// Sets which sockets a segment uses.
    pub fn set_underlays(&self, segment: SegmentId, keys: &[UnderlayKey]) {
        let directory = self.directory();
        let Some(bridge) = directory.bridge(segment) else {
            return;
        };
        let ports = keys.iter();
        let ports: Vec<_> = ports.filter_map(|key| directory.underlay(*key)).collect();
        self.change(|next| {
            next.topology.edit_bridge(bridge, |bridge| {
                if let Some(overlay) = &mut bridge.overlay {
                    overlay.underlays = ports;
                }
            });
        });
    }

    /// Adds the end of a tunnel; with the socket of its group, if it is one.
    ///
    /// # Errors
    /// If it is there, or its segment or its sockets are not.
    pub fn add_tunnel(&self, spec: &TunnelSpec, group: Option<GroupSocket>) -> anyhow::Result<()> {
        let mut directory = self.directory();
        let (bridge, settings) = directory
            .bridges
            .get(&spec.segment)
            .cloned()
            .context("the segment is not switched")?;
        let overlay = settings.overlay.as_ref().context("it is no overlay")?;
        let underlay = directory.underlay(spec.underlay);
        let tunnel = Box::new(Tunnel {
            underlay: underlay.context("the underlay's sockets are not there")?,
            vni: Vni::new(overlay.vni).context("the VNI has more than 24 bits")?,
            peer: SocketAddr::new(spec.peer, overlay.port),
            path: Arc::clone(&spec.path),
            is_flooded: spec.is_flooded,
            ttl: overlay.ttl,
            dscp: overlay.dscp,
            tagged: overlay.tagged,
            learning: overlay.learning,
            learn_limit: overlay.peer_fdb_limit,
        });
        let queues = group.map(|group| Queue::Datagrams(Datagrams::Group(group)));
        let name = PortName::Vtep(spec.segment, spec.peer);
        let queues = queues.into_iter().collect();
        self.add_outer_port(&mut directory, name, queues, |port, _| Port {
            bridge: Some(bridge),
            role: Role::Tunnel,
            tunnel: Some(tunnel),
            ..port
        })
    }

    /// Takes the end of a tunnel away. Returns when no worker knows it, and nothing learned points at it.
    pub fn remove_tunnel(&self, segment: SegmentId, peer: IpAddr) {
        self.remove_port(&PortName::Vtep(segment, peer));
    }

    /// Tells that a MAC address, and its IP addresses, are at the end of a tunnel.
    pub fn add_remote(&self, segment: SegmentId, remote: &Remote) {
        let directory = self.directory();
        let name = PortName::Vtep(segment, remote.vtep);
        let (Some(bridge), Some(&port)) = (directory.bridge(segment), directory.ports.get(&name))
        else {
            return;
        };
        let snapshot = self.shared.snapshot.load();
        if let Some(bridge) = snapshot.topology.bridge(bridge) {
            bridge.fdb.set_static(Vlan::NONE, remote.mac, port);
            for &address in &remote.addresses {
                bridge
                    .neighbours
                    .set_static(address, remote.mac, port, clock::now());
            }
        }
    }

    /// The reverse of [`Dataplane::add_remote`].
    pub fn remove_remote(&self, segment: SegmentId, remote: &Remote) {
        let directory = self.directory();
        let snapshot = self.shared.snapshot.load();
        let bridge = directory.bridge(segment);
        if let Some(bridge) = bridge.and_then(|id| snapshot.topology.bridge(id)) {
            bridge.fdb.remove_static(Vlan::NONE, remote.mac);
            for &address in &remote.addresses {
                bridge.neighbours.clear_static(address, remote.mac);
            }
        }
    }

    /// How many frames have come by a tunnel so far.
    #[must_use]
    pub fn heard(&self, segment: SegmentId, peer: IpAddr) -> u64 {
        let directory = self.directory();
        let snapshot = self.shared.snapshot.load();
        let port = directory.ports.get(&PortName::Vtep(segment, peer));
        let port = port.and_then(|&port| snapshot.topology.port(port));
        port.map_or(0, |port| port.counters.total().received_frames)
    }

    /// How many MAC addresses are known to be at the end of a tunnel.
    #[must_use]
    pub fn macs_behind(&self, segment: SegmentId, peer: IpAddr) -> usize {
        let directory = self.directory();
        let snapshot = self.shared.snapshot.load();
        let port = directory.ports.get(&PortName::Vtep(segment, peer));
        let bridge = directory.bridge(segment);
        let bridge = bridge.and_then(|bridge| snapshot.topology.bridge(bridge));
        match (bridge, port) {
            (Some(bridge), Some(&port)) => bridge.fdb.count_behind(port),
            _ => 0,
        }
    }

    /// Which segment a bridge is; `None` if it is gone.
    #[must_use]
    pub fn segment_of(&self, bridge: BridgeId) -> Option<SegmentId> {
        let directory = self.directory();
        let mut segments = directory.bridges.iter();
        let (segment, _) = segments.find(|(_, (id, _))| *id == bridge)?;
        Some(*segment)
    }

    /// Adds a port that is no TAP's. `complete` makes it what it is to be, and may change the rest of
    /// the configuration with it.
    pub(super) fn add_outer_port(
        &self,
        directory: &mut Directory,
        name: PortName,
        queues: Vec<Queue>,
        complete: impl FnOnce(Port, &mut Snapshot) -> Port,
    ) -> anyhow::Result<()> {
        if directory.ports.contains_key(&name) {
            bail!("{name:?} is a port already");
        }
        let incarnation = directory.incarnation();
        let counters = Arc::new(PortCounters::new(self.workers()));
        let id = self.change(|next| {
            let id = next.topology.vacant_port();
            let port = complete(blank(id, counters), next);
            next.topology.add_port(port);
            next.wire_up(Wire::new(id, incarnation, name, queues));
            id
        });
        directory.ports.insert(name, id);
        Ok(())
    }
}

impl Directory {
    fn underlay(&self, key: UnderlayKey) -> Option<PortId> {
        self.ports.get(&PortName::Underlay(key)).copied()
    }
}

/// How a bridge reaches other hosts, before it has sockets.
pub(super) fn overlay(settings: &BridgeSettings) -> Option<Overlay> {
    let overlay = settings.overlay.as_ref()?;
    Some(Overlay {
        vni: Vni::new(overlay.vni)?,
        underlays: Vec::new(),
        accept_unknown: overlay.accept_unknown,
        suppress: overlay.suppress,
    })
}

fn blank(id: PortId, counters: Arc<PortCounters>) -> Port {
    Port {
        id,
        bridge: None,
        role: Role::Underlay,
        mac: MacAddr::default(),
        mtu: NO_LIMIT,
        capabilities: Capabilities::ALL,
        vlan: None,
        isolated: false,
        identity: None,
        storm: None,
        tunnel: None,
        station: None,
        counters,
    }
}
