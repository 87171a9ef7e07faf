//! Networks: `add-net`, `rm-net`, `list-nets`, `inspect`.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use ipnet::IpNet;
use vswitch_api::{Client, NetworkCreate, NetworkSummary};

use crate::argument;
use crate::batch::Batch;
use crate::cell;
use crate::output::Output;
use crate::table::{Align, Table};

/// Make a network and print its id
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl add-net web
  vsctl add-net web --subnet 10.20.0.0/16 --ip-range 10.20.5.0/24
  vsctl add-net web --ipv6 --subnet 10.20.0.0/16 --subnet fd00:20::/64
  vsctl add-net lab --internal -o com.docker.network.bridge.enable_icc=false
  vsctl add-net db -o vswitch.route-to=web
  vsctl add-net wide -d overlay -o peers=192.0.2.2,192.0.2.3 \\
      --subnet 10.20.0.0/24 --ip-range 10.20.0.64/26
  vsctl add-net lan -d macvlan -o parent=eth0.100 --subnet 192.0.2.0/24 \\
      --gateway 192.0.2.1 --ip-range 192.0.2.64/26
  vsctl add-net lan -d macvlan -o parent=eth0 --ipam dhcp
  vsctl add-net far -d weave --ipam-driver infoblox --ipam-opt zone=7

A DRIVER is bridge (a switch on this host), overlay (one that spans hosts: frames
to the others travel in UDP, as VXLAN), macvlan (the physical network behind a NIC,
on which each sandbox has a MAC address of its own), ipvlan (the same, with the
MAC address of the NIC), host or none (of which there is one each); else a plugin
of Docker's, found where Docker finds it, which has all options (-o) of the network
and of attach, and the published ports. An IPAM driver may be such a plugin, too.

Without --subnet the network gets the next free one of Docker's default pools
that overlaps no route of the host. Gateways, ranges and auxiliary addresses
belong to the subnet that contains them. An overlay has the same subnets on all
hosts, and on each a range of its own to give out addresses from. For macvlan and
ipvlan say the subnet and the router of the physical network, and a range that
nobody else there gives out addresses from; or let its DHCP server (--ipam dhcp).

Options (-o): Docker's com.docker.network.* keys, and
  vswitch.ageing=SECONDS       how long a learned MAC address is kept (300)
  vswitch.fdb-limit=N          how many MAC addresses are kept
  vswitch.snooping=BOOL        multicast only to ports that asked (IGMP, MLD)
  vswitch.anti-spoof=BOOL      drop frames from addresses that are not the port's
  vswitch.storm-limit=N        broadcast, multicast and unknown frames a second, per port
  vswitch.offload=BOOL         let super-frames through whole
  vswitch.nat-filtering=WHO    who may answer a translated port: endpoint-independent,
                               address-dependent, address-and-port-dependent
  vswitch.route-to=NET,…       exchange packets with these networks, untranslated;
                               naming on one side suffices
Of an overlay:
  peers=IP,…                   the other hosts; later: vsctl vtep add, vsctl vtep del
  group=IP                     a multicast group that the hosts meet in, unnamed
  local=IP                     this host's address towards them
  port=N, vni=N                the UDP port (4789), and the segment's number (from 4096 on
                               the next free one): the same on all hosts
  mtu=N                        the containers' (what the underlay leaves: 1450 of 1500)
  ttl=N, dscp=N|inherit        of the packets between the hosts
  learn-peers=BOOL             hosts that send frames become peers (with a group: true)
  learning=BOOL                learn from frames who is where (true)
  inner-vlan=BOOL              carry tagged frames (false)
  arp-suppress=BOOL            answer ARP and ND for addresses that are known (true)
  vswitch.peer-fdb-limit=N     how many MAC addresses are learned from one host (2048)
Of macvlan and ipvlan:
  parent=NIC, parent=NIC.VLAN  the way to the physical network (none: internal)
  vlan=N                       the VLAN, 1 to 4094, as in parent=NIC.N
  vlan_protocol=PROTOCOL       its tag: 802.1Q, or 802.1ad (a service tag)
  macvlan_mode=MODE            sandboxes reach each other: bridge (here), vepa (by the
                               switch that the NIC is plugged into), private (never);
                               passthru (one sandbox has the NIC for itself)
  ipvlan_mode=MODE             l2 (on the physical network), l3 or l3s (routed to it)
  ipvlan_flag=FLAG             bridge, private and, in l2, vepa, as above
  host_access=BOOL             the host reaches the sandboxes, and they it (false);
                               it is there with the NIC's addresses, or in a VLAN with
                               --aux-address host=IP
  mac_nat=BOOL                 macvlan with the NIC's MAC address on the wire, for
                               networks that admit one a port, such as Wi-Fi (false)
  dad=BOOL                     ask who has an address before it is used (true)")]
