//! Who reaches whom.

use anyhow::Result;
use vswitch_e2e::{WebServer, fetch_page};

use crate::fixture::{Lab, ping};

#[test]
fn sandboxes_reach_each_other() -> Result<()> {
    let lab = Lab::with_three("")?;
    for to in ["10.20.0.3", "10.20.0.4", "fd20::3", "fd20::4"] {
        lab.ping("a", to)?;
    }
    lab.ping("c", "10.20.0.2")?;
    lab.ping("c", "fd20::2")
}

#[test]
fn the_gateway_answers_arp_nd_and_echo() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.ping("a", "10.20.0.1")?;
    lab.ping("a", "fd20::1")?;
    for gateway in ["10.20.0.1", "fd20::1"] {
        let neighbour = lab.host.run_in("a", &format!("ip neigh show {gateway}"))?;
        assert!(
            neighbour.contains("lladdr 02:42:0a:14:00:01"),
            "{neighbour}"
        );
    }
    Ok(())
}

#[test]
fn sandboxes_have_a_default_route_to_the_gateway() -> Result<()> {
    let lab = Lab::with_three("")?;
    let route = lab.host.run_in("a", "ip route show default")?;
    assert!(
        route.starts_with("default via 10.20.0.1 dev eth0"),
        "{route}"
    );
    let route = lab.host.run_in("a", "ip -6 route show default")?;
    assert!(route.starts_with("default via fd20::1 dev eth0"), "{route}");
    Ok(())
}

#[test]
fn the_host_reaches_sandboxes_by_address() -> Result<()> {
    let lab = Lab::with_three("")?;
    ping(&lab.host.place(), "10.20.0.2")?;
    ping(&lab.host.place(), "fd20::2")?;
    let _server = WebServer::start(&lab.host.sandbox("a"), "sandbox")?;
    for address in ["10.20.0.2", "fd20::2"] {
        let address = address.parse()?;
        assert_eq!(fetch_page(&lab.host.place(), address)?, "sandbox");
        assert_eq!(fetch_page(&lab.host.sandbox("b"), address)?, "sandbox");
    }
    Ok(())
}

#[test]
fn sandboxes_reach_the_hosts_services_at_the_gateway() -> Result<()> {
    let lab = Lab::with_three("")?;
    let _server = WebServer::start(&lab.host.place(), "host")?;
    for address in ["10.20.0.1", "fd20::1"] {
        assert_eq!(
            fetch_page(&lab.host.sandbox("a"), address.parse()?)?,
            "host"
        );
    }
    Ok(())
}

#[test]
fn a_large_page_arrives_whole() -> Result<()> {
    let lab = Lab::with_three("")?;
    let size = 3 << 20;
    let _server = WebServer::start(&lab.host.sandbox("a"), &"x".repeat(size))?;
    for place in [lab.host.place(), lab.host.sandbox("b")] {
        assert_eq!(fetch_page(&place, "10.20.0.2".parse()?)?.len(), size);
        assert_eq!(fetch_page(&place, "fd20::2".parse()?)?.len(), size);
    }
    Ok(())
}

#[test]
fn what_has_no_way_is_dropped_and_counted() -> Result<()> {
    let lab = Lab::with_three("")?;
    lab.no_ping("a", "192.0.2.1")?;
    assert!(lab.daemon.drops("net", "no_route")? >= 2);
    Ok(())
}
