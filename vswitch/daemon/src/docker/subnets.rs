//! The subnets of a network, where an IPAM driver of Docker's has chosen them.
//!
//! Docker gives out their addresses then, so all it has set aside has to be known here, and nothing may be
//! that it has not set aside.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_ipam::Family;
use vswitch_plugin::network_driver::{CreateNetwork, IpamData};

use super::answer::Refusal;
use super::network_options::NetworkOptions;

/// Subnets with what is set aside in them; none where Docker leaves addresses to the driver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subnets {
    /// IPv4 first.
    pub(super) subnets: Vec<IpNet>,
    pub(super) gateways: Vec<IpAddr>,
    pub(super) aux: BTreeMap<String, IpAddr>,
}

impl Subnets {
    pub(super) fn read(request: &CreateNetwork, options: &NetworkOptions) -> Result<Self, Refusal> {
        let mut subnets = Self::default();
        for (field, family, data) in [
            ("IPv4Data", Family::V4, &request.ipv4_data),
            ("IPv6Data", Family::V6, &request.ipv6_data),
        ] {
            for element in data {
                let pool = element.pool.ok_or_else(|| {
                    Refusal::malformed(format!("{field}: an element has no Pool"))
                })?;
                let others = element.gateway.iter().chain(element.aux_addresses.values());
                for network in others.chain([&pool]) {
                    check_family(field, family, *network)?;
                }
                // Docker's null IPAM driver: it gives out nothing.
                if pool.prefix_len() > 0 {
                    subnets.add(family, pool, element, options)?;
                }
            }
        }
        Ok(subnets)
    }

    pub(super) fn has(&self, family: Family) -> bool {
        let mut subnets = self.subnets.iter();
        subnets.any(|subnet| Family::of(*subnet) == family)
    }

    fn add(
        &mut self,
        family: Family,
        pool: IpNet,
        data: &IpamData,
        options: &NetworkOptions,
    ) -> Result<(), Refusal> {
        let has_none = options.has_no_gateway(family);
        match data.gateway {
            // Docker before version 28 sets one aside for every network.
            Some(_) if has_none => {}
            Some(gateway) => self.gateways.push(gateway.addr()),
            None if options.has_own_gateway(family) => return Err(no_gateway(pool, options)),
            None => {}
        }
        self.subnets.push(pool);
        for (name, address) in &data.aux_addresses {
            self.set_aside(name, pool, address.addr());
        }
        Ok(())
    }

    /// Each subnet has names of its own in Docker; here they are the network's.
    fn set_aside(&mut self, name: &str, pool: IpNet, address: IpAddr) {
        let name = match self.aux.contains_key(name) {
            false => name.to_owned(),
            true => format!("{name} of {pool}"),
        };
        self.aux.insert(name, address);
    }
}

fn check_family(field: &str, family: Family, network: IpNet) -> Result<(), Refusal> {
    match Family::of(network) == family {
        true => Ok(()),
        false => Err(Refusal::malformed(format!(
            "{field}: {network} is not {family}"
        ))),
    }
}

