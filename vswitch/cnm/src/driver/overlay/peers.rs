//! Which addresses can be at the ends of tunnels.

use std::net::{IpAddr, Ipv4Addr};

use super::network_options::NetworkOptions;
use crate::error::{Error, OverlayError, PeerError};
use crate::network::Network;
use crate::option_key as key;
use crate::options::OptionError;
use crate::segment::family_of;

/// Checks that a network which has `others` can have a peer.
pub(super) fn check(
    network: &Network,
    options: &NetworkOptions,
    peer: IpAddr,
    others: &[IpAddr],
) -> Result<(), Error> {
    let checked = check_peer(peer, options.local, options.group, others);
    checked
        .and_then(|()| match network.subnet_with(peer) {
            None => Ok(()),
            Some(record) => Err(PeerError::Inside {
                peer,
                subnet: record.subnet,
            }),
        })
        .map_err(|source| {
            let network = network.name.clone();
            OverlayError::Peer { network, source }.into()
        })
}

/// Checks that the tunnels do not begin within themselves.
pub(super) fn check_outside(
    network: &Network,
    options: &NetworkOptions,
) -> Result<(), OptionError> {
    match options
        .local
        .filter(|local| network.subnet_with(*local).is_some())
    {
        None => Ok(()),
        Some(local) => Err(OptionError::Conflict {
            key: key::LOCAL,
            value: local.to_string(),
            other: "the network's own subnet, which it is in",
            hint: "give an address that the host has outside of it",
        }),
    }
}

/// Checks a peer against what else is known of the tunnels.
pub(super) fn check_peer(
    peer: IpAddr,
    local: Option<IpAddr>,
    group: Option<IpAddr>,
    others: &[IpAddr],
) -> Result<(), PeerError> {
    if let Some(what) = not_a_hosts(peer) {
        return Err(PeerError::Unusable { peer, what });
    }
    if local == Some(peer) {
        return Err(PeerError::Local { peer });
    }
    if others.contains(&peer) {
        return Err(PeerError::Twice { peer });
    }
    let mut known = local
        .into_iter()
        .chain(group)
        .chain(others.first().copied());
    match known.find(|other| family_of(*other) != family_of(peer)) {
        None => Ok(()),
        Some(other) => Err(PeerError::Family { peer, other }),
    }
}

/// What an address is if it is not one that another host can be reached at.
pub(super) fn not_a_hosts(address: IpAddr) -> Option<&'static str> {
    if address.is_multicast() {
        return Some("multicast");
    }
    if address.is_unspecified() {
        return Some("unspecified");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    match address {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some("the broadcast address"),
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Some("IPv4 in the form of IPv6"),
        // It means nothing without an interface.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("link-local"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_other_hosts_address_is_refused() {
        for (peer, what) in [
            ("239.1.1.1", "multicast"),
            ("ff0e::1", "multicast"),
            ("0.0.0.0", "unspecified"),
            ("::", "unspecified"),
            ("127.0.0.2", "a loopback address"),
            ("::1", "a loopback address"),
            ("255.255.255.255", "the broadcast address"),
            ("::ffff:192.0.2.2", "IPv4 in the form of IPv6"),
            ("fe80::2", "link-local"),
        ] {
            assert_eq!(
                check_peer(ip(peer), None, None, &[]).map_err(|error| error.to_string()),
                Err(format!(
                    "{peer} is {what}; give the address of another host"
                ))
            );
        }
        for peer in ["192.0.2.2", "10.0.0.0", "2001:db8::2", "fd00::2"] {
            assert_eq!(check_peer(ip(peer), None, None, &[]), Ok(()), "{peer}");
        }
    }

    #[test]
    fn a_peer_fits_what_is_known() {
        let local = Some(ip("192.0.2.1"));
        let others = [ip("192.0.2.2")];
        let check = |peer: &str| {
            check_peer(ip(peer), local, None, &others).map_err(|error| error.to_string())
        };
        assert_eq!(check("192.0.2.3"), Ok(()));
        for (peer, message) in [
            (
                "192.0.2.1",
                "192.0.2.1 is the local end of the tunnels; give the addresses of other hosts",
            ),
            ("192.0.2.2", "192.0.2.2 is a peer already; leave it out"),
            (
                "2001:db8::2",
                "2001:db8::2 and 192.0.2.1 are of different families, and the tunnels of a network go \
                 over one; give addresses of the same",
            ),
        ] {
            assert_eq!(check(peer), Err(message.to_owned()));
        }
        let six = ip("2001:db8::2");
        assert!(check_peer(six, None, Some(ip("239.1.1.1")), &[]).is_err());
        assert!(check_peer(six, None, None, &others).is_err());
        assert!(check_peer(six, None, Some(ip("ff0e::1")), &[]).is_ok());
    }
}
