//! What other programs write, and what is wrong enough to be refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde::de::DeserializeOwned;
use serde_json::json;
use vswitch_plugin::network_driver::*;
use vswitch_plugin::{Activation, DecodeError, Empty, Failure, decode, ipam_driver as ipam};

fn error<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> String {
    decode::<T>(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn names_in_any_case() {
    let join = decode::<Join>(br#"{"networkid":"n","endpointID":"e","SANDBOXKEY":"/k"}"#).unwrap();
    assert_eq!((&*join.network_id, &*join.endpoint_id), ("n", "e"));
    assert_eq!(join.sandbox_key, "/k");
    let reply = r#"{"interfacename":{"srcname":"a"},"gatewayipv6":"fd00::1","staticroutes":[
        {"destination":"10.0.0.0/8","routetype":1}]}"#;
    let reply = decode::<JoinReply>(reply.as_bytes()).unwrap();
    assert_eq!(reply.interface_name.src_name, "a");
    assert_eq!(reply.gateway_ipv6, Some("fd00::1".parse().unwrap()));
    assert_eq!(reply.static_routes[0].route_type, RouteType::Connected);
}

#[test]
fn the_exact_name_wins_over_one_that_differs_in_case() {
    for body in [
        r#"{"NetworkID":"right","networkid":"wrong"}"#,
        r#"{"NETWORKID":"wrong","NetworkID":"right"}"#,
    ] {
        let network = decode::<DeleteNetwork>(body.as_bytes()).unwrap();
        assert_eq!(network.network_id, "right");
    }
}

#[test]
fn the_users_keys_keep_their_case() {
    let body =
        br#"{"NetworkID":"n","Options":{"com.docker.network.generic":{"Parent":"x"},"B":null}}"#;
    let create = decode::<CreateNetwork>(body).unwrap();
    assert_eq!(create.options["B"], json!(null));
    assert_eq!(generic(&create.options).unwrap()["Parent"], "x");
    assert!(!create.options.contains_key("b"));
}

#[test]
fn null_is_nothing() {
    let body = br#"{"NetworkID":"n","Options":null,"IPv4Data":[{"AddressSpace":null,"Pool":null,
        "Gateway":null,"AuxAddresses":null}, null],"IPv6Data":null}"#;
    let create = decode::<CreateNetwork>(body).unwrap();
    assert!(create.options.is_empty());
    assert_eq!(create.ipv4_data, vec![IpamData::default(); 2]);
    assert_eq!(create.ipv6_data, []);
    let reply = br#"{"InterfaceName":null,"Gateway":null,"StaticRoutes":null,
        "DisableGatewayService":null}"#;
    assert_eq!(decode::<JoinReply>(reply), Ok(JoinReply::default()));
    assert_eq!(decode::<JoinReply>(b"null"), Ok(JoinReply::default()));
    assert_eq!(
        decode::<Activation>(br#"{"Implements":null}"#),
        Ok(Activation::default())
    );
    let reply = decode::<ipam::RequestPoolReply>(br#"{"Pool":"10.0.0.0/8","Data":null}"#).unwrap();
    assert!(reply.data.is_empty());
    let binding = decode::<PortBinding>(br#"{"Proto":null,"IP":null}"#);
    assert_eq!(binding, Ok(PortBinding::default()));
}

#[test]
fn an_empty_string_is_no_address() {
    let body = br#"{"Interface":{"Address":"","AddressIPv6":"","MacAddress":""}}"#;
    let reply = decode::<CreateEndpointReply>(body).unwrap();
    assert_eq!(reply.interface, Some(EndpointInterface::default()));
    assert_eq!(
        decode::<CreateEndpointReply>(b"{}").unwrap().interface,
        None
    );
    let body = br#"{"Scope":"local","ConnectivityScope":""}"#;
    assert_eq!(
        decode::<Capabilities>(body).unwrap().connectivity_scope,
        None
    );
}

#[test]
fn unknown_fields_are_ignored_and_a_newline_ends_a_body() {
    assert_eq!(
        decode::<Empty>(b"{\"Err\":\"\",\"More\":[{}]}\n"),
        Ok(Empty {})
    );
    let body = b" {\"NetworkID\":\"n\",\"Labels\":{\"a\":1}}\r\n";
    assert_eq!(decode::<DeleteNetwork>(body).unwrap().network_id, "n");
}

#[test]
fn all_addresses_of_an_endpoint() {
    let body = br#"{"Interface":{"Address":"172.18.0.2/16","AddressIPv6":"fd00::2/64",
        "MacAddress":"02-42-AC-12-00-02"}}"#;
    let reply = decode::<CreateEndpointReply>(body).unwrap();
    let interface = EndpointInterface {
        address: Some("172.18.0.2/16".parse().unwrap()),
        address_ipv6: Some("fd00::2/64".parse().unwrap()),
        mac_address: Some("02:42:ac:12:00:02".parse().unwrap()),
    };
    assert_eq!(reply.interface, Some(interface));
    let written = serde_json::to_value(reply).unwrap();
    let expected = json!({"Interface": {
        "Address": "172.18.0.2/16", "AddressIPv6": "fd00::2/64", "MacAddress": "02:42:ac:12:00:02",
    }});
    assert_eq!(written, expected);
}

