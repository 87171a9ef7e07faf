//! Routes: `routes`.

use std::process::ExitCode;

use clap::Args;
use ipnet::IpNet;
use vswitch_api::{Client, RouteEntry};

use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show where the switch's router and the sandboxes send a packet
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl routes
  vsctl routes --json | jq '.[] | select(.sandbox == \"blue\")'

SANDBOX is whose route it is; - is the switch's own router. SOURCE is the address
the router prefers on this way. KIND is unicast, unreachable, prohibit or
blackhole, as in `ip route`, or elsewhere: by an interface of the host that is
no uplink, so the router refuses it. ORIGIN is connected (the subnet of a
network), gateway (the network that gives a sandbox its default route), host (a
route of the host) or static.")]
pub(crate) struct ListRoutes {}

impl ListRoutes {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut routes = client.routes().await?;
        routes.sort_by(|a, b| {
            (&a.sandbox, a.destination, a.metric).cmp(&(&b.sandbox, b.destination, b.metric))
        });
        output.rows(&routes, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(routes: &[RouteEntry]) -> Table {
    let mut table = Table::new(&[
        ("SANDBOX", Align::Left),
        ("DESTINATION", Align::Left),
        ("VIA", Align::Left),
        ("NETWORK", Align::Left),
        ("INTERFACE", Align::Left),
        ("SOURCE", Align::Left),
        ("METRIC", Align::Right),
        ("AGE", Align::Right),
        ("KIND", Align::Left),
        ("ORIGIN", Align::Left),
    ]);
    for route in routes {
        table.row([
            cell::optional(route.sandbox.as_ref()),
            destination(route.destination),
            cell::optional(route.gateway),
            cell::optional(route.network.as_ref()),
            cell::optional(route.interface.as_ref()),
            cell::optional(route.source),
            cell::optional(route.metric),
            cell::age(route.age),
            route.kind.as_str().to_owned(),
            route.origin.as_str().to_owned(),
        ]);
    }
    table
}

/// As `ip route` writes it.
fn destination(subnet: IpNet) -> String {
    if subnet.prefix_len() == 0 {
        "default".to_owned()
    } else {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use vswitch_api::{RouteKind, RouteOrigin};

    use super::*;

    #[test]
    fn a_default_route_is_called_so() {
        let router = |destination: &str, kind| RouteEntry {
            sandbox: None,
            destination: destination.parse().unwrap(),
            gateway: Some("192.0.2.1".parse().unwrap()),
            network: None,
            interface: Some("enp1s0".to_owned()),
            source: Some("192.0.2.7".parse().unwrap()),
            metric: Some(100),
            age: None,
            kind,
            origin: RouteOrigin::Host,
        };
        let text = table(&[
            router("0.0.0.0/0", RouteKind::Unicast),
            RouteEntry {
                gateway: None,
                interface: None,
                source: None,
                ..router("10.0.0.0/8", RouteKind::Unreachable)
            },
            RouteEntry {
                sandbox: Some("blue".to_owned()),
                gateway: Some("fd00::1".parse().unwrap()),
                network: Some("web".to_owned()),
                interface: Some("eth0".to_owned()),
                source: None,
                metric: None,
                origin: RouteOrigin::Gateway,
                ..router("::/0", RouteKind::Unicast)
            },
        ])
        .plain();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            rows,
            [
                [
                    "-",
                    "default",
                    "192.0.2.1",
                    "-",
                    "enp1s0",
                    "192.0.2.7",
                    "100",
                    "-",
                    "unicast",
                    "host"
                ],
                [
                    "-",
                    "10.0.0.0/8",
                    "-",
                    "-",
                    "-",
                    "-",
                    "100",
                    "-",
                    "unreachable",
                    "host"
                ],
                [
                    "blue", "default", "fd00::1", "web", "eth0", "-", "-", "-", "unicast",
                    "gateway"
                ],
            ]
        );
    }
}
