//! The time to an answer while the switch has much else to do.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{IperfRun, IperfServer, Protocol};

use super::mega;
use super::ping_pong::by_ourselves;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// One small message at a time, beside a TCP stream between the same ends, the same way.
#[derive(Debug)]
pub(crate) struct LoadedPingPong;

/// The stream begins before the first message, and ends after the last. Messages are our own, as sockperf
/// pauses for two seconds, for which the stream would have to go on.
const BEFORE: Duration = Duration::from_millis(700);
const AFTER: u32 = 3;

impl Load for LoadedPingPong {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", one way, median", "µs"),
                Metric::lower(", one way, p99", "µs"),
                Metric::lower(", one way, p99.9", "µs"),
                Metric::higher(", the stream beside", "Gbit/s"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "GB of the stream"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let server = IperfServer::start(site.path.server)?;
        let mut client = server.client(site.path.address, Protocol::Tcp);
        client.seconds = seconds + AFTER;
        let both = || -> Result<_> {
            let mut stream = client.spawn(site.path.client)?;
            thread::sleep(BEFORE);
            let latency = by_ourselves(&site.path, seconds)?;
            ensure!(
                stream.is_running()?,
                "the stream ended before the last message"
            );
            let patience = Duration::from_secs(u64::from(client.seconds) + 30);
            let stream = IperfRun::parse(&stream.finish(patience)?).context("the stream beside")?;
            Ok((latency, stream))
        };
        let ((latency, stream), cost) =
            site.metered(both, |(_, stream)| mega(stream.bytes) / 1e3)?;
        Ok(Outcome {
            figures: vec![
                latency.median,
                latency.p99,
                latency.p999,
                stream.bits_per_second / 1e9,
            ],
            cost,
            payload: stream.bytes,
        })
    }
}
