//! Endpoints: made, described and removed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::State;
use ipnet::IpNet;
use serde_json::{Value, json};
use vswitch_api as api;
use vswitch_cnm::option_key as key;
use vswitch_plugin::Empty;
use vswitch_plugin::network_driver::{
    CreateEndpoint, CreateEndpointReply, EXPOSED_PORTS, EndpointInterface, EndpointRef,
    MAC_ADDRESS, OperInfoReply, Options, PORT_MAP, PortBinding,
};

use super::answer::{Answer, Asked, DONE, Outcome, Refusal};
use super::{name, ports};
use crate::control::{Engine, EngineEndpoint, Made};

/// What Docker's own keys begin with.
const DOCKERS: &str = "com.docker.";

/// What Docker puts into each request, or does in the sandbox itself.
const DONE_BY_DOCKER: &[&str] = &[
    // Asked for again when they are to be published.
    PORT_MAP,
    EXPOSED_PORTS,
    // In base64; the interface has it in plain.
    MAC_ADDRESS,
    // For Windows.
    "com.docker.network.endpoint.dnsservers",
    key::SYSCTLS,
    key::ADVERTISE_NMSGS,
    key::ADVERTISE_MS,
];

pub(super) async fn create(
    State(engine): State<Engine>,
    Asked(request): Asked<CreateEndpoint>,
) -> Outcome<CreateEndpointReply> {
    let made = engine.create_endpoint(wanted(&request)?).await?;
    Ok(Answer(reply(request.interface, &made)))
}

pub(super) async fn info(
    State(engine): State<Engine>,
    Asked(request): Asked<EndpointRef>,
) -> Outcome<OperInfoReply> {
    let network = name::network_id(&request.network_id)?;
    let id = name::endpoint_id(&request.endpoint_id)?;
    let endpoint = engine.endpoint(network, id).await?;
    let value = description(&endpoint);
    Ok(Answer(OperInfoReply { value }))
}

pub(super) async fn delete(
    State(engine): State<Engine>,
    Asked(request): Asked<EndpointRef>,
) -> Outcome<Empty> {
    let network = name::network_id(&request.network_id)?;
    let id = name::endpoint_id(&request.endpoint_id)?;
    engine.delete_endpoint(network, id).await?;
    DONE
}

fn wanted(request: &CreateEndpoint) -> Result<EngineEndpoint, Refusal> {
    let interface = request.interface.unwrap_or_default();
    Ok(EngineEndpoint {
        network: name::network_id(&request.network_id)?,
        id: name::endpoint_id(&request.endpoint_id)?,
        ip: interface.address.map(ipv4).transpose()?,
        ip6: interface.address_ipv6.map(ipv6).transpose()?,
        mac: interface.mac_address,
        options: options(&request.options)?,
    })
}

fn ipv4(address: IpNet) -> Result<Ipv4Addr, Refusal> {
    match address {
        IpNet::V4(address) => Ok(address.addr()),
        IpNet::V6(_) => Err(Refusal::malformed(format!(
            "Interface.Address: {address} is not IPv4"
        ))),
    }
}

fn ipv6(address: IpNet) -> Result<Ipv6Addr, Refusal> {
    match address {
        IpNet::V6(address) => Ok(address.addr()),
        IpNet::V4(_) => Err(Refusal::malformed(format!(
            "Interface.AddressIPv6: {address} is not IPv6"
        ))),
    }
}

/// The options of `docker network connect --driver-opt` that are not Docker's own. Docker's may become more
/// with any version, so those that are not known are no reason to refuse a container.
fn options(all: &Options) -> Result<BTreeMap<String, String>, Refusal> {
    let mut ours = BTreeMap::new();
    for (key, value) in all {
        if !key.starts_with(DOCKERS) {
            ours.insert(key.clone(), text(key, value)?);
        } else if !DONE_BY_DOCKER.contains(&key.as_str()) {
            tracing::warn!(
                "option {key} of an endpoint has no effect: it is Docker's, and unknown here"
            );
        }
    }
    Ok(ours)
}

fn text(key: &str, value: &Value) -> Result<String, Refusal> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => Err(Refusal::malformed(format!(
            "option {key}: the value must be text"
        ))),
    }
}

/// Only what the request left open: libnetwork takes the rest for an attempt to change it.
fn reply(asked: Option<EndpointInterface>, made: &Made) -> CreateEndpointReply {
    let asked = asked.unwrap_or_default();
    let of = |is_v6: bool| {
        let mut addresses = made.addresses.iter();
        addresses.find(|address| address.addr().is_ipv6() == is_v6)
    };
    CreateEndpointReply {
        interface: Some(EndpointInterface {
            address: of(false).filter(|_| asked.address.is_none()).copied(),
            address_ipv6: of(true).filter(|_| asked.address_ipv6.is_none()).copied(),
            mac_address: Some(made.mac).filter(|_| asked.mac_address.is_none()),
        }),
    }
}

