//! An endpoint: a network's port in a sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_packet::MacAddr;

use crate::id::{EndpointId, NetworkId};
use crate::lan::HostInterface;
use crate::lease::Lease;
use crate::mac;
use crate::plugin::PluginInterface;
use crate::publish::{PortSpec, PublishedPort};
use crate::sandbox::{NetnsId, SandboxKey};

/// An endpoint, as it is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its identity.
    pub id: EndpointId,
    /// The network it is a port of.
    pub network: NetworkId,
    /// The sandbox it is in; `None` before it has joined one, and after it has left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxKey>,
    /// Who names, addresses and routes the interface in the sandbox.
    #[serde(default)]
    pub configured_by: Configurator,
    /// The interface's name in the sandbox; `None` without resources (`host`, `none`), and without a
    /// sandbox. One that an engine configures has its TAP's name until it is seen in the sandbox.
    #[serde(default)]
    pub ifname: Option<String>,
    /// The interface's address; all zero without resources (`host`, `none`).
    #[serde(with = "mac::text", default)]
    pub mac: MacAddr,
    /// Addresses with the prefix length of their subnet, IPv4 first.
    #[serde(default)]
    pub addresses: Vec<IpNet>,
    /// Other names it is known by on its network (`--alias`).
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The higher, the sooner it is its sandbox's default route (Docker's `gw-priority`).
    #[serde(default)]
    pub gateway_priority: i32,
    /// How far attaching or detaching has come.
    pub phase: Phase,
    /// When it was made, in seconds since 1970 UTC.
    #[serde(default)]
    pub created: u64,
    /// Endpoint options (`attach -o KEY=VALUE`), as given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Published ports (`-p`), in the order of publishing.
    #[serde(default)]
    pub published: Vec<PublishedPort>,
    /// What its IPv4 address is by, where a DHCP server chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Labels, which mean nothing here.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What the network's plugin has made, where one makes the network work and the endpoint has a
    /// sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginInterface>,
}

/// Who configures an endpoint's interface in its sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Configurator {
    /// We do.
    #[default]
    Switch,
    /// A container engine does: it moves the TAP out of the host's namespace, names and addresses it, and
    /// sets the sandbox's default routes.
    Engine,
}

/// How far an endpoint's interface is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// In no sandbox; its addresses are taken, and there is no interface.
    Created,
    /// Being made; found so after a crash, it is to be undone.
    Attaching,
    /// In use.
    Attached,
    /// Being removed; found so after a crash, that is to be finished.
    Detaching,
}

/// What `attach` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachRequest {
    /// The network to become a port of.
    pub network: NetworkId,
    /// The sandbox to put the interface into; `None` to join one later.
    pub sandbox: Option<SandboxKey>,
    /// Who configures the interface there.
    pub configured_by: Configurator,
    /// The namespace that `sandbox` stands for, if the caller has looked.
    pub netns: Option<NetnsId>,
    /// Names of interfaces in the namespace now, which cannot be given again.
    pub interfaces: BTreeSet<String>,
    /// The IPv4 address (`--ip`).
    pub ip: Option<Ipv4Addr>,
    /// The IPv6 address (`--ip6`).
    pub ip6: Option<Ipv6Addr>,
    /// The interface's address (`--mac`).
    pub mac: Option<MacAddr>,
    /// The interface's name (`--ifname`); means nothing without a sandbox, or where an engine names it.
    pub ifname: Option<String>,
    /// Other names (`--alias`); repeats do not matter.
    pub aliases: Vec<String>,
    /// See [`Endpoint::gateway_priority`].
    pub gateway_priority: i32,
    /// Endpoint options (`-o KEY=VALUE`).
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports to publish (`-p`).
    pub publish: Vec<PortSpec>,
    /// The network's parent, if the caller has looked: what it has, no endpoint gets.
    pub parent: Option<HostInterface>,
}

/// What an endpoint without a sandbox needs to be put into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// The sandbox to put the interface into.
    pub sandbox: SandboxKey,
    /// The namespace that `sandbox` stands for, if the caller has looked.
    pub netns: Option<NetnsId>,
    /// Names of interfaces in the namespace now, which cannot be given again.
    pub interfaces: BTreeSet<String>,
    /// The interface's name; means nothing where an engine names it.
    pub ifname: Option<String>,
    /// What the name begins with if none is given, in place of what the network has.
    pub prefix: Option<String>,
    /// What the network's plugin has made.
    pub plugin: Option<PluginInterface>,
}

