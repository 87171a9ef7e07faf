//! Addresses that are said to be on other hosts: `remote list`, `remote add`, `remote del`.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use vswitch_api::{Client, Remote};

use crate::batch::Batch;
use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show and change which MAC addresses are said to be on which host of an overlay network
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl remote list wide
  vsctl remote add wide 02:42:0a:14:00:80 192.0.2.2 --ip 10.20.0.128
  vsctl remote del wide 02:42:0a:14:00:80

What is learned from frames is in `vsctl fdb`, and so are these.")]
pub(crate) struct Remotes {
    #[command(subcommand)]
    command: RemoteCommand,
}

#[derive(Debug, Subcommand)]
enum RemoteCommand {
    #[command(visible_alias = "ls")]
    List(ListRemotes),
    Add(AddRemote),
    #[command(visible_alias = "rm")]
    Del(DeleteRemotes),
}

/// List the addresses that were added
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl remote list
  vsctl remote ls wide --json")]
struct ListRemotes {
    /// Of this network only
    #[arg(value_name = "NET")]
    network: Option<String>,
}

/// Say which host a MAC address is on
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl remote add wide 02:42:0a:14:00:80 192.0.2.2
  vsctl remote add wide 02:42:0a:14:00:80 192.0.2.2 --ip 10.20.0.128 --ip fd00:20::80

PEER is one that was given (-o peers=, or vtep add). The entry does not age, and no
frame changes it. With --ip the switch answers ARP and ND for the address itself,
instead of asking the other hosts, and attach gives it to nobody.")]
struct AddRemote {
    /// Name or id of the network
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// Six hexadecimal octets with colons
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    mac: String,
    /// Address of the host
    #[arg(value_name = "PEER")]
    peer: IpAddr,
    /// An IP address of the same interface
    #[arg(long = "ip", value_name = "IP")]
    addresses: Vec<IpAddr>,
}

/// Take back what was added
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl remote del wide 02:42:0a:14:00:80
  vsctl remote rm wide 02:42:0a:14:00:80 02:42:0a:14:00:81

One that cannot be removed does not keep the others from being removed.")]
struct DeleteRemotes {
    /// Name or id of the network
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// As in add
    #[arg(required = true, value_name = "MAC", value_parser = NonEmptyStringValueParser::new())]
    macs: Vec<String>,
}

impl Remotes {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        match self.command {
            RemoteCommand::List(command) => command.run(client, output).await,
            RemoteCommand::Add(command) => command.run(client, output).await,
            RemoteCommand::Del(command) => command.run(client, output).await,
        }
    }
}

impl ListRemotes {
    async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut remotes = client.remotes(self.network.as_deref()).await?;
        remotes.sort_by(|a, b| (&a.network, &a.mac).cmp(&(&b.network, &b.mac)));
        output.rows(&remotes, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl AddRemote {
    async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let remote = Remote {
            network: None,
            mac: self.mac,
            vtep: self.peer,
            addresses: self.addresses,
        };
        client.add_remote(&self.network, &remote).await?;
        output.value(&remote, &remote.mac)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl DeleteRemotes {
    async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut batch = Batch::new(output, "removed");
        for mac in self.macs {
            let result = client.remove_remote(&self.network, &mac).await;
            batch.note(mac, result)?;
        }
        batch.finish()
    }
}

fn table(remotes: &[Remote]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("MAC", Align::Left),
        ("VTEP", Align::Left),
        ("ADDRESSES", Align::Left),
    ]);
    for remote in remotes {
        table.row([
            cell::optional(remote.network.as_deref()),
            remote.mac.clone(),
            remote.vtep.to_string(),
            cell::list(&remote.addresses),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_may_have_no_address_or_several() {
        let remote = |mac: &str, vtep: &str, addresses: &[&str]| Remote {
            network: Some("wide".to_owned()),
            mac: mac.to_owned(),
            vtep: vtep.parse().unwrap(),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        };
        let text = table(&[
            remote(
                "02:42:0a:14:00:80",
                "192.0.2.2",
                &["10.20.0.128", "fd00::80"],
            ),
            remote("02:42:0a:14:00:81", "2001:db8::2", &[]),
        ])
        .plain();
        assert_eq!(
            text,
            "NETWORK   MAC                 VTEP          ADDRESSES\n\
             wide      02:42:0a:14:00:80   192.0.2.2     10.20.0.128,fd00::80\n\
             wide      02:42:0a:14:00:81   2001:db8::2   -\n"
        );
    }
}
