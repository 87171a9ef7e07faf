//! Networks and endpoints of Docker's, beside those of `vsctl`.

use serde_json::{Value, json};

use super::exchange::Plugin;
use crate::lab::{host_link, host_taps, isolated};

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn network(digit: char, subnet: &str, gateway: &str) -> Value {
    json!({
        "NetworkID": id(digit),
        "Options": {
            "com.docker.network.enable_ipv6": false,
            "com.docker.network.generic": {"vswitch.name": format!("net-{digit}")},
        },
        "IPv4Data": [{"AddressSpace": "LocalDefault", "Gateway": gateway, "Pool": subnet}],
        "IPv6Data": [],
    })
}

fn endpoint(network: char, endpoint: char) -> Value {
    json!({"NetworkID": id(network), "EndpointID": id(endpoint)})
}

fn with(mut request: Value, key: &str, value: Value) -> Value {
    request[key] = value;
    request
}

#[test]
fn what_docker_does_not_know_is_gone_already() {
    isolated(|| {
        let plugin = Plugin::start();
        let nowhere = endpoint('a', 'b');
        for method in [
            "DeleteNetwork",
            "DeleteEndpoint",
            "Leave",
            "RevokeExternalConnectivity",
        ] {
            assert_eq!(
                plugin.call(&format!("NetworkDriver.{method}"), &nowhere),
                json!({})
            );
        }
        let join = with(nowhere.clone(), "SandboxKey", json!("/run/docker/netns/1"));
        for (method, request) in [
            ("CreateEndpoint", &nowhere),
            ("Join", &join),
            ("EndpointOperInfo", &nowhere),
            ("ProgramExternalConnectivity", &nowhere),
        ] {
            plugin.refused(&format!("NetworkDriver.{method}"), request);
        }
        for method in ["AllocateNetwork", "FreeNetwork"] {
            let message = plugin.refused(&format!("NetworkDriver.{method}"), &nowhere);
            assert!(message.contains("swarm"), "{message}");
        }
    });
}

#[test]
fn every_command_may_come_twice_and_survives_a_crash() {
    isolated(|| {
        let mut plugin = Plugin::start();
        let mut twice = |method: &str, request: &Value| {
            let method = format!("NetworkDriver.{method}");
            let answer = plugin.call(&method, request);
            assert_eq!(plugin.call(&method, request), answer, "{method}");
            plugin.daemon.kill();
            plugin.start_again();
            answer
        };
        let here = endpoint('a', 'b');
        let interface = json!({"Address": "10.55.0.7/24", "AddressIPv6": "", "MacAddress": ""});
        twice(
            "CreateNetwork",
            &network('a', "10.55.0.0/24", "10.55.0.1/24"),
        );
        let created = twice(
            "CreateEndpoint",
            &with(here.clone(), "Interface", interface),
        );
        assert_eq!(created["Interface"]["MacAddress"], "02:42:0a:37:00:07");
        assert_eq!(created["Interface"]["Address"], "");
        twice("DeleteEndpoint", &here);
        twice("DeleteNetwork", &json!({"NetworkID": id('a')}));
    });
}

#[test]
fn an_interface_is_there_from_join_to_the_end() {
    isolated(|| {
        let plugin = Plugin::start();
        let call = |method: &str, request: &Value| {
            let method = format!("NetworkDriver.{method}");
            let answer = plugin.call(&method, request);
            assert_eq!(plugin.call(&method, request), answer, "{method}");
            answer
        };
        let here = endpoint('a', 'b');
        let interface = json!({"Address": "10.55.0.7/24"});
        call(
            "CreateNetwork",
            &network('a', "10.55.0.0/24", "10.55.0.1/24"),
        );
        let others = host_taps();
        call(
            "CreateEndpoint",
            &with(here.clone(), "Interface", interface),
        );
        assert_eq!(host_taps(), others);
        // Not there yet, as with Docker.
        let sandbox = json!("/run/docker/netns/df2ab8064a31");
        let joined = call("Join", &with(here.clone(), "SandboxKey", sandbox));
        let expected = json!({
            "InterfaceName": {"SrcName": "vs-bbbbbbbbbbbb", "DstName": "", "DstPrefix": "eth"},
            "Gateway": "10.55.0.1",
            "GatewayIPv6": "",
            "StaticRoutes": [],
            "DisableGatewayService": false,
        });
        assert_eq!(joined, expected);
        let interface = host_link("vs-bbbbbbbbbbbb").unwrap();
        assert_eq!(interface.mac.unwrap().to_string(), "02:42:0a:37:00:07");

        let ports: Vec<Value> = (2000..=2999)
            .map(|port| {
                json!({"Proto": 6, "IP": "", "Port": port, "HostIP": "", "HostPort": port,
                    "HostPortEnd": port})
            })
            .collect();
        let options = json!({"com.docker.network.portmap": ports});
        call(
            "ProgramExternalConnectivity",
            &with(here.clone(), "Options", options),
        );
        let client = plugin.daemon.client();
        let published = plugin.daemon.block_on(client.ports(None)).unwrap();
        let hosts = published
            .iter()
            .map(|port| port.binding.host_port.unwrap().to_string());
        assert_eq!(hosts.collect::<Vec<_>>(), ["2000-2999", "2000-2999"]);
        let info = call("EndpointOperInfo", &here);
        assert_eq!(
            info["Value"]["com.docker.network.endpoint.macaddress"],
            "02:42:0a:37:00:07"
        );
        assert_eq!(
            info["Value"]["com.docker.network.portmap"][0]["HostPortEnd"],
            2999
        );

        // Without RevokeExternalConnectivity, which a restarted dockerd forgets.
        call("Leave", &here);
        assert_eq!(plugin.daemon.block_on(client.ports(None)).unwrap(), []);
        call("DeleteEndpoint", &here);
        assert_eq!(host_taps(), others);
        call("DeleteNetwork", &json!({"NetworkID": id('a')}));
        assert_eq!(host_taps(), Vec::<String>::new());
    });
}

