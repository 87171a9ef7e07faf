//! The `ipam` section: addresses from the switch, or from another plugin.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::unsupported;
use crate::failure::{Failure, code};
use crate::result::{Route, is_v4};

/// Who gives out addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ipam {
    /// The switch.
    Own(Pools),
    /// The CNI IPAM plugin of this name. The pools are those of the section, as far as it has any.
    Plugin(String, Pools),
}

/// Where addresses come from, in the words of the switch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pools {
    /// `default`, `dhcp`, or a plugin of the switch.
    pub(crate) driver: Option<String>,
    pub(crate) subnets: Vec<IpNet>,
    pub(crate) gateways: Vec<IpAddr>,
    pub(crate) ip_ranges: Vec<IpNet>,
    pub(crate) aux_addresses: BTreeMap<String, IpAddr>,
}

/// The section as it is spelt: lists as the switch has them, and the spelling of host-local.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Section {
    driver: Option<String>,
    subnets: Vec<IpNet>,
    gateways: Vec<IpAddr>,
    ip_ranges: Vec<IpNet>,
    aux_addresses: BTreeMap<String, IpAddr>,
    subnet: Option<IpNet>,
    range_start: Option<IpAddr>,
    range_end: Option<IpAddr>,
    gateway: Option<IpAddr>,
    ranges: Vec<Vec<Range>>,
    routes: Vec<Route>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// A subnet in the spelling of host-local, with the part that addresses are given out from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    subnet: IpNet,
    #[serde(default)]
    range_start: Option<IpAddr>,
    #[serde(default)]
    range_end: Option<IpAddr>,
    #[serde(default)]
    gateway: Option<IpAddr>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Our own section's `type`.
const OWN: &str = "vswitch";

impl Ipam {
    /// Reads the section; an empty one leaves everything to the switch.
    pub(crate) fn read(mut section: Map<String, Value>) -> Result<Self, Failure> {
        let name = match section.remove("type") {
            None => OWN.to_owned(),
            Some(Value::String(name)) if !name.is_empty() && !name.contains('/') => name,
            Some(other) => {
                let details = format!("ipam.type is {other}: use {OWN:?} or the name of a plugin");
                return Err(Failure::config(details));
            }
        };
        if name != OWN {
            return Ok(Self::Plugin(name, Pools::of_plugin(&section)));
        }
        let section: Section = serde_json::from_value(section.into())
            .map_err(|error| Failure::new(code::DECODING, format!("ipam: {error}")))?;
        unsupported("ipam.", section.others.iter())?;
        Ok(Self::Own(Pools::of_section(section)?))
    }

    /// What the section says of subnets.
    pub(crate) const fn pools(&self) -> &Pools {
        match self {
            Self::Own(pools) | Self::Plugin(_, pools) => pools,
        }
    }
}

impl Pools {
    fn of_section(section: Section) -> Result<Self, Failure> {
        let mut pools = Self {
            driver: section.driver,
            subnets: section.subnets,
            gateways: section.gateways,
            ip_ranges: section.ip_ranges,
            aux_addresses: section.aux_addresses,
        };
        let single = match section.subnet {
            Some(subnet) => Some(Range {
                subnet,
                range_start: section.range_start,
                range_end: section.range_end,
                gateway: section.gateway,
                others: BTreeMap::new(),
            }),
            None => {
                if let Some(start) = section.range_start.or(section.range_end) {
                    let details =
                        format!("ipam: a range with {start}, and no subnet that it is in");
                    return Err(Failure::config(details));
                }
                pools.gateways.extend(section.gateway);
                None
            }
        };
        let ranges = section.ranges.iter().map(Vec::as_slice);
        let sets: Vec<&[Range]> = single.as_slice().chunks(1).chain(ranges).collect();
        let families: Vec<bool> = sets.iter().map(|set| is_v4_set(set)).collect();
        for (place, set) in sets.iter().enumerate() {
            let is_second = families[..place].contains(&families[place]);
            if is_second
                || set
                    .iter()
                    .any(|range| is_v4(&range.subnet) != families[place])
            {
                return Err(Failure::config(
                    "ipam.ranges: an attachment has one address of each family, so there can be one set of \
                     IPv4 subnets and one of IPv6",
                ));
            }
        }
        for range in sets.into_iter().flatten() {
            unsupported("ipam.ranges.", range.others.iter())?;
            pools.subnets.push(range.subnet);
            pools.gateways.extend(range.gateway);
            pools.ip_ranges.extend(range.block()?);
        }
        for route in &section.routes {
            unsupported("ipam.routes.", route.others.iter())?;
            let is_gateway = |gw| pools.gateways.contains(&gw);
            if route.dst.prefix_len() != 0 || !route.gw.is_none_or(is_gateway) {
                return Err(unroutable(route));
            }
        }
        Ok(pools)
    }

