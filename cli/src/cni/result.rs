//! What ADD answers, in the shape of each version; and what others answered, read back.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Failure, code};
use crate::version::SpecVersion;

/// An attachment as it was made: the specification's "Success".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Success {
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) ips: Vec<Address>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<Route>,
    pub(crate) dns: Dns,
}

/// An interface; without a sandbox it is the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<String>,
    /// Since 1.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mtu: Option<u16>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) sandbox: String,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) address: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<IpAddr>,
    /// Which of the interfaces; IPAM plugins do not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<usize>,
}

/// A route in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) dst: IpNet,
    /// None: the gateway of the address's family, or the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gw: Option<IpAddr>,
    /// Since 1.1.0 a metric, a table and the like, which the switch does not set.
    #[serde(flatten)]
    pub(crate) others: BTreeMap<String, Value>,
}

/// What the container's resolver is to use; handed on as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Dns {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nameservers: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) domain: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) search: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) options: Vec<String>,
}

impl Success {
    /// Reads a result of any version, of which `what` says whose it is.
    pub(crate) fn read(json: Value, what: &str) -> Result<Self, Failure> {
        serde_json::from_value(json)
            .map_err(|error| Failure::new(code::DECODING, format!("{what}: {error}")))
    }

    /// In the shape of a version.
    pub(crate) fn to_json(&self, version: SpecVersion) -> Result<Value, Failure> {
        let mut result = self.clone();
        if version < SpecVersion::V1_1_0 {
            for interface in &mut result.interfaces {
                interface.mtu = None;
            }
        }
        let mut json = serde_json::to_value(result)
            .map_err(|error| Failure::new(code::DECODING, format!("the result: {error}")))?;
        json["cniVersion"] = version.as_str().into();
        if version < SpecVersion::V1_0_0
            && let Some(ips) = json["ips"].as_array_mut()
        {
            for (json, ip) in ips.iter_mut().zip(&self.ips) {
                json["version"] = if is_v4(&ip.address) { "4" } else { "6" }.into();
            }
        }
        Ok(json)
    }
}

/// Whether it is an address of IPv4.
pub(crate) const fn is_v4(address: &IpNet) -> bool {
    matches!(address, IpNet::V4(_))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attached() -> Success {
        Success {
            interfaces: vec![Interface {
                name: "eth0".to_owned(),
                mac: Some("02:42:0a:14:00:02".to_owned()),
                mtu: Some(1450),
                sandbox: "/run/netns/blue".to_owned(),
            }],
            ips: vec![
                Address {
                    address: "10.20.0.2/16".parse().unwrap(),
                    gateway: Some("10.20.0.1".parse().unwrap()),
                    interface: Some(0),
                },
                Address {
                    address: "fd00::2/64".parse().unwrap(),
                    gateway: None,
                    interface: Some(0),
                },
            ],
            routes: vec![Route {
                dst: "0.0.0.0/0".parse().unwrap(),
                gw: Some("10.20.0.1".parse().unwrap()),
                others: BTreeMap::new(),
            }],
            dns: Dns::default(),
        }
    }

    #[test]
    fn the_newest_shape_has_the_mtu() {
        let json = attached().to_json(SpecVersion::V1_1_0).unwrap();
        assert_eq!(
            json,
            json!({
                "cniVersion": "1.1.0",
                "interfaces": [{
                    "name": "eth0",
                    "mac": "02:42:0a:14:00:02",
                    "mtu": 1450,
                    "sandbox": "/run/netns/blue",
                }],
                "ips": [
                    {"address": "10.20.0.2/16", "gateway": "10.20.0.1", "interface": 0},
                    {"address": "fd00::2/64", "interface": 0},
                ],
                "routes": [{"dst": "0.0.0.0/0", "gw": "10.20.0.1"}],
                "dns": {},
            })
        );
    }

    #[test]
    fn older_shapes_name_the_family_and_no_mtu() {
        let one = attached().to_json(SpecVersion::V1_0_0).unwrap();
        assert_eq!(one["interfaces"][0].get("mtu"), None);
        assert_eq!(one["ips"][0].get("version"), None);
        for version in [
            SpecVersion::V0_3_0,
            SpecVersion::V0_3_1,
            SpecVersion::V0_4_0,
        ] {
            let json = attached().to_json(version).unwrap();
            assert_eq!(json["cniVersion"], version.as_str());
            assert_eq!(json["interfaces"][0].get("mtu"), None);
            assert_eq!(json["ips"][0]["version"], "4");
            assert_eq!(json["ips"][1]["version"], "6");
        }
    }

    #[test]
    fn every_shape_is_read_back() {
        for version in SpecVersion::ALL {
            let mut expected = attached();
            if version < SpecVersion::V1_1_0 {
                expected.interfaces[0].mtu = None;
            }
            let json = attached().to_json(version).unwrap();
            assert_eq!(Success::read(json, "it"), Ok(expected));
        }
    }

    #[test]
    fn an_ipam_plugin_may_leave_out_what_it_does_not_know() {
        let json = json!({"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/16"}]});
        let read = Success::read(json, "host-local").unwrap();
        assert_eq!(read.ips[0].address.to_string(), "10.1.0.5/16");
        let failure = Success::read(json!({"ips": [{}]}), "host-local").unwrap_err();
        assert_eq!(failure.code, code::DECODING);
        assert!(
            failure.details.starts_with("host-local: "),
            "{}",
            failure.details
        );
    }
}
