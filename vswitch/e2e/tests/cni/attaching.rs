//! ADD: what a container gets.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::{CniFailure, Place, no_ping, ping};

use crate::fixture::{Lab, address};

#[test]
fn containers_are_attached_talk_and_are_detached() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    let mut results = Vec::new();
    for name in ["a", "b"] {
        let place = lab.container(name)?;
        let result = web.add(name)?;
        is_as_answered(&place, name, &result)?;
        web.check(name, &result)?;
        results.push(result);
    }
    for family in [4, 6] {
        ping(&lab.host.sandbox("a"), address(&results[1], family)?)?;
        ping(&lab.host.sandbox("b"), lab.outside.address(family))?;
    }
    let labels = lab.endpoints("web")?["a"]["Labels"].clone();
    let expected = json!({"cni.container": "a", "cni.ifname": "eth0", "cni.network": "web"});
    assert_eq!(labels, expected);
    for name in ["a", "b", "a"] {
        web.del(name)?;
    }
    lab.is_empty("web", &["a", "b"])?;
    // The network stays, with its addresses for the next one.
    assert_eq!(web.add("a")?["ips"], results[0]["ips"]);
    Ok(())
}

/// The kernel has what was answered.
fn is_as_answered(place: &Place, name: &str, result: &Value) -> Result<()> {
    let ip = |what: &[&str]| -> Result<Value> {
        let ip = place.program("ip").args(["-json"]).args(what);
        Ok(serde_json::from_str(&ip.output()?)?)
    };
    let link = &ip(&["address", "show", "dev", "eth0"])?[0];
    let interface = &result["interfaces"][0];
    assert_eq!(interface["name"], "eth0");
    assert_eq!(interface["mac"], link["address"]);
    assert_eq!(interface["mtu"], link["mtu"]);
    assert_eq!(interface["sandbox"], format!("/run/netns/{name}"));
    assert_eq!(result["interfaces"].as_array().map(Vec::len), Some(1));
    let has = |address: &Value| {
        let (local, length) = (address["local"].as_str(), address["prefixlen"].as_u64());
        local
            .zip(length)
            .map(|(local, length)| format!("{local}/{length}"))
    };
    let in_kernel: Vec<_> = link["addr_info"].as_array().into_iter().flatten().collect();
    let in_kernel: Vec<_> = in_kernel.into_iter().filter_map(has).collect();
    let ips = result["ips"].as_array().map_or(&[][..], Vec::as_slice);
    for answered in ips {
        let text = answered["address"].as_str().unwrap_or_default().to_owned();
        ensure!(in_kernel.contains(&text), "{text} is not in {in_kernel:?}");
        assert_eq!(answered["interface"], 0);
    }
    let routes = result["routes"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(routes.len(), ips.len(), "{result}");
    for (family, to, route) in [("-4", "0.0.0.0/0", &routes[0]), ("-6", "::/0", &routes[1])] {
        let kernels = &ip(&[family, "route", "show", "default"])?[0];
        assert_eq!(
            (&route["dst"], &route["gw"]),
            (&json!(to), &kernels["gateway"])
        );
    }
    Ok(())
}

#[test]
fn every_version_is_answered_in_its_shape() -> Result<()> {
    let lab = Lab::new()?;
    lab.container("a")?;
    for (version, family, mtu) in [
        ("0.3.0", json!("4"), Value::Null),
        ("0.3.1", json!("4"), Value::Null),
        ("0.4.0", json!("4"), Value::Null),
        ("1.0.0", Value::Null, Value::Null),
        ("1.1.0", Value::Null, json!(1500)),
    ] {
        let web = lab.web()?.with(json!({"cniVersion": version}));
        let result = web.add("a")?;
        assert_eq!(result["cniVersion"], version);
        assert_eq!(result["ips"][0]["version"], family, "{version}");
        assert_eq!(result["interfaces"][0]["mtu"], mtu, "{version}");
        if version > "0.4" {
            web.check("a", &result)?;
        }
        web.with(json!({"prevResult": result})).del("a")?;
    }
    Ok(())
}

#[test]
fn what_a_runtime_chooses_is_had() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    lab.container("a")?;
    let chosen = web.with(json!({"runtimeConfig": {
        "ips": ["10.20.0.77/24", "fd20::77"],
        "mac": "02:00:00:00:00:77",
        "aliases": ["www", "web.example"],
    }}));
    let result = chosen.add("a")?;
    assert_eq!(result["ips"][0]["address"], "10.20.0.77/24");
    assert_eq!(result["ips"][1]["address"], "fd20::77/64");
    assert_eq!(result["interfaces"][0]["mac"], "02:00:00:00:00:77");
    let sandboxes = lab.daemon.json("list-sandboxes")?;
    assert_eq!(
        sandboxes[0]["endpoints"][0]["aliases"],
        json!(["www", "web.example"])
    );
    chosen.check("a", &result)?;
    // The same by the older way.
    lab.container("b")?;
    let arguments = "IgnoreUnknown=1;K8S_POD_NAME=b;IP=10.20.0.78;MAC=02:00:00:00:00:78";
    let call = web.call("ADD", "b")?.env("CNI_ARGS", arguments);
    let result: Value = serde_json::from_str(&call.output()?)?;
    assert_eq!(result["ips"][0]["address"], "10.20.0.78/24");
    assert_eq!(result["interfaces"][0]["mac"], "02:00:00:00:00:78");
    // What is taken is refused, and leaves nothing.
    lab.container("c")?;
    let same = web.with(json!({"runtimeConfig": {"ips": ["10.20.0.77"]}}));
    let failure = CniFailure::of(same.call("ADD", "c")?)?;
    assert_eq!(failure.code, 100);
    ensure!(failure.details.contains("10.20.0.77"), "{failure:?}");
    assert_eq!(lab.host.interfaces_in("c")?, ["lo"]);
    Ok(())
}

