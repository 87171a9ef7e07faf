//! Counters: `stats`.

use std::process::ExitCode;

use clap::Args;
use vswitch_api::{Client, PortStats};

use crate::cell;
use crate::output::Output;
use crate::rates;
use crate::table::{Align, Table};

/// Show what passed each port, and what was dropped and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl stats
  vsctl stats web                        the ports of a network
  vsctl stats blue/eth0                  one port
  vsctl stats --watch                    rates, each second
  vsctl stats --watch --json             one line of JSON each second

RX is what the port's sandbox sent, TX what it received. SUPER counts the frames
of RX and TX that hold many segments, COALESCED those joined to the one before
them, SEGMENTED the super-frames that had to be cut up.")]
pub(crate) struct ShowStats {
    /// A network, a port's name, a sandbox, or SANDBOX/INTERFACE
    #[arg(value_name = "NET|PORT")]
    of: Option<String>,
    /// Go on, each second, with rates
    #[arg(short, long)]
    watch: bool,
}

impl ShowStats {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        if self.watch {
            return rates::run(client, output, self.of.as_deref()).await;
        }
        output.rows(&fetch(client, self.of.as_deref()).await?, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The counters in an order that does not change from one time to the next.
pub(crate) async fn fetch(client: &Client, of: Option<&str>) -> anyhow::Result<Vec<PortStats>> {
    let mut stats = client.stats(of).await?;
    stats.sort_by(|a, b| (&a.network, &a.port).cmp(&(&b.network, &b.port)));
    Ok(stats)
}

fn table(stats: &[PortStats]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("PORT", Align::Left),
        ("RX-FRAMES", Align::Right),
        ("RX-BYTES", Align::Right),
        ("TX-FRAMES", Align::Right),
        ("TX-BYTES", Align::Right),
        ("SUPER", Align::Right),
        ("COALESCED", Align::Right),
        ("SEGMENTED", Align::Right),
        ("DROPS", Align::Right),
        ("REASONS", Align::Left),
    ]);
    for port in stats {
        table.row([
            port.network.clone(),
            port.port.to_string(),
            port.rx.frames.to_string(),
            port.rx.bytes.to_string(),
            port.tx.frames.to_string(),
            port.tx.bytes.to_string(),
            port.rx
                .super_frames
                .saturating_add(port.tx.super_frames)
                .to_string(),
            port.coalesced.to_string(),
            port.segmented.to_string(),
            port.dropped().to_string(),
            cell::reasons(&port.drops),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vswitch_api::{Port, Traffic};

    use super::*;

    #[test]
    fn drops_are_told_by_reason() {
        let traffic = |frames, super_frames| Traffic {
            frames,
            bytes: frames * 100,
            super_frames,
        };
        let text = table(&[PortStats {
            network: "web".to_owned(),
            port: Port {
                name: "vs-0123456789ab".to_owned(),
                sandbox: Some("blue".to_owned()),
                ifname: Some("eth0".to_owned()),
            },
            rx: traffic(7, 1),
            tx: traffic(9, 2),
            coalesced: 4,
            segmented: 5,
            held: 0,
            drops: BTreeMap::from([("storm".to_owned(), 3), ("spoofed_mac".to_owned(), 2)]),
        }])
        .plain();
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            row,
            [
                "web",
                "blue/eth0",
                "7",
                "700",
                "9",
                "900",
                "3",
                "4",
                "5",
                "5",
                "spoofed_mac=2,storm=3"
            ]
        );
    }
}
