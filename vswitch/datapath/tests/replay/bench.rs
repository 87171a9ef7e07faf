//! A switch without wires: frames go in at ports, what comes out is kept, the clock is moved by
//! hand.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use vswitch_datapath::router::Policy;
use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::{
    Bridge, BridgeId, DropReason, Fdb, Forwarder, Gateway, GatewayLink, Identity, Neighbours,
    Overlay, Pipeline, Port, PortCounters, PortId, Role, Topology, Totals, Tunnel, WireTag,
};
use vswitch_packet::ip::Version;
use vswitch_packet::{Capabilities, MacAddr, Moment};
use vswitch_vxlan::ecn::Dscp;
use vswitch_vxlan::{Path, Vni};

use crate::counters::{self, Change, Changes, on};
use crate::datagrams::{Delivery, HandOver};
pub(crate) use crate::outputs::Fault;
use crate::outputs::Outputs;
use crate::station::{GATEWAY, at};
use crate::tap_frame::TapFrame;

pub(crate) const BRIDGE: BridgeId = BridgeId(0);
/// The port towards the host, where a bench has one.
pub(crate) const HOST: PortId = PortId(9);
/// Frames a worker reads before it flushes.
const BURST: usize = 64;

/// Whatever a test leaves in it unasked, frames or counts, fails the test in the end.
pub(crate) struct Bench {
    topology: Topology,
    forwarder: Forwarder,
    outputs: Outputs,
    now: Moment,
    settled: BTreeMap<PortId, Totals>,
}

impl Bench {
    /// A bridge of `count` ports that take everything, MTU 1500, nobody checked, no gateway.
    pub(crate) fn new(count: u32) -> Self {
        let mut bench = Self {
            topology: Topology::default(),
            forwarder: Forwarder::default(),
            outputs: Outputs::default(),
            now: Moment::from_secs(1000),
            settled: BTreeMap::new(),
        };
        bench.add_bridge(BRIDGE);
        for id in 0..count {
            bench.add_port(PortId(id), BRIDGE);
        }
        bench
    }

    /// As [`Bench::new`], with each port's station as the only sender it may have.
    pub(crate) fn guarded(count: u32) -> Self {
        let mut bench = Self::new(count);
        for id in (0..count).map(PortId) {
            bench.guard(id);
        }
        bench
    }

    /// With the gateway, and the host port if there is one: the host's interface has the
    /// gateway's MAC address.
    pub(crate) fn with_gateway(mut self, host: Option<PortId>) -> Self {
        if let Some(id) = host {
            self.add_port(id, BRIDGE);
            self.edit_port(id, |port| {
                (port.role, port.mac) = (Role::Host, GATEWAY.mac);
            });
        }
        let subnets = ["10.0.0.1/24", "fd00::1/64"].map(|subnet| subnet.parse().unwrap());
        self.topology.edit_bridge(BRIDGE, |bridge| {
            let addresses = subnets.to_vec();
            bridge.gateway = Some(Gateway {
                mac: GATEWAY.mac,
                link: GatewayLink::Broadcast,
                addresses,
                subnets: vec![],
                host_port: host,
                policy: Policy::default(),
            });
        });
        self
    }

    pub(crate) fn add_bridge(&mut self, id: BridgeId) {
        self.topology.set_bridge(Bridge {
            id,
            ports: vec![],
            fdb: Arc::new(Fdb::new(1024, 300, 0x5eed)),
            neighbours: Arc::new(Neighbours::default()),
            groups: None,
            gateway: None,
            overlay: None,
            lan: None,
        });
    }

    pub(crate) fn add_port(&mut self, id: PortId, bridge: BridgeId) {
        let counters = Arc::new(PortCounters::new(1));
        self.settled.insert(id, counters.total());
        self.topology.add_port(Port {
            id,
            bridge: Some(bridge),
            role: Role::Endpoint,
            mac: at(id).mac,
            mtu: 1500,
            capabilities: Capabilities::ALL,
            vlan: None,
            isolated: false,
            identity: None,
            storm: None,
            tunnel: None,
            station: None,
            counters,
        });
    }

    /// Adds a port that is the router's alone.
    pub(crate) fn add_uplink_port(&mut self, id: PortId, mac: MacAddr) {
        self.add_port(id, BRIDGE);
        let mut port = self.port(id).clone();
        self.topology.remove_port(id);
        (port.role, port.bridge, port.mac) = (Role::Uplink, None, mac);
        self.topology.add_port(port);
    }

    /// Adds the sockets of tunnels.
    pub(crate) fn add_underlay(&mut self, id: PortId) {
        self.add_uplink_port(id, MacAddr::ZERO);
        self.edit_port(id, |port| port.role = Role::Underlay);
    }

