//! What cannot be: clear words, and nothing half-made.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{UNDERLAY_NIC, Underlay};

use crate::fixture::{Node, OUTSIDER, SUBNETS, no_ping, on_wire, ping, plain};

/// Refused in one line, with these words.
fn refused(node: &Node, line: &str, words: &[&str]) -> Result<()> {
    let refusal = node.daemon.refused(line)?;
    println!("{line}\n    {}", refusal.message);
    let one_line = refusal.message.lines().count() == 1;
    ensure!(
        refusal.code == 1 && one_line && refusal.message.starts_with("error: "),
        "{line}: {refusal:?}"
    );
    for word in words {
        ensure!(
            refusal.message.contains(word),
            "{line}: {refusal:?} without {word:?}"
        );
    }
    Ok(())
}

/// Done, and warned of, with these words.
fn warned(node: &Node, line: &str, words: &[&str]) -> Result<()> {
    let line: Vec<_> = line.split_whitespace().collect();
    let finished = node.daemon.vsctl_program(&line)?.run()?;
    println!("{line:?}\n    {}", finished.stderr);
    ensure!(finished.status.success(), "{finished:?}");
    ensure!(finished.stderr.starts_with("warning: "), "{finished:?}");
    for word in words {
        ensure!(
            finished.stderr.contains(word),
            "{finished:?} without {word:?}"
        );
    }
    Ok(())
}

#[test]
fn options_that_cannot_be() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    node.ctl("add-net plain --subnet 10.60.0.0/24")?;
    let interfaces = node.host.interfaces()?;
    let of_ours = interfaces
        .iter()
        .find(|name| !["lo", "eth0"].contains(&name.as_str()));
    let of_ours = of_ours.context("the network has no host port")?;
    node.host.run("ip tuntap add notethernet mode tun")?;
    let [mac, ip] =
        ["macvlan", "ipvlan"].map(|driver| format!("add-net bad {SUBNETS} -d {driver}"));
    let dhcp = "add-net bad -d macvlan --ipam dhcp";
    let on = "-o parent=eth0";
    for (line, words) in [
        // Parents.
        (format!("{mac} -o parent=nosuch0"), &["nosuch0"][..]),
        (format!("{mac} -o parent=nosuch0.100"), &["nosuch0"]),
        (format!("{mac} -o parent=lo"), &["lo", "Ethernet"]),
        (
            format!("{mac} -o parent=notethernet"),
            &["notethernet", "Ethernet"],
        ),
        (format!("{mac} -o parent={of_ours}"), &[of_ours]),
        // VLANs.
        (format!("{mac} {on}.0"), &["0", "4094"]),
        (format!("{mac} {on}.4095"), &["4095", "4094"]),
        (format!("{mac} {on} -o vlan=0"), &["0", "4094"]),
        (format!("{mac} {on} -o vlan=4095"), &["4095", "4094"]),
        (
            format!("{mac} {on}.100 -o vlan=200"),
            &["vlan=200", "parent"],
        ),
        (format!("{mac} {on} -o vlan=many"), &["vlan", "many"]),
        (
            format!("{mac} {on} -o vlan=7 -o vlan_protocol=QinQ"),
            &["vlan_protocol", "QinQ"],
        ),
        // Modes and what goes with them.
        (
            format!("{mac} {on} -o macvlan_mode=source"),
            &["macvlan_mode", "source", "passthru"],
        ),
        (
            format!("{ip} {on} -o ipvlan_mode=l4"),
            &["ipvlan_mode", "l4", "l3s"],
        ),
        (
            format!("{ip} {on} -o ipvlan_flag=open"),
            &["ipvlan_flag", "open"],
        ),
        (format!("{mac} {on} -o ipvlan_mode=l2"), &["ipvlan_mode"]),
        (
            format!("{ip} {on} -o macvlan_mode=bridge"),
            &["macvlan_mode"],
        ),
        (format!("{ip} {on} -o mac_nat=true"), &["mac_nat"]),
        (
            format!("{mac} {on} -o mac_nat=true -o macvlan_mode=passthru"),
            &["mac_nat", "macvlan_mode"],
        ),
        (
            format!("{mac} {on} -o mac_nat=perhaps"),
            &["mac_nat", "perhaps"],
        ),
        (format!("{mac} {on} -o dad=perhaps"), &["dad", "perhaps"]),
        (format!("{mac} {on} -o nonsense=1"), &["nonsense"]),
        // The host's own address.
        (
            format!("{mac} {on} -o host_access=true -o macvlan_mode=passthru"),
            &["host_access", "passthru"],
        ),
        (
            format!("{ip} {on} -o ipvlan_mode=l3 -o ipvlan_flag=vepa"),
            &["ipvlan_flag", "vepa", "l3"],
        ),
        (
            format!("{ip} {on} -o host_access=true -o ipvlan_mode=l3"),
            &["host_access", "l3"],
        ),
        (
            format!("add-net bad -d macvlan --subnet 10.99.0.0/24 {on} -o host_access=true"),
            &["host_access", "--aux-address host="],
        ),
        // DHCP.
        (
            format!("{dhcp} {on} --subnet 192.0.2.0/24"),
            &["dhcp", "subnet"],
        ),
        (
            format!("{dhcp} {on} --gateway 192.0.2.9"),
            &["dhcp", "gateway"],
        ),
        (dhcp.to_owned(), &["dhcp", "parent"]),
        (
            format!("add-net bad -d ipvlan --ipam dhcp {on} -o ipvlan_mode=l3"),
            &["dhcp", "l3"],
        ),
        ("add-net bad -d bridge --ipam dhcp".to_owned(), &["dhcp"]),
        // What a subnet has.
        (
            format!("add-net bad -d macvlan --subnet 192.0.2.0/24 --gateway 192.0.3.1 {on}"),
            &["192.0.3.1"],
        ),
        (
            format!("add-net bad -d macvlan --subnet 10.60.0.0/25 {on}"),
            &["10.60.0.0", "plain"],
        ),
    ] {
        refused(&node, &line, words)?;
    }
    let nets = node.ctl("list-nets")?;
    ensure!(!nets.contains("bad"), "{nets}");
    assert_eq!(node.promiscuity(UNDERLAY_NIC)?, 0);
    // And what is right is done.
    node.ctl(&format!("{mac} {on}.100"))?;
    Ok(())
}

