//! Reading `-o KEY=VALUE`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::driver::DriverName;
use crate::error::PeerError;
use crate::interface_name::InterfaceNameError;

/// Why an option is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// Nobody understands the key.
    #[error("unknown option {key:?}{}", suggestion(.nearest))]
    Unknown {
        /// The key given.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// Networks of another driver have it.
    #[error("option {key} is for {driver} networks; leave it out, or choose driver {driver}")]
    OtherDriver {
        /// The key.
        key: &'static str,
        /// The driver.
        driver: DriverName,
    },
    /// An address that cannot be a peer's.
    #[error("option {key}: {source}")]
    Peer {
        /// The key.
        key: &'static str,
        /// Why it cannot.
        source: PeerError,
    },
    /// The value is none for this key.
    #[error("option {key}={value}: the value must be {expected}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// Docker has it, and this version has not.
    #[error("option {key}={value} is not available in this version; {hint}")]
    Unavailable {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What works instead.
        hint: String,
    },
    /// The value names an interface, and cannot.
    #[error("option {key}: {source}")]
    InterfaceName {
        /// The key.
        key: &'static str,
        /// Why it cannot.
        source: InterfaceNameError,
    },
    /// Two things asked for exclude each other.
    #[error("option {key}={value} does not go with {other}; {hint}")]
    Conflict {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What it excludes.
        other: &'static str,
        /// What to do.
        hint: &'static str,
    },
}

/// Options as given, to be read by key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'a>(pub(crate) &'a BTreeMap<String, String>);

impl<'a> Options<'a> {
    /// The value of `key`, if given.
    pub(crate) fn text(self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(String::as_str)
    }

    /// A truth value, as Go's `strconv.ParseBool` reads it.
    pub(crate) fn flag(self, key: &'static str) -> Result<Option<bool>, OptionError> {
        self.text(key)
            .map(|value| match value {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
                _ => Err(invalid(key, value, "true or false")),
            })
            .transpose()
    }

    /// A number within `range`.
    pub(crate) fn number<T>(
        self,
        key: &'static str,
        range: RangeInclusive<T>,
        unit: &str,
    ) -> Result<Option<T>, OptionError>
    where
        T: FromStr + PartialOrd + std::fmt::Display,
    {
        self.text(key)
            .map(|value| {
                let number = value.parse().ok().filter(|number| range.contains(number));
                number.ok_or_else(|| {
                    let (low, high) = (range.start(), range.end());
                    invalid(key, value, format!("{low} to {high} {unit}").trim_end())
                })
            })
            .transpose()
    }

    /// One of several words; an empty value is none given, as in Docker.
    pub(crate) fn choice<T: Copy>(
        self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, OptionError> {
        let Some(value) = self.filled(key) else {
            return Ok(None);
        };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let expected = match words.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        format!("{} or {last}", rest.join(", "))
                    }
                    _ => words.concat(),
                };
                Err(invalid(key, value, &expected))
            }
        }
    }

    /// An address; an empty value is none given, as in Docker.
    pub(crate) fn address<A: FromStr>(
        self,
        key: &'static str,
        expected: &str,
    ) -> Result<Option<A>, OptionError> {
        self.filled(key)
            .map(|value| value.parse().map_err(|_| invalid(key, value, expected)))
            .transpose()
    }

    /// The value of `key`, if given and not empty.
    pub(crate) fn filled(self, key: &str) -> Option<&'a str> {
        self.text(key).filter(|value| !value.is_empty())
    }

    /// An interface's name, or the beginning of one; `check` says which.
    pub(crate) fn interface(
        self,
        key: &'static str,
        check: fn(&str) -> Result<(), InterfaceNameError>,
    ) -> Result<Option<&'a str>, OptionError> {
        self.text(key)
            .map(|value| match check(value) {
                Ok(()) => Ok(value),
                Err(source) => Err(OptionError::InterfaceName { key, source }),
            })
            .transpose()
    }

    /// Refuses each value of `key` but those that ask for what is the case anyway.
    pub(crate) fn only(self, key: &'static str, available: &[&str]) -> Result<(), OptionError> {
        match self.text(key) {
            Some(value) if !available.contains(&value) => Err(OptionError::Unavailable {
                key,
                value: value.to_owned(),
                hint: match available.iter().find(|value| !value.is_empty()) {
                    Some(value) => format!("leave it out, or use {value}"),
                    None => "leave it out".to_owned(),
                },
            }),
            _ => Ok(()),
        }
    }

    /// Refuses a truth value that is not `available`.
    pub(crate) fn only_flag(self, key: &'static str, available: bool) -> Result<(), OptionError> {
        match self.flag(key)? {
            Some(flag) if flag != available => self.only(key, &[&available.to_string()]),
            _ => Ok(()),
        }
    }

    /// Refuses keys that are not among the `known`, which come in groups.
    pub(crate) fn check_known(self, known: &[&[&'static str]]) -> Result<(), OptionError> {
        let known = known.concat();
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(OptionError::Unknown {
                key: key.clone(),
                nearest: nearest(key, &known),
            }),
        }
    }

    /// Refuses `keys`, which only networks of `driver` have.
    pub(crate) fn check_driver(
        self,
        driver: DriverName,
        keys: &[&'static str],
    ) -> Result<(), OptionError> {
        match keys.iter().find(|key| self.text(key).is_some()) {
            None => Ok(()),
            Some(key) => Err(OptionError::OtherDriver { key, driver }),
        }
    }
}

pub(crate) fn invalid(key: &'static str, value: &str, expected: &str) -> OptionError {
    OptionError::Invalid {
        key,
        value: value.to_owned(),
        expected: expected.to_owned(),
    }
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean {key}?"),
        None => "; leave it out".to_owned(),
    }
}

