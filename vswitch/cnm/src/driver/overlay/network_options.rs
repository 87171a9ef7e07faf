//! The options of an overlay network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::peers::{check_peer, not_a_hosts};
use super::vnis;
use vswitch_vxlan::ecn::Dscp;

use crate::driver::switched::{self, FDB_LIMIT_MAX, MTU_MAX, MTU_MIN, SwitchOptions};
use crate::driver::{DriverName, bridge, lan};
use crate::option_key as key;
use crate::options::{OptionError, Options, invalid};
use crate::segment::family_of;

/// The options, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NetworkOptions {
    /// Its MTU is the underlay's.
    pub(super) switch: SwitchOptions,
    pub(super) peers: Vec<IpAddr>,
    pub(super) local: Option<IpAddr>,
    pub(super) group: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) vnis: Option<vnis::Wish>,
    /// The containers' MTU.
    pub(super) inner_mtu: Option<u16>,
    pub(super) ttl: Option<u8>,
    pub(super) dscp: Dscp,
    pub(super) learn_peers: bool,
    pub(super) learning: bool,
    pub(super) tagged: bool,
    pub(super) suppress: bool,
    pub(super) peer_fdb_limit: u32,
}

/// The keys that no other driver has.
pub(in crate::driver) const OWN: &[&str] = &[
    key::PEERS,
    key::LOCAL,
    key::GROUP,
    key::PORT,
    key::VNI,
    key::VXLANID_LIST,
    key::TTL,
    key::DSCP,
    key::LEARN_PEERS,
    key::LEARNING,
    key::INNER_VLAN,
    key::ARP_SUPPRESS,
    key::PEER_FDB_LIMIT,
    key::ENCRYPTED,
];

/// Docker's bounds of the data path's port: neither privileged nor ephemeral (RFC 6335 section 6).
const PORT_MIN: u16 = 1024;
const PORT_MAX: u16 = 49_151;

const DSCP_MAX: u8 = 63;

/// A quarter of what a network learns, so that no peer alone fills it.
const PEER_FDB_LIMIT: u32 = 2048;

impl NetworkOptions {
    pub(super) fn parse(
        options: &BTreeMap<String, String>,
        internal: bool,
    ) -> Result<Self, OptionError> {
        let options = Options(options);
        options.check_driver(DriverName::Bridge, bridge::OWN)?;
        lan::check_none(options)?;
        options.check_known(&[switched::KNOWN, OWN, &[key::INNER_MTU]])?;
        check_unencrypted(options)?;
        let flag = |key, default: bool| Ok::<_, OptionError>(options.flag(key)?.unwrap_or(default));
        let local = local(options)?;
        let group = group(options, local)?;
        Ok(Self {
            switch: SwitchOptions::parse(options, internal)?,
            peers: peers(options, local, group)?,
            local,
            group,
            port: options
                .number(key::PORT, PORT_MIN..=PORT_MAX, "")?
                .unwrap_or(vswitch_vxlan::PORT),
            vnis: vnis::Wish::parse(options)?,
            inner_mtu: options.number(key::INNER_MTU, MTU_MIN..=MTU_MAX, "bytes")?,
            ttl: options.number(key::TTL, 1..=u8::MAX, "")?,
            dscp: dscp(options)?,
            learn_peers: flag(key::LEARN_PEERS, group.is_some())?,
            learning: flag(key::LEARNING, true)?,
            tagged: flag(key::INNER_VLAN, false)?,
            suppress: flag(key::ARP_SUPPRESS, true)?,
            peer_fdb_limit: options
                .number(key::PEER_FDB_LIMIT, 1..=FDB_LIMIT_MAX, "addresses")?
                .unwrap_or(PEER_FDB_LIMIT),
        })
    }
}

