//! Networks: made and removed.

use axum::extract::State;
use vswitch_api::NetworkCreate;
use vswitch_cnm::option_key as key;
use vswitch_ipam::Family;
use vswitch_plugin::Empty;
use vswitch_plugin::network_driver::{
    CreateNetwork, DeleteNetwork, GwAllocCheck, GwAllocCheckReply,
};

use super::answer::{Answer, Asked, DONE, Outcome, Refusal};
use super::name;
use super::network_options::NetworkOptions;
use super::subnets::Subnets;
use crate::control::{Engine, EngineNetwork};

/// Addresses of the subnets are the engine's to give out.
const GIVEN: &str = "given";

/// Asked before Docker's IPAM sets a gateway aside, from version 28 on. Where the user names one it does in
/// any case (`Network.ipamAllocateVersion`), so nothing is lost where the router is the physical
/// network's.
pub(super) async fn needs_gateway(
    Asked(request): Asked<GwAllocCheck>,
) -> Outcome<GwAllocCheckReply> {
    let options = NetworkOptions::read(&request.options)?;
    Ok(Answer(GwAllocCheckReply {
        skip_ipv4: !options.has_own_gateway(Family::V4),
        skip_ipv6: !options.has_own_gateway(Family::V6),
    }))
}

pub(super) async fn create(
    State(engine): State<Engine>,
    Asked(request): Asked<CreateNetwork>,
) -> Outcome<Empty> {
    engine.create_network(wanted(&request)?).await?;
    DONE
}

pub(super) async fn delete(
    State(engine): State<Engine>,
    Asked(request): Asked<DeleteNetwork>,
) -> Outcome<Empty> {
    let id = name::network_id(&request.network_id)?;
    engine.delete_network(id).await?;
    DONE
}

/// The network, as `vsctl add-net` would ask for it.
fn wanted(request: &CreateNetwork) -> Result<EngineNetwork, Refusal> {
    let id = name::network_id(&request.network_id)?;
    let options = NetworkOptions::read(&request.options)?;
    let subnets = Subnets::read(request, &options)?;
    let mut wanted = NetworkCreate {
        driver: options.driver.to_string(),
        internal: options.internal,
        ..NetworkCreate::new(
            options
                .name
                .clone()
                .unwrap_or_else(|| name::network_name(id)),
        )
    };
    if subnets.subnets.is_empty() {
        leave_addresses_here(&mut wanted, options)?;
    } else {
        leave_addresses_to_docker(&mut wanted, options, subnets)?;
    }
    Ok(EngineNetwork {
        id,
        request: wanted,
    })
}

/// With `--ipam-driver null`. Docker cannot ask for IPv6 then (its null driver refuses), so the option does.
fn leave_addresses_here(
    wanted: &mut NetworkCreate,
    mut options: NetworkOptions,
) -> Result<(), Refusal> {
    wanted.ipam = match options.ipam.as_deref() {
        None | Some("default") => None,
        Some("dhcp") => options.ipam.take(),
        Some(other) => {
            return Err(Refusal::malformed(format!(
                "option ipam={other}: the value must be default or dhcp; the IPAM drivers of others are chosen by \
                 docker network create --ipam-driver"
            )));
        }
    };
    wanted.ipv6 = options.ipv6 == Some(true);
    wanted.options = options.rest;
    if options.ipv4 == Some(false) {
        disable_ipv4(wanted);
    }
    Ok(())
}

/// The families are those of the subnets, whatever else is said: others would have no addresses.
fn leave_addresses_to_docker(
    wanted: &mut NetworkCreate,
    options: NetworkOptions,
    subnets: Subnets,
) -> Result<(), Refusal> {
    if let (Some(ipam), Some(subnet)) = (&options.ipam, subnets.subnets.first()) {
        return Err(Refusal::refused(format!(
            "option ipam={ipam}: Docker gives out the addresses of this network, from {subnet}; add --ipam-driver null \
             to leave them to the switch, or leave the option out"
        )));
    }
    wanted.ipam = Some(GIVEN.to_owned());
    wanted.ipv6 = subnets.has(Family::V6);
    wanted.options = options.rest;
    wanted.options.remove(key::ENABLE_IPV4);
    wanted.options.remove(key::ENABLE_IPV6);
    if !subnets.has(Family::V4) {
        disable_ipv4(wanted);
    }
    wanted.subnets = subnets.subnets;
    wanted.gateways = subnets.gateways;
    wanted.aux_addresses = subnets.aux;
    Ok(())
}

