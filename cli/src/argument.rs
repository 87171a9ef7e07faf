//! Arguments with a form of their own: `KEY=VALUE`, `NAME=IP`, subnets.

use std::ffi::OsStr;
use std::net::IpAddr;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};
use ipnet::IpNet;

/// The option that Docker has without a value (`docker network create -d overlay -o encrypted`).
const BARE_OPTION: &str = "encrypted";

/// Who gives out addresses: any name, as it may be a plugin's; completions know the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IpamDriver;

impl TypedValueParser for IpamDriver {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        text: &OsStr,
    ) -> Result<String, Error> {
        NonEmptyStringValueParser::new().parse_ref(command, argument, text)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = ["default", "dhcp", "given"];
        Some(Box::new(names.into_iter().map(PossibleValue::new)))
    }
}

/// `KEY=VALUE`; the value may be empty and may hold further `=`.
pub(crate) fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        None if text == BARE_OPTION => Ok((text.to_owned(), String::new())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

/// `KEY=VALUE` or `KEY`, which has an empty value.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=').unwrap_or((text, "")) {
        ("", _) => Err("write it as KEY=VALUE or KEY".to_owned()),
        (key, value) => Ok((key.to_owned(), value.to_owned())),
    }
}

/// `NAME=IP`.
pub(crate) fn aux_address(text: &str) -> Result<(String, IpAddr), String> {
    let wrong = || "write it as NAME=IP, such as nas=10.20.0.9".to_owned();
    let (name, address) = text.split_once('=').ok_or_else(wrong)?;
    let address = address.parse().map_err(|_| wrong())?;
    if name.is_empty() {
        return Err(wrong());
    }
    Ok((name.to_owned(), address))
}

/// A subnet in CIDR notation. Bits after the prefix are left for the daemon to judge.
pub(crate) fn subnet(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| {
        let what = if text.contains('/') {
            "not a subnet"
        } else {
            "the prefix length is missing"
        };
        format!("{what}: write it as ADDRESS/LENGTH, such as 10.20.0.0/16 or fd00:20::/64")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        assert_eq!(option("a=b=c"), Ok(pair("a", "b=c")));
        assert_eq!(option("a="), Ok(pair("a", "")));
        assert_eq!(option("encrypted"), Ok(pair("encrypted", "")));
        assert!(option("a").is_err());
        assert!(option("=b").is_err());
    }

    #[test]
    fn labels_need_no_value() {
        assert_eq!(label("tier"), Ok(pair("tier", "")));
        assert_eq!(label("tier=front"), Ok(pair("tier", "front")));
        assert!(label("").is_err());
        assert!(label("=x").is_err());
    }

    #[test]
    fn auxiliary_addresses_are_named() {
        let nas = ("nas".to_owned(), "fd00::9".parse().unwrap());
        assert_eq!(aux_address("nas=fd00::9"), Ok(nas));
        for wrong in ["nas", "=10.0.0.1", "nas=", "nas=10.0.0.0/8"] {
            assert!(aux_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_subnet_without_length_is_told_so() {
        assert!(subnet("10.0.0.0").unwrap_err().contains("missing"));
        assert!(subnet("10.0.0.0/33").unwrap_err().contains("not a subnet"));
        assert_eq!(subnet("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
    }
}
