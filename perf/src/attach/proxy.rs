//! docker-proxy, as dockerd starts it for each published port and version of IP.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command};

use anyhow::{Context, Result, ensure};
use rustix::io::dup2;
use rustix::pipe::{PipeFlags, pipe_with};

use super::PUBLISHED;

/// What starts proxies.
pub(super) struct Starter {
    /// Descriptor 3, by which a proxy says that it listens.
    third: OwnedFd,
    /// What descriptor 3 is between two starts.
    nothing: File,
}

/// A proxy that listens; killed when dropped.
#[derive(Debug)]
pub(super) struct Proxy(Child);

const PROGRAM: &str = "docker-proxy";

impl Starter {
    /// To be made before any other descriptor is opened.
    ///
    /// # Errors
    /// If descriptor 3 is taken.
    pub(super) fn new() -> Result<Self> {
        let third = OwnedFd::from(File::open("/dev/null")?);
        ensure!(
            third.as_raw_fd() == 3,
            "{PROGRAM} answers by descriptor 3, which is taken"
        );
        let nothing = File::open("/dev/null")?;
        Ok(Self { third, nothing })
    }

    /// Starts a proxy from a port of the host's to a container's, and waits until it listens.
    ///
    /// # Errors
    /// If it does not.
    pub(super) fn start(
        &mut self,
        (host, port): (IpAddr, u16),
        container: Ipv4Addr,
    ) -> Result<Proxy> {
        let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
        // Without CLOEXEC, which is what it is for.
        dup2(&tell, &mut self.third)?;
        drop(tell);
        let mut command = Command::new(PROGRAM);
        command.args(["-proto", "tcp"]);
        command.args(["-host-ip", &host.to_string()]);
        command.args(["-host-port", &port.to_string()]);
        command.args(["-container-ip", &container.to_string()]);
        command.args(["-container-port", &PUBLISHED.to_string()]);
        let started = command.spawn();
        dup2(&self.nothing, &mut self.third)?;
        let proxy = Proxy(started.with_context(|| format!("start {PROGRAM}"))?);
        let mut said = [0; 64];
        let length = File::from(told).read(&mut said)?;
        ensure!(
            said[..length].starts_with(b"0"),
            "{PROGRAM} says: {}",
            String::from_utf8_lossy(&said[..length])
        );
        Ok(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // If it has ended before, there is nothing to kill and nothing to report.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
