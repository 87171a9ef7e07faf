//! A learning switch, whose userspace router owns the gateway's addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::{Family, PoolRequest};

use self::endpoint_options::EndpointOptions;
use self::network_options::NetworkOptions;
use super::{Driver, DriverName, InterfacePlan, Publishing};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::mac::mac_for;
use crate::network::{Network, NetworkRequest};
use crate::policy::Policy;
use crate::sandbox::SandboxKey;
use crate::settings::{BridgeSettings, PortSettings, Settings};

mod endpoint_options;
mod network_options;
mod subnets;

/// The driver `bridge`.
#[derive(Debug)]
pub(super) struct Bridge;

impl Driver for Bridge {
    fn name(&self) -> DriverName {
        DriverName::Bridge
    }

    fn single_instance(&self) -> bool {
        false
    }

    fn shares_sandbox(&self) -> bool {
        true
    }

    fn plan(&self, request: &NetworkRequest) -> Result<Vec<PoolRequest>, Error> {
        let options = NetworkOptions::parse(&request.options, request.internal)?;
        subnets::plan(request, &options)
    }

    fn check_network(&self, network: &Network) -> Result<(), Error> {
        let options = NetworkOptions::parse(&network.options, network.internal)?;
        options.check_mtu_for(network.subnet(Family::V6).is_some())?;
        subnets::check(network)
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        if sandbox.is_host() {
            Err(Error::NotForHost {
                network: network.name.clone(),
            })
        } else {
            Ok(())
        }
    }

    fn interface(
        &self,
        network: &Network,
        options: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        let network = NetworkOptions::parse(&network.options, network.internal)?;
        Ok(Some(InterfacePlan {
            name: EndpointOptions::parse(options)?.ifname,
            prefix: network.iface_prefix,
            order: network.order,
        }))
    }

    fn next_hop(&self, network: &Network, family: Family) -> Option<IpAddr> {
        network.next_hop(family).filter(|_| !network.internal)
    }

    fn bridge(
        &self,
        network: &Network,
        settings: &Settings,
    ) -> Result<Option<BridgeSettings>, Error> {
        let options = NetworkOptions::parse(&network.options, network.internal)?;
        let gateways = owned_gateways(network, &options);
        Ok(Some(BridgeSettings {
            network: network.id,
            name: network.name.clone(),
            gateway_mac: mac_for(gateways.iter().map(IpNet::addr), network.id.octets()),
            host_port: (!gateways.is_empty()).then(|| {
                options
                    .host_port
                    .unwrap_or_else(|| format!("br-{}", network.id.short()))
            }),
            gateways,
            icc: options.icc,
            internal: network.internal,
            mtu: options.mtu.unwrap_or(settings.default_mtu),
            ageing_secs: options.ageing_secs,
            fdb_limit: options.fdb_limit,
            snooping: options.snooping,
            offload: options.offload,
            policy: Policy {
                v4: options.v4,
                v6: options.v6,
                filtering: options.filtering,
                route_to: Vec::new(),
            },
        }))
    }

    fn route_to(&self, network: &Network) -> Result<BTreeSet<String>, Error> {
        Ok(NetworkOptions::parse(&network.options, network.internal)?.route_to)
    }

    fn publishing(
        &self,
        network: &Network,
        options: &BTreeMap<String, String>,
    ) -> Result<Publishing, Error> {
        let refused = |reason| {
            Err(Error::NotPublishable {
                network: network.name.clone(),
                reason,
            })
        };
        if network.internal {
            return refused("it is internal");
        }
        if EndpointOptions::parse(options)?.vlan.is_some() {
            return refused("the endpoint is in a VLAN, which has no gateway");
        }
        let options = NetworkOptions::parse(&network.options, network.internal)?;
        let gateways = owned_gateways(network, &options);
        let has = |family| gateways.iter().any(|net| Family::of(*net) == family);
        if gateways.is_empty() {
            return refused("it has no gateway of ours");
        }
        Ok(Publishing {
            v4: has(Family::V4).then_some(options.v4.mode),
            v6: has(Family::V6).then_some(options.v6.mode),
            host_binding: options.host_binding,
        })
    }

