//! A real `podman` on a private host, with its CNI backend.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::docker::cage::Cage;
use crate::{Daemon, Host, IMAGE, Image, Place, Program, binary};

/// A podman with nothing in it but an image of busybox. All that it starts ends with it.
#[derive(Debug)]
pub struct Podman {
    // Containers and their monitors, which outlive podman.
    cage: Cage,
    host: Place,
    folder: PathBuf,
    socket: PathBuf,
}

/// How long a command may take.
const LONG: Duration = Duration::from_secs(60);

impl Podman {
    /// Sets one up whose networks may be those of a daemon.
    ///
    /// # Errors
    /// If it does not run.
    pub fn start(host: &Host, daemon: &Daemon) -> Result<Self> {
        let podman = Self {
            cage: Cage::new(&host.place(), &format!("{}-podman", host.unique_name()))?,
            host: host.place(),
            folder: host.folder().join("podman"),
            socket: daemon.socket(),
        };
        fs::create_dir_all(podman.networks())?;
        let plugin = binary("vswitch-cni")?;
        let plugins = plugin.parent().context("a plugin in no folder")?;
        let settings = format!(
            "[network]\n\
             network_backend = \"cni\"\n\
             cni_plugin_dirs = [{plugins:?}, \"/usr/lib/cni\"]\n\
             network_config_dir = {:?}\n\
             [engine]\n\
             cgroup_manager = \"cgroupfs\"\n\
             events_logger = \"file\"\n\
             lock_type = \"file\"\n\
             enable_port_reservation = false\n",
            podman.networks()
        );
        fs::write(podman.settings(), settings)?;
        let image = Image::of_busybox(host)?;
        let tar = image.tar().display().to_string();
        podman.podman(&["import", &tar, IMAGE])?;
        Ok(podman)
    }

    /// Writes the configuration of a network of the daemon's, whose only plugin has further fields.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add_network(&self, name: &str, fields: Value) -> Result<()> {
        let mut plugin = json!({
            "type": "vswitch-cni",
            "socket": self.socket,
            "capabilities": {"portMappings": true, "ips": true, "mac": true, "aliases": true},
        });
        let fields = fields.as_object().context("no fields")?;
        for (key, value) in fields {
            plugin[key] = value.clone();
        }
        let list = json!({"cniVersion": "1.0.0", "name": name, "plugins": [plugin]});
        let file = self.networks().join(format!("{name}.conflist"));
        Ok(fs::write(file, list.to_string())?)
    }

    /// A `podman` command line.
    #[must_use]
    pub fn program(&self, args: &[&str]) -> Program {
        self.cage
            .program("podman")
            .env("CONTAINERS_CONF", self.settings())
            .arg("--root")
            .arg(self.folder.join("storage"))
            .args([
                "--runroot",
                "/run/podman-storage",
                "--tmpdir",
                "/run/podman",
            ])
            .args(["--storage-driver", "vfs", "--runtime", "runc"])
            .args(args)
            .timeout(LONG)
    }

    /// Runs `podman` with arguments and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn podman(&self, args: &[&str]) -> Result<String> {
        self.program(args).output()
    }

    /// Runs `podman` with the words of a line and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn ctl(&self, line: &str) -> Result<String> {
        self.podman(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `podman` with the words of a line, which must fail, and returns what it says.
    ///
    /// # Errors
    /// If it does not fail.
    pub fn refused(&self, line: &str) -> Result<String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let finished = self.program(&words).run()?;
        ensure!(
            !finished.status.success(),
            "`podman {line}` should fail, and wrote:\n{}",
            finished.stdout
        );
        Ok(finished.stderr.trim_end().to_owned())
    }

    /// Starts a container that does nothing, with the options of a line, and returns its network namespace.
    ///
    /// # Errors
    /// If `podman run` fails.
    pub fn run(&self, name: &str, options: &str) -> Result<Place> {
        self.ctl(&format!(
            "run --detach --name {name} --cgroup-parent {} {options} {IMAGE} sleep infinity",
            self.cage.groups()
        ))?;
        let inspected = self.inspect(name)?;
        let file = inspected.pointer("/NetworkSettings/SandboxKey");
        let file = file.and_then(Value::as_str).context("no sandbox")?;
        Ok(self.host.with_netns(file))
    }

    /// What podman knows of a container.
    ///
    /// # Errors
    /// If it knows nothing.
    pub fn inspect(&self, container: &str) -> Result<Value> {
        let text = self.podman(&["container", "inspect", container])?;
        let inspected: Value = serde_json::from_str(&text)?;
        Ok(inspected[0].clone())
    }

    fn networks(&self) -> PathBuf {
        self.folder.join("networks")
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("containers.conf")
    }
}
