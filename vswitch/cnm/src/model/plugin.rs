//! What a network's plugin chooses of an endpoint.

use ipnet::IpNet;
use vswitch_ipam::Family;
use vswitch_packet::MacAddr;

use super::Model;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::id::EndpointId;

impl Model {
    /// Notes the MAC address and the addresses that a plugin chose, of families that the endpoint has no address
    /// of yet. The MAC address may be others' as well: that is the plugin's to know.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`]; [`Error::MacInvalid`]; an address that is in none of the network's subnets, or
    /// in use. Nothing has changed then.
    pub fn take_choice(
        &mut self,
        id: EndpointId,
        mac: Option<MacAddr>,
        addresses: &[IpNet],
    ) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint_or_error(id)?.clone();
        let network = self.network_or_error(endpoint.network)?.clone();
        if let Some(mac) = mac.filter(|mac| !mac.is_valid_source()) {
            return Err(Error::MacInvalid { mac });
        }
        let present: Vec<Family> = endpoint
            .addresses
            .iter()
            .map(|&net| Family::of(net))
            .collect();
        let mut added = addresses.to_vec();
        added.retain(|net| !present.contains(&Family::of(*net)));
        let taken: Vec<_> = added.iter().map(IpNet::addr).collect();
        if !taken.is_empty() {
            self.reserve_addresses(&network, &taken)?;
        }
        let endpoint = self.endpoint_mut(id)?;
        endpoint.addresses.extend(added);
        endpoint.addresses.sort_by_key(|net| Family::of(*net));
        if let Some(mac) = mac {
            endpoint.mac = mac;
        }
        Ok(endpoint.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::AttachRequest;
    use crate::model::fixture::{NOW, add_network, endpoint_id, model};
    use crate::network::NetworkRequest;
    use crate::publish::AllFree;
    use crate::{DriverName, Ipam, IpamPlugin, PluginPool};

    fn with_endpoint() -> Model {
        let subnets: Vec<IpNet> = ["10.0.0.0/24", "fd00::/64"]
            .map(|net| net.parse().unwrap())
            .into();
        let pool = |subnet: &IpNet| PluginPool {
            id: subnet.to_string(),
            subnet: *subnet,
        };
        let mut model = model();
        let ipam = IpamPlugin {
            name: "lender".into(),
            pools: subnets.iter().map(pool).collect(),
            ..IpamPlugin::default()
        };
        let network = NetworkRequest {
            driver: DriverName::Plugin,
            plugin: Some("weave".to_owned()),
            subnets,
            ipam: Ipam::Plugin(ipam),
            ..NetworkRequest::new("web")
        };
        let network = add_network(&mut model, 1, network);
        let request = AttachRequest {
            ip: Some([10, 0, 0, 7].into()),
            ..AttachRequest::without_sandbox(network.id)
        };
        model
            .create_endpoint(request, endpoint_id(1), NOW, &mut AllFree)
            .unwrap();
        model
    }

    #[test]
    fn what_was_left_open_is_taken_and_nothing_else() {
        let mut model = with_endpoint();
        let mac = MacAddr([2, 0, 0, 0, 0, 9]);
        let addresses = ["10.0.0.9/24", "fd00::9/64"].map(|net| net.parse().unwrap());
        let endpoint = model
            .take_choice(endpoint_id(1), Some(mac), &addresses)
            .unwrap();
        assert_eq!(endpoint.mac, mac);
        let addresses: Vec<_> = endpoint.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.7/24", "fd00::9/64"]);
        let network = endpoint.network;
        assert!(
            model
                .address_holder(network, "fd00::9".parse().unwrap())
                .is_some()
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut model = with_endpoint();
        let before = model.clone();
        let stray = ["fd01::9/64".parse().unwrap()];
        assert!(model.take_choice(endpoint_id(1), None, &stray).is_err());
        let group = Some(MacAddr([1, 0, 0, 0, 0, 9]));
        let refused = model.take_choice(endpoint_id(1), group, &[]);
        assert_eq!(refused.unwrap_err().code(), "mac_invalid");
        assert_eq!(model, before);
    }
}
