//! What networks and endpoints can be told to be.

use anyhow::Result;
use vswitch_e2e::eventually;

use crate::fixture::{Lab, PATIENCE, ping};
use crate::frames::{frame, mac};

fn default_route(lab: &Lab, sandbox: &str) -> Result<String> {
    lab.host.run_in(sandbox, "ip route show default")
}

#[test]
fn a_sandbox_on_several_networks_has_one_default_route() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net first --subnet 10.21.0.0/24")?;
    lab.ctl("add-net second --subnet 10.22.0.0/24")?;
    lab.ctl("add-net inner --subnet 10.23.0.0/24 --internal")?;
    lab.daemon.populate("first", &["peer1"])?;
    lab.daemon.populate("second", &["peer2"])?;
    lab.ctl("add-sandbox many")?;
    lab.ctl("attach inner many --gw-priority 100")?;
    assert_eq!(default_route(&lab, "many")?, "");
    lab.ctl("attach second many")?;
    assert!(default_route(&lab, "many")?.starts_with("default via 10.22.0.1 dev eth1"));
    // Alike but for their names, of which the lower wins.
    lab.ctl("attach first many")?;
    assert!(default_route(&lab, "many")?.starts_with("default via 10.21.0.1 dev eth2"));
    lab.ping("many", "10.21.0.2")?;
    lab.ping("many", "10.22.0.2")?;
    // A priority outdoes names, and a detached winner gives way.
    lab.ctl("detach second many")?;
    lab.ctl("attach second many --gw-priority 5")?;
    assert!(default_route(&lab, "many")?.starts_with("default via 10.22.0.1 dev eth1"));
    lab.ctl("detach second many")?;
    assert!(default_route(&lab, "many")?.starts_with("default via 10.21.0.1"));
    lab.ctl("detach first many")?;
    assert_eq!(default_route(&lab, "many")?, "");
    assert_eq!(lab.host.interfaces_in("many")?, ["lo", "eth0"]);
    Ok(())
}

#[test]
fn networks_are_apart() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net one --subnet 10.21.0.0/24")?;
    lab.ctl("add-net two --subnet 10.22.0.0/24")?;
    lab.daemon.populate("one", &["a"])?;
    lab.daemon.populate("two", &["b"])?;
    // As if both were on one link.
    lab.host.run_in("a", "ip route add 10.22.0.0/24 dev eth0")?;
    lab.host.run_in("b", "ip route add 10.21.0.0/24 dev eth0")?;
    lab.no_ping("a", "10.22.0.2")
}

#[test]
fn without_icc_sandboxes_reach_the_host_only() -> Result<()> {
    let lab = Lab::with_three("-o com.docker.network.bridge.enable_icc=false")?;
    lab.no_ping("a", "10.20.0.3")?;
    lab.no_ping("a", "fd20::3")?;
    let [b] = lab.listen(["b"])?;
    let frames = [frame(mac(3), mac(2), 1), frame([0xff; 6], mac(2), 2)];
    lab.send("a", 1, &frames)?;
    eventually("a drop is counted", PATIENCE, || {
        Ok(lab.daemon.drops("net", "isolated")? > 0)
    })?;
    assert_eq!((b.count(&frames[0])?, b.count(&frames[1])?), (0, 0));
    lab.ping("a", "10.20.0.1")?;
    lab.ping("a", "fd20::1")?;
    ping(&lab.host.place(), "10.20.0.2")?;
    ping(&lab.host.place(), "fd20::3")
}

#[test]
fn an_internal_network_has_no_way_out() -> Result<()> {
    let lab = Lab::with_three("--internal")?;
    assert_eq!(default_route(&lab, "a")?, "");
    assert_eq!(lab.host.run_in("a", "ip -6 route show default")?, "");
    lab.ping("a", "10.20.0.3")?;
    lab.ping("a", "fd20::3")
}

#[test]
fn address_mac_and_interface_can_be_chosen() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.ctl("add-sandbox chosen")?;
    let endpoint = lab.daemon.json(
        "attach net chosen --ip 10.20.0.77 --ip6 fd20::77 --mac 02:00:00:aa:bb:cc --ifname lan0 --alias db",
    )?;
    assert_eq!(endpoint["ifname"], "lan0");
    assert_eq!(endpoint["mac"], "02:00:00:aa:bb:cc");
    assert_eq!(endpoint["addresses"][0], "10.20.0.77/24");
    assert_eq!(endpoint["addresses"][1], "fd20::77/64");
    assert_eq!(endpoint["id"].as_str().map(str::len), Some(64));
    let shown = lab.host.run_in("chosen", "ip address show lan0")?;
    for text in [
        "02:00:00:aa:bb:cc",
        "10.20.0.77/24",
        // Without duplicate address detection: usable at once.
        "fd20::77/64 scope global nodad",
        ",UP,LOWER_UP",
    ] {
        assert!(shown.contains(text), "no {text} in:\n{shown}");
    }
    lab.ping("a", "10.20.0.77")?;
    lab.ping("a", "fd20::77")
}

