//! Networks on the host's NICs: the NICs they are on, how these change, and what follows from that.

use std::collections::BTreeMap;
use vswitch_api as api;
use vswitch_cnm::{
    BridgeSettings, Endpoint, HostInterface, LanError, LanFace, LanMode, Network, NetworkId,
    PortSettings, SegmentId,
};
use vswitch_netio::InterfaceName;
use vswitch_packet::{MacAddr, VlanId};

use super::{Control, ControlError};
use crate::dataplane::addresses_behind;
use crate::edge::{self, EdgeError};
use crate::parents::{KnownBy, Nic, Station};
use crate::store::{Change, Table};

impl Control {
    /// The host's interfaces, as the model wants to know them.
    pub(super) fn host_interfaces(
        &mut self,
    ) -> Result<BTreeMap<String, HostInterface>, ControlError> {
        let daemon = self.daemon_id();
        let netlink = &mut self.host.netlink;
        let addresses = netlink.addresses().map_err(EdgeError::from)?;
        let links = netlink.links().map_err(EdgeError::from)?;
        let interface = |link: vswitch_netio::netlink::Link| {
            let own = addresses.iter().filter(|a| a.interface == link.index);
            let interface = HostInterface {
                mac: link.mac.filter(|mac| mac.is_valid_source()),
                mtu: link.mtu,
                up: link.up,
                carrier: link.carrier,
                ours: link
                    .alias
                    .is_some_and(|alias| daemon.owned(&alias).is_some()),
                addresses: own.map(|address| address.network).collect(),
            };
            (link.name.to_string(), interface)
        };
        Ok(links.into_iter().map(interface).collect())
    }

    /// The NIC that a network is on, as the model wants to know it.
    pub(super) fn parent_interface(
        &mut self,
        network: NetworkId,
    ) -> Result<Option<HostInterface>, ControlError> {
        let network = self.model.network(network);
        let record = network.and_then(|network| network.lan.as_ref());
        match record.and_then(|record| record.parent.clone()) {
            Some(name) => Ok(self.host_interfaces()?.remove(&name)),
            None => Ok(None),
        }
    }

    /// Puts a bridge that is there on its NIC, if it is to be on one. On failure nothing is left of that.
    pub(super) fn open_lan(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        let Some(name) = parent_of(settings)? else {
            return Ok(());
        };
        let opened = match &settings.lan {
            Some(_) => self
                .parents
                .join(settings.id(), &name, &mut self.host, &self.dataplane)
                .and_then(|key| self.dataplane.join_lan(settings, key)),
            None => {
                self.parents
                    .watch(settings.id(), &name, &mut self.host)
                    .map_err(EdgeError::from)?;
                self.follow_routed(settings);
                Ok(())
            }
        };
        opened.map_err(|error| {
            self.close_lan(settings.id());
            ControlError::Parent(error)
        })
    }

    /// As [`Control::open_lan`], for a network that was there before: what fails is logged, and tried
    /// again.
    pub(super) fn restore_lan(&mut self, settings: &BridgeSettings) {
        if let Err(error) = self.open_lan(settings) {
            let network = &settings.name;
            tracing::error!(network, "cannot restore the LAN, trying again: {error}");
            self.lans_waiting.insert(settings.id());
        }
    }

    /// Notes what the NIC of a network that was there before is like now.
    pub(super) fn note_parent(&mut self, network: NetworkId) -> Result<(), ControlError> {
        let record = self.model.network(network).and_then(|n| n.lan.as_ref());
        let Some(name) = record.and_then(|record| record.parent.clone()) else {
            return Ok(());
        };
        let links = self.host.netlink.links().map_err(EdgeError::from)?;
        match Nic::find(&links, &name.parse().map_err(EdgeError::from)?) {
            Some(nic) => self.record_parent_mtu(network, &nic),
            None => Ok(()),
        }
    }

    /// Takes a segment off its NIC.
    pub(super) fn close_lan(&mut self, segment: SegmentId) {
        self.lans_waiting.remove(&segment);
        self.parents.leave(segment, &mut self.host, &self.dataplane);
    }