    /// What the section of another plugin says in the spelling of host-local. One that spells otherwise
    /// says it with the addresses it gives.
    fn of_plugin(section: &Map<String, Value>) -> Self {
        #[derive(Deserialize)]
        struct Subnet {
            subnet: IpNet,
            gateway: Option<IpAddr>,
        }
        let subnet = |json: &Value| Subnet::deserialize(json).ok();
        let sets = section.get("ranges").and_then(Value::as_array);
        let ranges = sets.into_iter().flatten().filter_map(Value::as_array);
        let whole = Value::Object(section.clone());
        let single = subnet(&whole);
        let mut pools = Self::default();
        for found in single
            .into_iter()
            .chain(ranges.flatten().filter_map(subnet))
        {
            pools.subnets.push(found.subnet.trunc());
            pools.gateways.extend(found.gateway);
        }
        pools
    }
}

impl Range {
    /// The part that addresses are given out from, if it is not the whole subnet.
    fn block(&self) -> Result<Option<IpNet>, Failure> {
        let (network, broadcast) = (
            number(self.subnet.network()),
            number(self.subnet.broadcast()),
        );
        let start = self.range_start.map_or(network, number);
        let end = self.range_end.map_or(broadcast, number);
        // host-local's own defaults, written out.
        let begins = start == network || Some(start) == network.checked_add(1);
        let ends = end == broadcast || end.checked_add(1) == Some(broadcast);
        if begins && ends {
            return Ok(None);
        }
        let inside = network <= start && start <= end && end <= broadcast;
        block(start, end, &self.subnet)
            .filter(|_| inside)
            .map(Some)
            .ok_or_else(|| {
                let show = |address: Option<IpAddr>| address.map_or("-".to_owned(), |a| a.to_string());
                Failure::config(format!(
                    "ipam: rangeStart {} and rangeEnd {} of {} are not the first and the last address of a \
                     block such as {}; write one of those, or use ipRanges",
                    show(self.range_start),
                    show(self.range_end),
                    self.subnet,
                    example(&self.subnet),
                ))
            })
    }
}

/// A route that the switch does not set.
pub(crate) fn unroutable(route: &Route) -> Failure {
    let by = route.gw.map(|gw| format!(" by {gw}")).unwrap_or_default();
    Failure::config(format!(
        "route to {}{by}: the switch sets default routes by the networks' gateways, and no others; leave it out",
        route.dst
    ))
}

