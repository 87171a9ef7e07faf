//! What nearly every test begins with.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::{Daemon, DaemonOptions, Dockerd, Host, Outside, Place, WAN0, eventually};

/// How long the switch may take for what it does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Where Docker looks for the plugin `vswitch`.
pub(crate) const PLUGIN: &str = "/run/docker/plugins/vswitch.sock";
/// Of most networks, and of no host.
pub(crate) const SUBNET: &str = "--subnet 10.20.0.0/24";
pub(crate) const SUBNET6: &str = "--ipv6 --subnet fd20::/64";

/// An address in these subnets.
pub(crate) fn inside(family: u8, last: u8) -> IpAddr {
    match family {
        4 => IpAddr::from([10, 20, 0, last]),
        _ => IpAddr::from([0xfd20, 0, 0, 0, 0, 0, 0, u16::from(last)]),
    }
}

pub(crate) fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

/// A host with a `vswitchd`, and a `dockerd` that knows of it.
pub(crate) struct Node {
    // Dropped in this order: dockerd asks the daemon to its end.
    pub(crate) docker: Dockerd,
    pub(crate) daemon: Daemon,
    pub(crate) host: Host,
    /// Before there was any network.
    clean: Traces,
}

/// What the switch has of the kernel's.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    interfaces: Vec<String>,
    /// Open files by kind, without sockets: Docker keeps connections open as it likes.
    files: BTreeMap<String, usize>,
}

impl Node {
    pub(crate) fn on(host: Host) -> Result<Self> {
        Self::behind(host, PLUGIN, |_| Ok(()))
    }

    /// With the daemon's socket elsewhere, and something between it and Docker.
    pub(crate) fn behind(
        host: Host,
        plugin: &str,
        between: impl FnOnce(&Host) -> Result<()>,
    ) -> Result<Self> {
        let options = DaemonOptions {
            flags: vec!["--docker-plugin".to_owned(), plugin.to_owned()],
            show_log: true,
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start_with(&host, options)?;
        between(&host)?;
        let docker = Dockerd::start(&host)?;
        let clean = Traces::of(&host, &daemon)?;
        Ok(Self {
            docker,
            daemon,
            host,
            clean,
        })
    }

    /// Makes a network with the options of a line, that has the same name here and there.
    pub(crate) fn create(&self, name: &str, options: &str) -> Result<String> {
        self.docker.ctl(&format!(
            "network create --driver vswitch --opt vswitch.name={name} {options} {name}"
        ))
    }

    /// What a `vsctl` command that prints a table says as JSON.
    pub(crate) fn rows(&self, command: &str) -> Result<Vec<Value>> {
        let rows = self.daemon.json(command)?;
        Ok(rows.as_array().context("no list")?.clone())
    }

    /// The rows of `vsctl list-nets`, without those that are always there.
    pub(crate) fn networks(&self) -> Result<Vec<Value>> {
        let mut rows = self.rows("list-nets")?;
        rows.retain(|row| row["driver"] != "host" && row["driver"] != "null");
        Ok(rows)
    }

    /// What `vsctl` knows of a network.
    pub(crate) fn inspect(&self, net: &str) -> Result<Value> {
        let inspected = self.daemon.json(&format!("inspect {net}"))?;
        Ok(inspected[0].clone())
    }

    /// What Docker knows of a container's endpoint on a network.
    pub(crate) fn endpoint(&self, container: &str, net: &str) -> Result<Value> {
        let inspected = self.docker.inspect("container", container)?;
        Ok(inspected["NetworkSettings"]["Networks"][net].clone())
    }

    /// The IPv4 address that a container has on a network.
    pub(crate) fn address(&self, container: &str, net: &str) -> Result<IpAddr> {
        let endpoint = self.endpoint(container, net)?;
        let address = endpoint["IPAddress"].as_str().context("no address")?;
        Ok(address.parse()?)
    }

    /// What `vsctl` knows of a container's endpoint on a network.
    pub(crate) fn switched(&self, container: &str, net: &str) -> Result<Value> {
        let id = self.endpoint(container, net)?["EndpointID"].clone();
        let inspected = self.inspect(net)?;
        let containers = inspected["Containers"].as_object().context("no list")?;
        let found = containers.values().find(|row| row["EndpointID"] == id);
        Ok(found
            .with_context(|| format!("no endpoint {id}: {inspected}"))?
            .clone())
    }

    /// Removes all that Docker has, and makes sure that nothing is left of it.
    pub(crate) fn tidy(&self) -> Result<()> {
        for (list, remove) in [
            ("ps --all --quiet", "rm --force"),
            ("network ls --quiet --filter type=custom", "network rm"),
        ] {
            let ids = self.docker.ctl(list)?.replace('\n', " ");
            if !ids.is_empty() {
                self.docker.ctl(&format!("{remove} {ids}"))?;
            }
        }
        self.is_clean()
    }

    /// Nothing is there of what Docker makes.
    pub(crate) fn is_clean(&self) -> Result<()> {
        let networks = self.networks()?;
        ensure!(networks.is_empty(), "{networks:?}");
        for list in ["ports", "list-sandboxes", "conntrack", "leases"] {
            let rows = self.rows(list)?;
            ensure!(rows.is_empty(), "{list}: {rows:?}");
        }
        let mut left = None;
        eventually("nothing is left in the kernel", PATIENCE, || {
            let traces = Traces::of(&self.host, &self.daemon)?;
            let is_clean = traces == self.clean;
            left = Some(traces);
            Ok(is_clean)
        })
        .with_context(|| format!("{left:?}, and was {:?}", self.clean))
    }
}

impl Traces {
    fn of(host: &Host, daemon: &Daemon) -> Result<Self> {
        let pid = daemon.pid().context("the daemon is not running")?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
            // The file may be closed in between.
            let Ok(file) = fs::read_link(entry?.path()) else {
                continue;
            };
            let file = file.display().to_string();
            // Nor the files that the harness has given it as its output.
            if !file.starts_with("socket:") && !file.ends_with(" (deleted)") {
                // net:[4026531840]
                let kind = file
                    .split_once(":[")
                    .map_or(file.as_str(), |(kind, _)| kind);
                *files.entry(kind.to_owned()).or_default() += 1;
            }
        }
        Ok(Self {
            interfaces: host.interfaces()?,
            files,
        })
    }
}

/// What a failed test is looked at with.
impl Drop for Node {
    fn drop(&mut self) {
        for command in ["list-nets", "stats", "ports"] {
            if let Ok(table) = self.daemon.ctl(command) {
                println!("-- {command}:\n{table}");
            }
        }
    }
}

/// A host with an outside behind its NIC `wan0`.
pub(crate) struct Lab {
    // Dropped in this order.
    pub(crate) node: Node,
    pub(crate) outside: Outside,
}

impl Lab {
    pub(crate) fn new() -> Result<Self> {
        let host = Host::new()?;
        let outside = Outside::new(&host, WAN0)?;
        outside.route_everything(&host)?;
        Ok(Self {
            node: Node::on(host)?,
            outside,
        })
    }
}

impl std::ops::Deref for Lab {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// What the words of a line print there.
pub(crate) fn run(place: &Place, line: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    let program = words.next().context("an empty line")?;
    place.program(program).args(words).output()
}
