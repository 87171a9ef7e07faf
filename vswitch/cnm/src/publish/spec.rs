//! What `-p` takes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use super::port_range::{PortRange, PortRangeError};
use super::published::{Protocol, PublishedPort};

/// Ports to publish, as Docker's `-p`: `[ip:][host[-end]:]container[-end][/tcp|udp|sctp]`.
///
/// The host's ports are as many as the container's, or one of them is to be chosen for a single port of
/// the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortSpec {
    /// The host's address; `None` leaves it to the network and the daemon.
    pub host_ip: Option<IpAddr>,
    /// The host's ports; `None` asks for any.
    pub host: Option<PortRange>,
    /// The container's ports.
    pub container: PortRange,
    /// TCP unless said otherwise.
    pub protocol: Protocol,
}

/// Why a text says nothing that could be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot publish {spec:?}: {fault}")]
pub struct PortSpecError {
    /// The text.
    pub spec: String,
    /// What is wrong with it.
    pub fault: PortSpecFault,
}

/// What is wrong with a text for `-p`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortSpecFault {
    /// There is no container port.
    #[error("the container's port is missing; write [ip:][host:]container[/tcp|udp|sctp]")]
    NoContainerPort,
    /// The container's port is none.
    #[error("container port: {0}")]
    ContainerPort(PortRangeError),
    /// The host's port is none.
    #[error("host port: {0}")]
    HostPort(PortRangeError),
    /// The host's port is 0, which Docker takes for any.
    #[error("host port: 0 is no port; leave it out for any that is free")]
    HostPortZero,
    /// The ranges differ in length.
    #[error(
        "{host} are {} host ports and {container} are {} container ports; use ranges of the same length",
        host.count(),
        container.count()
    )]
    Lengths {
        /// The host's ports.
        host: PortRange,
        /// The container's.
        container: PortRange,
    },
    /// No protocol with ports.
    #[error("unknown protocol {0:?}; use tcp, udp or sctp")]
    Protocol(String),
    /// Not an address: a hostname, maybe.
    #[error("{0:?} is not an IP address; use one of the host's, such as 127.0.0.1 or [::1]")]
    Address(String),
    /// An address that is many hosts'.
    #[error("{0} is no address of one host; use one of this host's, such as 127.0.0.1 or [::1]")]
    ManyHosts(IpAddr),
}

/// What asks for just what was published.
impl From<&PublishedPort> for PortSpec {
    fn from(port: &PublishedPort) -> Self {
        Self {
            host_ip: Some(port.host_ip),
            host: port.host,
            container: port.container,
            protocol: port.protocol,
        }
    }
}

impl FromStr for PortSpec {
    type Err = PortSpecError;

    fn from_str(spec: &str) -> Result<Self, PortSpecError> {
        parse(spec).map_err(|fault| PortSpecError {
            spec: spec.to_owned(),
            fault,
        })
    }
}

/// In full, but for what was left open: `127.0.0.1:8080:80/tcp`, `[::1]::80/udp`.
impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.map(|host| host.to_string()).unwrap_or_default();
        match self.host_ip {
            Some(address @ IpAddr::V4(_)) => write!(f, "{address}:{host}:")?,
            Some(address @ IpAddr::V6(_)) => write!(f, "[{address}]:{host}:")?,
            None if self.host.is_some() => write!(f, "{host}:")?,
            None => {}
        }
        write!(f, "{}/{}", self.container, self.protocol)
    }
}

fn parse(spec: &str) -> Result<PortSpec, PortSpecFault> {
    let (rest, protocol) = match spec.rsplit_once('/') {
        Some((rest, protocol)) => (rest, protocol),
        None => (spec, Protocol::Tcp.as_str()),
    };
    let protocol = protocol
        .parse()
        .map_err(|()| PortSpecFault::Protocol(protocol.to_owned()))?;
    let (rest, container) = rest.rsplit_once(':').unwrap_or(("", rest));
    let (host_ip, host) = rest.rsplit_once(':').unwrap_or(("", rest));
    let host_ip = (!host_ip.is_empty())
        .then(|| address(host_ip))
        .transpose()?;
    if container.is_empty() {
        return Err(PortSpecFault::NoContainerPort);
    }
    let container: PortRange = container.parse().map_err(PortSpecFault::ContainerPort)?;
    let host = (!host.is_empty()).then(|| host_ports(host)).transpose()?;
    match host {
        Some(host) if container.count() > 1 && host.count() != container.count() => {
            Err(PortSpecFault::Lengths { host, container })
        }
        _ => Ok(PortSpec {
            host_ip,
            host,
            container,
            protocol,
        }),
    }
}

fn host_ports(text: &str) -> Result<PortRange, PortSpecFault> {
    match text.parse() {
        Err(PortRangeError::NoPort { text }) if text == "0" => Err(PortSpecFault::HostPortZero),
        other => other.map_err(PortSpecFault::HostPort),
    }
}

