//! A published port, as it is persisted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::port_range::PortRange;
use super::spec::PortSpec;

/// Ports of the host that lead to as many ports of an endpoint, the first to the first and so on. A range
/// is one record, whatever its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The host's address; the unspecified one stands for all of its family. It is of IPv6 with an
    /// endpoint that has none where the host itself is to serve IPv6 clients of the IPv4 address.
    pub host_ip: IpAddr,
    /// The host's ports. `None` where the network is routed: nothing of the host is taken, and the
    /// endpoint's ports are open at its own address of `host_ip`'s family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<PortRange>,
    /// The endpoint's ports, as many as those of the host.
    pub container: PortRange,
}

/// Protocols with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl PublishedPort {
    /// Whether as many ports of the host as of the endpoint are meant.
    #[must_use]
    pub(crate) fn is_sound(&self) -> bool {
        self.host
            .is_none_or(|host| host.count() == self.container.count())
    }

    /// Whether a spec means it, or a part of it. What a spec leaves open fits anything.
    #[must_use]
    pub fn is_meant_by(&self, spec: &PortSpec) -> bool {
        self.cut(spec).is_some()
    }

    /// The part of it that a spec means, and what is left before and behind that part; `None` if the spec
    /// means another. What a spec leaves open fits anything.
    #[must_use]
    pub(crate) fn cut(&self, spec: &PortSpec) -> Option<(Self, [Option<Self>; 2])> {
        let address_fits = spec.host_ip.is_none_or(|ip| match self.host {
            Some(_) => ip == self.host_ip,
            // The host's ports did not matter when it was published either.
            None => ip.is_ipv4() == self.host_ip.is_ipv4(),
        });
        if self.protocol != spec.protocol || !address_fits {
            return None;
        }
        let mut part = self.container.intersection(spec.container)?;
        if let (Some(host), Some(wanted)) = (self.host, spec.host) {
            // Ranges of the same length lead port by port; a single port may be anywhere in the host's.
            let step = |host: PortRange, container: PortRange| {
                i32::from(host.first()) - i32::from(container.first())
            };
            let single = spec.container.count() == 1;
            if !single && step(host, self.container) != step(wanted, spec.container) {
                return None;
            }
            let common = host.intersection(wanted)?;
            let back = |port: u16| port - host.first() + self.container.first();
            let led_to = PortRange::new(back(common.first()), back(common.last()))?;
            part = part.intersection(led_to)?;
        }
        Some((self.narrowed(part), self.around(part)))
    }

    /// What is left before and behind `part` when that is taken out; `None` if it is no part of this.
    #[must_use]
    pub fn without(&self, part: &Self) -> Option<[Option<Self>; 2]> {
        let inside = self.container.intersection(part.container)? == part.container;
        (inside && self.narrowed(part.container) == *part).then(|| self.around(part.container))
    }

    /// What leads to container ports before and behind these, which are some of its own.
    fn around(&self, part: PortRange) -> [Option<Self>; 2] {
        let before = PortRange::new(self.container.first(), part.first() - 1);
        let behind = part
            .last()
            .checked_add(1)
            .and_then(|first| PortRange::new(first, self.container.last()));
        [before, behind].map(|range| range.map(|range| self.narrowed(range)))
    }

    /// What leads to some of its container ports.
    fn narrowed(&self, container: PortRange) -> Self {
        let offset = container.first() - self.container.first();
        let host = self
            .host
            .and_then(|host| PortRange::starting_at(host.first() + offset, container.count()));
        Self {
            host,
            container,
            ..*self
        }
    }

    /// Whether both cannot be at once: the same protocol, a port of the host in both, and an address in
    /// both. `0.0.0.0` holds all of IPv4's and `::` all of IPv6's.
    #[must_use]
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && same_host(self.host_ip, other.host_ip)
            && match (self.host, other.host) {
                (Some(own), Some(others)) => own.overlaps(others),
                _ => false,
            }
    }
}

/// `0.0.0.0:8080/tcp`; where nothing of the host is taken, the endpoint's ports as in `80/tcp`.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol;
        let Some(host) = self.host else {
            return write!(f, "{}/{protocol}", self.container);
        };
        write!(f, "{}", SocketAddr::new(self.host_ip, host.first()))?;
        if host.count() > 1 {
            write!(f, "-{}", host.last())?;
        }
        write!(f, "/{protocol}")
    }
}

impl Protocol {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = ();

    /// In any case, as in Docker.
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Tcp, Self::Udp, Self::Sctp]
            .into_iter()
            .find(|protocol| text.eq_ignore_ascii_case(protocol.as_str()))
            .ok_or(())
    }
}

