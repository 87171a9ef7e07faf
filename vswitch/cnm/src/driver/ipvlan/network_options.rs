//! The options of an ipvlan network.

use std::collections::BTreeMap;

use crate::driver::lan::LanOptions;
use crate::driver::{DriverName, macvlan};
use crate::lan::{LanFace, LanMode};
use crate::option_key as key;
use crate::options::{OptionError, Options};

/// The options, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) struct NetworkOptions {
    /// Its mode is the flag.
    pub(in crate::driver) lan: LanOptions,
    pub(in crate::driver) layer: Layer,
}

/// How far up the parent looks to find an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::driver) enum Layer {
    /// Endpoints are on the parent's network, and ask there by ARP and ND.
    #[default]
    Link,
    /// They are routed to it. In Linux `l3` and `l3s` differ in which netfilter hooks of the host see their
    /// packets (Documentation/networking/ipvlan.rst); here both go through the same router, and none do.
    Routed,
}

/// The keys that no other driver has.
pub(in crate::driver) const OWN: &[&str] = &[key::IPVLAN_MODE, key::IPVLAN_FLAG];

const MODES: [(&str, Layer); 3] = [
    ("l2", Layer::Link),
    ("l3", Layer::Routed),
    ("l3s", Layer::Routed),
];

const FLAGS: [(&str, LanMode); 3] = [
    ("bridge", LanMode::Bridge),
    ("private", LanMode::Private),
    ("vepa", LanMode::Vepa),
];

impl NetworkOptions {
    pub(super) fn parse(
        options: &BTreeMap<String, String>,
        internal: bool,
    ) -> Result<Self, OptionError> {
        let options = Options(options);
        let sibling = (DriverName::Macvlan, macvlan::OWN);
        let common = LanOptions::parse(options, internal, OWN, sibling)?;
        let layer = options
            .choice(key::IPVLAN_MODE, &MODES)?
            .unwrap_or_default();
        let flag = options
            .choice(key::IPVLAN_FLAG, &FLAGS)?
            .unwrap_or_default();
        if layer == Layer::Routed {
            check_routed(&common, flag)?;
        }
        Ok(Self {
            lan: LanOptions {
                mode: flag,
                face: LanFace::Shared,
                ..common
            },
            layer,
        })
    }
}

fn check_routed(common: &LanOptions, flag: LanMode) -> Result<(), OptionError> {
    let conflict = |key, value: &str, other, hint| {
        Err(OptionError::Conflict {
            key,
            value: value.to_owned(),
            other,
            hint,
        })
    };
    if flag == LanMode::Vepa {
        let other = "ipvlan mode l3: packets between endpoints would leave by the parent for a router to send \
                     back, and their router is this host itself";
        return conflict(key::IPVLAN_FLAG, "vepa", other, "use bridge or private");
    }
    if common.host_access {
        let other = "ipvlan mode l3, whose endpoints and the host do not reach each other";
        return conflict(key::HOST_ACCESS, "true", other, "leave it out");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<NetworkOptions, OptionError> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        NetworkOptions::parse(&given.iter().map(owned).collect(), false)
    }

    #[test]
    fn modes_and_flags_are_read() {
        for (given, layer, mode) in [
            (&[][..], Layer::Link, LanMode::Bridge),
            (&[(key::IPVLAN_MODE, "")], Layer::Link, LanMode::Bridge),
            (&[(key::IPVLAN_MODE, "l2")], Layer::Link, LanMode::Bridge),
            (&[(key::IPVLAN_MODE, "l3")], Layer::Routed, LanMode::Bridge),
            (&[(key::IPVLAN_MODE, "l3s")], Layer::Routed, LanMode::Bridge),
            (&[(key::IPVLAN_FLAG, "vepa")], Layer::Link, LanMode::Vepa),
            (
                &[(key::IPVLAN_MODE, "l3"), (key::IPVLAN_FLAG, "private")],
                Layer::Routed,
                LanMode::Private,
            ),
        ] {
            let options = read(given).unwrap();
            assert_eq!(
                (options.layer, options.lan.mode),
                (layer, mode),
                "{given:?}"
            );
            assert_eq!(options.lan.face, LanFace::Shared);
        }
    }

    #[test]
    fn refusals_say_what_and_why() {
        for (given, message) in [
            (
                &[(key::IPVLAN_MODE, "l4")][..],
                "option ipvlan_mode=l4: the value must be l2, l3 or l3s",
            ),
            (
                &[(key::IPVLAN_FLAG, "passthru")],
                "option ipvlan_flag=passthru: the value must be bridge, private or vepa",
            ),
            (
                &[(key::IPVLAN_MODE, "l3s"), (key::IPVLAN_FLAG, "vepa")],
                "option ipvlan_flag=vepa does not go with ipvlan mode l3: packets between endpoints would \
                 leave by the parent for a router to send back, and their router is this host itself; use \
                 bridge or private",
            ),
            (
                &[(key::IPVLAN_MODE, "l3"), (key::HOST_ACCESS, "true")],
                "option host_access=true does not go with ipvlan mode l3, whose endpoints and the host do \
                 not reach each other; leave it out",
            ),
            (
                &[(key::MAC_NAT, "true")],
                "option mac_nat is for macvlan networks; leave it out, or choose driver macvlan",
            ),
        ] {
            assert_eq!(
                read(given).map_err(|error| error.to_string()),
                Err(message.to_owned())
            );
        }
    }
}
