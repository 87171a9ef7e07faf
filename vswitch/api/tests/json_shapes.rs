//! The JSON that scripts and other programs rely on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json, to_value};
use vswitch_api::{
    Attach, ConntrackQuery, DetachQuery, Endpoint, EntryOrigin, ErrorBody, FdbEntry, FlushQuery,
    InspectConfig, InspectContainer, InspectIpam, InspectLease, InspectParent, Lease, LeaseState,
    NatStats, NeighbourEntry, NetworkCreate, NetworkCreated, NetworkInspect, NetworkQuery,
    NetworkSummary, ParentFilter, ParentState, Port, PortBinding, PortStats, Publish,
    PublishedPort, Remote, RemoveNetworkQuery, RouteEntry, RouteKind, RouteOrigin, Sandbox,
    SandboxCreate, Session, SessionProtocol, SessionState, StatsQuery, Traffic, Version, Vtep,
    VtepCreate, VtepOrigin,
};

/// The value is that JSON, and that JSON is the value.
#[track_caller]
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, json: Value) {
    assert_eq!(to_value(value).unwrap(), json);
    assert_eq!(from_value::<T>(json).unwrap(), *value);
}

#[track_caller]
fn refused<T: DeserializeOwned + Debug>(json: Value, hint: &str) {
    let error = from_value::<T>(json).unwrap_err().to_string();
    assert!(error.contains(hint), "{error}");
}

fn port() -> Port {
    Port {
        name: "vs-0123456789ab".to_owned(),
        sandbox: Some("blue".to_owned()),
        ifname: Some("eth0".to_owned()),
    }
}

fn port_json() -> Value {
    json!({"name": "vs-0123456789ab", "sandbox": "blue", "ifname": "eth0"})
}

fn endpoint() -> Endpoint {
    Endpoint {
        id: "ab".repeat(32),
        network: "web".to_owned(),
        sandbox: "blue".to_owned(),
        ifname: Some("eth0".to_owned()),
        mac: Some("02:42:0a:14:00:02".to_owned()),
        mtu: Some(1500),
        addresses: vec![
            "10.20.0.2/16".parse().unwrap(),
            "fd00:20::2/64".parse().unwrap(),
        ],
        gateway: Some("10.20.0.1".parse().unwrap()),
        gateway6: None,
        aliases: vec!["www".to_owned()],
        ports: vec![binding()],
    }
}

fn binding() -> PortBinding {
    PortBinding {
        protocol: "tcp".to_owned(),
        host_ip: "0.0.0.0".parse().unwrap(),
        host_port: Some("8000-8010".parse().unwrap()),
        container_ip: "10.20.0.2".parse().unwrap(),
        container_port: "80-90".parse().unwrap(),
    }
}

fn endpoint_json() -> Value {
    json!({
        "id": "ab".repeat(32),
        "network": "web",
        "sandbox": "blue",
        "ifname": "eth0",
        "mac": "02:42:0a:14:00:02",
        "mtu": 1500,
        "addresses": ["10.20.0.2/16", "fd00:20::2/64"],
        "gateway": "10.20.0.1",
        "gateway6": null,
        "aliases": ["www"],
        "ports": [{
            "protocol": "tcp",
            "host_ip": "0.0.0.0",
            "host_port": "8000-8010",
            "container_ip": "10.20.0.2",
            "container_port": "80-90",
        }],
    })
}

