//! Ports that Docker has published.
//!
//! Docker names each port of `-p 20000-30000:20000-30000`; a range is one thing here, and costs what one port
//! costs.

use std::net::IpAddr;

use axum::extract::State;
use vswitch_api as api;
use vswitch_cnm::publish::{PortSpec, Protocol};
use vswitch_plugin::Empty;
use vswitch_plugin::network_driver::{
    EndpointRef, PortBinding, ProgramExternalConnectivity, port_map,
};

use super::answer::{Asked, DONE, Outcome, Refusal};
use super::name;
use crate::control::Engine;

pub(super) async fn publish(
    State(engine): State<Engine>,
    Asked(request): Asked<ProgramExternalConnectivity>,
) -> Outcome<Empty> {
    let network = name::network_id(&request.network_id)?;
    let id = name::endpoint_id(&request.endpoint_id)?;
    let specs = specs(&port_map(&request.options)?)?;
    engine.publish(network, id, specs).await?;
    DONE
}

pub(super) async fn unpublish(
    State(engine): State<Engine>,
    Asked(request): Asked<EndpointRef>,
) -> Outcome<Empty> {
    let network = name::network_id(&request.network_id)?;
    let id = name::endpoint_id(&request.endpoint_id)?;
    engine.unpublish(network, id).await?;
    DONE
}

/// Ports as `EndpointOperInfo` tells them. A range is one of them, with the first of the container's ports.
pub(super) fn description(port: &api::PortBinding) -> PortBinding {
    let mut protocols = PROTOCOLS.iter();
    let protocol = protocols.find(|(protocol, _)| protocol.as_str() == port.protocol);
    PortBinding {
        proto: protocol.map_or(0, |(_, number)| *number),
        ip: Some(port.container_ip),
        port: port.container_port.first,
        host_ip: Some(port.host_ip),
        host_port: port.host_port.map_or(0, |ports| ports.first),
        host_port_end: port.host_port.map_or(0, |ports| ports.last),
    }
}

/// IP protocol numbers (RFC 5237).
const PROTOCOLS: [(Protocol, u8); 3] = [
    (Protocol::Tcp, 6),
    (Protocol::Udp, 17),
    (Protocol::Sctp, 132),
];

/// A port of the container, and how it relates to the host's. In the order in which they are granted: what was
/// chosen comes before what may be any, so that nothing is in the way of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mapping {
    host: HostPort,
    protocol: Protocol,
    host_ip: Option<IpAddr>,
    port: u16,
}

/// The port of the host that a port of the container has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HostPort {
    /// Higher than the container's by this much.
    Beside(i32),
    /// One of these.
    Among { first: u16, last: u16 },
    /// Any that is free.
    Any,
}

/// What Docker names port by port, in as few ranges as there can be.
fn specs(bindings: &[PortBinding]) -> Result<Vec<PortSpec>, Refusal> {
    let mappings: Result<Vec<Mapping>, Refusal> = bindings.iter().map(mapping).collect();
    let mut mappings = mappings?;
    mappings.sort_unstable();
    let runs = mappings.chunk_by(|one, next| {
        let beside = Mapping {
            port: one.port.wrapping_add(1),
            ..*one
        };
        *next == beside && !matches!(one.host, HostPort::Among { .. })
    });
    runs.map(spec).collect()
}

fn mapping(binding: &PortBinding) -> Result<Mapping, Refusal> {
    let &PortBinding {
        proto,
        port,
        host_port,
        ..
    } = binding;
    let protocol = PROTOCOLS.iter().find(|(_, number)| *number == proto);
    let (protocol, _) = *protocol.ok_or_else(|| {
        Refusal::malformed(format!(
            "port {port}: protocol {proto} has no ports to publish; use tcp, udp or sctp"
        ))
    })?;
    let host = match (host_port, binding.host_port_end) {
        (0, _) => HostPort::Any,
        (first, 0) => HostPort::Beside(i32::from(first) - i32::from(port)),
        (first, last) if first == last => HostPort::Beside(i32::from(first) - i32::from(port)),
        (first, last) => HostPort::Among { first, last },
    };
    Ok(Mapping {
        host,
        protocol,
        host_ip: binding.host_ip,
        port,
    })
}

