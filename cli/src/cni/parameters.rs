//! What a runtime wants for one attachment, from the three places where it may say so.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::environment::Attachment;
use crate::failure::{Failure, code};

/// Capabilities that the runtime makes use of: the conventions' names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RuntimeConfig {
    #[serde(deserialize_with = "or_null")]
    port_mappings: Vec<PortMapping>,
    #[serde(deserialize_with = "or_null")]
    ips: Vec<String>,
    mac: Option<String>,
    #[serde(deserialize_with = "or_null")]
    aliases: Aliases,
    #[serde(flatten)]
    pub(crate) others: BTreeMap<String, Value>,
}

/// A port of the host and where it leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortMapping {
    #[serde(default)]
    host_port: u16,
    container_port: u16,
    #[serde(default)]
    protocol: String,
    #[serde(default, rename = "hostIP")]
    host_ip: String,
}

/// A list by the conventions; podman says for which network.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Aliases {
    List(Vec<String>),
    ByNetwork(BTreeMap<String, Vec<String>>),
}

/// `args` of the configuration, of which `cni` has conventions; what is not known is to be ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Arguments {
    cni: Conventional,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Conventional {
    ips: Vec<String>,
    mac: Option<String>,
    labels: Vec<Label>,
}

#[derive(Debug, Clone, Deserialize)]
struct Label {
    key: String,
    value: String,
}

/// What the attachment is to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) ip6: Option<Ipv6Addr>,
    pub(crate) mac: Option<String>,
    pub(crate) aliases: Vec<String>,
    /// As `-p` has them.
    pub(crate) publish: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// What `CNI_ARGS` may say.
#[derive(Debug, Default, PartialEq, Eq)]
struct EnvironmentArguments {
    ip: Option<String>,
    mac: Option<String>,
}

/// Whose attachment an endpoint is.
pub(crate) mod label {
    pub(crate) const CONTAINER: &str = "cni.container";
    pub(crate) const IFNAME: &str = "cni.ifname";
    pub(crate) const NETWORK: &str = "cni.network";
}

impl Default for Aliases {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Parameters {
    /// Capabilities come before `args`, and these before `CNI_ARGS`, as the conventions have it.
    pub(crate) fn read(
        network: &str,
        attachment: &Attachment,
        runtime: &RuntimeConfig,
        args: &Arguments,
        environment: &str,
    ) -> Result<Self, Failure> {
        let environment = EnvironmentArguments::read(environment)?;
        let publish = runtime.port_mappings.iter().map(PortMapping::spec);
        let mac = runtime.mac.as_ref().or(args.cni.mac.as_ref());
        let mut parameters = Self {
            mac: mac.cloned().or(environment.mac),
            aliases: match &runtime.aliases {
                Aliases::List(aliases) => aliases.clone(),
                Aliases::ByNetwork(networks) => networks.get(network).cloned().unwrap_or_default(),
            },
            publish: publish.collect::<Result<_, _>>()?,
            labels: labels(network, attachment, args),
            ..Self::default()
        };
        let sources = [
            ("runtimeConfig.ips", &runtime.ips),
            ("args.cni.ips", &args.cni.ips),
            ("IP of CNI_ARGS", &environment.ip.into_iter().collect()),
        ];
        let said = sources.into_iter().find(|(_, ips)| !ips.is_empty());
        if let Some((source, ips)) = said {
            for ip in ips {
                parameters.add_address(source, ip)?;
            }
        }
        Ok(parameters)
    }

