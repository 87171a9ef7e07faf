//! The host and its own containers on the physical network.

use anyhow::{Result, ensure};
use vswitch_e2e::{Place, Underlay, WebServer, fetch_page};

use crate::fixture::{Node, OUTSIDER, no_ping, on_wire, ping, plain};

/// Both ways: ping, and pages.
fn reach_each_other(
    (host, host_number): (&Place, u8),
    (container, number): (&Place, u8),
) -> Result<()> {
    let _servers = [
        WebServer::start(host, "the host's")?,
        WebServer::start(container, "the container's")?,
    ];
    for family in [4, 6] {
        let [of_host, of_container] = [on_wire(family, host_number), on_wire(family, number)];
        ping(host, of_container)?;
        ping(container, of_host)?;
        ensure!(fetch_page(host, of_container)? == "the container's");
        ensure!(fetch_page(container, of_host)? == "the host's");
    }
    Ok(())
}

/// As of the kernel's macvlan.
#[test]
fn without_it_they_do_not_reach_each_other() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    node.add_net("net", "macvlan", "")?;
    let container = node.attach("net", 10)?;
    for family in [4, 6] {
        ping(&outsider.place(), on_wire(family, 10))?;
        no_ping(&node.host.place(), on_wire(family, 10))?;
        no_ping(&container, on_wire(family, 1))?;
    }
    Ok(())
}

#[test]
fn with_the_hosts_own_address() -> Result<()> {
    for (driver, options) in [
        ("macvlan", ""),
        ("macvlan", "-o macvlan_mode=private"),
        ("macvlan", "-o mac_nat=true"),
        ("ipvlan", ""),
    ] {
        let wire = Underlay::new()?;
        let node = Node::new(&wire, 1)?;
        let outsider = plain(&wire, OUTSIDER)?;
        node.add_net("net", driver, &format!("-o host_access=true {options}"))?;
        let container = node.attach("net", 10)?;
        let host = node.host.place();
        reach_each_other((&host, 1), (&container, 10))?;
        // All others are reached as before, by the NIC.
        for place in [&host, &container] {
            for family in [4, 6] {
                ping(place, on_wire(family, OUTSIDER))?;
            }
        }
        ping(&outsider.place(), on_wire(4, 1))?;
        ping(&outsider.place(), on_wire(4, 10))?;
        // Nothing stays behind.
        node.ctl("rm-net --force net")?;
        assert_eq!(node.host.interfaces()?, ["lo", "eth0"]);
        ping(&host, on_wire(4, OUTSIDER))?;
    }
    Ok(())
}

/// Each has a port of its own, with routes to its own containers.
#[test]
fn several_subnets() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let host = node.host.place();
    host.program("ip")
        .args(["address", "add", "198.51.100.1/24", "dev", "eth0"])
        .output()?;
    node.ctl(
        "add-net net -d macvlan -o parent=eth0 -o host_access=true --subnet 192.0.2.0/24 \
         --subnet 198.51.100.0/24",
    )?;
    for (sandbox, address, own) in [
        ("a", "192.0.2.77", "192.0.2.1"),
        ("b", "198.51.100.77", "198.51.100.1"),
    ] {
        node.ctl(&format!("add-sandbox {sandbox}"))?;
        node.ctl(&format!("attach net {sandbox} --ip {address}"))?;
        let route = host
            .program("ip")
            .args(["route", "get", address])
            .output()?;
        ensure!(route.contains(&format!("src {own}")), "{route}");
        ping(&host, address.parse()?)?;
    }
    // Nobody takes the other's routes away.
    let routes = || host.program("ip").args(["-o", "route"]).output();
    let before = routes()?;
    node.ctl("stats")?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    ensure!(routes()? == before, "{before}{}", routes()?);
    Ok(())
}

/// A host that has no address of the subnet, or wants another one for that.
#[test]
fn with_an_address_for_it() -> Result<()> {
    const HOST: u8 = 200;
    let wire = Underlay::new()?;
    let mut node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    for family in [4, 6] {
        node.host
            .run(&format!("ip -{family} address flush dev eth0 scope global"))?;
    }
    let [v4, v6] = [on_wire(4, HOST), on_wire(6, HOST)];
    node.add_net(
        "net",
        "macvlan",
        &format!("-o host_access=true --aux-address host={v4} --aux-address host6={v6}"),
    )?;
    let containers = [node.attach("net", 10)?, node.attach("net", 11)?];
    let host = node.host.place();
    for (container, number) in containers.iter().zip([10, 11]) {
        reach_each_other((&host, HOST), (container, number))?;
    }
    // The host's address there is for its containers only.
    no_ping(&outsider.place(), v4)?;
    ping(&outsider.place(), on_wire(4, 10))?;
    // And it is there after the daemon's end and beginning.
    node.daemon.kill()?;
    node.daemon.start_again()?;
    reach_each_other((&host, HOST), (&containers[0], 10))
}