#[test]
fn passthru_is_alone() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let other = "--subnet 10.99.0.0/24 -o parent=eth0";
    node.add_net("net", "macvlan", "")?;
    let passthru = format!("add-net alone -d macvlan {other} -o macvlan_mode=passthru");
    refused(&node, &passthru, &["eth0", "net", "passthru"])?;
    node.ctl("rm-net net")?;
    node.ctl("add-net vlan -d macvlan --subnet 10.98.0.0/24 -o parent=eth0.100")?;
    refused(&node, &passthru, &["eth0", "passthru"])?;
    node.ctl("rm-net vlan")?;

    node.add_net("alone", "macvlan", "-o macvlan_mode=passthru")?;
    for driver in ["macvlan", "ipvlan"] {
        for parent in ["", ".100"] {
            let line = format!("add-net late -d {driver} {other}{parent}");
            refused(&node, &line, &["eth0", "alone", "passthru"])?;
        }
    }
    node.attach("alone", 10)?;
    node.ctl("add-sandbox c11")?;
    refused(
        &node,
        "attach alone c11 --ip 192.0.2.11",
        &["alone", "passthru"],
    )?;
    assert_eq!(node.host.interfaces_in("c11")?, ["lo"]);
    // Who was refused is not in the way of who comes after the first.
    node.ctl("detach alone c10")?;
    node.ctl("attach alone c11 --ip 192.0.2.11")?;
    Ok(())
}

#[test]
fn addresses_and_ports_that_cannot_be() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let gateway = plain(&wire, OUTSIDER)?;
    let v4 = on_wire(4, OUTSIDER);
    node.add_net(
        "net",
        "macvlan",
        &format!("--gateway {v4} --aux-address printer=192.0.2.8"),
    )?;
    node.attach("net", 10)?;
    node.ctl("add-sandbox t")?;
    for (line, words) in [
        ("attach net t --ip 10.99.0.1", &["10.99.0.1", "outside"][..]),
        ("attach net t --ip 192.0.2.10", &["192.0.2.10", "in use"]),
        ("attach net t --ip 192.0.2.9", &["192.0.2.9", "gateway"]),
        ("attach net t --ip 192.0.2.8", &["192.0.2.8"]),
        (
            "attach net t --mac 02:42:c0:00:02:0a",
            &["02:42:c0:00:02:0a", "in use"],
        ),
        ("attach net t -p 8080:80", &["published", "net"]),
        ("publish net c10 -p 8080:80", &["published", "net"]),
    ] {
        refused(&node, line, words)?;
        assert_eq!(node.host.interfaces_in("t")?, ["lo"]);
    }
    // A subnet of another LAN is not this one's.
    refused(
        &node,
        "add-net other -d macvlan --subnet 192.0.2.0/24 -o parent=eth0.100",
        &["192.0.2.0/24", "net"],
    )?;
    ping(&node.host.sandbox("c10"), v4)?;
    drop(gateway);
    Ok(())
}

