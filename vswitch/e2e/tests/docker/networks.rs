//! `docker network create`, and what `vsctl` makes of it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::fixture::{Lab, SUBNET};

#[test]
fn networks_are_here_what_they_are_there() -> Result<()> {
    let lab = Lab::new()?;
    // A name of its own, of its id: Docker does not tell the one it has.
    let plain = lab.docker.ctl("network create --driver vswitch plain")?;
    let name = format!("docker-{}", &plain[..12]);
    let there = lab.docker.inspect("network", "plain")?;
    let here = lab.inspect(&name)?;
    assert_eq!(here["Id"], plain);
    assert_eq!(here["Name"], name.as_str());
    assert_eq!(here["Driver"], "bridge");
    assert_eq!(here["EnableIPv6"], false);
    assert_eq!(there["Driver"], "vswitch");
    assert_eq!(there["Scope"], "local");
    for field in ["Subnet", "Gateway"] {
        assert_eq!(
            here["IPAM"]["Config"][0][field], there["IPAM"]["Config"][0][field],
            "{field}"
        );
    }
    // All that can be said.
    let full = lab.create(
        "full",
        "--subnet 10.20.0.0/16 --ip-range 10.20.5.0/24 --gateway 10.20.0.254 \
         --aux-address one=10.20.5.1 --aux-address two=10.20.5.2 \
         --ipv6 --subnet fd20::/64 --gateway fd20::fe --internal \
         --opt com.docker.network.driver.mtu=1400 --opt com.docker.network.bridge.enable_icc=false",
    )?;
    let here = lab.inspect("full")?;
    assert_eq!(here["Id"], full);
    assert_eq!(here["EnableIPv6"], true);
    assert_eq!(here["Internal"], true);
    assert_eq!(
        here["Options"],
        json!({
            "com.docker.network.driver.mtu": "1400",
            "com.docker.network.bridge.enable_icc": "false",
        })
    );
    let config = &here["IPAM"]["Config"];
    assert_eq!(config[0]["Subnet"], "10.20.0.0/16");
    assert_eq!(config[0]["Gateway"], "10.20.0.254");
    let aux = config[0]["AuxiliaryAddresses"]
        .as_object()
        .context("none")?;
    let aux: Vec<_> = aux.values().filter_map(Value::as_str).collect();
    assert_eq!(aux, ["10.20.5.1", "10.20.5.2"]);
    assert_eq!(config[1]["Subnet"], "fd20::/64");
    assert_eq!(config[1]["Gateway"], "fd20::fe");
    // The other drivers.
    lab.create("wide", "--opt driver=overlay --subnet 10.21.0.0/24")?;
    lab.create(
        "near",
        "--opt driver=macvlan --opt parent=wan0.7 --subnet 10.22.0.0/24",
    )?;
    lab.create(
        "flat",
        "--opt driver=ipvlan --opt parent=wan0.8 --subnet 10.23.0.0/24",
    )?;
    let drivers: Vec<_> = lab
        .networks()?
        .iter()
        .map(|row| (text(&row["name"]), text(&row["driver"])))
        .collect();
    for (name, driver) in [
        (name.as_str(), "bridge"),
        ("full", "bridge"),
        ("wide", "overlay"),
        ("near", "macvlan"),
        ("flat", "ipvlan"),
    ] {
        let expected = (name.to_owned(), driver.to_owned());
        ensure!(drivers.contains(&expected), "no {expected:?}: {drivers:?}");
    }
    assert_eq!(lab.inspect("near")?["Parent"]["vlan"], Value::Null);
    assert_eq!(lab.inspect("near")?["Options"]["parent"], "wan0.7");
    for tool in ["fdb", "ports", "stats"] {
        lab.daemon.ctl(tool)?;
    }
    // They go one by one, and all that are left at once.
    lab.docker.ctl("network rm plain wide")?;
    assert_eq!(lab.networks()?.len(), 3);
    let pruned = lab.docker.ctl("network prune --force")?;
    for name in ["full", "near", "flat"] {
        ensure!(pruned.contains(name), "{pruned}");
    }
    lab.is_clean()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What Docker shows of an error is what `vsctl` would say.
#[test]
fn what_is_refused_is_refused_in_our_words() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", SUBNET)?;
    for (options, words) in [
        ("--opt colour=blue", &["colour"][..]),
        (
            "--opt com.docker.network.driver.mtu=many",
            &["com.docker.network.driver.mtu", "many"],
        ),
        (
            "--opt driver=carrier-pigeon",
            &["carrier-pigeon", "macvlan"],
        ),
        ("--opt driver=macvlan --opt parent=wan9", &["wan9"]),
        ("--opt vswitch.name=net", &["net", "exists"]),
        // By Docker itself, which gives out the addresses.
        ("--subnet 10.20.0.128/25", &["overlaps"]),
    ] {
        let subnet = match options.contains("--subnet") {
            true => "",
            false => "--subnet 10.21.0.0/24",
        };
        let said = lab.docker.refused(&format!(
            "network create -d vswitch {subnet} {options} other"
        ))?;
        println!("{options}: {said}");
        for word in words {
            ensure!(said.contains(word), "{options}: no {word:?}: {said}");
        }
        ensure!(lab.networks()?.len() == 1, "{options}: it is there");
        let listed = lab.docker.ctl("network ls --quiet --filter name=other")?;
        ensure!(listed.is_empty(), "{options}: Docker has it");
    }
    // What `vsctl` makes is not Docker's.
    lab.daemon.ctl("add-net ours --subnet 10.24.0.0/24")?;
    let said = lab
        .docker
        .refused("network create -d vswitch --subnet 10.24.0.0/16 theirs")?;
    println!("{said}");
    ensure!(said.contains("10.24.0.0"), "{said}");
    lab.daemon.ctl("rm-net ours")?;
    lab.tidy()
}