pub(crate) struct AddNet {
    /// What to call it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// bridge, overlay, macvlan, ipvlan, host, none, or a plugin of Docker's
    #[arg(short, long, default_value = "bridge")]
    driver: String,
    /// Who gives out addresses: default (the switch), dhcp (a server on the physical network), given (whoever
    /// attaches), or a plugin of Docker's
    #[arg(long, visible_alias = "ipam-driver", value_name = "DRIVER", value_parser = argument::IpamDriver, hide_possible_values = true)]
    ipam: Option<String>,
    /// An option of the IPAM plugin
    #[arg(long, value_name = "KEY=VALUE", value_parser = argument::option)]
    ipam_opt: Vec<(String, String)>,
    /// A subnet in CIDR notation; one for IPv4, one for IPv6
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = argument::subnet)]
    subnet: Vec<IpNet>,
    /// The router's address in a subnet (default: the first; of macvlan and ipvlan, none)
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    gateway: Vec<IpAddr>,
    /// Give out addresses of this part of a subnet only
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = argument::subnet)]
    ip_range: Vec<IpNet>,
    /// An address that is in use by something else
    #[arg(long, value_name = "NAME=IP", value_parser = argument::aux_address)]
    aux_address: Vec<(String, IpAddr)>,
    /// Addresses of IPv6 too
    #[arg(long)]
    ipv6: bool,
    /// No way out of the network
    #[arg(long)]
    internal: bool,
    /// A note of yours, without effect
    #[arg(long, value_name = "KEY=VALUE", value_parser = argument::label)]
    label: Vec<(String, String)>,
    /// An option of the driver
    #[arg(short, long = "opt", value_name = "KEY=VALUE", value_parser = argument::option)]
    options: Vec<(String, String)>,
}

/// Remove networks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl rm-net web
  vsctl rm-net --force web db            detach what is attached

A network that cannot be removed does not keep the others from being removed.")]
pub(crate) struct RmNet {
    /// Names or ids
    #[arg(required = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    names: Vec<String>,
    /// Detach what is attached, instead of refusing; a plugin need not be there
    #[arg(short, long)]
    force: bool,
}

/// List networks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl ls
  vsctl ls --quiet                       ids only
  vsctl ls --json | jq -r '.[].name'")]
pub(crate) struct ListNets {
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Ids in full length
    #[arg(long)]
    no_trunc: bool,
}

/// Show networks in full, as JSON with the fields of `docker network inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl inspect web
  vsctl inspect web | jq -r '.[0].IPAM.Config[0].Subnet'

Prints an array, with one element for each network.")]
pub(crate) struct Inspect {
    /// Names or ids
    #[arg(required = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    names: Vec<String>,
}

impl AddNet {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let created = client.create_network(&self.request()).await?;
        for warning in &created.warnings {
            output.warning(warning);
        }
        output.value(&created, &created.id)?;
        Ok(ExitCode::SUCCESS)
    }

    fn request(self) -> NetworkCreate {
        NetworkCreate {
            name: self.name,
            driver: self.driver,
            ipam: self.ipam,
            ipam_options: self.ipam_opt.into_iter().collect(),
            subnets: self.subnet,
            gateways: self.gateway,
            ip_ranges: self.ip_range,
            aux_addresses: self.aux_address.into_iter().collect(),
            ipv6: self.ipv6,
            internal: self.internal,
            labels: self.label.into_iter().collect(),
            options: self.options.into_iter().collect(),
        }
    }
}

impl RmNet {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut removal = Batch::new(output, "removed");
        for name in self.names {
            let result = client.remove_network(&name, self.force).await;
            removal.note(name, result)?;
        }
        removal.finish()
    }
}

