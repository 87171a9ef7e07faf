//! The network configuration, as it comes on standard input.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};
use vswitch_api::{DEFAULT_SOCKET, SOCKET_VARIABLE};

use crate::environment::Attachment;
use crate::failure::{Failure, code};
use crate::ipam::Ipam;
use crate::parameters::{Arguments, RuntimeConfig};
use crate::result::Dns;
use crate::version::SpecVersion;

/// A network, and what one attachment is to have.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) version: SpecVersion,
    /// The network's name, here and at the switch.
    pub(crate) name: String,
    pub(crate) driver: String,
    /// Driver options: Docker's keys and those that begin with `vswitch.`.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) internal: bool,
    pub(crate) ipv6: bool,
    pub(crate) socket: PathBuf,
    pub(crate) ipam: Ipam,
    pub(crate) runtime: RuntimeConfig,
    pub(crate) args: Arguments,
    pub(crate) dns: Dns,
    /// What ADD answered; for ADD itself, what another plugin did before.
    pub(crate) prev_result: Option<Value>,
    /// Of GC; none if the runtime did not say.
    pub(crate) valid: Option<Vec<Attachment>>,
    /// As it came: another plugin gets it whole.
    pub(crate) bytes: Vec<u8>,
}

/// The fields as they are spelt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    driver: Option<String>,
    #[serde(default)]
    options: BTreeMap<String, Value>,
    #[serde(default)]
    internal: bool,
    #[serde(default)]
    ipv6: bool,
    #[serde(default)]
    socket: Option<PathBuf>,
    #[serde(default)]
    ipam: Option<Map<String, Value>>,
    #[serde(default)]
    runtime_config: Option<RuntimeConfig>,
    #[serde(default)]
    args: Option<Arguments>,
    #[serde(default)]
    dns: Option<Dns>,
    #[serde(default)]
    prev_result: Option<Value>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// An element of `cni.dev/valid-attachments`.
#[derive(Debug, Deserialize)]
struct ValidAttachment {
    #[serde(rename = "containerID")]
    container: String,
    ifname: String,
}

/// Fields of the specification that mean nothing to a single plugin.
const FOR_RUNTIMES: [&str; 7] = [
    "capabilities",
    "cniVersion",
    "cniVersions",
    "disableCheck",
    "disableGC",
    "loadOnlyInlinedPlugins",
    "type",
];

/// What begins so is the specification's.
const RESERVED: &str = "cni.dev/";

const VALID_ATTACHMENTS: &str = "cni.dev/valid-attachments";

impl Config {
    /// Reads a configuration; with what is wrong comes the version that the error is to be told in.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, (SpecVersion, Failure)> {
        let newest = |failure| (SpecVersion::NEWEST, failure);
        let json = decode(&bytes).map_err(newest)?;
        let version = version(&json).map_err(newest)?;
        Self::of_fields(version, json, bytes).map_err(|failure| (version, failure))
    }

    fn of_fields(
        version: SpecVersion,
        json: Map<String, Value>,
        bytes: Vec<u8>,
    ) -> Result<Self, Failure> {
        let fields: Fields = serde_json::from_value(json.into())
            .map_err(|error| Failure::new(code::DECODING, format!("the configuration: {error}")))?;
        let others = fields.others.iter();
        unsupported(
            "",
            others.filter(|(key, _)| {
                !key.starts_with(RESERVED) && !FOR_RUNTIMES.contains(&key.as_str())
            }),
        )?;
        if fields.name.is_empty() {
            return Err(Failure::config("there is no name"));
        }
        let runtime = fields.runtime_config.unwrap_or_default();
        unsupported("runtimeConfig.", runtime.others.iter())?;
        let socket = fields
            .socket
            .or_else(|| std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from));
        Ok(Self {
            version,
            driver: fields.driver.unwrap_or_else(|| "bridge".to_owned()),
            options: options(fields.options)?,
            internal: fields.internal,
            ipv6: fields.ipv6,
            socket: socket.unwrap_or_else(|| DEFAULT_SOCKET.into()),
            ipam: Ipam::read(fields.ipam.unwrap_or_default())?,
            runtime,
            args: fields.args.unwrap_or_default(),
            dns: fields.dns.unwrap_or_default(),
            prev_result: fields.prev_result,
            valid: valid(fields.others.get(VALID_ATTACHMENTS))?,
            name: fields.name,
            bytes,
        })
    }
}

/// The version that VERSION is asked with; none in an empty input.
pub(crate) fn version_asked(bytes: &[u8]) -> Result<Option<String>, Failure> {
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let json = decode(bytes)?;
    Ok(version_text(&json)?.map(str::to_owned))
}

/// Refuses fields that nobody here would heed, by key and value.
pub(crate) fn unsupported<'a>(
    path: &str,
    fields: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Result<(), Failure> {
    let fields: Vec<String> = fields
        .map(|(key, value)| format!("{path}{key}: {value}"))
        .collect();
    if fields.is_empty() {
        return Ok(());
    }
    Err(Failure::new(code::UNSUPPORTED_FIELD, fields.join(", ")))
}

