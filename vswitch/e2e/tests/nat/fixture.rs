//! What nearly every test begins with.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::{Daemon, DaemonOptions, Host, Outside, Place, WAN0};

/// How long the switch may take for what it does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Until the daemon has seen a new socket of the host: it looks every few seconds, the more seldom the longer that
/// takes, and whoever connects while a mapping ends has to wait until that fails.
pub(crate) const UNTIL_SEEN: Duration = Duration::from_secs(60);

/// A host with the NIC `wan0`, an outside behind it, and a daemon.
pub(crate) struct Lab {
    // Dropped in this order: the daemon, then its host.
    pub(crate) daemon: Daemon,
    pub(crate) outside: Outside,
    pub(crate) host: Host,
}

/// The host's default network.
pub(crate) const SUBNETS: &str = "--subnet 10.20.0.0/24 --ipv6 --subnet fd20::/64";

/// The address of container `a` on network `net`; that of `b` follows.
pub(crate) const fn inside(family: u8, last: u8) -> IpAddr {
    match family {
        4 => IpAddr::V4(std::net::Ipv4Addr::new(10, 20, 0, last)),
        _ => IpAddr::V6(std::net::Ipv6Addr::new(
            0xfd20,
            0,
            0,
            0,
            0,
            0,
            0,
            last as u16,
        )),
    }
}

pub(crate) const A: u8 = 2;
pub(crate) const B: u8 = 3;

pub(crate) fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

impl Lab {
    /// No network yet.
    pub(crate) fn empty() -> Result<Self> {
        Self::configured("")
    }

    /// No network yet; with a configuration file.
    pub(crate) fn configured(config: &str) -> Result<Self> {
        let host = Host::new()?;
        let outside = Outside::new(&host, WAN0)?;
        outside.route_everything(&host)?;
        let mut options = DaemonOptions {
            show_log: true,
            ..DaemonOptions::default()
        };
        if !config.is_empty() {
            let file = host.folder().join("vswitchd.toml");
            std::fs::write(&file, config)?;
            options.flags = vec!["--config".to_owned(), file.display().to_string()];
        }
        Self::on(host, outside, options)
    }

    pub(crate) fn on(host: Host, outside: Outside, options: DaemonOptions) -> Result<Self> {
        let daemon = Daemon::start_with(&host, options)?;
        Ok(Self {
            daemon,
            outside,
            host,
        })
    }

    /// Containers `a` and `b` on network `net`.
    pub(crate) fn new() -> Result<Self> {
        let lab = Self::empty()?;
        lab.add_two("")?;
        Ok(lab)
    }

    /// Network `net` with options, and `a` and `b` on it.
    pub(crate) fn add_two(&self, options: &str) -> Result<()> {
        self.ctl(&format!("add-net net {SUBNETS} {options}"))?;
        self.daemon.populate("net", &["a", "b"])
    }

    pub(crate) fn ctl(&self, line: &str) -> Result<String> {
        self.daemon.ctl(line)
    }

    pub(crate) fn a(&self) -> Place {
        self.host.sandbox("a")
    }

    pub(crate) fn b(&self) -> Place {
        self.host.sandbox("b")
    }

    pub(crate) fn outside(&self) -> &Place {
        self.outside.place()
    }

    /// The rows of `vsctl conntrack`, with a filter perhaps.
    pub(crate) fn sessions(&self, filter: &str) -> Result<Vec<Value>> {
        rows(&self.daemon, &format!("conntrack {filter}"))
    }

    /// A number of a file such as `/proc/net/snmp`, of the host's own kernel: a line of names, then
    /// one of numbers. Those of IPv6 have a line each.
    pub(crate) fn kernel_count(&self, name: &str) -> Result<u64> {
        kernel_count(&self.host.place(), name)
    }
}

/// What a `vsctl` command that prints a table says as JSON.
pub(crate) fn rows(daemon: &Daemon, command: &str) -> Result<Vec<Value>> {
    let rows = daemon.json(command)?;
    let rows = rows.as_array().context("no list")?;
    Ok(rows.clone())
}

/// See [`Lab::kernel_count`]. Names are as `nstat` has them: `TcpOutRsts`, `Icmp6OutDestUnreachs`.
pub(crate) fn kernel_count(place: &Place, name: &str) -> Result<u64> {
    let program = |file: &str| place.program("cat").arg(format!("/proc/net/{file}"));
    let mut lines = Vec::new();
    for file in ["snmp", "netstat"] {
        lines.extend(program(file).output()?.lines().map(str::to_owned));
    }
    for pair in lines.chunks_exact(2) {
        let fields = pair[0].split_whitespace().zip(pair[1].split_whitespace());
        let prefix = pair[0].split(':').next().unwrap_or_default();
        for (title, value) in fields {
            if name.strip_prefix(prefix) == Some(title) {
                return Ok(value.parse()?);
            }
        }
    }
    for line in program("snmp6").output()?.lines() {
        if let Some(value) = line.strip_prefix(name).filter(|rest| rest.starts_with(' ')) {
            return Ok(value.trim().parse()?);
        }
    }
    anyhow::bail!("the kernel does not count {name}")
}

/// One of a few echo requests is answered.
pub(crate) fn ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    // Three tries: the first frame of all may wait for the neighbour's address.
    ping.args(["-c", "3", "-i", "0.2", "-W", "2", &to.to_string()])
        .output()?;
    Ok(())
}

pub(crate) fn no_ping(place: &Place, to: IpAddr) -> Result<()> {
    let ping = place.program("ping");
    let ping = ping.args(["-c", "2", "-i", "0.2", "-W", "1", &to.to_string()]);
    ensure!(!ping.run()?.status.success(), "{to} should not answer");
    Ok(())
}
