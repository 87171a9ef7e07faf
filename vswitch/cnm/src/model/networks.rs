//! Networks: made, found, removed.

use ipnet::IpNet;

use super::Model;
use super::pools::given;
use crate::driver::DriverName;
use crate::endpoint::Endpoint;
use crate::error::{EngineError, Error, LanError};
use crate::id::NetworkId;
use crate::ipam::Ipam;
use crate::name::{NameOf, check_name};
use crate::network::{Network, NetworkRequest, SubnetRecord};
use crate::settings::BridgeSettings;

/// How many endpoints a message lists.
const LISTED: usize = 5;

impl Model {
    /// Makes a network, with subnets that overlap no other's, no pool that is lent and nothing in `occupied`,
    /// which is what the host routes elsewhere. One whose addresses are given may have the subnet of a
    /// pool that is lent. `id` is drawn at random, `now` is in seconds since 1970 UTC.
    ///
    /// # Errors
    /// Whatever is wrong with the request; [`Error::IdTaken`] if another id should be drawn.
    pub fn create_network(
        &mut self,
        request: NetworkRequest,
        id: NetworkId,
        now: u64,
        occupied: &[IpNet],
    ) -> Result<Network, Error> {
        let driver = request.driver.driver();
        if driver.single_instance() {
            return Err(Error::SingleInstance {
                driver: request.driver,
            });
        }
        self.check_network_name(&request.name)?;
        self.check_network_id(id)?;
        let lan = driver.place(&request)?;
        if lan.is_none() && request.ipam.is_dhcp() {
            return Err(Error::Lan(LanError::DhcpDriver {
                driver: request.driver,
            }));
        }
        let mut pools = driver.plan(&request)?;
        if request.ipam.is_given() {
            pools = given(&request, pools)?;
        }
        let mut network = Network {
            id,
            name: request.name.clone(),
            driver: request.driver,
            plugin: request.plugin.clone(),
            created: now,
            ipv6: false,
            internal: request.internal,
            subnets: Vec::new(),
            options: request.options.clone(),
            labels: request.labels.clone(),
            overlay: None,
            ipam: request.ipam.clone(),
            lan,
        };
        network.subnets = self.request_pools(&network, pools, occupied)?;
        let ipv6 = |record: &SubnetRecord| matches!(record.subnet, IpNet::V6(_));
        network.ipv6 = network.subnets.iter().any(ipv6);
        let held = network.subnets.clone();
        match self.completed(&request, network) {
            Ok(network) => {
                self.networks.insert(id, network.clone());
                Ok(network)
            }
            Err(error) => {
                self.release_pools(&request.name, &held);
                Err(error)
            }
        }
    }

    /// Removes a network and gives up its subnets.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`], [`Error::NetworkPredefined`], and [`Error::NetworkInUse`] as long as
    /// there are endpoints.
    pub fn remove_network(&mut self, id: NetworkId) -> Result<Network, Error> {
        let network = self.network_or_error(id)?;
        let name = network.name.clone();
        if network.is_predefined() {
            return Err(Error::NetworkPredefined { name });
        }
        let endpoints: Vec<&Endpoint> = self.endpoints_of(id).collect();
        if !endpoints.is_empty() {
            return Err(Error::NetworkInUse {
                name,
                endpoints: listed(&endpoints),
            });
        }
        let network = self
            .networks
            .remove(&id)
            .ok_or(Error::NetworkNotFound { name })?;
        self.release_pools(&network.name, &network.subnets);
        Ok(network)
    }

    /// The network with this id.
    #[must_use]
    pub fn network(&self, id: NetworkId) -> Option<&Network> {
        self.networks.get(&id)
    }

