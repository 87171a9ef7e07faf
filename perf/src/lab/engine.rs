//! Docker, and how long it takes to bring a container onto a network and to take it away again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use vswitch_e2e::{Dockerd, IMAGE};

use super::path::{End, Ends};

/// A dockerd with a network on which two containers are.
#[derive(Debug)]
pub(crate) struct Engine {
    dockerd: Dockerd,
    /// The address of one of the two.
    neighbour: String,
}

/// What became of the containers of a run; in milliseconds, one for each container.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Lives {
    /// From the start of `docker run` to the answer of a container that was there before.
    pub(crate) until_answered: Vec<f64>,
    /// From the start of `docker rm --force` to its end.
    pub(crate) until_removed: Vec<f64>,
}

const NETWORK: &str = "lab";
const CONTAINER: &str = "fresh";
/// How long one container may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// Makes the network with a driver, and the two containers.
    ///
    /// # Errors
    /// If Docker refuses.
    pub(crate) fn new(dockerd: Dockerd, driver: &str) -> Result<(Self, Ends)> {
        dockerd.ctl(&format!("network create --driver {driver} {NETWORK}"))?;
        let end = |name: &str| -> Result<End> {
            let place = dockerd.run(name, &format!("--network {NETWORK}"))?;
            let inspected = dockerd.inspect("container", name)?;
            let address = inspected.pointer("/NetworkSettings/Networks/lab/IPAddress");
            let address = address.and_then(|address| address.as_str());
            let address = address.context("Docker shows no address")?.to_owned();
            Ok(End { place, address })
        };
        let ends = Ends {
            left: end("left")?,
            right: end("right")?,
        };
        let neighbour = ends.right.address.clone();
        Ok((Self { dockerd, neighbour }, ends))
    }

    /// Starts and removes one container after the other until the time is over, and at least one.
    ///
    /// # Errors
    /// If Docker fails, or a container reaches nobody.
    pub(crate) fn run_containers(&self, seconds: u32) -> Result<Lives> {
        let mut lives = Lives::default();
        let end = Instant::now() + Duration::from_secs(u64::from(seconds));
        while lives.until_removed.is_empty() || Instant::now() < end {
            lives.until_answered.push(self.start()?);
            lives.until_removed.push(self.remove()?);
        }
        Ok(lives)
    }

    fn start(&self) -> Result<f64> {
        let ask = format!(
            "until ping -c 1 -W 1 {} >/dev/null; do :; done; echo answered; exec sleep infinity",
            self.neighbour
        );
        let run = ["run", "--name", CONTAINER, "--network", NETWORK, IMAGE];
        let run = self.dockerd.program(&run).args(["sh", "-c", &ask]);
        let started = Instant::now();
        run.spawn()?.wait_for("answered", PATIENCE)?;
        Ok(milliseconds(started))
    }

    fn remove(&self) -> Result<f64> {
        let started = Instant::now();
        self.dockerd.docker(&["rm", "--force", CONTAINER])?;
        Ok(milliseconds(started))
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
