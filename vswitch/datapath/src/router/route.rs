//! Routes, and the longest prefix that matches.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::port::PortId;
use crate::prefix::Prefixes;

/// One of the host's routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: IpNet,
    /// Which way.
    pub kind: RouteKind,
    /// The lower, the better, among routes to the same destination.
    pub metric: u32,
}

/// Which way a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Out by an uplink.
    Via(Hop),
    /// Refused: there is no such network.
    Unreachable,
    /// Refused by policy.
    Prohibited,
    /// Dropped without a word.
    Blackhole,
    /// By an interface that is no uplink.
    Elsewhere,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The uplink's port.
    pub port: PortId,
    /// The router on the link; without one, the destination itself is there. It may be of the other
    /// family.
    pub gateway: Option<IpAddr>,
    /// The host's preferred source address.
    pub source: Option<IpAddr>,
    /// A smaller MTU than the port's.
    pub mtu: Option<u16>,
}

/// The host's routes.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    routes: Prefixes<Route>,
}

impl Routes {
    /// Of these, in any order. Of several to the same destination the one with the lowest metric
    /// counts; of those the first.
    #[must_use]
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| route.metric);
        let mut prefixes = Prefixes::default();
        for route in routes {
            prefixes.insert_new(route.destination, route);
        }
        Self { routes: prefixes }
    }

    /// The best route to `destination`: that with the longest prefix.
    #[inline]
    #[must_use]
    pub fn lookup(&self, destination: IpAddr) -> Option<&Route> {
        self.routes.get(destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str, metric: u32, kind: RouteKind) -> Route {
        Route {
            destination: destination.parse().unwrap(),
            kind,
            metric,
        }
    }

    #[test]
    fn the_longest_prefix_counts_and_then_the_lowest_metric() {
        use RouteKind::{Blackhole, Elsewhere, Prohibited, Unreachable};
        let routes = Routes::new(vec![
            route("0.0.0.0/0", 100, Elsewhere),
            route("10.0.0.0/8", 600, Blackhole),
            route("10.1.0.0/16", 20, Unreachable),
            route("10.1.0.0/16", 10, Prohibited),
            route("10.1.0.0/16", 10, Elsewhere),
            route("fd00::/8", 0, Blackhole),
        ]);
        for (destination, expected) in [
            ("10.1.2.3", Some(Prohibited)),
            ("10.2.2.3", Some(Blackhole)),
            ("203.0.113.1", Some(Elsewhere)),
            ("fd12::1", Some(Blackhole)),
            ("2001:db8::1", None),
        ] {
            let found = routes.lookup(destination.parse().unwrap());
            assert_eq!(found.map(|route| route.kind), expected, "{destination}");
        }
    }
}
