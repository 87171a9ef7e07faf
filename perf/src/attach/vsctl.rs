//! This project's switch, by its command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Hand, NETWORK, PUBLISHED, Waiting};

pub(super) struct Vsctl {
    program: PathBuf,
    socket: PathBuf,
}

impl Vsctl {
    pub(super) fn new(program: &Path, socket: &Path) -> Self {
        Self {
            program: program.to_owned(),
            socket: socket.to_owned(),
        }
    }

    fn run(&self, line: &str) -> Result<()> {
        let mut vsctl = Command::new(&self.program);
        vsctl.arg("--socket").arg(&self.socket);
        // What it prints is for people.
        let vsctl = vsctl.args(line.split_whitespace()).stdout(Stdio::null());
        let status = vsctl.status().context("start vsctl")?;
        ensure!(status.success(), "`vsctl {line}` failed");
        Ok(())
    }
}

impl Hand for Vsctl {
    fn attach(&mut self, waiting: &Waiting) -> Result<()> {
        let name = &waiting.container.name;
        let publish = waiting.port.map(|port| format!("-p {port}:{PUBLISHED}"));
        self.run(&format!(
            "attach {NETWORK} {name} {}",
            publish.unwrap_or_default()
        ))
    }

    fn detach(&mut self, waiting: &Waiting) -> Result<()> {
        self.run(&format!("detach {NETWORK} {}", waiting.container.name))
    }
}
