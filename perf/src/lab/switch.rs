//! What was compared: a switch's version, and the interface that a container has of it.

use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vswitch_e2e::binary;

use super::path::Ends;
use super::peer::{Peer, PeerKind};

/// A switch that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Switch {
    /// Its name, for people.
    pub(crate) title: String,
    /// Its programs' versions; none if the kernel switches.
    pub(crate) version: Option<String>,
    /// What the left end sends by; none if that could not be found out.
    pub(crate) interface: Option<Interface>,
}

/// A network interface, as ip(8) knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interface {
    /// `veth`, `tun`; none with a physical one.
    pub(crate) kind: Option<String>,
    /// Octets.
    pub(crate) mtu: u64,
    /// What queues in front of it.
    pub(crate) queueing: String,
    /// How many packets may be queued: a TAP's own queue, too.
    pub(crate) queue_length: u64,
    /// Queues on the way out.
    pub(crate) queues: u64,
    /// The longest super-frame, in octets.
    pub(crate) longest_super_frame: u64,
}

impl Switch {
    /// Looks at a switch that is set up.
    pub(crate) fn of(kind: &PeerKind, title: &str, peer: &Peer) -> Self {
        Self {
            title: title.to_owned(),
            version: version(kind),
            interface: Interface::between(&peer.ends).ok(),
        }
    }
}

/// In words, for a table.
impl std::fmt::Display for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.as_deref().unwrap_or("NIC");
        let Self {
            mtu,
            queueing,
            queue_length,
            queues,
            longest_super_frame,
            ..
        } = self;
        write!(
            f,
            "{kind}, MTU {mtu}, {queueing}, queue of {queue_length}, {queues} out, super-frames of {longest_super_frame}"
        )
    }
}

impl Interface {
    /// The left end's, towards the right end.
    fn between(ends: &Ends) -> Result<Self> {
        let ask = |arguments: &[&str]| {
            let ip = ends.left.place.program("ip");
            ip.args(["-json", "-details"]).args(arguments).output()
        };
        let route = ask(&["route", "get", &ends.right.address])?;
        let route: Value = serde_json::from_str(&route)?;
        let name = route[0]["dev"].as_str().context("a route has no `dev`")?;
        Self::parse(&ask(&["link", "show", "dev", name])?)
    }

    fn parse(printed: &str) -> Result<Self> {
        let link: Value = serde_json::from_str(printed)?;
        let link = &link[0];
        let number = |name: &str| {
            let number = link[name].as_u64();
            number.with_context(|| format!("a link has no `{name}`"))
        };
        let kind = link["linkinfo"]["info_kind"].as_str();
        Ok(Self {
            kind: kind.map(str::to_owned),
            mtu: number("mtu")?,
            queueing: link["qdisc"].as_str().unwrap_or("no qdisc").to_owned(),
            queue_length: number("txqlen").unwrap_or(0),
            queues: number("num_tx_queues")?,
            longest_super_frame: number("gso_max_size")?,
        })
    }
}

/// What Debian knows of its packages; of others, what they say of themselves.
fn version(kind: &PeerKind) -> Option<String> {
    if kind.is_ours() {
        let ours = binary("vsctl").ok()?;
        return says(&ours.to_string_lossy(), &["--version"]);
    }
    let of = |(program, package): &(&str, &str)| {
        let version = says("dpkg-query", &["-W", "-f", "${Version}", package])
            .or_else(|| says(program, &["--version"]));
        format!("{package} {}", version.as_deref().unwrap_or("(unknown)"))
    };
    let versions: Vec<_> = kind.needs.iter().map(of).collect();
    (!versions.is_empty()).then(|| versions.join(", "))
}

/// The first line that a program prints.
pub(super) fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_understood() {
        let printed = r#"[{"ifname":"eth0","mtu":1450,"qdisc":"fq_codel","txqlen":1000,
            "num_tx_queues":2,"gso_max_size":65536,"linkinfo":{"info_kind":"tun"}}]"#;
        let interface = Interface::parse(printed).unwrap();
        assert_eq!(
            interface.to_string(),
            "tun, MTU 1450, fq_codel, queue of 1000, 2 out, super-frames of 65536"
        );
        assert!(Interface::parse("[]").is_err());
    }

    #[test]
    fn programs_say_their_version() {
        assert_eq!(says("echo", &["1.2"]).as_deref(), Some("1.2"));
        assert_eq!(says("false", &[]), None);
        assert_eq!(says("no-such-program", &[]), None);
    }
}
