//! The command line as a whole: global options and the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Parser, Subcommand};
use vswitch_api::{Client, DEFAULT_SOCKET, SOCKET_VARIABLE};

use crate::output::Output;
use crate::{
    completions, conntrack, endpoint, exec, fdb, lease, neighbour, network, publish, remote, route,
    sandbox, stats, version, vtep,
};

/// Control the switch: networks, sandboxes and what connects them
#[derive(Debug, Parser)]
#[command(
    name = "vsctl",
    version = version::LONG,
    arg_required_else_help = true,
    after_help = "\
Examples:
  vsctl add-net web                      make a network, with a subnet of its own
  vsctl add-sandbox blue                 make a namespace
  vsctl attach web blue                  give it an interface in the network
  vsctl publish web blue -p 8080:80      let it be reached at the host's port 8080
  vsctl exec blue -- ip addr             look from inside
  vsctl stats --watch                    see what passes

A SANDBOX is a name below /run/netns (as `ip netns` has them), a path such as
/proc/1234/ns/net, pid:1234, or `host`. A network goes by its name, its id or
the beginning of its id.

Exit status: 0 done, 1 failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    /// The daemon's socket
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        value_name = "PATH",
        env = SOCKET_VARIABLE,
        default_value = DEFAULT_SOCKET
    )]
    pub(crate) socket: PathBuf,

    /// Print JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    AddNet(network::AddNet),
    RmNet(network::RmNet),
    #[command(visible_alias = "ls")]
    ListNets(network::ListNets),
    Inspect(network::Inspect),
    AddSandbox(sandbox::AddSandbox),
    RmSandbox(sandbox::RmSandbox),
    ListSandboxes(sandbox::ListSandboxes),
    Exec(exec::Exec),
    Attach(endpoint::AttachSandbox),
    Detach(endpoint::DetachSandbox),
    Publish(publish::PublishPorts),
    Unpublish(publish::UnpublishPorts),
    Ports(publish::ListPorts),
    Vtep(vtep::Vteps),
    Remote(remote::Remotes),
    Leases(lease::ListLeases),
    Fdb(fdb::ListFdb),
    Neigh(neighbour::ListNeighbours),
    Conntrack(conntrack::Conntrack),
    Routes(route::ListRoutes),
    Stats(stats::ShowStats),
    Version(version::ShowVersion),
    Completions(completions::Completions),
}

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let output = Output::new(self.json);
        let client = Client::new(self.socket);
        // One thread: `exec` leaves for another namespace and must not leave threads behind.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| anyhow!("cannot set up asynchronous input and output: {e}"))?;
        runtime.block_on(async {
            match self.command {
                Command::AddNet(command) => command.run(&client, &output).await,
                Command::RmNet(command) => command.run(&client, &output).await,
                Command::ListNets(command) => command.run(&client, &output).await,
                Command::Inspect(command) => command.run(&client, &output).await,
                Command::AddSandbox(command) => command.run(&client, &output).await,
                Command::RmSandbox(command) => command.run(&client, &output).await,
                Command::ListSandboxes(command) => command.run(&client, &output).await,
                Command::Exec(command) => command.run(&client).await,
                Command::Attach(command) => command.run(&client, &output).await,
                Command::Detach(command) => command.run(&client, &output).await,
                Command::Publish(command) => command.run(&client, &output).await,
                Command::Unpublish(command) => command.run(&client, &output).await,
                Command::Ports(command) => command.run(&client, &output).await,
                Command::Vtep(command) => command.run(&client, &output).await,
                Command::Remote(command) => command.run(&client, &output).await,
                Command::Leases(command) => command.run(&client, &output).await,
                Command::Fdb(command) => command.run(&client, &output).await,
                Command::Neigh(command) => command.run(&client, &output).await,
                Command::Conntrack(command) => command.run(&client, &output).await,
                Command::Routes(command) => command.run(&client, &output).await,
                Command::Stats(command) => command.run(&client, &output).await,
                Command::Version(command) => command.run(&client, &output).await,
                Command::Completions(command) => command.run(&output),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// What the shell would make of the line, at least as far as these tests go.
    pub(crate) fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_most_give_an_example() {
        for command in Cli::command().get_subcommands() {
            for command in std::iter::once(command).chain(command.get_subcommands()) {
                assert!(command.get_about().is_some(), "{}", command.get_name());
                assert!(command.get_after_help().is_some(), "{}", command.get_name());
            }
        }
    }

    #[test]
    fn every_command_of_the_interface_is_understood() {
        for line in [
            "vsctl add-net web",
            "vsctl add-net web -d bridge --subnet 10.1.0.0/16 --gateway 10.1.0.1",
            "vsctl add-net web --ip-range 10.1.2.0/24 --aux-address nas=10.1.0.9 --ipv6 --internal",
            "vsctl add-net web -d overlay -o peers=192.0.2.2,2001:db8::3 -o vni=7",
            "vsctl add-net lan -d macvlan -o parent=eth0.100 -o macvlan_mode=vepa --gateway 10.1.0.1",
            "vsctl add-net lan -d ipvlan -o parent=eth0 -o ipvlan_mode=l3s -o ipvlan_flag=private",
            "vsctl add-net lan -d macvlan -o parent=eth0 --ipam dhcp",
            "vsctl add-net web --ipam-driver default",
            "vsctl add-net web --label a=b --label c -o com.docker.network.driver.mtu=9000",
            "vsctl rm-net web",
            "vsctl rm-net web db --force",
            "vsctl list-nets",
            "vsctl ls",
            "vsctl ls -q",
            "vsctl inspect web",
            "vsctl inspect web db",
            "vsctl add-sandbox blue",
            "vsctl rm-sandbox blue",
            "vsctl list-sandboxes",
            "vsctl exec blue -- ip -br addr",
            "vsctl exec blue ip -br addr",
            "vsctl attach web blue",
            "vsctl attach web pid:7 --ip 10.1.0.7 --ip6 fd00::7 --mac 02:42:00:00:00:07",
            "vsctl attach web /run/netns/blue --ifname eth7 --alias a --alias b",
            "vsctl attach web blue -o vswitch.vlan=7 --gw-priority -3",
            "vsctl attach web blue -p 80 -p 127.0.0.1:8080:80 -p [::1]:8000-8010:8000-8010/udp",
            "vsctl detach web blue",
            "vsctl publish web blue -p 8080:80 -p 53:53/udp",
            "vsctl publish web blue -p 8080:80 53:53/udp",
            "vsctl unpublish web blue -p 80",
            "vsctl ports",
            "vsctl ports web --json",
            "vsctl vtep list",
            "vsctl vtep ls web --json",
            "vsctl vtep add web 192.0.2.2 2001:db8::2",
            "vsctl vtep del web 192.0.2.2",
            "vsctl vtep rm web 192.0.2.2",
            "vsctl remote list",
            "vsctl remote ls web",
            "vsctl remote add web 02:42:00:00:00:07 192.0.2.2",
            "vsctl remote add web 02:42:00:00:00:07 192.0.2.2 --ip 10.1.0.7 --ip fd00::7",
            "vsctl remote del web 02:42:00:00:00:07 02:42:00:00:00:08",
            "vsctl remote rm web 02:42:00:00:00:07",
            "vsctl leases",
            "vsctl leases lan --json",
            "vsctl fdb",
            "vsctl fdb web",
            "vsctl neigh",
            "vsctl neigh web",
            "vsctl conntrack",
            "vsctl conntrack web --sandbox blue --protocol tcp --state established --watch",
            "vsctl conntrack web --sandbox blue --flush",
            "vsctl conntrack --flush --all",
            "vsctl conntrack --stats",
            "vsctl routes",
            "vsctl stats",
            "vsctl stats web",
            "vsctl stats blue/eth0 --watch",
            "vsctl version",
            "vsctl completions bash",
            "vsctl --socket /tmp/x.sock --json ls",
            "vsctl ls --json --socket /tmp/x.sock",
        ] {
            if let Err(error) = parse(line) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn wrong_usage_is_told_apart_and_exits_2() {
        for (line, hint) in [
            ("vsctl", "Usage"),
            ("vsctl frobnicate", "unrecognized subcommand"),
            ("vsctl add-net", "<NAME>"),
            ("vsctl add-net web --subnet 10.1.0.0", "10.1.0.0"),
            ("vsctl add-net web --subnet 10.1.0.0/33", "10.1.0.0/33"),
            ("vsctl add-net web --gateway gw", "--gateway"),
            ("vsctl add-net web --aux-address 10.1.0.9", "NAME=IP"),
            ("vsctl add-net web -o mtu", "KEY=VALUE"),
            ("vsctl leases lan blue", "'blue'"),
            ("vsctl rm-net", "<NAME>"),
            ("vsctl attach web", "<SANDBOX>"),
            ("vsctl attach web blue --ip fd00::1", "--ip"),
            ("vsctl attach web blue --ip6 10.1.0.1", "--ip6"),
            ("vsctl attach web blue --gw-priority high", "--gw-priority"),
            ("vsctl detach web", "<SANDBOX>"),
            ("vsctl publish web blue", "--publish <SPEC>"),
            ("vsctl unpublish web -p 80", "<SANDBOX>"),
            ("vsctl vtep", "Take hosts off"),
            ("vsctl vtep add web", "<PEER>"),
            ("vsctl vtep add web other.example", "other.example"),
            ("vsctl vtep del 192.0.2.2", "<PEER>"),
            ("vsctl remote add web 02:42:00:00:00:07", "<PEER>"),
            ("vsctl remote add web a b --ip c", "'b'"),
            ("vsctl remote del web", "<MAC>"),
            ("vsctl conntrack --protocol quic", "use tcp, udp, sctp"),
            ("vsctl conntrack --state open", "unreplied, established"),
            ("vsctl conntrack --flush", "--flush"),
            ("vsctl exec blue", "<COMMAND>"),
            ("vsctl completions cmd", "cmd"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            let text = error.to_string();
            assert!(text.contains(hint), "{line}: {text}");
        }
    }

    #[test]
    fn options_of_the_command_run_belong_to_it() {
        let cli = parse("vsctl exec blue -- ls --json --socket x").unwrap();
        assert!(!cli.json);
        let Command::Exec(exec) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(exec.command, ["ls", "--json", "--socket", "x"]);
    }

    #[test]
    fn global_options_may_stand_anywhere() {
        for line in ["vsctl --json --socket /s ls", "vsctl ls --socket /s --json"] {
            let cli = parse(line).unwrap();
            assert!(cli.json, "{line}");
            assert_eq!(cli.socket, PathBuf::from("/s"), "{line}");
        }
    }
}