    /// Makes `bridge` a part of segment `vni`, behind `underlays`.
    pub(crate) fn add_segment(&mut self, bridge: BridgeId, vni: u32, underlays: &[PortId]) {
        self.topology.edit_bridge(bridge, |bridge| {
            bridge.overlay = Some(Overlay {
                vni: Vni::new(vni).unwrap(),
                underlays: underlays.to_vec(),
                accept_unknown: false,
                suppress: false,
            });
        });
    }

    /// Adds a tunnel of `bridge`'s segment to `peer`, behind the segment's first underlay: flooded,
    /// learning, without tags, its path as long as an Ethernet's.
    pub(crate) fn add_tunnel(&mut self, id: PortId, bridge: BridgeId, peer: IpAddr) {
        let overlay = self.topology.bridge(bridge).unwrap().overlay.clone();
        let Overlay { vni, underlays, .. } = overlay.unwrap();
        let version = match peer {
            IpAddr::V4(_) => Version::V4,
            IpAddr::V6(_) => Version::V6,
        };
        self.add_port(id, bridge);
        self.edit_port(id, |port| {
            (port.role, port.mac, port.mtu) = (Role::Tunnel, MacAddr::ZERO, u16::MAX);
            port.tunnel = Some(Box::new(Tunnel {
                underlay: underlays[0],
                vni,
                peer: SocketAddr::new(peer, vswitch_vxlan::PORT),
                path: Arc::new(Path::new(version, 1500)),
                is_flooded: true,
                ttl: None,
                dscp: Dscp::default(),
                tagged: false,
                learning: true,
                learn_limit: 1024,
            }));
        });
    }

    pub(crate) fn edit_tunnel(&mut self, id: PortId, change: impl FnOnce(&mut Tunnel)) {
        self.edit_port(id, |port| change(port.tunnel.as_mut().unwrap()));
    }

    pub(crate) fn tunnel(&self, id: PortId) -> &Tunnel {
        self.port(id).tunnel.as_ref().unwrap()
    }

    pub(crate) fn guard(&mut self, id: PortId) {
        let station = at(id);
        self.edit_port(id, |port| {
            port.identity = Some(Identity::new(station.mac, &station.addresses()));
        });
    }

    pub(crate) fn edit_port(&mut self, id: PortId, change: impl FnOnce(&mut Port)) {
        let mut port = self.port(id).clone();
        change(&mut port);
        self.topology.add_port(port);
    }

    pub(crate) fn edit_bridge(&mut self, change: impl FnOnce(&mut Bridge)) {
        self.topology.edit_bridge(BRIDGE, change);
    }

    /// Takes a port away; what was learned of it stays, as for the moment in which a worker still
    /// has the old topology.
    pub(crate) fn remove_port(&mut self, id: PortId) {
        self.settled.remove(&id);
        self.topology.remove_port(id);
    }

    pub(crate) fn topology(&mut self) -> &mut Topology {
        &mut self.topology
    }

    pub(crate) fn bridge(&self) -> &Bridge {
        self.topology.bridge(BRIDGE).unwrap()
    }

    pub(crate) fn port(&self, id: PortId) -> &Port {
        self.topology.port(id).unwrap()
    }

    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    pub(crate) fn fail(&mut self, port: PortId, fault: Fault) {
        self.outputs.faults.insert(port, fault);
    }

    /// Datagrams to `peer` fail.
    pub(crate) fn fail_towards(&mut self, peer: IpAddr, fault: Fault) {
        self.outputs.tunnel_faults.insert(peer, fault);
    }

    pub(crate) fn heal(&mut self) {
        self.outputs.faults.clear();
        self.outputs.tunnel_faults.clear();
    }

    /// Frames that [`Fault::Periodic`] has lost at `port`.
    pub(crate) fn lost(&self, port: PortId) -> u64 {
        match self.outputs.faults.get(&port) {
            Some(Fault::Periodic { lost, .. }) => *lost,
            _ => 0,
        }
    }

    /// Each station's address is behind its port, as if all had spoken.
    pub(crate) fn learn(&mut self, ports: &[PortId]) {
        for &port in ports {
            let vlan = self.port(port).vlan.into();
            self.bridge().fdb.learn(vlan, at(port).mac, port, self.now);
        }
    }