#[test]
fn inspect_is_spelt_as_docker_spells_it() {
    let network = NetworkInspect {
        name: "web".to_owned(),
        id: "ab".repeat(32),
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
        scope: "local".to_owned(),
        driver: "bridge".to_owned(),
        enable_ipv6: true,
        ipam: InspectIpam {
            driver: "default".to_owned(),
            options: BTreeMap::new(),
            config: vec![
                InspectConfig {
                    subnet: "10.20.0.0/16".parse().unwrap(),
                    ip_range: Some("10.20.5.0/24".parse().unwrap()),
                    gateway: Some("10.20.0.1".parse().unwrap()),
                    auxiliary_addresses: BTreeMap::from([(
                        "nas".to_owned(),
                        "10.20.0.9".parse().unwrap(),
                    )]),
                },
                InspectConfig {
                    subnet: "fd00:20::/64".parse().unwrap(),
                    ip_range: None,
                    gateway: None,
                    auxiliary_addresses: BTreeMap::new(),
                },
            ],
        },
        internal: false,
        options: BTreeMap::from([(
            "com.docker.network.driver.mtu".to_owned(),
            "9000".to_owned(),
        )]),
        labels: BTreeMap::from([("tier".to_owned(), "front".to_owned())]),
        containers: BTreeMap::from([(
            "blue".to_owned(),
            InspectContainer {
                name: "blue".to_owned(),
                endpoint_id: "cd".repeat(32),
                mac_address: "02:42:0a:14:05:00".to_owned(),
                ipv4_address: "10.20.5.0/16".to_owned(),
                ipv6_address: String::new(),
                labels: BTreeMap::from([("tier".to_owned(), "front".to_owned())]),
                lease: None,
            },
        )]),
        parent: None,
    };
    same(
        &network,
        json!({
            "Name": "web",
            "Id": "ab".repeat(32),
            "Created": "2026-01-02T03:04:05Z",
            "Scope": "local",
            "Driver": "bridge",
            "EnableIPv6": true,
            "IPAM": {
                "Driver": "default",
                "Options": {},
                "Config": [
                    {
                        "Subnet": "10.20.0.0/16",
                        "IPRange": "10.20.5.0/24",
                        "Gateway": "10.20.0.1",
                        "AuxiliaryAddresses": {"nas": "10.20.0.9"},
                    },
                    {"Subnet": "fd00:20::/64"},
                ],
            },
            "Internal": false,
            "Options": {"com.docker.network.driver.mtu": "9000"},
            "Labels": {"tier": "front"},
            "Containers": {
                "blue": {
                    "Name": "blue",
                    "EndpointID": "cd".repeat(32),
                    "MacAddress": "02:42:0a:14:05:00",
                    "IPv4Address": "10.20.5.0/16",
                    "IPv6Address": "",
                    "Labels": {"tier": "front"},
                },
            },
        }),
    );
}

#[test]
fn inspect_keeps_dockers_order_of_fields() {
    let text = serde_json::to_string(&InspectContainer {
        name: "blue".to_owned(),
        endpoint_id: String::new(),
        mac_address: String::new(),
        ipv4_address: String::new(),
        ipv6_address: String::new(),
        labels: BTreeMap::new(),
        lease: None,
    })
    .unwrap();
    assert_eq!(
        text,
        r#"{"Name":"blue","EndpointID":"","MacAddress":"","IPv4Address":"","IPv6Address":""}"#
    );
}

#[test]
fn inspect_tells_of_the_parent_and_of_leases() {
    let parent = InspectParent {
        name: "eth0".to_owned(),
        state: ParentState::Up,
        mac: Some("02:00:00:00:00:01".to_owned()),
        mtu: Some(1500),
        vlan: Some(100),
        filter: Some(ParentFilter::Unicast),
    };
    same(
        &parent,
        json!({
            "Name": "eth0",
            "State": "up",
            "Mac": "02:00:00:00:00:01",
            "Mtu": 1500,
            "Vlan": 100,
            "Filter": "unicast",
        }),
    );
    same(
        &InspectParent {
            state: ParentState::Missing,
            mac: None,
            mtu: None,
            vlan: None,
            filter: None,
            ..parent
        },
        json!({"Name": "eth0", "State": "missing"}),
    );
    same(&ParentState::NoLink, json!("no link"));
    same(&ParentState::Down, json!("down"));
    same(&ParentFilter::Promiscuous, json!("promiscuous"));
    same(&ParentFilter::SharedMac, json!("shared MAC"));

    let lease = InspectLease {
        server: "192.0.2.1".parse().unwrap(),
        router: Some("192.0.2.254".parse().unwrap()),
        expires_in: Some(3600),
    };
    let json = json!({"Server": "192.0.2.1", "Router": "192.0.2.254", "ExpiresIn": 3600});
    same(&lease, json.clone());
    same(
        &InspectContainer {
            name: "blue".to_owned(),
            endpoint_id: String::new(),
            mac_address: String::new(),
            ipv4_address: "192.0.2.7/24".to_owned(),
            ipv6_address: String::new(),
            labels: BTreeMap::new(),
            lease: Some(lease),
        },
        json!({
            "Name": "blue",
            "EndpointID": "",
            "MacAddress": "",
            "IPv4Address": "192.0.2.7/24",
            "IPv6Address": "",
            "Lease": json,
        }),
    );
}