#[test]
fn addresses_are_ours_with_dockers_null_ipam() {
    isolated(|| {
        let plugin = Plugin::start();
        let create = json!({
            "NetworkID": id('a'),
            "Options": {"com.docker.network.generic": {}, "com.docker.network.internal": true},
            "IPv4Data": [{"AddressSpace": "null", "Pool": "0.0.0.0/0"}],
            "IPv6Data": null,
        });
        plugin.call("NetworkDriver.CreateNetwork", &create);
        let here = endpoint('a', 'b');
        let open = json!({"Address": "", "AddressIPv6": "", "MacAddress": ""});
        let created = plugin.call(
            "NetworkDriver.CreateEndpoint",
            &with(here.clone(), "Interface", open),
        );
        let expected = json!({"Interface": {
            "Address": "172.17.0.2/16",
            "AddressIPv6": "",
            "MacAddress": "02:42:ac:11:00:02",
        }});
        assert_eq!(created, expected);
        let join = with(here, "SandboxKey", json!("/run/docker/netns/1"));
        let joined = plugin.call("NetworkDriver.Join", &join);
        assert_eq!(joined["Gateway"], "");
        assert_eq!(joined["DisableGatewayService"], true);
        let client = plugin.daemon.client();
        let shown = plugin
            .daemon
            .block_on(client.network("docker-aaaaaaaaaaaa"));
        let shown = shown.unwrap();
        assert_eq!((shown.driver.as_str(), shown.internal), ("bridge", true));
    });
}

#[test]
fn gateways_are_asked_for_only_where_they_are_the_switchs() {
    isolated(|| {
        let plugin = Plugin::start();
        let skips = |generic: Value| {
            let request = json!({"Options": {"com.docker.network.generic": generic}});
            plugin.call("NetworkDriver.GwAllocCheck", &request)
        };
        let neither = json!({"SkipIPv4": false, "SkipIPv6": false});
        let both = json!({"SkipIPv4": true, "SkipIPv6": true});
        assert_eq!(skips(json!({})), neither);
        assert_eq!(skips(json!({"driver": "ipvlan"})), both);
        let create = json!({
            "NetworkID": id('a'),
            "Options": {"com.docker.network.generic": {}},
            "IPv4Data": [{"Pool": "10.55.0.0/24"}],
        });
        let message = plugin.refused("NetworkDriver.CreateNetwork", &create);
        assert!(message.contains("--gateway"), "{message}");
    });
}

#[test]
fn options_are_refused_as_vsctls_are() {
    isolated(|| {
        let plugin = Plugin::start();
        let mut create = network('a', "10.55.0.0/24", "10.55.0.1/24");
        create["Options"]["com.docker.network.generic"]["mtu"] = json!("1400");
        let answer = plugin.send("NetworkDriver.CreateNetwork", &create.to_string());
        let message = answer.message(400);
        assert_eq!(
            message,
            "unknown option \"mtu\"; did you mean com.docker.network.driver.mtu?"
        );
        plugin.call(
            "NetworkDriver.CreateNetwork",
            &network('a', "10.55.0.0/24", "10.55.0.1/24"),
        );
        let options = json!({"vlan": "7", "com.docker.network.endpoint.ifname": "net0"});
        let request = with(endpoint('a', 'b'), "Options", options);
        let request = with(request, "Interface", json!({"Address": "10.55.0.7/24"}));
        let answer = plugin.send("NetworkDriver.CreateEndpoint", &request.to_string());
        let message = answer.message(400);
        assert_eq!(
            message,
            "unknown option \"vlan\"; did you mean vswitch.vlan?"
        );
        let request = with(request, "Options", json!({"vswitch.vlan": 7}));
        plugin.call("NetworkDriver.CreateEndpoint", &request);
    });
}