#[test]
fn a_join_is_answered_as_libnetwork_reads_it() {
    let route = |destination: &str, route_type, next_hop: Option<&str>| StaticRoute {
        destination: destination.parse().unwrap(),
        route_type,
        next_hop: next_hop.map(|hop| hop.parse().unwrap()),
    };
    let reply = JoinReply {
        interface_name: InterfaceName {
            src_name: "vs-1".into(),
            dst_prefix: "eth".into(),
            ..InterfaceName::default()
        },
        gateway: Some("10.0.0.1".parse().unwrap()),
        static_routes: vec![
            route("10.9.0.0/16", RouteType::NextHop, Some("10.0.0.2")),
            route("::/0", RouteType::Connected, None),
        ],
        ..JoinReply::default()
    };
    let expected = json!({
        "InterfaceName": {"SrcName": "vs-1", "DstName": "", "DstPrefix": "eth"},
        "Gateway": "10.0.0.1",
        "GatewayIPv6": "",
        "StaticRoutes": [
            {"Destination": "10.9.0.0/16", "RouteType": 0, "NextHop": "10.0.0.2"},
            {"Destination": "::/0", "RouteType": 1, "NextHop": ""},
        ],
        "DisableGatewayService": false,
    });
    assert_eq!(serde_json::to_value(reply).unwrap(), expected);
}

#[test]
fn capabilities_and_failures_have_their_exact_names() {
    let capabilities = Capabilities {
        scope: Scope::Local,
        connectivity_scope: Some(Scope::Global),
        gw_alloc_checker: true,
    };
    let expected = json!({"Scope": "local", "ConnectivityScope": "global", "GwAllocChecker": true});
    assert_eq!(serde_json::to_value(capabilities).unwrap(), expected);
    let capabilities = ipam::Capabilities {
        requires_mac_address: true,
        requires_request_replay: false,
    };
    let expected = json!({"RequiresMACAddress": true, "RequiresRequestReplay": false});
    assert_eq!(serde_json::to_value(capabilities).unwrap(), expected);
    let failure = serde_json::to_value(Failure::new("no")).unwrap();
    assert_eq!(failure, json!({"Err": "no", "Error": "no"}));
    let skip = serde_json::to_value(GwAllocCheckReply::default()).unwrap();
    assert_eq!(skip, json!({"SkipIPv4": false, "SkipIPv6": false}));
    assert_eq!(serde_json::to_value(Empty {}).unwrap(), json!({}));
}

