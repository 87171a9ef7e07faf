//! Address pools for Docker's networks (`--ipam-driver`), whatever driver these have.
//!
//! The pools are in the model, so no network of `vsctl add-net` ever overlaps them. Docker keeps what it was
//! given and never asks for it again.

use std::net::IpAddr;

use axum::extract::State;
use ipnet::IpNet;
use vswitch_plugin::Empty;
use vswitch_plugin::ipam_driver::{
    AddressSpaces, Capabilities, ReleaseAddress, ReleasePool, RequestAddress, RequestAddressReply,
    RequestPool, RequestPoolReply, SERIAL,
};

use super::answer::{Answer, Asked, DONE, Outcome, Refusal};
use crate::control::Engine;

/// The one address space there is. Docker asks with its name.
const ADDRESS_SPACE: &str = "vswitch";

/// What Docker's own keys begin with.
const DOCKERS: &str = "com.docker.";

/// Addresses are not chosen by MAC address, and are kept here when Docker restarts.
pub(super) async fn capabilities() -> Answer<Capabilities> {
    Answer(Capabilities {
        requires_mac_address: false,
        requires_request_replay: false,
    })
}

pub(super) async fn address_spaces() -> Answer<AddressSpaces> {
    Answer(AddressSpaces {
        local_default_address_space: ADDRESS_SPACE.to_owned(),
        global_default_address_space: ADDRESS_SPACE.to_owned(),
    })
}

pub(super) async fn request_pool(
    State(engine): State<Engine>,
    Asked(request): Asked<RequestPool>,
) -> Outcome<RequestPoolReply> {
    let wanted = WantedPool::read(&request)?;
    let lent = engine.lend_pool(wanted.subnet, wanted.range, wanted.ipv6);
    let (pool_id, pool) = lent.await?;
    // Docker asks for the gateway's address by itself.
    let data = [].into();
    Ok(Answer(RequestPoolReply {
        pool_id,
        pool,
        data,
    }))
}

pub(super) async fn release_pool(
    State(engine): State<Engine>,
    Asked(request): Asked<ReleasePool>,
) -> Outcome<Empty> {
    engine.return_pool(request.pool_id).await?;
    DONE
}

pub(super) async fn request_address(
    State(engine): State<Engine>,
    Asked(request): Asked<RequestAddress>,
) -> Outcome<RequestAddressReply> {
    let serial = is_serial(&request)?;
    let lent = engine.lend_address(request.pool_id, request.address, serial);
    Ok(Answer(RequestAddressReply {
        address: Some(lent.await?),
        data: [].into(),
    }))
}

/// Without an address there is nothing to release: Docker sends that for an endpoint that never had one.
pub(super) async fn release_address(
    State(engine): State<Engine>,
    Asked(request): Asked<ReleaseAddress>,
) -> Outcome<Empty> {
    if let Some(address) = request.address {
        engine.return_address(request.pool_id, address).await?;
    }
    DONE
}

/// What a pool is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WantedPool {
    /// Else the next default one.
    subnet: Option<IpNet>,
    /// What addresses are given out from.
    range: Option<IpNet>,
    ipv6: bool,
}

impl WantedPool {
    fn read(request: &RequestPool) -> Result<Self, Refusal> {
        let space = request.address_space.as_str();
        if !["", ADDRESS_SPACE].contains(&space) {
            return Err(Refusal::malformed(format!(
                "there is no address space {space:?} but {ADDRESS_SPACE:?} alone"
            )));
        }
        let mut options = request.options.keys();
        if let Some(key) = options.find(|key| !key.starts_with(DOCKERS)) {
            return Err(Refusal::malformed(format!(
                "unknown option {key:?} (--ipam-opt): leave it out"
            )));
        }
        match (request.pool, request.sub_pool) {
            (Some(pool), _) if is_ipv6(pool) != request.v6 => {
                let family = if request.v6 { "IPv6" } else { "IPv4" };
                Err(Refusal::malformed(format!("Pool: {pool} is not {family}")))
            }
            (None, Some(range)) => Err(Refusal::malformed(format!(
                "the range {range} (--ip-range) is a part of no subnet: add --subnet"
            ))),
            (subnet, range) => Ok(Self {
                subnet,
                range,
                ipv6: request.v6,
            }),
        }
    }
}

fn is_ipv6(network: IpNet) -> bool {
    matches!(network.addr(), IpAddr::V6(_))
}

fn is_serial(request: &RequestAddress) -> Result<bool, Refusal> {
    match request.options.get(SERIAL).map(String::as_str) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Refusal::malformed(format!(
            "option {SERIAL}={other}: the value must be true or false"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pool(request: Value) -> Result<WantedPool, Refusal> {
        WantedPool::read(&vswitch_plugin::decode(request.to_string().as_bytes())?)
    }

    #[test]
    fn what_docker_recorded_asks_for_any_pool() {
        let any = json!({"AddressSpace": "vswitch", "Pool": "", "SubPool": "", "Options": {}, "V6": false});
        let expected = WantedPool {
            subnet: None,
            range: None,
            ipv6: false,
        };
        assert_eq!(pool(any), Ok(expected));
        let v6 =
            json!({"AddressSpace": "vswitch", "Pool": "fd00:5::/64", "Options": null, "V6": true});
        let expected = WantedPool {
            subnet: "fd00:5::/64".parse().ok(),
            range: None,
            ipv6: true,
        };
        assert_eq!(pool(v6), Ok(expected));
    }

    #[test]
    fn a_range_is_a_part_of_a_subnet() {
        let range = json!({"Pool": "10.1.0.0/16", "SubPool": "10.1.2.0/24"});
        assert_eq!(pool(range).unwrap().range, "10.1.2.0/24".parse().ok());
        assert_eq!(
            pool(json!({"SubPool": "10.1.2.0/24"})),
            Err(Refusal::malformed(
                "the range 10.1.2.0/24 (--ip-range) is a part of no subnet: add --subnet"
            ))
        );
    }

    #[test]
    fn what_there_is_not_is_refused() {
        for (request, message) in [
            (
                json!({"AddressSpace": "moon"}),
                "there is no address space \"moon\" but \"vswitch\" alone",
            ),
            (
                json!({"Options": {"size": "24"}}),
                "unknown option \"size\" (--ipam-opt): leave it out",
            ),
            (
                json!({"Pool": "10.1.0.0/16", "V6": true}),
                "Pool: 10.1.0.0/16 is not IPv6",
            ),
            (json!({"Pool": "fd00::/64"}), "Pool: fd00::/64 is not IPv4"),
        ] {
            assert_eq!(pool(request), Err(Refusal::malformed(message)));
        }
    }

    #[test]
    fn addresses_are_serial_if_asked_for() {
        let serial = |options: Value| {
            let request = json!({"PoolID": "vswitch/10.1.0.0/16", "Options": options});
            is_serial(&vswitch_plugin::decode(request.to_string().as_bytes()).unwrap())
        };
        assert_eq!(serial(Value::Null), Ok(false));
        let gateway = json!({"RequestAddressType": "com.docker.network.gateway"});
        assert_eq!(serial(gateway), Ok(false));
        assert_eq!(serial(json!({SERIAL: "true"})), Ok(true));
        assert!(serial(json!({SERIAL: "maybe"})).is_err());
    }
}
