//! Addresses that somebody on the wire uses already.

use anyhow::{Result, ensure};
use vswitch_e2e::Underlay;

use crate::fixture::{Node, OUTSIDER, mac_of, on_wire, ping, plain};

#[test]
fn an_address_that_somebody_has_is_refused() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    let holder = mac_of(&outsider.place(), "eth0")?;
    for (net, driver, options, first) in [
        ("mac", "macvlan", "", 16),
        ("nat", "macvlan", "-o mac_nat=true", 32),
        ("ip", "ipvlan", "", 48),
    ] {
        let ranges = [on_wire(4, first), on_wire(6, first)];
        let ranges = format!("--ip-range {}/28 --ip-range {}/124", ranges[0], ranges[1]);
        node.add_net(net, driver, &format!("{ranges} {options}"))?;
    }
    node.ctl("add-sandbox c")?;
    for net in ["mac", "nat", "ip"] {
        for (flag, family) in [("--ip", 4), ("--ip6", 6)] {
            let taken = on_wire(family, OUTSIDER);
            let refusal = node
                .daemon
                .refused(&format!("attach {net} c {flag} {taken}"))?;
            println!("{}", refusal.message);
            ensure!(
                refusal.code == 1 && refusal.message.starts_with("error: "),
                "{refusal:?}"
            );
            for word in [&taken.to_string(), &holder] {
                ensure!(refusal.message.contains(word), "{refusal:?} without {word}");
            }
            assert_eq!(node.host.interfaces_in("c")?, ["lo"]);
            ensure!(
                !node
                    .ctl(&format!("inspect {net}"))?
                    .contains(&taken.to_string())
            );
        }
    }
    // The holder was not disturbed, and the next address is nobody's.
    let free = node.attach("mac", 17)?;
    for family in [4, 6] {
        ping(&free, on_wire(family, OUTSIDER))?;
    }
    Ok(())
}

/// Addresses that the switch chooses itself: the next one is taken by somebody.
#[test]
fn an_address_of_the_pool_that_somebody_has() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let squatter = plain(&wire, 16)?;
    node.ctl(
        "add-net net -d macvlan --subnet 192.0.2.0/24 --ip-range 192.0.2.16/28 -o parent=eth0",
    )?;
    node.ctl("add-sandbox c")?;
    let refusal = node.daemon.refused("attach net c")?;
    println!("{}", refusal.message);
    let holder = mac_of(&squatter.place(), "eth0")?;
    ensure!(refusal.message.contains(&holder), "{refusal:?}");
    ensure!(refusal.message.contains("192.0.2.16"), "{refusal:?}");
    Ok(())
}

#[test]
fn who_does_not_ask_is_not_refused() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let _outsider = plain(&wire, OUTSIDER)?;
    node.add_net("net", "macvlan", "-o dad=false")?;
    let container = node.attach("net", OUTSIDER)?;
    // As wished: there are two now.
    let shown = container
        .program("ip")
        .args(["-o", "address", "show", "dev", "eth0", "scope", "global"])
        .output()?;
    for family in [4, 6] {
        ensure!(
            shown.contains(&on_wire(family, OUTSIDER).to_string()),
            "{shown}"
        );
    }
    ensure!(
        !shown.contains("dadfailed") && !shown.contains("tentative"),
        "{shown}"
    );
    Ok(())
}

/// A container of another host's switch has the address, and the same MAC address, as that is made of it.
#[test]
fn an_address_that_another_hosts_container_has() -> Result<()> {
    let wire = Underlay::new()?;
    let nodes = [Node::new(&wire, 1)?, Node::new(&wire, 2)?];
    for (net, driver, options, number) in [
        ("mac", "macvlan", "", 16),
        ("nat", "macvlan", "-o mac_nat=true", 17),
        ("ip", "ipvlan", "", 18),
    ] {
        let ranges = [on_wire(4, 32), on_wire(6, 32)];
        let ranges = format!("--ip-range {}/28 --ip-range {}/124", ranges[0], ranges[1]);
        for node in &nodes {
            node.add_net(net, driver, &format!("{ranges} {options}"))?;
        }
        let first = nodes[0].attach(net, number)?;
        nodes[1].ctl(&format!("add-sandbox {net}"))?;
        for (flag, family) in [("--ip", 4), ("--ip6", 6)] {
            let taken = on_wire(family, number);
            let attach = format!("attach {net} {net} {flag} {taken}");
            let refusal = nodes[1].daemon.refused(&attach)?;
            ensure!(refusal.message.contains(&taken.to_string()), "{refusal:?}");
        }
        ping(&first, on_wire(4, 2))?;
    }
    Ok(())
}

/// A switch that reflects sends one's own question back: that is no conflict.
#[test]
fn ones_own_question_is_no_conflict() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    wire.set_hairpin(1, true)?;
    for (mode, first) in [("vepa", 16), ("bridge", 32)] {
        let [v4, v6] = [on_wire(4, first), on_wire(6, first)];
        let ranges = format!("--ip-range {v4}/28 --ip-range {v6}/124");
        node.add_net(mode, "macvlan", &format!("{ranges} -o macvlan_mode={mode}"))?;
        let container = node.attach(mode, first + 1)?;
        ping(&container, on_wire(4, 1))?;
    }
    Ok(())
}
