//! Endpoints: `attach`, `detach`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use vswitch_api::{Attach, Client};

use crate::argument;
use crate::output::Output;

/// Put an interface of a network into a sandbox, and print the endpoint's id
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl attach web blue
  vsctl attach web pid:1234 --ip 10.20.0.7 --ifname lan0
  vsctl attach db blue --gw-priority 10  the default route goes this way
  vsctl attach web blue -p 8080:80       port 80 at port 8080 of the host
  vsctl attach web blue -o vswitch.vlan=7
  vsctl --json attach web blue           id, ifname, mac, addresses

Options (-o):
  vswitch.vlan=ID              tag what comes from the port, and untag what goes to it
  vswitch.anti-spoof=BOOL      drop frames from addresses that are not the port's
  vswitch.storm-limit=N        broadcast, multicast and unknown frames a second")]
pub(crate) struct AttachSandbox {
    /// Name or id of the network
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// A name below /run/netns, a path, pid:N, or host
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    sandbox: String,
    /// IPv4 address (default: the next free one)
    #[arg(long)]
    ip: Option<Ipv4Addr>,
    /// IPv6 address (default: the next free one)
    #[arg(long, value_name = "IP")]
    ip6: Option<Ipv6Addr>,
    /// MAC address (default: 02:42 and the IPv4 address)
    #[arg(long)]
    mac: Option<String>,
    /// The interface's name in the sandbox (default: the lowest free ethN)
    #[arg(long, value_name = "NAME")]
    ifname: Option<String>,
    /// A further name of the sandbox on this network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// The network of the highest priority gives the default route
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    gw_priority: i32,
    /// Publish ports, as Docker's -p: [ip:][host[-end]:]container[-end][/tcp|udp|sctp]
    #[arg(short, long, value_name = "SPEC")]
    publish: Vec<String>,
    /// An option of this port
    #[arg(short, long = "opt", value_name = "KEY=VALUE", value_parser = argument::option)]
    options: Vec<(String, String)>,
    /// A note, which inspect shows
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = argument::label)]
    labels: Vec<(String, String)>,
}

/// Take the interface of a network out of a sandbox
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl detach web blue

The address is free again at once.")]
pub(crate) struct DetachSandbox {
    /// Name or id of the network
    #[arg(value_name = "NET", value_parser = NonEmptyStringValueParser::new())]
    network: String,
    /// As in attach
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    sandbox: String,
}

/// `detach` with `--json`.
#[derive(Debug, Serialize)]
struct Detached {
    network: String,
    sandbox: String,
}

impl AttachSandbox {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let (network, request) = self.request();
        let endpoint = client.attach(&network, &request).await?;
        output.value(&endpoint, &endpoint.id)?;
        Ok(ExitCode::SUCCESS)
    }

    fn request(self) -> (String, Attach) {
        let request = Attach {
            sandbox: self.sandbox,
            ip: self.ip,
            ip6: self.ip6,
            mac: self.mac,
            ifname: self.ifname,
            aliases: self.alias,
            gateway_priority: self.gw_priority,
            options: self.options.into_iter().collect(),
            publish: self.publish,
            labels: self.labels.into_iter().collect(),
        };
        (self.network, request)
    }
}

impl DetachSandbox {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        client.detach(&self.network, &self.sandbox).await?;
        if output.is_json() {
            output.json(&Detached {
                network: self.network,
                sandbox: self.sandbox,
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn request(line: &str) -> (String, Attach) {
        match Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        {
            Command::Attach(command) => command.request(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn two_names_leave_everything_to_the_daemon() {
        let expected = Attach {
            sandbox: "blue".to_owned(),
            ..Attach::default()
        };
        assert_eq!(
            request("vsctl attach web blue"),
            ("web".to_owned(), expected)
        );
    }

    #[test]
    fn options_arrive_in_the_request() {
        let (network, request) = request(
            "vsctl attach web pid:7 --ip 10.1.0.7 --ip6 fd00::7 --mac 02:42:00:00:00:07 --ifname lan0 \
             --alias a --alias b --gw-priority -3 -o vswitch.vlan=7 -p 8080:80 --publish [::1]::53/udp \
             --label tier=front --label bare",
        );
        assert_eq!(network, "web");
        assert_eq!(
            request,
            Attach {
                sandbox: "pid:7".to_owned(),
                ip: Some(Ipv4Addr::new(10, 1, 0, 7)),
                ip6: Some("fd00::7".parse().unwrap()),
                mac: Some("02:42:00:00:00:07".to_owned()),
                ifname: Some("lan0".to_owned()),
                aliases: vec!["a".to_owned(), "b".to_owned()],
                gateway_priority: -3,
                options: BTreeMap::from([("vswitch.vlan".to_owned(), "7".to_owned())]),
                publish: vec!["8080:80".to_owned(), "[::1]::53/udp".to_owned()],
                labels: BTreeMap::from([
                    ("tier".to_owned(), "front".to_owned()),
                    ("bare".to_owned(), String::new()),
                ]),
            }
        );
    }
}
