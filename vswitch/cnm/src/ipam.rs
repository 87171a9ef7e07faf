//! Who chooses the addresses of a network's endpoints.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Who chooses endpoints' addresses (`--ipam`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ipam {
    /// The model, out of the network's subnets.
    #[default]
    Default,
    /// The DHCP server of the physical network; IPv6 addresses are the endpoints' own matter (SLAAC).
    Dhcp,
    /// Whoever attaches: a container engine, or a user.
    Given,
    /// Somebody's IPAM plugin, which the caller asks; to the model they are given.
    Plugin(IpamPlugin),
}

/// An IPAM plugin, and what it has set aside for a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamPlugin {
    /// The name it is found by.
    pub name: String,
    /// Its pools, one for each subnet of the network.
    #[serde(default)]
    pub pools: Vec<PluginPool>,
    /// The user's options for it (`--ipam-opt`), as given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A pool of an IPAM plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginPool {
    /// What the plugin knows it by.
    pub id: String,
    /// The subnet; no host bits set.
    pub subnet: IpNet,
}

impl Ipam {
    /// `default`, `dhcp`, `given`, or the plugin's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Default => "default",
            Self::Dhcp => "dhcp",
            Self::Given => "given",
            Self::Plugin(plugin) => &plugin.name,
        }
    }

    /// Whether a request for an endpoint has to name its addresses.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        matches!(self, Self::Given | Self::Plugin(_))
    }

    /// Whether addresses are leased, and the network has no subnets.
    #[must_use]
    pub const fn is_dhcp(&self) -> bool {
        matches!(self, Self::Dhcp)
    }
}

impl IpamPlugin {
    /// The pool that `address` is in.
    #[must_use]
    pub fn pool_with(&self, address: IpAddr) -> Option<&PluginPool> {
        self.pools
            .iter()
            .find(|pool| pool.subnet.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_words_but_for_a_plugins() {
        let plugin = Ipam::Plugin(IpamPlugin {
            name: "infoblox".into(),
            pools: vec![PluginPool {
                id: "p1".into(),
                subnet: "10.0.0.0/24".parse().unwrap(),
            }],
            ..IpamPlugin::default()
        });
        for (ipam, name, json) in [
            (Ipam::Default, "default", r#""default""#),
            (Ipam::Dhcp, "dhcp", r#""dhcp""#),
            (Ipam::Given, "given", r#""given""#),
            (
                plugin,
                "infoblox",
                r#"{"plugin":{"name":"infoblox","pools":[{"id":"p1","subnet":"10.0.0.0/24"}]}}"#,
            ),
        ] {
            assert_eq!(ipam.name(), name);
            assert_eq!(serde_json::to_string(&ipam).unwrap(), json);
            assert_eq!(serde_json::from_str::<Ipam>(json).unwrap(), ipam);
        }
    }
}