/// One spec for ports in a row. By way of the text, so that what `-p` refuses is refused here.
fn spec(run: &[Mapping]) -> Result<PortSpec, Refusal> {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return Err(Refusal::malformed("no port is named"));
    };
    let address = match first.host_ip {
        None => String::new(),
        Some(IpAddr::V4(address)) => format!("{address}:"),
        Some(IpAddr::V6(address)) => format!("[{address}]:"),
    };
    let host = match first.host {
        HostPort::Beside(step) => {
            let of = |port: u16| i32::from(port) + step;
            format!("{}-{}", of(first.port), of(last.port))
        }
        HostPort::Among { first, last } => format!("{first}-{last}"),
        HostPort::Any => String::new(),
    };
    let text = format!(
        "{address}{host}:{}-{}/{}",
        first.port, last.port, first.protocol
    );
    let spec = text.parse::<PortSpec>();
    spec.map_err(|error| Refusal::malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(proto: u8, port: u16, host: (&str, u16, u16)) -> PortBinding {
        PortBinding {
            proto,
            ip: None,
            port,
            host_ip: host.0.parse().ok(),
            host_port: host.1,
            host_port_end: host.2,
        }
    }

    fn texts(bindings: &[PortBinding]) -> Vec<String> {
        let specs = specs(bindings).unwrap();
        specs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_form_of_docker_is_one_of_ours() {
        for (binding, text) in [
            (binding(6, 80, ("", 0, 0)), "80/tcp"),
            (binding(17, 53, ("", 5353, 5353)), "5353:53/udp"),
            (binding(132, 7, ("", 7, 0)), "7:7/sctp"),
            (
                binding(6, 80, ("0.0.0.0", 8080, 8080)),
                "0.0.0.0:8080:80/tcp",
            ),
            (binding(6, 80, ("::", 8080, 8080)), "[::]:8080:80/tcp"),
            (binding(6, 80, ("127.0.0.1", 0, 0)), "127.0.0.1::80/tcp"),
            (
                binding(6, 80, ("::ffff:127.0.0.1", 1, 1)),
                "127.0.0.1:1:80/tcp",
            ),
            (binding(6, 80, ("", 8000, 8010)), "8000-8010:80/tcp"),
        ] {
            assert_eq!(texts(&[binding]), [text]);
        }
        assert_eq!(specs(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_range_is_one_however_long_and_in_whatever_order() {
        let mut bindings: Vec<PortBinding> = (20_000..=30_000)
            .map(|port| binding(6, port, ("", port, port)))
            .collect();
        // 7919 is prime to 10001, so each comes once.
        let count = bindings.len();
        bindings = (0..count).map(|i| bindings[i * 7919 % count]).collect();
        assert_eq!(texts(&bindings), ["20000-30000:20000-30000/tcp"]);
        let all: Vec<PortBinding> = (1..=u16::MAX)
            .map(|port| binding(17, port, ("", port, port)))
            .collect();
        assert_eq!(texts(&all), ["1-65535:1-65535/udp"]);
    }

    #[test]
    fn ports_are_joined_only_if_they_lead_alike() {
        let bindings = [
            binding(6, 80, ("", 8080, 8080)),
            binding(6, 81, ("", 8081, 8081)),
            // Another step.
            binding(6, 82, ("", 9000, 9000)),
            // Another protocol.
            binding(17, 82, ("", 8082, 8082)),
            // Another address.
            binding(6, 82, ("127.0.0.1", 8082, 8082)),
            // Not the next one.
            binding(6, 84, ("", 8084, 8084)),
            // A second port of the host for the same of the container.
            binding(6, 80, ("", 8000, 8000)),
        ];
        assert_eq!(
            texts(&bindings),
            [
                "8000:80/tcp",
                "8080-8081:80-81/tcp",
                "8084:84/tcp",
                "127.0.0.1:8082:82/tcp",
                "8082:82/udp",
                "9000:82/tcp",
            ]
        );
    }

    #[test]
    fn what_may_be_any_comes_last() {
        let bindings = [
            binding(6, 1, ("", 0, 0)),
            binding(6, 2, ("", 0, 0)),
            binding(6, 3, ("", 9000, 9010)),
            binding(6, 4, ("", 9000, 9010)),
            binding(6, 5, ("", 9005, 9005)),
        ];
        assert_eq!(
            texts(&bindings),
            [
                "9005:5/tcp",
                "9000-9010:3/tcp",
                "9000-9010:4/tcp",
                "1-2/tcp"
            ]
        );
    }

    #[test]
    fn what_cannot_be_published_is_refused() {
        for (binding, message) in [
            (
                binding(1, 8, ("", 8, 8)),
                "port 8: protocol 1 has no ports to publish; use tcp, udp or sctp",
            ),
            (
                binding(6, 0, ("", 0, 0)),
                "cannot publish \":0-0/tcp\": container port: \"0\" is no port; ports are 1 to 65535",
            ),
            (
                binding(6, 80, ("", 8010, 8000)),
                "cannot publish \"8010-8000:80-80/tcp\": host port: port range 8010-8000 ends before it \
                 starts; write 8000-8010",
            ),
            (
                binding(6, 80, ("ff02::1", 80, 80)),
                "cannot publish \"[ff02::1]:80-80:80-80/tcp\": ff02::1 is no address of one host; use one \
                 of this host's, such as 127.0.0.1 or [::1]",
            ),
        ] {
            assert_eq!(specs(&[binding]), Err(Refusal::malformed(message)));
        }
    }

    #[test]
    fn a_routed_port_is_described_without_the_hosts() {
        let port = api::PortBinding {
            protocol: "udp".to_owned(),
            host_ip: "::".parse().unwrap(),
            host_port: None,
            container_ip: "fd00::2".parse().unwrap(),
            container_port: "53-54".parse().unwrap(),
        };
        let expected = PortBinding {
            proto: 17,
            ip: "fd00::2".parse().ok(),
            port: 53,
            host_ip: "::".parse().ok(),
            host_port: 0,
            host_port_end: 0,
        };
        assert_eq!(description(&port), expected);
    }
}
