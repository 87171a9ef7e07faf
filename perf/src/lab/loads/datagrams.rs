//! Datagrams, as many as the sender can make or at a rate, by iperf3.

use anyhow::Result;
use vswitch_e2e::{IperfRun, IperfServer, Protocol};

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// One sender that does not listen to what becomes of its datagrams.
#[derive(Debug)]
pub(crate) struct Datagrams {
    /// Octets of payload in each.
    pub(crate) length: u32,
}

/// One sender that keeps to a rate, as well as iperf3 can.
#[derive(Debug)]
pub(crate) struct OfferedDatagrams {
    /// Octets of payload in each.
    pub(crate) length: u32,
    /// Megabits of payload a second.
    pub(crate) megabits: u32,
}

const LOST: &str = "% of what was sent";

impl Load for Datagrams {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "Mbit/s"),
                Metric::lower(", lost", LOST),
                Metric::told(", sent", "Mbit/s"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "Mpkt"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let (run, outcome) = run(site, seconds, self.length, 0)?;
        Ok(Outcome {
            figures: vec![run.bits_per_second / 1e6, lost(&run), sent(&run)],
            ..outcome
        })
    }
}

impl Load for OfferedDatagrams {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", lost", LOST),
                Metric::told(", sent", "Mbit/s"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "Mpkt"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let bits_per_second = u64::from(self.megabits) * 1_000_000;
        let (run, outcome) = run(site, seconds, self.length, bits_per_second)?;
        Ok(Outcome {
            figures: vec![lost(&run), sent(&run)],
            ..outcome
        })
    }
}

/// A run without its figures; 0 bits a second are as many as it can make.
fn run(
    site: &Site<'_>,
    seconds: u32,
    length: u32,
    bits_per_second: u64,
) -> Result<(IperfRun, Outcome)> {
    let server = IperfServer::start(site.path.server)?;
    let protocol = Protocol::Udp {
        length,
        bits_per_second,
    };
    let mut client = server.client(site.path.address, protocol);
    client.seconds = seconds;
    let (run, cost) = site.metered(|| client.run(site.path.client), |run| mega(run.packets))?;
    let outcome = Outcome {
        figures: Vec::new(),
        cost,
        payload: run.packets * u64::from(length),
    };
    Ok((run, outcome))
}

fn lost(run: &IperfRun) -> f64 {
    100.0 * mega(run.lost_packets) / mega(run.packets + run.lost_packets)
}

fn sent(run: &IperfRun) -> f64 {
    let arrived = run.bits_per_second / 1e6;
    arrived * mega(run.packets + run.lost_packets) / mega(run.packets)
}
