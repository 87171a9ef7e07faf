//! All that containers on two hosts say to each other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustix::net::netdevice::name_to_index;
use socket2::SockRef;
use vswitch_e2e::Transport::Udp;
use vswitch_e2e::{
    Capture, Conversation, Echo, IperfServer, Place, Protocol, ask, ask_large, eventually,
    send_frames,
};

use crate::fixture::{BROADCAST, PATIENCE, at, frame, inside, mac, ping};

/// The container at this end, and the other one.
pub(crate) const HERE: u8 = 10;
pub(crate) const THERE: u8 = 20;
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1));
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x1234));

/// Two containers of which each is on a host of its own.
pub(crate) struct Ends {
    pub(crate) here: Place,
    pub(crate) there: Place,
}

impl Ends {
    /// Both ways: all that programs do.
    pub(crate) fn talk(&self) -> Result<()> {
        let _servers = [Echo::start(&self.here, 7)?, Echo::start(&self.there, 7)?];
        for family in [4, 6] {
            for (place, to) in [(&self.here, THERE), (&self.there, HERE)] {
                let to = inside(family, to);
                ping(place, to)?;
                ask(place, Udp, at(to, 7))?;
                // In fragments of the sender's making.
                ask_large(place, at(to, 7), 8000)?;
                Conversation::start(place, at(to, 7))?.exchange(1 << 20)?;
            }
        }
        Ok(())
    }

    /// Both ways, as fast as it goes.
    pub(crate) fn bulk(&self) -> Result<()> {
        let server = IperfServer::start(&self.there)?;
        let address = inside(4, THERE).to_string();
        let datagrams = Protocol::Udp {
            length: 1000,
            bits_per_second: 50_000_000,
        };
        for protocol in [Protocol::Tcp, datagrams] {
            for reverse in [false, true] {
                let mut client = server.client(&address, protocol);
                client.reverse = reverse;
                let run = client.run(&self.here)?;
                ensure!(run.bytes > 1 << 20, "{protocol:?}, {reverse}: {run:?}");
            }
        }
        Ok(())
    }

    /// Both ways: frames for all, for a group, and for somebody who is nowhere.
    pub(crate) fn flood(&self) -> Result<()> {
        let destinations = [BROADCAST, [0x03, 0, 0, 0, 0, 5], [0x02, 0, 0, 0, 0, 0x77]];
        for (from, source, to) in [
            (&self.here, mac(HERE), &self.there),
            (&self.there, mac(THERE), &self.here),
        ] {
            let arriving = Capture::start(to, "eth0")?;
            let frames = destinations.map(|destination| frame(destination, source, 0x5a));
            send_frames(from, "eth0", 1, &frames)?;
            for frame in &frames {
                arriving.wait_for(frame)?;
            }
            for frame in &frames {
                ensure!(arriving.count(frame)? == 1, "a frame came twice");
            }
        }
        Ok(())
    }

    /// Both ways: datagrams to a group of each family.
    pub(crate) fn multicast(&self) -> Result<()> {
        for (from, source, to, member) in [
            (&self.here, HERE, &self.there, THERE),
            (&self.there, THERE, &self.here, HERE),
        ] {
            for group in [GROUP, GROUP6] {
                let member = to.inside(|| join(group, member))?;
                let sender = from.inside(|| sender(group, source))?;
                let mut heard = [0; 16];
                eventually("a datagram reaches the group", PATIENCE, || {
                    sender.send_to(&[source], at(group, 4000))?;
                    Ok(member.recv_from(&mut heard).is_ok())
                })?;
                ensure!(heard[0] == source, "somebody else's datagram");
            }
        }
        Ok(())
    }

    /// Sixteen flows of UDP, a few of TCP, and echo requests of both families.
    pub(crate) fn flows(&self) -> Result<()> {
        let _server = Echo::start(&self.there, 9)?;
        for family in [4, 6] {
            let to = at(inside(family, THERE), 9);
            for port in 5000..5008 {
                // The kernel chooses the outer source port by socket: it has to be the same one.
                let socket = self
                    .here
                    .inside(|| Ok(UdpSocket::bind((inside(family, HERE), port))?))?;
                socket.set_read_timeout(Some(PATIENCE))?;
                for _ in 0..3 {
                    socket.send_to(b"hello", to)?;
                    socket.recv_from(&mut [0; 100])?;
                }
            }
            for _ in 0..4 {
                Conversation::start(&self.here, to)?.exchange(50_000)?;
            }
            ping(&self.here, inside(family, THERE))?;
        }
        Ok(())
    }
}

/// A member of a group on port 4000 that waits for a moment at a time.
fn join(group: IpAddr, container: u8) -> Result<UdpSocket> {
    let socket = match (group, inside(4, container)) {
        (IpAddr::V4(group), IpAddr::V4(own)) => {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 4000))?;
            socket.join_multicast_v4(&group, &own)?;
            socket
        }
        (IpAddr::V6(group), _) => {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 4000))?;
            let index = name_to_index(&socket, "eth0")?;
            socket.join_multicast_v6(&group, index)?;
            socket
        }
        _ => bail!("containers have addresses of both families"),
    };
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    Ok(socket)
}

/// A socket that sends to groups by `eth0`.
fn sender(group: IpAddr, container: u8) -> Result<UdpSocket> {
    let family = if group.is_ipv4() { 4 } else { 6 };
    let own = inside(family, container);
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
