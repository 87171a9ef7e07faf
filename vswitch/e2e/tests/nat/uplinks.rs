//! NICs that come and go, and addresses that change.

use anyhow::Result;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{
    Conversation, DaemonOptions, Echo, Host, Outside, WAN0, WAN1, ask, eventually, reaches,
};

use crate::fixture::{Lab, PATIENCE, at, no_ping, rows};

fn options(uplink: &str) -> DaemonOptions {
    DaemonOptions {
        flags: vec!["--uplink".to_owned(), uplink.to_owned()],
        show_log: true,
        ..DaemonOptions::default()
    }
}

impl Lab {
    /// Waits until a container gets through, in both families.
    fn comes_through(&self) -> Result<()> {
        for family in [4, 6] {
            let outside = at(self.outside.address(family), 7);
            eventually("the way outside is found", PATIENCE, || {
                reaches(&self.a(), Udp, outside)
            })?;
            ask(&self.a(), Tcp, outside)?;
        }
        Ok(())
    }
}

#[test]
fn an_uplink_may_come_after_the_daemon() -> Result<()> {
    for uplink in ["auto", "wan0"] {
        let host = Host::new()?;
        let daemon = vswitch_e2e::Daemon::start_with(&host, options(uplink))?;
        daemon.ctl(&format!("add-net net {}", crate::fixture::SUBNETS))?;
        daemon.populate("net", &["a", "b"])?;
        daemon.ctl("publish net a -p 8080:80")?;
        no_ping(&host.sandbox("a"), WAN0.address(4, 9))?;
        assert!(daemon.drops("a", "no_route")? > 0);
        let outside = Outside::new(&host, WAN0)?;
        outside.route_everything(&host)?;
        let lab = Lab {
            daemon,
            outside,
            host,
        };
        let _echo = Echo::start(lab.outside(), 7)?;
        lab.comes_through()?;
        let _inside = Echo::start(&lab.a(), 80)?;
        for family in [4, 6] {
            ask(
                lab.outside(),
                Tcp,
                at(lab.outside.host_address(family), 8080),
            )?;
        }
    }
    Ok(())
}

#[test]
fn a_nic_that_comes_back_is_used_again() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80")?;
    let _inside = Echo::start(&lab.a(), 80)?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let mut before = None;
    for _ in 0..5 {
        let mut old = Conversation::start(&lab.a(), at(lab.outside.address(4), 7))?;
        lab.host.run("ip link del wan0")?;
        assert!(old.goes_on(PATIENCE / 20).is_err());
        eventually("the sessions of the address end", PATIENCE, || {
            Ok(lab.sessions("")?.is_empty())
        })?;
        lab.outside.plug_in(&lab.host)?;
        lab.outside.route_everything(&lab.host)?;
        lab.comes_through()?;
        for family in [4, 6] {
            let host = at(lab.outside.host_address(family), 8080);
            eventually("the published port is back", PATIENCE, || {
                reaches(lab.outside(), Tcp, host)
            })?;
        }
        lab.ctl("conntrack --flush --all")?;
        let now = lab.daemon.figures()?;
        let before = *before.get_or_insert(now);
        println!("before: {before}\nafter: {now}");
        // A descriptor more may be that of a request which is being ended.
        eventually("nothing stays behind", PATIENCE, || {
            let now = lab.daemon.figures()?;
            Ok(now.descriptors <= before.descriptors && now.threads <= before.threads)
        })?;
    }
    Ok(())
}

#[test]
fn a_nic_that_is_down_for_a_while_changes_nothing() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let mut conversation = Conversation::start(&lab.a(), at(lab.outside.address(4), 7))?;
    lab.host.run("ip link set wan0 down")?;
    assert!(conversation.goes_on(PATIENCE / 20).is_err());
    lab.host.run("ip link set wan0 up")?;
    // Linux forgets IPv6 addresses and all routes of what is down.
    lab.host
        .run("ip address add 2001:db8::1/64 dev wan0 nodad")
        .ok();
    lab.outside.route_everything(&lab.host).ok();
    lab.host.run("ip route replace default via 192.0.2.9")?;
    lab.comes_through()?;
    conversation.goes_on(PATIENCE)
}

