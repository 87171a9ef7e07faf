//! What a plugin is told beside ids and addresses, in libnetwork's words.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vswitch_cnm::publish::{PortRange, PortSpec, Protocol};
use vswitch_plugin::network_driver::{
    ENABLE_IPV4, ENABLE_IPV6, EXPOSED_PORTS, GENERIC, INTERNAL, Options, PORT_MAP, PortBinding,
};

use crate::control::ControlError;

/// Of a network: the user's own, and what libnetwork adds.
pub(super) fn of_network(
    user: &BTreeMap<String, String>,
    ipv4: bool,
    ipv6: bool,
    internal: bool,
) -> Options {
    let mut options = Options::new();
    options.insert(GENERIC.to_owned(), json!(user));
    options.insert(ENABLE_IPV4.to_owned(), Value::Bool(ipv4));
    options.insert(ENABLE_IPV6.to_owned(), Value::Bool(ipv6));
    if internal {
        options.insert(INTERNAL.to_owned(), Value::Bool(true));
    }
    options
}

/// Of a sandbox: the ports that are published, which are the exposed ones as well, as there is no image.
pub(super) fn of_sandbox(ports: &[PortSpec]) -> Result<Options, ControlError> {
    let bindings: Vec<PortBinding> = ports.iter().flat_map(bindings).collect();
    let exposed = bindings.iter().map(|binding| {
        let PortBinding { proto, port, .. } = *binding;
        json!({ "Proto": proto, "Port": port })
    });
    let mut options = Options::new();
    options.insert(EXPOSED_PORTS.to_owned(), exposed.collect());
    let map = serde_json::to_value(&bindings);
    let map = map.map_err(|error| ControlError::Request(error.to_string()))?;
    options.insert(PORT_MAP.to_owned(), map);
    Ok(options)
}

/// Of an endpoint: its sandbox's, and its own (`attach -o`) beside them.
pub(super) fn of_endpoint(sandbox: &Options, own: &BTreeMap<String, String>) -> Options {
    let own = own
        .iter()
        .map(|(key, value)| (key.clone(), Value::String(value.clone())));
    own.chain(sandbox.clone()).collect()
}

/// libnetwork has a binding for each port of the container; only for one port may there be several to choose from.
fn bindings(spec: &PortSpec) -> Vec<PortBinding> {
    let container = spec.container;
    let one_of_several = container.count() == 1;
    let host = |index: u16| match spec.host {
        None => (0, 0),
        Some(host) if one_of_several => (host.first(), host.last()),
        Some(host) => (host.first() + index, host.first() + index),
    };
    let binding = |(index, port): (u16, u16)| {
        let (host_port, host_port_end) = host(index);
        PortBinding {
            proto: number(spec.protocol),
            ip: None,
            port,
            host_ip: spec.host_ip,
            host_port,
            host_port_end,
        }
    };
    (0..).zip(ports(container)).map(binding).collect()
}

fn ports(range: PortRange) -> std::ops::RangeInclusive<u16> {
    range.first()..=range.last()
}

/// The IP protocol number.
const fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

#[cfg(test)]
mod tests {
    use vswitch_plugin::network_driver::port_map;

    use super::*;

    fn bound(spec: &str) -> Vec<(u8, u16, String, u16, u16)> {
        let options = of_sandbox(&[spec.parse().unwrap()]).unwrap();
        let map = port_map(&options).unwrap();
        let row = |b: &PortBinding| {
            let ip = b.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
            (b.proto, b.port, ip, b.host_port, b.host_port_end)
        };
        map.iter().map(row).collect()
    }

    #[test]
    fn ports_are_bound_one_by_one() {
        let none = String::new;
        assert_eq!(bound("80"), [(6, 80, none(), 0, 0)]);
        assert_eq!(
            bound("127.0.0.1:8080:80/udp"),
            [(17, 80, "127.0.0.1".to_owned(), 8080, 8080)]
        );
        assert_eq!(bound("8000-8010:80"), [(6, 80, none(), 8000, 8010)]);
        assert_eq!(
            bound("8000-8001:80-81/sctp"),
            [(132, 80, none(), 8000, 8000), (132, 81, none(), 8001, 8001)]
        );
    }

    #[test]
    fn without_ports_the_lists_are_empty() {
        let options = Value::Object(of_sandbox(&[]).unwrap());
        assert_eq!(options, json!({ PORT_MAP: [], EXPOSED_PORTS: [] }));
    }

    #[test]
    fn a_users_option_cannot_take_the_place_of_the_ports() {
        let sandbox = of_sandbox(&["80".parse().unwrap()]).unwrap();
        let own = [(PORT_MAP, "x"), ("speed", "7")];
        let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let options = of_endpoint(&sandbox, &own.into());
        assert_eq!(options["speed"], "7");
        assert_eq!(options[PORT_MAP], sandbox[PORT_MAP]);
    }
}