impl Endpoint {
    /// The TAP's name in the host's namespace: `vs-` and the short id, 15 bytes.
    #[must_use]
    pub fn tap_name(&self) -> String {
        tap_name(self.id)
    }

    /// The sandbox it is in, or `-`.
    #[must_use]
    pub fn whereabouts(&self) -> String {
        self.sandbox
            .as_ref()
            .map_or_else(|| "-".to_owned(), ToString::to_string)
    }

    /// What a message calls it: its sandbox, which is a `kind` of thing, else its id.
    pub(crate) fn called(&self, kind: &str) -> String {
        match &self.sandbox {
            Some(sandbox) => format!("{kind} {sandbox}"),
            None => format!("endpoint {}", self.id.short()),
        }
    }

    /// Whether it is in `sandbox`.
    #[must_use]
    pub fn is_in(&self, sandbox: &SandboxKey) -> bool {
        self.sandbox.as_ref() == Some(sandbox)
    }

    /// Whether it has an interface; those of `host` and `none` have not, and those without a sandbox.
    #[must_use]
    pub const fn has_interface(&self) -> bool {
        self.ifname.is_some()
    }

    /// Where a published port leads: the address of the family it is published on, else the other one.
    /// `None` without addresses.
    #[must_use]
    pub fn target(&self, published: &PublishedPort) -> Option<IpAddr> {
        let (v4, v6) = (self.ipv4().map(IpAddr::V4), self.ipv6().map(IpAddr::V6));
        if published.host_ip.is_ipv4() {
            v4.or(v6)
        } else {
            v6.or(v4)
        }
    }

    /// The IPv4 address.
    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|net| match net.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    /// The IPv6 address.
    #[must_use]
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.addresses.iter().find_map(|net| match net.addr() {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        })
    }
}

impl AttachRequest {
    /// An endpoint of `network` in `sandbox` with everything chosen for it.
    #[must_use]
    pub fn new(network: NetworkId, sandbox: SandboxKey) -> Self {
        Self {
            sandbox: Some(sandbox),
            ..Self::without_sandbox(network)
        }
    }

    /// An endpoint of `network` that is to join a sandbox later, with everything chosen for it.
    #[must_use]
    pub const fn without_sandbox(network: NetworkId) -> Self {
        Self {
            network,
            sandbox: None,
            configured_by: Configurator::Switch,
            netns: None,
            interfaces: BTreeSet::new(),
            ip: None,
            ip6: None,
            mac: None,
            ifname: None,
            aliases: Vec::new(),
            gateway_priority: 0,
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            publish: Vec::new(),
            parent: None,
        }
    }
}

impl JoinRequest {
    /// Joining `sandbox` under a name that is chosen.
    #[must_use]
    pub const fn new(sandbox: SandboxKey) -> Self {
        Self {
            sandbox,
            netns: None,
            interfaces: BTreeSet::new(),
            ifname: None,
            prefix: None,
            plugin: None,
        }
    }
}

pub(crate) fn tap_name(id: EndpointId) -> String {
    format!("vs-{}", id.short())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> String {
        format!(
            r#"{{"id":"{}","network":"{}","sandbox":"box","ifname":"eth0","mac":"02:42:0a:00:00:02",
                 "addresses":["10.0.0.2/24","fd00::2/64"],"phase":"attached"}}"#,
            "ab".repeat(32),
            "cd".repeat(32)
        )
    }

    #[test]
    fn a_record_of_an_older_version_is_read() {
        let endpoint: Endpoint = serde_json::from_str(&json()).unwrap();
        assert_eq!(endpoint.tap_name(), "vs-abababababab");
        assert_eq!(endpoint.ipv4(), Some(Ipv4Addr::new(10, 0, 0, 2)));
        assert_eq!(endpoint.ipv6(), Some("fd00::2".parse().unwrap()));
        assert_eq!((endpoint.gateway_priority, endpoint.published), (0, vec![]));
    }

    #[test]
    fn json_round_trips_with_text_for_addresses() {
        let endpoint: Endpoint = serde_json::from_str(&json()).unwrap();
        let text = serde_json::to_string(&endpoint).unwrap();
        assert!(text.contains(r#""mac":"02:42:0a:00:00:02""#), "{text}");
        assert!(text.contains(r#""sandbox":"box""#), "{text}");
        assert_eq!(serde_json::from_str::<Endpoint>(&text).unwrap(), endpoint);
    }
}
