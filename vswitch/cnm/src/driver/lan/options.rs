//! The options that networks on a NIC share.

use vswitch_packet::VlanId;

use crate::driver::switched::SwitchOptions;
use crate::driver::{DriverName, bridge, overlay};
use crate::lan::{LanFace, LanMode};
use crate::option_key as key;
use crate::options::{OptionError, Options};

/// The options, typed; mode and face are the driver's matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) struct LanOptions {
    pub(in crate::driver) switch: SwitchOptions,
    /// As given: a NIC, or one and a VLAN.
    pub(in crate::driver) parent: Option<String>,
    pub(in crate::driver) vlan: Option<VlanId>,
    /// Whether the VLAN's tag is a service tag.
    pub(in crate::driver) service: bool,
    pub(in crate::driver) mode: LanMode,
    pub(in crate::driver) face: LanFace,
    pub(in crate::driver) host_access: bool,
    pub(in crate::driver) dad: bool,
}

/// The keys that both drivers have, and no other.
pub(in crate::driver) const OWN: &[&str] = &[
    key::PARENT,
    key::PARENT_VLAN,
    key::VLAN_PROTOCOL,
    key::HOST_ACCESS,
    key::DAD,
];

/// The keys of all switched networks that make sense without a gateway and without learning.
const SWITCHED: &[&str] = &[
    key::MTU,
    key::IFACE_PREFIX,
    key::ENABLE_IPV4,
    key::ENABLE_IPV6,
    key::IPAM_SERIAL,
    key::OFFLOAD,
    key::ANTI_SPOOF,
    key::STORM_LIMIT,
];

/// The rest of them.
const NOT_HERE: &[&str] = &[
    key::BRIDGE_NAME,
    key::ENABLE_IP_MASQUERADE,
    key::HOST_BINDING_IPV4,
    key::GATEWAY_MODE_IPV4,
    key::GATEWAY_MODE_IPV6,
    key::HOST_IPV4,
    key::HOST_IPV6,
    key::AGEING,
    key::FDB_LIMIT,
    key::SNOOPING,
    key::NAT_FILTERING,
    key::ROUTE_TO,
];

const PROTOCOLS: [(&str, bool); 2] = [("802.1Q", false), ("802.1ad", true)];

impl LanOptions {
    /// Reads the options among all that are given; `own` are the keys that the driver has beside, and
    /// `others` those of its sibling.
    pub(in crate::driver) fn parse(
        options: Options<'_>,
        internal: bool,
        own: &'static [&'static str],
        (sibling, others): (DriverName, &'static [&'static str]),
    ) -> Result<Self, OptionError> {
        options.check_driver(DriverName::Bridge, bridge::OWN)?;
        options.check_driver(DriverName::Bridge, NOT_HERE)?;
        options.check_driver(DriverName::Overlay, overlay::OWN)?;
        options.check_driver(sibling, others)?;
        options.check_known(&[SWITCHED, OWN, own])?;
        Ok(Self {
            switch: SwitchOptions::parse(options, internal)?,
            parent: options.filled(key::PARENT).map(ToOwned::to_owned),
            vlan: options
                .number(key::PARENT_VLAN, 1..=4094, "")?
                .and_then(VlanId::new),
            service: options
                .choice(key::VLAN_PROTOCOL, &PROTOCOLS)?
                .unwrap_or(false),
            mode: LanMode::Bridge,
            face: LanFace::Own,
            host_access: options.flag(key::HOST_ACCESS)?.unwrap_or(false),
            dad: options.flag(key::DAD)?.unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SIBLING: (DriverName, &[&str]) = (DriverName::Ipvlan, &[key::IPVLAN_MODE]);

    fn read(given: &[(&str, &str)]) -> Result<LanOptions, OptionError> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let given: BTreeMap<String, String> = given.iter().map(owned).collect();
        LanOptions::parse(Options(&given), false, &[key::MAC_NAT], SIBLING)
    }

    #[test]
    fn harmless_defaults_change_nothing() {
        let plain = read(&[]).unwrap();
        assert_eq!((plain.parent.as_deref(), plain.vlan), (None, None));
        assert!(plain.dad && !plain.host_access && !plain.service);
        for (key, value) in [
            (key::PARENT, ""),
            (key::VLAN_PROTOCOL, "802.1Q"),
            (key::VLAN_PROTOCOL, ""),
            (key::HOST_ACCESS, "false"),
            (key::DAD, "true"),
            (key::MTU, "0"),
            (key::IFACE_PREFIX, "eth"),
            (key::OFFLOAD, "true"),
        ] {
            assert_eq!(read(&[(key, value)]), Ok(plain.clone()), "{key}={value}");
        }
    }

    #[test]
    fn options_are_read() {
        let options = read(&[
            (key::PARENT, "eth0"),
            (key::PARENT_VLAN, "4094"),
            (key::VLAN_PROTOCOL, "802.1ad"),
            (key::HOST_ACCESS, "1"),
            (key::DAD, "false"),
            (key::STORM_LIMIT, "9"),
        ])
        .unwrap();
        assert_eq!(options.parent.as_deref(), Some("eth0"));
        assert_eq!(options.vlan.map(VlanId::get), Some(4094));
        assert!(options.service && options.host_access && !options.dad);
        assert_eq!(options.switch.storm_pps, Some(9));
    }

    #[test]
    fn refusals_say_what_and_why() {
        for (given, message) in [
            (
                (key::PARENT_VLAN, "0"),
                "option vlan=0: the value must be 1 to 4094",
            ),
            (
                (key::PARENT_VLAN, "4095"),
                "option vlan=4095: the value must be 1 to 4094",
            ),
            (
                (key::VLAN_PROTOCOL, "802.1q"),
                "option vlan_protocol=802.1q: the value must be 802.1Q or 802.1ad",
            ),
            (
                (key::HOST_ACCESS, "yes"),
                "option host_access=yes: the value must be true or false",
            ),
            (
                (key::DAD, ""),
                "option dad=: the value must be true or false",
            ),
            (
                (key::ENABLE_ICC, "true"),
                "option com.docker.network.bridge.enable_icc is for bridge networks; leave it out, or \
                 choose driver bridge",
            ),
            (
                (key::ROUTE_TO, "db"),
                "option vswitch.route-to is for bridge networks; leave it out, or choose driver bridge",
            ),
            (
                (key::VNI, "7"),
                "option vni is for overlay networks; leave it out, or choose driver overlay",
            ),
            (
                (key::IPVLAN_MODE, "l2"),
                "option ipvlan_mode is for ipvlan networks; leave it out, or choose driver ipvlan",
            ),
            (
                ("parnt", "eth0"),
                "unknown option \"parnt\"; did you mean parent?",
            ),
        ] {
            assert_eq!(
                read(&[given]).map_err(|error| error.to_string()),
                Err(message.to_owned())
            );
        }
    }
}
