//! What a plugin says of an interface that it has made for an endpoint.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_ipam::Family;

use crate::gateway::NextHop;

/// The answer of a network plugin to a join (libnetwork's `NetworkDriver.Join`), as it is persisted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInterface {
    /// The interface's name in the host's namespace, from where it is moved; empty if the plugin has put
    /// it into the sandbox itself.
    #[serde(default)]
    pub source: String,
    /// What its name in the sandbox begins with.
    #[serde(default)]
    pub prefix: String,
    /// The IPv4 router.
    #[serde(default)]
    pub gateway: Option<Ipv4Addr>,
    /// The IPv6 router.
    #[serde(default)]
    pub gateway6: Option<Ipv6Addr>,
    /// Routes of the interface: where to, and by which next hop. A default route among them is elected
    /// against those of the sandbox's other networks; see [`next_hop`](Self::next_hop).
    #[serde(default)]
    pub routes: Vec<(IpNet, NextHop)>,
    /// Whether the endpoint is to have no other way out in place of a gateway that is not given.
    #[serde(default)]
    pub disable_gateway: bool,
}

impl PluginInterface {
    /// Where the interface sends what is not on its link: the router, else a default route's next hop.
    #[must_use]
    pub fn next_hop(&self, family: Family) -> Option<NextHop> {
        let router = match family {
            Family::V4 => self.gateway.map(IpAddr::V4),
            Family::V6 => self.gateway6.map(IpAddr::V6),
        };
        let is_default =
            |(to, _): &&(IpNet, NextHop)| to.prefix_len() == 0 && Family::of(*to) == family;
        let route = || self.routes.iter().find(is_default);
        router
            .map(NextHop::Router)
            .or_else(|| route().map(|(_, next_hop)| *next_hop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_stands_in_for_a_gateway_of_its_family() {
        let interface = PluginInterface {
            gateway: Some([10, 0, 0, 1].into()),
            routes: vec![
                ("10.9.0.0/16".parse().unwrap(), NextHop::Link),
                ("0.0.0.0/0".parse().unwrap(), NextHop::Link),
                (
                    "::/0".parse().unwrap(),
                    NextHop::Router("fe80::1".parse().unwrap()),
                ),
            ],
            ..PluginInterface::default()
        };
        let router = |text: &str| Some(NextHop::Router(text.parse().unwrap()));
        assert_eq!(interface.next_hop(Family::V4), router("10.0.0.1"));
        assert_eq!(interface.next_hop(Family::V6), router("fe80::1"));
        let bare = PluginInterface {
            gateway: None,
            ..interface
        };
        assert_eq!(bare.next_hop(Family::V4), Some(NextHop::Link));
        assert_eq!(PluginInterface::default().next_hop(Family::V4), None);
    }

    #[test]
    fn a_record_is_text_and_may_lack_everything() {
        let interface = PluginInterface {
            source: "veth1".into(),
            prefix: "eth".into(),
            routes: vec![(
                "10.9.0.0/16".parse().unwrap(),
                NextHop::Router([10, 0, 0, 9].into()),
            )],
            ..PluginInterface::default()
        };
        let json = serde_json::to_string(&interface).unwrap();
        assert!(
            json.contains(r#"["10.9.0.0/16",{"router":"10.0.0.9"}]"#),
            "{json}"
        );
        assert_eq!(
            serde_json::from_str::<PluginInterface>(&json).unwrap(),
            interface
        );
        assert_eq!(
            serde_json::from_str::<PluginInterface>("{}").unwrap(),
            PluginInterface::default()
        );
    }
}
