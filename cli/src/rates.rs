//! Counters as they grow: `stats --watch`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use vswitch_api::{Client, Port, PortStats};

use crate::cell;
use crate::output::Output;
use crate::stats::fetch;
use crate::table::{Align, Table};
use crate::watch;

/// The counters of a moment.
#[derive(Debug)]
struct Sample {
    at: Instant,
    ports: Vec<PortStats>,
}

/// Per second, over the time between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rates {
    rx_frames: f64,
    rx_bits: f64,
    tx_frames: f64,
    tx_bits: f64,
    drops: f64,
}

/// Prints rates until interrupted.
pub(crate) async fn run(
    client: &Client,
    output: &Output,
    of: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let mut before: Option<Sample> = None;
    let look = async || fetch(client, of).await;
    watch::each_second(output, look, |ports| {
        let now = Sample {
            at: Instant::now(),
            ports,
        };
        let table = table(before.as_ref(), &now, output.is_terminal());
        before = Some(now);
        table
    })
    .await
}

fn table(before: Option<&Sample>, now: &Sample, for_people: bool) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("PORT", Align::Left),
        ("RX-FRAMES/S", Align::Right),
        ("RX-BIT/S", Align::Right),
        ("TX-FRAMES/S", Align::Right),
        ("TX-BIT/S", Align::Right),
        ("DROPS/S", Align::Right),
        ("DROPS", Align::Right),
        ("REASONS", Align::Left),
    ]);
    let number = |rate: f64| {
        if for_people {
            with_prefix(rate)
        } else {
            format!("{rate:.0}")
        }
    };
    let earlier: BTreeMap<(&str, &Port), &PortStats> = before
        .iter()
        .flat_map(|sample| &sample.ports)
        .map(|port| ((port.network.as_str(), &port.port), port))
        .collect();
    for port in &now.ports {
        let rates = before.and_then(|before| {
            let earlier = earlier.get(&(port.network.as_str(), &port.port))?;
            Some(Rates::between(earlier, port, now.at - before.at))
        });
        let rate = |of: fn(&Rates) -> f64| cell::optional(rates.as_ref().map(of).map(number));
        table.row([
            port.network.clone(),
            port.port.to_string(),
            rate(|rates| rates.rx_frames),
            rate(|rates| rates.rx_bits),
            rate(|rates| rates.tx_frames),
            rate(|rates| rates.tx_bits),
            rate(|rates| rates.drops),
            port.dropped().to_string(),
            cell::reasons(&port.drops),
        ]);
    }
    table
}

impl Rates {
    fn between(earlier: &PortStats, now: &PortStats, time: Duration) -> Self {
        // A daemon that started again counts from zero.
        let rate = |from: u64, to: u64| {
            let grown = to.checked_sub(from).unwrap_or(to);
            grown as f64 / time.as_secs_f64().max(f64::EPSILON)
        };
        Self {
            rx_frames: rate(earlier.rx.frames, now.rx.frames),
            rx_bits: rate(earlier.rx.bytes, now.rx.bytes) * 8.0,
            tx_frames: rate(earlier.tx.frames, now.tx.frames),
            tx_bits: rate(earlier.tx.bytes, now.tx.bytes) * 8.0,
            drops: rate(earlier.dropped(), now.dropped()),
        }
    }
}

/// Three digits and a decimal prefix: `16.4G`.
fn with_prefix(value: f64) -> String {
    let mut value = value;
    for prefix in ["", "k", "M", "G"] {
        if value < 999.5 {
            return if prefix.is_empty() || value >= 99.95 {
                format!("{value:.0}{prefix}")
            } else {
                format!("{value:.1}{prefix}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1}T")
}

#[cfg(test)]
mod tests {
    use vswitch_api::Traffic;

    use super::*;
    use crate::watch::PERIOD;

    fn stats(name: &str, frames: u64, drops: u64) -> PortStats {
        let traffic = Traffic {
            frames,
            bytes: frames * 1000,
            super_frames: 0,
        };
        PortStats {
            network: "web".to_owned(),
            port: Port {
                name: name.to_owned(),
                sandbox: None,
                ifname: None,
            },
            rx: traffic,
            tx: traffic,
            coalesced: 0,
            segmented: 0,
            held: 0,
            drops: BTreeMap::from([("storm".to_owned(), drops)]),
        }
    }

    #[test]
    fn rates_are_growth_over_time() {
        let rates = Rates::between(
            &stats("a", 100, 1),
            &stats("a", 300, 5),
            Duration::from_secs(2),
        );
        assert_eq!(
            rates,
            Rates {
                rx_frames: 100.0,
                rx_bits: 800_000.0,
                tx_frames: 100.0,
                tx_bits: 800_000.0,
                drops: 2.0
            }
        );
    }

    #[test]
    fn counters_that_began_again_do_not_run_backwards() {
        let rates = Rates::between(&stats("a", 900, 9), &stats("a", 10, 0), PERIOD);
        assert_eq!(rates.rx_frames, 10.0);
        assert_eq!(rates.drops, 0.0);
    }

    #[test]
    fn a_port_without_a_past_has_no_rates() {
        let at = Instant::now();
        let before = Sample {
            at,
            ports: vec![stats("old", 0, 0)],
        };
        let now = Sample {
            at: at + PERIOD,
            ports: vec![stats("new", 5, 0), stats("old", 5, 0)],
        };
        let text = table(Some(&before), &now, false).plain();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["web", "new", "-", "-", "-", "-", "-", "0", "-"]);
        assert_eq!(
            rows[1],
            ["web", "old", "5", "40000", "5", "40000", "0", "0", "-"]
        );
    }

    #[test]
    fn large_numbers_are_read_at_a_glance() {
        for (value, text) in [
            (0.0, "0"),
            (999.4, "999"),
            (999.6, "1.0k"),
            (12_340.0, "12.3k"),
            (456_000.0, "456k"),
            (16.4e9, "16.4G"),
            (2.5e12, "2.5T"),
        ] {
            assert_eq!(with_prefix(value), text);
        }
    }
}
