//! The other hosts of overlay networks: `vtep list`, `vtep add`, `vtep del`.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use vswitch_api::{Client, Vtep};

use crate::batch::Batch;
use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show and change which hosts overlay networks reach
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl vtep list wide
  vsctl vtep add wide 192.0.2.2
  vsctl vtep del wide 192.0.2.2

A VTEP (VXLAN tunnel end point) is a host of an overlay network, by its address.")]
pub(crate) struct Vteps {
    #[command(subcommand)]
    command: VtepCommand,
}

#[derive(Debug, Subcommand)]
enum VtepCommand {
    #[command(visible_alias = "ls")]
    List(ListVteps),
    Add(AddVteps),
    #[command(visible_alias = "rm")]
    Del(DeleteVteps),
}

/// List the hosts that overlay networks reach
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl vtep list
  vsctl vtep ls wide --json

ORIGIN is configured (-o peers=, or vtep add), learned (it sent a frame, which
learn-peers allows) or group (the multicast group). MTU is the longest packet that
a sandbox can send there, MACS how many addresses are known to be there, HEARD the
time since a frame came from there.")]
struct ListVteps {
    /// Of this network only
    #[arg(value_name = "NET")]
    network: Option<String>,
}

/// Add hosts to an overlay network
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl vtep add wide 192.0.2.2
  vsctl vtep add wide 192.0.2.2 192.0.2.3

Frames from there are accepted from now on, and what all shall hear is sent there,
too. The other host needs the same for this one.")]
struct AddVteps {
    #[command(flatten)]
    of: Peers,
}

/// Take hosts off an overlay network
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl vtep del wide 192.0.2.2
  vsctl vtep rm wide 192.0.2.2 192.0.2.3

What was learned from there, or was added as being there, is forgotten. One that
cannot be removed does not keep the others from being removed.")]
struct DeleteVteps {
    #[command(flatten)]
    of: Peers,
}

/// Which hosts of which network.
#[derive(Debug, Args)]
struct Peers {
    /// Name or id of the network
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// Addresses of the other hosts, IPv4 or IPv6
    #[arg(required = true, value_name = "PEER")]
    peers: Vec<IpAddr>,
}

impl Vteps {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        match self.command {
            VtepCommand::List(command) => command.run(client, output).await,
            VtepCommand::Add(command) => command.run(client, output).await,
            VtepCommand::Del(command) => command.run(client, output).await,
        }
    }
}

impl ListVteps {
    async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut vteps = client.vteps(self.network.as_deref()).await?;
        vteps.sort_by(|a, b| (&a.network, a.vni, a.address).cmp(&(&b.network, b.vni, b.address)));
        output.rows(&vteps, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl AddVteps {
    async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut batch = Batch::new(output, "added");
        for peer in self.of.peers {
            let result = client.add_vtep(&self.of.network, peer).await;
            batch.note(peer.to_string(), result)?;
        }
        batch.finish()
    }
}

impl DeleteVteps {
    async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut batch = Batch::new(output, "removed");
        for peer in self.of.peers {
            let result = client.remove_vtep(&self.of.network, peer).await;
            batch.note(peer.to_string(), result)?;
        }
        batch.finish()
    }
}

fn table(vteps: &[Vtep]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("VNI", Align::Right),
        ("VTEP", Align::Left),
        ("UDP-PORT", Align::Right),
        ("ORIGIN", Align::Left),
        ("MTU", Align::Right),
        ("MACS", Align::Right),
        ("HEARD", Align::Right),
    ]);
    for vtep in vteps {
        table.row([
            vtep.network.clone(),
            vtep.vni.to_string(),
            vtep.address.to_string(),
            vtep.port.to_string(),
            vtep.origin.as_str().to_owned(),
            vtep.mtu.to_string(),
            vtep.macs.to_string(),
            cell::age(vtep.heard),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use vswitch_api::VtepOrigin;

    use super::*;

    #[test]
    fn a_host_that_was_never_heard_has_no_age() {
        let vtep = |address: &str, origin, heard| Vtep {
            network: "wide".to_owned(),
            vni: 4096,
            address: address.parse().unwrap(),
            port: 4789,
            origin,
            mtu: 1450,
            macs: 2,
            heard,
        };
        let text = table(&[
            vtep("192.0.2.2", VtepOrigin::Configured, None),
            vtep("2001:db8::3", VtepOrigin::Learned, Some(12)),
            vtep("239.1.1.1", VtepOrigin::Group, None),
        ])
        .plain();
        assert_eq!(
            text,
            "NETWORK    VNI   VTEP          UDP-PORT   ORIGIN        MTU   MACS   HEARD\n\
             wide      4096   192.0.2.2         4789   configured   1450      2       -\n\
             wide      4096   2001:db8::3       4789   learned      1450      2     12s\n\
             wide      4096   239.1.1.1         4789   group        1450      2       -\n"
        );
    }
}
