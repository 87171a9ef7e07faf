//! As much over TCP as fits, by iperf3.

use anyhow::Result;
use vswitch_e2e::{IperfServer, Protocol};

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// Connections side by side, for as long as a run lasts.
#[derive(Debug)]
pub(crate) struct Tcp {
    /// How many.
    pub(crate) streams: u32,
}

impl Load for Tcp {
    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::higher("", "Gbit/s")] }
    }

    fn work(&self) -> &'static str {
        "GB"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let server = IperfServer::start(site.path.server)?;
        let mut client = server.client(site.path.address, Protocol::Tcp);
        client.seconds = seconds;
        client.streams = self.streams;
        let (run, cost) =
            site.metered(|| client.run(site.path.client), |run| mega(run.bytes) / 1e3)?;
        Ok(Outcome {
            figures: vec![run.bits_per_second / 1e9],
            cost,
            payload: run.bytes,
        })
    }
}
