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

SANDBOX is whose route it is; - is the switch's own router. ORIGIN is connected
(the subnet of a network), gateway (the network that gives a sandbox its default
route), host (a route of the host) or static.")]
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
        ("METRIC", Align::Right),
        ("AGE", Align::Right),
        ("ORIGIN", Align::Left),
    ]);
    for route in routes {
        table.row([
            cell::optional(route.sandbox.as_ref()),
            destination(route.destination),
            cell::optional(route.gateway),
            cell::optional(route.network.as_ref()),
            cell::optional(route.interface.as_ref()),
            cell::optional(route.metric),
            cell::age(route.age),
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
    use vswitch_api::RouteOrigin;

    use super::*;

    #[test]
    fn a_default_route_is_called_so() {
        let text = table(&[RouteEntry {
            sandbox: Some("blue".to_owned()),
            destination: "0.0.0.0/0".parse().unwrap(),
            gateway: Some("10.1.0.1".parse().unwrap()),
            network: Some("web".to_owned()),
            interface: Some("eth0".to_owned()),
            metric: None,
            age: None,
            origin: RouteOrigin::Gateway,
        }])
        .plain();
        assert_eq!(
            text,
            "SANDBOX   DESTINATION   VIA        NETWORK   INTERFACE   METRIC   AGE   ORIGIN\n\
             blue      default       10.1.0.1   web       eth0             -     -   gateway\n"
        );
    }
}