    fn add_address(&mut self, source: &str, text: &str) -> Result<(), Failure> {
        let net = text.parse().map(|net: IpNet| net.addr());
        let address = net.ok().or_else(|| text.parse().ok()).ok_or_else(|| {
            Failure::config(format!(
                "{source}: {text:?} is not an address such as 10.20.0.7"
            ))
        })?;
        let earlier = match address {
            IpAddr::V4(v4) => self.ip.replace(v4).map(IpAddr::V4),
            IpAddr::V6(v6) => self.ip6.replace(v6).map(IpAddr::V6),
        };
        match earlier {
            None => Ok(()),
            Some(earlier) => Err(Failure::config(format!(
                "{source}: {earlier} and {address}, and an attachment has one address of each family"
            ))),
        }
    }
}

impl PortMapping {
    fn spec(&self) -> Result<String, Failure> {
        if self.host_port == 0 || self.container_port == 0 {
            return Err(Failure::config(format!(
                "runtimeConfig.portMappings: from host port {} to container port {}: both must be given",
                self.host_port, self.container_port
            )));
        }
        let ip = match self.host_ip.as_str() {
            "" => String::new(),
            ip if ip.contains(':') => format!("[{ip}]:"),
            ip => format!("{ip}:"),
        };
        let protocol = match self.protocol.as_str() {
            "" => "tcp".to_owned(),
            protocol => protocol.to_ascii_lowercase(),
        };
        let (host, container) = (self.host_port, self.container_port);
        Ok(format!("{ip}{host}:{container}/{protocol}"))
    }
}

impl EnvironmentArguments {
    /// Reads `KEY=VALUE;KEY=VALUE`. What is not known is refused unless `IgnoreUnknown` is among it.
    fn read(text: &str) -> Result<Self, Failure> {
        let wrong = |details: String| Failure::new(code::INVALID_ENVIRONMENT, details);
        let mut arguments = Self::default();
        let mut unknown = Vec::new();
        let mut ignore = false;
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(wrong(format!("CNI_ARGS has {pair:?}, not KEY=VALUE")));
            };
            let value = value.to_owned();
            match key {
                "IP" => arguments.ip = Some(value).filter(|ip| !ip.is_empty()),
                "MAC" => arguments.mac = Some(value).filter(|mac| !mac.is_empty()),
                "IgnoreUnknown" => {
                    ignore = matches!(value.as_str(), "1" | "true" | "True" | "TRUE");
                }
                _ => unknown.push(pair),
            }
        }
        if ignore || unknown.is_empty() {
            return Ok(arguments);
        }
        let unknown = unknown.join(", ");
        Err(wrong(format!(
            "CNI_ARGS has {unknown}: IP and MAC are known here, and the rest is ignored with IgnoreUnknown=1"
        )))
    }
}

