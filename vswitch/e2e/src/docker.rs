//! A real `dockerd` on a private host, and the `docker` that talks to it.

pub(crate) mod cage;
mod exchange;
mod recorder;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{Background, Finished, Host, Image, Place, Program, eventually};

use cage::{Cage, kill, only_child};
pub use exchange::{Exchange, Reply, Request, send};
pub use recorder::Recorder;

/// A dockerd with nothing in it but an image of busybox. All that it starts ends with it.
#[derive(Debug)]
pub struct Dockerd {
    // Dropped in this order.
    cage: Cage,
    running: Option<Background>,
    host: Place,
    name: String,
    /// Flags.
    networking: &'static [&'static str],
    /// Images, containers and networks.
    data: PathBuf,
    /// The client's settings: none.
    settings: PathBuf,
    log: String,
    show_log: bool,
}

/// The name of the image: static busybox, and a link for each of its commands.
pub const IMAGE: &str = "box";

/// It uses no netfilter and makes no bridge.
const PLUGINS_ONLY: &[&str] = &["--iptables=false", "--bridge=none"];
/// Of a host, whose `/run` is its own.
const SOCKET: &str = "/run/docker.sock";
const PID_FILE: &str = "/run/docker.pid";
/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than a plugin is asked again when it does not listen: 15 s for each request.
const LONG: Duration = Duration::from_secs(100);

impl Dockerd {
    /// Starts one whose networks are those of plugins, and gives it the image.
    ///
    /// # Errors
    /// If it does not answer, with its log.
    pub fn start(host: &Host) -> Result<Self> {
        Self::start_with(host, PLUGINS_ONLY)
    }

    /// Starts one that has its own driver `bridge` as it comes, with iptables, and gives it the image.
    ///
    /// # Errors
    /// If it does not answer, with its log.
    pub fn with_bridge(host: &Host) -> Result<Self> {
        Self::start_with(host, &[])
    }