#[test]
fn a_network_needs_a_name_and_nothing_else() {
    let network: NetworkCreate = from_value(json!({"name": "web"})).unwrap();
    assert_eq!(network, NetworkCreate::new("web"));
    assert_eq!(network.driver, "bridge");
    refused::<NetworkCreate>(json!({}), "name");
    refused::<NetworkCreate>(json!({"name": "web", "subnet": "10.0.0.0/8"}), "subnet");
    refused::<NetworkCreate>(json!({"name": "web", "subnets": ["10.0.0.0/33"]}), "");
}

#[test]
fn a_network_in_full() {
    same(
        &NetworkCreate {
            name: "web".to_owned(),
            driver: "bridge".to_owned(),
            ipam: Some("default".to_owned()),
            ipam_options: BTreeMap::from([("zone".to_owned(), "7".to_owned())]),
            subnets: vec!["10.20.0.0/16".parse().unwrap()],
            gateways: vec!["10.20.0.1".parse().unwrap()],
            ip_ranges: vec!["10.20.5.0/24".parse().unwrap()],
            aux_addresses: BTreeMap::from([("nas".to_owned(), "10.20.0.9".parse().unwrap())]),
            ipv6: true,
            internal: true,
            labels: BTreeMap::from([("tier".to_owned(), "front".to_owned())]),
            options: BTreeMap::from([("vswitch.ageing".to_owned(), "60".to_owned())]),
        },
        json!({
            "name": "web",
            "driver": "bridge",
            "ipam": "default",
            "ipam_options": {"zone": "7"},
            "subnets": ["10.20.0.0/16"],
            "gateways": ["10.20.0.1"],
            "ip_ranges": ["10.20.5.0/24"],
            "aux_addresses": {"nas": "10.20.0.9"},
            "ipv6": true,
            "internal": true,
            "labels": {"tier": "front"},
            "options": {"vswitch.ageing": "60"},
        }),
    );
    same(
        &NetworkCreated {
            id: "ab".repeat(32),
            warnings: Vec::new(),
        },
        json!({"id": "ab".repeat(32)}),
    );
    same(
        &NetworkCreated {
            id: "ab".repeat(32),
            warnings: vec!["192.0.2.2 cannot be reached".to_owned()],
        },
        json!({"id": "ab".repeat(32), "warnings": ["192.0.2.2 cannot be reached"]}),
    );
    same(
        &NetworkSummary {
            id: "ab".repeat(32),
            name: "web".to_owned(),
            driver: "bridge".to_owned(),
            scope: "local".to_owned(),
            subnets: vec!["10.20.0.0/16".parse().unwrap()],
            ports: 3,
        },
        json!({
            "id": "ab".repeat(32),
            "name": "web",
            "driver": "bridge",
            "scope": "local",
            "subnets": ["10.20.0.0/16"],
            "ports": 3,
        }),
    );
}

#[test]
fn attaching_needs_a_sandbox_and_nothing_else() {
    let attach: Attach = from_value(json!({"sandbox": "blue"})).unwrap();
    assert_eq!(
        attach,
        Attach {
            sandbox: "blue".to_owned(),
            ..Attach::default()
        }
    );
    same(&attach, json!({"sandbox": "blue", "gateway_priority": 0}));
    same(
        &Attach {
            sandbox: "pid:7".to_owned(),
            ip: Some("10.20.0.7".parse().unwrap()),
            ip6: Some("fd00:20::7".parse().unwrap()),
            mac: Some("02:42:00:00:00:07".to_owned()),
            ifname: Some("lan0".to_owned()),
            aliases: vec!["www".to_owned()],
            gateway_priority: -1,
            options: BTreeMap::from([("vswitch.vlan".to_owned(), "7".to_owned())]),
            publish: vec!["8080:80".to_owned()],
            labels: BTreeMap::from([("tier".to_owned(), "front".to_owned())]),
        },
        json!({
            "sandbox": "pid:7",
            "ip": "10.20.0.7",
            "ip6": "fd00:20::7",
            "mac": "02:42:00:00:00:07",
            "ifname": "lan0",
            "aliases": ["www"],
            "gateway_priority": -1,
            "options": {"vswitch.vlan": "7"},
            "publish": ["8080:80"],
            "labels": {"tier": "front"},
        }),
    );
    refused::<Attach>(json!({"sandbox": "blue", "ipv4": "10.0.0.1"}), "ipv4");
}

