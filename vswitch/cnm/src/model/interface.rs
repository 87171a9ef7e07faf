//! What an endpoint's interface holds: a name in its sandbox, a MAC and addresses on its network.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::{AddressError, AllocationOrder, PoolError};
use vswitch_packet::MacAddr;

use super::Model;
use crate::driver::InterfacePlan;
use crate::endpoint::{AttachRequest, Configurator, tap_name};
use crate::error::{EngineError, Error};
use crate::id::{EndpointId, NetworkId};
use crate::interface_name::{check_interface_name, check_interface_prefix, lowest_free};
use crate::mac::free_mac_for;
use crate::network::Network;
use crate::sandbox::SandboxKey;
use crate::segment::Segment;

/// An interface's name, MAC and addresses; empty and zero without resources. Without a sandbox there is
/// no name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: Option<String>,
    pub(super) mac: MacAddr,
    pub(super) addresses: Vec<IpNet>,
}

/// What an interface's name depends on, beside its network.
pub(super) struct Naming<'a> {
    pub(super) endpoint: EndpointId,
    pub(super) configured_by: Configurator,
    pub(super) sandbox: &'a SandboxKey,
    /// Names in the sandbox that are not endpoints'.
    pub(super) interfaces: &'a BTreeSet<String>,
    pub(super) ifname: Option<&'a str>,
    pub(super) prefix: Option<&'a str>,
}

impl Model {
    /// Chooses all an interface holds; addresses come last, as they alone change the model.
    pub(super) fn take_interface(
        &mut self,
        network: &Network,
        request: &AttachRequest,
        id: EndpointId,
    ) -> Result<Interface, Error> {
        let driver = network.driver.driver();
        let Some(plan) = driver.interface(network, &request.options)? else {
            check_nothing_chosen(network, request)?;
            return Ok(Interface::default());
        };
        let naming = request.sandbox.as_ref().map(|sandbox| Naming {
            endpoint: id,
            configured_by: request.configured_by,
            sandbox,
            interfaces: &request.interfaces,
            ifname: request.ifname.as_deref(),
            prefix: None,
        });
        let name = naming
            .map(|naming| self.choose_name(&plan, &naming))
            .transpose()?;
        if let Some(mac) = request.mac {
            self.check_mac(network, mac)?;
        }
        let addresses = self.take_addresses(network, request, plan.order)?;
        let mac = request.mac.unwrap_or_else(|| {
            let own = addresses.iter().map(IpNet::addr);
            let parents = request.parent.as_ref().and_then(|parent| parent.mac);
            free_mac_for(own, id.octets(), |mac| {
                parents == Some(mac) || self.mac_holder(network, mac).is_some()
            })
        });
        Ok(Interface {
            name,
            mac,
            addresses,
        })
    }

    pub(super) fn free_addresses(
        &mut self,
        network: NetworkId,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) {
        for address in addresses {
            let Some(network) = self.networks.get(&network) else {
                continue;
            };
            if let Some(record) = network.subnet_with(address) {
                let freed = self.space.free(&network.name, record.subnet, address);
                debug_assert!(freed.is_ok(), "what is freed was taken");
            }
        }
    }

