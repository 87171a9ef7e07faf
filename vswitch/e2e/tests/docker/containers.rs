//! `docker run`, and what containers can do then.

use std::collections::BTreeSet;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use vswitch_e2e::{Conversation, Echo, IMAGE, no_ping, ping};

use crate::fixture::{Lab, SUBNET, SUBNET6, at, inside, run};

#[test]
fn containers_reach_each_other_and_the_world() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", &format!("{SUBNET} {SUBNET6}"))?;
    let one = lab.docker.run("c1", "--network net")?;
    let two = lab.docker.run("c2", "--network net --network-alias shop")?;
    // By address, and with more than pings.
    for family in [4, 6] {
        ping(&one, inside(family, 3))?;
        ping(&two, inside(family, 1))?;
        ping(&one, lab.outside.address(family))?;
    }
    let _echo = Echo::start(&two, 7)?;
    for family in [4, 6] {
        Conversation::start(&one, at(inside(family, 3), 7))?.exchange(1 << 20)?;
    }
    // By name: Docker's own server answers, in the container's namespace.
    for name in ["c2", "shop", "c2.net"] {
        lab.docker.exec("c1", &format!("ping -c 1 -w 5 {name}"))?;
    }
    let looked_up = lab.docker.exec("c1", "nslookup c2")?;
    ensure!(looked_up.contains("10.20.0.3"), "{looked_up}");
    ensure!(looked_up.contains("fd20::3"), "{looked_up}");
    // What Docker tells of them is so.
    let interface = run(&one, "ip -o address show dev eth0")?;
    let told = lab.endpoint("c1", "net")?;
    assert_eq!(told["IPAddress"], "10.20.0.2");
    assert_eq!(told["GlobalIPv6Address"], "fd20::2");
    assert_eq!(told["Gateway"], "10.20.0.1");
    assert_eq!(told["IPv6Gateway"], "fd20::1");
    ensure!(interface.contains("10.20.0.2/24"), "{interface}");
    ensure!(interface.contains("fd20::2/64"), "{interface}");
    let link = run(&one, "ip link show dev eth0")?;
    assert_eq!(told["MacAddress"], "02:42:0a:14:00:02");
    ensure!(link.contains("02:42:0a:14:00:02"), "{link}");
    let routes = run(&one, "ip route")?;
    ensure!(
        routes.contains("default via 10.20.0.1 dev eth0"),
        "{routes}"
    );
    // And what `vsctl` tells.
    let switched = lab.switched("c1", "net")?;
    assert_eq!(switched["IPv4Address"], "10.20.0.2/24");
    assert_eq!(switched["IPv6Address"], "fd20::2/64");
    assert_eq!(switched["MacAddress"], "02:42:0a:14:00:02");
    let fdb = lab.daemon.ctl("fdb net")?;
    for last in ["02", "03"] {
        ensure!(fdb.contains(&format!("02:42:0a:14:00:{last}")), "{fdb}");
    }
    let sent = lab.daemon.sum_stats("net", "/tx/frames")?;
    ensure!(sent > 10, "{sent} frames");
    // A container that ends leaves nothing, and does not disturb the other.
    lab.docker.ctl("stop c1")?;
    ping(&two, inside(4, 1))?;
    let containers = lab.inspect("net")?["Containers"].clone();
    assert_eq!(containers.as_object().map(serde_json::Map::len), Some(1));
    lab.docker.ctl("start c1")?;
    lab.docker.exec("c2", "ping -c 1 -w 5 c1")?;
    lab.tidy()
}

