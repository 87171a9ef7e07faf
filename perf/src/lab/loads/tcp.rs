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

/// The same, but it is not the client that sends.
#[derive(Debug)]
pub(crate) struct TcpReverse {
    /// How many.
    pub(crate) streams: u32,
}

/// As many connections again in the other direction, at the same time.
#[derive(Debug)]
pub(crate) struct TcpBothWays {
    /// How many in each direction.
    pub(crate) streams: u32,
}

const GIGABITS: &[Metric] = &[Metric::higher("", "Gbit/s")];

impl Load for Tcp {
    fn metrics(&self) -> &'static [Metric] {
        GIGABITS
    }

    fn work(&self) -> &'static str {
        "GB"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        run(site, seconds, self.streams, false)
    }
}

impl Load for TcpReverse {
    fn metrics(&self) -> &'static [Metric] {
        GIGABITS
    }

    fn work(&self) -> &'static str {
        "GB"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        run(site, seconds, self.streams, true)
    }
}

fn run(site: &Site<'_>, seconds: u32, streams: u32, reverse: bool) -> Result<Outcome> {
    let server = IperfServer::start(site.path.server)?;
    let mut client = server.client(site.path.address, Protocol::Tcp);
    client.seconds = seconds;
    client.streams = streams;
    client.reverse = reverse;
    let (run, cost) = site.metered(|| client.run(site.path.client), |run| mega(run.bytes) / 1e3)?;
    Ok(Outcome {
        figures: vec![run.bits_per_second / 1e9],
        cost,
        payload: run.bytes,
    })
}

impl Load for TcpBothWays {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher(", sum", "Gbit/s"),
                Metric::higher(", slower direction", "Gbit/s"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "GB"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let server = IperfServer::start(site.path.server)?;
        let mut client = server.client(site.path.address, Protocol::Tcp);
        client.seconds = seconds;
        client.streams = self.streams;
        client.both_ways = true;
        let (run, cost) = site.metered(
            || client.run(site.path.client),
            |run| mega(run.bytes + run.bytes_back) / 1e3,
        )?;
        let (there, back) = (run.bits_per_second / 1e9, run.bits_per_second_back / 1e9);
        Ok(Outcome {
            figures: vec![there + back, there.min(back)],
            cost,
            payload: run.bytes + run.bytes_back,
        })
    }
}
