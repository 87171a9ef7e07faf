//! The router's neighbours: `neigh`.

use std::process::ExitCode;

use clap::Args;
use vswitch_api::{Client, NeighbourEntry};

use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show which MAC address the router knows for which IP address (ARP, ND)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl neigh
  vsctl neigh web

AGE is the time since the address was confirmed. ORIGIN is learned (from ARP or
ND), static (an endpoint's own address), gateway (the switch's router) or
programmed (`vsctl remote add --ip`).")]
pub(crate) struct ListNeighbours {
    /// Of this network only
    #[arg(value_name = "NET")]
    network: Option<String>,
}

impl ListNeighbours {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut entries = client.neighbours(self.network.as_deref()).await?;
        entries.sort_by(|a, b| (&a.network, a.address).cmp(&(&b.network, b.address)));
        output.rows(&entries, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(entries: &[NeighbourEntry]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("ADDRESS", Align::Left),
        ("MAC", Align::Left),
        ("PORT", Align::Left),
        ("STATE", Align::Left),
        ("AGE", Align::Right),
        ("ORIGIN", Align::Left),
    ]);
    for entry in entries {
        table.row([
            entry.network.clone(),
            entry.address.to_string(),
            cell::optional(entry.mac.as_ref()),
            cell::optional(entry.port.as_ref()),
            entry.state.clone(),
            cell::age(entry.age),
            entry.origin.as_str().to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use vswitch_api::EntryOrigin;

    use super::*;

    #[test]
    fn an_address_without_answer_has_no_mac() {
        let text = table(&[NeighbourEntry {
            network: "web".to_owned(),
            address: "10.1.0.9".parse().unwrap(),
            mac: None,
            port: None,
            state: "incomplete".to_owned(),
            age: Some(1),
            origin: EntryOrigin::Learned,
        }])
        .plain();
        assert_eq!(
            text,
            "NETWORK   ADDRESS    MAC   PORT   STATE        AGE   ORIGIN\n\
             web       10.1.0.9   -     -      incomplete    1s   learned\n"
        );
    }
}
