//! Docker or the daemon dies, and begins anew with what the other one remembers.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use serde_json::{Value, json};
use vswitch_cnm::{Endpoint, Phase};
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::NamedNetns;
use vswitchd::store::{Change, Table};

use super::exchange::Plugin;
use crate::lab::{self, eventually, host_link, host_taps, isolated};

/// The container's namespace, a named one here, so that the lab can look into it.
const SANDBOX: &str = "/run/netns/box";

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn here(endpoint: char) -> Value {
    json!({"NetworkID": id('a'), "EndpointID": id(endpoint)})
}

fn with(mut request: Value, key: &str, value: &str) -> Value {
    request[key] = json!(value);
    request
}

fn driver(plugin: &Plugin, method: &str, request: &Value) -> Value {
    plugin.call(&format!("NetworkDriver.{method}"), request)
}

/// A network of Docker's.
fn web() -> Plugin {
    let plugin = Plugin::start();
    let pool =
        json!({"AddressSpace": "LocalDefault", "Gateway": "10.5.0.1/24", "Pool": "10.5.0.0/24"});
    let request = json!({"NetworkID": id('a'), "Options": {}, "IPv4Data": [pool], "IPv6Data": []});
    driver(&plugin, "CreateNetwork", &request);
    plugin
}

fn create(plugin: &Plugin, endpoint: char, address: &str) {
    let mut request = here(endpoint);
    request["Interface"] = json!({"Address": address});
    driver(plugin, "CreateEndpoint", &request);
}

fn join(plugin: &Plugin, endpoint: char) -> Value {
    driver(plugin, "Join", &with(here(endpoint), "SandboxKey", SANDBOX))
}

/// What Docker does with the interface: moves it, calls it `eth0`, addresses it.
fn put_inside(endpoint: char, address: &str) {
    let tap = host_link(&format!("vs-{}", &id(endpoint)[..12])).unwrap();
    let netns = NamedNetns::create("box".parse().unwrap()).unwrap().netns;
    let mut host = Netlink::open().unwrap();
    host.set_netns(tap.index, &netns).unwrap();
    let mut inside = lab::netlink("box");
    let index = inside.link(&tap.name).unwrap().unwrap().index;
    inside.rename(index, &lab::name("eth0")).unwrap();
    assert!(lab::succeeds_in(
        "box",
        &format!("ip addr add {address} dev eth0")
    ));
    assert!(lab::succeeds_in("box", "ip link set eth0 up"));
}

fn reaches_gateway() -> bool {
    lab::succeeds_in("box", "ping -c 1 -W 5 10.5.0.1")
}

/// The endpoints on disk, while no daemon runs.
fn records(plugin: &Plugin) -> Vec<Endpoint> {
    plugin.daemon.store().load(Table::Endpoints).unwrap()
}

/// Dies while the only endpoint is in a phase, and begins anew.
fn leave_in(plugin: &mut Plugin, phase: Phase) {
    plugin.daemon.kill();
    let [mut endpoint] = <[Endpoint; 1]>::try_from(records(plugin)).unwrap();
    endpoint.phase = phase;
    let change = Change::put(Table::Endpoints, endpoint.id, &endpoint).unwrap();
    plugin.daemon.store().commit(&[change]).unwrap();
    plugin.start_again();
}

fn restart(plugin: &mut Plugin) {
    plugin.daemon.kill();
    plugin.start_again();
}

#[test]
fn a_container_outlives_the_daemon_wherever_it_died() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        let joined = join(&plugin, 'b');
        // Before Docker moved the interface,
        restart(&mut plugin);
        assert_eq!(join(&plugin, 'b'), joined);
        put_inside('b', "10.5.0.2/24");
        // before the daemon saw where,
        restart(&mut plugin);
        assert!(reaches_gateway());
        // and after that.
        let seen = || {
            plugin
                .daemon
                .attached(&format!("docker-{}", &id('a')[..12]))
        };
        assert_eq!(seen(), [SANDBOX.trim_start_matches("/run/netns/")]);
        restart(&mut plugin);
        assert!(reaches_gateway());
        assert_eq!(lab::addresses("box", "eth0"), ["10.5.0.2/24"]);
        driver(&plugin, "Leave", &here('b'));
        assert!(!lab::link("box", "eth0").unwrap().carrier);
        driver(&plugin, "DeleteEndpoint", &here('b'));
        plugin.daemon.kill();
        assert_eq!(records(&plugin), []);
    });
}