/// Brackets are for IPv6 alone, which Docker takes without them too. An IPv4 address in IPv6's form is
/// that IPv4 address, as for Docker.
fn address(text: &str) -> Result<IpAddr, PortSpecFault> {
    let bracketed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address: Option<IpAddr> = match bracketed {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    };
    match address.map(|address| address.to_canonical()) {
        None => Err(PortSpecFault::Address(text.to_owned())),
        Some(many) if many.is_multicast() || many == Ipv4Addr::BROADCAST => {
            Err(PortSpecFault::ManyHosts(many))
        }
        Some(address) => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> PortSpec {
        text.parse().unwrap()
    }

    #[test]
    fn dockers_forms_are_understood() {
        for (text, full) in [
            ("80", "80/tcp"),
            (":80", "80/tcp"),
            ("::80", "80/tcp"),
            ("80-90", "80-90/tcp"),
            ("8080:80", "8080:80/tcp"),
            ("8080:80/udp", "8080:80/udp"),
            ("8080:80/SCTP", "8080:80/sctp"),
            ("8000-8010:8000-8010", "8000-8010:8000-8010/tcp"),
            ("8000-8010:80", "8000-8010:80/tcp"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"),
            ("127.0.0.1::80", "127.0.0.1::80/tcp"),
            ("0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp"),
            ("[::1]:8080:80", "[::1]:8080:80/tcp"),
            ("[::]::80/udp", "[::]::80/udp"),
            ("::1:8080:80", "[::1]:8080:80/tcp"),
            ("2001:db8::1:8080:80", "[2001:db8::1]:8080:80/tcp"),
            ("[::ffff:127.0.0.1]:8080:80", "127.0.0.1:8080:80/tcp"),
            ("1-65535:1-65535", "1-65535:1-65535/tcp"),
        ] {
            assert_eq!(spec(text).to_string(), full, "{text}");
            assert_eq!(spec(full), spec(text));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, fault) in [
            (
                "",
                "the container's port is missing; write [ip:][host:]container[/tcp|udp|sctp]",
            ),
            (
                "8080:",
                "the container's port is missing; write [ip:][host:]container[/tcp|udp|sctp]",
            ),
            (
                "/udp",
                "the container's port is missing; write [ip:][host:]container[/tcp|udp|sctp]",
            ),
            (
                "0",
                "container port: \"0\" is no port; ports are 1 to 65535",
            ),
            (
                "8080:65536",
                "container port: \"65536\" is no port; ports are 1 to 65535",
            ),
            (
                "80:http",
                "container port: \"http\" is no port; ports are 1 to 65535",
            ),
            (
                "0:80",
                "host port: 0 is no port; leave it out for any that is free",
            ),
            (
                "99999:80",
                "host port: \"99999\" is no port; ports are 1 to 65535",
            ),
            (
                "90-80:80",
                "host port: port range 90-80 ends before it starts; write 80-90",
            ),
            (
                "90-80",
                "container port: port range 90-80 ends before it starts; write 80-90",
            ),
            (
                "8000-8010:80-85",
                "8000-8010 are 11 host ports and 80-85 are 6 container ports; use ranges of the \
                 same length",
            ),
            (
                "8000:80-81",
                "8000 are 1 host ports and 80-81 are 2 container ports; use ranges of the same \
                 length",
            ),
            ("80/icmp", "unknown protocol \"icmp\"; use tcp, udp or sctp"),
            ("80/", "unknown protocol \"\"; use tcp, udp or sctp"),
            (
                "80/tcp/udp",
                "container port: \"80/tcp\" is no port; ports are 1 to 65535",
            ),
            (
                "localhost:8080:80",
                "\"localhost\" is not an IP address; use one of the host's, such as 127.0.0.1 or \
                 [::1]",
            ),
            (
                "10.0.0.256:8080:80",
                "\"10.0.0.256\" is not an IP address; use one of the host's, such as 127.0.0.1 or \
                 [::1]",
            ),
            (
                "[ff02::1]:8080:80",
                "ff02::1 is no address of one host; use one of this host's, such as 127.0.0.1 or \
                 [::1]",
            ),
            (
                "255.255.255.255::80",
                "255.255.255.255 is no address of one host; use one of this host's, such as \
                 127.0.0.1 or [::1]",
            ),
            (
                "[127.0.0.1]:8080:80",
                "\"[127.0.0.1]\" is not an IP address; use one of the host's, such as 127.0.0.1 or \
                 [::1]",
            ),
            (
                "1:2:3:4",
                "\"1:2\" is not an IP address; use one of the host's, such as 127.0.0.1 or [::1]",
            ),
        ] {
            let error = text.parse::<PortSpec>().unwrap_err();
            assert_eq!(error.fault.to_string(), fault, "{text}");
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