fn decode(bytes: &[u8]) -> Result<Map<String, Value>, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        let details = format!("standard input is no network configuration in JSON: {error}");
        Failure::new(code::DECODING, details)
    })
}

fn version(json: &Map<String, Value>) -> Result<SpecVersion, Failure> {
    SpecVersion::of_config(version_text(json)?)
}

fn version_text(json: &Map<String, Value>) -> Result<Option<&str>, Failure> {
    match json.get("cniVersion") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let details = format!("cniVersion is {other}, not a text such as \"1.1.0\"");
            Err(Failure::new(code::DECODING, details))
        }
    }
}

/// As people write them: numbers and truth values are texts as well.
fn options(options: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Failure> {
    let text = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Bool(_) | Value::Number(_) => Ok((key, value.to_string())),
        other => Err(Failure::config(format!(
            "options.{key} is {other}: write it as a text"
        ))),
    };
    options.into_iter().map(text).collect()
}

/// No list at all is not the same as none that is valid, which Go writes as null.
fn valid(list: Option<&Value>) -> Result<Option<Vec<Attachment>>, Failure> {
    let Some(list) = list else {
        return Ok(None);
    };
    let list: Option<Vec<ValidAttachment>> = Deserialize::deserialize(list)
        .map_err(|error| Failure::new(code::DECODING, format!("{VALID_ATTACHMENTS}: {error}")))?;
    let attachments = list.unwrap_or_default().into_iter();
    let attachment = |valid: ValidAttachment| Attachment {
        container: valid.container,
        ifname: valid.ifname,
    };
    Ok(Some(attachments.map(attachment).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &Value) -> Result<Config, (SpecVersion, Failure)> {
        Config::read(json.to_string().into_bytes())
    }

    fn failure(json: &Value) -> Failure {
        read(json).unwrap_err().1
    }

    #[test]
    fn a_name_and_a_version_are_enough() {
        let config = read(&json!({"cniVersion": "1.0.0", "name": "web", "type": "x"})).unwrap();
        assert_eq!(
            (config.version, config.name.as_str(), config.driver.as_str()),
            (SpecVersion::V1_0_0, "web", "bridge")
        );
        assert!(matches!(config.ipam, Ipam::Own(_)));
        assert_eq!(config.valid, None);
    }

    #[test]
    fn fields_of_runtimes_are_no_concern_of_a_plugin() {
        let config = json!({
            "cniVersion": "1.1.0", "cniVersions": ["1.0.0", "1.1.0"], "name": "web", "type": "x",
            "capabilities": {"portMappings": true}, "disableCheck": true, "disableGC": false,
            "runtimeConfig": null, "args": {"podman_labels": {"a": "b"}}, "cni.dev/new": 1,
            "cni.dev/valid-attachments": null,
        });
        assert_eq!(read(&config).unwrap().valid, Some(Vec::new()));
    }

    #[test]
    fn options_may_be_numbers_and_truth_values() {
        let options = json!({"a": "x", "b": 7, "c": true});
        let config = json!({"cniVersion": "1.0.0", "name": "web", "options": options});
        let options = read(&config).unwrap().options;
        let values: Vec<_> = options.values().map(String::as_str).collect();
        assert_eq!(values, ["x", "7", "true"]);
        let config = json!({"cniVersion": "1.0.0", "name": "web", "options": {"a": []}});
        assert_eq!(failure(&config).code, code::INVALID_CONFIG);
    }

    #[test]
    fn what_is_wrong_has_the_code_of_its_kind() {
        let cases = [
            (json!({"name": "web"}), code::INCOMPATIBLE_VERSION, "0.1.0"),
            (
                json!({"cniVersion": 1, "name": "web"}),
                code::DECODING,
                "cniVersion",
            ),
            (json!({"cniVersion": "1.0.0"}), code::INVALID_CONFIG, "name"),
            (
                json!({"cniVersion": "1.0.0", "name": 7}),
                code::DECODING,
                "7",
            ),
            (
                json!({"cniVersion": "1.0.0", "name": "web", "ipMasq": true}),
                code::UNSUPPORTED_FIELD,
                "ipMasq: true",
            ),
            (
                json!({"cniVersion": "1.0.0", "name": "web", "runtimeConfig": {"bandwidth": {}}}),
                code::UNSUPPORTED_FIELD,
                "runtimeConfig.bandwidth: {}",
            ),
            (
                json!({"cniVersion": "1.1.0", "name": "web", "cni.dev/valid-attachments": [{}]}),
                code::DECODING,
                "cni.dev/valid-attachments",
            ),
        ];
        for (config, code, hint) in cases {
            let failure = failure(&config);
            assert_eq!(failure.code, code, "{}", failure.details);
            assert!(failure.details.contains(hint), "{}", failure.details);
        }
        let (version, failure) = Config::read(b"web".to_vec()).unwrap_err();
        assert_eq!(
            (version, failure.code),
            (SpecVersion::NEWEST, code::DECODING)
        );
    }

    #[test]
    fn an_error_is_told_in_the_version_asked_for() {
        let config = json!({"cniVersion": "0.4.0", "name": ""});
        assert_eq!(read(&config).unwrap_err().0, SpecVersion::V0_4_0);
    }
}
