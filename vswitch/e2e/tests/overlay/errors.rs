//! What cannot be: clear words, and nothing half-made.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::Underlay;

use crate::fixture::{Node, SUBNETS, inside, mac_text, ping};

/// Refused, with these words.
fn refused(node: &Node, line: &str, words: &[&str]) -> Result<()> {
    let refusal = node.daemon.refused(line)?;
    println!("{line}: {}", refusal.message);
    ensure!(refusal.code == 1, "{line}: {refusal:?}");
    ensure!(refusal.message.starts_with("error: "), "{refusal:?}");
    for word in words {
        ensure!(
            refusal.message.contains(word),
            "{line}: {refusal:?} without {word:?}"
        );
    }
    Ok(())
}

#[test]
fn options_that_cannot_be() -> Result<()> {
    let underlay = Underlay::new()?;
    let node = Node::new(&underlay, 1)?;
    let add = format!("add-net bad -d overlay {SUBNETS}");
    for (options, words) in [
        ("-o peers=192.0.2.2,nonsense", &["peers", "nonsense"][..]),
        ("-o peers=192.0.2.2,192.0.2.2", &["192.0.2.2", "already"]),
        ("-o peers=192.0.2.2,2001:db8::2", &["2001:db8::2", "famil"]),
        ("-o peers=239.1.1.1", &["239.1.1.1"]),
        ("-o peers=0.0.0.0", &["0.0.0.0"]),
        ("-o peers=127.0.0.1", &["127.0.0.1"]),
        ("-o peers=10.20.0.7", &["10.20.0.7", "subnet"]),
        (
            "-o peers=192.0.2.1 -o local=192.0.2.1",
            &["192.0.2.1", "local"],
        ),
        ("-o local=192.0.2.77 -o peers=192.0.2.2", &["192.0.2.77"]),
        ("-o group=192.0.2.2", &["multicast"]),
        ("-o vni=0", &["vni", "16777215"]),
        ("-o vni=16777216", &["vni", "16777215"]),
        ("-o port=80", &["port", "1024"]),
        ("-o ttl=0", &["ttl"]),
        ("-o dscp=64", &["dscp"]),
        ("-o mtu=1200", &["mtu", "IPv6"]),
        ("-o learning=maybe", &["learning"]),
        ("-o encrypted=true", &["encrypted"]),
        ("-o nonsense=1", &["nonsense"]),
        (
            "-o com.docker.network.driver.overlay.vxlanid_list=1,2",
            &["vxlanid_list", "one"],
        ),
    ] {
        refused(&node, &format!("{add} {options}"), words)?;
    }
    // Nothing of all this is left behind.
    let nets = node.ctl("list-nets")?;
    ensure!(!nets.contains("bad"), "{nets}");
    assert_eq!(node.host.interfaces()?, ["lo", "eth0"]);
    ensure!(node.rows("vtep list")?.is_empty());
    node.ctl(&format!("{add} -o peers=192.0.2.2"))?;
    ensure!(node.rows("vtep list")?.len() == 1);
    Ok(())
}

#[test]
fn numbers_and_ports_that_are_taken() -> Result<()> {
    let underlay = Underlay::new()?;
    let node = Node::new(&underlay, 1)?;
    node.ctl("add-net one -d overlay --subnet 10.20.0.0/24 -o vni=7 -o peers=192.0.2.2")?;
    let two = "add-net two -d overlay --subnet 10.30.0.0/24 -o peers=192.0.2.2";
    refused(&node, &format!("{two} -o vni=7"), &["7", "one", "4789"])?;
    // The same number on another port is another segment.
    node.ctl(&format!("{two} -o vni=7 -o port=8472"))?;
    node.ctl("rm-net one two")?;

    // The kernel has the port.
    node.host
        .run("ip link add taken type vxlan id 9 dstport 4789 local 192.0.2.1")?;
    node.host.run("ip link set taken up")?;
    refused(&node, two, &["4789", "in use"])?;
    ensure!(!node.ctl("list-nets")?.contains("two"));
    node.ctl(&format!("{two} -o port=4790"))?;
    node.ctl("rm-net two")?;
    node.host.run("ip link del taken")?;
    node.ctl(two)?;
    Ok(())
}