    /// The network a user means, in Docker's order: by id, by name, by the beginning of an id.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`]; [`Error::NetworkAmbiguous`] if several ids begin with `term`.
    pub fn find_network(&self, term: &str) -> Result<&Network, Error> {
        let by_id = term.parse().ok().and_then(|id| self.networks.get(&id));
        if let Some(network) = by_id.or_else(|| self.network_named(term)) {
            return Ok(network);
        }
        let mut matches = self
            .networks
            .values()
            .filter(|network| !term.is_empty() && network.id.to_string().starts_with(term));
        match (matches.next(), matches.count()) {
            (Some(network), 0) => Ok(network),
            (Some(_), more) => Err(Error::NetworkAmbiguous {
                prefix: term.to_owned(),
                matches: more + 1,
            }),
            (None, _) => Err(Error::NetworkNotFound {
                name: term.to_owned(),
            }),
        }
    }

    /// Every network in order of ids, the predefined ones included.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.values()
    }

    /// How each segment of a network is to be switched, in their order; none for `host` and `none`.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`].
    pub fn bridge_settings(&self, id: NetworkId) -> Result<Vec<BridgeSettings>, Error> {
        let network = self.network_or_error(id)?;
        let mut bridges = network.driver.driver().bridges(network, &self.settings)?;
        let route_to = self.routed_with(network)?;
        for bridge in &mut bridges {
            bridge.policy.route_to.clone_from(&route_to);
        }
        Ok(bridges)
    }

    /// A network to be, with what its driver adds, once its subnets are known.
    fn completed(&self, request: &NetworkRequest, network: Network) -> Result<Network, Error> {
        let others: Vec<&Network> = self.networks.values().collect();
        let driver = network.driver.driver();
        let network = driver.complete(request, network, &others)?;
        self.check_settings(&network)?;
        self.check_route_to(&network)?;
        self.check_set_aside(&network)?;
        Ok(network)
    }

    /// Checks what a network to be makes of its options, once it is complete.
    pub(super) fn check_settings(&self, network: &Network) -> Result<(), Error> {
        check_plugins(network)?;
        let driver = network.driver.driver();
        let others: Vec<&Network> = self.networks.values().collect();
        driver.check_network(network, &others)?;
        let host_ports = |network: &Network| -> Result<Vec<String>, Error> {
            let driver = network.driver.driver();
            let bridges = driver.bridges(network, &self.settings)?;
            Ok(bridges
                .into_iter()
                .filter_map(|bridge| bridge.host_port)
                .collect())
        };
        let own = host_ports(network)?;
        for other in self.networks.values() {
            let taken = host_ports(other)?;
            if let Some(ifname) = own.iter().find(|ifname| taken.contains(ifname)) {
                return Err(Error::HostPortTaken {
                    ifname: ifname.clone(),
                    network: other.name.clone(),
                });
            }
        }
        Ok(())
    }

    /// Checks that the networks are there that a new one is to exchange packets with. Those of a record
    /// may have gone.
    fn check_route_to(&self, network: &Network) -> Result<(), Error> {
        for name in network.driver.driver().route_to(network)? {
            let reason = match self.network_named(&name) {
                _ if name == network.name => "it is the network itself",
                None => "there is no such network; make it first",
                Some(other) if other.internal => "it is internal",
                Some(other) if other.driver.driver().link(other).is_some() => {
                    "its gateway is on the physical network"
                }
                Some(other) if other.plugin.is_some() => "its gateway is its plugin's",
                Some(other) if other.subnets.is_empty() => "it has no subnet",
                Some(_) => continue,
            };
            return Err(Error::NotRoutable { name, reason });
        }
        Ok(())
    }

    /// The networks that a network exchanges packets with: one of the two names the other.
    fn routed_with(&self, network: &Network) -> Result<Vec<NetworkId>, Error> {
        if network.internal {
            return Ok(Vec::new());
        }
        let named = network.driver.driver().route_to(network)?;
        let mut peers = Vec::new();
        for other in self.networks.values() {
            let is_elsewhere =
                other.driver.driver().link(other).is_some() || other.plugin.is_some();
            if other.id == network.id || other.internal || other.subnets.is_empty() || is_elsewhere
            {
                continue;
            }
            let names = |name: &String| *name == network.name;
            if named.contains(&other.name)
                || other.driver.driver().route_to(other)?.iter().any(names)
            {
                peers.push(other.id);
            }
        }
        Ok(peers)
    }

    pub(super) fn check_network_name(&self, name: &str) -> Result<(), Error> {
        check_name(NameOf::Network, name)?;
        let name = name.to_owned();
        match self.network_named(&name) {
            None => Ok(()),
            Some(network) if network.is_predefined() => Err(Error::NamePredefined { name }),
            Some(_) => Err(Error::NetworkExists { name }),
        }
    }

    /// The beginning of the id names the host port, so it has to differ as well.
    pub(super) fn check_network_id(&self, id: NetworkId) -> Result<(), Error> {
        if self.networks.keys().any(|other| other.looks_like(id)) {
            return Err(Error::IdTaken { short: id.short() });
        }
        Ok(())
    }

    fn network_named(&self, name: &str) -> Option<&Network> {
        self.networks
            .values()
            .find(|network| network.name == name || network.alias() == Some(name))
    }
}