#[test]
fn what_was_interrupted_can_be_repeated() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        let joined = join(&plugin, 'b');
        leave_in(&mut plugin, Phase::Attaching);
        assert_eq!(host_link("vs-bbbbbbbbbbbb"), None);
        assert_eq!(join(&plugin, 'b'), joined);
        put_inside('b', "10.5.0.2/24");
        assert!(reaches_gateway());
        leave_in(&mut plugin, Phase::Detaching);
        assert_eq!(lab::links("box").len(), 1);
        driver(&plugin, "DeleteEndpoint", &here('b'));
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('b'));
    });
}

#[test]
fn a_container_that_ended_without_a_word_leaves_nothing() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        put_inside('b', "10.5.0.2/24");
        NamedNetns::delete(&"box".parse().unwrap()).unwrap();
        eventually("the endpoint is gone", || {
            let inspect = plugin.daemon.client();
            let network = plugin.daemon.block_on(inspect.network(&id('a'))).unwrap();
            network.containers.is_empty()
        });
        // The same again, while no daemon was there.
        create(&plugin, 'c', "10.5.0.2/24");
        join(&plugin, 'c');
        put_inside('c', "10.5.0.2/24");
        plugin.daemon.kill();
        NamedNetns::delete(&"box".parse().unwrap()).unwrap();
        plugin.start_again();
        plugin.daemon.kill();
        assert_eq!(records(&plugin), []);
    });
}

#[test]
fn docker_begins_anew_with_all_addresses_free() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        put_inside('b', "10.5.0.2/24");
        create(&plugin, 'c', "10.5.0.3/24");
        // Whose container lives, or whose address nobody else wants, stays.
        let mut twin = here('d');
        twin["Interface"] = json!({"Address": "10.5.0.2/24"});
        let refusal = plugin.refused("NetworkDriver.CreateEndpoint", &twin);
        assert!(refusal.contains("10.5.0.2"), "{refusal}");
        plugin.call("Plugin.Activate", &Value::Null);
        assert!(reaches_gateway());
        driver(&plugin, "EndpointOperInfo", &here('c'));
        // One that never came into a container gives way.
        create(&plugin, 'e', "10.5.0.3/24");
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('c'));
        // Its MAC address may be the engine's choice, too.
        let with_mac = |endpoint, address: &str| {
            let mut request = here(endpoint);
            let mac = "02:00:00:00:00:07";
            request["Interface"] = json!({"Address": address, "MacAddress": mac});
            driver(&plugin, "CreateEndpoint", &request);
        };
        with_mac('f', "10.5.0.4/24");
        with_mac('7', "10.5.0.5/24");
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('f'));
        driver(&plugin, "DeleteEndpoint", &here('7'));
        // So does one whose container's file is gone, though the namespace is not.
        let _pin = lab::netns("box");
        NamedNetns::delete(&"box".parse().unwrap()).unwrap();
        driver(&plugin, "CreateEndpoint", &twin);
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('b'));
        // What is old goes when Docker is back.
        plugin.daemon.kill();
        for mut endpoint in records(&plugin) {
            endpoint.created = 0;
            let change = Change::put(Table::Endpoints, endpoint.id, &endpoint).unwrap();
            plugin.daemon.store().commit(&[change]).unwrap();
        }
        plugin.start_again();
        plugin.call("Plugin.Activate", &Value::Null);
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('d'));
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('e'));
        assert_eq!(host_taps().len(), 1, "the host port");
    });
}

#[test]
fn a_file_that_docker_leaves_is_no_container() {
    isolated(|| {
        let plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        put_inside('b', "10.5.0.2/24");
        eventually("it was seen inside", || {
            let sandboxes = plugin.daemon.client();
            let sandboxes = plugin.daemon.block_on(sandboxes.sandboxes()).unwrap();
            sandboxes[0].endpoints[0].ifname.as_deref() == Some("eth0")
        });
        // As long as this is here, its interface does not tell.
        let _pin = lab::netns("box");
        unmount(SANDBOX, UnmountFlags::DETACH).unwrap();
        create(&plugin, 'c', "10.5.0.2/24");
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('b'));
    });
}

