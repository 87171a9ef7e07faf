//! The options of a macvlan network.

use std::collections::BTreeMap;

use crate::driver::lan::{self, LanOptions};
use crate::driver::{DriverName, ipvlan};
use crate::lan::{LanFace, LanMode};
use crate::option_key as key;
use crate::options::{OptionError, Options};

/// The keys that no other driver has.
pub(in crate::driver) const OWN: &[&str] = &[key::MACVLAN_MODE, key::MAC_NAT];

const MODES: [(&str, LanMode); 4] = [
    ("bridge", LanMode::Bridge),
    ("private", LanMode::Private),
    ("vepa", LanMode::Vepa),
    ("passthru", LanMode::Passthru),
];

pub(super) fn parse(
    options: &BTreeMap<String, String>,
    internal: bool,
) -> Result<LanOptions, OptionError> {
    let options = Options(options);
    let sibling = (DriverName::Ipvlan, ipvlan::OWN);
    let common = LanOptions::parse(options, internal, OWN, sibling)?;
    let mode = options
        .choice(key::MACVLAN_MODE, &MODES)?
        .unwrap_or_default();
    let translated = options.flag(key::MAC_NAT)?.unwrap_or(false);
    if translated {
        check_translated(mode)?;
    }
    if mode == LanMode::Passthru {
        check_passthru(options, &common)?;
    }
    Ok(LanOptions {
        mode,
        face: if translated {
            LanFace::Translated
        } else {
            LanFace::Own
        },
        ..common
    })
}

fn check_translated(mode: LanMode) -> Result<(), OptionError> {
    let other = match mode {
        LanMode::Bridge => return Ok(()),
        LanMode::Private => "mode private",
        LanMode::Vepa => "mode vepa",
        LanMode::Passthru => "mode passthru",
    };
    Err(OptionError::Conflict {
        key: key::MAC_NAT,
        value: "true".to_owned(),
        other,
        hint: "use macvlan_mode=bridge, or leave the option out",
    })
}

fn check_passthru(options: Options<'_>, common: &LanOptions) -> Result<(), OptionError> {
    if common.host_access {
        return Err(OptionError::Conflict {
            key: key::HOST_ACCESS,
            value: "true".to_owned(),
            other: "mode passthru, which has no room for a second port",
            hint: "leave one of it and macvlan_mode out",
        });
    }
    match options.flag(key::ANTI_SPOOF)? {
        Some(true) => Err(lan::unchecked()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<LanOptions, OptionError> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        parse(&given.iter().map(owned).collect(), false)
    }

    #[test]
    fn modes_and_faces_are_read() {
        for (given, mode, face) in [
            (&[][..], LanMode::Bridge, LanFace::Own),
            (&[(key::MACVLAN_MODE, "")], LanMode::Bridge, LanFace::Own),
            (
                &[(key::MACVLAN_MODE, "bridge")],
                LanMode::Bridge,
                LanFace::Own,
            ),
            (
                &[(key::MACVLAN_MODE, "private")],
                LanMode::Private,
                LanFace::Own,
            ),
            (&[(key::MACVLAN_MODE, "vepa")], LanMode::Vepa, LanFace::Own),
            (
                &[(key::MACVLAN_MODE, "passthru")],
                LanMode::Passthru,
                LanFace::Own,
            ),
            (
                &[(key::MAC_NAT, "true")],
                LanMode::Bridge,
                LanFace::Translated,
            ),
            (&[(key::MAC_NAT, "false")], LanMode::Bridge, LanFace::Own),
            (
                &[(key::MACVLAN_MODE, "passthru"), (key::ANTI_SPOOF, "false")],
                LanMode::Passthru,
                LanFace::Own,
            ),
        ] {
            let options = read(given).unwrap();
            assert_eq!((options.mode, options.face), (mode, face), "{given:?}");
        }
    }

    #[test]
    fn refusals_say_what_and_why() {
        for (given, message) in [
            (
                &[(key::MACVLAN_MODE, "source")][..],
                "option macvlan_mode=source: the value must be bridge, private, vepa or passthru",
            ),
            (
                &[(key::MACVLAN_MODE, "vepa"), (key::MAC_NAT, "true")],
                "option mac_nat=true does not go with mode vepa; use macvlan_mode=bridge, or leave \
                 the option out",
            ),
            (
                &[(key::MACVLAN_MODE, "passthru"), (key::MAC_NAT, "true")],
                "option mac_nat=true does not go with mode passthru; use macvlan_mode=bridge, or leave \
                 the option out",
            ),
            (
                &[(key::MACVLAN_MODE, "passthru"), (key::HOST_ACCESS, "true")],
                "option host_access=true does not go with mode passthru, which has no room for a second \
                 port; leave one of it and macvlan_mode out",
            ),
            (
                &[(key::MACVLAN_MODE, "passthru"), (key::ANTI_SPOOF, "1")],
                "option vswitch.anti-spoof=true does not go with mode passthru, whose endpoint may send \
                 from any address; leave it out",
            ),
            (
                &[(key::IPVLAN_FLAG, "bridge")],
                "option ipvlan_flag is for ipvlan networks; leave it out, or choose driver ipvlan",
            ),
        ] {
            assert_eq!(
                read(given).map_err(|error| error.to_string()),
                Err(message.to_owned())
            );
        }
    }
}