fn disable_ipv4(wanted: &mut NetworkCreate) {
    let value = false.to_string();
    wanted.options.insert(key::ENABLE_IPV4.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "bd3e92b4bb2889cffa3e72e06d1da23f42abe5050405b5dcdb360e5d567bcae1";

    fn asked(options: Value, v4: Value, v6: Value) -> Result<NetworkCreate, Refusal> {
        let request = json!({
            "NetworkID": ID,
            "Options": options,
            "IPv4Data": v4,
            "IPv6Data": v6,
        });
        let request = vswitch_plugin::decode(request.to_string().as_bytes())?;
        let network = wanted(&request)?;
        assert_eq!(network.id.to_string(), ID);
        Ok(network.request)
    }

    fn v4() -> Value {
        json!([{
            "AddressSpace": "LocalDefault",
            "AuxAddresses": {"x": "10.55.0.9/24"},
            "Gateway": "10.55.0.1/24",
            "Pool": "10.55.0.0/24",
        }])
    }

    fn v6() -> Value {
        json!([{"AddressSpace": "LocalDefault", "Gateway": "fd00:5::1/64", "Pool": "fd00:5::/64"}])
    }

    fn null() -> Value {
        json!([{"AddressSpace": "null", "Pool": "0.0.0.0/0"}])
    }

    fn generic(options: Value) -> Value {
        json!({"com.docker.network.enable_ipv6": false, "com.docker.network.generic": options})
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn dockers_addresses_are_given() {
        let network = asked(
            generic(json!({"com.docker.network.driver.mtu": "1400"})),
            v4(),
            json!([]),
        );
        let expected = NetworkCreate {
            driver: "bridge".to_owned(),
            ipam: Some("given".to_owned()),
            subnets: vec!["10.55.0.0/24".parse().unwrap()],
            gateways: vec!["10.55.0.1".parse().unwrap()],
            aux_addresses: [("x".to_owned(), "10.55.0.9".parse().unwrap())].into(),
            options: map(&[("com.docker.network.driver.mtu", "1400")]),
            ..NetworkCreate::new("docker-bd3e92b4bb28")
        };
        assert_eq!(network, Ok(expected));
    }

    #[test]
    fn a_name_a_driver_and_internal_are_taken_over() {
        let options = json!({
            "com.docker.network.internal": true,
            "com.docker.network.generic": {"vswitch.name": "web", "driver": "overlay", "vni": 42},
        });
        let network = asked(options, v4(), json!([])).unwrap();
        assert_eq!(
            (network.name.as_str(), network.driver.as_str()),
            ("web", "overlay")
        );
        assert!(network.internal);
        assert_eq!(network.options, map(&[("vni", "42")]));
    }

    #[test]
    fn families_are_those_that_docker_gives_addresses_of() {
        let families = json!({
            "com.docker.network.enable_ipv4": "true",
            "com.docker.network.enable_ipv6": "true",
        });
        for (v4, v6, ipv6, options) in [
            (v4(), v6(), true, map(&[])),
            (v4(), json!([]), false, map(&[])),
            (json!([]), v6(), true, map(&[(key::ENABLE_IPV4, "false")])),
        ] {
            let network = asked(generic(families.clone()), v4.clone(), v6.clone()).unwrap();
            assert_eq!(
                (network.ipv6, network.options),
                (ipv6, options),
                "{v4} {v6}"
            );
        }
    }

    #[test]
    fn with_dockers_null_ipam_addresses_are_ours() {
        let network = asked(generic(json!({})), null(), json!([]));
        assert_eq!(network, Ok(NetworkCreate::new("docker-bd3e92b4bb28")));
        let lan = json!({"ipam": "dhcp", "driver": "macvlan", "parent": "eth0"});
        let network = asked(generic(lan), null(), json!([])).unwrap();
        assert_eq!(network.ipam.as_deref(), Some("dhcp"));
        assert_eq!(network.options, map(&[("parent", "eth0")]));
        let network = asked(generic(json!({"ipam": "default"})), null(), json!([])).unwrap();
        assert_eq!(network.ipam, None);
    }

    #[test]
    fn with_dockers_null_ipam_families_are_the_flags_and_the_options() {
        let flags = json!({
            "com.docker.network.enable_ipv4": false,
            "com.docker.network.enable_ipv6": true,
        });
        let network = asked(flags, null(), json!([])).unwrap();
        assert!(network.ipv6);
        assert_eq!(network.options, map(&[(key::ENABLE_IPV4, "false")]));
        let option = json!({"com.docker.network.enable_ipv6": "true"});
        let network = asked(generic(option), null(), json!([])).unwrap();
        assert_eq!(network.options, map(&[(key::ENABLE_IPV6, "true")]));
    }

    #[test]
    fn two_that_give_out_addresses_are_refused() {
        let refusal = asked(generic(json!({"ipam": "dhcp"})), v4(), json!([])).unwrap_err();
        assert_eq!(
            refusal.message(),
            "option ipam=dhcp: Docker gives out the addresses of this network, from 10.55.0.0/24; add \
             --ipam-driver null to leave them to the switch, or leave the option out"
        );
        let refusal = asked(generic(json!({"ipam": "given"})), null(), json!([])).unwrap_err();
        assert!(
            refusal.message().starts_with("option ipam=given: "),
            "{refusal:?}"
        );
    }
}
