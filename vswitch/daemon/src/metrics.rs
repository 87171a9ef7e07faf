//! The counters of all ports in the text format that Prometheus scrapes.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use vswitch_api::{NatStats, PortStats};

/// Of what [`encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of these ports and of translation, as they are now.
///
/// # Errors
/// None that a caller can cause.
pub fn encode(ports: Vec<PortStats>, nat: NatStats) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("vswitch");
    registry.register_collector(Box::new(Ports(ports)));
    registry.register_collector(Box::new(Translation(nat)));
    let mut buffer = String::new();
    text::encode(&mut buffer, &registry)?;
    Ok(buffer)
}

#[derive(Debug)]
struct Ports(Vec<PortStats>);

#[derive(Debug)]
struct Translation(NatStats);

/// A counter that every port has one of: name, help, value.
type PortCounter = (&'static str, &'static str, fn(&PortStats) -> u64);

const COUNTERS: [PortCounter; 9] = [
    (
        "port_received_frames",
        "Frames that the sandbox sent, a super-frame counts once",
        |p| p.rx.frames,
    ),
    ("port_received_bytes", "Octets that the sandbox sent", |p| {
        p.rx.bytes
    }),
    (
        "port_received_super_frames",
        "Frames that the sandbox sent and that hold several segments",
        |p| p.rx.super_frames,
    ),
    (
        "port_sent_frames",
        "Frames that the sandbox received, a super-frame counts once",
        |p| p.tx.frames,
    ),
    ("port_sent_bytes", "Octets that the sandbox received", |p| {
        p.tx.bytes
    }),
    (
        "port_sent_super_frames",
        "Frames that the sandbox received and that hold several segments",
        |p| p.tx.super_frames,
    ),
    (
        "port_coalesced_frames",
        "Frames that were joined with the one before them",
        |p| p.coalesced,
    ),
    (
        "port_segmented_frames",
        "Super-frames that had to be cut up",
        |p| p.segmented,
    ),
    (
        "port_held_frames",
        "Frames that waited for a neighbour or a first fragment",
        |p| p.held,
    ),
];

impl Collector for Ports {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(ports) = self;
        let gauge = ConstGauge::new(i64::try_from(ports.len()).unwrap_or(i64::MAX));
        let descriptor =
            encoder.encode_descriptor("ports", "Ports in use", None, MetricType::Gauge)?;
        gauge.encode(descriptor)?;
        if ports.is_empty() {
            return Ok(());
        }
        for (name, help, value) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for port in ports {
                ConstCounter::new(value(port)).encode(family.encode_family(&labels(port))?)?;
            }
        }
        let help = "Frames dropped, by the reason";
        let mut family =
            encoder.encode_descriptor("port_dropped_frames", help, None, MetricType::Counter)?;
        for port in ports {
            for (reason, &count) in &port.drops {
                let mut labels = labels(port);
                labels.push(("reason", reason));
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Collector for Translation {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(nat) = self;
        for (name, help, value) in [
            ("nat_sessions", "Sessions there are", nat.sessions),
            ("nat_mappings", "Mappings there are", nat.mappings),
            (
                "nat_held_fragments",
                "Fragments that wait for their first one",
                nat.held_fragments,
            ),
        ] {
            let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(descriptor)?;
        }
        for (name, help, value) in [
            ("nat_sessions_created", "Sessions ever begun", nat.created),
            (
                "nat_sessions_expired",
                "Sessions that ended for want of packets",
                nat.expired,
            ),
            (
                "nat_sessions_evicted",
                "Sessions that ended to make room",
                nat.evicted,
            ),
            (
                "nat_lost_fragments",
                "Fragments that waited in vain for their first one",
                nat.lost_fragments,
            ),
            (
                "nat_sessions_refused",
                "New sessions that were refused",
                nat.refused,
            ),
        ] {
            let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(descriptor)?;
        }
        Ok(())
    }
}

fn labels(port: &PortStats) -> Vec<(&'static str, &str)> {
    vec![
        ("network", &port.network),
        ("port", &port.port.name),
        ("sandbox", port.port.sandbox.as_deref().unwrap_or_default()),
        ("interface", port.port.ifname.as_deref().unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use vswitch_api::{Port, Traffic};

    fn port(sandbox: &str, frames: u64) -> PortStats {
        let traffic = Traffic {
            frames,
            bytes: frames * 100,
            super_frames: 0,
        };
        PortStats {
            network: "web".to_owned(),
            port: Port {
                name: "vs-0123456789ab".to_owned(),
                sandbox: Some(sandbox.to_owned()),
                ifname: Some("eth0".to_owned()),
            },
            rx: traffic,
            tx: traffic,
            coalesced: 0,
            segmented: 0,
            held: 0,
            drops: [("runt".to_owned(), frames + 1)].into(),
        }
    }

    #[test]
    fn each_port_has_a_line_of_each_counter() {
        let text = {
            let nat = NatStats {
                sessions: 3,
                created: 9,
                ..NatStats::default()
            };
            encode(vec![port("a", 5), port("b\"x", 7)], nat).unwrap()
        };
        let labels = r#"network="web",port="vs-0123456789ab",sandbox="a",interface="eth0""#;
        for line in [
            "vswitch_ports 2".to_owned(),
            "# TYPE vswitch_port_received_frames counter".to_owned(),
            format!("vswitch_port_received_frames_total{{{labels}}} 5"),
            format!("vswitch_port_sent_bytes_total{{{labels}}} 500"),
            "vswitch_nat_sessions 3".to_owned(),
            "vswitch_nat_sessions_created_total 9".to_owned(),
            format!("vswitch_port_dropped_frames_total{{{labels},reason=\"runt\"}} 6"),
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in\n{text}"
            );
        }
        assert!(text.contains(r#"sandbox="b\"x""#), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn no_port_is_no_error() {
        let text = encode(Vec::new(), NatStats::default()).unwrap();
        assert!(text.contains("vswitch_ports 0"), "{text}");
    }
}
