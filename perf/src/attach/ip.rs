//! The kernel's bridge and veth pairs, by ip(8), with as few processes as it can be done: two for each
//! container, and one to take it off.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Hand, Waiting};
use crate::lab::container::{GATEWAY, PREFIX};

pub(super) struct Ip {
    bridge: String,
}

impl Ip {
    pub(super) fn new(bridge: &str) -> Self {
        Self {
            bridge: bridge.to_owned(),
        }
    }
}

impl Hand for Ip {
    fn attach(&mut self, waiting: &Waiting) -> Result<()> {
        let (name, bridge) = (&waiting.container.name, &self.bridge);
        ip(&format!(
            "link add {name} up master {bridge} type veth peer name eth0 netns {name}"
        ))?;
        let address = waiting.container.address;
        batch(
            name,
            &format!(
                "link set eth0 addrgenmode none up\n\
                 address add {address}/{PREFIX} dev eth0\n\
                 route add default via {GATEWAY}\n"
            ),
        )
    }

    fn detach(&mut self, waiting: &Waiting) -> Result<()> {
        ip(&format!("link delete {}", waiting.container.name))
    }
}

fn ip(line: &str) -> Result<()> {
    let status = Command::new("ip").args(line.split_whitespace()).status();
    ensure!(status.context("start ip")?.success(), "`ip {line}` failed");
    Ok(())
}

fn batch(namespace: &str, lines: &str) -> Result<()> {
    let mut ip = Command::new("ip");
    ip.args(["-netns", namespace, "-batch", "-"]);
    let mut ip = ip.stdin(Stdio::piped()).spawn().context("start ip")?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(lines.as_bytes())?;
    }
    ensure!(
        ip.wait()?.success(),
        "`ip -netns {namespace} -batch` failed:\n{lines}"
    );
    Ok(())
}