fn is_v4_set(set: &[Range]) -> bool {
    set.first().is_some_and(|range| is_v4(&range.subnet))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// The prefix that begins and ends there.
fn block(start: u128, end: u128, within: &IpNet) -> Option<IpNet> {
    let last = end.checked_sub(start)?;
    let bits = u8::try_from(128 - last.leading_zeros()).ok()?;
    let length = within.max_prefix_len().checked_sub(bits)?;
    let net = match within {
        IpNet::V4(_) => {
            let start = u32::try_from(start).ok()?;
            IpNet::V4(Ipv4Net::new(start.into(), length).ok()?)
        }
        IpNet::V6(_) => IpNet::V6(Ipv6Net::new(start.into(), length).ok()?),
    };
    (number(net.network()) == start && number(net.broadcast()) == end).then_some(net)
}

/// The second half of a subnet.
fn example(subnet: &IpNet) -> String {
    let halves = subnet.subnets(subnet.prefix_len() + 1);
    let half = halves.ok().and_then(Iterator::last).unwrap_or(*subnet);
    format!("{} to {}", half.network(), half.broadcast())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(section: Value) -> Result<Ipam, Failure> {
        Ipam::read(section.as_object().unwrap().clone())
    }

    fn own(section: Value) -> Pools {
        match read(section).unwrap() {
            Ipam::Own(pools) => pools,
            other @ Ipam::Plugin(..) => panic!("{other:?}"),
        }
    }

    fn failure(section: Value) -> Failure {
        read(section).unwrap_err()
    }

    fn texts<T: ToString>(list: &[T]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_said_leaves_it_to_the_switch() {
        assert_eq!(own(json!({})), Pools::default());
        assert_eq!(own(json!({"type": "vswitch"})), Pools::default());
        let dhcp = own(json!({"type": "vswitch", "driver": "dhcp"}));
        assert_eq!(dhcp.driver.as_deref(), Some("dhcp"));
    }

    #[test]
    fn lists_are_the_switchs_own_spelling() {
        let pools = own(json!({
            "type": "vswitch",
            "subnets": ["10.1.0.0/16", "fd00::/64"],
            "gateways": ["10.1.0.1"],
            "ipRanges": ["10.1.5.0/24"],
            "auxAddresses": {"nas": "10.1.0.9"},
        }));
        assert_eq!(texts(&pools.subnets), ["10.1.0.0/16", "fd00::/64"]);
        assert_eq!(texts(&pools.gateways), ["10.1.0.1"]);
        assert_eq!(texts(&pools.ip_ranges), ["10.1.5.0/24"]);
        assert_eq!(pools.aux_addresses["nas"].to_string(), "10.1.0.9");
    }

    #[test]
    fn the_spelling_of_host_local_means_the_same() {
        let pools = own(json!({
            "type": "vswitch",
            "ranges": [
                [
                    {"subnet": "10.1.0.0/16", "rangeStart": "10.1.5.0", "rangeEnd": "10.1.5.255",
                     "gateway": "10.1.0.254"},
                    {"subnet": "10.2.0.0/24", "rangeStart": "10.2.0.1", "rangeEnd": "10.2.0.254"},
                ],
                [{"subnet": "fd00::/64", "rangeStart": "fd00::ff00", "rangeEnd": "fd00::ffff"}],
            ],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.254"}, {"dst": "::/0"}],
        }));
        assert_eq!(
            texts(&pools.subnets),
            ["10.1.0.0/16", "10.2.0.0/24", "fd00::/64"]
        );
        assert_eq!(texts(&pools.gateways), ["10.1.0.254"]);
        assert_eq!(texts(&pools.ip_ranges), ["10.1.5.0/24", "fd00::ff00/120"]);

        let pools = own(
            json!({"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.128", "gateway": "10.1.0.1"}),
        );
        assert_eq!(texts(&pools.ip_ranges), ["10.1.0.128/25"]);
        assert_eq!(texts(&pools.gateways), ["10.1.0.1"]);
    }

    #[test]
    fn what_the_switch_cannot_do_is_refused() {
        let range = |start: &str, end: &str| json!({"subnet": "10.1.0.0/24", "rangeStart": start, "rangeEnd": end});
        for (section, code, hint) in [
            (
                range("10.1.0.10", "10.1.0.20"),
                7,
                "10.1.0.128 to 10.1.0.255",
            ),
            (range("10.1.0.127", "10.1.0.0"), 7, "rangeStart 10.1.0.127"),
            (range("10.2.0.0", "10.2.0.15"), 7, "rangeStart 10.2.0.0"),
            (
                json!({"subnet": "fd00::/64", "rangeEnd": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}),
                7,
                "rangeEnd ffff:",
            ),
            (json!({"rangeStart": "10.1.0.10"}), 7, "no subnet"),
            (
                json!({"routes": [{"dst": "10.9.0.0/16"}]}),
                7,
                "10.9.0.0/16",
            ),
            (
                json!({"subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.7"}]}),
                7,
                "by 10.1.0.7",
            ),
            (
                json!({"ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "10.2.0.0/24"}]]}),
                7,
                "one set",
            ),
            (
                json!({"subnet": "10.1.0.0/24", "ranges": [[{"subnet": "10.2.0.0/24"}]]}),
                7,
                "one set",
            ),
            (
                json!({"ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "fd00::/64"}]]}),
                7,
                "one set",
            ),
            (
                json!({"routes": [{"dst": "0.0.0.0/0", "mtu": 1400}]}),
                2,
                "ipam.routes.mtu: 1400",
            ),
            (json!({"dataDir": "/tmp"}), 2, "ipam.dataDir: \"/tmp\""),
            (
                json!({"ranges": [[{"subnet": "10.1.0.0/24", "gw": "10.1.0.1"}]]}),
                2,
                "ipam.ranges.gw: \"10.1.0.1\"",
            ),
            (json!({"subnet": "10.1.0.0"}), 6, "ipam"),
            (json!({"type": "../sh"}), 7, "ipam.type"),
            (json!({"type": 7}), 7, "ipam.type"),
        ] {
            let failure = failure(section);
            assert_eq!(failure.code, code, "{}", failure.details);
            assert!(failure.details.contains(hint), "{}", failure.details);
        }
    }

    #[test]
    fn of_another_plugins_section_the_subnets_are_taken() {
        let Ipam::Plugin(name, pools) = read(json!({
            "type": "host-local",
            "dataDir": "/tmp",
            "ranges": [[{"subnet": "10.1.0.0/16", "gateway": "10.1.0.9"}], [{"subnet": "fd00::/64"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }))
        .unwrap() else {
            panic!("the switch's own")
        };
        assert_eq!(name, "host-local");
        assert_eq!(texts(&pools.subnets), ["10.1.0.0/16", "fd00::/64"]);
        assert_eq!(texts(&pools.gateways), ["10.1.0.9"]);
        let dhcp = read(json!({"type": "dhcp", "request": [7]})).unwrap();
        assert_eq!(dhcp, Ipam::Plugin("dhcp".to_owned(), Pools::default()));
    }
}
