//! Endpoints put into sandboxes and taken off them. The sandbox itself need not be there yet: runc makes it
//! later, and Docker's hook moves the interface.

use std::net::IpAddr;

use axum::extract::State;
use ipnet::IpNet;
use vswitch_plugin::Empty;
use vswitch_plugin::network_driver::{
    EndpointRef, InterfaceName, Join, JoinReply, RouteType, StaticRoute,
};

use super::answer::{Answer, Asked, DONE, Outcome, Refusal};
use super::name;
use crate::control::{Engine, Joined};

pub(super) async fn join(
    State(engine): State<Engine>,
    Asked(request): Asked<Join>,
) -> Outcome<JoinReply> {
    let network = name::network_id(&request.network_id)?;
    let id = name::endpoint_id(&request.endpoint_id)?;
    if request.sandbox_key.is_empty() {
        return Err(Refusal::malformed("SandboxKey is missing"));
    }
    let joined = engine.join(network, id, request.sandbox_key).await?;
    Ok(Answer(reply(joined)))
}

/// Publishes nothing any more either: after a restart with live containers, Docker does not ask for that.
pub(super) async fn leave(
    State(engine): State<Engine>,
    Asked(request): Asked<EndpointRef>,
) -> Outcome<Empty> {
    let network = name::network_id(&request.network_id)?;
    let id = name::endpoint_id(&request.endpoint_id)?;
    engine.leave(network, id).await?;
    DONE
}

fn reply(joined: Joined) -> JoinReply {
    JoinReply {
        interface_name: InterfaceName {
            src_name: joined.interface,
            dst_name: String::new(),
            dst_prefix: joined.prefix,
        },
        gateway: joined.gateway.map(IpAddr::V4),
        gateway_ipv6: joined.gateway6.map(IpAddr::V6),
        static_routes: joined.routes.into_iter().map(route).collect(),
        // Else Docker makes docker_gwbridge, and puts the container on that too; before version 28 an IPv6
        // gateway does not keep it from that.
        disable_gateway_service: joined.gateway.is_none(),
    }
}

fn route((destination, router): (IpNet, Option<IpAddr>)) -> StaticRoute {
    let route_type = match router {
        Some(_) => RouteType::NextHop,
        None => RouteType::Connected,
    };
    StaticRoute {
        destination,
        route_type,
        next_hop: router,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn joined() -> Joined {
        Joined {
            interface: "vs-08427b2f82db".to_owned(),
            prefix: "eth".to_owned(),
            gateway: None,
            gateway6: None,
            routes: Vec::new(),
        }
    }

    fn json_of(joined: Joined) -> serde_json::Value {
        serde_json::to_value(reply(joined)).unwrap()
    }

    #[test]
    fn gateways_and_routes_are_told() {
        let answer = json_of(Joined {
            gateway: Some("10.55.0.1".parse().unwrap()),
            gateway6: Some("fd00:5::1".parse().unwrap()),
            routes: vec![
                ("10.56.0.0/24".parse().unwrap(), "10.55.0.1".parse().ok()),
                ("192.0.2.1/32".parse().unwrap(), None),
            ],
            ..joined()
        });
        let expected = json!({
            "InterfaceName": {"SrcName": "vs-08427b2f82db", "DstName": "", "DstPrefix": "eth"},
            "Gateway": "10.55.0.1",
            "GatewayIPv6": "fd00:5::1",
            "StaticRoutes": [
                {"Destination": "10.56.0.0/24", "RouteType": 0, "NextHop": "10.55.0.1"},
                {"Destination": "192.0.2.1/32", "RouteType": 1, "NextHop": ""},
            ],
            "DisableGatewayService": false,
        });
        assert_eq!(answer, expected);
    }

    #[test]
    fn without_an_ipv4_gateway_docker_makes_no_bridge_of_its_own() {
        for gateway6 in [None, "fd00::1".parse().ok()] {
            let answer = json_of(Joined {
                gateway6,
                ..joined()
            });
            assert_eq!(answer["DisableGatewayService"], json!(true));
            assert_eq!(answer["Gateway"], json!(""));
        }
    }
}
