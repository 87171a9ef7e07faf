//! Containers that move from host to host, with the same addresses.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use vswitch_e2e::{Conversation, Echo, Place, eventually, figures};

use crate::fixture::{BROADCAST, frame};
use crate::fixture::{PATIENCE, at, inside, mac, mac_text, ping, sandbox};
use crate::mesh::Mesh;

/// The container that moves.
const MOVER: u8 = 50;

/// How long it takes until somebody who does not stop asking is answered.
fn until_answered(place: &Place, family: u8) -> Result<Duration> {
    let socket = place.inside(|| {
        let any = if family == 4 { "0.0.0.0:0" } else { "[::]:0" };
        Ok(UdpSocket::bind(any)?)
    })?;
    socket.set_read_timeout(Some(Duration::from_millis(10)))?;
    let start = Instant::now();
    eventually("the container that moved answers", PATIENCE, || {
        // While nobody knows the address, the kernel may say so.
        let sent = socket.send_to(b"hello", at(inside(family, MOVER), 7));
        Ok(sent.is_ok() && socket.recv_from(&mut [0; 100]).is_ok())
    })?;
    Ok(start.elapsed())
}

#[test]
fn a_container_that_moves_is_followed() -> Result<()> {
    let mesh = Mesh::of(3)?;
    let mut at_home = 1;
    let mut server = Echo::start(&mesh.node(at_home).attach(MOVER)?, 7)?;
    for number in [2, 3, 1] {
        for from in 1..=3 {
            for family in [4, 6] {
                ping(&mesh.container(from), inside(family, MOVER))?;
            }
        }
        // It says nothing of itself after its move: the hosts have to find out.
        let name = sandbox(MOVER);
        mesh.node(at_home).ctl(&format!("detach net {name}"))?;
        mesh.node(at_home).ctl(&format!("rm-sandbox {name}"))?;
        let place = mesh.node(number).attach(MOVER)?;
        let moved = Instant::now();
        server = Echo::start(&place, 7)?;
        for from in 1..=3 {
            for family in [4, 6] {
                until_answered(&mesh.container(from), family)?;
            }
        }
        figures(&format!(
            "a container moved from host {at_home} to {number}: {:.2} s until all others reached it again",
            moved.elapsed().as_secs_f64()
        ))?;
        // Those who knew it elsewhere know better now.
        for other in (1..=3).filter(|other| *other != number) {
            let fdb = mesh.node(other).rows("fdb net")?;
            let rows: Vec<_> = fdb
                .iter()
                .filter(|row| row["mac"] == mac_text(MOVER))
                .collect();
            ensure!(rows.len() == 1, "{fdb:?}");
            let port = format!("vtep-{}", mesh.underlay.address(4, number));
            ensure!(rows[0]["port"]["name"] == port, "{:?}", rows[0]);
        }
        at_home = number;
    }
    drop(server);
    Ok(())
}

/// A virtual machine behind a container, say: the address is nobody's by configuration.
#[test]
fn an_address_that_appears_elsewhere_is_followed() -> Result<()> {
    let mesh = Mesh::with(3, 4, "-o vswitch.anti-spoof=false")?;
    let somebody = [0x02, 0, 0, 0, 0, 0x77];
    let mut mark = 0;
    for number in [1, 2, 3, 1] {
        mark += 1;
        let arrives = vswitch_e2e::Capture::start(&mesh.container(number), "eth0")?;
        let hello = frame(BROADCAST, somebody, mark);
        vswitch_e2e::send_frames(&mesh.container(number), "eth0", 1, &[hello])?;
        for from in (1..=3).filter(|from| *from != number) {
            let question = frame(somebody, mac(10 * from), mark);
            eventually("frames follow the address", PATIENCE, || {
                let place = mesh.container(from);
                vswitch_e2e::send_frames(&place, "eth0", 1, std::slice::from_ref(&question))?;
                std::thread::sleep(Duration::from_millis(20));
                Ok(arrives.count(&question)? > 0)
            })?;
        }
    }
    Ok(())
}

/// The gateway is the same on each host, so that what a container knows of it stays true.
#[test]
fn a_namespace_that_is_attached_again_goes_on() -> Result<()> {
    let mesh = Mesh::of(2)?;
    let _server = Echo::start(&mesh.container(1), 7)?;
    let node = mesh.node(2);
    for _ in 0..2 {
        node.ctl("detach net c20")?;
        node.attach_again(20)?;
        let to = at(inside(4, 10), 7);
        Conversation::start(&mesh.container(2), to)?.exchange(1 << 20)?;
        ping(&mesh.container(1), inside(6, 20))?;
    }
    Ok(())
}
