//! A network: its record, and what is asked for when one is made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_ipam::Family;

use crate::driver::DriverName;
use crate::id::NetworkId;

/// A network, as it is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its identity.
    pub id: NetworkId,
    /// Its name, unique in the model.
    pub name: String,
    /// What makes it work.
    pub driver: DriverName,
    /// When it was made, in seconds since 1970 UTC.
    #[serde(default)]
    pub created: u64,
    /// Whether endpoints have IPv6 addresses.
    #[serde(default)]
    pub ipv6: bool,
    /// Whether it has no way out: its endpoints get no default route (`--internal`).
    #[serde(default)]
    pub internal: bool,
    /// Its subnets, one of a family at most with driver `bridge`.
    #[serde(default)]
    pub subnets: Vec<SubnetRecord>,
    /// Driver options (`-o`), as given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Labels, which mean nothing here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// One subnet of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetRecord {
    /// The subnet; no host bits set.
    pub subnet: IpNet,
    /// The gateway's address, in the subnet.
    #[serde(default)]
    pub gateway: Option<IpAddr>,
    /// The part addresses are given out from when none is asked for.
    #[serde(default)]
    pub ip_range: Option<IpNet>,
    /// Addresses set aside by name (`--aux-address`).
    #[serde(default)]
    pub aux: BTreeMap<String, IpAddr>,
}

/// What `add-net` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRequest {
    /// The name.
    pub name: String,
    /// The driver (`-d`).
    pub driver: DriverName,
    /// Whether endpoints have IPv4 addresses; true unless told otherwise.
    ///
    /// The option `com.docker.network.enable_ipv4` overrides it.
    pub ipv4: bool,
    /// Whether endpoints have IPv6 addresses (`--ipv6`); an IPv6 subnet implies it.
    ///
    /// The option `com.docker.network.enable_ipv6` overrides it.
    pub ipv6: bool,
    /// No way out (`--internal`).
    pub internal: bool,
    /// Subnets (`--subnet`); `0.0.0.0/24` and `::/80` ask for a size.
    pub subnets: Vec<IpNet>,
    /// Gateways, each in one of the subnets (`--gateway`).
    pub gateways: Vec<IpAddr>,
    /// Ranges, each in one of the subnets (`--ip-range`).
    pub ip_ranges: Vec<IpNet>,
    /// Addresses set aside, by name (`--aux-address NAME=IP`).
    pub aux_addresses: Vec<(String, IpAddr)>,
    /// Driver options (`-o KEY=VALUE`).
    pub options: BTreeMap<String, String>,
    /// Labels (`--label K=V`).
    pub labels: BTreeMap<String, String>,
}

/// The auxiliary names that override the default gateway of containers, as in Docker's bridge driver.
const DEFAULT_GATEWAY_AUX: [(Family, &str); 2] = [
    (Family::V4, "DefaultGatewayIPv4"),
    (Family::V6, "DefaultGatewayIPv6"),
];

const PREDEFINED: [(DriverName, &str); 2] =
    [(DriverName::Host, "host"), (DriverName::Null, "none")];

impl Network {
    /// Its subnet of `family`, if it has one.
    #[must_use]
    pub fn subnet(&self, family: Family) -> Option<&SubnetRecord> {
        self.subnets
            .iter()
            .find(|record| Family::of(record.subnet) == family)
    }

    /// Where endpoints send what is not in the subnet: the auxiliary address `DefaultGatewayIPv4` or
    /// `DefaultGatewayIPv6`, else the gateway.
    #[must_use]
    pub fn next_hop(&self, family: Family) -> Option<IpAddr> {
        let record = self.subnet(family)?;
        DEFAULT_GATEWAY_AUX
            .iter()
            .filter(|(of, _)| *of == family)
            .find_map(|(_, name)| record.aux.get(*name).copied())
            .or(record.gateway)
    }

    /// Whether it exists always: `host` and `none`.
    ///
    /// Such networks follow from the model, and are not to be persisted.
    #[must_use]
    pub fn is_predefined(&self) -> bool {
        PREDEFINED
            .iter()
            .any(|(_, name)| predefined_id(name) == self.id)
    }

    /// The networks that exist always.
    pub(crate) fn predefined(created: u64) -> [Self; 2] {
        PREDEFINED.map(|(driver, name)| Self {
            id: predefined_id(name),
            name: name.to_owned(),
            driver,
            created,
            ipv6: false,
            internal: false,
            subnets: Vec::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
        })
    }
}

impl NetworkRequest {
    /// A bridge network with IPv4 and a default subnet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            driver: DriverName::Bridge,
            ipv4: true,
            ipv6: false,
            internal: false,
            subnets: Vec::new(),
            gateways: Vec::new(),
            ip_ranges: Vec::new(),
            aux_addresses: Vec::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }
}

/// The same in every model, so that records need not hold such networks: the name and zeros.
fn predefined_id(name: &str) -> NetworkId {
    let mut octets = [0; 32];
    octets[..name.len()].copy_from_slice(name.as_bytes());
    NetworkId::from_octets(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_an_older_version_is_read() {
        let json = format!(
            r#"{{"id":"{}","name":"web","driver":"bridge","subnets":[{{"subnet":"10.0.0.0/24"}}]}}"#,
            "ab".repeat(32)
        );
        let network: Network = serde_json::from_str(&json).unwrap();
        assert_eq!(network.subnets[0].gateway, None);
        assert!(!network.ipv6 && !network.internal && network.options.is_empty());
    }

    #[test]
    fn the_auxiliary_address_overrides_the_gateway() {
        let mut record = SubnetRecord {
            subnet: "10.0.0.0/24".parse().unwrap(),
            gateway: Some("10.0.0.1".parse().unwrap()),
            ip_range: None,
            aux: BTreeMap::new(),
        };
        let network = |record: &SubnetRecord| Network {
            id: NetworkId::from_octets([1; 32]),
            name: "web".into(),
            driver: DriverName::Bridge,
            created: 0,
            ipv6: false,
            internal: false,
            subnets: vec![record.clone()],
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        assert_eq!(network(&record).next_hop(Family::V4), record.gateway);
        let router = "10.0.0.9".parse().unwrap();
        record.aux.insert("DefaultGatewayIPv4".into(), router);
        assert_eq!(network(&record).next_hop(Family::V4), Some(router));
        assert_eq!(network(&record).next_hop(Family::V6), None);
    }
}
