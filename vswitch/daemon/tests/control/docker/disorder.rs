//! Requests at the wrong time, about what is not Docker's, or about what is no container.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use vswitch_api::Attach;

use super::exchange::Plugin;
use crate::daemon::{bridge, to};
use crate::lab::{self, eventually, isolated};

const INFO: &str = "NetworkDriver.EndpointOperInfo";

fn network(pool: &Value, generic: &Value) -> Value {
    json!({
        "NetworkID": "a".repeat(64),
        "Options": {"com.docker.network.generic": generic},
        "IPv4Data": [pool],
    })
}

fn endpoint(id: &str) -> Value {
    json!({"NetworkID": "a".repeat(64), "EndpointID": id})
}

fn in_sandbox(id: &str, sandbox: &str) -> Value {
    json!({"NetworkID": "a".repeat(64), "EndpointID": id, "SandboxKey": sandbox})
}

/// With a network whose addresses Docker gives.
fn web() -> Plugin {
    let plugin = Plugin::start();
    let pool = json!({"Gateway": "10.5.0.1/24", "Pool": "10.5.0.0/24"});
    plugin.call("NetworkDriver.CreateNetwork", &network(&pool, &json!({})));
    plugin
}

fn create(plugin: &Plugin, id: &str) {
    let mut request = endpoint(id);
    request["Interface"] = json!({"Address": "10.5.0.2/24"});
    plugin.call("NetworkDriver.CreateEndpoint", &request);
}

#[test]
fn endpoints_of_users_are_not_dockers() {
    isolated(|| {
        let plugin = web();
        plugin.daemon.sandboxes(&["box"]);
        let request = Attach {
            ip: "10.5.0.9".parse().ok(),
            ..to("box")
        };
        let attached = plugin.daemon.try_attach(&"a".repeat(64), request);
        let id = attached.unwrap().id;
        for method in ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"] {
            let method = format!("NetworkDriver.{method}");
            assert_eq!(plugin.call(&method, &endpoint(&id)), json!({}));
        }
        plugin.refused(INFO, &endpoint(&id));
        let join = in_sandbox(&id, "/run/netns/box");
        plugin.refused("NetworkDriver.Join", &join);
        let mut twin = endpoint(&id);
        twin["Interface"] = json!({"Address": "10.5.0.9/24"});
        plugin.refused("NetworkDriver.CreateEndpoint", &twin);
        assert!(lab::succeeds_in("box", "ping -c 1 -W 5 10.5.0.1"));
    });
}

#[test]
fn what_docker_takes_back_goes_however_busy_we_are() {
    isolated(|| {
        let plugin = web();
        let id = "b".repeat(64);
        create(&plugin, &id);
        let client = Arc::new(plugin.daemon.client());
        plugin.daemon.block_on(async {
            let mut others = JoinSet::new();
            for n in 0..80 {
                let client = Arc::clone(&client);
                let request = bridge(&format!("net{n}"), &format!("10.77.{n}.0/24"));
                others.spawn(async move { client.create_network(&request).await });
            }
            // They are in front of it.
            tokio::time::sleep(Duration::from_millis(300)).await;
            plugin.send("NetworkDriver.DeleteEndpoint", &endpoint(&id).to_string());
            while let Some(made) = others.join_next().await {
                made.unwrap().unwrap();
            }
        });
        plugin.refused(INFO, &endpoint(&id));
    });
}

#[test]
fn nothing_happens_to_an_endpoint_whose_address_is_being_asked_for() {
    isolated(|| {
        let mut plugin = Plugin::start();
        for line in [
            "link add nic type veth peer name wire",
            "link set nic up",
            "link set wire up",
        ] {
            let made = Command::new("ip").args(line.split(' ')).status().unwrap();
            assert!(made.success(), "{line}");
        }
        let pool = json!({"AddressSpace": "null", "Pool": "0.0.0.0/0"});
        let generic = json!({"driver": "macvlan", "parent": "nic", "ipam": "dhcp"});
        plugin.call("NetworkDriver.CreateNetwork", &network(&pool, &generic));
        let id = "b".repeat(64);
        // Nobody answers on that wire.
        let _asking = plugin.begin("NetworkDriver.CreateEndpoint", &endpoint(&id));
        eventually("it is being made", || {
            plugin.send(INFO, &endpoint(&id).to_string()).status == 200
        });
        for (method, request) in [
            ("Join", in_sandbox(&id, "/run/docker/netns/1")),
            ("CreateEndpoint", endpoint(&id)),
        ] {
            let refusal = plugin.refused(&format!("NetworkDriver.{method}"), &request);
            assert!(refusal.contains("just being changed"), "{refusal}");
        }
        // It is to be made anew then, as it would have no address.
        plugin.daemon.kill();
        plugin.start_again();
        plugin.refused(INFO, &endpoint(&id));
    });
}

#[test]
fn a_pipe_in_the_place_of_a_namespace_stops_nobody() {
    isolated(|| {
        let plugin = web();
        let id = "b".repeat(64);
        create(&plugin, &id);
        let made = Command::new("mkfifo").arg("/run/pipe").status().unwrap();
        assert!(made.success());
        plugin.call("NetworkDriver.Join", &in_sandbox(&id, "/run/pipe"));
        // This looks for its interface there.
        plugin.call("Plugin.Activate", &Value::Null);
        plugin.call("NetworkDriver.Leave", &endpoint(&id));
        plugin.call("NetworkDriver.DeleteEndpoint", &endpoint(&id));
    });
}
