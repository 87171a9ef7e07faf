//! The options of an endpoint.

use std::collections::BTreeMap;

use vswitch_packet::VlanId;

use super::network_options::STORM_PPS_MAX;
use crate::interface_name::check_interface_name;
use crate::option_key as key;
use crate::options::{OptionError, Options};

/// The options, typed; `None` leaves the matter to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) struct EndpointOptions {
    pub(in crate::driver) ifname: Option<String>,
    pub(in crate::driver) vlan: Option<VlanId>,
    pub(in crate::driver) anti_spoof: Option<bool>,
    /// `Some(None)` lifts the network's limit.
    pub(in crate::driver) storm_pps: Option<Option<u32>>,
}

const KNOWN: &[&str] = &[
    key::IFNAME,
    key::SYSCTLS,
    key::ADVERTISE_NMSGS,
    key::ADVERTISE_MS,
    key::VLAN,
    key::ANTI_SPOOF,
    key::STORM_LIMIT,
];

impl EndpointOptions {
    pub(in crate::driver) fn parse(
        options: &BTreeMap<String, String>,
    ) -> Result<Self, OptionError> {
        let options = Options(options);
        options.check_known(&[KNOWN])?;
        options.only(key::SYSCTLS, &[""])?;
        options.only(key::ADVERTISE_NMSGS, &[])?;
        options.only(key::ADVERTISE_MS, &[])?;
        Ok(Self {
            ifname: options
                .interface(key::IFNAME, check_interface_name)?
                .map(ToOwned::to_owned),
            vlan: options
                .number(key::VLAN, 1..=4094, "")?
                .and_then(VlanId::new),
            anti_spoof: options.flag(key::ANTI_SPOOF)?,
            storm_pps: options
                .number(key::STORM_LIMIT, 0..=STORM_PPS_MAX, "frames a second")?
                .map(|limit| Some(limit).filter(|limit| *limit > 0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<EndpointOptions, OptionError> {
        EndpointOptions::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn options_are_read() {
        assert_eq!(
            parse(key::VLAN, "4094").unwrap().vlan.map(VlanId::get),
            Some(4094)
        );
        assert_eq!(
            parse(key::IFNAME, "net7").unwrap().ifname.as_deref(),
            Some("net7")
        );
        assert_eq!(parse(key::STORM_LIMIT, "0").unwrap().storm_pps, Some(None));
        assert_eq!(
            parse(key::STORM_LIMIT, "9").unwrap().storm_pps,
            Some(Some(9))
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (key, value) in [
            (key::VLAN, "0"),
            (key::VLAN, "4095"),
            (key::ANTI_SPOOF, "maybe"),
            (key::IFNAME, "lo"),
            (key::SYSCTLS, "net.ipv4.conf.IFNAME.log_martians=1"),
            (key::ADVERTISE_NMSGS, "3"),
            (key::MTU, "1400"),
        ] {
            assert!(parse(key, value).is_err(), "{key}={value}");
        }
    }
}
