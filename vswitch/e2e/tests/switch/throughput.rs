//! Bulk traffic: whole, in both directions, in frames of every size.

use anyhow::Result;
use vswitch_e2e::{IperfServer, Protocol, WebServer, eventually, fetch_page};

use crate::fixture::{Lab, PATIENCE};

/// Slow enough for a debug build on a busy machine.
const MODEST: Protocol = Protocol::Udp {
    length: 1200,
    bits_per_second: 20_000_000,
};

fn carries(lab: &Lab, address: &str, protocol: Protocol) -> Result<()> {
    let server = IperfServer::start(&lab.host.sandbox("b"))?;
    let mut client = server.client(address, protocol);
    for reverse in [false, true] {
        client.reverse = reverse;
        let run = client.run(&lab.host.sandbox("a"))?;
        println!("{protocol:?} to {address}, reverse {reverse}: {run:?}");
        assert!(run.bytes > 1_000_000, "{run:?}");
        assert!(run.lost_packets * 10 <= run.packets, "{run:?}");
    }
    Ok(())
}

#[test]
fn tcp_over_ipv4() -> Result<()> {
    carries(&Lab::with_three("")?, "10.20.0.3", Protocol::Tcp)
}

#[test]
fn tcp_over_ipv6() -> Result<()> {
    carries(&Lab::with_three("")?, "fd20::3", Protocol::Tcp)
}

#[test]
fn udp_over_ipv4() -> Result<()> {
    carries(&Lab::with_three("")?, "10.20.0.3", MODEST)
}

#[test]
fn udp_over_ipv6() -> Result<()> {
    carries(&Lab::with_three("")?, "fd20::3", MODEST)
}

#[test]
fn several_connections_at_once() -> Result<()> {
    let lab = Lab::with_three("")?;
    let server = IperfServer::start(&lab.host.sandbox("b"))?;
    let mut client = server.client("10.20.0.3", Protocol::Tcp);
    client.streams = 4;
    let run = client.run(&lab.host.sandbox("a"))?;
    assert!(run.bytes > 1_000_000, "{run:?}");
    Ok(())
}

#[test]
fn host_and_sandbox_in_both_directions() -> Result<()> {
    let lab = Lab::with_three("")?;
    let server = IperfServer::start(&lab.host.sandbox("b"))?;
    for address in ["10.20.0.3", "fd20::3"] {
        for reverse in [false, true] {
            let mut client = server.client(address, Protocol::Tcp);
            client.reverse = reverse;
            let run = client.run(&lab.host.place())?;
            assert!(run.bytes > 1_000_000, "{run:?}");
        }
    }
    Ok(())
}

#[test]
fn super_frames_go_through_whole() -> Result<()> {
    let lab = Lab::with_three("")?;
    carries(&lab, "10.20.0.3", Protocol::Tcp)?;
    assert!(lab.daemon.sum_stats("a", "/rx/super_frames")? > 0);
    assert!(lab.daemon.sum_stats("b", "/tx/super_frames")? > 0);
    assert_eq!(lab.daemon.sum_stats("net", "/segmented")?, 0);
    Ok(())
}

#[test]
fn a_network_without_offloads_gets_no_super_frame() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.offload=false")?;
    carries(&lab, "10.20.0.3", Protocol::Tcp)?;
    carries(&lab, "fd20::3", Protocol::Tcp)?;
    carries(&lab, "fd20::3", MODEST)?;
    let segmented = lab.daemon.sum_stats("b", "/segmented")?;
    println!("{segmented} super-frames were segmented");
    assert!(segmented > 0);
    assert_eq!(lab.daemon.sum_stats("net", "/tx/super_frames")?, 0);

    let [b] = lab.listen(["b"])?;
    let _server = WebServer::start(&lab.host.sandbox("a"), &"x".repeat(1 << 20))?;
    fetch_page(&lab.host.sandbox("b"), "10.20.0.2".parse()?)?;
    let payload = |frames: &[Vec<u8>]| {
        frames
            .iter()
            .map(|f| f.len().saturating_sub(42))
            .sum::<usize>()
    };
    eventually("all of the page is captured", PATIENCE, || {
        Ok(payload(&b.frames()?) >= 1 << 20)
    })?;
    assert!(b.frames()?.iter().all(|frame| frame.len() <= 1514));
    Ok(())
}

#[test]
fn frames_are_as_long_as_the_network_allows() -> Result<()> {
    let lab = Lab::new()?;
    for mtu in [1280_u32, 1500, 9000] {
        let net = format!("net{mtu}");
        let third = mtu / 100;
        lab.ctl(&format!(
            "add-net {net} --subnet 10.60.{third}.0/24 -o com.docker.network.driver.mtu={mtu}"
        ))?;
        let (left, right) = (format!("l{mtu}"), format!("r{mtu}"));
        lab.daemon.populate(&net, &[&left, &right])?;
        let link = lab.host.run_in(&left, "ip link show eth0")?;
        assert!(link.contains(&format!("mtu {mtu} ")), "{link}");
        let largest = (mtu - 28).to_string();
        let too_large = (mtu - 27).to_string();
        let echo = |size: &str| {
            let ping = lab.host.sandbox(&left).program("ping");
            let target = format!("10.60.{third}.3");
            ping.args([
                "-M", "do", "-c", "2", "-i", "0.2", "-W", "2", "-s", size, &target,
            ])
            .run()
        };
        echo(&largest)?.success()?;
        assert!(!echo(&too_large)?.status.success());
        // In fragments it goes through nevertheless.
        lab.host
            .run_in(&left, &format!("ping -c 2 -i 0.2 -s 20000 10.60.{third}.3"))?;
    }
    Ok(())
}
