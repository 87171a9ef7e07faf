//! What nearly every test begins with.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Daemon, Host, Place};

/// How long the switch may take for what it does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A private host with a daemon.
pub(crate) struct Lab {
    // Dropped in this order: the daemon, then its host.
    pub(crate) daemon: Daemon,
    pub(crate) host: Host,
}

/// Sandboxes a, b and c on network `net`, 10.20.0.0/24 and fd20::/64, with addresses that end with 2, 3 and 4.
pub(crate) const SANDBOXES: [&str; 3] = ["a", "b", "c"];

impl Lab {
    pub(crate) fn new() -> Result<Self> {
        let host = Host::new()?;
        let daemon = Daemon::start(&host)?;
        Ok(Self { daemon, host })
    }

    /// See [`SANDBOXES`].
    pub(crate) fn with_three(options: &str) -> Result<Self> {
        let lab = Self::new()?;
        let subnets = "--subnet 10.20.0.0/24 --ipv6 --subnet fd20::/64";
        lab.daemon
            .ctl(&format!("add-net net {subnets} {options}"))?;
        lab.daemon.populate("net", &SANDBOXES)?;
        Ok(lab)
    }

    pub(crate) fn ctl(&self, line: &str) -> Result<String> {
        self.daemon.ctl(line)
    }

    /// An address of a sandbox, without prefix length; `family` 4 or 6.
    pub(crate) fn address(&self, network: &str, sandbox: &str, family: u8) -> Result<String> {
        let inspected = self.daemon.json(&format!("inspect {network}"))?;
        let address = inspected[0]["Containers"][sandbox][format!("IPv{family}Address")].as_str();
        let address = address.context("not attached")?;
        Ok(address.split('/').next().unwrap_or_default().to_owned())
    }

    /// One echo request at once, answered within a second.
    pub(crate) fn ping(&self, from: &str, to: &str) -> Result<()> {
        ping(&self.host.sandbox(from), to).with_context(|| {
            format!(
                "{from} cannot ping {to}; its interfaces:\n{}",
                self.look(from)
            )
        })
    }

    /// No answer to two echo requests.
    pub(crate) fn no_ping(&self, from: &str, to: &str) -> Result<()> {
        let ping = self.host.sandbox(from).program("ping");
        let ping = ping.args(["-c", "2", "-i", "0.2", "-W", "1", to]).run()?;
        ensure!(!ping.status.success(), "{from} should not reach {to}");
        Ok(())
    }

    /// Interfaces and routes of a sandbox, for messages.
    fn look(&self, sandbox: &str) -> String {
        let show = |what: &str| self.host.run_in(sandbox, what).unwrap_or_default();
        format!("{}\n{}", show("ip address"), show("ip route"))
    }
}

pub(crate) fn ping(place: &Place, to: &str) -> Result<()> {
    let ping = place.program("ping");
    // Three tries: the first frame of all may wait for the neighbour's address.
    ping.args(["-c", "3", "-i", "0.2", "-W", "2", to])
        .output()?;
    Ok(())
}
