//! From containers to the outside.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{
    Conversation, Echo, IperfServer, Protocol, WebServer, ask, ask_from, eventually, fetch_page,
    figures,
};

use crate::fixture::{A, B, Lab, PATIENCE, UNTIL_SEEN, at, inside, ping};

/// Slow enough for a debug build on a busy machine.
const MODEST: Protocol = Protocol::Udp {
    length: 1200,
    bits_per_second: 20_000_000,
};

/// A program of a container, and whether it talks out of it in both families.
#[test]
fn programs_reach_the_outside_as_the_host() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let _web = WebServer::start(lab.outside(), &"x".repeat(3 << 20))?;
    for family in [4, 6] {
        let outside = lab.outside.address(family);
        for transport in [Tcp, Udp] {
            let seen = ask(&lab.a(), transport, at(outside, 7))?;
            assert_eq!(seen.ip(), lab.outside.host_address(family), "{transport}");
        }
        ping(&lab.a(), outside)?;
        assert_eq!(fetch_page(&lab.b(), outside)?.len(), 3 << 20);
        // Even the second address, which is no router.
        ping(&lab.b(), lab.outside.link().address(family, 10))?;
    }
    nothing_of_the_kernel_helps(&lab)
}

/// Neither forwarding, nor a firewall's rule, nor connection tracking: all is done by `vswitchd`.
fn nothing_of_the_kernel_helps(lab: &Lab) -> Result<()> {
    for switch in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
        assert_eq!(lab.host.run(&format!("sysctl -n {switch}"))?, "0");
    }
    let tables = "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null; \
                  cat /proc/net/nf_conntrack 2>/dev/null; \
                  if command -v nft >/dev/null; then nft list ruleset; fi";
    let shell = lab.host.program("sh");
    assert_eq!(shell.args(["-c", tables]).run()?.stdout, "");
    let addresses = lab.host.run("ip -o address show dev wan0 scope global")?;
    assert_eq!(addresses.lines().count(), 2, "{addresses}");
    Ok(())
}

#[test]
fn ports_are_kept_where_they_are_free() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        let to = at(lab.outside.address(family), 7);
        for (transport, port) in [(Tcp, 5000), (Udp, 5001), (Udp, 60000)] {
            let from = at(inside(family, A), port);
            let seen = ask_from(&lab.a(), transport, from, to)?;
            assert_eq!(seen.port(), port, "{transport} {to}");
            // The same port of another container has to be another outside.
            let from = at(inside(family, B), port);
            let other = ask_from(&lab.b(), transport, from, to)?;
            assert_eq!(other.ip(), seen.ip());
            assert_ne!(other.port(), port, "{transport} {to}");
        }
    }
    Ok(())
}

#[test]
fn ports_of_the_host_are_not_taken() -> Result<()> {
    let lab = Lab::new()?;
    let _outside = Echo::start(lab.outside(), 7)?;
    let _host = Echo::start(&lab.host.place(), 5000)?;
    for family in [4, 6] {
        for transport in [Tcp, Udp] {
            let from = at(inside(family, A), 5000);
            let to = at(lab.outside.address(family), 7);
            eventually("the host has its port", UNTIL_SEEN, || {
                let seen = ask_from(&lab.a(), transport, from, to);
                Ok(seen.is_ok_and(|seen| seen.port() != 5000))
            })?;
            // And the host's server is reached as before.
            ask(
                lab.outside(),
                transport,
                at(lab.outside.host_address(family), 5000),
            )?;
        }
    }
    Ok(())
}

#[test]
fn bulk_goes_out_and_comes_back() -> Result<()> {
    let lab = Lab::new()?;
    let server = IperfServer::start(lab.outside())?;
    for (family, protocol) in [
        (4, Protocol::Tcp),
        (6, Protocol::Tcp),
        (4, MODEST),
        (6, MODEST),
    ] {
        let mut client = server.client(&lab.outside.address(family).to_string(), protocol);
        for reverse in [false, true] {
            client.reverse = reverse;
            let run = client.run(&lab.a())?;
            let way = if reverse { "in" } else { "out" };
            let kind = if protocol == Protocol::Tcp {
                "TCP"
            } else {
                "UDP"
            };
            figures(&format!(
                "{kind} {way} through NAT, IPv{family}: {:.2} Gbit/s, {} retransmits, {} lost",
                run.bits_per_second / 1e9,
                run.retransmits,
                run.lost_packets
            ))?;
            assert!(run.bytes > 1_000_000, "{run:?}");
            assert!(run.lost_packets * 10 <= run.packets, "{run:?}");
        }
    }
    Ok(())
}

#[test]
fn conversations_are_in_the_table() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        let to = at(lab.outside.address(family), 7);
        let mut conversation = Conversation::start(&lab.a(), to)?;
        conversation.goes_on(PATIENCE)?;
        let sessions = lab.sessions("net --sandbox a --protocol tcp --state established")?;
        let own = conversation.local()?.to_string();
        let session = sessions.iter().find(|row| row["inside"] == own.as_str());
        let session = session.with_context(|| format!("{own} is not in {sessions:?}"))?;
        assert_eq!(session["external"], conversation.seen().to_string());
        assert_eq!(session["remote"], to.to_string());
        ensure!(
            lab.sessions("net --sandbox b")?.is_empty(),
            "b has said nothing"
        );
    }
    Ok(())
}

#[test]
fn what_cannot_go_out_is_told_and_counted() -> Result<()> {
    let lab = Lab::new()?;
    lab.host.run("ip route add unreachable 198.18.0.0/24")?;
    lab.host.run("ip route add prohibit 198.18.1.0/24")?;
    lab.host.run("ip route add blackhole 198.18.2.0/24")?;
    lab.host
        .run("ip -6 route add unreachable 2001:db8:18::/64")?;
    lab.host.run("ip -6 route add prohibit 2001:db8:19::/64")?;
    for (address, told, reason) in [
        ("198.18.0.1", "Destination Net Unreachable", "no_route"),
        ("198.18.1.1", "Packet filtered", "prohibited"),
        ("198.18.2.1", "", "blackhole"),
        (
            "2001:db8:18::1",
            "Destination unreachable: No route",
            "no_route",
        ),
        (
            "2001:db8:19::1",
            "Destination unreachable: Administratively prohibited",
            "prohibited",
        ),
        // Nobody is there.
        (
            "192.0.2.99",
            "Destination Host Unreachable",
            "neighbour_unreachable",
        ),
        (
            "2001:db8::99",
            "Destination unreachable: Address unreachable",
            "neighbour_unreachable",
        ),
    ] {
        let before = lab.daemon.drops("a", reason)?;
        eventually(&format!("the route to {address}"), PATIENCE, || {
            let ping = lab.a().program("ping");
            let ping = ping.args(["-n", "-c", "1", "-W", "4", address]).run()?;
            ensure!(!ping.status.success(), "{address} answers");
            println!("{}", ping.stdout);
            Ok(ping.stdout.contains(told) && lab.daemon.drops("a", reason)? > before)
        })?;
    }
    Ok(())
}