#[test]
fn defaults_are_those_of_docker() -> Result<()> {
    let lab = Lab::new()?;
    let id = lab.ctl("add-net plain")?;
    assert_eq!(id.len(), 64, "{id}");
    lab.ctl("add-sandbox a")?;
    let endpoint = lab.daemon.json("attach plain a")?;
    assert_eq!(endpoint["ifname"], "eth0");
    assert_eq!(endpoint["addresses"][0], "172.17.0.2/16");
    assert_eq!(endpoint["mac"], "02:42:ac:11:00:02");
    let link = lab.host.run_in("a", "ip link show eth0")?;
    assert!(link.contains("mtu 1500 "), "{link}");
    // No IPv6 address, so no IPv6 on the interface at all.
    assert_eq!(lab.host.run_in("a", "ip -6 address show dev eth0")?, "");
    Ok(())
}

#[test]
fn a_default_pool_never_overlaps_a_route_of_the_host() -> Result<()> {
    let lab = Lab::new()?;
    lab.host.run("ip route add 172.17.0.0/16 dev lo")?;
    lab.host.run("ip route add 172.18.5.0/24 dev lo")?;
    lab.ctl("add-net plain")?;
    lab.ctl("add-sandbox a")?;
    let endpoint = lab.daemon.json("attach plain a")?;
    assert_eq!(endpoint["addresses"][0], "172.19.0.2/16");
    Ok(())
}

#[test]
fn tiny_subnets_work() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net tiny --subnet 10.24.0.0/30")?;
    lab.daemon.populate("tiny", &["a"])?;
    lab.ping("a", "10.24.0.1")?;
    lab.ctl("add-sandbox b")?;
    let refusal = lab.daemon.refused("attach tiny b")?;
    assert!(refusal.message.contains("no free address"), "{refusal:?}");
    assert_eq!(lab.host.interfaces_in("b")?, ["lo"]);
    lab.ctl("detach tiny a")?;
    lab.ctl("attach tiny b")?;
    lab.ping("b", "10.24.0.1")
}

#[test]
fn the_host_driver_is_the_hosts_own_namespace() -> Result<()> {
    let lab = Lab::new()?;
    let before = lab.host.interfaces()?;
    lab.ctl("attach host host")?;
    assert_eq!(lab.host.interfaces()?, before);
    lab.ctl("add-sandbox a")?;
    assert_eq!(lab.daemon.refused("attach host a")?.code, 1);
    lab.ctl("detach host host")?;
    Ok(())
}

#[test]
fn the_none_driver_leaves_loopback_alone() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.ctl("add-sandbox lonely")?;
    lab.ctl("attach none lonely")?;
    assert_eq!(lab.host.interfaces_in("lonely")?, ["lo"]);
    lab.ping("lonely", "127.0.0.1")?;
    assert_eq!(lab.daemon.refused("attach net lonely")?.code, 1);
    assert_eq!(lab.host.interfaces_in("lonely")?, ["lo"]);
    Ok(())
}

#[test]
fn a_process_is_a_sandbox_and_so_is_a_path() -> Result<()> {
    let lab = Lab::with_three("")?;
    let mut process = lab
        .host
        .program("unshare")
        .args(["--net", "sh", "-c", "echo ready; exec sleep 600"])
        .spawn()?;
    process.wait_for("ready", PATIENCE)?;
    let pid = process.pid();
    lab.ctl(&format!("attach net pid:{pid}"))?;
    lab.ping("a", "10.20.0.5")?;
    // The same namespace by another name.
    let path = format!("/proc/{pid}/ns/net");
    let refusal = lab.daemon.refused(&format!("attach net {path}"))?;
    assert!(refusal.message.contains("already attached"), "{refusal:?}");
    lab.ctl(&format!("detach net pid:{pid}"))?;
    let endpoint = lab.daemon.json(&format!("attach net {path}"))?;
    let address = endpoint["addresses"][0].as_str().unwrap_or_default();
    lab.ping("a", address.trim_end_matches("/24"))?;
    lab.ctl(&format!("detach net {path}"))?;
    lab.host.run("ip netns add named")?;
    lab.ctl("attach net /run/netns/named")?;
    lab.ping("named", "10.20.0.2")?;
    lab.ctl("detach net /run/netns/named")?;
    assert_eq!(lab.host.interfaces_in("named")?, ["lo"]);
    Ok(())
}