    /// Lets `frames` come in within one burst.
    pub(crate) fn burst<'f>(&mut self, frames: impl IntoIterator<Item = (PortId, &'f TapFrame)>) {
        self.burst_tagged(frames.into_iter().map(|(port, frame)| (port, None, frame)));
    }

    /// As [`Bench::burst`], with the tags that a kernel took off.
    pub(crate) fn burst_tagged<'f>(
        &mut self,
        frames: impl IntoIterator<Item = (PortId, Option<WireTag>, &'f TapFrame)>,
    ) {
        let pipeline = Pipeline::new(&self.topology, 0, self.now);
        for (count, (port, tag, frame)) in frames.into_iter().enumerate() {
            let octets = [&frame.header.to_bytes()[..], &frame.bytes].concat();
            if (count > 0 && count % BURST == 0) || self.forwarder.room().is_none() {
                self.forwarder.flush(&pipeline, &mut self.outputs);
            }
            let room = self.forwarder.room().unwrap();
            // A TAP cuts off what does not fit.
            let len = octets.len().min(room.len());
            room[..len].copy_from_slice(&octets[..len]);
            let ingress = self.topology.port(port).unwrap();
            let (forwarder, outputs) = (&mut self.forwarder, &mut self.outputs);
            match tag {
                None => forwarder.receive(len, ingress, &pipeline, outputs),
                tag => forwarder.receive_tagged(len, tag, ingress, &pipeline, outputs),
            }
        }
        self.forwarder.flush(&pipeline, &mut self.outputs);
    }

    /// Lets frames of one port come in that were read together, as many at once as make a burst.
    pub(crate) fn burst_together(&mut self, port: PortId, frames: &[TapFrame]) {
        let pipeline = Pipeline::new(&self.topology, 0, self.now);
        let ingress = self.topology.port(port).unwrap();
        for frames in frames.chunks(BURST) {
            let rooms = self.forwarder.rooms().unwrap();
            let (mut places, mut at) = (Vec::new(), 0);
            for frame in frames {
                let octets = [&frame.header.to_bytes()[..], &frame.bytes].concat();
                let place = at..at + octets.len();
                rooms[place.clone()].copy_from_slice(&octets);
                at = place.end + 3;
                places.push(place);
            }
            let outputs = &mut self.outputs;
            self.forwarder
                .receive_together(&places, ingress, &pipeline, outputs);
            self.forwarder.flush(&pipeline, outputs);
        }
    }

    /// Lets datagrams come in at `underlay` within one burst.
    pub(crate) fn arrive<'d>(
        &mut self,
        underlay: PortId,
        deliveries: impl IntoIterator<Item = &'d Delivery>,
    ) {
        let pipeline = Pipeline::new(&self.topology, 0, self.now);
        for (count, delivery) in deliveries.into_iter().enumerate() {
            if (count > 0 && count % BURST == 0) || self.forwarder.room().is_none() {
                self.forwarder.flush(&pipeline, &mut self.outputs);
            }
            let octets = delivery.octets();
            self.forwarder.room().unwrap()[..octets.len()].copy_from_slice(&octets);
            let underlay = self.topology.port(underlay).unwrap();
            self.forwarder.receive_datagrams(
                octets.len(),
                &delivery.arrival(),
                underlay,
                &pipeline,
                &mut self.outputs,
            );
        }
        self.forwarder.flush(&pipeline, &mut self.outputs);
    }

    /// Lets octets come in as they are, without a virtio header of their own.
    pub(crate) fn raw(&mut self, port: PortId, octets: &[u8]) {
        let pipeline = Pipeline::new(&self.topology, 0, self.now);
        self.forwarder.room().unwrap()[..octets.len()].copy_from_slice(octets);
        let ingress = self.topology.port(port).unwrap();
        self.forwarder
            .receive(octets.len(), ingress, &pipeline, &mut self.outputs);
        self.forwarder.flush(&pipeline, &mut self.outputs);
    }

    pub(crate) fn run_tick(&mut self) {
        let pipeline = Pipeline::new(&self.topology, 0, self.now);
        self.forwarder.tick(&pipeline, &mut self.outputs);
    }

    pub(crate) fn run_announce(&mut self, bridge: BridgeId, port: PortId, addresses: &[IpAddr]) {
        let pipeline = Pipeline::new(&self.topology, 0, self.now);
        let place = (bridge, port);
        self.forwarder
            .announce(place, addresses, &pipeline, &mut self.outputs);
    }

    pub(crate) fn enter(&mut self, port: PortId, frame: &TapFrame) {
        self.burst([(port, frame)]);
    }

    /// Takes what came out.
    pub(crate) fn sent(&mut self) -> Vec<(PortId, TapFrame)> {
        std::mem::take(&mut self.outputs.sent)
    }

    /// Takes the datagrams that were handed over.
    pub(crate) fn handed_over(&mut self) -> Vec<HandOver> {
        std::mem::take(&mut self.outputs.handed_over)
    }

    /// Takes the hosts that would be peers.
    pub(crate) fn strangers(&mut self) -> Vec<Stranger> {
        std::mem::take(&mut self.outputs.strangers)
    }

    /// Takes what came out, of which all must be at `port`.
    pub(crate) fn sent_at(&mut self, port: PortId) -> Vec<TapFrame> {
        let out = |(at, frame)| {
            assert_eq!(at, port, "{frame:?} came out at another port");
            frame
        };
        self.sent().into_iter().map(out).collect()
    }

    /// What came out is `expected`, in this order, octet for octet.
    #[track_caller]
    pub(crate) fn assert_sent<'f>(
        &mut self,
        expected: impl IntoIterator<Item = (PortId, &'f TapFrame)>,
    ) {
        let sent = self.sent();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(p, frame)| (p, frame.clone()))
            .collect();
        assert!(
            sent == expected,
            "what came out:\n{}\nexpected:\n{}",
            listing(&sent),
            listing(&expected)
        );
    }

    /// The counters changed by this since they were last asked for, and no other changed.
    #[track_caller]
    pub(crate) fn assert_counted(&mut self, expected: impl IntoIterator<Item = Change>) {
        let counted = self.counted();
        if let Some(difference) = counters::difference(&counted, &counters::sum(expected)) {
            panic!("counters:\n{difference}");
        }
    }

    /// Takes what changed since the counters were last asked for.
    pub(crate) fn counted(&mut self) -> Changes {
        let mut changes = Changes::new();
        for (&id, settled) in &mut self.settled {
            let totals = self.topology.port(id).unwrap().counters.total();
            let before: BTreeMap<_, _> = counters::list(settled).collect();
            for (name, count) in counters::list(&totals) {
                let change = count - before.get(name).unwrap_or(&0);
                if change > 0 {
                    changes.insert((id, name), change);
                }
            }
            *settled = totals;
        }
        changes
    }

    /// `frame` from `ingress` comes out as it is at each of `egress`, and nowhere else.
    #[track_caller]
    pub(crate) fn carries(&mut self, ingress: PortId, frame: &TapFrame, egress: &[PortId]) {
        self.turns(
            ingress,
            frame,
            &egress.iter().map(|&port| (port, frame)).collect::<Vec<_>>(),
        );
    }

    /// `frame` from `ingress` comes out as `egress` says, one frame at each port.
    #[track_caller]
    pub(crate) fn turns(
        &mut self,
        ingress: PortId,
        frame: &TapFrame,
        egress: &[(PortId, &TapFrame)],
    ) {
        self.enter(ingress, frame);
        self.assert_sent(egress.iter().copied());
        let sent = egress.iter().map(|&(port, frame)| on(port).sent([frame]));
        self.assert_counted(sent.chain([on(ingress).received([frame])]));
    }

    /// `frame` from `ingress` is dropped there.
    #[track_caller]
    pub(crate) fn refuses(&mut self, ingress: PortId, frame: &TapFrame, reason: DropReason) {
        self.refuses_at(ingress, frame, ingress, reason);
    }

    /// `frame` from `ingress` is dropped there, and an ICMP error goes back, which is returned.
    #[track_caller]
    pub(crate) fn rejects(
        &mut self,
        ingress: PortId,
        frame: &TapFrame,
        reason: DropReason,
    ) -> TapFrame {
        self.enter(ingress, frame);
        let mut sent = self.sent_at(ingress);
        self.assert_counted([on(ingress).received([frame]).dropped(reason, 1).sent(&sent)]);
        assert_eq!(sent.len(), 1, "an error goes back");
        sent.remove(0)
    }

    /// `frame` from `ingress` is dropped, and that is counted at `place`.
    #[track_caller]
    pub(crate) fn refuses_at(
        &mut self,
        ingress: PortId,
        frame: &TapFrame,
        place: PortId,
        reason: DropReason,
    ) {
        self.enter(ingress, frame);
        self.assert_sent([]);
        self.assert_counted([on(ingress).received([frame]), on(place).dropped(reason, 1)]);
    }
}

fn listing(frames: &[(PortId, TapFrame)]) -> String {
    frames
        .iter()
        .map(|(port, frame)| format!("  port {}: {frame:?}\n", port.0))
        .collect()
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_sent([]);
            assert_eq!(self.handed_over(), [], "handed over");
            assert_eq!(self.strangers(), [], "strangers");
            self.assert_counted([]);
        }
    }
}