/// Runtimes in Go write null for a list without elements: containerd does for a pod that maps no port.
fn or_null<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn labels(network: &str, attachment: &Attachment, args: &Arguments) -> BTreeMap<String, String> {
    let given = args.cni.labels.iter().cloned();
    let mut labels: BTreeMap<_, _> = given.map(|label| (label.key, label.value)).collect();
    labels.extend(
        [
            (label::CONTAINER, attachment.container.as_str()),
            (label::IFNAME, attachment.ifname.as_str()),
            (label::NETWORK, network),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(runtime: Value, args: Value, environment: &str) -> Result<Parameters, Failure> {
        let attachment = Attachment {
            container: "abc".to_owned(),
            ifname: "eth0".to_owned(),
        };
        let runtime = serde_json::from_value(runtime).unwrap();
        let args = serde_json::from_value(args).unwrap();
        Parameters::read("web", &attachment, &runtime, &args, environment)
    }

    #[test]
    fn nothing_said_leaves_labels_only() {
        let parameters = read(json!({}), json!({}), "").unwrap();
        let labels: Vec<_> = parameters.labels.iter().collect();
        assert_eq!(
            format!("{labels:?}"),
            r#"[("cni.container", "abc"), ("cni.ifname", "eth0"), ("cni.network", "web")]"#
        );
        let labels = parameters.labels;
        for nothing in [
            json!({"ips": []}),
            json!({"portMappings": null, "ips": null, "mac": null, "aliases": null}),
        ] {
            assert_eq!(
                Parameters {
                    labels: labels.clone(),
                    ..Parameters::default()
                },
                read(nothing, json!({"other": 1}), "IgnoreUnknown=1;A=B").unwrap()
            );
        }
    }

    #[test]
    fn capabilities_arrive() {
        let parameters = read(
            json!({
                "portMappings": [
                    {"hostPort": 8080, "containerPort": 80, "protocol": "TCP"},
                    {"hostPort": 53, "containerPort": 5353, "protocol": "udp", "hostIP": "192.0.2.1"},
                    {"hostPort": 81, "containerPort": 81, "hostIP": "::1"},
                ],
                "ips": ["10.1.0.7/24", "fd00::7"],
                "mac": "02:00:00:00:00:07",
                "aliases": ["a", "b"],
            }),
            json!({"cni": {"labels": [{"key": "app", "value": "x"}, {"key": "cni.network", "value": "y"}]}}),
            "",
        )
        .unwrap();
        assert_eq!(
            parameters.publish,
            ["8080:80/tcp", "192.0.2.1:53:5353/udp", "[::1]:81:81/tcp"]
        );
        assert_eq!(parameters.ip, Some(Ipv4Addr::new(10, 1, 0, 7)));
        assert_eq!(parameters.ip6, Some("fd00::7".parse().unwrap()));
        assert_eq!(parameters.mac.as_deref(), Some("02:00:00:00:00:07"));
        assert_eq!(parameters.aliases, ["a", "b"]);
        assert_eq!(parameters.labels["app"], "x");
        assert_eq!(parameters.labels["cni.network"], "web");
    }

    #[test]
    fn podman_says_for_which_network_an_alias_is() {
        let aliases = json!({"aliases": {"web": ["a"], "db": ["b"]}});
        assert_eq!(read(aliases, json!({}), "").unwrap().aliases, ["a"]);
    }

    #[test]
    fn the_more_specific_place_counts() {
        let arguments = "IP=10.1.0.9;MAC=02:00:00:00:00:09;IgnoreUnknown=1;K8S_POD_NAME=x";
        let args = json!({"cni": {"ips": ["10.1.0.8"]}});
        let (ip, mac) = {
            let read = read(json!({}), json!({}), arguments).unwrap();
            (read.ip, read.mac)
        };
        assert_eq!(ip, Some(Ipv4Addr::new(10, 1, 0, 9)));
        assert_eq!(mac.as_deref(), Some("02:00:00:00:00:09"));
        let by_args = read(json!({}), args.clone(), arguments).unwrap();
        assert_eq!(by_args.ip, Some(Ipv4Addr::new(10, 1, 0, 8)));
        let by_capability = read(json!({"ips": ["10.1.0.7"]}), args, arguments).unwrap();
        assert_eq!(by_capability.ip, Some(Ipv4Addr::new(10, 1, 0, 7)));
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        let ports = |host: u16, container: u16| json!({"portMappings": [{"hostPort": host, "containerPort": container}]});
        for (runtime, environment, code, hint) in [
            (ports(0, 80), "", 7, "host port 0"),
            (ports(80, 0), "", 7, "container port 0"),
            (
                json!({"ips": ["10.1.0.7", "10.1.0.8"]}),
                "",
                7,
                "10.1.0.7 and 10.1.0.8",
            ),
            (json!({"ips": ["x"]}), "", 7, "runtimeConfig.ips"),
            (json!({}), "IP=x", 7, "IP of CNI_ARGS"),
            (json!({}), "A", 4, "\"A\""),
            (json!({}), "A=B;IP=10.1.0.7", 4, "A=B"),
            (json!({}), "A=B;IgnoreUnknown=0", 4, "A=B"),
        ] {
            let failure = read(runtime, json!({}), environment).unwrap_err();
            assert_eq!(failure.code, code, "{}", failure.details);
            assert!(failure.details.contains(hint), "{}", failure.details);
        }
    }
}