#[test]
fn peers_and_addresses_that_cannot_be() -> Result<()> {
    let underlay = Underlay::new()?;
    let node = Node::new(&underlay, 1)?;
    let (peer, mac) = (underlay.address(4, 2), mac_text(20));
    node.add_net(&[peer], "-o local=192.0.2.1")?;
    node.ctl("add-net plain --subnet 10.40.0.0/24")?;
    refused(
        &node,
        &format!("vtep add net {peer}"),
        &["192.0.2.2", "already"],
    )?;
    refused(&node, "vtep add net 192.0.2.1", &["192.0.2.1"])?;
    refused(&node, "vtep add net 2001:db8::2", &["2001:db8::2"])?;
    refused(&node, "vtep add nosuch 192.0.2.3", &["nosuch", "not found"])?;
    refused(&node, "vtep add plain 192.0.2.3", &["plain", "overlay"])?;
    refused(&node, "vtep del net 192.0.2.3", &["192.0.2.3", "vtep list"])?;
    refused(
        &node,
        &format!("remote add net {mac} 192.0.2.3"),
        &["192.0.2.3"],
    )?;
    refused(
        &node,
        &format!("remote add net nonsense {peer}"),
        &["nonsense"],
    )?;
    refused(
        &node,
        &format!("remote add net 01:00:5e:00:00:01 {peer}"),
        &["01:00:5e"],
    )?;
    refused(
        &node,
        &format!("remote add net {mac} {peer} --ip 10.99.0.1"),
        &["10.99.0.1"],
    )?;
    refused(&node, &format!("remote del net {mac}"), &[&mac])?;
    refused(&node, &format!("remote add plain {mac} {peer}"), &["plain"])?;

    // What is right is done, once.
    node.ctl("vtep add net 192.0.2.3")?;
    let vteps = node.rows("vtep list net")?;
    let mut listed: Vec<_> = vteps
        .iter()
        .filter_map(|row| row["address"].as_str())
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, ["192.0.2.2", "192.0.2.3"]);
    for row in &vteps {
        ensure!(
            row["network"] == "net" && row["vni"] == 4096 && row["port"] == 4789,
            "{row}"
        );
        ensure!(row["origin"] == "configured" && row["mtu"] == 1450, "{row}");
    }
    let (v4, v6) = (inside(4, 20), inside(6, 20));
    node.ctl(&format!("remote add net {mac} {peer} --ip {v4} --ip {v6}"))?;
    let remotes = node.rows("remote list net")?;
    ensure!(
        remotes.len() == 1 && remotes[0]["mac"] == mac,
        "{remotes:?}"
    );
    ensure!(remotes[0]["vtep"] == peer.to_string(), "{remotes:?}");
    let fdb = node.rows("fdb net")?;
    let entry = fdb
        .iter()
        .find(|row| row["mac"] == mac)
        .context("not in fdb")?;
    ensure!(
        entry["origin"] == "programmed" && entry["age"].is_null(),
        "{entry}"
    );
    let neighbours = node.rows("neigh net")?;
    for address in [v4, v6] {
        let row = neighbours
            .iter()
            .find(|row| row["address"] == address.to_string());
        let row = row.with_context(|| format!("{neighbours:?}"))?;
        ensure!(row["mac"] == mac && row["origin"] == "programmed", "{row}");
    }
    // Who goes takes along what was said to be there.
    node.ctl(&format!("vtep del net {peer}"))?;
    ensure!(node.rows("remote list net")?.is_empty());
    ensure!(!node.ctl("fdb net")?.contains(&mac));
    Ok(())
}

#[test]
fn an_overlay_of_one_host_works_as_a_bridge() -> Result<()> {
    let underlay = Underlay::new()?;
    let node = Node::new(&underlay, 1)?;
    node.add_net(&[], "")?;
    let (a, b) = (node.attach(10)?, node.attach(11)?);
    for family in [4, 6] {
        ping(&a, inside(family, 11))?;
        ping(&b, inside(family, 1))?;
    }
    Ok(())
}
