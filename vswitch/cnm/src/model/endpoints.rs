//! Endpoints: made, attached, detached, removed.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::Family;

use super::{Model, endpoint_not_found};
use crate::endpoint::{AttachRequest, Configurator, Endpoint, Phase};
use crate::error::{EngineError, Error};
use crate::gateway::{Candidate, Gateways, NextHop, elect};
use crate::id::{EndpointId, NetworkId};
use crate::name::{NameOf, check_name};
use crate::network::Network;
use crate::publish::PortHolder;
use crate::sandbox::{Sandbox, SandboxKey};
use crate::settings::PortSettings;

/// What has gone when an endpoint is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedEndpoint {
    /// The endpoint, as it was.
    pub endpoint: Endpoint,
    /// Its sandbox, if that has gone with its last endpoint.
    pub sandbox: Option<Sandbox>,
}

impl Model {
    /// Makes an endpoint in phase [`Phase::Attaching`], or [`Phase::Created`] without a sandbox, with its
    /// addresses taken and its ports held. `id` is drawn at random, or Docker's; `now` is in seconds since
    /// 1970 UTC.
    ///
    /// The sandbox's record may be new or changed: persist [`Model::sandbox`] of the endpoint's sandbox
    /// along with the endpoint.
    ///
    /// # Errors
    /// Whatever is wrong with the request; [`Error::IdTaken`] if another id should be drawn. Nothing is
    /// held then.
    pub fn create_endpoint(
        &mut self,
        request: AttachRequest,
        id: EndpointId,
        now: u64,
        holder: &mut dyn PortHolder,
    ) -> Result<Endpoint, Error> {
        let sandbox = request.sandbox.as_ref().map(SandboxKey::normalised);
        let request = AttachRequest {
            sandbox: sandbox.transpose()?,
            ..request
        };
        let network = self.network_or_error(request.network)?.clone();
        self.check_endpoint_id(id)?;
        if let Some(sandbox) = &request.sandbox {
            self.check_admission(&network, sandbox)?;
            self.check_namespace(sandbox, request.netns)?;
        }
        self.check_request(&network, &request)?;
        let aliases = checked_aliases(&request.aliases)?;
        let interface = self.take_interface(&network, &request, id)?;
        let phase = match request.sandbox {
            Some(_) => Phase::Attaching,
            None => Phase::Created,
        };
        let mut endpoint = Endpoint {
            id,
            network: network.id,
            sandbox: request.sandbox,
            configured_by: request.configured_by,
            ifname: interface.name,
            mac: interface.mac,
            addresses: interface.addresses,
            aliases,
            gateway_priority: request.gateway_priority,
            phase,
            created: now,
            options: request.options,
            published: Vec::new(),
            lease: None,
            labels: request.labels,
            plugin: None,
        };
        match self.take_ports(&endpoint, &request.publish, holder) {
            Ok(published) => endpoint.published = published,
            Err(error) => {
                self.free_addresses(network.id, endpoint.addresses.iter().map(IpNet::addr));
                return Err(error);
            }
        }
        if let Some(sandbox) = &endpoint.sandbox {
            self.see_namespace(sandbox, request.netns);
        }
        self.endpoints.insert(id, endpoint.clone());
        Ok(endpoint)
    }

