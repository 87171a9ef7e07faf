//! Groups, as programs join them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustix::net::netdevice::name_to_index;
use socket2::SockRef;
use vswitch_e2e::{Place, eventually};

use crate::fixture::{OUTSIDER, PATIENCE, Pair, at, on_wire, plain};

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1));
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x1234));
const PORT: u16 = 4000;

/// A member of a group, who waits for a moment at a time.
fn join(group: IpAddr, number: u8) -> Result<UdpSocket> {
    let socket = match (group, on_wire(4, number)) {
        (IpAddr::V4(group), IpAddr::V4(own)) => {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
            socket.join_multicast_v4(&group, &own)?;
            socket
        }
        (IpAddr::V6(group), _) => {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT))?;
            socket.join_multicast_v6(&group, name_to_index(&socket, "eth0")?)?;
            socket
        }
        _ => bail!("no such address"),
    };
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    Ok(socket)
}

fn sender(group: IpAddr, number: u8) -> Result<UdpSocket> {
    let own = on_wire(if group.is_ipv4() { 4 } else { 6 }, number);
    let socket = UdpSocket::bind((own, 0))?;
    match own {
        IpAddr::V4(own) => SockRef::from(&socket).set_multicast_if_v4(&own)?,
        IpAddr::V6(_) => {
            let index = name_to_index(&socket, "eth0")?;
            SockRef::from(&socket).set_multicast_if_v6(index)?;
        }
    }
    Ok(socket)
}

/// A member hears each datagram once.
fn hears((from, source): (&Place, u8), (to, member): (&Place, u8)) -> Result<()> {
    for group in [GROUP, GROUP6] {
        let listener = to.inside(|| join(group, member))?;
        let sender = from.inside(|| sender(group, source))?;
        let mut said = 0;
        let mut heard = Vec::new();
        let mut message = [0; 16];
        eventually("a datagram reaches the group", PATIENCE, || {
            said += 1;
            sender.send_to(&[source, said], at(group, PORT))?;
            while let Ok((length, _)) = listener.recv_from(&mut message) {
                heard.push(message[..length].to_vec());
            }
            Ok(!heard.is_empty())
        })?;
        for message in &heard {
            ensure!(message[0] == source, "{group}: {message:?}");
            let times = heard.iter().filter(|other| *other == message).count();
            ensure!(times == 1, "{group}: {message:?} came {times} times");
        }
    }
    Ok(())
}

fn groups_are_heard(driver: &str) -> Result<()> {
    let pair = Pair::new(driver, "")?;
    let [here, there] = pair.containers();
    let sibling = pair.nodes[0].attach("net", 11)?;
    let outsider = plain(&pair.wire, OUTSIDER)?;
    let here = (&here, 10);
    for other in [(&there, 20), (&sibling, 11), (&outsider.place(), OUTSIDER)] {
        hears(here, other)?;
        hears(other, here)?;
    }
    Ok(())
}

#[test]
fn macvlan_containers_hear_groups() -> Result<()> {
    groups_are_heard("macvlan")
}

#[test]
fn ipvlan_containers_hear_groups() -> Result<()> {
    groups_are_heard("ipvlan")
}
