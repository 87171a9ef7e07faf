//! Who gives addresses: Docker, the switch as Docker's IPAM plugin, the switch's network by itself, or a
//! DHCP server.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Dnsmasq, Host, UNDERLAY_NIC, Underlay, eventually, ping};

use crate::fixture::{Lab, Node, PATIENCE, run};

#[test]
fn the_switch_gives_docker_its_pools() -> Result<()> {
    let lab = Lab::new()?;
    // A pool of its choice, each time another.
    let mut subnets = Vec::new();
    for name in ["one", "two", "three"] {
        lab.create(name, "--ipam-driver vswitch")?;
        let there = lab.docker.inspect("network", name)?;
        assert_eq!(there["IPAM"]["Driver"], "vswitch");
        let subnet = there["IPAM"]["Config"][0]["Subnet"].clone();
        assert_eq!(lab.inspect(name)?["IPAM"]["Config"][0]["Subnet"], subnet);
        ensure!(!subnets.contains(&subnet), "{subnet} twice");
        subnets.push(subnet);
    }
    // Those of `vsctl` are others again.
    lab.daemon.ctl("add-net ours")?;
    let ours = lab.inspect("ours")?["IPAM"]["Config"][0]["Subnet"].clone();
    ensure!(!subnets.contains(&ours), "{ours} twice");
    let taken = subnets[0].as_str().context("no subnet")?;
    let refusal = lab
        .daemon
        .refused(&format!("add-net theirs --subnet {taken}"))?;
    println!("{}", refusal.message);
    lab.daemon.ctl("rm-net ours")?;
    let one = lab.docker.run("c1", "--network one")?;
    lab.docker.run("c2", "--network one")?;
    ping(&one, lab.address("c2", "one")?)?;
    ping(&one, lab.outside.address(4))?;
    lab.docker.exec("c1", "ping -c 1 -w 5 c2")?;
    // One that the user has chosen, with all that can be said of it.
    lab.create(
        "chosen",
        "--ipam-driver vswitch --subnet 10.20.0.0/16 --ip-range 10.20.5.0/24 \
         --gateway 10.20.0.254 --aux-address printer=10.20.5.1 \
         --ipv6 --subnet fd20::/64",
    )?;
    let three = lab.docker.run("c3", "--network chosen")?;
    let four = lab
        .docker
        .run("c4", "--network chosen --ip 10.20.9.9 --ip6 fd20::99")?;
    let address = lab.address("c3", "chosen")?;
    let range: [IpAddr; 2] = ["10.20.5.0".parse()?, "10.20.5.255".parse()?];
    ensure!((range[0]..=range[1]).contains(&address), "{address}");
    ensure!(
        address != IpAddr::from([10, 20, 5, 1]),
        "it is the printer's"
    );
    ping(&four, address)?;
    ping(&three, "fd20::99".parse()?)?;
    ensure!(run(&three, "ip route")?.contains("via 10.20.0.254"));
    let said = lab
        .docker
        .refused("run --network chosen --ip 10.20.9.9 box true")?;
    println!("{said}");
    ensure!(said.contains("10.20.9.9"), "{said}");
    // What overlaps is refused.
    let said = lab.docker.refused(
        "network create -d vswitch --ipam-driver vswitch --subnet 10.20.128.0/24 overlapping",
    )?;
    println!("{said}");
    ensure!(said.contains("10.20.128.0/24"), "{said}");
    lab.tidy()?;
    // And all pools can be had again.
    lab.daemon
        .ctl(&format!("add-net theirs --subnet {taken}"))?;
    lab.daemon.ctl("rm-net theirs")?;
    Ok(())
}

#[test]
fn a_small_pool_is_used_up_and_filled_again() -> Result<()> {
    let lab = Lab::new()?;
    // Three hosts besides the gateway, network and broadcast.
    let five = "--subnet 10.20.0.0/29";
    lab.create(
        "small",
        &format!(
            "--ipam-driver vswitch {five} --aux-address a=10.20.0.2 --aux-address b=10.20.0.3"
        ),
    )?;
    for name in ["c1", "c2", "c3"] {
        lab.docker.run(name, "--network small")?;
    }
    let said = lab.docker.refused("run --network small box true")?;
    println!("{said}");
    ensure!(said.contains("address"), "{said}");
    let freed = lab.address("c2", "small")?;
    lab.docker.ctl("rm --force c2")?;
    let again = lab.docker.run("c4", "--network small")?;
    assert_eq!(lab.address("c4", "small")?, freed);
    ping(&again, lab.address("c1", "small")?)?;
    lab.tidy()
}

/// Docker has no pool at all, and is told what the network's own gave.
#[test]
fn a_network_gives_addresses_by_itself() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", "--ipam-driver null")?;
    let subnet = lab.inspect("net")?["IPAM"]["Config"][0]["Subnet"].clone();
    let subnet: String = subnet.as_str().context("no subnet")?.to_owned();
    println!("{subnet}");
    let one = lab.docker.run("c1", "--network net -p 8080:80")?;
    lab.docker.run("c2", "--network net")?;
    let (first, second) = (lab.address("c1", "net")?, lab.address("c2", "net")?);
    ensure!(first != second, "both have {first}");
    let shown = run(&one, "ip -o -4 address show dev eth0")?;
    ensure!(shown.contains(&first.to_string()), "{shown}");
    ping(&one, second)?;
    ping(&one, lab.outside.address(4))?;
    lab.docker.exec("c2", "ping -c 1 -w 5 c1")?;
    lab.docker.ctl("restart c1")?;
    ping(&lab.docker.container("c1")?, second)?;
    lab.tidy()
}

/// The physical network's own server gives addresses to containers of Docker.
#[test]
fn a_dhcp_server_gives_addresses() -> Result<()> {
    let wire = Underlay::new()?;
    let server = Host::new()?;
    wire.plug(&server, 9)?;
    let range = [wire.address(4, 100), wire.address(4, 110)];
    let dnsmasq = Dnsmasq::start(&server.place(), range, wire.address(4, 9), &[])?;
    let host = Host::new()?;
    wire.plug(&host, 1)?;
    let node = Node::on(host)?;
    node.create(
        "net",
        &format!(
            "--ipam-driver null --opt driver=macvlan --opt parent={UNDERLAY_NIC} --opt ipam=dhcp"
        ),
    )?;
    let one = node.docker.run("c1", "--network net")?;
    let address = node.address("c1", "net")?;
    ensure!((range[0]..=range[1]).contains(&address), "{address}");
    let shown = run(&one, "ip -o -4 address show dev eth0")?;
    ensure!(shown.contains(&format!("{address}/24")), "{shown}");
    let routes = run(&one, "ip route")?;
    let default = format!("default via {}", wire.address(4, 9));
    ensure!(routes.contains(&default), "{routes}");
    ping(&one, wire.address(4, 9))?;
    ping(&server.place(), address)?;
    let leases = node.rows("leases")?;
    ensure!(leases.len() == 1, "{leases:?}");
    assert_eq!(leases[0]["address"], format!("{address}/24"));
    let mac = node.switched("c1", "net")?["MacAddress"].clone();
    let mac = mac.as_str().context("no MAC address")?.to_owned();
    node.docker.ctl("rm --force c1")?;
    eventually("the address is given back", PATIENCE, || {
        Ok(dnsmasq.count("DHCPRELEASE", &mac)? == 1)
    })?;
    node.tidy()
}
