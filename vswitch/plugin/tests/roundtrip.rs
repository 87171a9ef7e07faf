//! What is written is read again, whatever it is; and nothing that is read does harm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vswitch_packet::MacAddr;
use vswitch_plugin::network_driver::*;
use vswitch_plugin::{Activation, Empty, Failure, decode, ipam_driver as ipam};

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    sent: &T,
) -> Result<(), TestCaseError> {
    let body = serde_json::to_vec(sent).unwrap();
    prop_assert_eq!(&decode::<T>(&body)?, sent);
    // As a program would write it that cares for no case.
    let lower = in_lower_case(serde_json::from_slice(&body).unwrap());
    prop_assert_eq!(&decode::<T>(&serde_json::to_vec(&lower).unwrap())?, sent);
    Ok(())
}

/// With the names of the outermost fields in lower case.
fn in_lower_case(value: Value) -> Value {
    let Value::Object(object) = value else {
        return value;
    };
    let fields = object.into_iter();
    Value::Object(
        fields
            .map(|(name, value)| (name.to_lowercase(), value))
            .collect(),
    )
}

fn text() -> BoxedStrategy<String> {
    ".{0,12}".boxed()
}

fn id() -> BoxedStrategy<String> {
    prop_oneof!["[0-9a-f]{64}", ".{1,12}"].boxed()
}

fn texts() -> BoxedStrategy<BTreeMap<String, String>> {
    btree_map(text(), text(), 0..4).boxed()
}

fn json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
    .boxed()
}

fn options() -> BoxedStrategy<Options> {
    btree_map(text(), json(), 0..4)
        .prop_map(|map| map.into_iter().collect())
        .boxed()
}

fn net() -> BoxedStrategy<IpNet> {
    (any::<IpAddr>(), any::<u8>())
        .prop_map(|(address, length)| {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, length % (longest + 1)).unwrap()
        })
        .boxed()
}

fn ipam_data() -> BoxedStrategy<Vec<IpamData>> {
    let aux = btree_map(text(), net(), 0..3);
    let data = (text(), option::of(net()), option::of(net()), aux).prop_map(
        |(address_space, pool, gateway, aux_addresses)| IpamData {
            address_space,
            pool,
            gateway,
            aux_addresses,
        },
    );
    vec(data, 0..3).boxed()
}

fn interface() -> BoxedStrategy<Option<EndpointInterface>> {
    let mac = any::<[u8; 6]>().prop_map(MacAddr);
    let interface = (option::of(net()), option::of(net()), option::of(mac)).prop_map(
        |(address, address_ipv6, mac_address)| EndpointInterface {
            address,
            address_ipv6,
            mac_address,
        },
    );
    option::of(interface).boxed()
}

fn scope() -> BoxedStrategy<Scope> {
    prop_oneof![Just(Scope::Local), Just(Scope::Global)].boxed()
}

fn routes() -> BoxedStrategy<Vec<StaticRoute>> {
    let kind = prop_oneof![Just(RouteType::NextHop), Just(RouteType::Connected)];
    let route = (net(), kind, option::of(any::<IpAddr>())).prop_map(
        |(destination, route_type, next_hop)| StaticRoute {
            destination,
            route_type,
            next_hop,
        },
    );
    vec(route, 0..3).boxed()
}

