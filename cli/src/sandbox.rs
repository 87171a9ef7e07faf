//! Sandboxes: `add-sandbox`, `rm-sandbox`, `list-sandboxes`.

use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use vswitch_api::{Client, Sandbox, SandboxCreate};

use crate::batch::Batch;
use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Make a named network namespace
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl add-sandbox blue
  ip netns list                          shows it too

The namespace is mounted on /run/netns/NAME and holds a loopback interface.")]
pub(crate) struct AddSandbox {
    /// What to call it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
}

/// Remove named network namespaces
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl rm-sandbox blue
  vsctl rm-sandbox blue green

One that cannot be removed does not keep the others from being removed.")]
pub(crate) struct RmSandbox {
    /// Their names
    #[arg(required = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    names: Vec<String>,
}

/// List sandboxes: those made by add-sandbox, and those that are attached
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl list-sandboxes
  vsctl list-sandboxes --json | jq '.[].endpoints[].mac'

OWNED is yes if add-sandbox made the namespace, and rm-sandbox may remove it.")]
pub(crate) struct ListSandboxes {
    /// Names only
    #[arg(short, long)]
    quiet: bool,
}

impl AddSandbox {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let request = SandboxCreate { name: self.name };
        let sandbox = client.create_sandbox(&request).await?;
        output.value(&sandbox, &sandbox.name)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl RmSandbox {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut removal = Batch::new(output, "removed");
        for name in self.names {
            let result = client.remove_sandbox(&name).await;
            removal.note(name, result)?;
        }
        removal.finish()
    }
}

impl ListSandboxes {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let sandboxes = client.sandboxes().await?;
        if self.quiet && !output.is_json() {
            output.lines(sandboxes.iter().map(|sandbox| &sandbox.name))?;
        } else {
            output.rows(&sandboxes, table)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(sandboxes: &[Sandbox]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("OWNED", Align::Left),
        ("NETWORKS", Align::Left),
        ("INTERFACES", Align::Left),
        ("ADDRESSES", Align::Left),
    ]);
    for sandbox in sandboxes {
        let endpoints = &sandbox.endpoints;
        table.row([
            sandbox.name.clone(),
            if sandbox.owned { "yes" } else { "no" }.to_owned(),
            cell::list(endpoints.iter().map(|endpoint| &endpoint.network)),
            cell::list(endpoints.iter().filter_map(|e| e.ifname.as_deref())),
            cell::list(endpoints.iter().flat_map(|endpoint| &endpoint.addresses)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use vswitch_api::Endpoint;

    use super::*;

    #[test]
    fn a_sandbox_is_one_row_however_many_endpoints_it_has() {
        let endpoint = |network: &str, ifname: Option<&str>, addresses: &[&str]| Endpoint {
            id: "ab".repeat(32),
            network: network.to_owned(),
            sandbox: "blue".to_owned(),
            ifname: ifname.map(str::to_owned),
            mac: None,
            mtu: None,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            gateway: None,
            gateway6: None,
            aliases: Vec::new(),
            ports: Vec::new(),
        };
        let sandbox = |name: &str, owned, endpoints| Sandbox {
            name: name.to_owned(),
            owned,
            netns: Some(7),
            endpoints,
        };
        let text = table(&[
            sandbox(
                "blue",
                true,
                vec![
                    endpoint("web", Some("eth0"), &["10.1.0.2/16", "fd00::2/64"]),
                    endpoint("db", Some("eth1"), &["10.2.0.2/16"]),
                ],
            ),
            sandbox("host", false, vec![endpoint("host", None, &[])]),
            sandbox("new", true, Vec::new()),
        ])
        .plain();
        assert_eq!(
            text,
            "NAME   OWNED   NETWORKS   INTERFACES   ADDRESSES\n\
             blue   yes     web,db     eth0,eth1    10.1.0.2/16,fd00::2/64,10.2.0.2/16\n\
             host   no      host       -            -\n\
             new    yes     -          -            -\n"
        );
    }
}