impl Network {
    /// Another name users know a predefined network by: that of its driver.
    fn alias(&self) -> Option<&'static str> {
        (self.driver == DriverName::Null).then_some(DriverName::Null.as_str())
    }
}

/// Checks that a network has what its plugins are found by.
fn check_plugins(network: &Network) -> Result<(), EngineError> {
    let name = || network.name.clone();
    if network.plugin.is_some() != (network.driver == DriverName::Plugin) {
        return Err(EngineError::PluginName { network: name() });
    }
    let Ipam::Plugin(plugin) = &network.ipam else {
        return Ok(());
    };
    let has_pool = |record: &SubnetRecord| {
        let mut pools = plugin.pools.iter();
        pools.any(|pool| pool.subnet == record.subnet)
    };
    match network.subnets.iter().all(has_pool) {
        true => Ok(()),
        false => Err(EngineError::PluginPools {
            network: name(),
            plugin: plugin.name.clone(),
        }),
    }
}

/// Sandboxes and interfaces, or the first of many.
fn listed(endpoints: &[&Endpoint]) -> String {
    let names: Vec<String> = endpoints
        .iter()
        .take(LISTED)
        .map(|endpoint| match &endpoint.ifname {
            Some(ifname) => format!("{} ({ifname})", endpoint.whereabouts()),
            None if endpoint.sandbox.is_some() => endpoint.whereabouts(),
            None => endpoint.called("sandbox"),
        })
        .collect();
    let list = names.join(", ");
    match endpoints.len().saturating_sub(LISTED) {
        0 => list,
        more => format!("{list} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::fixture::{
        NOW, add_network, attach, endpoint_id, model, network_id, with_subnet,
    };
    use crate::option_key;

    #[test]
    fn defaults_are_dockers() {
        let mut model = model();
        let network = add_network(&mut model, 1, NetworkRequest::new("web"));
        assert_eq!(network.subnets[0].subnet.to_string(), "172.17.0.0/16");
        assert_eq!(network.subnets[0].gateway, Some([172, 17, 0, 1].into()));
        assert_eq!((network.created, network.ipv6), (NOW, false));
        let dual = NetworkRequest {
            ipv6: true,
            ..NetworkRequest::new("dual")
        };
        let dual = add_network(&mut model, 2, dual);
        assert!(dual.ipv6);
        assert_eq!(dual.subnets[1].subnet.to_string(), "fd00::/64");
    }

    #[test]
    fn predefined_networks_are_there_and_stay() {
        let mut model = model();
        for (term, name, driver) in [
            ("host", "host", DriverName::Host),
            ("none", "none", DriverName::Null),
            ("null", "none", DriverName::Null),
        ] {
            let network = model.find_network(term).unwrap();
            assert_eq!((network.name.as_str(), network.driver), (name, driver));
            let id = network.id;
            assert_eq!(model.bridge_settings(id), Ok(Vec::new()));
            assert_eq!(
                model.remove_network(id).unwrap_err().to_string(),
                format!("{name} is a pre-defined network and cannot be removed")
            );
        }
    }

    #[test]
    fn refusals_say_what_and_why() {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("web", "10.0.0.0/24"));
        let before = model.clone();
        let named = |name: &str| NetworkRequest::new(name);
        let driver = |driver| NetworkRequest {
            driver,
            ..named("new")
        };
        let option = |key: &str, value: &str| NetworkRequest {
            options: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            ..named("new")
        };
        for (request, code, message) in [
            (
                with_subnet("new", "10.0.0.128/25"),
                "subnet_overlap",
                "subnet 10.0.0.128/25 overlaps 10.0.0.0/24 of pool web; choose another, or remove web",
            ),
            (
                with_subnet("new", "192.0.2.0/24"),
                "subnet_overlap",
                "subnet 192.0.2.0/24 overlaps the host's route to 192.0.2.0/25; choose another",
            ),
            (
                with_subnet("new", "10.1.0.5/24"),
                "subnet_invalid",
                "10.1.0.5/24 has host bits set; write 10.1.0.0/24",
            ),
            (
                named("web"),
                "network_exists",
                "network with name web already exists; choose another name, or remove it",
            ),
            (
                named("null"),
                "network_predefined",
                "operation is not permitted on predefined null network; choose another name",
            ),
            (
                named("my net"),
                "name_invalid",
                "invalid network name \"my net\": it must begin with a letter or digit, and go on \
                 with letters, digits, '_', '.' or '-'",
            ),
            (
                driver(DriverName::Host),
                "single_instance",
                "only one instance of \"host\" network is allowed; use the one there is",
            ),
            (
                option("parent", "eth0"),
                "option_unknown",
                "option parent is for macvlan networks; leave it out, or choose driver macvlan",
            ),
            (
                option(option_key::TRUSTED_HOST_INTERFACES, "eth1"),
                "option_unavailable",
                "option com.docker.network.bridge.trusted_host_interfaces=eth1 is not available in \
                 this version; leave it out",
            ),
            (
                option(option_key::ROUTE_TO, "web,db"),
                "route_to_invalid",
                "option vswitch.route-to: network db cannot be routed to: there is no such network; \
                 make it first",
            ),
            (
                option(option_key::ROUTE_TO, "new"),
                "route_to_invalid",
                "option vswitch.route-to: network new cannot be routed to: it is the network itself",
            ),
            (
                option(option_key::ROUTE_TO, "host"),
                "route_to_invalid",
                "option vswitch.route-to: network host cannot be routed to: it has no subnet",
            ),
            (
                option(option_key::BRIDGE_NAME, "br-010101010101"),
                "host_port_in_use",
                "host port br-010101010101 already belongs to network web; choose another bridge \
                 name",
            ),
        ] {
            let occupied = ["192.0.2.0/25".parse().unwrap()];
            let error = model
                .create_network(request, network_id(2), NOW, &occupied)
                .unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (code, message));
            assert_eq!(model, before, "{message}");
        }
        let long = model.create_network(named(&"x".repeat(129)), network_id(2), NOW, &[]);
        assert_eq!(long.unwrap_err().code(), "name_too_long");
    }

    #[test]
    fn a_refused_second_subnet_gives_the_first_back() {
        let mut model = model();
        add_network(&mut model, 1, with_subnet("six", "fd00::/64"));
        let before = model.clone();
        let request = NetworkRequest {
            subnets: ["10.0.0.0/24", "fd00::/48"]
                .map(|net| net.parse().unwrap())
                .into(),
            ..NetworkRequest::new("new")
        };
        let result = model.create_network(request, network_id(2), NOW, &[]);
        assert_eq!(result.unwrap_err().code(), "subnet_overlap");
        assert_eq!(model, before);
    }

    #[test]
    fn networks_are_found_in_dockers_order() {
        let mut model = model();
        for (n, name) in [(0xaa, "web"), (0xab, "db"), (0xbb, "aa")] {
            add_network(&mut model, n, NetworkRequest::new(name));
        }
        let id = |n| Ok(network_id(n));
        let find = |term: &str| model.find_network(term).map(|network| network.id);
        assert_eq!(find("web"), id(0xaa));
        assert_eq!(find(&network_id(0xab).to_string()), id(0xab));
        assert_eq!(find("ab"), id(0xab));
        assert_eq!(
            find("aa"),
            id(0xbb),
            "a name goes before the beginning of an id"
        );
        assert_eq!(find("aaaa"), id(0xaa));
        for (term, code) in [
            ("a", "network_ambiguous"),
            ("", "network_not_found"),
            ("cc", "network_not_found"),
            ("WEB", "network_not_found"),
        ] {
            assert_eq!(find(term).unwrap_err().code(), code, "{term}");
        }
        assert_eq!(
            find("a").unwrap_err().to_string(),
            "network id \"a\" is ambiguous: it is the beginning of 2 ids; give more of it"
        );
    }

    #[test]
    fn a_network_in_use_stays() {
        let mut model = model();
        let id = add_network(&mut model, 1, NetworkRequest::new("web")).id;
        for n in 0..7 {
            attach(&mut model, n, "web", &format!("box{n}"));
        }
        assert_eq!(
            model.remove_network(id).unwrap_err().to_string(),
            "network web has active endpoints: box0 (eth0), box1 (eth0), box2 (eth0), box3 (eth0), \
             box4 (eth0) and 2 more; detach them, or use --force"
        );
        for n in 0..7 {
            model.remove_endpoint(endpoint_id(n)).unwrap();
        }
        assert_eq!(model.remove_network(id).map(|network| network.id), Ok(id));
        assert_eq!(model, crate::model::fixture::model());
        assert_eq!(
            model.remove_network(id).unwrap_err().code(),
            "network_not_found"
        );
    }

    #[test]
    fn routing_between_networks_is_mutual_and_ends_with_either() {
        let mut model = model();
        let routed = |name: &str, to: &str| NetworkRequest {
            options: BTreeMap::from([(option_key::ROUTE_TO.to_owned(), to.to_owned())]),
            ..NetworkRequest::new(name)
        };
        let peers = |model: &Model, n| {
            let bridges = model.bridge_settings(network_id(n)).unwrap();
            bridges[0].policy.route_to.clone()
        };
        add_network(&mut model, 1, NetworkRequest::new("a"));
        add_network(&mut model, 2, NetworkRequest::new("b"));
        add_network(&mut model, 3, routed("c", "a,b"));
        assert_eq!(peers(&model, 1), [network_id(3)]);
        assert_eq!(peers(&model, 2), [network_id(3)]);
        assert_eq!(peers(&model, 3), [network_id(1), network_id(2)]);

        model.remove_network(network_id(1)).unwrap();
        assert_eq!(peers(&model, 3), [network_id(2)]);
        assert_eq!(crate::model::fixture::restored(&model), model);

        let internal = NetworkRequest {
            internal: true,
            ..NetworkRequest::new("a")
        };
        add_network(&mut model, 4, internal);
        assert_eq!(peers(&model, 3), [network_id(2)]);
        assert_eq!(peers(&model, 4), []);
        let to_internal = routed("d", "a");
        let refused = model.create_network(to_internal, network_id(5), NOW, &[]);
        assert_eq!(refused.unwrap_err().code(), "route_to_invalid");

        model.remove_network(network_id(4)).unwrap();
        add_network(&mut model, 6, NetworkRequest::new("a"));
        assert_eq!(peers(&model, 3), [network_id(2), network_id(6)]);
        assert_eq!(peers(&model, 6), [network_id(3)]);
    }

    #[test]
    fn ids_with_the_same_beginning_are_refused() {
        let mut model = model();
        add_network(&mut model, 1, NetworkRequest::new("web"));
        let mut octets = [1; 32];
        octets[31] = 2;
        let id = NetworkId::from_octets(octets);
        let result = model.create_network(NetworkRequest::new("db"), id, NOW, &[]);
        assert_eq!(result.unwrap_err().code(), "id_in_use");
    }
}