#[test]
fn an_address_may_change_under_connections() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80")?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let _inside = Echo::start(&lab.a(), 80)?;
    for family in [4, 6] {
        let outside = at(lab.outside.address(family), 7);
        let link = lab.outside.link();
        let (old, new) = (link.address(family, 1), link.address(family, 33));
        let mut out = Conversation::start(&lab.a(), outside)?;
        let mut into = Conversation::start(lab.outside(), at(old, 8080))?;
        assert_eq!(out.seen().ip(), old);
        let (gone, next) = (
            link.interface_address(family, 1),
            link.interface_address(family, 33),
        );
        lab.host.run(&format!("ip address del {gone} dev wan0"))?;
        let nodad = if family == 6 { "nodad" } else { "" };
        lab.host
            .run(&format!("ip address add {next} dev wan0 {nodad}"))?;
        let router = lab.outside.address(family);
        lab.host
            .run(&format!("ip -{family} route replace default via {router}"))?;
        eventually("the new address is used", PATIENCE, || {
            Ok(reaches(&lab.b(), Udp, outside)?
                && ask(&lab.b(), Udp, outside)?.ip() == new
                && reaches(lab.outside(), Tcp, at(new, 8080))?)
        })?;
        // What was translated to the old one has ended.
        for conversation in [&mut out, &mut into] {
            assert!(conversation.goes_on(PATIENCE / 20).is_err());
        }
        let stale = format!("{old}:");
        let stale = stale.replace("2001:db8::1:", "[2001:db8::1]:");
        let sessions = lab.sessions("")?;
        for session in sessions {
            let external = session["external"].as_str().unwrap_or_default();
            assert!(!external.starts_with(&stale), "{session}");
        }
    }
    Ok(())
}

#[test]
fn of_several_nics_the_one_with_the_route_is_the_source() -> Result<()> {
    let host = Host::new()?;
    let outside = Outside::new(&host, WAN0)?;
    let second = Outside::new(&host, WAN1)?;
    outside.route_everything(&host)?;
    // Something further away, by the second NIC.
    host.run("ip route add 203.0.113.0/24 via 198.51.100.9")?;
    host.run("ip -6 route add 2001:db8:f::/64 via 2001:db8:1::9")?;
    let far = second.put_behind(&host, 1500)?;
    let lab = Lab::on(host, outside, options("wan0,wan1"))?;
    lab.add_two("")?;
    lab.ctl("publish net a -p 8080:80")?;
    let _inside = Echo::start(&lab.a(), 80)?;
    let _echoes = [
        Echo::start(lab.outside(), 7)?,
        Echo::start(second.place(), 7)?,
        Echo::start(&far, 7)?,
    ];
    for family in [4, 6] {
        for (to, source) in [
            (WAN0.address(family, 9), WAN0.address(family, 1)),
            (WAN1.address(family, 9), WAN1.address(family, 1)),
            (vswitch_e2e::FAR.address(family, 2), WAN1.address(family, 1)),
        ] {
            for transport in [Tcp, Udp] {
                let seen = ask(&lab.a(), transport, at(to, 7))?;
                assert_eq!(seen.ip(), source, "{transport} to {to}");
            }
        }
        // Both are ways in, and the answers go out where the questions came in.
        ask(lab.outside(), Tcp, at(WAN0.address(family, 1), 8080))?;
        ask(second.place(), Tcp, at(WAN1.address(family, 1), 8080))?;
        ask(&far, Tcp, at(WAN1.address(family, 1), 8080))?;
    }
    // A route that changes is followed.
    lab.host.run("ip route add 203.0.113.2/32 via 192.0.2.9")?;
    eventually("the new route is used", PATIENCE, || {
        let routes = rows(&lab.daemon, "routes")?;
        Ok(routes
            .iter()
            .any(|row| row["destination"] == "203.0.113.2/32"))
    })?;
    assert!(!reaches(&lab.a(), Udp, "203.0.113.2:7".parse()?)?);
    Ok(())
}

#[test]
fn a_network_may_have_a_source_address_of_its_own() -> Result<()> {
    let lab = Lab::empty()?;
    lab.host.run("ip address add 192.0.2.77/24 dev wan0")?;
    lab.host
        .run("ip address add 2001:db8::77/64 dev wan0 nodad")?;
    lab.add_two(
        "-o com.docker.network.host_ipv4=192.0.2.77 -o com.docker.network.host_ipv6=2001:db8::77",
    )?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        for transport in [Tcp, Udp] {
            let seen = ask(&lab.a(), transport, at(lab.outside.address(family), 7))?;
            let own = if family == 4 {
                "192.0.2.77"
            } else {
                "2001:db8::77"
            };
            assert_eq!(seen.ip().to_string(), own);
        }
    }
    // Others have the host's first.
    lab.ctl("add-net other --subnet 10.21.0.0/24")?;
    lab.daemon.populate("other", &["c"])?;
    let seen = ask(&lab.host.sandbox("c"), Udp, "192.0.2.9:7".parse()?)?;
    assert_eq!(seen.ip(), lab.outside.host_address(4));
    Ok(())
}

#[test]
fn without_an_uplink_networks_are_islands() -> Result<()> {
    let host = Host::new()?;
    let outside = Outside::new(&host, WAN0)?;
    outside.route_everything(&host)?;
    let lab = Lab::on(host, outside, options("none"))?;
    lab.add_two("")?;
    lab.ctl("publish net a -p 8080:80")?;
    let _inside = Echo::start(&lab.a(), 80)?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        let outside = at(lab.outside.address(family), 7);
        assert!(!reaches(&lab.a(), Udp, outside)?);
        // Published ports are the host's sockets then.
        ask(
            &lab.host.place(),
            Tcp,
            at(lab.outside.host_address(family), 8080),
        )?;
    }
    Ok(())
}