#[test]
fn the_configuration_reaches_the_network() -> Result<()> {
    let lab = Lab::new()?;
    let closed = lab.network(json!({
        "internal": true,
        "options": {"com.docker.network.driver.mtu": 1400},
        "ipam": {"ranges": [[{
            "subnet": "10.20.0.0/24", "gateway": "10.20.0.254",
            "rangeStart": "10.20.0.64", "rangeEnd": "10.20.0.127",
        }]]},
    }))?;
    let place = lab.container("a")?;
    let result = closed.add("a")?;
    assert_eq!(result["ips"][0]["address"], "10.20.0.64/24");
    assert_eq!(result["interfaces"][0]["mtu"], 1400);
    assert_eq!(result.get("routes"), None);
    no_ping(&place, lab.outside.address(4))?;
    closed.check("a", &result)?;
    let network = lab.daemon.json("inspect web")?[0].clone();
    assert_eq!(network["Labels"], json!({"cni.network": "web"}));
    assert_eq!(network["IPAM"]["Config"][0]["Gateway"], "10.20.0.254");
    Ok(())
}

#[test]
fn a_container_is_on_the_physical_network() -> Result<()> {
    let lab = Lab::new()?;
    let lan = lab.network(json!({
        "driver": "macvlan",
        "options": {"parent": "wan0"},
        "ipam": {"subnet": "192.0.2.0/24", "gateway": "192.0.2.9", "rangeStart": "192.0.2.128"},
    }))?;
    let place = lab.container("a")?;
    let result = lan.add("a")?;
    assert_eq!(result["ips"][0]["address"], "192.0.2.128/24");
    assert_eq!(
        result["routes"],
        json!([{"dst": "0.0.0.0/0", "gw": "192.0.2.9"}])
    );
    ping(&place, lab.outside.address(4))?;
    lan.check("a", &result)?;
    lan.del("a")?;
    lab.is_empty("web", &["a"])
}

#[test]
fn a_network_that_is_there_is_used_if_it_is_as_configured() -> Result<()> {
    let lab = Lab::new()?;
    lab.daemon
        .ctl("add-net web --subnet 10.20.0.0/24 --internal")?;
    lab.container("a")?;
    let web = lab.network(json!({"ipam": {"subnet": "10.20.0.0/24"}}))?;
    for command in ["ADD", "STATUS"] {
        let failure = CniFailure::of(web.call(command, "a")?)?;
        ensure!(
            failure
                .details
                .contains("internal is true and should be false"),
            "{failure:?}"
        );
    }
    let result = web.with(json!({"internal": true})).add("a")?;
    assert_eq!(result["ips"][0]["address"], "10.20.0.2/24");
    Ok(())
}

#[test]
fn an_interface_that_is_there_is_an_error() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    lab.container("a")?;
    lab.host
        .run_in("a", "ip link add eth0 type veth peer name other")?;
    let failure = CniFailure::of(web.call("ADD", "a")?)?;
    ensure!(
        failure.details.contains("already has an interface eth0"),
        "{failure:?}"
    );
    web.del("a")?;
    // It is somebody else's.
    ensure!(lab.host.interfaces_in("a")?.contains(&"eth0".to_owned()));
    Ok(())
}
