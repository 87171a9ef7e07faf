//! What Docker may say when something has gone wrong, and what nobody should say.

use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::{Host, Request};
use vswitch_plugin::Method;

use crate::plugin::Plugin;

const NETWORK: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const ENDPOINT: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const UNKNOWN: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// A good request of each method that needs a body, in an order in which they do good.
fn good() -> Vec<(Method, Value)> {
    let endpoint = json!({"NetworkID": NETWORK, "EndpointID": ENDPOINT});
    let with = |more: Value| -> Value {
        let mut all = endpoint.clone();
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        all
    };
    let ports = json!({"com.docker.network.portmap": [
        {"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080, "HostPortEnd": 8080},
    ]});
    let v4 = json!([{"AddressSpace": "LocalDefault", "Pool": "10.20.0.0/24", "Gateway": "10.20.0.1/24"}]);
    let pool = "vswitch/10.30.0.0/24";
    vec![
        (
            Method::RequestPool,
            json!({"AddressSpace": "vswitch", "Pool": "10.30.0.0/24", "SubPool": "", "Options": {}, "V6": false}),
        ),
        (
            Method::RequestAddress,
            json!({"PoolID": pool, "Address": "10.30.0.7", "Options": {}}),
        ),
        (
            Method::CreateNetwork,
            json!({"NetworkID": NETWORK, "Options": {"com.docker.network.generic": {"vswitch.name": "net"}}, "IPv4Data": v4, "IPv6Data": []}),
        ),
        (
            Method::CreateEndpoint,
            with(
                json!({"Interface": {"Address": "10.20.0.7/24", "AddressIPv6": "", "MacAddress": ""}, "Options": ports}),
            ),
        ),
        (
            Method::Join,
            with(json!({"SandboxKey": "/var/run/docker/netns/0123456789ab", "Options": {}})),
        ),
        (
            Method::ProgramExternalConnectivity,
            with(json!({"Options": ports})),
        ),
        (Method::EndpointOperInfo, endpoint.clone()),
        (Method::RevokeExternalConnectivity, endpoint.clone()),
        (Method::Leave, endpoint.clone()),
        (Method::DeleteEndpoint, endpoint.clone()),
        (Method::DeleteNetwork, json!({"NetworkID": NETWORK})),
        (
            Method::ReleaseAddress,
            json!({"PoolID": pool, "Address": "10.30.0.7"}),
        ),
        (Method::ReleasePool, json!({"PoolID": pool})),
    ]
}

/// A request may come twice, and the second time without its body: Docker's client has consumed it.
#[test]
fn requests_are_repeated() -> Result<()> {
    let host = Host::new()?;
    let plugin = Plugin::on(&host)?;
    let tables = |plugin: &Plugin| -> Result<Vec<Value>> {
        ["inspect net", "ports", "list-sandboxes"]
            .iter()
            .filter(|line| !line.starts_with("inspect") || plugin.daemon.ctl(line).is_ok())
            .map(|line| plugin.daemon.json(line))
            .collect()
    };
    for round in 0..2 {
        for (method, body) in good() {
            let first = plugin.done(method.as_str(), &body)?;
            let after = tables(&plugin)?;
            // The address that is lent is lent.
            if method == Method::RequestAddress {
                let again = Request::of_docker(method.as_str(), body.to_string());
                let said = plugin.refused(&again)?;
                ensure!(said.contains("10.30.0.7"), "{said}");
            } else {
                let again = plugin.done(method.as_str(), &body)?;
                ensure!(
                    again == first,
                    "{round}, {method}: {again}, and {first} before"
                );
            }
            let said = plugin.refused(&Request::of_docker(method.as_str(), ""))?;
            println!("{method} without a body: {said}");
            ensure!(tables(&plugin)? == after, "{method} has done something");
            if method == Method::RequestPool {
                // The second one was lent too, and is returned.
                plugin.done(
                    Method::ReleasePool.as_str(),
                    &json!({"PoolID": "vswitch/10.30.0.0/24"}),
                )?;
            }
        }
        plugin.is_empty(&host)?;
    }
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused_at_once() -> Result<()> {
    let host = Host::new()?;
    let plugin = Plugin::on(&host)?;
    // Somebody who begins to speak and does not end holds up nobody.
    let mut slow = UnixStream::connect(&plugin.socket)?;
    slow.write_all(
        b"POST /NetworkDriver.CreateNetwork HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    )?;
    let deep = "[".repeat(100_000);
    let long = format!("{{\"NetworkID\": \"{}\"}}", "a".repeat(17 << 20));
    let many = format!("[{}1]", "1,".repeat(1 << 20));
    for (method, body) in good() {
        let name = method.as_str();
        let text = body.to_string();
        let half = &text[..text.len() / 2];
        for (what, wrong) in [
            ("nothing", String::new()),
            ("a line", "\n".to_owned()),
            ("null", "null".to_owned()),
            ("a number", "7".to_owned()),
            ("a list", "[]".to_owned()),
            ("an empty object", "{}".to_owned()),
            ("no JSON", "NetworkID=7".to_owned()),
            ("a half", half.to_owned()),
            ("two", format!("{text}{text}")),
            ("a depth", deep.clone()),
            ("a length", long.clone()),
            ("a number of numbers", many.clone()),
        ] {
            if method == Method::RequestPool && ["null", "an empty object"].contains(&what) {
                // Any pool of any address space: all of it may be left out.
                continue;
            }
            let said = plugin
                .refused(&Request::of_docker(name, wrong))
                .with_context(|| format!("{name}: {what}"))?;
            println!("{name}: {what}: {}", &said[..said.len().min(200)]);
        }
        plugin
            .refused(&Request::of_docker(name, vec![0xff, 0xfe, b'{', 0]))
            .with_context(|| format!("{name}: no text"))?;
        // Each field of a wrong type.
        for field in body.as_object().context("no object")?.keys() {
            let mut wrong = body.clone();
            wrong[field] = json!([[7]]);
            let request = Request::of_docker(name, wrong.to_string());
            let said = plugin
                .refused(&request)
                .with_context(|| format!("{name}: {field}"))?;
            ensure!(said.contains(field.as_str()), "{name}, {field}: {said}");
        }
        // Less than was announced, and then the end.
        let mut short = Request::of_docker(name, half);
        short
            .headers
            .push(("Content-Length".to_owned(), text.len().to_string()));
        if let Ok(reply) = plugin.ask(&short) {
            ensure!(reply.status >= 400, "{name}: {}", reply.status);
        }
        for other in ["GET", "PUT", "DELETE"] {
            let mut request = Request::of_docker(name, text.clone());
            request.method = other.to_owned();
            plugin
                .refused(&request)
                .with_context(|| format!("{other} {name}"))?;
        }
    }
    for path in ["NetworkDriver.Fly", "VolumeDriver.Create", ""] {
        plugin.refused(&Request::of_docker(path, "{}"))?;
    }
    // Nothing has come of all this.
    plugin.is_empty(&host)?;
    for (method, body) in good() {
        plugin.done(method.as_str(), &body)?;
    }
    drop(slow);
    Ok(())
}

/// Docker may remember what is not here, and the other way round.
#[test]
fn ids_are_unknown() -> Result<()> {
    let host = Host::new()?;
    let plugin = Plugin::on(&host)?;
    let gone = json!({"NetworkID": UNKNOWN, "EndpointID": UNKNOWN});
    let lost = [
        Method::Leave,
        Method::DeleteEndpoint,
        Method::DeleteNetwork,
        Method::RevokeExternalConnectivity,
    ];
    for method in lost {
        assert_eq!(plugin.done(method.as_str(), &gone)?, json!({}), "{method}");
    }
    let pool = json!({"PoolID": "vswitch/10.77.0.0/16", "Address": "10.77.0.7"});
    for method in [Method::ReleaseAddress, Method::ReleasePool] {
        assert_eq!(plugin.done(method.as_str(), &pool)?, json!({}), "{method}");
    }
    for (method, body) in good() {
        let needs_something = [
            Method::CreateEndpoint,
            Method::Join,
            Method::EndpointOperInfo,
            Method::ProgramExternalConnectivity,
            Method::RequestAddress,
        ];
        if needs_something.contains(&method) {
            let said = plugin.refused(&Request::of_docker(method.as_str(), body.to_string()))?;
            println!("{method}: {said}");
            let words = ["not found", "was not lent"];
            ensure!(
                words.iter().any(|words| said.contains(words)),
                "{method}: {said}"
            );
        }
    }
    // Headers that servers are strict about: Docker fills them as it likes.
    let mut request = Request::of_docker("Plugin.Activate", "");
    for (name, value) in [
        ("Host", "/run/docker/plugins/vswitch.sock"),
        ("Host", "plugin.moby.localhost"),
        ("Content-Type", "text/plain"),
    ] {
        request.headers.retain(|(other, _)| other != name);
        request.headers.push((name.to_owned(), value.to_owned()));
        let reply = plugin.ask(&request)?;
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.json(),
            json!({"Implements": ["NetworkDriver", "IpamDriver"]})
        );
    }
    Ok(())
}
