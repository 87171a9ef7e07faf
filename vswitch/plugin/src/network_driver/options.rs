//! What libnetwork puts into options.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Options;
use crate::decode::{DecodeError, found};
use crate::{go, text};

/// The user's own options of a network (`-o`): an object, see [`generic`].
pub const GENERIC: &str = "com.docker.network.generic";

/// Whether the network has IPv4: see [`flag`]. Older engines do not say.
pub const ENABLE_IPV4: &str = "com.docker.network.enable_ipv4";

/// Whether the network has IPv6: see [`flag`].
pub const ENABLE_IPV6: &str = "com.docker.network.enable_ipv6";

/// Whether the network has no way outside: see [`flag`]; left out unless it is so.
pub const INTERNAL: &str = "com.docker.network.internal";

/// Ports to publish: see [`port_map`].
pub const PORT_MAP: &str = "com.docker.network.portmap";

/// Ports that the image exposes: a list of `{"Proto", "Port"}`.
pub const EXPOSED_PORTS: &str = "com.docker.network.endpoint.exposedports";

/// The MAC address in base64; [`EndpointInterface`](super::EndpointInterface) has it in plain.
pub const MAC_ADDRESS: &str = "com.docker.network.endpoint.macaddress";

/// A port to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PortBinding {
    /// IP protocol number: 6 TCP, 17 UDP, 132 SCTP.
    #[serde(default)]
    pub proto: u8,
    /// The container's address, mostly absent.
    #[serde(default, with = "text::optional", rename = "IP")]
    pub ip: Option<IpAddr>,
    /// The container's port.
    #[serde(default)]
    pub port: u16,
    /// The host's address; absent for all of them.
    #[serde(default, with = "text::optional", rename = "HostIP")]
    pub host_ip: Option<IpAddr>,
    /// The host's port, or the first of a range to choose from; 0 for any that is free.
    #[serde(default)]
    pub host_port: u16,
    /// The last of that range; 0 or `host_port` if it is no range.
    #[serde(default)]
    pub host_port_end: u16,
}

/// The ports under [`PORT_MAP`], none if it is not there.
///
/// # Errors
/// [`DecodeError`] if they are not a list of [`PortBinding`].
pub fn port_map(options: &Options) -> Result<Vec<PortBinding>, DecodeError> {
    match options.get(PORT_MAP) {
        None => Ok(Vec::new()),
        Some(list) => go::from_value(list).map_err(|e| e.within(PORT_MAP)),
    }
}

/// The user's options under [`GENERIC`], none if it is not there. Strings as they are, booleans and
/// numbers as text.
///
/// # Errors
/// [`DecodeError`] if it is no object, or has a list or another object as a value.
pub fn generic(options: &Options) -> Result<BTreeMap<String, String>, DecodeError> {
    let object = match options.get(GENERIC) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(object)) => object,
        Some(other) => {
            let problem = format!("{} is not an object", found(other));
            return Err(DecodeError::field(GENERIC, problem));
        }
    };
    object
        .iter()
        .map(|(key, value)| {
            let text = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    let problem = format!("{} is not text", found(value));
                    return Err(DecodeError::field(key, problem).within(GENERIC));
                }
            };
            Ok((key.clone(), text))
        })
        .collect()
}

/// A boolean option: none if it is not there.
///
/// # Errors
/// [`DecodeError`] if it is neither a boolean nor one as text.
pub fn flag(options: &Options, key: &str) -> Result<Option<bool>, DecodeError> {
    match options.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(other) => {
            let problem = format!("{} is not true or false", found(other));
            Err(DecodeError::field(key, problem))
        }
    }
}