#[test]
fn a_failure_is_under_either_name() {
    for (body, message) in [
        (r#"{"Err":"a"}"#, Some("a")),
        (r#"{"error":"b"}"#, Some("b")),
        (r#"{"Err":null,"Error":"c"}"#, Some("c")),
        (r#"{"Err":"","Error":""}"#, None),
        ("{}", None),
    ] {
        let failure: Failure = decode(body.as_bytes()).unwrap();
        assert_eq!(failure.message(), message, "{body}");
    }
}

#[test]
fn an_empty_body_is_refused_and_says_what_is_missing() {
    for body in ["", " \n"] {
        assert_eq!(
            error::<Join>(body),
            "the body is empty: NetworkID is missing"
        );
    }
    assert_eq!(
        error::<ipam::ReleasePool>(""),
        "the body is empty: PoolID is missing"
    );
    assert_eq!(
        error::<ipam::RequestPoolReply>(""),
        "the body is empty: Pool is missing"
    );
    assert_eq!(error::<ipam::RequestPool>(""), "the body is empty");
    assert_eq!(error::<Empty>(""), "the body is empty");
}

#[test]
fn what_is_missing_is_named() {
    for body in ["{}", "null", r#"{"NetworkID":null}"#, r#"{"Network":"n"}"#] {
        let missing = DecodeError::Missing {
            field: "NetworkID".into(),
        };
        assert_eq!(decode::<CreateEndpoint>(body.as_bytes()), Err(missing));
    }
    assert_eq!(
        error::<DeleteNetwork>(r#"{"NetworkID":""}"#),
        "NetworkID: \"\" is not an id"
    );
    assert_eq!(
        error::<EndpointRef>(r#"{"NetworkID":"n"}"#),
        "EndpointID is missing"
    );
    assert_eq!(error::<Capabilities>("{}"), "Scope is missing");
    let routes = r#"{"StaticRoutes":[{"Destination":"10.0.0.0/8"},{"NextHop":"10.0.0.1"}]}"#;
    assert_eq!(
        error::<JoinReply>(routes),
        "StaticRoutes[1].Destination is missing"
    );
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    let cidr = "an address with its prefix length, such as 10.1.0.2/16";
    for (body, expected) in [
        (
            r#"{"Gateway":"10.0.0.1"}"#,
            format!(r#"Gateway: "10.0.0.1" is not {cidr}"#),
        ),
        (
            r#"{"pool":"10.0.0.0/33"}"#,
            format!(r#"Pool: "10.0.0.0/33" is not {cidr}"#),
        ),
        (r#"{"Pool":" "}"#, format!(r#"Pool: " " is not {cidr}"#)),
        (r#"{"Pool":7}"#, "Pool: 7 is not text".into()),
        (
            r#"{"AuxAddresses":{"ok":"10.0.0.1/8","DefaultGatewayIPv4":"x"}}"#,
            format!(r#"AuxAddresses.DefaultGatewayIPv4: "x" is not {cidr}"#),
        ),
        (
            r#"{"AuxAddresses":["10.0.0.1/8"]}"#,
            "AuxAddresses: a list is not an object".into(),
        ),
        (
            r#"{"AddressSpace":{}}"#,
            "AddressSpace: an object is not text".into(),
        ),
    ] {
        assert_eq!(error::<IpamData>(body), expected);
        let network = format!(r#"{{"NetworkID":"n","IPv6Data":[{{}},{body}]}}"#);
        assert_eq!(
            error::<CreateNetwork>(&network),
            format!("IPv6Data[1].{expected}")
        );
    }
    for (body, expected) in [
        (
            r#"{"Gateway":"10.0.0.1/8"}"#,
            r#"Gateway: "10.0.0.1/8" is not an IP address"#,
        ),
        (
            r#"{"InterfaceName":"eth0"}"#,
            r#"InterfaceName: "eth0" is not an object"#,
        ),
        (
            r#"{"DisableGatewayService":1}"#,
            "DisableGatewayService: 1 is not true or false",
        ),
        (
            r#"{"StaticRoutes":{}}"#,
            "StaticRoutes: an object is not a list",
        ),
        (
            r#"{"StaticRoutes":[{"Destination":"::/0","RouteType":2}]}"#,
            "StaticRoutes[0].RouteType: 2 is not a route type (0: by a next hop, 1: connected)",
        ),
    ] {
        assert_eq!(error::<JoinReply>(body), expected);
    }
    assert_eq!(
        error::<EndpointInterface>(r#"{"MacAddress":"02:42"}"#),
        r#"MacAddress: "02:42" is not a MAC address, such as 02:42:0a:01:00:02"#
    );
    assert_eq!(
        error::<Capabilities>(r#"{"Scope":"swarm"}"#),
        r#"Scope: "swarm" is not a scope (local or global)"#
    );
}

#[test]
fn what_is_no_object_is_refused() {
    assert_eq!(
        error::<Empty>("[]"),
        "the body is wrong: a list is not an object"
    );
    assert_eq!(
        error::<Join>("\"x\""),
        "the body is wrong: \"x\" is not an object"
    );
    for body in ["{", "nul", "{}{}", "\u{feff}{}", "{\"a\":1e999}", "hello"] {
        let error = decode::<Empty>(body.as_bytes()).unwrap_err();
        assert!(
            matches!(error, DecodeError::Syntax { .. }),
            "{body}: {error}"
        );
    }
}

#[test]
fn numbers_stay_in_their_range() {
    for number in ["70000", "-1", "80.5", "18446744073709551616", "1e300"] {
        let message = error::<PortBinding>(&format!(r#"{{"HostPort":{number}}}"#));
        assert!(message.starts_with("HostPort: "), "{message}");
        assert!(
            message.ends_with(" is not a whole number from 0 to 65535"),
            "{message}"
        );
    }
    assert_eq!(
        error::<PortBinding>(r#"{"Proto":256}"#),
        "Proto: 256 is not a whole number from 0 to 255"
    );
    assert_eq!(
        error::<PortBinding>(r#"{"Port":"80"}"#),
        "Port: \"80\" is not a whole number from 0 to 65535"
    );
}

#[test]
fn a_huge_value_is_not_repeated_in_full() {
    let body = format!(r#"{{"Gateway":"{}"}}"#, "é".repeat(1 << 20));
    let message = error::<JoinReply>(&body);
    assert!(message.len() < 300, "{}", message.len());
    assert!(message.contains('…'), "{message}");
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 100_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let body = format!(r#"{{"NetworkID":"n","Options":{nested}}}"#);
        let error = decode::<CreateNetwork>(body.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }
}