    /// Lets the frames in that are for an endpoint, if it is on a NIC.
    pub(super) fn admit_station(&mut self, settings: &PortSettings) -> Result<(), ControlError> {
        let Some(segment) = self.segment_settings(settings.segment_id()) else {
            return Ok(());
        };
        let (Some(lan), Some(name)) = (&segment.lan, parent_of(&segment)?) else {
            return Ok(());
        };
        // As long as the NIC cannot be used, nothing comes by it.
        if self.lans_waiting.contains(&segment.id()) {
            return Ok(());
        }
        let known_by = match (lan.mode, lan.face) {
            (LanMode::Passthru, _) => KnownBy::Everything,
            (_, LanFace::Own) => KnownBy::Mac(settings.mac),
            (_, LanFace::Shared | LanFace::Translated) => {
                KnownBy::Addresses(addresses_behind(settings))
            }
        };
        let tag = lan.tag();
        // What is to such an address would be kept from the host.
        let hosts = settings.addresses.iter();
        let mut hosts = hosts.filter(|address| self.host_addresses.contains(address));
        if let (KnownBy::Addresses(_), None, Some(address)) = (&known_by, tag, hosts.next()) {
            let address = *address;
            return Err(vswitch_cnm::Error::from(LanError::HostAddress { address }).into());
        }
        let station = Station { tag, known_by };
        self.parents
            .admit(&name, settings.endpoint, station, &mut self.host)
            .map_err(ControlError::Parent)
    }

    /// The address of an endpoint's interface: its own, or that of the NIC it is behind.
    pub(super) fn interface_mac(&self, settings: &PortSettings) -> MacAddr {
        let segment = self.segment_settings(settings.segment_id());
        segment.map_or(settings.mac, |segment| {
            self.shared_mac(&segment).unwrap_or(settings.mac)
        })
    }

    /// As [`Control::interface_mac`], for what is told of an endpoint.
    pub(super) fn mac_of(&self, endpoint: &Endpoint) -> MacAddr {
        match self.model.port_settings(endpoint.id) {
            Ok(Some(settings)) => self.interface_mac(&settings),
            _ => endpoint.mac,
        }
    }

    /// Whether an endpoint's interface can be used now.
    pub(super) fn check_parent(&self, settings: &PortSettings) -> Result<(), ControlError> {
        let Some(segment) = self.segment_settings(settings.segment_id()) else {
            return Ok(());
        };
        let Some(parent) = parent_of(&segment)? else {
            return Ok(());
        };
        match self.parents.nic(&parent) {
            None => Err(ControlError::ParentMissing { parent }),
            Some(nic) if !nic.up => Err(ControlError::ParentDown { parent }),
            Some(_) => Ok(()),
        }
    }

    /// The NIC that an endpoint is on, if that is there.
    pub(super) fn nic_of(&self, endpoint: &Endpoint) -> Option<&Nic> {
        let record = self.model.network(endpoint.network)?.lan.as_ref()?;
        self.parents.nic(&record.parent.as_ref()?.parse().ok()?)
    }

    /// How the NIC of a network is; `None` if it is on none.
    pub(super) fn parent_state(&self, network: &Network) -> Option<api::InspectParent> {
        let settings = self.model.bridge_settings(network.id).ok()?;
        let name = parent_of(settings.first()?).ok()??;
        let nic = self.parents.nic(&name);
        Some(api::InspectParent {
            state: nic.map_or(api::ParentState::Missing, Nic::state),
            mac: nic.map(|nic| nic.mac.to_string()),
            mtu: nic.map(|nic| nic.mtu),
            vlan: network.lan.as_ref()?.vlan.map(VlanId::get),
            filter: self.parents.filtering(&name),
            name: name.to_string(),
        })
    }

    /// Goes by what the kernel tells of the NICs that containers are on.
    pub(super) fn refresh_parents(&mut self) {
        let changed = match self.parents.refresh(&mut self.host, &self.dataplane) {
            Ok(changed) => changed,
            Err(error) => return tracing::warn!("cannot look at the parents: {error}"),
        };
        for name in changed {
            self.follow_parent(&name);
        }
        for segment in self.lans_waiting.clone() {
            self.retry_lan(segment);
        }
        self.follow_host_access();
    }

    fn retry_lan(&mut self, segment: SegmentId) {
        let Some(settings) = self.segment_settings(segment) else {
            self.lans_waiting.remove(&segment);
            return;
        };
        match self.open_lan(&settings) {
            Ok(()) => {
                self.lans_waiting.remove(&segment);
                tracing::info!(network = settings.name, "LAN restored");
                self.admit_all(segment);
                if let Ok(Some(name)) = parent_of(&settings) {
                    self.follow_parent(&name);
                }
            }
            Err(error) => {
                self.lans_waiting.insert(segment);
                tracing::debug!(network = settings.name, "still no LAN: {error}");
            }
        }
    }

