//! As many datagrams as the sender can make, by iperf3.

use anyhow::Result;
use vswitch_e2e::{IperfServer, Protocol};

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// One sender that does not listen to what becomes of its datagrams.
#[derive(Debug)]
pub(crate) struct Datagrams {
    /// Octets of payload in each.
    pub(crate) length: u32,
}

impl Load for Datagrams {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "Mbit/s"),
                Metric::lower(", lost", "% of what was sent"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "Mpkt"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let server = IperfServer::start(site.path.server)?;
        let as_fast_as_it_goes = Protocol::Udp {
            length: self.length,
            bits_per_second: 0,
        };
        let mut client = server.client(site.path.address, as_fast_as_it_goes);
        client.seconds = seconds;
        let (run, cost) = site.metered(|| client.run(site.path.client), |run| mega(run.packets))?;
        let sent = run.packets + run.lost_packets;
        Ok(Outcome {
            figures: vec![
                run.bits_per_second / 1e6,
                100.0 * mega(run.lost_packets) / mega(sent),
            ],
            cost,
            payload: run.packets * u64::from(self.length),
        })
    }
}
