//! The time to an answer: by sockperf, or by ourselves where that is missing.

use std::time::Duration;

use anyhow::{Context, Result};

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::path::Path;
use crate::lab::site::Site;
use crate::traffic::{Exchange, Latency, Requests, Traffic};

/// One small message at a time, there and back, over TCP.
#[derive(Debug)]
pub(crate) struct PingPong;

const PATIENCE: Duration = Duration::from_secs(10);

impl Load for PingPong {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", one way, median", "µs"),
                Metric::lower(", one way, p99", "µs"),
                Metric::lower(", one way, p99.9", "µs"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M messages"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let measure = || measure(&site.path, seconds);
        let (latency, cost) = site.metered(measure, |latency| mega(latency.messages))?;
        Ok(Outcome {
            figures: vec![latency.median, latency.p99, latency.p999],
            cost,
            payload: latency.messages * Exchange::PING_PONG.octets(),
        })
    }
}

fn measure(path: &Path<'_>, seconds: u32) -> Result<Latency> {
    // The same tool for all peers of a lab.
    let sockperf = path.client.program("sockperf").arg("--version").run();
    if sockperf.is_ok_and(|version| version.status.success()) {
        by_sockperf(path, seconds)
    } else {
        by_ourselves(path, seconds)
    }
}

fn by_sockperf(path: &Path<'_>, seconds: u32) -> Result<Latency> {
    let port = Traffic::PingPong.port().to_string();
    let message = Exchange::PING_PONG.request.to_string();
    let server = path.server.program("sockperf");
    let mut server = server.args(["server", "--tcp", "-p", &port]).spawn()?;
    server.wait_for("using", PATIENCE)?;
    let client = path.client.program("sockperf");
    let client = client.args(["ping-pong", "--tcp", "-i", path.address, "-p", &port]);
    let client = client.args(["-m", &message, "-t", &seconds.to_string()]);
    let patience = Duration::from_secs(u64::from(seconds) + 30);
    let printed = client.timeout(patience).output()?;
    read_sockperf(&printed).with_context(|| format!("sockperf printed:\n{printed}"))
}

/// Reads `---> percentile 50.000 =   8.756` and `ReceivedMessages=29883`, the last of which is that of
/// the time without warm-up.
fn read_sockperf(printed: &str) -> Result<Latency> {
    let percentile = |which: &str| -> Result<f64> {
        let start = format!("percentile {which} =");
        let found = printed.lines().find_map(|line| line.split(&start).nth(1));
        let text = found.with_context(|| format!("no percentile {which}"))?;
        Ok(text.trim().parse()?)
    };
    let messages = printed.rsplit_once("ReceivedMessages=");
    let messages = messages.context("no count of messages")?.1;
    let digits = messages.split(|c: char| !c.is_ascii_digit()).next();
    Ok(Latency {
        median: percentile("50.000")?,
        p99: percentile("99.000")?,
        p999: percentile("99.900")?,
        messages: digits.unwrap_or_default().parse()?,
    })
}

pub(super) fn by_ourselves(path: &Path<'_>, seconds: u32) -> Result<Latency> {
    let requests: Requests = path.measure(Traffic::PingPong, seconds)?;
    Ok(requests.latency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockperf_is_understood() {
        let printed = "\
sockperf: [Total Run] RunTime=1.000 sec; SentMessages=53913; ReceivedMessages=53912
sockperf: [Valid Duration] RunTime=0.550 sec; SentMessages=29883; ReceivedMessages=29883
sockperf: ---> percentile 99.900 =   33.896
sockperf: ---> percentile 99.000 =   15.836
sockperf: ---> percentile 50.000 =    8.756
";
        let latency = read_sockperf(printed).unwrap();
        let expected = Latency {
            median: 8.756,
            p99: 15.836,
            p999: 33.896,
            messages: 29883,
        };
        assert_eq!(latency, expected);
        assert!(read_sockperf("sockperf: ERROR").is_err());
    }
}