    /// Notes that the interface is there and in use.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`]; [`Error::Detaching`] if it is being undone;
    /// [`EngineError::NotJoined`] without a sandbox.
    pub fn endpoint_attached(&mut self, id: EndpointId) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        if endpoint.phase == Phase::Detaching {
            return Err(Error::Detaching { id: id.short() });
        }
        if endpoint.sandbox.is_none() {
            return Err(Error::Engine(EngineError::NotJoined {
                endpoint: id.short(),
            }));
        }
        self.set_phase(id, Phase::Attached)
    }

    /// Notes that the interface is being undone. It is no default route from now on, and its
    /// addresses are still taken.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`].
    pub fn begin_detach(&mut self, id: EndpointId) -> Result<Endpoint, Error> {
        self.set_phase(id, Phase::Detaching)
    }

    /// Removes an endpoint and frees its addresses: the last step of detaching, and the way back when
    /// attaching fails. Its ports are no one's then, and to be let go of. A sandbox that `add-sandbox` did not make goes with its last endpoint.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`].
    pub fn remove_endpoint(&mut self, id: EndpointId) -> Result<RemovedEndpoint, Error> {
        let endpoint = self
            .endpoints
            .remove(&id)
            .ok_or_else(|| endpoint_not_found(id))?;
        let addresses = endpoint.addresses.iter().map(IpNet::addr);
        self.free_addresses(endpoint.network, addresses);
        let sandbox = endpoint
            .sandbox
            .as_ref()
            .and_then(|key| self.forget_unless_needed(key));
        Ok(RemovedEndpoint { endpoint, sandbox })
    }

    /// The endpoint with this id.
    #[must_use]
    pub fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(&id)
    }

    /// The endpoint of `sandbox` on `network`.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`] and [`Error::NotAttached`].
    pub fn find_endpoint(
        &self,
        network: NetworkId,
        sandbox: &SandboxKey,
    ) -> Result<&Endpoint, Error> {
        let name = &self.network_or_error(network)?.name;
        self.endpoints_in(sandbox)
            .find(|endpoint| endpoint.network == network)
            .ok_or_else(|| Error::NotAttached {
                sandbox: sandbox.clone(),
                network: name.clone(),
            })
    }

    /// Every endpoint, in order of ids.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values()
    }

    /// The endpoints of a network, in order of ids.
    pub fn endpoints_of(&self, network: NetworkId) -> impl Iterator<Item = &Endpoint> {
        self.endpoints
            .values()
            .filter(move |endpoint| endpoint.network == network)
    }

    /// The endpoints in a sandbox, in order of ids.
    pub fn endpoints_in(&self, sandbox: &SandboxKey) -> impl Iterator<Item = &Endpoint> {
        self.endpoints
            .values()
            .filter(move |endpoint| endpoint.is_in(sandbox))
    }

    /// The endpoint of `network` that has `address`.
    #[must_use]
    pub fn address_holder(&self, network: NetworkId, address: IpAddr) -> Option<&Endpoint> {
        self.endpoints_of(network)
            .find(|endpoint| endpoint.addresses.iter().any(|net| net.addr() == address))
    }

    /// How an endpoint's port is to be switched, be it in a sandbox or not; `None` on `host` and `none`,
    /// and where a plugin does it.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`].
    pub fn port_settings(&self, id: EndpointId) -> Result<Option<PortSettings>, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        let network = self.network_or_error(endpoint.network)?;
        let driver = network.driver.driver();
        driver.port(network, endpoint, &self.settings)
    }

    /// Whether a container engine sets the default routes of `sandbox`: it does where it configures an
    /// interface.
    #[must_use]
    pub fn engine_rules(&self, sandbox: &SandboxKey) -> bool {
        self.endpoints_in(sandbox)
            .any(|endpoint| endpoint.configured_by == Configurator::Engine)
    }

    /// Where an endpoint can send what is not on its link.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`].
    pub fn next_hop(&self, id: EndpointId, family: Family) -> Result<Option<NextHop>, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        let network = self.network_or_error(endpoint.network)?;
        let driver = network.driver.driver();
        Ok(driver.next_hop(network, endpoint, family))
    }

    /// What the name of an endpoint's interface begins with, if nobody chooses it.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`].
    pub fn interface_prefix(&self, id: EndpointId) -> Result<String, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        let network = self.network_or_error(endpoint.network)?;
        let driver = network.driver.driver();
        let plan = driver.interface(network, &endpoint.options)?;
        Ok(plan.map(|plan| plan.prefix).unwrap_or_default())
    }

    /// The default routes a sandbox should have by the endpoints that are ours to configure, those being
    /// attached included and those being detached not.
    #[must_use]
    pub fn gateway_of(&self, sandbox: &SandboxKey) -> Gateways {
        let candidates = self
            .endpoints_in(sandbox)
            .filter(|endpoint| endpoint.phase != Phase::Detaching)
            .filter(|endpoint| endpoint.configured_by == Configurator::Switch)
            .filter_map(|endpoint| {
                let network = self.networks.get(&endpoint.network)?;
                let driver = network.driver.driver();
                Some(Candidate {
                    endpoint,
                    network,
                    v4: driver.next_hop(network, endpoint, Family::V4),
                    v6: driver.next_hop(network, endpoint, Family::V6),
                })
            });
        elect(candidates.collect())
    }

    /// Checks that `sandbox` can be on `network`, given what else it is on.
    pub(super) fn check_admission(
        &self,
        network: &Network,
        sandbox: &SandboxKey,
    ) -> Result<(), Error> {
        let driver = network.driver.driver();
        driver.check_sandbox(network, sandbox)?;
        let present: Vec<&Network> = self
            .endpoints_in(sandbox)
            .filter_map(|endpoint| self.networks.get(&endpoint.network))
            .collect();
        if present.iter().any(|other| other.id == network.id) {
            return Err(Error::AlreadyAttached {
                sandbox: sandbox.clone(),
                network: network.name.clone(),
            });
        }
        let exclusive = |other: &Network| !other.driver.driver().shares_sandbox();
        match present.first() {
            Some(other) if exclusive(network) || exclusive(other) => Err(Error::Exclusive {
                sandbox: sandbox.clone(),
                exclusive: if exclusive(other) { other } else { network }.name.clone(),
                present: other.name.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Checks what is asked for beside options, given who is on the network already.
    pub(super) fn check_request(
        &self,
        network: &Network,
        request: &AttachRequest,
    ) -> Result<(), Error> {
        let others: Vec<&Endpoint> = self.endpoints_of(network.id).collect();
        let driver = network.driver.driver();
        driver.check_endpoint(network, request, &others)
    }

    /// The beginning of the id names the TAP, so it has to differ as well.
    pub(super) fn check_endpoint_id(&self, id: EndpointId) -> Result<(), Error> {
        if self.endpoints.keys().any(|other| other.looks_like(id)) {
            return Err(Error::IdTaken { short: id.short() });
        }
        Ok(())
    }

    fn set_phase(&mut self, id: EndpointId, phase: Phase) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint_mut(id)?;
        endpoint.phase = phase;
        Ok(endpoint.clone())
    }
}

/// The aliases in their order, each once.
fn checked_aliases(aliases: &[String]) -> Result<Vec<String>, Error> {
    let mut once: Vec<String> = Vec::with_capacity(aliases.len());
    for alias in aliases {
        check_name(NameOf::Alias, alias)?;
        if !once.contains(alias) {
            once.push(alias.clone());
        }
    }
    Ok(once)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::NextHop;
    use crate::model::fixture::{NOW, add_network, attach, endpoint_id, key, model, with_subnet};
    use crate::network::NetworkRequest;
    use crate::publish::AllFree;

    fn attach_request(model: &Model, term: &str, sandbox: &str) -> AttachRequest {
        AttachRequest::new(model.find_network(term).unwrap().id, key(sandbox))
    }

    /// Routes as `ip route` would show them.
    fn default_routes(model: &Model, sandbox: &str) -> Vec<String> {
        let gateways = model.gateway_of(&key(sandbox));
        [gateways.v4, gateways.v6]
            .into_iter()
            .flatten()
            .map(|choice| match choice.next_hop {
                NextHop::Router(address) => format!("via {address} dev {}", choice.ifname),
                NextHop::Link => format!("dev {}", choice.ifname),
            })
            .collect()
    }

    #[test]
    fn a_sandbox_is_numbered_through_its_networks() {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("a", "10.1.0.0/24"));
        add_network(&mut model, 2, with_subnet("b", "10.2.0.0/24"));
        let eth = |n: u8| Some(format!("eth{n}"));
        assert_eq!(
            attach(&mut model, 1, "a", "box"),
            (eth(0), vec!["10.1.0.2/24".into()])
        );
        assert_eq!(attach(&mut model, 2, "b", "box").0, eth(1));
        assert_eq!(attach(&mut model, 3, "a", "other").0, eth(0));
        model.remove_endpoint(endpoint_id(1)).unwrap();
        assert_eq!(
            attach(&mut model, 4, "a", "box"),
            (eth(0), vec!["10.1.0.2/24".into()])
        );
    }

    #[test]
    fn an_endpoint_goes_through_its_phases() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        let request = attach_request(&model, "web", "pid:7");
        let id = endpoint_id(1);
        let made = model
            .create_endpoint(request, id, NOW, &mut AllFree)
            .unwrap();
        assert_eq!((made.phase, made.created), (Phase::Attaching, NOW));
        assert_eq!(made.mac.to_string(), "02:42:ac:11:00:02");
        assert_eq!(model.endpoint_attached(id).unwrap().phase, Phase::Attached);
        let network = made.network;
        assert_eq!(
            model
                .find_endpoint(network, &key("pid:7"))
                .map(|found| found.id),
            Ok(id)
        );
        assert_eq!(model.begin_detach(id).unwrap().phase, Phase::Detaching);
        assert_eq!(
            model.endpoint_attached(id).unwrap_err().code(),
            "endpoint_detaching"
        );
        assert_eq!(default_routes(&model, "pid:7"), [""; 0]);
        let removed = model.remove_endpoint(id).unwrap();
        assert_eq!(
            removed.sandbox.map(|sandbox| sandbox.key),
            Some(key("pid:7"))
        );
        assert_eq!(
            model.remove_endpoint(id).unwrap_err().code(),
            "endpoint_not_found"
        );
        assert_eq!(
            model
                .find_endpoint(network, &key("pid:7"))
                .unwrap_err()
                .to_string(),
            "sandbox pid:7 is not attached to network web; `vsctl inspect web` shows what is"
        );
    }

    #[test]
    fn aliases_are_checked_and_kept_once() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        let with = |aliases: &[&str]| AttachRequest {
            aliases: aliases.iter().map(ToString::to_string).collect(),
            ..attach_request(&model, "web", "box")
        };
        let (good, bad) = (with(&["www", "api", "www"]), with(&["a b"]));
        assert_eq!(
            model
                .create_endpoint(bad, endpoint_id(1), NOW, &mut AllFree)
                .unwrap_err()
                .code(),
            "name_invalid"
        );
        let endpoint = model
            .create_endpoint(good, endpoint_id(1), NOW, &mut AllFree)
            .unwrap();
        assert_eq!(endpoint.aliases, ["www", "api"]);
    }

    #[test]
    fn refusals_of_sandboxes_are_libnetworks() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        attach(&mut model, 1, "web", "box");
        attach(&mut model, 2, "none", "alone");
        attach(&mut model, 3, "host", "host");
        let before = model.clone();
        for (network, sandbox, code, message) in [
            (
                "web",
                "box",
                "already_attached",
                "sandbox box is already attached to network web; detach it first",
            ),
            (
                "none",
                "box",
                "network_exclusive",
                "sandbox box cannot be connected to multiple networks with one of them, none, in \
                 private (none) mode; detach it from web first",
            ),
            (
                "web",
                "alone",
                "network_exclusive",
                "sandbox alone cannot be connected to multiple networks with one of them, none, in \
                 private (none) mode; detach it from none first",
            ),
            (
                "host",
                "box",
                "host_sandbox",
                "only the host's own namespace can be on network host; use `host` instead of box",
            ),
            (
                "web",
                "host",
                "host_sandbox",
                "the host's own namespace cannot be attached to network web; the host reaches \
                 bridge networks through their host port",
            ),
            (
                "host",
                "host",
                "already_attached",
                "sandbox host is already attached to network host; detach it first",
            ),
        ] {
            let request = attach_request(&model, network, sandbox);
            let error = model
                .create_endpoint(request, endpoint_id(9), NOW, &mut AllFree)
                .unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (code, message));
            assert_eq!(model, before, "{message}");
        }
    }

    #[test]
    fn host_and_none_have_no_resources() {
        let mut model = model();
        assert_eq!(attach(&mut model, 1, "host", "host"), (None, Vec::new()));
        assert_eq!(attach(&mut model, 2, "none", "box"), (None, Vec::new()));
        assert_eq!(model.port_settings(endpoint_id(1)), Ok(None));
        assert_eq!(model.gateway_of(&key("box")), Gateways::default());
        let chosen = AttachRequest {
            ip: Some([10, 0, 0, 2].into()),
            ..attach_request(&model, "none", "other")
        };
        assert_eq!(
            model
                .create_endpoint(chosen, endpoint_id(3), NOW, &mut AllFree)
                .unwrap_err()
                .to_string(),
            "network none gives no interface, so an address cannot be chosen; leave it out"
        );
    }

    #[test]
    fn the_gateway_is_elected_as_libnetwork_does() {
        let mut model = model();
        let internal = NetworkRequest {
            internal: true,
            ..with_subnet("a-internal", "10.1.0.0/24")
        };
        let six = NetworkRequest {
            ipv4: false,
            ..with_subnet("b-six", "fd02::/64")
        };
        let dual = NetworkRequest {
            subnets: ["10.5.0.0/24", "fd05::/64"]
                .map(|net| net.parse().unwrap())
                .into(),
            ..NetworkRequest::new("e-dual")
        };
        add_network(&mut model, 1, internal);
        add_network(&mut model, 2, six);
        add_network(&mut model, 3, with_subnet("c", "10.3.0.0/24"));
        add_network(&mut model, 4, with_subnet("d", "10.4.0.0/24"));
        add_network(&mut model, 5, dual);
        attach(&mut model, 1, "a-internal", "box");
        assert_eq!(default_routes(&model, "box"), [""; 0]);
        attach(&mut model, 4, "d", "box");
        assert_eq!(default_routes(&model, "box"), ["via 10.4.0.1 dev eth1"]);
        attach(&mut model, 3, "c", "box");
        assert_eq!(default_routes(&model, "box"), ["via 10.3.0.1 dev eth2"]);
        attach(&mut model, 2, "b-six", "box");
        assert_eq!(
            default_routes(&model, "box"),
            ["via 10.3.0.1 dev eth2", "via fd02::1 dev eth3"]
        );
        attach(&mut model, 5, "e-dual", "box");
        assert_eq!(
            default_routes(&model, "box"),
            ["via 10.5.0.1 dev eth4", "via fd05::1 dev eth4"]
        );
        model.remove_endpoint(endpoint_id(4)).unwrap();
        let urgent = AttachRequest {
            gateway_priority: 1,
            ..attach_request(&model, "d", "box")
        };
        model
            .create_endpoint(urgent, endpoint_id(6), NOW, &mut AllFree)
            .unwrap();
        assert_eq!(
            default_routes(&model, "box"),
            ["via 10.4.0.1 dev eth1", "via fd05::1 dev eth4"]
        );
        model.begin_detach(endpoint_id(6)).unwrap();
        assert_eq!(
            default_routes(&model, "box"),
            ["via 10.5.0.1 dev eth4", "via fd05::1 dev eth4"]
        );
    }
}