#[test]
fn endpoints_and_sandboxes() {
    same(&endpoint(), endpoint_json());
    same(
        &Sandbox {
            name: "blue".to_owned(),
            owned: true,
            netns: Some(4_026_531_840),
            endpoints: vec![endpoint()],
        },
        json!({
            "name": "blue",
            "owned": true,
            "netns": 4_026_531_840_u64,
            "endpoints": [endpoint_json()],
        }),
    );
    same(
        &SandboxCreate {
            name: "blue".to_owned(),
        },
        json!({"name": "blue"}),
    );
    refused::<SandboxCreate>(json!({"name": "blue", "colour": "blue"}), "colour");
}

#[test]
fn tables() {
    same(
        &FdbEntry {
            network: "web".to_owned(),
            mac: "02:42:0a:14:00:02".to_owned(),
            vlan: None,
            port: port(),
            age: Some(3),
            origin: EntryOrigin::Learned,
        },
        json!({
            "network": "web",
            "mac": "02:42:0a:14:00:02",
            "vlan": null,
            "port": port_json(),
            "age": 3,
            "origin": "learned",
        }),
    );
    same(
        &NeighbourEntry {
            network: "web".to_owned(),
            address: "10.20.0.2".parse().unwrap(),
            mac: None,
            port: None,
            state: "incomplete".to_owned(),
            age: None,
            origin: EntryOrigin::Static,
        },
        json!({
            "network": "web",
            "address": "10.20.0.2",
            "mac": null,
            "port": null,
            "state": "incomplete",
            "age": null,
            "origin": "static",
        }),
    );
    same(
        &RouteEntry {
            sandbox: Some("blue".to_owned()),
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some("10.20.0.1".parse().unwrap()),
            network: Some("web".to_owned()),
            interface: Some("eth0".to_owned()),
            source: Some("10.20.0.2".parse().unwrap()),
            metric: None,
            age: Some(9),
            kind: RouteKind::Unicast,
            origin: RouteOrigin::Gateway,
        },
        json!({
            "sandbox": "blue",
            "destination": "0.0.0.0/0",
            "gateway": "10.20.0.1",
            "network": "web",
            "interface": "eth0",
            "source": "10.20.0.2",
            "metric": null,
            "age": 9,
            "kind": "unicast",
            "origin": "gateway",
        }),
    );
}

#[test]
fn words_in_json_are_the_words_in_tables() {
    use EntryOrigin::{Gateway, Learned, Programmed, Static};
    for origin in [Learned, Static, Gateway, Programmed] {
        same(&origin, json!(origin.as_str()));
    }
    use RouteOrigin as R;
    for origin in [R::Connected, R::Gateway, R::Host, R::Static] {
        same(&origin, json!(origin.as_str()));
    }
    use RouteKind as K;
    for kind in [
        K::Unicast,
        K::Unreachable,
        K::Prohibit,
        K::Blackhole,
        K::Elsewhere,
    ] {
        same(&kind, json!(kind.as_str()));
    }
    use VtepOrigin::{Configured, Group, Learned as Heard};
    for origin in [Configured, Heard, Group] {
        same(&origin, json!(origin.as_str()));
    }
    use LeaseState::{Asking, Bound, Rebinding, Renewing};
    for state in [Bound, Renewing, Rebinding, Asking] {
        same(&state, json!(state.as_str()));
    }
    use SessionState as S;
    for state in [S::Unreplied, S::Established, S::Closing, S::Transitory] {
        same(&state, json!(state.as_str()));
    }
}

