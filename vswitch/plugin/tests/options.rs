//! What libnetwork puts into options.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::json;
use vswitch_plugin::network_driver::*;

fn options(value: serde_json::Value) -> Options {
    value.as_object().unwrap().clone()
}

#[test]
fn published_ports_are_read() {
    let map = options(json!({PORT_MAP: [
        {"Proto": 6, "IP": "", "Port": 80, "HostIP": "127.0.0.1", "HostPort": 8080, "HostPortEnd": 8090},
        {"proto": 17, "port": 53},
        {"Proto": 132, "Port": 9, "HostIP": "::", "HostPort": 0, "HostPortEnd": 0},
    ]}));
    let ports = port_map(&map).unwrap();
    let first = PortBinding {
        proto: 6,
        ip: None,
        port: 80,
        host_ip: Some("127.0.0.1".parse().unwrap()),
        host_port: 8080,
        host_port_end: 8090,
    };
    assert_eq!(ports[0], first);
    assert_eq!(
        (ports[1].proto, ports[1].port, ports[1].host_ip),
        (17, 53, None)
    );
    assert_eq!(ports[2].host_ip, Some("::".parse().unwrap()));
    assert_eq!(port_map(&options(json!({}))), Ok(vec![]));
    assert_eq!(port_map(&options(json!({ PORT_MAP: null }))), Ok(vec![]));
    assert_eq!(
        port_map(&options(json!({PORT_MAP: [{}, {"Port": 65536}]})))
            .unwrap_err()
            .to_string(),
        "com.docker.network.portmap[1].Port: 65536 is not a whole number from 0 to 65535"
    );
    assert_eq!(
        port_map(&options(json!({ PORT_MAP: "80/tcp" })))
            .unwrap_err()
            .to_string(),
        "com.docker.network.portmap: \"80/tcp\" is not a list"
    );
}

#[test]
fn the_users_options_are_text() {
    let given = options(json!({GENERIC: {
        "parent": "eth0", "com.docker.network.driver.mtu": 1400, "icc": false, "empty": null,
    }}));
    let expected = [
        ("parent", "eth0"),
        ("com.docker.network.driver.mtu", "1400"),
    ];
    let expected = expected
        .into_iter()
        .chain([("icc", "false"), ("empty", "")]);
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(generic(&given), Ok(expected.collect()));
    assert_eq!(generic(&options(json!({ GENERIC: null }))), Ok([].into()));
    assert_eq!(generic(&options(json!({}))), Ok([].into()));
    assert_eq!(
        generic(&options(json!({ GENERIC: "a=b" })))
            .unwrap_err()
            .to_string(),
        "com.docker.network.generic: \"a=b\" is not an object"
    );
    assert_eq!(
        generic(&options(json!({GENERIC: {"list": [1]}})))
            .unwrap_err()
            .to_string(),
        "com.docker.network.generic.list: a list is not text"
    );
}

#[test]
fn flags_are_booleans_or_say_so() {
    let given = options(json!({ENABLE_IPV6: true, INTERNAL: "false", ENABLE_IPV4: 1}));
    assert_eq!(flag(&given, ENABLE_IPV6), Ok(Some(true)));
    assert_eq!(flag(&given, INTERNAL), Ok(Some(false)));
    assert_eq!(flag(&given, "absent"), Ok(None));
    assert_eq!(
        flag(&given, ENABLE_IPV4).unwrap_err().to_string(),
        "com.docker.network.enable_ipv4: 1 is not true or false"
    );
}
