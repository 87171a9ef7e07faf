//! Published ports: `publish`, `unpublish`, `ports`.

use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use vswitch_api::{Client, Publish, PublishedPort};

use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Publish ports of an attached sandbox, and print where they are reached
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl publish web blue -p 8080:80
  vsctl publish web blue -p 53:53/udp -p 53:53/tcp
  vsctl publish web blue -p 127.0.0.1:8080:80    reached from the host only
  vsctl publish web blue -p 80                   at any free port of the host
  vsctl publish web blue -p 8000-8010:8000-8010  a range
  vsctl publish web blue -p 8000-8010:80         the first free one of these

A SPEC is as Docker's: [ip:][host[-end]:]container[-end][/tcp|udp|sctp]. An IPv6
address has brackets. All of the SPECs are published or none.")]
pub(crate) struct PublishPorts {
    #[command(flatten)]
    of: Ports,
}

/// Take back published ports, and print where they were reached
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl unpublish web blue -p 8080:80
  vsctl unpublish web blue -p 80                 wherever it is published
  vsctl unpublish web blue -p 8005:8005          out of a range

A SPEC is as for publish; what it leaves out may be anything. One that fits
nothing is an error, and all stays as it is.")]
pub(crate) struct UnpublishPorts {
    #[command(flatten)]
    of: Ports,
}

/// Which ports of whom.
#[derive(Debug, Args)]
struct Ports {
    /// Name or id of the network
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// As in attach
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    sandbox: String,
    /// Ports, as Docker's -p
    #[arg(short, long = "publish", required = true, value_name = "SPEC")]
    ports: Vec<String>,
    /// More of them
    #[arg(value_name = "SPEC", hide = true)]
    more: Vec<String>,
}

/// Show published ports
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl ports
  vsctl ports web
  vsctl ports --json | jq -r '.[] | select(.sandbox == \"blue\").host_port'

HOST is where clients turn to: 0.0.0.0 and [::] are all addresses of the host. It
is - in a routed network, whose sandboxes are reached at their own addresses.")]
pub(crate) struct ListPorts {
    /// Of this network only
    #[arg(value_name = "NET")]
    network: Option<String>,
}

impl PublishPorts {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let (network, sandbox, request) = self.of.request();
        show(client.publish(&network, &sandbox, &request).await?, output)
    }
}

impl UnpublishPorts {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let (network, sandbox, request) = self.of.request();
        show(
            client.unpublish(&network, &sandbox, &request).await?,
            output,
        )
    }
}

impl Ports {
    fn request(mut self) -> (String, String, Publish) {
        self.ports.append(&mut self.more);
        (self.network, self.sandbox, Publish { ports: self.ports })
    }
}

impl ListPorts {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut ports = client.ports(self.network.as_deref()).await?;
        ports.sort_by(|a, b| {
            (&a.network, &a.sandbox, &a.binding).cmp(&(&b.network, &b.sandbox, &b.binding))
        });
        output.rows(&ports, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn show(ports: Vec<PublishedPort>, output: &Output) -> anyhow::Result<ExitCode> {
    if output.is_json() {
        output.json(&ports)?;
    } else {
        output.lines(ports.iter().map(|port| &port.binding))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(ports: &[PublishedPort]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("SANDBOX", Align::Left),
        ("PROTOCOL", Align::Left),
        ("HOST", Align::Left),
        ("CONTAINER", Align::Left),
    ]);
    for port in ports {
        let binding = &port.binding;
        table.row([
            port.network.clone(),
            port.sandbox.clone(),
            binding.protocol.clone(),
            cell::optional(binding.host_port.map(|_| binding.host())),
            binding.container(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use vswitch_api::PortBinding;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn specs_may_stand_anywhere() {
        for line in [
            "vsctl publish web blue -p 8080:80 -p 53/udp",
            "vsctl publish web blue -p 8080:80 53/udp",
            "vsctl publish -p 8080:80 --publish 53/udp web blue",
        ] {
            let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
            let Command::Publish(command) = cli.command else {
                panic!("{line}")
            };
            let ports = ["8080:80", "53/udp"].map(str::to_owned).into();
            assert_eq!(
                command.of.request(),
                ("web".to_owned(), "blue".to_owned(), Publish { ports }),
                "{line}"
            );
        }
    }

    #[test]
    fn a_routed_port_takes_none_of_the_host() {
        let port = |host_ip: &str, host_port: Option<&str>, container_ip: &str| PublishedPort {
            network: "web".to_owned(),
            sandbox: "blue".to_owned(),
            endpoint: "ab".repeat(32),
            binding: PortBinding {
                protocol: "tcp".to_owned(),
                host_ip: host_ip.parse().unwrap(),
                host_port: host_port.map(|port| port.parse().unwrap()),
                container_ip: container_ip.parse().unwrap(),
                container_port: "80-81".parse().unwrap(),
            },
        };
        let text = table(&[
            port("0.0.0.0", Some("8080-8081"), "10.1.0.2"),
            port("::", None, "fd00::2"),
        ])
        .plain();
        assert_eq!(
            text,
            "NETWORK   SANDBOX   PROTOCOL   HOST                CONTAINER\n\
             web       blue      tcp        0.0.0.0:8080-8081   10.1.0.2:80-81\n\
             web       blue      tcp        -                   [fd00::2]:80-81\n"
        );
    }
}
