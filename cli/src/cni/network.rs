//! The network at the switch: found, made, or not as the configuration says.

use ipnet::IpNet;
use vswitch_api::{Client, NetworkCreate, NetworkInspect};

use crate::config::Config;
use crate::failure::Failure;
use crate::ipam::{Ipam, Pools};
use crate::parameters::label;

/// Addresses come with each attachment.
const GIVEN: &str = "given";

/// What the switch is asked for when the network is not there.
pub(crate) fn wanted(config: &Config, pools: &Pools) -> NetworkCreate {
    let ipam = matches!(config.ipam, Ipam::Plugin(..)).then(|| GIVEN.to_owned());
    NetworkCreate {
        driver: config.driver.clone(),
        ipam: ipam.or_else(|| pools.driver.clone()),
        subnets: pools.subnets.clone(),
        gateways: pools.gateways.clone(),
        ip_ranges: pools.ip_ranges.clone(),
        aux_addresses: pools.aux_addresses.clone(),
        ipv6: config.ipv6,
        internal: config.internal,
        labels: [(label::NETWORK.to_owned(), config.name.clone())].into(),
        options: config.options.clone(),
        ..NetworkCreate::new(config.name.clone())
    }
}

/// The network of exactly this name; the switch itself also takes the beginning of an id for a name.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Option<NetworkInspect>, Failure> {
    let networks = client.networks().await?;
    let Some(network) = networks.into_iter().find(|network| network.name == name) else {
        return Ok(None);
    };
    match client.network(&network.id).await {
        Ok(network) => Ok(Some(network)),
        // Removed in between.
        Err(error) if error.code() == Some("network_not_found") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The network, made if it is not there. One that is there must be as it is wanted.
pub(crate) async fn find_or_make(
    client: &Client,
    wanted: &NetworkCreate,
) -> Result<NetworkInspect, Failure> {
    if let Some(network) = find(client, &wanted.name).await? {
        return check(wanted, &network).map(|()| network);
    }
    match client.create_network(wanted).await {
        Ok(_) => {}
        // Another attachment was first.
        Err(error) if error.code() == Some("network_exists") => {}
        Err(error) => return Err(error.into()),
    }
    let Some(network) = find(client, &wanted.name).await? else {
        return Err(Failure::new(
            crate::failure::code::TRY_AGAIN_LATER,
            format!("network {} was removed as it was made", wanted.name),
        ));
    };
    check(wanted, &network).map(|()| network)
}

/// Whether a network is as it is wanted.
pub(crate) fn check(wanted: &NetworkCreate, network: &NetworkInspect) -> Result<(), Failure> {
    let differences = differences(wanted, network);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::config(format!(
        "network {} is not as the configuration says: {}; change the configuration, or remove the network with \
         `vsctl rm-net {}`",
        wanted.name,
        differences.join(", "),
        wanted.name
    )))
}

fn differences(wanted: &NetworkCreate, network: &NetworkInspect) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, is: String, should_be: String| {
        if is != should_be {
            found.push(format!("{what} is {is} and should be {should_be}"));
        }
    };
    compare("driver", network.driver.clone(), wanted.driver.clone());
    if let Some(ipam) = &wanted.ipam {
        compare("ipam", network.ipam.driver.clone(), ipam.clone());
    } else if !matches!(network.ipam.driver.as_str(), "default" | "null") {
        compare("ipam", network.ipam.driver.clone(), "default".to_owned());
    }
    compare(
        "internal",
        network.internal.to_string(),
        wanted.internal.to_string(),
    );
    // With addresses that are given, the families are those of the subnets.
    if wanted.ipam.as_deref() != Some(GIVEN) {
        let is_v6 = |subnet: &IpNet| matches!(subnet, IpNet::V6(_));
        let ipv6 = wanted.ipv6 || wanted.subnets.iter().any(is_v6);
        compare("ipv6", network.enable_ipv6.to_string(), ipv6.to_string());
    }
    for (key, value) in &wanted.options {
        let is = network.options.get(key);
        let is = is.map_or_else(|| "not set".to_owned(), Clone::clone);
        compare(&format!("option {key}"), is, value.clone());
    }
    found.extend(missing_pools(wanted, network));
    // To the options of an overlay the switch adds what it decided itself.
    if network.driver != "overlay" {
        let extra = network.options.iter();
        let extra = extra.filter(|(key, _)| !wanted.options.contains_key(*key));
        found.extend(
            extra.map(|(key, value)| format!("option {key} is {value} and should not be set")),
        );
    }
    found
}

