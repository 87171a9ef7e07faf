//! The options of a network, as Docker passes them on.
//!
//! `docker network create -o` takes what `vsctl add-net -o` takes, and three more: `driver`, `vswitch.name` and
//! `ipam` say what Docker has no flags for. What `--internal` and `--ipv6` say comes beside them.

use std::collections::BTreeMap;

use vswitch_cnm::{DriverName, option_key as key};
use vswitch_ipam::Family;
use vswitch_plugin::network_driver::{self as wire, Options};

use super::answer::Refusal;

/// Which kind of network; default `bridge`.
const DRIVER: &str = "driver";

/// What `vsctl` calls it; Docker tells its own name to no driver.
const NAME: &str = "vswitch.name";

/// Who gives out addresses where Docker does not (`--ipam-driver null`): `default` or `dhcp`.
const IPAM: &str = "ipam";

/// The options, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetworkOptions {
    /// One of those that a container's network can have.
    pub(super) driver: DriverName,
    /// What `vsctl` shows.
    pub(super) name: Option<String>,
    pub(super) ipam: Option<String>,
    pub(super) internal: bool,
    /// Older engines do not say.
    pub(super) ipv4: Option<bool>,
    pub(super) ipv6: Option<bool>,
    /// The driver's own.
    pub(super) rest: BTreeMap<String, String>,
}

impl NetworkOptions {
    pub(super) fn read(options: &Options) -> Result<Self, Refusal> {
        let mut rest = wire::generic(options)?;
        // As everywhere in Docker, an empty value is none given.
        let mut take = |key| rest.remove(key).filter(|value| !value.is_empty());
        Ok(Self {
            driver: take(DRIVER).map_or(Ok(DriverName::Bridge), |name| driver(&name))?,
            name: take(NAME),
            ipam: take(IPAM),
            internal: wire::flag(options, wire::INTERNAL)?.unwrap_or(false),
            ipv4: wire::flag(options, wire::ENABLE_IPV4)?,
            ipv6: wire::flag(options, wire::ENABLE_IPV6)?,
            rest,
        })
    }

    /// Whether the network's gateway of a family is the switch. It is not on a physical network, where the
    /// router is somebody there, nor where there is to be none.
    pub(super) fn has_own_gateway(&self, family: Family) -> bool {
        let is_physical = matches!(self.driver, DriverName::Macvlan | DriverName::Ipvlan);
        !is_physical && !self.has_no_gateway(family)
    }

    /// Whether there is to be no gateway of a family at all: in isolation, and where the host's routes are used.
    pub(super) fn has_no_gateway(&self, family: Family) -> bool {
        let mode = match family {
            Family::V4 => key::GATEWAY_MODE_IPV4,
            Family::V6 => key::GATEWAY_MODE_IPV6,
        };
        let is = |key: &str, value: &str| self.rest.get(key).is_some_and(|given| given == value);
        let is_routed = is(key::IPVLAN_MODE, "l3") || is(key::IPVLAN_MODE, "l3s");
        is(mode, "isolated") || self.driver == DriverName::Ipvlan && is_routed
    }
}

/// Not `host` and `null`, which Docker has itself, and no other plugin, which Docker can ask itself.
fn driver(name: &str) -> Result<DriverName, Refusal> {
    let known = [
        DriverName::Bridge,
        DriverName::Overlay,
        DriverName::Macvlan,
        DriverName::Ipvlan,
    ];
    let found = known.into_iter().find(|driver| driver.as_str() == name);
    found.ok_or_else(|| {
        Refusal::malformed(format!(
            "option driver={name}: the value must be bridge, overlay, macvlan or ipvlan; the drivers of others are \
             chosen by docker network create -d"
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: serde_json::Value) -> Result<NetworkOptions, Refusal> {
        NetworkOptions::read(options.as_object().unwrap())
    }

    #[test]
    fn what_docker_recorded_is_a_bridge() {
        let options = read(json!({
            "com.docker.network.enable_ipv6": false,
            "com.docker.network.generic": {"a": "b"}
        }));
        let expected = NetworkOptions {
            driver: DriverName::Bridge,
            name: None,
            ipam: None,
            internal: false,
            ipv4: None,
            ipv6: Some(false),
            rest: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        };
        assert_eq!(options, Ok(expected));
    }

    #[test]
    fn our_own_options_are_taken_out() {
        let options = read(json!({
            "com.docker.network.enable_ipv4": true,
            "com.docker.network.internal": true,
            "com.docker.network.generic": {
                "driver": "macvlan",
                "vswitch.name": "lan",
                "ipam": "dhcp",
                "vlan": 7,
                "host_access": true,
                "parent": "eth0",
            }
        }))
        .unwrap();
        assert_eq!(options.driver, DriverName::Macvlan);
        assert_eq!(options.name.as_deref(), Some("lan"));
        assert_eq!(options.ipam.as_deref(), Some("dhcp"));
        assert!(options.internal);
        assert_eq!((options.ipv4, options.ipv6), (Some(true), None));
        let rest = [("host_access", "true"), ("parent", "eth0"), ("vlan", "7")];
        let rest = rest.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(options.rest, BTreeMap::from(rest));
    }

    #[test]
    fn empty_values_are_none_given() {
        let generic = json!({"driver": "", "vswitch.name": "", "ipam": ""});
        let options = read(json!({"com.docker.network.generic": generic})).unwrap();
        assert_eq!(options.driver, DriverName::Bridge);
        assert_eq!((options.name, options.ipam), (None, None));
        assert_eq!(options.rest, BTreeMap::new());
        assert!(read(json!({"com.docker.network.generic": null})).is_ok());
    }

    #[test]
    fn only_containers_networks_can_be_made() {
        for name in ["host", "null", "none", "plugin", "vswitch", "Bridge"] {
            let refusal =
                read(json!({"com.docker.network.generic": {"driver": name}})).unwrap_err();
            assert!(
                refusal
                    .message()
                    .starts_with(&format!("option driver={name}: ")),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn wrong_types_are_refused() {
        for options in [
            json!({"com.docker.network.generic": []}),
            json!({"com.docker.network.generic": {"driver": ["bridge"]}}),
            json!({"com.docker.network.internal": "maybe"}),
            json!({"com.docker.network.enable_ipv6": 1}),
        ] {
            assert!(read(options.clone()).is_err(), "{options}");
        }
    }

    #[test]
    fn gateways_are_ours_but_on_physical_and_isolated_networks() {
        let gateways = |generic: serde_json::Value| {
            let options = read(json!({"com.docker.network.generic": generic})).unwrap();
            [Family::V4, Family::V6].map(|family| options.has_own_gateway(family))
        };
        assert_eq!(gateways(json!({})), [true, true]);
        assert_eq!(gateways(json!({"driver": "overlay"})), [true, true]);
        assert_eq!(gateways(json!({"driver": "macvlan"})), [false, false]);
        assert_eq!(gateways(json!({"driver": "ipvlan"})), [false, false]);
        let isolated = json!({"com.docker.network.bridge.gateway_mode_ipv4": "isolated"});
        assert_eq!(gateways(isolated), [false, true]);
    }
}
