//! One run of one case through one switch.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{IperfServer, Protocol};

use super::case::Case;
use super::engine::Engine;
use super::latency;
use super::load::Load;
use super::path::Path;
use super::peer::Peer;
use super::processor::ProcessorTime;
use super::summary::median;
use super::underlay::Underlay;
use crate::connections::Connections;
use crate::ping_pong::MESSAGE;

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measurement {
    /// One for each of [`Load::metrics`], in its unit.
    pub(crate) figures: Vec<f64>,
    /// How much was carried, in the unit of [`super::load::Metric::work`].
    pub(crate) work: f64,
    /// Processor seconds of the whole machine.
    pub(crate) machine_seconds: f64,
    /// Processor seconds of the switch's processes.
    pub(crate) switch_seconds: Option<f64>,
}

/// What a load has done.
struct Done {
    figures: Vec<f64>,
    work: f64,
    /// Octets of payload that arrived, all directions together.
    payload: u64,
    spent: ProcessorTime,
}

/// Runs a case.
///
/// # Errors
/// If a load generator fails, or the payload did not pass the underlay that there is.
pub(crate) fn run(case: Case, peer: &dyn Peer, seconds: u32) -> Result<Measurement> {
    let path = peer.ends().path(case);
    let processes = peer.processes();
    let passed = || peer.underlay().map(Underlay::octets).transpose();
    let before = passed()?;
    let done = match case.load() {
        Load::Tcp { streams } => throughput(&path, &processes, Protocol::Tcp, streams, seconds),
        Load::Datagrams { length } => {
            let protocol = Protocol::Udp {
                length,
                bits_per_second: 0,
            };
            throughput(&path, &processes, protocol, 1, seconds)
        }
        Load::PingPong => ping_pong(&path, &processes, seconds),
        Load::Connections => connections(&path, &processes, seconds),
        Load::Containers => {
            let engine = peer.engine().context("nobody starts containers")?;
            containers(engine, &processes, seconds)
        }
    }?;
    if let Some((before, after)) = before.zip(passed()?) {
        let (arrived, passed) = (done.payload, after - before);
        ensure!(
            passed > arrived,
            "{arrived} octets arrived, but {passed} passed from host to host: there is another way"
        );
    }
    Ok(Measurement {
        figures: done.figures,
        work: done.work,
        machine_seconds: done.spent.machine,
        switch_seconds: done.spent.switch,
    })
}

fn throughput(
    path: &Path<'_>,
    processes: &[u32],
    protocol: Protocol,
    streams: u32,
    seconds: u32,
) -> Result<Done> {
    let server = IperfServer::start(path.server)?;
    let mut client = server.client(path.address, protocol);
    client.seconds = seconds;
    client.streams = streams;
    let before = ProcessorTime::read(processes)?;
    let run = client.run(path.client)?;
    let spent = ProcessorTime::read(processes)?.since(before);
    let (figure, work, payload) = match protocol {
        Protocol::Udp { length, .. } => {
            let unit = if length == 64 { 1e6 } else { 1e9 };
            let payload = run.packets * u64::from(length);
            (run.bits_per_second / unit, mega(run.packets), payload)
        }
        Protocol::Tcp => (run.bits_per_second / 1e9, mega(run.bytes) / 1e3, run.bytes),
    };
    Ok(Done {
        figures: vec![figure],
        work,
        payload,
        spent,
    })
}

fn ping_pong(path: &Path<'_>, processes: &[u32], seconds: u32) -> Result<Done> {
    let before = ProcessorTime::read(processes)?;
    let latency = latency::measure(path, seconds)?;
    let spent = ProcessorTime::read(processes)?.since(before);
    Ok(Done {
        figures: vec![latency.median, latency.p99],
        work: mega(latency.messages),
        payload: 2 * latency.messages * MESSAGE as u64,
        spent,
    })
}

fn connections(path: &Path<'_>, processes: &[u32], seconds: u32) -> Result<Done> {
    let before = ProcessorTime::read(processes)?;
    let printed = path.run_ourselves("connections", Load::Connections.port(), seconds)?;
    let spent = ProcessorTime::read(processes)?.since(before);
    let Connections { count, seconds } = serde_json::from_str(&printed)?;
    let work = mega(count) * 1e3;
    Ok(Done {
        figures: vec![work * 1e3 / seconds],
        work,
        // One there, one back.
        payload: 2 * count,
        spent,
    })
}

fn containers(engine: &Engine, processes: &[u32], seconds: u32) -> Result<Done> {
    let before = ProcessorTime::read(processes)?;
    let lives = engine.run_containers(seconds)?;
    let spent = ProcessorTime::read(processes)?.since(before);
    let count = lives.until_removed.len() as u64;
    Ok(Done {
        figures: vec![
            median(lives.until_answered.into_iter()),
            median(lives.until_removed.into_iter()),
        ],
        work: mega(count) * 1e6,
        payload: 0,
        spent,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a few minutes are far below 2^52"
)]
fn mega(count: u64) -> f64 {
    count as f64 / 1e6
}
