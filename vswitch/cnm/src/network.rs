//! A network: its record, and what is asked for when one is made.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::driver::DriverName;
use crate::id::NetworkId;
use crate::ipam::Ipam;
use crate::lan::{HostInterface, LanRecord};
use crate::overlay::{OverlayRecord, Remote};

/// A network, as it is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its identity.
    pub id: NetworkId,
    /// Its name, unique in the model.
    pub name: String,
    /// What makes it work.
    pub driver: DriverName,
    /// The name of the plugin that makes it work, with [`DriverName::Plugin`] and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// When it was made, in seconds since 1970 UTC.
    #[serde(default)]
    pub created: u64,
    /// Whether endpoints have IPv6 addresses.
    #[serde(default)]
    pub ipv6: bool,
    /// Whether it has no way out: its endpoints get no default route (`--internal`).
    #[serde(default)]
    pub internal: bool,
    /// Its subnets; see [`segments`](Self::segments).
    #[serde(default)]
    pub subnets: Vec<SubnetRecord>,
    /// Driver options (`-o`), as given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Labels, which mean nothing here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What an overlay network has beside; `None` for other drivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<OverlayRecord>,
    /// Who chooses endpoints' addresses.
    #[serde(default)]
    pub ipam: Ipam,
    /// Where on the physical network it is; `None` for drivers that are not on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lan: Option<LanRecord>,
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
    /// The plugin's name (`-d`), with [`DriverName::Plugin`] and no other.
    pub plugin: Option<String>,
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
    /// Who chooses endpoints' addresses (`--ipam`).
    pub ipam: Ipam,
    /// The host's interfaces by name, one of which may be the network's parent.
    pub interfaces: BTreeMap<String, HostInterface>,
}

const PREDEFINED: [(DriverName, &str); 2] =
    [(DriverName::Host, "host"), (DriverName::Null, "none")];

impl Network {
    /// The driver's name as users type it: the plugin's, where one makes the network work.
    #[must_use]
    pub fn driver_name(&self) -> &str {
        self.plugin.as_deref().unwrap_or(self.driver.as_str())
    }

    /// Whether it is what `request` asks for, its name aside: its driver, and who chooses its addresses;
    /// the subnets and addresses that were named; its options, and whether it has a way out.
    #[must_use]
    pub fn is_as_asked(&self, request: &NetworkRequest) -> bool {
        let has = |test: &dyn Fn(&SubnetRecord) -> bool| self.subnets.iter().any(test);
        let exact = |subnet: &&IpNet| !subnet.addr().is_unspecified();
        let subnets: Vec<&IpNet> = request.subnets.iter().filter(exact).collect();
        // What has no parent has no way out, asked for or not.
        let enclosed = self.lan.as_ref().is_some_and(|lan| lan.parent.is_none());
        self.driver == request.driver
            && self.plugin == request.plugin
            && self.ipam == request.ipam
            && self.options == request.options
            && (self.internal == request.internal || enclosed)
            && (!self.ipam.is_given() || subnets.len() == self.subnets.len())
            && subnets
                .iter()
                .all(|subnet| has(&|record| record.subnet == **subnet))
            && (request.ip_ranges.iter())
                .all(|range| has(&|record| record.ip_range == Some(*range)))
            && (request.gateways.iter())
                .all(|gateway| has(&|record| record.gateway == Some(*gateway)))
            && (request.aux_addresses.iter())
                .all(|(name, address)| has(&|record| record.aux.get(name) == Some(address)))
    }

    /// The VNI of each of its segments; none if they do not span hosts.
    #[must_use]
    pub fn vnis(&self) -> &[u32] {
        self.overlay.as_ref().map_or(&[], |record| &record.vnis)
    }

    /// The VTEPs of other hosts that were given.
    #[must_use]
    pub fn peers(&self) -> &[IpAddr] {
        self.overlay.as_ref().map_or(&[], |record| &record.peers)
    }

    /// What is said to be at them.
    #[must_use]
    pub fn remotes(&self) -> &[Remote] {
        self.overlay.as_ref().map_or(&[], |record| &record.remotes)
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
            plugin: None,
            created,
            ipv6: false,
            internal: false,
            subnets: Vec::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            overlay: None,
            ipam: Ipam::Default,
            lan: None,
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
            plugin: None,
            ipv4: true,
            ipv6: false,
            internal: false,
            subnets: Vec::new(),
            gateways: Vec::new(),
            ip_ranges: Vec::new(),
            aux_addresses: Vec::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            ipam: Ipam::Default,
            interfaces: BTreeMap::new(),
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
}
