//! Addresses from DHCP servers: `leases`.

use std::process::ExitCode;

use clap::Args;
use vswitch_api::{Client, Lease};

use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show the addresses that the physical network's DHCP servers gave to sandboxes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl leases
  vsctl leases lan
  vsctl leases --json | jq '.[] | select(.state != \"bound\")'

Of networks made with --ipam dhcp. STATE is bound (nothing to do yet), renewing
(the server that gave the address is asked for more time), rebinding (as it does
not answer, any server is) or asking (any server is asked for an address). At the
end of EXPIRES-IN the address has to be given up; - is never, or no address.")]
pub(crate) struct ListLeases {
    /// Of this network only
    #[arg(value_name = "NET")]
    network: Option<String>,
}

impl ListLeases {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut leases = client.leases(self.network.as_deref()).await?;
        leases.sort_by(|a, b| {
            (&a.network, &a.sandbox, &a.ifname).cmp(&(&b.network, &b.sandbox, &b.ifname))
        });
        output.rows(&leases, table)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn table(leases: &[Lease]) -> Table {
    let mut table = Table::new(&[
        ("NETWORK", Align::Left),
        ("SANDBOX", Align::Left),
        ("INTERFACE", Align::Left),
        ("MAC", Align::Left),
        ("ADDRESS", Align::Left),
        ("ROUTER", Align::Left),
        ("SERVER", Align::Left),
        ("STATE", Align::Left),
        ("EXPIRES-IN", Align::Right),
    ]);
    for lease in leases {
        table.row([
            lease.network.clone(),
            lease.sandbox.clone(),
            lease.ifname.clone(),
            lease.mac.clone(),
            cell::optional(lease.address),
            cell::optional(lease.router),
            cell::optional(lease.server),
            lease.state.as_str().to_owned(),
            cell::age(lease.expires_in),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use vswitch_api::LeaseState;

    use super::*;

    #[test]
    fn a_sandbox_that_waits_for_an_address_has_none() {
        let bound = Lease {
            network: "lan".to_owned(),
            sandbox: "blue".to_owned(),
            ifname: "eth0".to_owned(),
            mac: "02:42:00:00:00:07".to_owned(),
            address: Some("192.0.2.7/24".parse().unwrap()),
            router: None,
            server: Some("192.0.2.1".parse().unwrap()),
            state: LeaseState::Renewing,
            expires_in: Some(1740),
        };
        let asking = Lease {
            sandbox: "red".to_owned(),
            address: None,
            server: None,
            state: LeaseState::Asking,
            expires_in: None,
            ..bound.clone()
        };
        assert_eq!(
            table(&[bound, asking]).plain(),
            "NETWORK   SANDBOX   INTERFACE   MAC                 ADDRESS        ROUTER   SERVER      STATE      EXPIRES-IN\n\
             lan       blue      eth0        02:42:00:00:00:07   192.0.2.7/24   -        192.0.2.1   renewing        1740s\n\
             lan       red       eth0        02:42:00:00:00:07   -              -        -           asking              -\n"
        );
    }
}