#[test]
fn addresses_are_those_asked_for() -> Result<()> {
    let lab = Lab::new()?;
    // Docker tells the MTU by an option only.
    let options = "--opt com.docker.network.driver.mtu=1300";
    lab.create("net", &format!("{SUBNET} {SUBNET6} {options}"))?;
    // The command line refuses to send both to a dockerd that is older than itself.
    let body = json!({
        "Image": IMAGE,
        "Cmd": ["sleep", "infinity"],
        "StopSignal": "KILL",
        "MacAddress": "02:00:00:00:00:11",
        "HostConfig": {"NetworkMode": "net"},
        "NetworkingConfig": {"EndpointsConfig": {"net": {"IPAMConfig": {
            "IPv4Address": "10.20.0.9", "IPv6Address": "fd20::9",
        }}}},
    });
    lab.docker
        .api("POST", "/containers/create?name=c1", &body)?;
    lab.docker.ctl("start c1")?;
    let one = lab.docker.container("c1")?;
    let two = lab
        .docker
        .run("c2", "--network net --ip 10.20.0.8 --ip6 fd20::8")?;
    for family in [4, 6] {
        ping(&two, inside(family, 9))?;
    }
    let link = run(&one, "ip link show dev eth0")?;
    ensure!(link.contains("02:00:00:00:00:11"), "{link}");
    ensure!(link.contains("mtu 1300 "), "{link}");
    for (container, address, address6) in [
        ("c1", "10.20.0.9/24", "fd20::9/64"),
        ("c2", "10.20.0.8/24", "fd20::8/64"),
    ] {
        let switched = lab.switched(container, "net")?;
        assert_eq!(switched["IPv4Address"], address);
        assert_eq!(switched["IPv6Address"], address6);
    }
    assert_eq!(
        lab.switched("c1", "net")?["MacAddress"],
        "02:00:00:00:00:11"
    );
    // What somebody has is refused, and what nobody can have.
    for ip in ["10.20.0.9", "10.20.0.1", "10.21.0.5"] {
        let said = lab
            .docker
            .refused(&format!("run --rm --network net --ip {ip} {IMAGE} true"))?;
        println!("{ip}: {said}");
    }
    let mut body = body.clone();
    body["NetworkingConfig"]["EndpointsConfig"]["net"] = json!({});
    lab.docker
        .api("POST", "/containers/create?name=c3", &body)?;
    let said = lab.docker.refused("start c3")?;
    println!("{said}");
    ensure!(said.contains("02:00:00:00:00:11"), "{said}");
    assert_eq!(lab.rows("list-sandboxes")?.len(), 2);
    // They keep their addresses.
    lab.docker.ctl("restart c1 c2")?;
    assert_eq!(lab.address("c1", "net")?, inside(4, 9));
    ping(&lab.docker.container("c2")?, inside(4, 9))?;
    lab.tidy()
}

#[test]
fn ranges_and_taken_addresses_are_kept_to() -> Result<()> {
    let lab = Lab::new()?;
    lab.create(
        "net",
        &format!("{SUBNET} --ip-range 10.20.0.64/29 --aux-address router=10.20.0.65"),
    )?;
    for name in ["c1", "c2", "c3"] {
        let place = lab.docker.run(name, "--network net")?;
        let address = lab.address(name, "net")?;
        let range = inside(4, 64)..=inside(4, 71);
        ensure!(range.contains(&address), "{address}");
        ensure!(address != inside(4, 65), "{address} is the router's");
        let gateway = lab.endpoint(name, "net")?["Gateway"].clone();
        ping(&place, gateway.as_str().context("no gateway")?.parse()?)?;
    }
    lab.tidy()
}

#[test]
fn an_internal_network_has_no_way_out() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", &format!("{SUBNET} {SUBNET6} --internal"))?;
    let one = lab.docker.run("c1", "--network net -p 8080:80")?;
    lab.docker.run("c2", "--network net")?;
    for family in [4, 6] {
        ping(&one, inside(family, 3))?;
        no_ping(&one, lab.outside.address(family))?;
    }
    lab.docker.exec("c1", "ping -c 1 -w 5 c2")?;
    let routes = run(&one, "ip route")?;
    ensure!(!routes.contains("default"), "{routes}");
    ensure!(run(&one, "ip -6 route")?.contains("fd20::/64"));
    // Docker has not helped with a network of its own.
    ensure!(run(&one, "ip -o link")?.lines().count() == 2);
    lab.tidy()
}

#[test]
fn twenty_containers_start_at_once() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", SUBNET)?;
    let start = |number: u8| -> Result<()> {
        let name = format!("c{number}");
        // Each says so itself.
        lab.docker.ctl(&format!(
            "run --detach --name {name} --stop-signal KILL --network net -p {}:80 {IMAGE} sleep infinity",
            8000 + u16::from(number)
        ))?;
        lab.docker.exec(&name, "ping -c 1 -w 5 10.20.0.1")?;
        Ok(())
    };
    at_once(20, start)?;
    let rows = lab.inspect("net")?["Containers"].clone();
    let rows = rows.as_object().context("no list")?;
    let addresses: BTreeSet<_> = rows
        .values()
        .filter_map(|row| row["IPv4Address"].as_str())
        .collect();
    assert_eq!(addresses.len(), 20, "{addresses:?}");
    let ports: BTreeSet<_> = lab
        .rows("ports")?
        .iter()
        .map(|row| row["host_port"].to_string())
        .collect();
    assert_eq!(ports.len(), 20, "{ports:?}");
    let last = lab.docker.container("c19")?;
    for number in 0..20 {
        ping(&last, lab.address(&format!("c{number}"), "net")?)?;
    }
    at_once(20, |number| {
        lab.docker.ctl(&format!("rm --force c{number}")).map(drop)
    })?;
    lab.tidy()
}

fn at_once(count: u8, work: impl Fn(u8) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let work = &work;
        let started: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        for thread in started {
            thread
                .join()
                .map_err(|_| anyhow!("it panicked"))
                .flatten()?;
        }
        Ok(())
    })
}