#[test]
fn a_parent_without_a_link() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let _outsider = plain(&wire, OUTSIDER)?;
    let add = format!("add-net net -d macvlan {SUBNETS} -o parent=eth0");
    wire.set_link(1, false)?;
    warned(&node, &add, &["eth0", "link"])?;
    node.ctl("rm-net net")?;
    node.host.run("ip link set eth0 down")?;
    warned(&node, &add, &["eth0", "down"])?;
    node.ctl("add-sandbox c10")?;
    refused(
        &node,
        "attach net c10 --ip 192.0.2.10",
        &["eth0", "down", "ip link set eth0 up"],
    )?;
    assert_eq!(node.host.interfaces_in("c10")?, ["lo"]);
    node.host.run("ip link set eth0 up")?;
    wire.set_link(1, true)?;
    node.ctl("attach net c10 --ip 192.0.2.10")?;
    ping(&node.host.sandbox("c10"), on_wire(4, OUTSIDER))?;
    node.ctl("rm-net --force net")?;
    // More than the wire carries.
    warned(
        &node,
        &format!("{add} -o com.docker.network.driver.mtu=9000"),
        &["9000", "1500", "eth0"],
    )
}

#[test]
fn a_gateway_that_does_not_answer() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    let gateways = [on_wire(4, 254), on_wire(6, 254)];
    let [v4, v6] = gateways;
    let add =
        format!("add-net net -d macvlan {SUBNETS} -o parent=eth0 --gateway {v4} --gateway {v6}");
    let [said4, said6] = gateways.map(|gateway| gateway.to_string());
    warned(&node, &add, &[&said4, &said6, "not answer", "eth0"])?;
    let container = node.attach("net", 10)?;
    ping(&container, on_wire(4, OUTSIDER))?;
    // Those that do are not warned of.
    node.ctl("rm-net --force net")?;
    outsider.run(&format!("ip address add {v4}/24 dev eth0"))?;
    outsider.run(&format!("ip address add {v6}/64 dev eth0 nodad"))?;
    let words: Vec<_> = add.split_whitespace().collect();
    let added = node.daemon.vsctl_program(&words)?.run()?;
    ensure!(
        added.status.success() && added.stderr.is_empty(),
        "{added:?}"
    );
    Ok(())
}

/// Without a parent, or by wish, there is no way out.
#[test]
fn internal_networks() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let _outsider = plain(&wire, OUTSIDER)?;
    node.ctl("add-net alone -d macvlan --subnet 10.70.0.0/24")?;
    node.ctl("add-net apart -d macvlan --subnet 10.71.0.0/24")?;
    let gateway = on_wire(4, OUTSIDER);
    node.add_net(
        "inside",
        "macvlan",
        &format!("--internal --gateway {gateway}"),
    )?;
    for (net, number, address) in [
        ("alone", 10, "10.70.0.10"),
        ("alone", 11, "10.70.0.11"),
        ("apart", 12, "10.71.0.12"),
        ("inside", 13, "192.0.2.13"),
    ] {
        let place = node.attach_with(net, number, &format!("--ip {address}"))?;
        let routes = place
            .program("ip")
            .args(["route", "show", "default"])
            .output()?;
        ensure!(routes.is_empty(), "{net}: {routes}");
    }
    let [one, two] = ["c10", "c11"].map(|name| node.host.sandbox(name));
    ping(&one, "10.70.0.11".parse()?)?;
    ping(&two, "10.70.0.10".parse()?)?;
    one.program("ip")
        .args(["route", "add", "default", "dev", "eth0"])
        .output()?;
    no_ping(&one, "10.71.0.12".parse()?)?;
    no_ping(&one, gateway)?;
    let inspected = node.inspect("alone")?;
    ensure!(inspected["Internal"] == true, "{inspected}");
    Ok(())
}