/// Docker takes the mere presence of `encrypted` for true.
fn check_unencrypted(options: Options<'_>) -> Result<(), OptionError> {
    let value = options.text(key::ENCRYPTED).unwrap_or("false");
    if !value.is_empty() && options.flag(key::ENCRYPTED)? != Some(true) {
        return Ok(());
    }
    Err(OptionError::Unavailable {
        key: key::ENCRYPTED,
        value: value.to_owned(),
        hint: "leave it out, and encrypt what the tunnels go over, with WireGuard or IPsec"
            .to_owned(),
    })
}

fn local(options: Options<'_>) -> Result<Option<IpAddr>, OptionError> {
    let expected = "an IP address of this host, such as 192.0.2.1";
    match options.address(key::LOCAL, expected)? {
        Some(local) if not_a_hosts(local).is_some() => {
            Err(invalid(key::LOCAL, &local.to_string(), expected))
        }
        local => Ok(local),
    }
}

fn group(options: Options<'_>, local: Option<IpAddr>) -> Result<Option<IpAddr>, OptionError> {
    let expected = "a multicast address, such as 239.1.1.1";
    let Some(group): Option<IpAddr> = options.address(key::GROUP, expected)? else {
        return Ok(None);
    };
    if !group.is_multicast() {
        return Err(invalid(key::GROUP, &group.to_string(), expected));
    }
    match local {
        Some(local) if family_of(local) != family_of(group) => Err(OptionError::Conflict {
            key: key::GROUP,
            value: group.to_string(),
            other: "a local address of another family",
            hint: "give both of the same",
        }),
        _ => Ok(Some(group)),
    }
}

fn peers(
    options: Options<'_>,
    local: Option<IpAddr>,
    group: Option<IpAddr>,
) -> Result<Vec<IpAddr>, OptionError> {
    let Some(value) = options.filled(key::PEERS) else {
        return Ok(Vec::new());
    };
    let mut peers = Vec::new();
    for text in value.split(',') {
        let peer = text.trim().parse().map_err(|_| {
            let expected = "IP addresses of other hosts with commas between them";
            invalid(key::PEERS, value, expected)
        })?;
        check_peer(peer, local, group, &peers).map_err(|source| OptionError::Peer {
            key: key::PEERS,
            source,
        })?;
        peers.push(peer);
    }
    Ok(peers)
}