/// What is wanted of addresses, and is not there.
fn missing_pools(wanted: &NetworkCreate, network: &NetworkInspect) -> Vec<String> {
    let mut found = Vec::new();
    let config = &network.ipam.config;
    let mut need = |what: &str, value: &dyn ToString, is_there: bool| {
        if !is_there {
            found.push(format!("it has no {what} {}", value.to_string()));
        }
    };
    for subnet in &wanted.subnets {
        let has = |have: &IpNet| match subnet.addr().is_unspecified() {
            // Only the size was asked for.
            true => have.prefix_len() == subnet.prefix_len(),
            false => *have == subnet.trunc(),
        };
        need(
            "subnet",
            subnet,
            config.iter().any(|part| has(&part.subnet)),
        );
    }
    for gateway in &wanted.gateways {
        let has = config.iter().any(|part| part.gateway == Some(*gateway));
        need("gateway", gateway, has);
    }
    for range in &wanted.ip_ranges {
        let has = config.iter().any(|part| part.ip_range == Some(*range));
        need("range", range, has);
    }
    for (name, address) in &wanted.aux_addresses {
        let mut aux = config.iter().flat_map(|part| &part.auxiliary_addresses);
        let has = aux.any(|(known, at)| known == name && at == address);
        need("auxiliary address", &format!("{name}={address}"), has);
    }
    // A subnet more than was asked for would give addresses that nobody expects.
    if !wanted.subnets.is_empty() && wanted.ipam.as_deref() != Some(GIVEN) {
        let asked = |subnet: &IpNet| {
            let mut asked = wanted.subnets.iter();
            asked.any(|asked| asked.addr().is_unspecified() || asked.trunc() == *subnet)
        };
        let family = |subnet: &IpNet| {
            let is_v4 = matches!(subnet, IpNet::V4(_));
            let mut asked = wanted.subnets.iter();
            asked.any(|asked| matches!(asked, IpNet::V4(_)) == is_v4)
        };
        let extra = config.iter().map(|part| part.subnet);
        let extra = extra.filter(|subnet| family(subnet) && !asked(subnet));
        found.extend(extra.map(|subnet| format!("it has the subnet {subnet}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn web(options: Value) -> NetworkInspect {
        serde_json::from_value(json!({
            "Name": "web", "Id": "ab", "Created": "2026-01-02T03:04:05Z", "Scope": "local",
            "Driver": "bridge", "EnableIPv6": true, "Internal": false, "Options": options,
            "Labels": {}, "Containers": {},
            "IPAM": {"Driver": "default", "Options": {}, "Config": [
                {"Subnet": "10.1.0.0/16", "IPRange": "10.1.5.0/24", "Gateway": "10.1.0.1",
                 "AuxiliaryAddresses": {"nas": "10.1.0.9"}},
                {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            ]},
        }))
        .unwrap()
    }

    fn as_it_is() -> NetworkCreate {
        NetworkCreate {
            subnets: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/64".parse().unwrap()],
            gateways: vec!["10.1.0.1".parse().unwrap()],
            ip_ranges: vec!["10.1.5.0/24".parse().unwrap()],
            aux_addresses: [("nas".to_owned(), "10.1.0.9".parse().unwrap())].into(),
            ..NetworkCreate::new("web")
        }
    }

    #[test]
    fn a_network_as_it_was_asked_for_is_taken() {
        assert_eq!(check(&as_it_is(), &web(json!({}))), Ok(()));
        let whatever = NetworkCreate {
            ipv6: true,
            ..NetworkCreate::new("web")
        };
        assert_eq!(check(&whatever, &web(json!({}))), Ok(()));
        let of_a_size = NetworkCreate {
            subnets: vec!["0.0.0.0/16".parse().unwrap()],
            ..whatever
        };
        assert_eq!(check(&of_a_size, &web(json!({}))), Ok(()));
    }

    #[test]
    fn every_difference_is_told() {
        let wanted = NetworkCreate {
            driver: "macvlan".to_owned(),
            ipam: Some("dhcp".to_owned()),
            internal: true,
            subnets: vec!["10.2.0.0/16".parse().unwrap()],
            gateways: vec!["10.2.0.1".parse().unwrap()],
            ip_ranges: vec!["10.2.5.0/24".parse().unwrap()],
            aux_addresses: [("nas".to_owned(), "10.2.0.9".parse().unwrap())].into(),
            options: [("a".to_owned(), "1".to_owned())].into(),
            ..NetworkCreate::new("web")
        };
        let failure = check(&wanted, &web(json!({"b": "2"}))).unwrap_err();
        assert_eq!(failure.code, 7);
        for difference in [
            "driver is bridge and should be macvlan",
            "ipam is default and should be dhcp",
            "internal is false and should be true",
            "ipv6 is true and should be false",
            "option a is not set and should be 1",
            "option b is 2 and should not be set",
            "it has no subnet 10.2.0.0/16",
            "it has the subnet 10.1.0.0/16",
            "it has no gateway 10.2.0.1",
            "it has no range 10.2.5.0/24",
            "it has no auxiliary address nas=10.2.0.9",
            "vsctl rm-net web",
        ] {
            assert!(failure.details.contains(difference), "{}", failure.details);
        }
    }

    #[test]
    fn an_overlay_has_options_that_the_switch_decided() {
        let mut network = web(json!({"peers": "192.0.2.2", "vni": "4097"}));
        network.driver = "overlay".to_owned();
        let mut wanted = NetworkCreate {
            driver: "overlay".to_owned(),
            options: BTreeMap::from([("peers".to_owned(), "192.0.2.2".to_owned())]),
            ..as_it_is()
        };
        assert_eq!(check(&wanted, &network), Ok(()));
        wanted
            .options
            .insert("peers".to_owned(), "192.0.2.3".to_owned());
        assert!(check(&wanted, &network).is_err());
    }
}
