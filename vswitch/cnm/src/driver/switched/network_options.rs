//! The options that networks share.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_ipam::{AllocationOrder, Family};

use crate::interface_name::{check_interface_name, check_interface_prefix};
use crate::option_key as key;
use crate::options::{OptionError, Options, invalid};
use crate::policy::{FamilyPolicy, Filtering, GatewayMode};

/// The options, typed; the families are the plan's, and what the MTU is of is the driver's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) struct SwitchOptions {
    pub(in crate::driver) enable_ipv4: Option<bool>,
    pub(in crate::driver) enable_ipv6: Option<bool>,
    pub(in crate::driver) v4: FamilyPolicy,
    pub(in crate::driver) v6: FamilyPolicy,
    pub(in crate::driver) filtering: Filtering,
    /// Names of networks.
    pub(in crate::driver) route_to: BTreeSet<String>,
    pub(in crate::driver) host_binding: Option<IpAddr>,
    pub(in crate::driver) host_port: Option<String>,
    pub(in crate::driver) iface_prefix: String,
    pub(in crate::driver) order: AllocationOrder,
    pub(in crate::driver) mtu: Option<u16>,
    pub(in crate::driver) ageing_secs: u32,
    pub(in crate::driver) fdb_limit: u32,
    pub(in crate::driver) snooping: bool,
    pub(in crate::driver) offload: bool,
    pub(in crate::driver) anti_spoof: bool,
    pub(in crate::driver) storm_pps: Option<u32>,
}

pub(in crate::driver) const KNOWN: &[&str] = &[
    key::BRIDGE_NAME,
    key::ENABLE_IP_MASQUERADE,
    key::HOST_BINDING_IPV4,
    key::GATEWAY_MODE_IPV4,
    key::GATEWAY_MODE_IPV6,
    key::HOST_IPV4,
    key::HOST_IPV6,
    key::MTU,
    key::IFACE_PREFIX,
    key::ENABLE_IPV4,
    key::ENABLE_IPV6,
    key::IPAM_SERIAL,
    key::AGEING,
    key::FDB_LIMIT,
    key::SNOOPING,
    key::OFFLOAD,
    key::ANTI_SPOOF,
    key::STORM_LIMIT,
    key::NAT_FILTERING,
    key::ROUTE_TO,
];

const MODES: [(&str, GatewayMode); 4] = [
    ("nat", GatewayMode::Nat),
    ("nat-unprotected", GatewayMode::NatUnprotected),
    ("routed", GatewayMode::Routed),
    ("isolated", GatewayMode::Isolated),
];

const FILTERINGS: [(&str, Filtering); 3] = [
    ("endpoint-independent", Filtering::EndpointIndependent),
    ("address-dependent", Filtering::AddressDependent),
    (
        "address-and-port-dependent",
        Filtering::AddressAndPortDependent,
    ),
];

/// What an IPv4 host must take at least (RFC 791 section 3.2), to what a TAP can have (Linux'
/// drivers/net/tun.c: 65535 less the Ethernet header).
pub(in crate::driver) const MTU_MIN: u16 = 68;
pub(in crate::driver) const MTU_MAX: u16 = 65_521;
/// What an IPv6 link must carry at least (RFC 8200 section 5).
pub(in crate::driver) const MTU_MIN_V6: u16 = 1280;

/// IEEE 802.1D table 7-5; the range is wider at its low end, for tests and fast-moving containers.
const AGEING_SECS: u32 = 300;
const AGEING_SECS_MAX: u32 = 1_000_000;

/// Open vSwitch's default (`mac-table-size`).
const FDB_LIMIT: u32 = 8192;
pub(in crate::driver) const FDB_LIMIT_MAX: u32 = 1 << 20;

pub(super) const STORM_PPS_MAX: u32 = 1_000_000_000;

const IFACE_PREFIX: &str = "eth";

