//! Addresses from other CNI plugins: Debian's host-local and static.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::{CniFailure, CniNetwork, ping};

use crate::fixture::{Lab, address};

/// The newest version that Debian's plugins know.
const VERSION: &str = "1.0.0";

fn host_local(lab: &Lab) -> Result<CniNetwork> {
    lab.network(json!({
        "cniVersion": VERSION,
        "ipam": {
            "type": "host-local",
            "dataDir": lab.host.folder(),
            "ranges": [[{"subnet": "10.20.0.0/29"}], [{"subnet": "fd20::/64", "gateway": "fd20::9"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        },
    }))
}

/// The addresses that host-local keeps for somebody.
fn kept(lab: &Lab) -> Result<Vec<String>> {
    let folder = lab.host.folder().join("web");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).context("host-local's folder")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("10.") || name.starts_with("fd") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[test]
fn host_local_gives_the_addresses() -> Result<()> {
    let lab = Lab::new()?;
    let web = host_local(&lab)?;
    let mut results = Vec::new();
    for name in ["a", "b"] {
        lab.container(name)?;
        let result = web.add(name)?;
        web.check(name, &result)?;
        results.push(result);
    }
    assert_eq!(
        kept(&lab)?,
        ["10.20.0.2", "10.20.0.3", "fd20::1", "fd20::2"]
    );
    assert_eq!(results[0]["ips"][0]["address"], "10.20.0.2/29");
    assert_eq!(results[1]["ips"][1]["address"], "fd20::2/64");
    assert_eq!(results[1]["ips"][1]["gateway"], "fd20::9");
    for family in [4, 6] {
        ping(&lab.host.sandbox("a"), address(&results[1], family)?)?;
        ping(&lab.host.sandbox("a"), lab.outside.address(family))?;
    }
    let network = lab.daemon.json("inspect web")?[0].clone();
    assert_eq!(network["IPAM"]["Driver"], "given");
    for name in ["a", "b", "a"] {
        web.del(name)?;
    }
    assert_eq!(kept(&lab)?, [""; 0]);
    lab.is_empty("web", &["a", "b"])
}

#[test]
fn an_address_is_given_back_if_the_switch_refuses() -> Result<()> {
    let lab = Lab::new()?;
    let web = host_local(&lab)?;
    for name in ["a", "b"] {
        lab.container(name)?;
    }
    let ports = json!({"portMappings": [{"hostPort": 8080, "containerPort": 80}]});
    let mapped = web.with(json!({"runtimeConfig": ports}));
    mapped.add("a")?;
    let failure = CniFailure::of(mapped.call("ADD", "b")?)?;
    ensure!(failure.details.contains("8080"), "{failure:?}");
    assert_eq!(kept(&lab)?, ["10.20.0.2", "fd20::1"]);
    Ok(())
}

#[test]
fn what_host_local_says_is_told() -> Result<()> {
    let lab = Lab::new()?;
    let web = host_local(&lab)?;
    // Five addresses but for the gateway's.
    for number in 0..5 {
        let name = format!("c{number}");
        lab.container(&name)?;
        web.add(&name)?;
    }
    lab.container("late")?;
    let failure = CniFailure::of(web.call("ADD", "late")?)?;
    ensure!(
        failure.message.starts_with("host-local: ")
            && failure.message.contains("no IP addresses available"),
        "{failure:?}"
    );
    // It kept nothing of the other family.
    assert_eq!(kept(&lab)?.len(), 10);
    Ok(())
}

#[test]
fn an_address_that_the_switch_does_not_get_back_is_kept() -> Result<()> {
    let mut lab = Lab::new()?;
    let web = host_local(&lab)?;
    lab.container("a")?;
    web.add("a")?;
    lab.daemon.kill()?;
    assert_eq!(CniFailure::of(web.call("DEL", "a")?)?.code, 11);
    assert_eq!(kept(&lab)?.len(), 2);
    lab.daemon.start_again()?;
    web.del("a")?;
    assert_eq!(kept(&lab)?.len(), 0);
    Ok(())
}

#[test]
fn the_static_plugin_hands_on_what_the_runtime_chose() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.network(json!({
        "cniVersion": VERSION,
        "ipam": {"type": "static"},
        "dns": {"nameservers": ["192.0.2.53"]},
    }))?;
    lab.container("a")?;
    let chosen = web.with(json!({"runtimeConfig": {"ips": ["10.20.0.7/24"]}}));
    let result = chosen.add("a")?;
    assert_eq!(result["ips"][0]["address"], "10.20.0.7/24");
    assert_eq!(result["dns"]["nameservers"], json!(["192.0.2.53"]));
    // Of a subnet that the network does not have.
    lab.container("b")?;
    let chosen = web.with(json!({"runtimeConfig": {"ips": ["10.30.0.7/24"]}}));
    let failure = CniFailure::of(chosen.call("ADD", "b")?)?;
    ensure!(
        failure.code == 7 && failure.details.contains("no subnet 10.30.0.0/24"),
        "{failure:?}"
    );
    let endpoints: Vec<Value> = lab.endpoints("web")?.into_iter().map(|(_, e)| e).collect();
    assert_eq!(endpoints.len(), 1);
    Ok(())
}
