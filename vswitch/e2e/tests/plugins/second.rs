//! One `vswitchd` has its networks made by a second one on the same host, which takes it for Docker.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::{Daemon, DaemonOptions, Host, eventually};

/// How long the switches may take for what they do in their own time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A host with two daemons: `second` is the plugin of that name, which `first` finds as Docker would.
struct Lab {
    // Dropped in this order: the daemons, then their host.
    first: Daemon,
    second: Daemon,
    host: Host,
}

impl Lab {
    fn new() -> Result<Self> {
        let host = Host::new()?;
        let start = |name: &str, plugin: &str| {
            let options = DaemonOptions {
                name: name.to_owned(),
                flags: vec!["--docker-plugin".to_owned(), plugin.to_owned()],
                show_log: true,
                ..DaemonOptions::default()
            };
            Daemon::start_with(&host, options)
        };
        Ok(Self {
            second: start("second", "/run/docker/plugins/second.sock")?,
            first: start("first", "none")?,
            host,
        })
    }

    fn ping(&self, from: &str, to: &str) -> Result<()> {
        let ping = self.host.sandbox(from).program("ping");
        let pinged = ping.args(["-c", "3", "-i", "0.2", "-W", "2", to]).output();
        pinged.with_context(|| format!("{from} cannot ping {to}"))?;
        Ok(())
    }

    /// Both ways, by both versions of IP, and to the gateway, which is the second's.
    fn conversation(&self) -> Result<()> {
        for (from, to) in [
            ("a", "10.20.0.3"),
            ("b", "10.20.0.2"),
            ("a", "fd20::3"),
            ("b", "fd20::2"),
        ] {
            self.ping(from, to)?;
        }
        self.ping("a", "10.20.0.1")
    }

    /// The sandboxes on a network of the first.
    fn attached(&self, network: &str) -> Result<Vec<String>> {
        let inspected = self.first.json(&format!("inspect {network}"))?;
        let containers = inspected[0]["Containers"].as_object();
        Ok(containers
            .context("no containers")?
            .keys()
            .cloned()
            .collect())
    }
}

const SUBNETS: &str = "--subnet 10.20.0.0/24 --ipv6 --subnet fd20::/64";

#[test]
fn containers_of_a_plugins_network_reach_each_other() -> Result<()> {
    let lab = Lab::new()?;
    lab.first.ctl(&format!(
        "add-net web -d second {SUBNETS} -o vswitch.name=inner"
    ))?;
    lab.first.ctl("add-sandbox a")?;
    lab.first.ctl("add-sandbox b")?;
    lab.first.ctl("attach web a")?;
    lab.first.ctl("attach web b -p 8080:80")?;
    lab.conversation()?;
    let listed = lab.first.ctl("inspect web")?;
    ensure!(listed.contains(r#""Driver": "second""#), "{listed}");

    // The frames are the second's.
    let fdb = lab.second.json("fdb inner")?;
    ensure!(fdb.as_array().is_some_and(|rows| rows.len() >= 2), "{fdb}");
    let ports = lab.second.json("ports")?;
    ensure!(ports.to_string().contains("8080"), "{ports}");
    ensure!(
        lab.first.json("ports")? == Value::Array(Vec::new()),
        "the first publishes nothing"
    );

    lab.first.ctl("detach web a")?;
    ensure!(
        lab.host.interfaces_in("a")? == ["lo"],
        "the interface is gone"
    );
    lab.first.ctl("attach web a")?;
    lab.conversation()?;
    lab.first.ctl("rm-net --force web")?;
    let left: Vec<String> = lab.host.interfaces()?;
    ensure!(left == ["lo"], "{left:?} are left");
    let networks = lab.second.json("ls")?;
    ensure!(
        networks.as_array().is_some_and(|all| all.len() == 2),
        "{networks}"
    );
    Ok(())
}

#[test]
fn either_daemon_may_die_and_come_back() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.first.ctl(&format!("add-net web -d second {SUBNETS}"))?;
    lab.first.populate("web", &["a", "b"])?;
    lab.conversation()?;
    lab.first.kill()?;
    lab.conversation()?;
    lab.first.start_again()?;
    ensure!(lab.attached("web")? == ["a", "b"], "found again");
    lab.second.kill()?;
    lab.second.start_again()?;
    eventually("they reach each other again", PATIENCE, || {
        Ok(lab.conversation().is_ok())
    })?;
    lab.first.ctl("add-sandbox c")?;
    lab.first.ctl("attach web c")?;
    lab.ping("c", "10.20.0.2")?;
    lab.first.ctl("rm-net --force web")?;
    ensure!(lab.host.interfaces()? == ["lo"], "nothing is left");
    Ok(())
}

#[test]
fn addresses_come_from_the_plugin_too() -> Result<()> {
    let lab = Lab::new()?;
    lab.first
        .ctl("add-net web -d second --ipam-driver second")?;
    lab.first.ctl("add-net own --ipam-driver second")?;
    lab.first.populate("web", &["a", "b"])?;
    for sandbox in ["a", "b"] {
        lab.first.ctl(&format!("attach own {sandbox}"))?;
    }
    for network in ["web", "own"] {
        let inspected = lab.first.json(&format!("inspect {network}"))?;
        ensure!(inspected[0]["IPAM"]["Driver"] == "second", "{inspected}");
        let address = inspected[0]["Containers"]["b"]["IPv4Address"].as_str();
        let address = address.context("no address")?.split('/').next();
        lab.ping("a", address.unwrap_or_default())?;
    }
    lab.first.ctl("rm-net --force web own")?;
    // What was lent is there to be had again.
    lab.first.ctl("add-net web --ipam-driver second")?;
    let inspected = lab.first.json("inspect web")?;
    ensure!(
        inspected[0]["IPAM"]["Config"][0]["Subnet"] == "172.17.0.0/16",
        "{inspected}"
    );
    Ok(())
}