impl SwitchOptions {
    /// Reads the options among all that are given.
    pub(in crate::driver) fn parse(
        options: Options<'_>,
        internal: bool,
    ) -> Result<Self, OptionError> {
        let flag = |key, default: bool| Ok::<_, OptionError>(options.flag(key)?.unwrap_or(default));
        Ok(Self {
            enable_ipv4: options.flag(key::ENABLE_IPV4)?,
            enable_ipv6: options.flag(key::ENABLE_IPV6)?,
            v4: FamilyPolicy {
                mode: mode(options, key::GATEWAY_MODE_IPV4, internal)?,
                masquerade: flag(key::ENABLE_IP_MASQUERADE, true)?,
                source: source_v4(options)?,
            },
            v6: FamilyPolicy {
                mode: mode(options, key::GATEWAY_MODE_IPV6, internal)?,
                masquerade: flag(key::ENABLE_IP_MASQUERADE, true)?,
                source: source_v6(options)?,
            },
            filtering: options
                .choice(key::NAT_FILTERING, &FILTERINGS)?
                .unwrap_or_default(),
            route_to: route_to(options, internal)?,
            host_binding: options.address(
                key::HOST_BINDING_IPV4,
                "an IP address of the host, such as 127.0.0.1",
            )?,
            host_port: options
                .interface(key::BRIDGE_NAME, check_interface_name)?
                .map(ToOwned::to_owned),
            iface_prefix: options
                .interface(key::IFACE_PREFIX, check_interface_prefix)?
                .unwrap_or(IFACE_PREFIX)
                .to_owned(),
            order: if flag(key::IPAM_SERIAL, false)? {
                AllocationOrder::Serial
            } else {
                AllocationOrder::LowestFree
            },
            mtu: mtu(options)?,
            ageing_secs: options
                .number(key::AGEING, 1..=AGEING_SECS_MAX, "seconds")?
                .unwrap_or(AGEING_SECS),
            fdb_limit: options
                .number(key::FDB_LIMIT, 1..=FDB_LIMIT_MAX, "addresses")?
                .unwrap_or(FDB_LIMIT),
            snooping: flag(key::SNOOPING, false)?,
            offload: flag(key::OFFLOAD, true)?,
            anti_spoof: flag(key::ANTI_SPOOF, true)?,
            storm_pps: options
                .number(key::STORM_LIMIT, 0..=STORM_PPS_MAX, "frames a second")?
                .filter(|limit| *limit > 0),
        })
    }

    /// Refuses an MTU that IPv6 cannot live with.
    pub(in crate::driver) fn check_mtu_for(&self, ipv6: bool) -> Result<(), OptionError> {
        match self.mtu {
            Some(mtu) if ipv6 && mtu < MTU_MIN_V6 => Err(OptionError::Conflict {
                key: key::MTU,
                value: mtu.to_string(),
                other: "IPv6",
                hint: "use 1280 or more",
            }),
            _ => Ok(()),
        }
    }

    /// Whether the network is to have no gateway of `family`.
    pub(in crate::driver) const fn is_isolated(&self, family: Family) -> bool {
        let policy = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        matches!(policy.mode, GatewayMode::Isolated)
    }
}

fn mode(
    options: Options<'_>,
    key: &'static str,
    internal: bool,
) -> Result<GatewayMode, OptionError> {
    match options.choice(key, &MODES)?.unwrap_or_default() {
        GatewayMode::Isolated if !internal => Err(OptionError::Conflict {
            key,
            value: "isolated".to_owned(),
            other: "a network that has a way out",
            hint: "add --internal",
        }),
        mode => Ok(mode),
    }
}

fn source_v4(options: Options<'_>) -> Result<Option<IpAddr>, OptionError> {
    let expected = "an IPv4 address of the host";
    let source: Option<Ipv4Addr> = options.address(key::HOST_IPV4, expected)?;
    checked_source(key::HOST_IPV4, source.map(IpAddr::V4), expected)
}

fn source_v6(options: Options<'_>) -> Result<Option<IpAddr>, OptionError> {
    let expected = "an IPv6 address of the host";
    let source: Option<Ipv6Addr> = options.address(key::HOST_IPV6, expected)?;
    checked_source(key::HOST_IPV6, source.map(IpAddr::V6), expected)
}

/// What nobody outside could answer to is refused.
fn checked_source(
    key: &'static str,
    source: Option<IpAddr>,
    expected: &str,
) -> Result<Option<IpAddr>, OptionError> {
    let unusable = |ip: &IpAddr| ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
    match source.filter(unusable) {
        Some(ip) => Err(invalid(key, &ip.to_string(), expected)),
        None => Ok(source),
    }
}

fn route_to(options: Options<'_>, internal: bool) -> Result<BTreeSet<String>, OptionError> {
    let value = options.text(key::ROUTE_TO).unwrap_or_default();
    if value.is_empty() {
        return Ok(BTreeSet::new());
    }
    if internal {
        return Err(OptionError::Conflict {
            key: key::ROUTE_TO,
            value: value.to_owned(),
            other: "a network without a way out",
            hint: "leave out one of it and --internal",
        });
    }
    let names = value.split(',').map(str::trim);
    names
        .map(|name| match name {
            "" => Err(invalid(
                key::ROUTE_TO,
                value,
                "names of networks with commas between them",
            )),
            name => Ok(name.to_owned()),
        })
        .collect()
}