proptest! {
    #[test]
    fn activation(implements in vec(text(), 0..4), err in text(), error in text()) {
        check(&Activation { implements })?;
        check(&Failure { err, error })?;
        check(&Empty {})?;
    }

    #[test]
    fn capabilities(
        scope in scope(), connectivity_scope in option::of(scope()), flags in any::<[bool; 5]>(),
    ) {
        let [gw_alloc_checker, skip_ipv4, skip_ipv6, requires_mac_address, requires_request_replay]
            = flags;
        check(&Capabilities { scope, connectivity_scope, gw_alloc_checker })?;
        check(&GwAllocCheckReply { skip_ipv4, skip_ipv6 })?;
        check(&ipam::Capabilities { requires_mac_address, requires_request_replay })?;
    }

    #[test]
    fn networks(
        network_id in id(), options in options(), ipv4_data in ipam_data(),
        ipv6_data in ipam_data(), texts in texts(),
    ) {
        check(&DeleteNetwork { network_id: network_id.clone() })?;
        check(&FreeNetwork { network_id: network_id.clone() })?;
        check(&GwAllocCheck { options: options.clone() })?;
        check(&AllocateNetworkReply { options: texts.clone() })?;
        check(&AllocateNetwork {
            network_id: network_id.clone(),
            options: texts,
            ipv4_data: ipv4_data.clone(),
            ipv6_data: ipv6_data.clone(),
        })?;
        check(&CreateNetwork { network_id, options, ipv4_data, ipv6_data })?;
    }

    #[test]
    fn endpoints(
        network_id in id(), endpoint_id in id(), interface in interface(), options in options(),
    ) {
        check(&CreateEndpointReply { interface })?;
        check(&OperInfoReply { value: options.clone() })?;
        check(&EndpointRef { network_id: network_id.clone(), endpoint_id: endpoint_id.clone() })?;
        check(&ProgramExternalConnectivity {
            network_id: network_id.clone(),
            endpoint_id: endpoint_id.clone(),
            options: options.clone(),
        })?;
        check(&CreateEndpoint { network_id, endpoint_id, interface, options })?;
    }

    #[test]
    fn joins(
        network_id in id(), endpoint_id in id(), sandbox_key in text(), options in options(),
        (src_name, dst_name, dst_prefix) in (text(), text(), text()),
        gateway in option::of(any::<IpAddr>()), gateway_ipv6 in option::of(any::<IpAddr>()),
        static_routes in routes(), disable_gateway_service in any::<bool>(),
    ) {
        check(&Join { network_id, endpoint_id, sandbox_key, options })?;
        check(&JoinReply {
            interface_name: InterfaceName { src_name, dst_name, dst_prefix },
            gateway,
            gateway_ipv6,
            static_routes,
            disable_gateway_service,
        })?;
    }

    #[test]
    fn discoveries(discovery_type in any::<i64>(), discovery_data in json()) {
        check(&Discover { discovery_type, discovery_data })?;
    }

    #[test]
    fn port_bindings(
        proto in any::<u8>(), ip in option::of(any::<IpAddr>()), port in any::<u16>(),
        host_ip in option::of(any::<IpAddr>()), host_port in any::<u16>(),
        host_port_end in any::<u16>(),
    ) {
        let binding = PortBinding { proto, ip, port, host_ip, host_port, host_port_end };
        check(&binding)?;
        let list = serde_json::to_value([binding]).unwrap();
        let options = [(PORT_MAP.to_owned(), list)].into_iter().collect();
        prop_assert_eq!(port_map(&options), Ok(vec![binding]));
    }

    #[test]
    fn pools(
        pool_id in id(), spaces in (text(), text()), pool in net(), asked in option::of(net()),
        sub_pool in option::of(net()), options in texts(), v6 in any::<bool>(),
    ) {
        let (local_default_address_space, global_default_address_space) = spaces.clone();
        check(&ipam::AddressSpaces { local_default_address_space, global_default_address_space })?;
        check(&ipam::RequestPool {
            address_space: spaces.0, pool: asked, sub_pool, options: options.clone(), v6,
        })?;
        check(&ipam::ReleasePool { pool_id: pool_id.clone() })?;
        check(&ipam::RequestPoolReply { pool_id, pool, data: options })?;
    }

    #[test]
    fn addresses(
        pool_id in id(), address in option::of(any::<IpAddr>()), given in option::of(net()),
        options in texts(),
    ) {
        check(&ipam::ReleaseAddress { pool_id: pool_id.clone(), address })?;
        check(&ipam::RequestAddressReply { address: given, data: options.clone() })?;
        check(&ipam::RequestAddress { pool_id, address, options })?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        read_as_everything(&bytes);
    }

    /// JSON of the fields' names, whose values are anything.
    #[test]
    fn any_json_is_read_or_refused(
        fields in btree_map(
            prop_oneof![
                "NetworkID|EndpointID|PoolID|Options|IPv[46]Data|Interface|Value|SandboxKey",
                "InterfaceName|Gateway|GatewayIPv6|StaticRoutes|Scope|Pool|SubPool|Address|V6",
                "Data|Implements|Err|DiscoveryType|RouteType|Destination|Proto|HostIP|Port",
            ],
            json(),
            0..6,
        ),
        list in json(),
    ) {
        let mut object: serde_json::Map<String, Value> = fields.into_iter().collect();
        read_as_everything(&serde_json::to_vec(&object).unwrap());
        object.insert(PORT_MAP.into(), list.clone());
        object.insert(GENERIC.into(), list.clone());
        let _ = (port_map(&object), generic(&object), flag(&object, GENERIC));
        read_as_everything(&serde_json::to_vec(&list).unwrap());
    }
}

/// An error is short, however long what it is about.
fn read_as<T: DeserializeOwned>(body: &[u8]) {
    if let Err(error) = decode::<T>(body) {
        let message = error.to_string();
        assert!(!message.is_empty() && message.len() < 1024, "{message}");
    }
}

fn read_as_everything(body: &[u8]) {
    read_as::<Activation>(body);
    read_as::<Failure>(body);
    read_as::<Empty>(body);
    read_as::<Capabilities>(body);
    read_as::<Discover>(body);
    read_as::<CreateNetwork>(body);
    read_as::<DeleteNetwork>(body);
    read_as::<GwAllocCheck>(body);
    read_as::<GwAllocCheckReply>(body);
    read_as::<AllocateNetwork>(body);
    read_as::<AllocateNetworkReply>(body);
    read_as::<FreeNetwork>(body);
    read_as::<CreateEndpoint>(body);
    read_as::<CreateEndpointReply>(body);
    read_as::<EndpointRef>(body);
    read_as::<OperInfoReply>(body);
    read_as::<Join>(body);
    read_as::<JoinReply>(body);
    read_as::<StaticRoute>(body);
    read_as::<ProgramExternalConnectivity>(body);
    read_as::<PortBinding>(body);
    read_as::<ipam::Capabilities>(body);
    read_as::<ipam::AddressSpaces>(body);
    read_as::<ipam::RequestPool>(body);
    read_as::<ipam::RequestPoolReply>(body);
    read_as::<ipam::ReleasePool>(body);
    read_as::<ipam::RequestAddress>(body);
    read_as::<ipam::RequestAddressReply>(body);
    read_as::<ipam::ReleaseAddress>(body);
}
