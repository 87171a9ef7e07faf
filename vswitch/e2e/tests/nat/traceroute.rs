//! The router is a hop like others (RFC 1812 §5.3.1).

use anyhow::{Result, ensure};
use vswitch_e2e::{FAR, NARROW, Place};

use crate::fixture::{Lab, inside};

/// The addresses that `traceroute` names, hop by hop.
fn hops(place: &Place, kind: &[&str], to: &str) -> Result<Vec<String>> {
    let traceroute = place.program("traceroute");
    // One probe at a time, so that nobody's limit of errors is reached.
    let options = ["-n", "-q", "1", "-N", "1", "-w", "3", "-m", "6", to];
    let said = traceroute.args(kind).args(options).output()?;
    println!("{said}");
    let hop = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    Ok(said.lines().skip(1).filter_map(hop).collect())
}

#[test]
fn traceroute_shows_every_hop() -> Result<()> {
    let lab = Lab::new()?;
    lab.outside.put_behind(&lab.host, 1500)?;
    for family in [4, 6] {
        let to = FAR.address(family, 2).to_string();
        let expected = [
            inside(family, 1).to_string(),
            lab.outside.address(family).to_string(),
            NARROW.address(family, 2).to_string(),
            to.clone(),
        ];
        // By UDP to a port after another, by ICMP echo, and by TCP (SYN).
        for kind in [&[][..], &["-I"], &["-T"]] {
            assert_eq!(hops(&lab.a(), kind, &to)?, expected, "{kind:?}");
        }
    }
    assert!(lab.daemon.drops("a", "ttl_exceeded")? >= 6);
    Ok(())
}

#[test]
fn a_last_hop_is_not_forwarded() -> Result<()> {
    let lab = Lab::new()?;
    for family in [4, 6] {
        let to = lab.outside.address(family).to_string();
        let ping = |ttl: &str| {
            let ping = lab.a().program("ping");
            ping.args(["-n", "-c", "1", "-W", "3", "-t", ttl, &to])
                .run()
        };
        let said = ping("1")?;
        println!("{}", said.stdout);
        ensure!(!said.status.success(), "{to} answers");
        let gateway = format!("From {}", inside(family, 1));
        ensure!(said.stdout.contains(&gateway), "no {gateway:?}");
        let told = if family == 4 {
            "Time to live exceeded"
        } else {
            "Hop limit"
        };
        ensure!(said.stdout.contains(told), "no {told:?}");
        ensure!(ping("2")?.status.success(), "two hops are enough");
    }
    Ok(())
}

#[test]
fn a_traceroute_from_outside_ends_at_the_published_port() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 33434-33500:33434-33500/udp")?;
    for family in [4, 6] {
        let host = lab.outside.host_address(family).to_string();
        // The gateway's address is not outside's affair: the host speaks with its own.
        let kind = ["-U", "-p", "33434"];
        assert_eq!(hops(lab.outside(), &kind, &host)?, [host.clone(), host]);
    }
    Ok(())
}