/// The first address would be ours here, and the first container's in Docker.
fn no_gateway(pool: IpNet, options: &NetworkOptions) -> Refusal {
    Refusal::refused(format!(
        "the IPAM driver has set no gateway aside in {pool}, and the {} network needs one: name it with --gateway, \
         or use another --ipam-driver",
        options.driver
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(generic: &Value, v4: Value, v6: Value) -> Result<Subnets, Refusal> {
        let request = json!({
            "NetworkID": "c".repeat(64),
            "Options": {"com.docker.network.generic": generic},
            "IPv4Data": v4,
            "IPv6Data": v6,
        });
        let request: CreateNetwork = vswitch_plugin::decode(request.to_string().as_bytes())?;
        let options = NetworkOptions::read(&request.options)?;
        Subnets::read(&request, &options)
    }

    #[test]
    fn what_is_set_aside_is_set_aside_here() {
        let subnets = read(
            &json!({}),
            json!([{
                "AddressSpace": "LocalDefault",
                "AuxAddresses": {"x": "10.55.0.9/24"},
                "Gateway": "10.55.0.1/24",
                "Pool": "10.55.0.0/24",
            }]),
            json!([{
                "AuxAddresses": {"x": "fd00:5::9/64", "y": "fd00:5::a/64"},
                "Gateway": "fd00:5::1/64",
                "Pool": "fd00:5::/64",
            }]),
        )
        .unwrap();
        let aux = [
            ("x", "10.55.0.9"),
            ("x of fd00:5::/64", "fd00:5::9"),
            ("y", "fd00:5::a"),
        ];
        let expected = Subnets {
            subnets: ["10.55.0.0/24", "fd00:5::/64"]
                .map(|subnet| subnet.parse().unwrap())
                .into(),
            gateways: ["10.55.0.1", "fd00:5::1"]
                .map(|gateway| gateway.parse().unwrap())
                .into(),
            aux: aux
                .map(|(name, ip)| (name.to_owned(), ip.parse().unwrap()))
                .into(),
        };
        assert_eq!(subnets, expected);
        assert!(subnets.has(Family::V4) && subnets.has(Family::V6));
    }

    #[test]
    fn several_pools_of_a_family_are_several_subnets() {
        let pool =
            |n: u8| json!({"Pool": format!("10.{n}.0.0/16"), "Gateway": format!("10.{n}.0.1/16")});
        let subnets = read(
            &json!({"driver": "overlay"}),
            json!([pool(1), pool(2)]),
            Value::Null,
        )
        .unwrap();
        assert_eq!((subnets.subnets.len(), subnets.gateways.len()), (2, 2));
        assert!(!subnets.has(Family::V6));
    }

    #[test]
    fn the_null_driver_gives_nothing() {
        let null = json!([{"AddressSpace": "null", "Pool": "0.0.0.0/0"}]);
        assert_eq!(read(&json!({}), null, json!([])), Ok(Subnets::default()));
        assert_eq!(
            read(&json!({}), Value::Null, Value::Null),
            Ok(Subnets::default())
        );
    }

    #[test]
    fn a_gateway_that_docker_could_give_away_is_refused() {
        let pool = json!([{"Pool": "10.1.0.0/16"}]);
        let refusal = read(&json!({}), pool.clone(), json!([])).unwrap_err();
        assert_eq!(
            refusal.message(),
            "the IPAM driver has set no gateway aside in 10.1.0.0/16, and the bridge network needs one: name it \
             with --gateway, or use another --ipam-driver"
        );
        assert!(read(&json!({"driver": "overlay"}), pool.clone(), json!([])).is_err());
        for generic in [
            json!({"driver": "macvlan"}),
            json!({"driver": "ipvlan"}),
            json!({"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}),
        ] {
            let subnets = read(&generic, pool.clone(), json!([])).unwrap();
            assert_eq!(subnets.gateways, Vec::<IpAddr>::new(), "{generic}");
        }
    }

    #[test]
    fn a_gateway_that_was_set_aside_needlessly_is_left_out() {
        let pool = json!([{"Pool": "10.1.0.0/16", "Gateway": "10.1.0.1/16"}]);
        for generic in [
            json!({"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}),
            json!({"driver": "ipvlan", "ipvlan_mode": "l3"}),
            json!({"driver": "ipvlan", "ipvlan_mode": "l3s"}),
        ] {
            let subnets = read(&generic, pool.clone(), json!([])).unwrap();
            assert_eq!(subnets.gateways, Vec::<IpAddr>::new(), "{generic}");
        }
        // It is the physical network's router for all we know, as in Docker's own driver.
        let subnets = read(&json!({"driver": "macvlan"}), pool, json!([])).unwrap();
        assert_eq!(subnets.gateways.len(), 1);
    }

    #[test]
    fn what_is_of_another_family_or_missing_is_refused() {
        for (v4, v6, message) in [
            (
                json!([{"Pool": "fd00::/64"}]),
                json!([]),
                "IPv4Data: fd00::/64 is not IPv4",
            ),
            (
                json!([]),
                json!([{"Pool": "fd00::/64", "Gateway": "10.0.0.1/8"}]),
                "IPv6Data: 10.0.0.1/8 is not IPv6",
            ),
            (
                json!([{"Gateway": "10.0.0.1/8"}]),
                json!([]),
                "IPv4Data: an element has no Pool",
            ),
        ] {
            let refusal = read(&json!({}), v4, v6).unwrap_err();
            assert_eq!(refusal, Refusal::malformed(message));
        }
    }
}