fn mtu(options: Options<'_>) -> Result<Option<u16>, OptionError> {
    // Docker's 0 asks for the default.
    if options.text(key::MTU) == Some("0") {
        return Ok(None);
    }
    options.number(key::MTU, MTU_MIN..=MTU_MAX, "bytes, or 0 for the default")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)], internal: bool) -> Result<SwitchOptions, OptionError> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        SwitchOptions::parse(Options(&given.iter().map(owned).collect()), internal)
    }

    fn parse(key: &str, value: &str) -> Result<SwitchOptions, OptionError> {
        read(&[(key, value)], false)
    }

    #[test]
    fn harmless_defaults_change_nothing() {
        let plain = read(&[], false).unwrap();
        for (key, value) in [
            (key::ENABLE_IP_MASQUERADE, "true"),
            (key::GATEWAY_MODE_IPV4, "nat"),
            (key::GATEWAY_MODE_IPV6, "nat"),
            (key::HOST_IPV4, ""),
            (key::HOST_IPV6, ""),
            (key::HOST_BINDING_IPV4, ""),
            (key::GATEWAY_MODE_IPV4, ""),
            (key::NAT_FILTERING, "address-dependent"),
            (key::ROUTE_TO, ""),
            (key::MTU, "0"),
            (key::IFACE_PREFIX, "eth"),
            (key::STORM_LIMIT, "0"),
        ] {
            assert_eq!(parse(key, value), Ok(plain.clone()), "{key}={value}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (key, value) in [
            (key::MTU, "67"),
            (key::MTU, "65522"),
            (key::MTU, "-1"),
            (key::AGEING, "0"),
            (key::AGEING, "1000001"),
            (key::FDB_LIMIT, "0"),
            (key::STORM_LIMIT, "many"),
            (key::BRIDGE_NAME, "a-name-too-long-for-linux"),
            (key::IFACE_PREFIX, "interface/"),
            (key::ENABLE_IP_MASQUERADE, "maybe"),
            (key::HOST_BINDING_IPV4, "localhost"),
            (key::GATEWAY_MODE_IPV4, "bridged"),
            (key::HOST_IPV4, "2001:db8::1"),
            (key::HOST_IPV4, "127.0.0.1"),
            (key::HOST_IPV6, "192.0.2.1"),
            (key::HOST_IPV6, "ff02::1"),
            (key::NAT_FILTERING, "none"),
            (key::ROUTE_TO, "db,,web"),
        ] {
            let error = parse(key, value).unwrap_err();
            assert!(
                matches!(
                    error,
                    OptionError::Invalid { .. } | OptionError::InterfaceName { .. }
                ),
                "{key}={value}: {error}"
            );
        }
    }

    #[test]
    fn the_policy_is_read() {
        let options = [
            (key::ENABLE_IP_MASQUERADE, "false"),
            (key::HOST_BINDING_IPV4, "::1"),
            (key::GATEWAY_MODE_IPV4, "routed"),
            (key::GATEWAY_MODE_IPV6, "nat-unprotected"),
            (key::HOST_IPV4, "192.0.2.1"),
            (key::HOST_IPV6, "2001:db8::1"),
            (key::NAT_FILTERING, "endpoint-independent"),
            (key::ROUTE_TO, "db, web,db"),
        ];
        let options = read(&options, false).unwrap();
        let policy = |mode, source: &str| FamilyPolicy {
            mode,
            masquerade: false,
            source: Some(source.parse().unwrap()),
        };
        assert_eq!(options.v4, policy(GatewayMode::Routed, "192.0.2.1"));
        assert_eq!(
            options.v6,
            policy(GatewayMode::NatUnprotected, "2001:db8::1")
        );
        assert_eq!(options.filtering, Filtering::EndpointIndependent);
        assert_eq!(options.host_binding, Some("::1".parse().unwrap()));
        let names: Vec<&str> = options.route_to.iter().map(String::as_str).collect();
        assert_eq!(names, ["db", "web"]);
    }

    #[test]
    fn ipv6_wants_1280_bytes() {
        let options = parse(key::MTU, "1279").unwrap();
        assert!(options.check_mtu_for(false).is_ok());
        assert!(options.check_mtu_for(true).is_err());
    }

    #[test]
    fn an_internal_network_routes_nowhere() {
        let error = read(&[(key::ROUTE_TO, "db")], true).unwrap_err();
        assert!(matches!(error, OptionError::Conflict { .. }), "{error}");
    }

    #[test]
    fn isolation_is_for_internal_networks() {
        let isolated = [(key::GATEWAY_MODE_IPV4, "isolated")];
        assert!(read(&isolated, true).unwrap().is_isolated(Family::V4));
        assert_eq!(
            read(&isolated, false).unwrap_err().to_string(),
            "option com.docker.network.bridge.gateway_mode_ipv4=isolated does not go with a network \
             that has a way out; add --internal"
        );
    }
}
