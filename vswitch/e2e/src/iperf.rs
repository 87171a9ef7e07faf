//! iperf3 between two places.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{Background, Finished, Place};

/// A server that is listening. Ends when dropped.
#[derive(Debug)]
pub struct IperfServer {
    _process: Background,
    port: u16,
}

/// A client about to run.
#[derive(Debug, Clone)]
pub struct IperfClient {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The server's address.
    pub address: String,
    /// The server's port.
    pub port: u16,
    /// How long it sends, in seconds.
    pub seconds: u32,
    /// Connections side by side.
    pub streams: u32,
    /// The server sends.
    pub reverse: bool,
    /// Both send.
    pub both_ways: bool,
    /// Seconds between two readings of the throughput.
    pub interval: f64,
}

/// What a run sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// As fast as it goes.
    Tcp,
    /// Datagrams with this many octets of payload.
    Udp {
        /// Octets of payload.
        length: u32,
        /// Bits of payload a second; 0: as fast as it goes.
        bits_per_second: u64,
    },
}

/// What came of it, seen by the receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct IperfRun {
    /// Octets of payload.
    pub bytes: u64,
    /// Duration.
    pub seconds: f64,
    /// Bits of payload a second.
    pub bits_per_second: f64,
    /// Octets of payload that the client received, where both send.
    pub bytes_back: u64,
    /// Bits of payload a second that the client received, where both send.
    pub bits_per_second_back: f64,
    /// Datagrams that arrived; 0 with TCP.
    pub packets: u64,
    /// Datagrams that did not arrive; 0 with TCP.
    pub lost_packets: u64,
    /// Segments sent again; 0 with UDP.
    pub retransmits: u64,
    /// Bits a second that the sender sent, interval by interval.
    pub intervals: Vec<f64>,
}

/// Between two clients, an iperf3 server (3.12) ends its test, closes the socket that it listens at, and opens another
/// one: on a busy machine, the next client may come before.
const RETRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// Whether a client did not come as far as to send anything, as the server was not done with the one before.
fn met_closed_door(finished: &Finished) -> bool {
    let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
    let error = report["error"].as_str().unwrap_or_default();
    let nothing_sent = report["intervals"].as_array().is_none_or(Vec::is_empty);
    nothing_sent
        && [
            "Connection refused",
            "Connection reset by peer",
            "the server is busy running a test. try again later",
        ]
        .iter()
        .any(|reason| error.ends_with(reason))
}

impl IperfServer {
    /// Starts a server on the default port and waits until it listens.
    ///
    /// # Errors
    /// If it does not.
    pub fn start(place: &Place) -> Result<Self> {
        let port = 5201;
        let mut process = place
            .program("iperf3")
            .args(["--server", "--forceflush", "--port"])
            .arg(port.to_string())
            .spawn()?;
        process.wait_for("Server listening", Duration::from_secs(10))?;
        Ok(Self {
            _process: process,
            port,
        })
    }

    /// A client of this server, which is known by an address.
    #[must_use]
    pub fn client(&self, address: &str, protocol: Protocol) -> IperfClient {
        IperfClient {
            protocol,
            address: address.to_owned(),
            port: self.port,
            seconds: 1,
            streams: 1,
            reverse: false,
            both_ways: false,
            interval: 1.0,
        }
    }
}

impl IperfClient {
    /// Runs it to its end.
    ///
    /// # Errors
    /// If iperf3 reports one.
    pub fn run(&self, place: &Place) -> Result<IperfRun> {
        let patience = Duration::from_secs(u64::from(self.seconds) + 30);
        let mut finished = self.spawn(place)?.finish(patience)?;
        for _ in 0..RETRIES {
            if !met_closed_door(&finished) {
                break;
            }
            thread::sleep(PAUSE);
            finished = self.spawn(place)?.finish(patience)?;
        }
        IperfRun::parse(&finished)
    }

    /// Starts it; [`IperfRun::parse`] reads what it prints.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self, place: &Place) -> Result<Background> {
        let mut program = place
            .program("iperf3")
            .args(["--json", "--client", &self.address, "--port"])
            .arg(self.port.to_string())
            .args(["--time", &self.seconds.to_string()])
            .args(["--interval", &self.interval.to_string()])
            .args(["--parallel", &self.streams.to_string()]);
        if self.reverse {
            program = program.arg("--reverse");
        }
        if self.both_ways {
            program = program.arg("--bidir");
        }
        if let Protocol::Udp {
            length,
            bits_per_second,
        } = self.protocol
        {
            program = program
                .args(["--udp", "--length", &length.to_string()])
                .args(["--bitrate", &bits_per_second.to_string()]);
        }
        program.spawn()
    }
}

impl IperfRun {
    /// Reads what a client has printed.
    ///
    /// # Errors
    /// If that is an error, or not what iperf3 3.12 prints.
    pub fn parse(finished: &Finished) -> Result<Self> {
        let report: Value = serde_json::from_str(&finished.stdout).with_context(|| {
            format!(
                "`{}` ({}) printed no JSON:\n{}{}",
                finished.shown, finished.status, finished.stdout, finished.stderr
            )
        })?;
        if let Some(error) = report.get("error") {
            bail!("`{}`: {error}", finished.shown);
        }
        let received = &report["end"]["sum_received"];
        let back = &report["end"]["sum_received_bidir_reverse"];
        let number = |name: &str| {
            let value = received[name].as_f64();
            value.with_context(|| format!("`{}`: no {name} in sum_received", finished.shown))
        };
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let lost_packets = count(&received["lost_packets"]);
        let intervals = report["intervals"].as_array().map_or(&[][..], |all| all);
        Ok(Self {
            bytes: count(&received["bytes"]),
            seconds: number("seconds")?,
            bits_per_second: number("bits_per_second")?,
            bytes_back: count(&back["bytes"]),
            bits_per_second_back: back["bits_per_second"].as_f64().unwrap_or(0.0),
            packets: count(&received["packets"]).saturating_sub(lost_packets),
            lost_packets,
            retransmits: count(&report["end"]["sum_sent"]["retransmits"]),
            intervals: intervals
                .iter()
                .filter_map(|one| one["sum"]["bits_per_second"].as_f64())
                .collect(),
        })
    }
}
