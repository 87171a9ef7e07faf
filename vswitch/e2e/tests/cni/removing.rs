//! DEL and GC, whatever is left.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::fixture::Lab;

#[test]
fn a_container_that_is_gone_is_removed() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    let chosen = web.with(json!({"runtimeConfig": {"ips": ["10.20.0.77"]}}));
    lab.container("a")?;
    chosen.add("a")?;
    // A runtime that has lost the namespace knows the container's id.
    lab.host.run("ip netns delete a")?;
    let call = web.call("DEL", "a")?.env("CNI_NETNS", "");
    assert_eq!(call.output()?, "");
    lab.is_empty("web", &[])?;
    lab.container("b")?;
    chosen.add("b")?;
    Ok(())
}

#[test]
fn another_container_in_the_same_place_stays() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    lab.container("a")?;
    web.add("a")?;
    let of_another = web.call("DEL", "old")?.env("CNI_NETNS", "/run/netns/a");
    assert_eq!(of_another.output()?, "");
    ensure!(lab.endpoints("web")?.contains_key("a"));
    let of_another = web.call("DEL", "a")?.env("CNI_IFNAME", "eth1");
    assert_eq!(of_another.output()?, "");
    ensure!(lab.endpoints("web")?.contains_key("a"));
    Ok(())
}

#[test]
fn a_network_that_is_gone_has_nothing_left() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    lab.container("a")?;
    web.add("a")?;
    lab.daemon.ctl("rm-net web --force")?;
    web.del("a")?;
    // It is made again for the next one.
    web.add("a")?;
    Ok(())
}

#[test]
fn what_the_runtime_does_not_know_is_collected() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    let other = web.with(json!({"name": "db", "ipam": {}}));
    for name in ["a", "b", "c"] {
        lab.container(name)?;
        web.add(name)?;
    }
    lab.host.run("ip netns delete c")?;
    lab.container("d")?;
    other.add("d")?;
    lab.daemon.ctl("add-sandbox mine")?;
    lab.daemon.ctl("attach web mine")?;
    web.gc(&["a"])?;
    let left = lab.endpoints("web")?;
    let left: Vec<_> = left.keys().map(String::as_str).collect();
    // Those of other networks, and those that other programs attached, are no concern of it.
    assert_eq!(left, ["a", "mine"]);
    assert_eq!(lab.host.interfaces_in("b")?, ["lo"]);
    assert_eq!(lab.endpoints("db")?.len(), 1);
    Ok(())
}