/// The known key closest to what was typed: by all of it, or by its last part, as in `mtu`.
fn nearest(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let spelt = |key: &str| key.replace('-', "_");
    known
        .iter()
        .map(|key| {
            let whole = spelt(key);
            let last = whole.rsplit('.').next().unwrap_or_default();
            let distance = distance(&typed, &whole).min(distance(&typed, last));
            (distance, *key)
        })
        .min()
        .filter(|(distance, _)| *distance <= typed.len() / 3)
        .map(|(_, key)| key)
}

/// How many bytes to insert, remove or replace to get from one text to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option_key;

    fn map(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn flags_are_gos() {
        for (value, expected) in [("1", true), ("True", true), ("f", false), ("FALSE", false)] {
            assert_eq!(
                Options(&map("k", value)).flag("k"),
                Ok(Some(expected)),
                "{value}"
            );
        }
        for value in ["", "yes", "tRUE", "2"] {
            assert!(Options(&map("k", value)).flag("k").is_err(), "{value}");
        }
        assert_eq!(Options(&map("k", "1")).flag("other"), Ok(None));
    }

    #[test]
    fn numbers_keep_to_their_range() {
        let read = |value| Options(&map("k", value)).number("k", 1_u16..=9, "frames");
        assert_eq!(read("9"), Ok(Some(9)));
        for value in ["0", "10", "-1", "99999999", "", "1.5"] {
            assert!(read(value).is_err(), "{value}");
        }
        assert_eq!(
            read("10").unwrap_err().to_string(),
            "option k=10: the value must be 1 to 9 frames"
        );
    }

    #[test]
    fn choices_are_listed() {
        let words = [("nat", 1), ("routed", 2), ("isolated", 3)];
        let read = |value| Options(&map("k", value)).choice("k", &words);
        assert_eq!((read("routed"), read("")), (Ok(Some(2)), Ok(None)));
        assert_eq!(
            read("NAT").unwrap_err().to_string(),
            "option k=NAT: the value must be nat, routed or isolated"
        );
    }

    #[test]
    fn what_is_not_available_says_what_is() {
        let options = map("k", "routed");
        assert_eq!(
            Options(&options)
                .only("k", &["nat"])
                .unwrap_err()
                .to_string(),
            "option k=routed is not available in this version; leave it out, or use nat"
        );
        assert_eq!(Options(&map("k", "T")).only_flag("k", true), Ok(()));
        assert!(Options(&map("k", "0")).only_flag("k", true).is_err());
        assert!(Options(&map("k", "no")).only_flag("k", true).is_err());
    }

    #[test]
    fn an_unknown_key_gets_the_nearest() {
        let known = [
            option_key::ENABLE_ICC,
            option_key::MTU,
            option_key::STORM_LIMIT,
        ];
        for (typed, nearest) in [
            ("mtu", Some(option_key::MTU)),
            ("enable_icc", Some(option_key::ENABLE_ICC)),
            ("com.docker.network.driver.mut", Some(option_key::MTU)),
            ("vswitch.stormlimit", Some(option_key::STORM_LIMIT)),
            ("parent", None),
        ] {
            assert_eq!(
                Options(&map(typed, "1")).check_known(&[&known]),
                Err(OptionError::Unknown {
                    key: typed.to_owned(),
                    nearest
                }),
            );
        }
        assert_eq!(
            Options(&map("mtu", "1"))
                .check_known(&[&known])
                .unwrap_err()
                .to_string(),
            "unknown option \"mtu\"; did you mean com.docker.network.driver.mtu?"
        );
    }
}
