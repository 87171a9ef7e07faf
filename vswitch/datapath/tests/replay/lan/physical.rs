//! The host's NIC, who is on it, and who is behind it.

use vswitch_datapath::lan::Wire;
use vswitch_datapath::{BridgeId, DropReason, Face, Lan, Mode, PortId, Role, Station, WireTag};
use vswitch_packet::{EtherType, MacAddr, VlanId, VlanTag};

use crate::bench::{BRIDGE, Bench};
use crate::counters::on;
use crate::station::{self, at, station};
use crate::tap_frame::TapFrame;

/// The port of the NIC, and its address.
pub(crate) const NIC: PortId = PortId(20);
pub(crate) const NIC_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x17]);
/// Behind the wire.
pub(crate) const ROUTER: station::Station = station(200);
pub(crate) const STRANGER: station::Station = station(201);
/// More networks than [`BRIDGE`].
pub(crate) const OTHER: BridgeId = BridgeId(1);
pub(crate) const THIRD: BridgeId = BridgeId(2);
pub(crate) const FOURTH: BridgeId = BridgeId(3);

/// What is not tagged.
pub(crate) const UNTAGGED: Wire = Wire::Parent {
    port: NIC,
    tag: None,
};

/// A VLAN by 802.1Q.
pub(crate) fn vlan(id: u16) -> Wire {
    tagged_by(EtherType::VLAN, id)
}

/// A VLAN by 802.1ad.
pub(crate) fn service_vlan(id: u16) -> Wire {
    tagged_by(EtherType::SERVICE_VLAN, id)
}

fn tagged_by(ethertype: EtherType, id: u16) -> Wire {
    Wire::Parent {
        port: NIC,
        tag: Some((ethertype, VlanId::new(id).unwrap())),
    }
}

/// What a kernel hands over beside a frame.
pub(crate) fn beside(ethertype: EtherType, control: u16) -> Option<WireTag> {
    let tag = VlanTag(control);
    Some(WireTag { ethertype, tag })
}

/// A network on `wire`, without stations.
pub(crate) fn on_wire(wire: Wire) -> Bench {
    let mut bench = Bench::new(0);
    bench.add_nic(NIC, NIC_MAC);
    bench.put_on(BRIDGE, wire);
    bench
}

/// A network on `wire` with stations in these modes, each with a MAC address of its own, from
/// [`crate::station::A`] on.
pub(crate) fn with_modes<const N: usize>(wire: Wire, modes: [Mode; N]) -> Bench {
    let mut bench = on_wire(wire);
    for (port, mode) in (0..).map(PortId).zip(modes) {
        bench.join(port, BRIDGE, mode, Face::Own);
    }
    bench
}

impl Bench {
    pub(crate) fn add_nic(&mut self, port: PortId, mac: MacAddr) {
        self.add_uplink_port(port, mac);
        self.edit_port(port, |port| port.role = Role::Parent);
    }

    /// Makes `bridge` a network on `wire`.
    pub(crate) fn put_on(&mut self, bridge: BridgeId, wire: Wire) {
        if self.topology().bridge(bridge).is_none() {
            self.add_bridge(bridge);
        }
        let transparent = false;
        let lan = Some(Lan { wire, transparent });
        self.topology()
            .edit_bridge(bridge, |bridge| bridge.lan = lan);
    }

    /// Adds a station to `bridge`, which has the NIC's MAC address if it shares that.
    pub(crate) fn join(&mut self, port: PortId, bridge: BridgeId, mode: Mode, face: Face) {
        self.add_port(port, bridge);
        self.edit_port(port, |port| {
            if face == Face::Shared {
                port.mac = NIC_MAC;
            }
            port.station = Some(Box::new(Station {
                mode,
                face,
                addresses: at(port.id).addresses().to_vec(),
                managed_dhcp: false,
            }));
        });
    }

    /// Adds the host's port on `bridge`.
    pub(crate) fn join_host(&mut self, port: PortId, bridge: BridgeId) {
        self.join(port, bridge, Mode::Bridge, Face::Own);
        self.edit_port(port, |port| port.role = Role::Host);
        let host = at(port);
        let addresses = [host.v4.into(), host.v6.into()];
        self.topology().set_host_addresses(addresses);
    }

    pub(crate) fn edit_station(&mut self, port: PortId, change: impl FnOnce(&mut Station)) {
        self.edit_port(port, |port| change(port.station.as_mut().unwrap()));
    }

    /// `frame`, which came by the wire with a tag `beside` it, comes out as `egress` says, and nowhere else.
    #[track_caller]
    pub(crate) fn brings(
        &mut self,
        beside: Option<WireTag>,
        frame: &TapFrame,
        egress: &[(PortId, &TapFrame)],
    ) {
        self.burst_tagged([(NIC, beside, frame)]);
        self.assert_sent(egress.iter().copied());
        let sent = egress.iter().map(|&(port, frame)| on(port).sent([frame]));
        self.assert_counted(sent.chain([on(NIC).received([frame])]));
    }

    /// `frame`, which came by the wire with a tag `beside` it, is dropped there.
    #[track_caller]
    pub(crate) fn sheds(&mut self, beside: Option<WireTag>, frame: &TapFrame, reason: DropReason) {
        self.burst_tagged([(NIC, beside, frame)]);
        self.assert_sent([]);
        self.assert_counted([on(NIC).received([frame]).dropped(reason, 1)]);
    }
}
