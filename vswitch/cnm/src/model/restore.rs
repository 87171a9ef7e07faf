//! The model again from its records.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::{GatewayRequest, PoolRequest};

use super::Model;
use crate::endpoint::{AttachRequest, Endpoint, Phase};
use crate::error::{EngineError, Error, RestoreError};
use crate::lent_pool::LentPool;
use crate::network::{Network, SubnetRecord};
use crate::sandbox::Sandbox;
use crate::settings::Settings;

impl Model {
    /// The model that these records are of, whatever order they come in. What is in use follows from
    /// them, so an address whose endpoint was never persisted is free.
    ///
    /// # Errors
    /// [`RestoreError`] if records contradict each other, which operations of a model never make them
    /// do, or if this version does not understand them.
    pub fn restore(
        settings: Settings,
        networks: impl IntoIterator<Item = Network>,
        endpoints: impl IntoIterator<Item = Endpoint>,
        sandboxes: impl IntoIterator<Item = Sandbox>,
        pools: impl IntoIterator<Item = LentPool>,
    ) -> Result<Self, RestoreError> {
        let mut model = Self::new(settings);
        for pool in pools {
            let record = format!("address pool {}", pool.id);
            model
                .lender
                .restore(pool)
                .map_err(|reason| error(record, reason))?;
        }
        for network in networks {
            let record = format!("network {}", network.name);
            model
                .restore_network(network)
                .map_err(|reason| error(record, reason))?;
        }
        for sandbox in sandboxes {
            model.sandboxes.insert(sandbox.key.clone(), sandbox);
        }
        for endpoint in endpoints {
            let record = format!("endpoint {}", endpoint.id.short());
            model
                .restore_endpoint(endpoint)
                .map_err(|reason| error(record, reason))?;
        }
        // A sandbox nobody made here that lost its endpoints: the crash came between two records.
        let endpoints = &model.endpoints;
        model.sandboxes.retain(|key, sandbox| {
            sandbox.owned || endpoints.values().any(|endpoint| endpoint.is_in(key))
        });
        Ok(model)
    }

    fn restore_network(&mut self, mut network: Network) -> Result<(), Error> {
        if network.is_predefined() {
            return Ok(());
        }
        let driver = network.driver;
        if driver.driver().single_instance() {
            return Err(Error::SingleInstance { driver });
        }
        self.check_network_name(&network.name)?;
        self.check_network_id(network.id)?;
        self.check_settings(&network)?;
        let pools: Vec<PoolRequest> = network.subnets.iter().map(request).collect();
        self.request_pools(&network, pools, &[])?;
        let id = network.id;
        let overlay = network.overlay.as_mut();
        let remotes = overlay.map(|record| std::mem::take(&mut record.remotes));
        self.networks.insert(id, network);
        for remote in remotes.unwrap_or_default() {
            self.add_remote(id, remote)?;
        }
        Ok(())
    }

    fn restore_endpoint(&mut self, endpoint: Endpoint) -> Result<(), Error> {
        let network = self.network_or_error(endpoint.network)?.clone();
        self.check_endpoint_id(endpoint.id)?;
        check_phase(&endpoint)?;
        if let Some(sandbox) = &endpoint.sandbox {
            self.check_admission(&network, sandbox)?;
        }
        let driver = network.driver.driver();
        let has_resources = driver.interface(&network, &endpoint.options)?.is_some();
        self.check_published(&endpoint)?;
        let request = AttachRequest::without_sandbox(network.id);
        self.check_request(&network, &request)?;
        if let (Some(sandbox), Some(ifname)) = (&endpoint.sandbox, &endpoint.ifname) {
            self.check_name_free(sandbox, ifname, None)?;
        }
        // A plugin's endpoints may share one.
        if has_resources && network.plugin.is_none() {
            self.check_mac(&network, endpoint.mac)?;
        }
        self.check_lease_record(&network, &endpoint)?;
        if !network.ipam.is_dhcp() {
            let addresses: Vec<IpAddr> = endpoint.addresses.iter().map(IpNet::addr).collect();
            self.reserve_addresses(&network, &addresses)?;
        }
        if let Some(sandbox) = &endpoint.sandbox {
            self.see_namespace(sandbox, None);
        }
        self.endpoints.insert(endpoint.id, endpoint);
        Ok(())
    }
}

/// Checks that an endpoint has a sandbox if it is to have an interface.
fn check_phase(endpoint: &Endpoint) -> Result<(), EngineError> {
    let is_sound = match endpoint.phase {
        Phase::Created => endpoint.sandbox.is_none(),
        Phase::Attaching | Phase::Attached => endpoint.sandbox.is_some(),
        Phase::Detaching => true,
    };
    if is_sound && (endpoint.sandbox.is_some() || endpoint.ifname.is_none()) {
        return Ok(());
    }
    Err(EngineError::SandboxRecord {
        endpoint: endpoint.id.short(),
    })
}