    fn start_with(host: &Host, networking: &'static [&'static str]) -> Result<Self> {
        let name = host.unique_name();
        let settings = host.folder().join("docker-settings");
        fs::create_dir(&settings)?;
        let mut dockerd = Self {
            running: None,
            cage: Cage::new(&host.place(), &name)?,
            host: host.place(),
            name,
            networking,
            data: host.folder().join("docker"),
            settings,
            log: String::new(),
            show_log: true,
        };
        dockerd.start_again()?;
        let image = Image::of_busybox(host)?;
        let tar = image.tar().display().to_string();
        dockerd.docker(&["import", &tar, IMAGE])?;
        Ok(dockerd)
    }

    /// Without its log on standard output at the end, which test runners show of a failed test only.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.show_log = false;
        self
    }

    /// Starts it, after an end of whatever kind, with what it has stored.
    ///
    /// # Errors
    /// If it does not answer, with its log.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "dockerd is running already");
        // Else it refuses if another process has its number by now.
        self.host.program("rm").args(["-f", PID_FILE]).output()?;
        let mut started = self
            .cage
            .program("dockerd")
            .args(self.networking)
            .args(["--storage-driver", "vfs"])
            .args(["--exec-opt", "native.cgroupdriver=cgroupfs"])
            .args(["--cgroup-parent", self.cage.groups()])
            .arg("--data-root")
            .arg(&self.data)
            .arg("--host")
            .arg(format!("unix://{SOCKET}"))
            .spawn()?;
        let answered = eventually("dockerd answers", PATIENCE, || {
            ensure!(started.is_running()?, "dockerd ended");
            let ping = self.curl("GET", "/_ping").run()?;
            Ok(ping.status.success() && ping.stdout.starts_with("OK"))
        });
        if let Err(error) = answered {
            let (stdout, stderr) = started.written()?;
            return Err(error.context(format!("dockerd wrote:\n{stdout}{stderr}")));
        }
        self.running = Some(started);
        Ok(())
    }

    /// Ends it as `kill -9` does. Its containers run on, until it is started again: it ends those
    /// whose output it has lost.
    ///
    /// # Errors
    /// If it is not running.
    pub fn kill(&mut self) -> Result<()> {
        let running = self.take()?;
        kill(only_child(running.pid())?)?;
        let ended = running.finish(PATIENCE)?;
        self.keep_log(&ended);
        Ok(())
    }

    /// Ends it and all its containers at once, as a machine does that loses its power.
    ///
    /// # Errors
    /// If something of it does not end.
    pub fn kill_with_containers(&mut self) -> Result<()> {
        let running = self.take()?;
        self.cage.end()?;
        let ended = running.finish(PATIENCE)?;
        self.keep_log(&ended);
        self.cage = Cage::new(&self.host, &self.name)?;
        Ok(())
    }

    /// A `docker` command line.
    #[must_use]
    pub fn program(&self, args: &[&str]) -> Program {
        self.host
            .program("docker")
            .args(["--host", &format!("unix://{SOCKET}")])
            .args(args)
            .env("DOCKER_CONFIG", &self.settings)
            .timeout(LONG)
    }

    /// Runs `docker` with arguments and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn docker(&self, args: &[&str]) -> Result<String> {
        self.program(args).output()
    }

    /// Runs `docker` with the words of a line and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn ctl(&self, line: &str) -> Result<String> {
        self.docker(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `docker` with the words of a line, which must fail, and returns what it says.
    ///
    /// # Errors
    /// If it does not fail.
    pub fn refused(&self, line: &str) -> Result<String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let finished = self.program(&words).run()?;
        ensure!(
            !finished.status.success(),
            "`docker {line}` should fail, and wrote:\n{}",
            finished.stdout
        );
        Ok(finished.stderr.trim_end().to_owned())
    }

    /// Starts a container that does nothing, with the options of a line, and returns its network namespace.
    /// It ends at once: the first process of a namespace of process ids does not hear SIGTERM.
    ///
    /// # Errors
    /// If `docker run` fails.
    pub fn run(&self, name: &str, options: &str) -> Result<Place> {
        self.ctl(&format!(
            "run --detach --stop-signal KILL --name {name} {options} {IMAGE} sleep infinity"
        ))?;
        self.container(name)
    }

    /// Runs the words of a line in a container and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn exec(&self, container: &str, line: &str) -> Result<String> {
        self.ctl(&format!("exec {container} {line}"))
    }

    /// What Docker knows of something.
    ///
    /// # Errors
    /// If it knows nothing.
    pub fn inspect(&self, what: &str, name: &str) -> Result<Value> {
        let text = self.docker(&[what, "inspect", name])?;
        let inspected: Value = serde_json::from_str(&text)?;
        Ok(inspected[0].clone())
    }

    /// The network namespace of a container that is running.
    ///
    /// # Errors
    /// If it has none.
    pub fn container(&self, name: &str) -> Result<Place> {
        let inspected = self.inspect("container", name)?;
        let key = inspected["NetworkSettings"]["SandboxKey"].as_str();
        let key = key.filter(|key| !key.is_empty()).context("no sandbox")?;
        // On Debian, /var/run is a link, relative to no root but the machine's.
        Ok(self
            .host
            .with_netns(key.strip_prefix("/var").unwrap_or(key)))
    }

    /// Asks Docker by HTTP for what its command line does not offer.
    ///
    /// # Errors
    /// If it refuses, with its words.
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self
            .curl(method, &format!("/v1.41{path}"))
            .args(["--header", "Content-Type: application/json"])
            .args(["--write-out", "\n%{http_code}"])
            .args(["--data", &body.to_string()])
            .output()?;
        let (answer, status) = answer.rsplit_once('\n').context("no status")?;
        if !status.starts_with('2') {
            bail!("{method} {path}: {status}: {answer}");
        }
        match answer.trim() {
            "" => Ok(Value::Null),
            answer => Ok(serde_json::from_str(answer)?),
        }
    }

    /// All that it has logged, over all its lives.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn log(&self) -> Result<String> {
        let mut log = self.log.clone();
        if let Some(running) = &self.running {
            log.push_str(&running.written()?.1);
        }
        Ok(log)
    }

    fn curl(&self, method: &str, path: &str) -> Program {
        self.host
            .program("curl")
            .args(["--silent", "--show-error", "--unix-socket", SOCKET])
            .args(["--request", method])
            .arg(format!("http://docker{path}"))
            .timeout(LONG)
    }

    fn take(&mut self) -> Result<Background> {
        self.running.take().context("dockerd is not running")
    }

    fn keep_log(&mut self, ended: &Finished) {
        self.log.push_str(&ended.stderr);
        self.log
            .push_str(&format!("-- dockerd ended: {}\n", ended.status));
    }
}

impl Drop for Dockerd {
    #[expect(
        clippy::print_stdout,
        reason = "test runners show it if the test fails"
    )]
    fn drop(&mut self) {
        if !self.show_log {
            return;
        }
        let log = self.log().unwrap_or_default();
        // The rest tells what of containerd was loaded.
        let telling = log.lines().filter(|line| !line.contains("level=info"));
        let telling: Vec<_> = telling.collect();
        println!("-- log of dockerd:\n{}", telling.join("\n"));
    }
}
