//! Another load, while no port is quite idle, by [`crate::trickle`].

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;
use crate::trickle::Trickled;

/// A load between two containers, while each of the others sends a datagram now and then to the next.
pub(crate) struct AmongBusy {
    /// What runs between the two.
    pub(crate) load: &'static dyn Load,
}

const PATIENCE: Duration = Duration::from_secs(60);

impl Load for AmongBusy {
    fn metrics(&self) -> &'static [Metric] {
        self.load.metrics()
    }

    fn work(&self) -> &'static str {
        self.load.work()
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let itself = std::env::current_exe().context("find the running program's path")?;
        let count = site.containers().len().to_string();
        let trickle = site.path.client.program(itself);
        let mut trickle = trickle.args(["trickle", "--containers", &count]).spawn()?;
        trickle.wait_for("ready", PATIENCE)?;
        let outcome = self.load.run(site, seconds)?;
        let ended = trickle.terminate(PATIENCE)?;
        let printed = ended.success()?;
        let last = printed.lines().last().unwrap_or_default();
        let trickled: Trickled =
            serde_json::from_str(last).with_context(|| format!("it printed:\n{printed}"))?;
        ensure!(
            trickled.received > trickled.sent / 2,
            "the others sent {} datagrams, of which {} arrived: they were not busy",
            trickled.sent,
            trickled.received
        );
        Ok(outcome)
    }
}