#[test]
fn the_far_ends_of_an_overlay() {
    let vtep = Vtep {
        network: "wide".to_owned(),
        vni: 4096,
        address: "192.0.2.2".parse().unwrap(),
        port: 4789,
        origin: VtepOrigin::Configured,
        mtu: 1450,
        macs: 2,
        heard: Some(3),
    };
    let json = json!({
        "network": "wide",
        "vni": 4096,
        "address": "192.0.2.2",
        "port": 4789,
        "origin": "configured",
        "mtu": 1450,
        "macs": 2,
        "heard": 3,
    });
    same(&vtep, json);
    let address = "2001:db8::2".parse().unwrap();
    same(&VtepCreate { address }, json!({"address": "2001:db8::2"}));
    refused::<VtepCreate>(json!({"address": "other.example"}), "address");
    refused::<VtepCreate>(json!({"address": "192.0.2.2", "vni": 7}), "vni");
}

#[test]
fn a_remote_address_names_its_network_in_answers_only() {
    let request = Remote {
        network: None,
        mac: "02:42:0a:14:00:80".to_owned(),
        vtep: "192.0.2.2".parse().unwrap(),
        addresses: vec![
            "10.20.0.128".parse().unwrap(),
            "fd00:20::80".parse().unwrap(),
        ],
    };
    same(
        &request,
        json!({
            "mac": "02:42:0a:14:00:80",
            "vtep": "192.0.2.2",
            "addresses": ["10.20.0.128", "fd00:20::80"],
        }),
    );
    let answer = json!({
        "network": "wide",
        "mac": "02:42:0a:14:00:80",
        "vtep": "192.0.2.2",
        "addresses": [],
    });
    same(
        &Remote {
            network: Some("wide".to_owned()),
            addresses: Vec::new(),
            ..request
        },
        answer,
    );
    let bare: Remote =
        from_value(json!({"mac": "02:42:0a:14:00:80", "vtep": "192.0.2.2"})).unwrap();
    assert!(bare.addresses.is_empty());
    refused::<Remote>(json!({"mac": "02:42:0a:14:00:80"}), "vtep");
    refused::<Remote>(
        json!({"mac": "02:42:0a:14:00:80", "vtep": "192.0.2.2", "ip": "10.20.0.128"}),
        "ip",
    );
}

#[test]
fn leases() {
    let lease = Lease {
        network: "lan".to_owned(),
        sandbox: "blue".to_owned(),
        ifname: "eth0".to_owned(),
        mac: "02:42:c0:00:02:07".to_owned(),
        address: Some("192.0.2.7/24".parse().unwrap()),
        router: Some("192.0.2.254".parse().unwrap()),
        server: Some("192.0.2.1".parse().unwrap()),
        state: LeaseState::Bound,
        expires_in: Some(3600),
    };
    same(
        &lease,
        json!({
            "network": "lan",
            "sandbox": "blue",
            "ifname": "eth0",
            "mac": "02:42:c0:00:02:07",
            "address": "192.0.2.7/24",
            "router": "192.0.2.254",
            "server": "192.0.2.1",
            "state": "bound",
            "expires_in": 3600,
        }),
    );
    same(
        &Lease {
            address: None,
            router: None,
            server: None,
            state: LeaseState::Asking,
            expires_in: None,
            ..lease
        },
        json!({
            "network": "lan",
            "sandbox": "blue",
            "ifname": "eth0",
            "mac": "02:42:c0:00:02:07",
            "address": null,
            "router": null,
            "server": null,
            "state": "asking",
            "expires_in": null,
        }),
    );
}

#[test]
fn published_ports() {
    same(
        &Publish {
            ports: vec!["127.0.0.1:8080:80/udp".to_owned()],
        },
        json!({"ports": ["127.0.0.1:8080:80/udp"]}),
    );
    refused::<Publish>(json!({"port": ["80"]}), "port");
    same(
        &PublishedPort {
            network: "web".to_owned(),
            sandbox: "blue".to_owned(),
            endpoint: "ab".repeat(32),
            binding: PortBinding {
                host_port: None,
                ..binding()
            },
        },
        json!({
            "network": "web",
            "sandbox": "blue",
            "endpoint": "ab".repeat(32),
            "protocol": "tcp",
            "host_ip": "0.0.0.0",
            "host_port": null,
            "container_ip": "10.20.0.2",
            "container_port": "80-90",
        }),
    );
    refused::<PortBinding>(
        json!({
            "protocol": "tcp",
            "host_ip": "0.0.0.0",
            "host_port": "90-80",
            "container_ip": "10.20.0.2",
            "container_port": "80",
        }),
        "90-80",
    );
}