fn request(record: &SubnetRecord) -> PoolRequest {
    PoolRequest {
        subnet: vswitch_ipam::SubnetRequest::Exact(record.subnet),
        range: record.ip_range,
        gateway: record
            .gateway
            .map_or(GatewayRequest::None, GatewayRequest::Address),
        aux: record.aux.clone(),
        link: None,
    }
}

fn error(record: String, reason: Error) -> RestoreError {
    RestoreError {
        record,
        reason: Box::new(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Phase;
    use crate::model::fixture::{
        add_network, attach, endpoint_id, key, model, network_id, restored, with_subnet,
    };
    use crate::network::NetworkRequest;

    fn lived_in() -> Model {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("web", "10.0.0.0/24"));
        add_network(&mut model, 2, NetworkRequest::new("db"));
        model.add_sandbox(key("empty"), None).unwrap();
        attach(&mut model, 1, "web", "box");
        attach(&mut model, 2, "db", "box");
        attach(&mut model, 3, "web", "pid:7");
        attach(&mut model, 4, "host", "host");
        model.begin_detach(endpoint_id(3)).unwrap();
        model
    }

    #[test]
    fn records_make_the_same_model() {
        let model = lived_in();
        let again = restored(&model);
        assert_eq!(again, model);
        assert_eq!(
            again.endpoint(endpoint_id(3)).unwrap().phase,
            Phase::Detaching
        );
    }

    #[test]
    fn an_address_without_endpoint_is_free() {
        let model = lived_in();
        let mut again = Model::restore(
            model.settings().clone(),
            model.networks().cloned(),
            model
                .endpoints()
                .filter(|e| e.id != endpoint_id(1))
                .cloned(),
            model.sandboxes().cloned(),
            model.lent_pools().cloned(),
        )
        .unwrap();
        assert_eq!(attach(&mut again, 9, "web", "new").1, ["10.0.0.2/24"]);
    }

    #[test]
    fn sandboxes_follow_their_endpoints() {
        let model = lived_in();
        let stray = Sandbox {
            key: key("stray"),
            owned: false,
            netns: None,
        };
        let owned = model.sandboxes().filter(|sandbox| sandbox.owned).cloned();
        let again = Model::restore(
            model.settings().clone(),
            model.networks().cloned(),
            model.endpoints().cloned(),
            owned.chain([stray]),
            [],
        );
        assert_eq!(again, Ok(model));
    }

    #[test]
    fn contradictions_are_named() {
        let model = lived_in();
        let web = model.network(network_id(1)).unwrap();
        let first = model.endpoint(endpoint_id(1)).unwrap();
        let twin = Network {
            id: network_id(7),
            name: "twin".into(),
            ..web.clone()
        };
        let squatter = Endpoint {
            id: endpoint_id(7),
            sandbox: Some(key("squatter")),
            mac: "0a:00:00:00:00:01".parse().unwrap(),
            ..first.clone()
        };
        let orphan = Endpoint {
            id: endpoint_id(8),
            network: network_id(8),
            ..first.clone()
        };
        let odd = Network {
            id: network_id(9),
            name: "odd".into(),
            subnets: Vec::new(),
            options: [("vswitch.future".to_owned(), "1".to_owned())].into(),
            ..web.clone()
        };
        for (networks, endpoints, message) in [
            (
                vec![twin],
                vec![],
                "the stored record of network twin cannot be used: subnet 10.0.0.0/24 is already in \
                 use by web; choose another, or remove web",
            ),
            (
                vec![odd],
                vec![],
                "the stored record of network odd cannot be used: unknown option \
                 \"vswitch.future\"; leave it out",
            ),
            (
                vec![],
                vec![squatter],
                "the stored record of endpoint 070707070707 cannot be used: address 10.0.0.2 is \
                 already in use in subnet 10.0.0.0/24; choose another",
            ),
            (
                vec![],
                vec![orphan],
                "the stored record of endpoint 080808080808 cannot be used: network \
                 \"080808080808\" not found; `vsctl list-nets` shows those there are",
            ),
        ] {
            let result = Model::restore(
                model.settings().clone(),
                model.networks().cloned().chain(networks),
                model.endpoints().cloned().chain(endpoints),
                model.sandboxes().cloned(),
                model.lent_pools().cloned(),
            );
            assert_eq!(result.unwrap_err().to_string(), message);
        }
    }
}
