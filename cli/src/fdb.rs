//! The forwarding database: `fdb`.

use std::process::ExitCode;

use clap::Args;
use vswitch_api::{Client, FdbEntry};

use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show which MAC address is behind which port
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl fdb
  vsctl fdb web

PORT is vtep-ADDRESS for what is on another host of an overlay. AGE is the time
since a frame from the address was seen. ORIGIN is learned (from a frame), static
(an endpoint's own address), gateway (the switch's router) or programmed (by
`vsctl remote add`, or a program that does the same).")]
pub(crate) struct ListFdb {
    /// Of this network only
    #[arg(value_name = "NET")]
    network: Option<String>,
}

impl ListFdb {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut entries = client.fdb(self.network.as_deref()).await?;
        entries.sort_by(|a, b| {
            (&a.network, &a.port, a.vlan, &a.mac).cmp(&(&b.network, &b.port, b.vlan, &b.mac))
        });
        output.rows(&entries, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(entries: &[FdbEntry]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("MAC", Align::Left),
        ("VLAN", Align::Right),
        ("PORT", Align::Left),
        ("AGE", Align::Right),
        ("ORIGIN", Align::Left),
    ]);
    for entry in entries {
        table.row([
            entry.network.clone(),
            entry.mac.clone(),
            cell::optional(entry.vlan),
            entry.port.to_string(),
            cell::age(entry.age),
            entry.origin.as_str().to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use vswitch_api::{EntryOrigin, Port};

    use super::*;

    #[test]
    fn entries_say_where_they_came_from() {
        let entry = |mac: &str, sandbox: Option<&str>, age, origin| FdbEntry {
            network: "web".to_owned(),
            mac: mac.to_owned(),
            vlan: None,
            port: Port {
                name: "gateway".to_owned(),
                sandbox: sandbox.map(str::to_owned),
                ifname: sandbox.map(|_| "eth0".to_owned()),
            },
            age,
            origin,
        };
        let text = table(&[
            entry("02:42:0a:01:00:01", None, None, EntryOrigin::Gateway),
            entry(
                "02:42:0a:01:00:02",
                Some("blue"),
                Some(12),
                EntryOrigin::Learned,
            ),
            FdbEntry {
                port: Port {
                    name: "vtep-192.0.2.2".to_owned(),
                    sandbox: None,
                    ifname: None,
                },
                ..entry("02:42:0a:01:00:03", None, None, EntryOrigin::Programmed)
            },
        ])
        .plain();
        assert_eq!(
            text,
            "NETWORK   MAC                 VLAN   PORT             AGE   ORIGIN\n\
             web       02:42:0a:01:00:01      -   gateway            -   gateway\n\
             web       02:42:0a:01:00:02      -   blue/eth0        12s   learned\n\
             web       02:42:0a:01:00:03      -   vtep-192.0.2.2     -   programmed\n"
        );
    }
}
