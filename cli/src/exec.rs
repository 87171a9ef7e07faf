//! Running a command in a sandbox: `exec`.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use anyhow::{anyhow, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use vswitch_api::Client;

use crate::output::Output;

/// Run a command in a sandbox
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl exec blue -- ip addr
  vsctl exec pid:1234 -- ss -tln
  vsctl exec blue -- sh                  a shell in there

Only the network is the sandbox's; files and processes are yours. Needs root; a
daemon only for host. Exit status: the command's own; 127 if there is no such
command, 126 if it cannot be run, 1 if the sandbox cannot be entered.")]
pub(crate) struct Exec {
    /// A name below /run/netns, a path, pid:N, or host (the daemon's own network)
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) sandbox: String,
    /// The command and its arguments
    #[arg(
        required = true,
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<OsString>,
}

/// The sandbox that is the network the daemon itself runs in.
const HOST: &str = "host";

/// Where a namespace is to be found, by what the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A name of `ip netns`.
    Named(String),
    /// A file that a namespace is mounted on.
    Path(PathBuf),
    /// The namespace of a process.
    Process(u32),
}

impl Exec {
    /// Returns only if the command could not be run.
    pub(crate) async fn run(self, client: &Client) -> anyhow::Result<ExitCode> {
        if self.sandbox == HOST {
            Place::of_daemon(client).await?.enter()?;
        } else {
            Place::parse(&self.sandbox)?.enter()?;
        }
        let Some((program, arguments)) = self.command.split_first() else {
            bail!("no command given");
        };
        let error = process::Command::new(program).args(arguments).exec();
        Output::new(false).error(&format_args!(
            "cannot run {}: {error}",
            Path::new(program).display()
        ));
        // As env, nohup and the shells have it.
        Ok(ExitCode::from(match error.kind() {
            io::ErrorKind::NotFound => 127,
            _ => 126,
        }))
    }
}

impl Place {
    fn parse(sandbox: &str) -> anyhow::Result<Self> {
        if sandbox.contains('/') {
            return Ok(Self::Path(sandbox.into()));
        }
        if let Some(pid) = sandbox.strip_prefix("pid:") {
            return match pid.parse() {
                Ok(pid) => Ok(Self::Process(pid)),
                Err(_) => bail!("{sandbox:?} names no process: write it as pid:1234"),
            };
        }
        Ok(Self::Named(sandbox.to_owned()))
    }

    async fn of_daemon(client: &Client) -> anyhow::Result<Self> {
        match client.daemon_pid().await? {
            Some(pid) => Ok(Self::Process(pid)),
            None => bail!("vswitchd runs in a PID namespace that is out of sight: use a path"),
        }
    }

    /// Moves this thread, the only one, into the namespace.
    fn enter(&self) -> anyhow::Result<()> {
        let path = self.path();
        let netns = File::open(&path).map_err(|error| match (error.kind(), self) {
            (io::ErrorKind::NotFound, Self::Named(name)) => anyhow!(
                "no sandbox named {name}: `vsctl list-sandboxes` and `ip netns list` show those there are"
            ),
            (io::ErrorKind::NotFound, Self::Process(pid)) => {
                anyhow!("no process {pid}: it has ended, or runs in another PID namespace")
            }
            (io::ErrorKind::NotFound, _) => {
                anyhow!("no namespace at {}: there is no such file", path.display())
            }
            (io::ErrorKind::PermissionDenied, _) => {
                anyhow!("not allowed to open {}: run as root", path.display())
            }
            _ => anyhow!("cannot open {}: {error}", path.display()),
        })?;
        move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network)).map_err(
            |error| match io::Error::from(error).kind() {
                io::ErrorKind::PermissionDenied => {
                    anyhow!("not allowed to enter {}: run as root", path.display())
                }
                io::ErrorKind::InvalidInput => anyhow!(
                    "{} is not a network namespace: give a sandbox's name, pid:N, or a path such as \
                     /proc/1234/ns/net",
                    path.display()
                ),
                _ => anyhow!("cannot enter {}: {error}", path.display()),
            },
        )
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Named(name) => Path::new("/run/netns").join(name),
            Self::Path(path) => path.clone(),
            Self::Process(pid) => format!("/proc/{pid}/ns/net").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_a_name_a_path_or_a_process() {
        for (text, place) in [
            ("blue", Place::Named("blue".to_owned())),
            ("pid", Place::Named("pid".to_owned())),
            ("pid:7", Place::Process(7)),
            ("./ns", Place::Path("./ns".into())),
            ("/proc/7/ns/net", Place::Path("/proc/7/ns/net".into())),
        ] {
            assert_eq!(Place::parse(text).unwrap(), place, "{text}");
        }
        for text in ["pid:", "pid:x", "pid:-1"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places_are_files() {
        let path = |text| Place::parse(text).unwrap().path();
        assert_eq!(path("blue"), Path::new("/run/netns/blue"));
        assert_eq!(path("pid:7"), Path::new("/proc/7/ns/net"));
    }

    #[test]
    fn a_place_that_is_not_there_is_told_by_its_kind() {
        let error = |text| Place::parse(text).unwrap().enter().unwrap_err().to_string();
        assert!(error("no-such-sandbox").starts_with("no sandbox named no-such-sandbox"));
        assert!(error("pid:4294967295").starts_with("no process 4294967295"));
        assert!(error("/no/such/file").starts_with("no namespace at /no/such/file"));
    }
}