impl ListNets {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let networks = client.networks().await?;
        if self.quiet && !output.is_json() {
            output.lines(networks.iter().map(|network| self.id(&network.id)))?;
        } else {
            output.rows(&networks, |networks| self.table(networks))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn table(&self, networks: &[NetworkSummary]) -> Table {
        let mut table = Table::new(&[
            ("ID", Align::Left),
            ("NAME", Align::Left),
            ("DRIVER", Align::Left),
            ("SCOPE", Align::Left),
            ("SUBNET", Align::Left),
            ("PORTS", Align::Right),
        ]);
        for network in networks {
            table.row([
                self.id(&network.id).to_owned(),
                network.name.clone(),
                network.driver.clone(),
                network.scope.clone(),
                cell::list(&network.subnets),
                network.ports.to_string(),
            ]);
        }
        table
    }

    fn id<'a>(&self, id: &'a str) -> &'a str {
        if self.no_trunc { id } else { cell::short(id) }
    }
}

impl Inspect {
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let mut networks = Vec::new();
        let mut code = ExitCode::SUCCESS;
        for name in &self.names {
            match client.network(name).await {
                Ok(network) => networks.push(network),
                Err(error) if error.code().is_some() => {
                    output.error(&error);
                    code = ExitCode::FAILURE;
                }
                Err(error) => return Err(error.into()),
            }
        }
        output.json(&networks)?;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn request(line: &str) -> NetworkCreate {
        match Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        {
            Command::AddNet(command) => command.request(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_alone_leaves_everything_to_the_daemon() {
        assert_eq!(request("vsctl add-net web"), NetworkCreate::new("web"));
    }

    #[test]
    fn options_arrive_in_the_request() {
        let request = request(
            "vsctl add-net web -d bridge --subnet 10.1.0.0/16,fd00::/64 --gateway 10.1.0.1 \
             --gateway fd00::1 --ip-range 10.1.2.0/24 --aux-address nas=10.1.0.9 --ipv6 --internal \
             --label tier=front --label bare -o a=1 --opt b=2 -o a=3",
        );
        assert_eq!(cell::list(&request.subnets), "10.1.0.0/16,fd00::/64");
        assert_eq!(cell::list(&request.gateways), "10.1.0.1,fd00::1");
        assert_eq!(cell::list(&request.ip_ranges), "10.1.2.0/24");
        assert_eq!(request.aux_addresses["nas"].to_string(), "10.1.0.9");
        assert!(request.ipv6 && request.internal);
        assert_eq!(request.labels["tier"], "front");
        assert_eq!(request.labels["bare"], "");
        // As with Docker, the last one counts.
        assert_eq!(request.options["a"], "3");
        assert_eq!(request.options["b"], "2");
    }

    #[test]
    fn who_gives_out_addresses_is_said_in_either_way() {
        for line in [
            "vsctl add-net lan -d macvlan -o parent=eth0.100 --ipam dhcp",
            "vsctl add-net lan --driver macvlan --opt parent=eth0.100 --ipam-driver=dhcp",
        ] {
            let request = request(line);
            assert_eq!(request.driver, "macvlan");
            assert_eq!(request.ipam.as_deref(), Some("dhcp"), "{line}");
            assert_eq!(request.options["parent"], "eth0.100");
        }
    }

    #[test]
    fn plugins_are_named_like_drivers() {
        let request = request(
            "vsctl add-net far -d weave --ipam-driver infoblox --ipam-opt zone=7 --ipam-opt zone=8 -o a=1",
        );
        assert_eq!(
            (request.driver.as_str(), request.ipam.as_deref()),
            ("weave", Some("infoblox"))
        );
        assert_eq!(request.ipam_options["zone"], "8");
        assert_eq!(request.options["a"], "1");
    }

    #[test]
    fn the_list_shows_short_ids_unless_told_otherwise() {
        let networks = [NetworkSummary {
            id: "0123456789abcdef".repeat(4),
            name: "none".to_owned(),
            driver: "null".to_owned(),
            scope: "local".to_owned(),
            subnets: Vec::new(),
            ports: 2,
        }];
        let list = |no_trunc| ListNets {
            quiet: false,
            no_trunc,
        };
        let text = list(false).table(&networks).plain();
        assert_eq!(
            text,
            "ID             NAME   DRIVER   SCOPE   SUBNET   PORTS\n\
             0123456789ab   none   null     local   -            2\n"
        );
        let text = list(true).table(&networks).plain();
        assert!(text.contains(&"0123456789abcdef".repeat(4)), "{text}");
    }
}
