//! The options of a bridge network.

use std::collections::BTreeMap;

use crate::driver::switched::{self, SwitchOptions};
use crate::driver::{DriverName, lan, overlay};
use crate::option_key as key;
use crate::options::{OptionError, Options};

/// The options, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NetworkOptions {
    pub(super) switch: SwitchOptions,
    pub(super) inhibit_ipv4: bool,
    pub(super) icc: bool,
}

/// The keys that no other driver has.
pub(in crate::driver) const OWN: &[&str] = &[
    key::DEFAULT_BRIDGE,
    key::ENABLE_ICC,
    key::INHIBIT_IPV4,
    key::TRUSTED_HOST_INTERFACES,
];

impl NetworkOptions {
    pub(super) fn parse(
        options: &BTreeMap<String, String>,
        internal: bool,
    ) -> Result<Self, OptionError> {
        let options = Options(options);
        options.check_driver(DriverName::Overlay, overlay::OWN)?;
        lan::check_none(options)?;
        options.check_known(&[switched::KNOWN, OWN])?;
        options.only_flag(key::DEFAULT_BRIDGE, false)?;
        options.only(key::TRUSTED_HOST_INTERFACES, &[""])?;
        Ok(Self {
            switch: SwitchOptions::parse(options, internal)?,
            inhibit_ipv4: options.flag(key::INHIBIT_IPV4)?.unwrap_or(false),
            icc: options.flag(key::ENABLE_ICC)?.unwrap_or(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<NetworkOptions, OptionError> {
        NetworkOptions::parse(&BTreeMap::from([(key.to_owned(), value.to_owned())]), false)
    }

    #[test]
    fn harmless_defaults_change_nothing() {
        let plain = NetworkOptions::parse(&BTreeMap::new(), false).unwrap();
        for (key, value) in [
            (key::DEFAULT_BRIDGE, "false"),
            (key::ENABLE_ICC, "true"),
            (key::INHIBIT_IPV4, "0"),
            (key::TRUSTED_HOST_INTERFACES, ""),
        ] {
            assert_eq!(parse(key, value), Ok(plain.clone()), "{key}={value}");
        }
    }

    #[test]
    fn what_is_not_there_yet_is_refused() {
        for (key, value) in [
            (key::DEFAULT_BRIDGE, "true"),
            (key::TRUSTED_HOST_INTERFACES, "eth1"),
        ] {
            let error = parse(key, value).unwrap_err();
            assert!(matches!(error, OptionError::Unavailable { .. }), "{error}");
        }
        assert!(parse(key::ENABLE_ICC, "yes").is_err());
    }

    #[test]
    fn what_overlay_networks_have_is_told_apart_from_what_nobody_has() {
        assert_eq!(
            parse(key::PEERS, "192.0.2.2").unwrap_err().to_string(),
            "option peers is for overlay networks; leave it out, or choose driver overlay"
        );
        assert_eq!(
            parse("mtu", "1400").unwrap_err().to_string(),
            "unknown option \"mtu\"; did you mean com.docker.network.driver.mtu?"
        );
    }
}