    fn admit_all(&mut self, segment: SegmentId) {
        for settings in self.ports_of(segment.network) {
            if settings.segment_id() == segment
                && let Err(error) = self.admit_station(&settings)
            {
                tracing::error!("cannot let in the frames of an endpoint: {error}");
            }
        }
    }

    /// A NIC has another address or MTU, or came back.
    fn follow_parent(&mut self, name: &InterfaceName) {
        let Some(nic) = self.parents.nic(name).cloned() else {
            return;
        };
        let is_on_it = |network: &&Network| {
            let record = network.lan.as_ref();
            record.and_then(|record| record.parent.as_deref()) == Some(name.as_str())
        };
        let networks = self.model.networks().filter(is_on_it);
        let networks: Vec<NetworkId> = networks.map(|network| network.id).collect();
        for id in networks {
            if let Err(error) = self.record_parent_mtu(id, &nic) {
                tracing::error!("cannot record the parent's MTU: {error}");
            }
            for segment in self.model.bridge_settings(id).unwrap_or_default() {
                self.follow_routed(&segment);
                if let Err(error) = self.follow_host_port(&segment) {
                    let network = segment.name;
                    tracing::warn!(network, "the host port does not follow the parent: {error}");
                }
            }
            self.renew_places(id);
            for settings in self.ports_of(id) {
                if let Err(error) = self.follow_interface(&settings) {
                    let endpoint = settings.endpoint;
                    tracing::warn!(%endpoint, "the endpoint does not follow its parent: {error}");
                }
            }
        }
    }

    fn record_parent_mtu(&mut self, id: NetworkId, nic: &Nic) -> Result<(), ControlError> {
        let mtu = u16::try_from(nic.mtu).ok();
        let known = self
            .model
            .network(id)
            .and_then(|network| network.lan.as_ref());
        if known.is_none_or(|lan| lan.mtu == mtu) {
            return Ok(());
        }
        let network = self.model.set_parent_mtu(id, mtu)?;
        Ok(self
            .store
            .commit(&[Change::put(Table::Networks, id, &network)?])?)
    }

    /// An endpoint's interface gets the MTU and the address that go with its NIC's.
    fn follow_interface(&mut self, settings: &PortSettings) -> Result<(), ControlError> {
        let Some(endpoint) = self.model.endpoint(settings.endpoint).cloned() else {
            return Ok(());
        };
        let mac = self.interface_mac(settings);
        let Some(mut sandbox) = self.enter_sandbox_of(&endpoint)? else {
            return Ok(());
        };
        let alias = self.alias(&endpoint.id);
        edge::adjust(&mut sandbox, &alias, mac, settings.mtu)?;
        self.dataplane.readdress(settings, mac);
        Ok(())
    }

    /// The router's address on a point-to-point link is that of the NIC.
    fn follow_routed(&self, settings: &BridgeSettings) {
        if settings.l3.is_some()
            && let Some(mac) = self.shared_mac(settings)
        {
            self.dataplane.set_gateway_mac(settings.id(), mac);
        }
    }

    /// The address that all endpoints of a segment have, if they share one; it is not known while the NIC
    /// is gone.
    fn shared_mac(&self, settings: &BridgeSettings) -> Option<MacAddr> {
        let shares = settings.l3.is_some()
            || settings
                .lan
                .as_ref()
                .is_some_and(|lan| lan.face == LanFace::Shared);
        let parent = parent_of(settings).ok()?.filter(|_| shares);
        match parent.and_then(|parent| self.parents.nic(&parent)) {
            Some(nic) => Some(nic.mac),
            None => shares.then_some(settings.gateway_mac),
        }
    }

    pub(super) fn ports_of(&self, network: NetworkId) -> Vec<PortSettings> {
        let endpoints = self.model.endpoints_of(network);
        endpoints
            .filter(|endpoint| !self.acquiring.contains(&endpoint.id))
            .filter_map(|endpoint| self.model.port_settings(endpoint.id).ok()?)
            .collect()
    }
}

/// The NIC that a segment is on.
pub(super) fn parent_of(settings: &BridgeSettings) -> Result<Option<InterfaceName>, EdgeError> {
    let lan = settings.lan.as_ref().and_then(|lan| lan.parent.as_deref());
    let name = lan.or(settings.l3.as_ref().map(|l3| l3.parent.as_str()));
    Ok(name.map(str::parse).transpose()?)
}
