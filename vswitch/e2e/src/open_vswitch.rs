//! Open vSwitch without its kernel module, as a host's own.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::{Background, Host, Place, Program};

/// A switch and its database.
#[derive(Debug)]
pub struct OpenVswitch {
    // Dropped in this order: the switch, then its database.
    switch: Background,
    _database: Background,
    installation: Installation,
}

/// Where its programs run, and their files: the host's folder, so that the machine's own Open vSwitch is left
/// alone.
#[derive(Debug)]
struct Installation {
    place: Place,
    folder: PathBuf,
}

const PATIENCE: Duration = Duration::from_secs(20);
/// Where Debian has it.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

impl OpenVswitch {
    /// Starts it in a host's own namespaces; `settings` are `other_config`, such as
    /// `userspace-tso-enable=true`, and are there before the switch starts.
    ///
    /// # Errors
    /// If a program of it is not there, or does not start.
    pub fn start(host: &Host, settings: &[&str]) -> Result<Self> {
        let installation = Installation {
            place: host.place(),
            folder: host.folder().to_owned(),
        };
        let database = installation.folder.join("conf.db");
        let create = installation.program("ovsdb-tool").arg("create");
        create.arg(&database).arg(SCHEMA).output()?;
        let mut server = installation
            .program("ovsdb-server")
            .arg(format!("--remote=p{}", installation.socket()))
            .arg("-vconsole:info")
            .arg(&database)
            .spawn()?;
        server.wait_for("ovsdb-server (Open vSwitch)", PATIENCE)?;
        installation.ctl("--no-wait init")?;
        for setting in settings {
            let set = format!("--no-wait set Open_vSwitch . other_config:{setting}");
            installation.ctl(&set)?;
        }
        let switch = installation.program("ovs-vswitchd");
        let mut switch = switch.arg(installation.socket()).spawn()?;
        switch.wait_for("ovs-vswitchd (Open vSwitch)", PATIENCE)?;
        Ok(Self {
            switch,
            _database: server,
            installation,
        })
    }

    /// Runs `ovs-vsctl`, which waits until the switch has done what it was told.
    ///
    /// # Errors
    /// If it fails.
    pub fn ctl(&self, words: &str) -> Result<String> {
        self.installation.ctl(words)
    }

    /// The process that switches.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.switch.pid()
    }
}

impl Installation {
    fn socket(&self) -> String {
        format!("unix:{}", self.folder.join("db.sock").display())
    }

    fn program(&self, name: &str) -> Program {
        let folders = ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"];
        folders
            .iter()
            .fold(self.place.program(name), |program, name| {
                program.env(name, &self.folder)
            })
    }

    fn ctl(&self, words: &str) -> Result<String> {
        self.program("ovs-vsctl")
            .arg(format!("--db={}", self.socket()))
            .args(words.split_whitespace())
            .output()
    }
}