    fn port(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<Option<PortSettings>, Error> {
        let Some(ifname) = endpoint.ifname.clone() else {
            return Ok(None);
        };
        let options = NetworkOptions::parse(&network.options, network.internal)?;
        let own = EndpointOptions::parse(&endpoint.options)?;
        Ok(Some(PortSettings {
            endpoint: endpoint.id,
            network: network.id,
            ifname,
            mac: endpoint.mac,
            addresses: endpoint.addresses.iter().map(IpNet::addr).collect(),
            anti_spoof: own.anti_spoof.unwrap_or(options.anti_spoof),
            vlan: own.vlan,
            storm_pps: own.storm_pps.unwrap_or(options.storm_pps),
            mtu: options.mtu.unwrap_or(settings.default_mtu),
            isolated: !options.icc,
            published: endpoint.published.clone(),
        }))
    }
}

/// The gateways of the record but for one that is left to someone else.
fn owned_gateways(network: &Network, options: &NetworkOptions) -> Vec<IpNet> {
    network
        .subnets
        .iter()
        .filter(|record| !(options.inhibit_ipv4 && Family::of(record.subnet) == Family::V4))
        .filter_map(|record| IpNet::new(record.gateway?, record.subnet.prefix_len()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NetworkId;
    use crate::network::SubnetRecord;
    use crate::option_key;
    use crate::policy::{Filtering, GatewayMode};

    fn network(subnets: &[(&str, Option<&str>)], options: &[(&str, &str)]) -> Network {
        let record = |(subnet, gateway): &(&str, Option<&str>)| SubnetRecord {
            subnet: subnet.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            ip_range: None,
            aux: BTreeMap::new(),
        };
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Network {
            id: NetworkId::from_octets([0xab; 32]),
            name: "web".into(),
            driver: DriverName::Bridge,
            created: 0,
            ipv6: false,
            internal: false,
            subnets: subnets.iter().map(record).collect(),
            options: options.iter().map(owned).collect(),
            labels: BTreeMap::new(),
        }
    }

    fn settings_of(network: &Network) -> BridgeSettings {
        Bridge
            .bridge(network, &Settings::default())
            .unwrap()
            .unwrap()
    }

    const DUAL: [(&str, Option<&str>); 2] = [
        ("10.0.0.0/24", Some("10.0.0.1")),
        ("fd00::/64", Some("fd00::1")),
    ];

    #[test]
    fn defaults_are_dockers_and_those_of_the_standards() {
        assert_eq!(
            settings_of(&network(&DUAL, &[])),
            BridgeSettings {
                network: NetworkId::from_octets([0xab; 32]),
                name: "web".into(),
                gateways: vec![
                    "10.0.0.1/24".parse().unwrap(),
                    "fd00::1/64".parse().unwrap()
                ],
                gateway_mac: "02:42:0a:00:00:01".parse().unwrap(),
                host_port: Some("br-abababababab".into()),
                icc: true,
                internal: false,
                mtu: 1500,
                ageing_secs: 300,
                fdb_limit: 8192,
                snooping: false,
                offload: true,
                policy: Policy::default(),
            }
        );
    }

    #[test]
    fn options_are_carried_over() {
        let settings = settings_of(&network(
            &DUAL,
            &[
                (option_key::BRIDGE_NAME, "web0"),
                (option_key::ENABLE_ICC, "false"),
                (option_key::MTU, "9000"),
                (option_key::AGEING, "10"),
                (option_key::FDB_LIMIT, "64"),
                (option_key::SNOOPING, "true"),
                (option_key::OFFLOAD, "0"),
                (option_key::GATEWAY_MODE_IPV6, "routed"),
                (option_key::HOST_IPV4, "192.0.2.1"),
                (option_key::NAT_FILTERING, "endpoint-independent"),
            ],
        ));
        assert_eq!(settings.host_port.as_deref(), Some("web0"));
        assert_eq!((settings.icc, settings.mtu), (false, 9000));
        assert_eq!((settings.ageing_secs, settings.fdb_limit), (10, 64));
        assert_eq!((settings.snooping, settings.offload), (true, false));
        let policy = settings.policy;
        assert_eq!(policy.v4.mode, GatewayMode::Nat);
        assert_eq!(policy.v6.mode, GatewayMode::Routed);
        assert_eq!(policy.v4.source, Some([192, 0, 2, 1].into()));
        assert_eq!(policy.v6.source, None);
        assert_eq!(policy.filtering, Filtering::EndpointIndependent);
    }

    #[test]
    fn an_inhibited_gateway_is_a_next_hop_that_someone_else_owns() {
        let inhibit = [(option_key::INHIBIT_IPV4, "true")];
        let dual = network(&DUAL, &inhibit);
        assert_eq!(settings_of(&dual).gateways, ["fd00::1/64".parse().unwrap()]);
        assert!(Bridge.next_hop(&dual, Family::V4).is_some());
        let settings = settings_of(&network(&DUAL[..1], &inhibit));
        assert_eq!(settings.gateways, []);
        assert_eq!(settings.host_port, None);
        assert!(settings.gateway_mac.is_valid_source());
    }

    #[test]
    fn an_internal_network_has_a_gateway_for_the_host_and_no_next_hop() {
        let network = Network {
            internal: true,
            ..network(&DUAL, &[])
        };
        assert_eq!(settings_of(&network).gateways.len(), 2);
        assert_eq!(Bridge.next_hop(&network, Family::V4), None);
        assert_eq!(Bridge.next_hop(&network, Family::V6), None);
    }

    #[test]
    fn an_endpoints_options_override_the_networks() {
        let network = network(
            &DUAL,
            &[
                (option_key::ANTI_SPOOF, "false"),
                (option_key::STORM_LIMIT, "100"),
                (option_key::ENABLE_ICC, "false"),
            ],
        );
        let port = |options: &[(&str, &str)]| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let endpoint = Endpoint {
                id: crate::EndpointId::from_octets([1; 32]),
                network: network.id,
                sandbox: "box".parse().unwrap(),
                ifname: Some("eth0".into()),
                mac: "02:42:0a:00:00:02".parse().unwrap(),
                addresses: vec!["10.0.0.2/24".parse().unwrap()],
                aliases: Vec::new(),
                gateway_priority: 0,
                phase: crate::Phase::Attached,
                created: 0,
                options: options.iter().map(owned).collect(),
                published: Vec::new(),
            };
            Bridge
                .port(&network, &endpoint, &Settings::default())
                .unwrap()
                .unwrap()
        };
        let plain = port(&[]);
        assert!(plain.isolated && !plain.anti_spoof);
        assert_eq!((plain.storm_pps, plain.vlan), (Some(100), None));
        let own = port(&[
            (option_key::ANTI_SPOOF, "true"),
            (option_key::STORM_LIMIT, "0"),
            (option_key::VLAN, "7"),
        ]);
        assert!(own.anti_spoof);
        assert_eq!(own.storm_pps, None);
        assert_eq!(own.vlan.map(vswitch_packet::VlanId::get), Some(7));
    }
}
