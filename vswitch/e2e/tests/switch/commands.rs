//! The commands and the API as `interface.md` has them.

use anyhow::{Context, Result};
use serde_json::Value;
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::fixture::Lab;

/// Fetches from the API: status and body.
fn request(lab: &Lab, method: &str, path: &str, body: Option<&str>) -> Result<(u16, Value)> {
    let curl = lab.host.program("curl").args(["--silent", "--show-error"]);
    let curl = curl.arg("--unix-socket").arg(lab.daemon.socket());
    let mut curl = curl.args(["--request", method, "--write-out", "\n%{http_code}"]);
    if let Some(body) = body {
        curl = curl.args(["--header", "Content-Type: application/json", "--data", body]);
    }
    let answer = curl.arg(format!("http://localhost{path}")).output()?;
    let (body, status) = answer.rsplit_once('\n').context("no status")?;
    let body = if body.trim().is_empty() {
        Value::Null
    } else {
        serde_json::from_str(body).with_context(|| body.to_owned())?
    };
    Ok((status.parse()?, body))
}

#[test]
fn inspect_has_the_fields_of_docker() -> Result<()> {
    let lab = Lab::new()?;
    let id = lab.ctl(
        "add-net web --subnet 10.30.0.0/16 --gateway 10.30.0.254 --ip-range 10.30.1.0/24 \
         --aux-address nas=10.30.1.7 --label owner=me -o com.docker.network.driver.mtu=1400",
    )?;
    lab.daemon.populate("web", &["a"])?;
    let inspected = &lab.daemon.json("inspect web")?[0];
    assert_eq!(inspected["Name"], "web");
    assert_eq!(inspected["Id"], id.as_str());
    assert_eq!(inspected["Scope"], "local");
    assert_eq!(inspected["Driver"], "bridge");
    assert_eq!(inspected["EnableIPv6"], false);
    assert_eq!(inspected["Internal"], false);
    assert_eq!(inspected["Labels"]["owner"], "me");
    assert_eq!(
        inspected["Options"]["com.docker.network.driver.mtu"],
        "1400"
    );
    assert!(
        inspected["Created"]
            .as_str()
            .is_some_and(|at| at.contains('T'))
    );
    let config = &inspected["IPAM"]["Config"][0];
    assert_eq!(config["Subnet"], "10.30.0.0/16");
    assert_eq!(config["Gateway"], "10.30.0.254");
    assert_eq!(config["IPRange"], "10.30.1.0/24");
    assert_eq!(config["AuxiliaryAddresses"]["nas"], "10.30.1.7");
    let address = inspected["Containers"]["a"]["IPv4Address"].as_str();
    assert!(address.is_some_and(|a| a.starts_with("10.30.1.") && a.ends_with("/16")));
    // By id and by the beginning of the id, too.
    assert_eq!(lab.ctl(&format!("inspect {id}"))?, lab.ctl("inspect web")?);
    assert_eq!(
        lab.ctl(&format!("inspect {}", &id[..12]))?,
        lab.ctl("inspect web")?
    );
    Ok(())
}

#[test]
fn tables_have_stable_columns() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.ping("a", "10.20.0.3")?;
    let nets = lab.ctl("list-nets")?;
    assert_eq!(nets, lab.ctl("ls")?);
    let row = nets
        .lines()
        .find(|line| line.contains(" net "))
        .context("no net")?;
    for text in ["bridge", "local", "10.20.0.0/24", "3"] {
        assert!(row.contains(text), "no {text} in: {row}");
    }
    assert!(nets.contains(" host "), "{nets}");
    assert!(nets.contains(" none "), "{nets}");
    let sandboxes = lab.ctl("list-sandboxes")?;
    assert_eq!(sandboxes.lines().count(), 4, "{sandboxes}");
    let fdb = lab.ctl("fdb net")?;
    assert!(fdb.contains("02:42:0a:14:00:01"), "{fdb}");
    assert!(fdb.contains("a/eth0"), "{fdb}");
    let neigh = lab.ctl("neigh")?;
    assert!(
        neigh.contains("10.20.0.2") && neigh.contains("fd20::3"),
        "{neigh}"
    );
    let routes = lab.ctl("routes")?;
    assert!(routes.contains("10.20.0.0/24"), "{routes}");
    let stats = lab.ctl("stats")?;
    assert!(stats.contains("b/eth0"), "{stats}");
    assert!(lab.daemon.sum_stats("a/eth0", "/rx/frames")? >= 3);
    for (command, minimum) in [("fdb", 4), ("neigh", 4), ("routes", 1), ("stats", 4)] {
        let rows = lab.daemon.json(command)?;
        let rows = rows.as_array().map(Vec::len).unwrap_or_default();
        assert!(rows >= minimum, "{command}: {rows}");
    }
    Ok(())
}