#[test]
fn conversations() {
    same(
        &Session {
            network: "web".to_owned(),
            sandbox: "blue".to_owned(),
            protocol: SessionProtocol::Tcp,
            state: SessionState::Established,
            inside: "[fd00:20::2]:40000".parse().unwrap(),
            external: "[2001:db8::1]:40000".parse().unwrap(),
            remote: "[2001:db8::9]:443".parse().unwrap(),
            idle: 3,
            left: 7437,
        },
        json!({
            "network": "web",
            "sandbox": "blue",
            "protocol": "tcp",
            "state": "established",
            "inside": "[fd00:20::2]:40000",
            "external": "[2001:db8::1]:40000",
            "remote": "[2001:db8::9]:443",
            "idle": 3,
            "left": 7437,
        }),
    );
    same(&SessionProtocol::Other(47), json!("47"));
    refused::<SessionProtocol>(json!("quic"), "use tcp, udp, sctp, icmp");
    same(
        &NatStats {
            sessions: 1,
            mappings: 2,
            held_fragments: 3,
            lost_fragments: 8,
            created: 4,
            expired: 5,
            evicted: 6,
            refused: 7,
        },
        json!({
            "sessions": 1,
            "mappings": 2,
            "held_fragments": 3,
            "lost_fragments": 8,
            "created": 4,
            "expired": 5,
            "evicted": 6,
            "refused": 7,
        }),
    );
}

#[test]
fn counters() {
    let stats = PortStats {
        network: "web".to_owned(),
        port: port(),
        rx: Traffic {
            frames: 1,
            bytes: 2,
            super_frames: 3,
        },
        tx: Traffic::default(),
        coalesced: 4,
        segmented: 5,
        held: 8,
        drops: BTreeMap::from([("spoofed_mac".to_owned(), 6), ("storm".to_owned(), 7)]),
    };
    assert_eq!(stats.dropped(), 13);
    same(
        &stats,
        json!({
            "network": "web",
            "port": port_json(),
            "rx": {"frames": 1, "bytes": 2, "super_frames": 3},
            "tx": {"frames": 0, "bytes": 0, "super_frames": 0},
            "coalesced": 4,
            "segmented": 5,
            "held": 8,
            "drops": {"spoofed_mac": 6, "storm": 7},
        }),
    );
}

#[test]
fn queries() {
    same(&RemoveNetworkQuery { force: true }, json!({"force": true}));
    same(
        &DetachQuery {
            sandbox: "blue".to_owned(),
        },
        json!({"sandbox": "blue"}),
    );
    same(&NetworkQuery { network: None }, json!({}));
    same(
        &StatsQuery {
            of: Some("web".to_owned()),
        },
        json!({"of": "web"}),
    );
    refused::<StatsQuery>(json!({"network": "web"}), "network");
    same(&ConntrackQuery::default(), json!({}));
    same(
        &ConntrackQuery {
            network: Some("web".to_owned()),
            sandbox: Some("blue".to_owned()),
            protocol: Some(SessionProtocol::Icmp),
            state: Some(SessionState::Closing),
        },
        json!({"network": "web", "sandbox": "blue", "protocol": "icmp", "state": "closing"}),
    );
    refused::<ConntrackQuery>(json!({"state": "open"}), "open");
    same(
        &FlushQuery {
            network: Some("web".to_owned()),
            ..FlushQuery::default()
        },
        json!({"network": "web", "all": false}),
    );
}

#[test]
fn errors_and_version() {
    same(
        &ErrorBody::new("network_not_found", "no network named web"),
        json!({"error": {"code": "network_not_found", "message": "no network named web"}}),
    );
    same(
        &Version {
            version: "0.1.0".to_owned(),
            commit: "unknown".to_owned(),
        },
        json!({"version": "0.1.0", "commit": "unknown"}),
    );
}