/// Whether a client may turn to both with one address.
pub(crate) fn same_host(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4() && (a == b || a.is_unspecified() || b.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host_ip: &str, host: &str, container: &str) -> PublishedPort {
        PublishedPort {
            protocol: Protocol::Tcp,
            host_ip: host_ip.parse().unwrap(),
            host: Some(host.parse().unwrap()),
            container: container.parse().unwrap(),
        }
    }

    #[test]
    fn records_are_compact() {
        let range = tcp("0.0.0.0", "8000-8010", "80-90");
        let json = serde_json::to_string(&range).unwrap();
        assert_eq!(
            json,
            r#"{"protocol":"tcp","host_ip":"0.0.0.0","host":"8000-8010","container":"80-90"}"#
        );
        assert_eq!(serde_json::from_str::<PublishedPort>(&json).unwrap(), range);
        let open = PublishedPort {
            host: None,
            ..tcp("::", "1", "80")
        };
        let json = serde_json::to_string(&open).unwrap();
        assert_eq!(
            json,
            r#"{"protocol":"tcp","host_ip":"::","container":"80"}"#
        );
        assert_eq!(serde_json::from_str::<PublishedPort>(&json).unwrap(), open);
    }

    #[test]
    fn the_unspecified_address_holds_all_of_its_family() {
        let all = tcp("0.0.0.0", "80", "80");
        for (other, conflicts) in [
            (tcp("0.0.0.0", "80", "8080"), true),
            (tcp("127.0.0.1", "80", "80"), true),
            (tcp("::", "80", "80"), false),
            (tcp("0.0.0.0", "81", "80"), false),
            (tcp("192.0.2.1", "70-90", "70-90"), true),
            (
                PublishedPort {
                    protocol: Protocol::Udp,
                    ..all
                },
                false,
            ),
            (PublishedPort { host: None, ..all }, false),
        ] {
            assert_eq!(all.conflicts(&other), conflicts, "{other}");
            assert_eq!(other.conflicts(&all), conflicts, "{other}");
        }
        assert!(!tcp("127.0.0.1", "80", "80").conflicts(&tcp("127.0.0.2", "80", "80")));
        assert!(tcp("::1", "80", "80").conflicts(&tcp("::", "80", "80")));
    }

    #[test]
    fn a_spec_cuts_out_what_it_means() {
        let range = tcp("0.0.0.0", "8000-8010", "80-90");
        let one = tcp("0.0.0.0", "8080", "80");
        let open = PublishedPort {
            host: None,
            ..range
        };
        for (port, spec, gone, left) in [
            (one, "80", "8080:80", ""),
            (one, "8080:80", "8080:80", ""),
            (one, "8000-8100:80", "8080:80", ""),
            (one, "0.0.0.0:8080:80", "8080:80", ""),
            (range, "80-90", "8000-8010:80-90", ""),
            (range, "8000-8010:80-90", "8000-8010:80-90", ""),
            (range, "80", "8000:80", "8001-8010:81-90"),
            (range, "8010:90", "8010:90", "8000-8009:80-89"),
            (
                range,
                "84-85",
                "8004-8005:84-85",
                "8000-8003:80-83 8006-8010:86-90",
            ),
            (
                range,
                "8009-8020:89-100",
                "8009-8010:89-90",
                "8000-8008:80-88",
            ),
            (range, "1-65535", "8000-8010:80-90", ""),
            (open, "8000-8010:80-90", ":80-90", ""),
            (open, "127.0.0.1:1:84", ":84", ":80-83 :85-90"),
        ] {
            let text = |port: PublishedPort| {
                let host = port.host.map(|host| host.to_string());
                format!("{}:{}", host.unwrap_or_default(), port.container)
            };
            let (part, rest) = port.cut(&spec.parse().unwrap()).unwrap();
            let rest: Vec<String> = rest.into_iter().flatten().map(text).collect();
            assert_eq!(
                (text(part), rest.join(" ")),
                (gone.into(), left.into()),
                "{spec}"
            );
        }
        for spec in [
            "79",
            "80/udp",
            "127.0.0.1::80",
            "[::]::80",
            "8001:80",
            "8001-8011:80-90",
        ] {
            assert_eq!(range.cut(&spec.parse().unwrap()), None, "{spec}");
        }
        assert_eq!(open.cut(&"[::1]:80:80".parse().unwrap()), None);
    }

    #[test]
    fn a_part_leaves_what_is_around_it() {
        let range = tcp("0.0.0.0", "8000-8010", "80-90");
        let low = tcp("0.0.0.0", "8000-8004", "80-84");
        let high = tcp("0.0.0.0", "8006-8010", "86-90");
        let part = tcp("0.0.0.0", "8005", "85");
        assert_eq!(range.without(&part), Some([Some(low), Some(high)]));
        assert_eq!(range.without(&range), Some([None, None]));
        for other in [
            tcp("0.0.0.0", "8005", "86"),
            tcp("127.0.0.1", "8005", "85"),
            tcp("0.0.0.0", "8005-8011", "85-91"),
            tcp("0.0.0.0", "7999", "79"),
        ] {
            assert_eq!(range.without(&other), None, "{other}");
        }
    }

    #[test]
    fn messages_name_address_port_and_protocol() {
        assert_eq!(tcp("0.0.0.0", "80", "1").to_string(), "0.0.0.0:80/tcp");
        assert_eq!(tcp("::", "80-81", "1-2").to_string(), "[::]:80-81/tcp");
    }
}