#[test]
fn exec_runs_a_command_in_a_sandbox() -> Result<()> {
    let lab = Lab::with_three("")?;
    let shown = lab.ctl("exec a -- ip -o -4 address show dev eth0")?;
    assert!(shown.contains("10.20.0.2/24"), "{shown}");
    let status = |command: &[&str]| -> Result<Option<i32>> {
        let program = lab.daemon.vsctl_program(&["exec", "a", "--"])?;
        Ok(program.args(command).run()?.status.code())
    };
    assert_eq!(status(&["sh", "-c", "exit 7"])?, Some(7));
    assert_eq!(status(&["no-such-program"])?, Some(127));
    // `ip netns` sees the same sandboxes.
    assert_eq!(lab.host.run("ip netns list")?.lines().count(), 3);
    lab.host.run("ip netns exec a ping -c 1 -W 2 10.20.0.3")?;
    Ok(())
}

#[test]
fn version_and_completions() -> Result<()> {
    let lab = Lab::new()?;
    let version = lab.ctl("version")?;
    assert!(version.contains("0."), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            lab.ctl(&format!("completions {shell}"))?
                .contains("add-net")
        );
    }
    Ok(())
}

#[test]
fn the_api_answers_over_http() -> Result<()> {
    let lab = Lab::new()?;
    let (status, body) = request(&lab, "GET", "/v1/version", None)?;
    assert_eq!(status, 200, "{body}");
    let create = r#"{"name":"web","subnets":["10.30.0.0/24"]}"#;
    let (status, body) = request(&lab, "POST", "/v1/networks", Some(create))?;
    assert!((200..300).contains(&status), "{status} {body}");
    assert_eq!(body["id"].as_str().map(str::len), Some(64));
    let (status, body) = request(&lab, "GET", "/v1/networks/web", None)?;
    assert_eq!((status, &body["Name"]), (200, &Value::from("web")));

    for (method, path, body, expected) in [
        ("GET", "/v1/networks/nosuch", None, 404),
        ("POST", "/v1/networks", Some(create), 409),
        (
            "POST",
            "/v1/networks",
            Some(r#"{"name":"x","subnets":["10.30.0.0/25"]}"#),
            409,
        ),
        ("POST", "/v1/networks", Some(r#"{"nome":"x"}"#), 400),
        ("POST", "/v1/networks", Some("no json"), 400),
        ("GET", "/v1/nosuch", None, 404),
        ("PUT", "/v1/networks", None, 405),
    ] {
        let (status, answer) = request(&lab, method, path, body)?;
        println!("{method} {path}: {status} {answer}");
        // 422 is what axum says of JSON of the wrong shape.
        let fits = status == expected || (expected == 400 && status == 422);
        assert!(fits, "{method} {path}: {status} {answer}");
        assert!(
            answer["error"]["code"].is_string(),
            "{method} {path}: {answer}"
        );
        assert!(
            answer["error"]["message"].is_string(),
            "{method} {path}: {answer}"
        );
    }
    let (status, _) = request(&lab, "DELETE", "/v1/networks/web", None)?;
    assert!((200..300).contains(&status));
    Ok(())
}

#[test]
fn metrics_are_scraped_over_http() -> Result<()> {
    let host = Host::new()?;
    let options = DaemonOptions {
        flags: vec!["--metrics".to_owned(), "127.0.0.1:9100".to_owned()],
        show_log: true,
        ..DaemonOptions::default()
    };
    let daemon = Daemon::start_with(&host, options)?;
    let lab = Lab { daemon, host };
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    lab.daemon.populate("net", &["a", "b"])?;
    lab.ping("a", "10.20.0.3")?;
    let metrics = lab
        .host
        .run("curl --silent --show-error --fail http://127.0.0.1:9100/metrics")?;
    println!("{metrics}");
    assert!(metrics.contains("vswitch"), "{metrics}");
    assert!(metrics.contains("network=\"net\""), "{metrics}");
    Ok(())
}

#[test]
fn stats_can_be_watched() -> Result<()> {
    let lab = Lab::with_three("")?;
    let watching = lab.daemon.vsctl_program(&["stats", "--watch", "net"])?;
    let mut watching = watching.spawn()?;
    watching.wait_for("a/eth0", crate::fixture::PATIENCE)?;
    assert!(watching.is_running()?);
    Ok(())
}

#[test]
fn concurrent_attaches_get_addresses_of_their_own() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net net --subnet 10.20.0.0/27")?;
    let names: Vec<_> = (0..24).map(|number| format!("s{number}")).collect();
    for name in &names {
        lab.ctl(&format!("add-sandbox {name}"))?;
    }
    let mut attaching = Vec::new();
    for name in &names {
        attaching.push(
            lab.daemon
                .vsctl_program(&["attach", "net", name])?
                .spawn()?,
        );
    }
    for attach in attaching {
        attach
            .finish(std::time::Duration::from_secs(60))?
            .success()?;
    }
    let mut addresses = Vec::new();
    for name in &names {
        addresses.push(lab.address("net", name, 4)?);
        lab.ping(name, "10.20.0.1")?;
    }
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), names.len());
    Ok(())
}
