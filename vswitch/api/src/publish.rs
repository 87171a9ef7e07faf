//! Published ports: ports of the host that lead to ports of a sandbox.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::PortRange;

/// Body of `POST /v1/networks/{network}/endpoints/{sandbox}/publish` and of `…/unpublish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// As Docker's `-p`: `[ip:][host[-end]:]container[-end][/tcp|udp|sctp]`.
    pub ports: Vec<String>,
}

/// One element of the answer to `GET /v1/ports`, and to publishing and unpublishing: what is
/// published now, or no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The network's name.
    pub network: String,
    /// The sandbox, as the user wrote it.
    pub sandbox: String,
    /// The endpoint's id, 64 hexadecimal digits.
    pub endpoint: String,
    /// What leads where.
    #[serde(flatten)]
    pub binding: PortBinding,
}

/// Ports of the host and where they lead. A range counts once, whatever its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortBinding {
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The host's address; `0.0.0.0` and `::` stand for all of their family.
    pub host_ip: IpAddr,
    /// The host's ports; none where the network is routed, and its containers are reached at their own
    /// addresses only.
    pub host_port: Option<PortRange>,
    /// The container's address. Of the other family where the host serves IPv6 clients of a container
    /// without IPv6.
    pub container_ip: IpAddr,
    /// The container's ports, as many as those of the host.
    pub container_port: PortRange,
}

impl PortBinding {
    /// Where clients turn to: `0.0.0.0:8080`, `[::]:8000-8010`; in a routed network, the container.
    #[must_use]
    pub fn host(&self) -> String {
        match self.host_port {
            Some(ports) => at(self.host_ip, ports),
            None => self.container(),
        }
    }

    /// Where it leads: `172.17.0.2:80`.
    #[must_use]
    pub fn container(&self) -> String {
        at(self.container_ip, self.container_port)
    }
}

/// As `docker port` writes it: `80/tcp -> 0.0.0.0:8080`.
impl fmt::Display for PortBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (container, protocol) = (self.container_port, &self.protocol);
        write!(f, "{container}/{protocol} -> {}", self.host())
    }
}

/// An address and its ports, with brackets where the address has colons.
fn at(address: IpAddr, ports: PortRange) -> String {
    let first = SocketAddr::new(address, ports.first);
    if ports.first == ports.last {
        first.to_string()
    } else {
        format!("{first}-{}", ports.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_read_as_docker_port_writes_them() {
        let binding = |host_ip: &str, host: Option<&str>, container_ip: &str, container: &str| {
            PortBinding {
                protocol: "tcp".to_owned(),
                host_ip: host_ip.parse().unwrap(),
                host_port: host.map(|ports| ports.parse().unwrap()),
                container_ip: container_ip.parse().unwrap(),
                container_port: container.parse().unwrap(),
            }
            .to_string()
        };
        assert_eq!(
            binding("0.0.0.0", Some("8080"), "10.0.0.2", "80"),
            "80/tcp -> 0.0.0.0:8080"
        );
        assert_eq!(
            binding("::", Some("8000-8010"), "fd00::2", "80-90"),
            "80-90/tcp -> [::]:8000-8010"
        );
        assert_eq!(
            binding("::", None, "fd00::2", "80"),
            "80/tcp -> [fd00::2]:80"
        );
    }
}