#[test]
fn a_namespace_that_cannot_be_seen_yet_is_waited_for() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        plugin.daemon.kill();
        put_inside('b', "10.5.0.2/24");
        let netns = lab::netns("box");
        unmount(SANDBOX, UnmountFlags::DETACH).unwrap();
        plugin.start_again();
        driver(&plugin, "EndpointOperInfo", &here('b'));
        let descriptor = netns.as_fd().as_raw_fd();
        mount_bind(format!("/proc/self/fd/{descriptor}"), SANDBOX).unwrap();
        eventually("it is found", reaches_gateway);
    });
}

#[test]
fn what_cannot_be_finished_keeps_nobody_from_starting() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        fs::create_dir_all("/run/netns").unwrap();
        fs::write(SANDBOX, "").unwrap();
        leave_in(&mut plugin, Phase::Detaching);
        assert_eq!(
            plugin
                .daemon
                .logged(&["cannot finish what was interrupted"]),
            1
        );
        fs::remove_file(SANDBOX).unwrap();
        driver(&plugin, "DeleteEndpoint", &here('b'));
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('b'));
        assert_eq!(host_link("vs-bbbbbbbbbbbb"), None);
    });
}

#[test]
fn an_interface_that_is_lost_on_its_way_takes_nobody_along() {
    isolated(|| {
        let plugin = web();
        let pool = json!({"Gateway": "10.6.0.1/24", "Pool": "10.6.0.0/24"});
        let request = json!({"NetworkID": id('f'), "IPv4Data": [pool]});
        driver(&plugin, "CreateNetwork", &request);
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        put_inside('b', "10.5.0.2/24");
        let second = json!({"NetworkID": id('f'), "EndpointID": id('c')});
        let interface = json!({"Address": "10.6.0.2/24"});
        let mut request = second.clone();
        request["Interface"] = interface;
        driver(&plugin, "CreateEndpoint", &request);
        driver(
            &plugin,
            "Join",
            &with(second.clone(), "SandboxKey", SANDBOX),
        );
        let tap = host_link("vs-cccccccccccc").unwrap();
        Netlink::open().unwrap().delete_link(tap.index).unwrap();
        eventually("the endpoint is gone", || {
            let body = second.to_string();
            plugin.send("NetworkDriver.EndpointOperInfo", &body).status != 200
        });
        driver(&plugin, "EndpointOperInfo", &here('b'));
        assert!(reaches_gateway());
    });
}

#[test]
fn users_may_take_a_container_off_its_network() {
    isolated(|| {
        let plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        put_inside('b', "10.5.0.2/24");
        let name = format!("docker-{}", &id('a')[..12]);
        plugin.daemon.detach(&name, SANDBOX);
        eventually("the interface is gone", || {
            lab::link("box", "eth0").is_none()
        });
        for method in ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"] {
            driver(&plugin, method, &here('b'));
        }
    });
}

#[test]
fn the_socket_is_roots_alone_and_another_daemons_is_left_to_it() {
    isolated(|| {
        use std::os::unix::fs::PermissionsExt as _;

        let plugin = Plugin::start();
        let socket = plugin.daemon.folder().join("docker.sock");
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = crate::daemon::Daemon::stopped();
        let output = other.run(&["--docker-plugin", socket.to_str().unwrap()]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(
            message.contains("choose another socket with --docker-plugin"),
            "{message}"
        );
        assert!(!Path::new(&other.socket()).exists());
    });
}

#[test]
fn what_no_container_has_taken_goes_in_the_end() {
    isolated(|| {
        let mut plugin = web();
        create(&plugin, 'b', "10.5.0.2/24");
        join(&plugin, 'b');
        create(&plugin, 'c', "10.5.0.3/24");
        let other = with(here('c'), "SandboxKey", "/run/netns/other");
        driver(&plugin, "Join", &other);
        plugin.daemon.kill();
        let mut old = records(&plugin);
        old.retain(|endpoint| endpoint.id.to_string() == id('b'));
        old[0].created = 0;
        let change = Change::put(Table::Endpoints, old[0].id, &old[0]).unwrap();
        plugin.daemon.store().commit(&[change]).unwrap();
        plugin.start_again();
        eventually("the old one is gone", || {
            host_link("vs-bbbbbbbbbbbb").is_none()
        });
        plugin.refused("NetworkDriver.EndpointOperInfo", &here('b'));
        driver(&plugin, "EndpointOperInfo", &here('c'));
    });
}
