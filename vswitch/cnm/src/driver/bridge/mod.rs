//! A learning switch, whose userspace router owns the gateway's addresses.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use vswitch_ipam::{Family, PoolRequest};

use self::network_options::NetworkOptions;
use super::{Driver, DriverName, InterfacePlan, Publishing, switched};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::gateway::NextHop;
use crate::network::{Network, NetworkRequest, SubnetRecord};
use crate::sandbox::SandboxKey;
use crate::segment::Segment;
use crate::settings::{BridgeSettings, PortSettings, Settings};

mod network_options;
mod subnets;

pub(super) use network_options::OWN;

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
        subnets::plan(request, &options.switch)
    }

    fn check_network(&self, network: &Network, _others: &[&Network]) -> Result<(), Error> {
        let options = options(network)?;
        let ipv6 = |record: &SubnetRecord| Family::of(record.subnet) == Family::V6;
        options
            .switch
            .check_mtu_for(network.subnets.iter().any(ipv6))?;
        subnets::check(network)
    }

    fn check_sandbox(&self, network: &Network, sandbox: &SandboxKey) -> Result<(), Error> {
        switched::check_sandbox(network, sandbox)
    }

    fn interface(
        &self,
        network: &Network,
        endpoint: &BTreeMap<String, String>,
    ) -> Result<Option<InterfacePlan>, Error> {
        switched::interface(options(network)?.switch, endpoint).map(Some)
    }

    fn next_hop(&self, network: &Network, endpoint: &Endpoint, family: Family) -> Option<NextHop> {
        switched::next_hop(network, &network.segment_of(endpoint)?, family)
    }

    fn route_to(&self, network: &Network) -> Result<BTreeSet<String>, Error> {
        Ok(options(network)?.switch.route_to)
    }

    fn bridges(
        &self,
        network: &Network,
        settings: &Settings,
    ) -> Result<Vec<BridgeSettings>, Error> {
        let options = options(network)?;
        let mtu = options.switch.mtu.unwrap_or(settings.default_mtu);
        let bridge = |segment: &Segment<'_>| {
            let gateways = owned_gateways(segment, &options);
            BridgeSettings {
                icc: options.icc,
                ..switched::bridge(network, segment, gateways, mtu, &options.switch)
            }
        };
        Ok(network.segments().iter().map(bridge).collect())
    }

    fn publishing(&self, network: &Network, endpoint: &Endpoint) -> Result<Publishing, Error> {
        let options = options(network)?;
        let gateways = network
            .segment_of(endpoint)
            .map(|segment| owned_gateways(&segment, &options));
        switched::publishing(
            network,
            endpoint,
            &gateways.unwrap_or_default(),
            &options.switch,
        )
    }

    fn port(
        &self,
        network: &Network,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<Option<PortSettings>, Error> {
        let options = options(network)?;
        let mtu = options.switch.mtu.unwrap_or(settings.default_mtu);
        let port = switched::port(network, endpoint, mtu, &options.switch)?;
        Ok(Some(PortSettings {
            isolated: !options.icc,
            ..port
        }))
    }
}

fn options(network: &Network) -> Result<NetworkOptions, Error> {
    Ok(NetworkOptions::parse(&network.options, network.internal)?)
}

/// The gateways of a segment but for one that is left to someone else.
fn owned_gateways(segment: &Segment<'_>, options: &NetworkOptions) -> Vec<IpNet> {
    let mut gateways = switched::gateways(segment);
    gateways.retain(|gateway| !(options.inhibit_ipv4 && Family::of(*gateway) == Family::V4));
    gateways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NetworkId;
    use crate::option_key;
    use crate::policy::{Filtering, GatewayMode, Policy};

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
            plugin: None,
            created: 0,
            ipv6: false,
            internal: false,
            subnets: subnets.iter().map(record).collect(),
            options: options.iter().map(owned).collect(),
            labels: BTreeMap::new(),
            overlay: None,
            ipam: crate::ipam::Ipam::Default,
            lan: None,
        }
    }

    fn settings_of(network: &Network) -> BridgeSettings {
        let bridges = Bridge.bridges(network, &Settings::default()).unwrap();
        <[_; 1]>::try_from(bridges)
            .unwrap()
            .into_iter()
            .next()
            .unwrap()
    }

    fn next_hop(network: &Network, family: Family) -> Option<NextHop> {
        switched::next_hop(network, &network.segments()[0], family)
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
                segment: 0,
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
                overlay: None,
                lan: None,
                l3: None,
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
        assert!(next_hop(&dual, Family::V4).is_some());
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
        assert_eq!(next_hop(&network, Family::V4), None);
        assert_eq!(next_hop(&network, Family::V6), None);
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
                sandbox: Some("box".parse().unwrap()),
                configured_by: crate::Configurator::Switch,
                ifname: Some("eth0".into()),
                mac: "02:42:0a:00:00:02".parse().unwrap(),
                addresses: vec!["10.0.0.2/24".parse().unwrap()],
                aliases: Vec::new(),
                gateway_priority: 0,
                phase: crate::Phase::Attached,
                created: 0,
                options: options.iter().map(owned).collect(),
                published: Vec::new(),
                lease: None,
                labels: BTreeMap::new(),
                plugin: None,
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