/// What Docker's own drivers tell of an endpoint, as far as JSON carries it.
fn description(endpoint: &api::Endpoint) -> Options {
    let mut description = Options::new();
    if let Some(mac) = &endpoint.mac {
        description.insert(MAC_ADDRESS.to_owned(), Value::from(mac.as_str()));
    }
    let ports: Vec<PortBinding> = endpoint.ports.iter().map(ports::description).collect();
    description.insert(PORT_MAP.to_owned(), json!(ports));
    description
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 2] = [
        "385ddd7f102a5954be284b1723953cadcc3b28b392bb3ca1027a40593ba39f95",
        "08427b2f82dbc0595e590796f043805df58298accccdc7a795f6ef3f1d5fc4b4",
    ];

    fn request(interface: Value, options: Value) -> CreateEndpoint {
        let request = json!({
            "NetworkID": IDS[0],
            "EndpointID": IDS[1],
            "Interface": interface,
            "Options": options,
        });
        vswitch_plugin::decode(request.to_string().as_bytes()).unwrap()
    }

    fn made() -> Made {
        Made {
            mac: "02:42:0a:37:00:07".parse().unwrap(),
            addresses: vec![
                "10.55.0.7/24".parse().unwrap(),
                "fd00:5::7/64".parse().unwrap(),
            ],
        }
    }

    fn answer(interface: Value) -> Value {
        serde_json::to_value(reply(request(interface, Value::Null).interface, &made())).unwrap()
    }

    #[test]
    fn what_docker_recorded_leaves_all_open() {
        let interface = json!({"Address": "", "AddressIPv6": "", "MacAddress": ""});
        let options = json!({
            "com.docker.network.endpoint.exposedports": [],
            "com.docker.network.portmap": [],
        });
        let expected = EngineEndpoint {
            network: IDS[0].parse().unwrap(),
            id: IDS[1].parse().unwrap(),
            ip: None,
            ip6: None,
            mac: None,
            options: BTreeMap::new(),
        };
        assert_eq!(wanted(&request(interface.clone(), options)), Ok(expected));
        for open in [interface, Value::Null] {
            assert_eq!(
                answer(open),
                json!({"Interface": {
                    "Address": "10.55.0.7/24",
                    "AddressIPv6": "fd00:5::7/64",
                    "MacAddress": "02:42:0a:37:00:07",
                }})
            );
        }
    }

    #[test]
    fn what_docker_chose_is_taken_and_not_repeated() {
        let interface = json!({
            "Address": "10.55.0.7/24",
            "AddressIPv6": "fd00:5::7/64",
            "MacAddress": "02:42:0a:37:00:07",
        });
        let endpoint = wanted(&request(interface.clone(), Value::Null)).unwrap();
        assert_eq!(endpoint.ip, Some(Ipv4Addr::new(10, 55, 0, 7)));
        assert_eq!(endpoint.ip6, "fd00:5::7".parse().ok());
        assert_eq!(endpoint.mac, Some(made().mac));
        let nothing = json!({"Interface": {"Address": "", "AddressIPv6": "", "MacAddress": ""}});
        assert_eq!(answer(interface), nothing);
        assert_eq!(
            answer(json!({"Address": "10.55.0.7/24"})),
            json!({"Interface": {
                "Address": "",
                "AddressIPv6": "fd00:5::7/64",
                "MacAddress": "02:42:0a:37:00:07",
            }})
        );
    }

    #[test]
    fn addresses_of_another_family_are_refused() {
        for (interface, message) in [
            (
                json!({"Address": "fd00::2/64"}),
                "Interface.Address: fd00::2/64 is not IPv4",
            ),
            (
                json!({"AddressIPv6": "10.0.0.2/8"}),
                "Interface.AddressIPv6: 10.0.0.2/8 is not IPv6",
            ),
        ] {
            let refusal = wanted(&request(interface, Value::Null)).unwrap_err();
            assert_eq!(refusal, Refusal::malformed(message));
        }
    }

    #[test]
    fn options_are_passed_on_but_for_dockers() {
        let given = json!({
            "com.docker.network.portmap": [{"Proto": 6, "Port": 80}],
            "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
            "com.docker.network.endpoint.ifname": "net7",
            "com.docker.network.endpoint.of_the_future": [1],
            "vswitch.vlan": 7,
            "vswitch.anti-spoof": false,
            "vlan": "7",
        });
        let endpoint = wanted(&request(Value::Null, given)).unwrap();
        let expected = [
            ("vlan", "7"),
            ("vswitch.anti-spoof", "false"),
            ("vswitch.vlan", "7"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(endpoint.options, BTreeMap::from(expected));
        let refusal = wanted(&request(Value::Null, json!({"vswitch.vlan": [7]}))).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::malformed("option vswitch.vlan: the value must be text")
        );
    }

    #[test]
    fn an_endpoint_is_described_as_dockers_are() {
        let mut endpoint: api::Endpoint = serde_json::from_value(json!({
            "id": IDS[1],
            "network": "web",
            "sandbox": "/run/docker/netns/df2ab8064a31",
            "ifname": "eth0",
            "mac": "02:42:0a:37:00:07",
            "addresses": ["10.55.0.7/24"],
            "gateway": "10.55.0.1",
            "gateway6": null,
            "aliases": [],
            "ports": [{
                "protocol": "tcp",
                "host_ip": "0.0.0.0",
                "host_port": "8080",
                "container_ip": "10.55.0.7",
                "container_port": "80",
            }],
        }))
        .unwrap();
        assert_eq!(
            Value::Object(description(&endpoint)),
            json!({
                "com.docker.network.endpoint.macaddress": "02:42:0a:37:00:07",
                "com.docker.network.portmap": [{
                    "Proto": 6,
                    "IP": "10.55.0.7",
                    "Port": 80,
                    "HostIP": "0.0.0.0",
                    "HostPort": 8080,
                    "HostPortEnd": 8080,
                }],
            })
        );
        endpoint.mac = None;
        endpoint.ports.clear();
        assert_eq!(
            Value::Object(description(&endpoint)),
            json!({"com.docker.network.portmap": []})
        );
    }
}
