//! A `vswitchd` of the test's own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::future::Future;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};

use tempfile::TempDir;
use vswitch_api::{Attach, Client, ClientError, Endpoint, NetworkCreate, SandboxCreate};
use vswitchd::daemon_id::DaemonId;
use vswitchd::state_dir::StateDir;
use vswitchd::store::Store;

use crate::lab::{PATIENCE, eventually};

/// A socket, a state directory and a log; and the process, while it runs.
pub(crate) struct Daemon {
    folder: TempDir,
    process: Option<Child>,
    runtime: tokio::runtime::Runtime,
}

impl Daemon {
    /// Starts one with new state.
    pub(crate) fn new() -> Self {
        let mut daemon = Self::stopped();
        daemon.start();
        daemon
    }

    /// One that does not run yet.
    pub(crate) fn stopped() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            process: None,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// Starts the process and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    pub(crate) fn start_with(&mut self, flags: &[&str]) {
        assert!(self.process.is_none());
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let process = self.command().args(flags).stderr(log).spawn().unwrap();
        self.process = Some(process);
        eventually("the daemon answers", || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended: {}", self.log());
            self.block_on(self.client().version()).is_ok()
        });
    }

    /// Runs it to its end, as when it cannot start.
    pub(crate) fn run(&self, flags: &[&str]) -> Output {
        self.command().args(flags).output().unwrap()
    }

    /// The command line of a daemon with this socket and state.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vswitchd"));
        command
            .arg("--socket")
            .arg(self.socket())
            .arg("--state-dir")
            .arg(self.state_dir())
            .args(["--log", "info"])
            .env_remove("VSWITCH_SOCKET")
            .env_remove("VSWITCH_STATE_DIR");
        command
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything logged so far, by all processes.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How many lines of the log hold all of these words.
    pub(crate) fn logged(&self, words: &[&str]) -> usize {
        let log = self.log();
        let lines = log.lines();
        lines
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// As `kill -9`, and the next one is started while the kernel still cleans up after this one.
    pub(crate) fn kill_and_start(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        self.start();
        process.wait().unwrap();
    }

    /// As `kill`.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        process.wait().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        let process = self.process.as_mut().unwrap();
        process.try_wait().unwrap().is_none()
    }

    /// What the process has open, sorted. Connections of the API are left out: the daemon closes them a
    /// moment after the client has its answer.
    pub(crate) fn descriptors(&self) -> Vec<String> {
        let pid = self.process.as_ref().unwrap().id();
        // Before the descriptors, as a connection may close in between.
        let sockets = unix_sockets();
        let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut open: Vec<String> = links
            .filter_map(|link| fs::read_link(link.unwrap().path()).ok())
            .map(|target| target.to_string_lossy().into_owned())
            .collect();
        open.retain(|target| !sockets.contains(target));
        open.sort();
        open
    }

    /// The state file of a daemon that does not run.
    pub(crate) fn store(&self) -> Store {
        assert!(self.process.is_none());
        let state_dir = StateDir::lock(&self.state_dir()).unwrap();
        Store::open(state_dir, || Ok([9; 8])).unwrap()
    }

    pub(crate) fn id(&self) -> DaemonId {
        self.store().daemon_id()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.socket())
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let patient = async { tokio::time::timeout(PATIENCE, future).await };
        let answer = self.runtime.block_on(patient);
        answer.expect("the daemon answers: it hangs in a command")
    }

    /// Makes a network and returns its id.
    pub(crate) fn network(&self, request: &NetworkCreate) -> String {
        let client = self.client();
        self.block_on(client.create_network(request)).unwrap().id
    }

    /// Makes named sandboxes.
    pub(crate) fn sandboxes(&self, names: &[&str]) {
        for name in names {
            let name = (*name).to_owned();
            let client = self.client();
            self.block_on(client.create_sandbox(&SandboxCreate { name }))
                .unwrap();
        }
    }

    pub(crate) fn try_attach(
        &self,
        network: &str,
        request: Attach,
    ) -> Result<Endpoint, ClientError> {
        let client = self.client();
        self.block_on(client.attach(network, &request))
    }

    pub(crate) fn attach(&self, network: &str, sandbox: &str) -> Endpoint {
        self.try_attach(network, to(sandbox)).unwrap()
    }

    pub(crate) fn detach(&self, network: &str, sandbox: &str) {
        let client = self.client();
        self.block_on(client.detach(network, sandbox)).unwrap();
    }

    /// The sandboxes on a network.
    pub(crate) fn attached(&self, network: &str) -> Vec<String> {
        let client = self.client();
        let network = self.block_on(client.network(network)).unwrap();
        network.containers.into_keys().collect()
    }

    /// The names of the known sandboxes.
    pub(crate) fn known_sandboxes(&self) -> Vec<String> {
        let client = self.client();
        let sandboxes = self.block_on(client.sandboxes()).unwrap();
        sandboxes.into_iter().map(|sandbox| sandbox.name).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Captured by the process outside.
            println!("the daemon's log:\n{}", self.log());
        }
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// The unix sockets of the namespace, as links to them read.
fn unix_sockets() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let inodes = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(6));
    inodes.map(|inode| format!("socket:[{inode}]")).collect()
}

/// A request with nothing but the sandbox.
pub(crate) fn to(sandbox: &str) -> Attach {
    Attach {
        sandbox: sandbox.to_owned(),
        ..Attach::default()
    }
}

/// A bridge network with that subnet.
pub(crate) fn bridge(name: &str, subnet: &str) -> NetworkCreate {
    NetworkCreate {
        subnets: vec![subnet.parse().unwrap()],
        ..NetworkCreate::new(name)
    }
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "more than one line: {text}");
    error.code().unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// Whether a process ended by itself, with status 1, and said one line.
pub(crate) fn refusal(output: &Output) -> String {
    assert_eq!(output.status.signal(), None);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = text.lines().filter(|l| l.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    errors[0].to_owned()
}
