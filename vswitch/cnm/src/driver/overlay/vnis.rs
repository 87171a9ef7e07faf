//! The numbers of an overlay network's segments (RFC 7348 section 5).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use vswitch_vxlan::Vni;

use super::network_options::NetworkOptions;
use crate::driver::DriverName;
use crate::error::{Error, OverlayError};
use crate::network::Network;
use crate::option_key as key;
use crate::options::{OptionError, Options, invalid};

/// The numbers that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// For a network of one segment.
    One(u32),
    /// For each segment.
    Each(Vec<u32>),
}

/// Linux takes 0 as well, which is the value of a header that nobody filled in.
const VNIS: RangeInclusive<u32> = 1..=Vni::LAST.get();

impl Wish {
    pub(super) fn parse(options: Options<'_>) -> Result<Option<Self>, OptionError> {
        let one = options.number(key::VNI, VNIS, "")?;
        let each = options.filled(key::VXLANID_LIST).map(list).transpose()?;
        match (one, each) {
            (Some(vni), Some(_)) => Err(OptionError::Conflict {
                key: key::VNI,
                value: vni.to_string(),
                other: key::VXLANID_LIST,
                hint: "leave one of the two out",
            }),
            (one, each) => Ok(one.map(Self::One).or(each.map(Self::Each))),
        }
    }

    /// The numbers of as many segments.
    fn of(&self, segments: usize) -> Result<Vec<u32>, OptionError> {
        match self {
            Self::One(vni) if segments == 1 => Ok(vec![*vni]),
            Self::One(vni) => Err(OptionError::Conflict {
                key: key::VNI,
                value: vni.to_string(),
                other: "several subnets, which need a number each",
                hint: "use com.docker.network.driver.overlay.vxlanid_list",
            }),
            Self::Each(vnis) if vnis.len() == segments => Ok(vnis.clone()),
            Self::Each(vnis) => {
                let value: Vec<String> = vnis.iter().map(ToString::to_string).collect();
                let expected = match segments {
                    1 => "one number, for the network's one segment".to_owned(),
                    _ => format!("{segments} numbers, one for each of the network's segments"),
                };
                Err(invalid(key::VXLANID_LIST, &value.join(","), &expected))
            }
        }
    }
}

/// The numbers asked for, or else the lowest that are free from [`Vni::FIRST`].
pub(super) fn choose(
    network: &Network,
    options: &NetworkOptions,
    others: &[&Network],
) -> Result<Vec<u32>, Error> {
    let segments = network.segments().len();
    if let Some(wish) = &options.vnis {
        return Ok(wish.of(segments)?);
    }
    let taken = taken(options.port, others)?;
    let free = (Vni::FIRST.get()..=Vni::LAST.get()).filter(|vni| !taken.contains_key(vni));
    let vnis: Vec<u32> = free.take(segments).collect();
    if vnis.len() < segments {
        return Err(OverlayError::VnisExhausted { port: options.port }.into());
    }
    Ok(vnis)
}

/// Checks that each segment has a number that no other has.
pub(super) fn check(
    network: &Network,
    options: &NetworkOptions,
    others: &[&Network],
) -> Result<(), Error> {
    let vnis = network.vnis();
    let distinct: BTreeSet<u32> = vnis.iter().copied().collect();
    if vnis.len() != network.segments().len()
        || distinct.len() != vnis.len()
        || !distinct.iter().all(|vni| VNIS.contains(vni))
    {
        return Err(OverlayError::VniRecord {
            network: network.name.clone(),
        }
        .into());
    }
    let taken = taken(options.port, others)?;
    match vnis.iter().find_map(|vni| taken.get_key_value(vni)) {
        None => Ok(()),
        Some((&vni, &owner)) => Err(Error::Overlay(OverlayError::VniTaken {
            vni,
            port: options.port,
            network: owner.to_owned(),
        })),
    }
}

/// The numbers that other networks have on a UDP port, and which networks: one socket tells them apart by
/// nothing else.
pub(super) fn taken<'a>(
    port: u16,
    others: &[&'a Network],
) -> Result<BTreeMap<u32, &'a str>, Error> {
    let mut taken = BTreeMap::new();
    for other in others {
        if other.driver == DriverName::Overlay && super::options(other)?.port == port {
            taken.extend(other.vnis().iter().map(|vni| (*vni, other.name.as_str())));
        }
    }
    Ok(taken)
}

fn list(value: &str) -> Result<Vec<u32>, OptionError> {
    let mut vnis = Vec::new();
    for text in value.split(',') {
        match text.trim().parse() {
            Ok(vni) if VNIS.contains(&vni) && !vnis.contains(&vni) => vnis.push(vni),
            _ => {
                let (low, high) = (VNIS.start(), VNIS.end());
                let expected =
                    format!("different numbers from {low} to {high} with commas between them");
                return Err(invalid(key::VXLANID_LIST, value, &expected));
            }
        }
    }
    Ok(vnis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(given: &[(&str, &str)]) -> Result<Option<Wish>, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Wish::parse(Options(&given.iter().map(owned).collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_are_24_bits_and_not_0() {
        for (value, vni) in [("1", 1), ("4097", 4097), ("16777215", 16_777_215)] {
            assert_eq!(wish(&[(key::VNI, value)]), Ok(Some(Wish::One(vni))));
            assert_eq!(
                wish(&[(key::VXLANID_LIST, value)]),
                Ok(Some(Wish::Each(vec![vni])))
            );
        }
        for value in ["0", "16777216", "-1", "x"] {
            assert_eq!(
                wish(&[(key::VNI, value)]),
                Err(format!(
                    "option vni={value}: the value must be 1 to 16777215"
                ))
            );
            assert!(wish(&[(key::VXLANID_LIST, value)]).is_err(), "{value}");
        }
    }

    #[test]
    fn a_list_has_a_number_for_each_segment() {
        let key = key::VXLANID_LIST;
        let each = wish(&[(key, "4097, 4098")]).unwrap().unwrap();
        assert_eq!(each.of(2), Ok(vec![4097, 4098]));
        for (segments, expected) in [
            (1, "one number, for the network's one segment"),
            (3, "3 numbers, one for each of the network's segments"),
        ] {
            assert_eq!(
                each.of(segments).unwrap_err().to_string(),
                format!("option {key}=4097,4098: the value must be {expected}")
            );
        }
        assert_eq!(
            wish(&[(key, "4097,4097")]),
            Err(format!(
                "option {key}=4097,4097: the value must be different numbers from 1 to 16777215 with \
                 commas between them"
            ))
        );
    }

    #[test]
    fn one_number_is_for_one_segment_and_given_once() {
        let one = wish(&[(key::VNI, "7")]).unwrap().unwrap();
        assert_eq!(one.of(1), Ok(vec![7]));
        assert_eq!(
            one.of(2).unwrap_err().to_string(),
            "option vni=7 does not go with several subnets, which need a number each; use \
             com.docker.network.driver.overlay.vxlanid_list"
        );
        assert_eq!(
            wish(&[(key::VNI, "7"), (key::VXLANID_LIST, "7")]),
            Err(
                "option vni=7 does not go with com.docker.network.driver.overlay.vxlanid_list; leave \
                 one of the two out"
                    .to_owned()
            )
        );
    }
}
