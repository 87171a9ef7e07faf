//! One run of one case through one switch.

use anyhow::Result;
use vswitch_e2e::{IperfServer, Protocol};

use super::case::Case;
use super::latency;
use super::load::Load;
use super::path::Path;
use super::peer::Peer;
use super::processor::ProcessorTime;
use crate::connections::Connections;

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    /// One for each of [`Load::metrics`], in its unit.
    pub(crate) figures: Vec<f64>,
    /// How much was carried, in the unit of [`super::load::Metric::work`].
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
    let path = peer.ends().path(case);
    let process = peer.process();
    match case.load() {
        Load::Tcp { streams } => throughput(&path, process, Protocol::Tcp, streams, seconds),
        Load::Datagrams { length } => {
            let protocol = Protocol::Udp {
                length,
                bits_per_second: 0,
            };
            throughput(&path, process, protocol, 1, seconds)
        }
        Load::PingPong => ping_pong(&path, process, seconds),
        Load::Connections => connections(&path, process, seconds),
    }
}

fn throughput(
    path: &Path<'_>,
    process: Option<u32>,
    protocol: Protocol,
    streams: u32,
    seconds: u32,
) -> Result<Measurement> {
    let server = IperfServer::start(path.server)?;
    let mut client = server.client(path.address, protocol);
    client.seconds = seconds;
    client.streams = streams;
    let before = ProcessorTime::read(process)?;
    let run = client.run(path.client)?;
    let spent = ProcessorTime::read(process)?.since(before);
    let (figure, work) = match protocol {
        Protocol::Udp { length: 64, .. } => (run.bits_per_second / 1e6, mega(run.packets)),
        Protocol::Udp { .. } => (run.bits_per_second / 1e9, mega(run.packets)),
        Protocol::Tcp => (run.bits_per_second / 1e9, mega(run.bytes) / 1e3),
    };
    Ok(Measurement::new(vec![figure], work, spent))
}

fn ping_pong(path: &Path<'_>, process: Option<u32>, seconds: u32) -> Result<Measurement> {
    let before = ProcessorTime::read(process)?;
    let latency = latency::measure(path, seconds)?;
    let spent = ProcessorTime::read(process)?.since(before);
    let figures = vec![latency.median, latency.p99];
    Ok(Measurement::new(figures, mega(latency.messages), spent))
}

fn connections(path: &Path<'_>, process: Option<u32>, seconds: u32) -> Result<Measurement> {
    let before = ProcessorTime::read(process)?;
    let printed = path.run_ourselves("connections", Load::Connections.port(), seconds)?;
    let spent = ProcessorTime::read(process)?.since(before);
    let Connections { count, seconds } = serde_json::from_str(&printed)?;
    let work = mega(count) * 1e3;
    Ok(Measurement::new(vec![work * 1e3 / seconds], work, spent))
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