    /// Takes addresses of one segment, all or none.
    pub(super) fn reserve_addresses(
        &mut self,
        network: &Network,
        addresses: &[IpAddr],
    ) -> Result<(), Error> {
        network.segment_with(addresses.iter().copied())?;
        for (index, &address) in addresses.iter().enumerate() {
            let Some(record) = network.subnet_with(address) else {
                continue;
            };
            let reserved = self.space.reserve(&network.name, record.subnet, address);
            if let Err(error) = reserved {
                self.free_addresses(network.id, addresses[..index].iter().copied());
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Checks a MAC as a user may choose it.
    pub(super) fn check_mac(&self, network: &Network, mac: MacAddr) -> Result<(), Error> {
        if !mac.is_valid_source() {
            return Err(Error::MacInvalid { mac });
        }
        match self.mac_holder(network, mac) {
            None => Ok(()),
            Some(holder) => Err(Error::MacInUse {
                mac,
                network: holder.name.clone(),
            }),
        }
    }

    /// Checks that no endpoint in `sandbox` has the interface name, but for `own`.
    pub(super) fn check_name_free(
        &self,
        sandbox: &SandboxKey,
        ifname: &str,
        own: Option<EndpointId>,
    ) -> Result<(), Error> {
        check_interface_name(ifname)?;
        match self.name_holder(sandbox, ifname) {
            Some(holder) if own != Some(holder) => Err(taken(sandbox, ifname)),
            _ => Ok(()),
        }
    }

    /// Chooses the name of an interface; an engine's keeps the TAP's until it is seen in the sandbox.
    pub(super) fn choose_name(
        &self,
        plan: &InterfacePlan,
        naming: &Naming<'_>,
    ) -> Result<String, Error> {
        if naming.configured_by == Configurator::Engine {
            return Ok(tap_name(naming.endpoint));
        }
        if let Some(name) = naming.ifname.or(plan.name.as_deref()) {
            self.check_name_free(naming.sandbox, name, None)?;
            if naming.interfaces.contains(name) {
                return Err(taken(naming.sandbox, name));
            }
            return Ok(name.to_owned());
        }
        if let Some(prefix) = naming.prefix {
            check_interface_prefix(prefix)?;
        }
        let prefix = naming.prefix.unwrap_or(&plan.prefix);
        Ok(lowest_free(prefix, |name| {
            naming.interfaces.contains(name) || self.name_holder(naming.sandbox, name).is_some()
        })?)
    }

    fn name_holder(&self, sandbox: &SandboxKey, name: &str) -> Option<EndpointId> {
        self.endpoints_in(sandbox)
            .find(|endpoint| endpoint.ifname.as_deref() == Some(name))
            .map(|endpoint| endpoint.id)
    }

    /// The network on the same link where somebody has `mac`.
    fn mac_holder(&self, network: &Network, mac: MacAddr) -> Option<&Network> {
        let has = |network: &&Network| {
            let bridges = network.driver.driver().bridges(network, &self.settings);
            bridges.is_ok_and(|bridges| bridges.iter().any(|bridge| bridge.gateway_mac == mac))
                || network.remotes().iter().any(|remote| remote.mac == mac)
                || self
                    .endpoints_of(network.id)
                    .any(|endpoint| endpoint.mac == mac)
        };
        self.on_same_link(network).into_iter().find(has)
    }

    /// Takes an address of each subnet of a segment, or none at all: of the one with the addresses wanted,
    /// else of the first that has some left.
    fn take_addresses(
        &mut self,
        network: &Network,
        request: &AttachRequest,
        order: AllocationOrder,
    ) -> Result<Vec<IpNet>, Error> {
        let wanted = [request.ip.map(IpAddr::V4), request.ip6.map(IpAddr::V6)];
        if network.ipam.is_given() && wanted.iter().all(Option::is_none) {
            return Err(Error::Engine(EngineError::AddressNotGiven {
                network: network.name.clone(),
            }));
        }
        let segments = match network.segment_with(wanted.into_iter().flatten())? {
            Some(segment) => vec![segment],
            None => network.segments(),
        };
        let mut full = None;
        for segment in segments {
            match self.take_within(network, &segment, request, order) {
                Err(error @ Error::Pool(PoolError::Address(AddressError::Exhausted { .. }))) => {
                    full.get_or_insert(error);
                }
                result => return result,
            }
        }
        full.map_or_else(|| Ok(Vec::new()), Err)
    }

    fn take_within(
        &mut self,
        network: &Network,
        segment: &Segment<'_>,
        request: &AttachRequest,
        order: AllocationOrder,
    ) -> Result<Vec<IpNet>, Error> {
        let mut taken: Vec<IpNet> = Vec::with_capacity(2);
        let wanted = [request.ip.map(IpAddr::V4), request.ip6.map(IpAddr::V6)];
        for (record, wanted) in [segment.v4, segment.v6].into_iter().zip(wanted) {
            let Some(subnet) = record.map(|record| record.subnet) else {
                continue;
            };
            let address = match wanted {
                Some(address) => self.take_wanted(network, subnet, request, address),
                None if network.ipam.is_given() => continue,
                None => self.take_any(network, subnet, request, order),
            };
            match address {
                // The prefix length is that of a subnet of the same family, so it always fits.
                Ok(address) => taken.push(
                    IpNet::new(address, subnet.prefix_len()).unwrap_or_else(|_| address.into()),
                ),
                Err(error) => {
                    self.free_addresses(network.id, taken.iter().map(IpNet::addr));
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    fn take_wanted(
        &mut self,
        network: &Network,
        subnet: IpNet,
        request: &AttachRequest,
        address: IpAddr,
    ) -> Result<IpAddr, Error> {
        self.check_outside(network, request, address)?;
        self.space.reserve(&network.name, subnet, address)?;
        Ok(address)
    }

    /// The next free address that is neither the parent's nor leased.
    fn take_any(
        &mut self,
        network: &Network,
        subnet: IpNet,
        request: &AttachRequest,
        order: AllocationOrder,
    ) -> Result<IpAddr, Error> {
        let mut passed_over = Vec::new();
        let found = loop {
            match self.space.allocate(&network.name, subnet, order) {
                Ok(address) if self.check_outside(network, request, address).is_err() => {
                    passed_over.push(address);
                }
                result => break result,
            }
        };
        self.free_addresses(network.id, passed_over);
        Ok(found?)
    }
}

fn check_nothing_chosen(network: &Network, request: &AttachRequest) -> Result<(), Error> {
    let chosen = [
        (request.ip.is_some() || request.ip6.is_some(), "an address"),
        (request.mac.is_some(), "a MAC address"),
        (request.ifname.is_some(), "an interface name"),
    ];
    match chosen.into_iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, what)) => Err(no_interface(network, what)),
    }
}

pub(super) fn no_interface(network: &Network, what: &'static str) -> Error {
    Error::NoInterface {
        network: network.name.clone(),
        what,
    }
}

fn taken(sandbox: &SandboxKey, ifname: &str) -> Error {
    Error::InterfaceTaken {
        ifname: ifname.to_owned(),
        sandbox: sandbox.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::fixture::{NOW, add_network, attach, endpoint_id, key, model, with_subnet};
    use crate::network::NetworkRequest;
    use crate::option_key;
    use crate::publish::AllFree;

    fn request(model: &Model) -> AttachRequest {
        AttachRequest::new(model.find_network("web").unwrap().id, key("box"))
    }

    #[test]
    fn what_is_chosen_is_taken() {
        let mut model = model();
        let dual = NetworkRequest {
            subnets: ["10.0.0.0/24", "fd00::/64"]
                .map(|net| net.parse().unwrap())
                .into(),
            ..NetworkRequest::new("web")
        };
        add_network(&mut model, 1, dual);
        let chosen = AttachRequest {
            ip: Some([10, 0, 0, 77].into()),
            ip6: Some("fd00::77".parse().unwrap()),
            mac: Some("0a:00:00:00:00:07".parse().unwrap()),
            ifname: Some("net7".into()),
            ..request(&model)
        };
        let endpoint = model
            .create_endpoint(chosen, endpoint_id(1), NOW, &mut AllFree)
            .unwrap();
        assert_eq!(endpoint.ifname.as_deref(), Some("net7"));
        assert_eq!(endpoint.mac.to_string(), "0a:00:00:00:00:07");
        assert_eq!(
            endpoint.addresses,
            ["10.0.0.77/24", "fd00::77/64"].map(|net| net.parse().unwrap())
        );
    }

    #[test]
    fn refusals_say_what_and_why() {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("web", "10.0.0.0/24"));
        attach(&mut model, 1, "web", "other");
        let before = model.clone();
        let ip = |ip: [u8; 4]| AttachRequest {
            ip: Some(ip.into()),
            ..request(&before)
        };
        let mac = |mac: &str| AttachRequest {
            mac: Some(mac.parse().unwrap()),
            ..request(&before)
        };
        let ifname = |ifname: &str| AttachRequest {
            ifname: Some(ifname.into()),
            interfaces: ["veth0".to_owned()].into(),
            ..request(&before)
        };
        let option = |key: &str, value: &str| AttachRequest {
            options: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            ..request(&before)
        };
        let ip6 = AttachRequest {
            ip6: Some("fd00::2".parse().unwrap()),
            ..request(&before)
        };
        let gone = AttachRequest {
            network: NetworkId::from_octets([9; 32]),
            ..request(&before)
        };
        for (request, code, message) in [
            (
                ip([10, 0, 0, 2]),
                "address_in_use",
                "address 10.0.0.2 is already in use in subnet 10.0.0.0/24; choose another",
            ),
            (
                ip([10, 0, 0, 1]),
                "address_in_use",
                "address 10.0.0.1 is the gateway's of subnet 10.0.0.0/24; choose another",
            ),
            (
                ip([10, 0, 1, 2]),
                "address_outside_subnet",
                "address 10.0.1.2 is outside subnet 10.0.0.0/24; choose one inside",
            ),
            (
                ip([10, 0, 0, 255]),
                "address_invalid",
                "address 10.0.0.255 is the broadcast address of subnet 10.0.0.0/24; choose another",
            ),
            (
                ip6,
                "address_without_subnet",
                "address fd00::2: network web has no IPv6 subnet; leave the address out",
            ),
            (
                mac("01:00:5e:00:00:01"),
                "mac_invalid",
                "MAC address 01:00:5e:00:00:01 is multicast or zero; choose a unicast one, such as \
                 02:42:ac:12:00:02",
            ),
            (
                mac("02:42:0a:00:00:02"),
                "mac_in_use",
                "MAC address 02:42:0a:00:00:02 is already in use on network web; choose another",
            ),
            (
                mac("02:42:0a:00:00:01"),
                "mac_in_use",
                "MAC address 02:42:0a:00:00:01 is already in use on network web; choose another",
            ),
            (
                ifname("veth0"),
                "interface_in_use",
                "sandbox box already has an interface veth0; choose another --ifname",
            ),
            (
                ifname("sixteen-bytes-xx"),
                "name_too_long",
                "interface name \"sixteen-bytes-xx\" has 16 bytes, which is too long; 15 are allowed",
            ),
            (
                option("vswitch.vlna", "7"),
                "option_unknown",
                "unknown option \"vswitch.vlna\"; did you mean vswitch.vlan?",
            ),
            (
                option(option_key::VLAN, "5000"),
                "option_invalid",
                "option vswitch.vlan=5000: the value must be 1 to 4094",
            ),
            (
                gone,
                "network_not_found",
                "network \"090909090909\" not found; `vsctl list-nets` shows those there are",
            ),
        ] {
            let error = model
                .create_endpoint(request, endpoint_id(2), NOW, &mut AllFree)
                .unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (code, message));
            assert_eq!(model, before, "{message}");
        }
    }

    #[test]
    fn a_refused_ipv6_address_gives_the_ipv4_one_back() {
        let mut model = model();
        let dual = NetworkRequest {
            subnets: ["10.0.0.0/24", "fd00::/64"]
                .map(|net| net.parse().unwrap())
                .into(),
            ..NetworkRequest::new("web")
        };
        add_network(&mut model, 1, dual);
        let before = model.clone();
        let gateways = AttachRequest {
            ip6: Some("fd00::1".parse().unwrap()),
            ..request(&model)
        };
        let result = model.create_endpoint(gateways, endpoint_id(1), NOW, &mut AllFree);
        assert_eq!(result.unwrap_err().code(), "address_in_use");
        assert_eq!(model, before);
    }

    #[test]
    fn a_default_mac_that_someone_chose_is_stepped_around() {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("web", "10.0.0.0/24"));
        let squatter = AttachRequest {
            mac: Some("02:42:0a:00:00:03".parse().unwrap()),
            ..request(&model)
        };
        model
            .create_endpoint(squatter, endpoint_id(1), NOW, &mut AllFree)
            .unwrap();
        assert_eq!(attach(&mut model, 2, "web", "other").1, ["10.0.0.3/24"]);
        let mac = model.endpoint(endpoint_id(2)).unwrap().mac;
        assert_eq!(mac.to_string(), "02:02:02:02:02:02");
    }

    #[test]
    fn names_in_the_namespace_are_stepped_over() {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("web", "10.0.0.0/24"));
        let inhabited = AttachRequest {
            interfaces: ["lo", "eth0", "eth2"].map(ToOwned::to_owned).into(),
            ..request(&model)
        };
        let endpoint = model
            .create_endpoint(inhabited, endpoint_id(1), NOW, &mut AllFree)
            .unwrap();
        assert_eq!(endpoint.ifname.as_deref(), Some("eth1"));
    }

    #[test]
    fn tiny_subnets_hold_what_they_can() {
        for (subnet, ipv4, expected) in [
            ("10.0.0.6/31", true, Some("10.0.0.7/31")),
            ("10.0.0.7/32", true, Some("10.0.0.7/32")),
            ("fd00::6/127", false, Some("fd00::7/127")),
            ("fd00::7/128", false, Some("fd00::7/128")),
            ("fd00::/64", false, Some("fd00::2/64")),
        ] {
            let mut model = model();
            let request = NetworkRequest {
                ipv4,
                ..with_subnet("web", subnet)
            };
            let network = add_network(&mut model, 1, request);
            let (_, addresses) = attach(&mut model, 1, "web", "box");
            assert_eq!(addresses.first().map(String::as_str), expected);
            let alone = network.subnets[0].gateway.is_none();
            assert_eq!(alone, subnet.ends_with("/32") || subnet.ends_with("/128"));
            let bridges = model.bridge_settings(network.id).unwrap();
            assert_eq!(bridges[0].host_port.is_none(), alone);
            if subnet.ends_with("/64") {
                continue;
            }
            let other = AttachRequest::new(network.id, key("other"));
            let error = model
                .create_endpoint(other, endpoint_id(2), NOW, &mut AllFree)
                .unwrap_err();
            assert_eq!(error.code(), "addresses_exhausted", "{subnet}");
        }
    }

    #[test]
    fn serial_order_lets_addresses_rest() {
        let mut model = model();
        let serial = NetworkRequest {
            options: BTreeMap::from([(option_key::IPAM_SERIAL.to_owned(), "true".to_owned())]),
            ..with_subnet("web", "10.0.0.0/24")
        };
        add_network(&mut model, 1, serial);
        assert_eq!(attach(&mut model, 1, "web", "box").1, ["10.0.0.2/24"]);
        model.remove_endpoint(endpoint_id(1)).unwrap();
        assert_eq!(attach(&mut model, 2, "web", "box").1, ["10.0.0.3/24"]);
    }
}