fn dscp(options: Options<'_>) -> Result<Dscp, OptionError> {
    let Some(value) = options.filled(key::DSCP) else {
        return Ok(Dscp::Fixed(0));
    };
    let fixed = || value.parse().ok().filter(|number| *number <= DSCP_MAX);
    match value {
        "inherit" => Ok(Dscp::Inherit),
        _ => fixed()
            .map(Dscp::Fixed)
            .ok_or_else(|| invalid(key::DSCP, value, "0 to 63, or inherit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<NetworkOptions, OptionError> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        NetworkOptions::parse(&given.iter().map(owned).collect(), false)
    }

    #[test]
    fn harmless_defaults_change_nothing() {
        let plain = read(&[]).unwrap();
        assert_eq!((plain.port, plain.peer_fdb_limit), (4789, 2048));
        assert_eq!((plain.learning, plain.suppress), (true, true));
        assert_eq!((plain.learn_peers, plain.tagged), (false, false));
        for (key, value) in [
            (key::PEERS, ""),
            (key::LOCAL, ""),
            (key::GROUP, ""),
            (key::PORT, "4789"),
            (key::DSCP, "0"),
            (key::LEARN_PEERS, "false"),
            (key::LEARNING, "true"),
            (key::INNER_VLAN, "0"),
            (key::ARP_SUPPRESS, "1"),
            (key::PEER_FDB_LIMIT, "2048"),
            (key::ENCRYPTED, "false"),
        ] {
            assert_eq!(read(&[(key, value)]), Ok(plain.clone()), "{key}={value}");
        }
    }

    #[test]
    fn options_are_read() {
        let options = read(&[
            (key::PEERS, "192.0.2.2, 192.0.2.3"),
            (key::LOCAL, "192.0.2.1"),
            (key::GROUP, "239.1.1.1"),
            (key::PORT, "8472"),
            (key::TTL, "64"),
            (key::DSCP, "inherit"),
            (key::INNER_VLAN, "true"),
        ])
        .unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(options.peers, ["192.0.2.2", "192.0.2.3"].map(ip));
        assert_eq!(options.local, Some(ip("192.0.2.1")));
        assert_eq!(options.group, Some(ip("239.1.1.1")));
        assert_eq!((options.port, options.ttl), (8472, Some(64)));
        assert_eq!(options.dscp, Dscp::Inherit);
        assert!(options.learn_peers && options.tagged);
        let deaf = [(key::GROUP, "ff0e::1"), (key::LEARN_PEERS, "false")];
        assert!(!read(&deaf).unwrap().learn_peers);
    }

    #[test]
    fn refusals_say_what_and_why() {
        for (given, message) in [
            (
                &[(key::PEERS, "192.0.2.2 192.0.2.3")][..],
                "option peers=192.0.2.2 192.0.2.3: the value must be IP addresses of other hosts with \
                 commas between them",
            ),
            (
                &[(key::PEERS, "192.0.2.2,239.1.1.1")],
                "option peers: 239.1.1.1 is multicast; give the address of another host",
            ),
            (
                &[(key::PEERS, "192.0.2.2,192.0.2.2")],
                "option peers: 192.0.2.2 is a peer already; leave it out",
            ),
            (
                &[(key::PEERS, "192.0.2.1"), (key::LOCAL, "192.0.2.1")],
                "option peers: 192.0.2.1 is the local end of the tunnels; give the addresses of other \
                 hosts",
            ),
            (
                &[(key::PEERS, "192.0.2.2,2001:db8::2")],
                "option peers: 2001:db8::2 and 192.0.2.2 are of different families, and the tunnels of \
                 a network go over one; give addresses of the same",
            ),
            (
                &[(key::LOCAL, "127.0.0.1")],
                "option local=127.0.0.1: the value must be an IP address of this host, such as \
                 192.0.2.1",
            ),
            (
                &[(key::GROUP, "192.0.2.2")],
                "option group=192.0.2.2: the value must be a multicast address, such as 239.1.1.1",
            ),
            (
                &[(key::GROUP, "ff0e::1"), (key::LOCAL, "192.0.2.1")],
                "option group=ff0e::1 does not go with a local address of another family; give both of \
                 the same",
            ),
            (
                &[(key::PORT, "80")],
                "option port=80: the value must be 1024 to 49151",
            ),
            (
                &[(key::TTL, "0")],
                "option ttl=0: the value must be 1 to 255",
            ),
            (
                &[(key::DSCP, "64")],
                "option dscp=64: the value must be 0 to 63, or inherit",
            ),
            (
                &[(key::INNER_MTU, "67")],
                "option mtu=67: the value must be 68 to 65521 bytes",
            ),
            (
                &[(key::ENCRYPTED, "")],
                "option encrypted= is not available in this version; leave it out, and encrypt what \
                 the tunnels go over, with WireGuard or IPsec",
            ),
            (
                &[(key::ENABLE_ICC, "true")],
                "option com.docker.network.bridge.enable_icc is for bridge networks; leave it out, or \
                 choose driver bridge",
            ),
            (
                &[("peer", "192.0.2.2")],
                "unknown option \"peer\"; did you mean peers?",
            ),
        ] {
            assert_eq!(
                read(given).map_err(|error| error.to_string()),
                Err(message.to_owned())
            );
        }
        for (key, value) in [
            (key::ENCRYPTED, "true"),
            (key::LEARNING, "yes"),
            (key::LEARN_PEERS, ""),
            (key::INNER_VLAN, "7"),
            (key::ARP_SUPPRESS, "on"),
            (key::PEER_FDB_LIMIT, "0"),
            (key::PORT, "65535"),
            (key::MTU, "67"),
        ] {
            assert!(read(&[(key, value)]).is_err(), "{key}={value}");
        }
    }
}
