//! One run of one case through one switch.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::{IperfServer, Place, Protocol};

use super::case::Case;
use super::peer::{Ends, Peer};
use super::processor::ProcessorTime;
use crate::ping_pong::Latency;

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    /// One for each of [`Case::metrics`], in its unit.
    pub(crate) figures: Vec<f64>,
    /// How much was carried, in the unit of [`super::case::Metric::work`].
    pub(crate) work: f64,
    /// Processor seconds of the whole machine.
    pub(crate) machine_seconds: f64,
    /// Processor seconds of the switch's process.
    pub(crate) switch_seconds: Option<f64>,
}

/// Runs a case.
///
/// # Errors
/// If a load generator fails.
pub(crate) fn run(case: Case, peer: &dyn Peer, seconds: u32) -> Result<Measurement> {
    match case {
        Case::Tcp1 => throughput(peer, Protocol::Tcp, 1, seconds),
        Case::Tcp4 => throughput(peer, Protocol::Tcp, 4, seconds),
        Case::Udp64 => throughput(peer, datagrams(64), 1, seconds),
        Case::Udp1448 => throughput(peer, datagrams(1448), 1, seconds),
        Case::PingPong => ping_pong(peer, seconds),
    }
}

fn datagrams(length: u32) -> Protocol {
    Protocol::Udp {
        length,
        bits_per_second: 0,
    }
}

fn throughput(
    peer: &dyn Peer,
    protocol: Protocol,
    streams: u32,
    seconds: u32,
) -> Result<Measurement> {
    let ends = peer.ends();
    let server = IperfServer::start(&ends.right)?;
    let mut client = server.client(&ends.address, protocol);
    client.seconds = seconds;
    client.streams = streams;
    let before = ProcessorTime::read(peer.process())?;
    let run = client.run(&ends.left)?;
    let spent = ProcessorTime::read(peer.process())?.since(before);
    let (figure, work) = match protocol {
        Protocol::Udp { length: 64, .. } => (run.bits_per_second / 1e6, mega(run.packets)),
        Protocol::Udp { .. } => (run.bits_per_second / 1e9, mega(run.packets)),
        Protocol::Tcp => (run.bits_per_second / 1e9, mega(run.bytes) / 1e3),
    };
    Ok(Measurement::new(vec![figure], work, spent))
}

fn ping_pong(peer: &dyn Peer, seconds: u32) -> Result<Measurement> {
    let ends = peer.ends();
    // The same tool for all peers of a lab.
    let sockperf = ends.left.program("sockperf").arg("--version").run();
    let sockperf = sockperf.is_ok_and(|version| version.status.success());
    let before = ProcessorTime::read(peer.process())?;
    let latency = if sockperf {
        by_sockperf(ends, seconds)?
    } else {
        by_ourselves(ends, seconds)?
    };
    let spent = ProcessorTime::read(peer.process())?.since(before);
    let figures = vec![latency.median, latency.p99];
    Ok(Measurement::new(figures, mega(latency.messages), spent))
}

const PORT: u16 = 11111;
const PATIENCE: Duration = Duration::from_secs(10);

fn by_sockperf(ends: &Ends, seconds: u32) -> Result<Latency> {
    let at = |place: &Place, what: &str| {
        let port = PORT.to_string();
        let program = place.program("sockperf");
        program.args([what, "--tcp", "-i", &ends.address, "-p", &port])
    };
    let mut server = at(&ends.right, "server").spawn()?;
    server.wait_for("using", PATIENCE)?;
    let client = at(&ends.left, "ping-pong").args(["-m", "14", "-t", &seconds.to_string()]);
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
        messages: digits.unwrap_or_default().parse()?,
    })
}

fn by_ourselves(ends: &Ends, seconds: u32) -> Result<Latency> {
    let itself = std::env::current_exe().context("find the running program's path")?;
    let address = SocketAddr::new(ends.address.parse()?, PORT).to_string();
    let server = ends.right.program(&itself);
    let mut server = server.args(["ping-pong-server", &address]).spawn()?;
    server.wait_for("ready", PATIENCE)?;
    let client = ends.left.program(&itself);
    let client = client.args(["ping-pong", &address, &seconds.to_string()]);
    let patience = Duration::from_secs(u64::from(seconds) + 30);
    Ok(serde_json::from_str(&client.timeout(patience).output()?)?)
}

impl Measurement {
    fn new(figures: Vec<f64>, work: f64, spent: ProcessorTime) -> Self {
        Self {
            figures,
            work,
            machine_seconds: spent.machine,
            switch_seconds: spent.switch,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a few minutes are far below 2^52"
)]
fn mega(count: u64) -> f64 {
    count as f64 / 1e6
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
            messages: 29883,
        };
        assert_eq!(latency, expected);
        assert!(read_sockperf("sockperf: ERROR").is_err());
    }
}
