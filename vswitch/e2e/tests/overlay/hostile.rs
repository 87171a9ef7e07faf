//! What comes from the underlay and nobody sends by mistake.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use etherparse::PacketBuilder;
use vswitch_e2e::{Capture, Conversation, Echo, Place, Underlay, eventually, send_frames};

use crate::fixture::{
    BROADCAST, EXPERIMENT, Node, PATIENCE, VNI, at, frame, inside, mac, mac_text, ping,
};
use crate::handmade::{Handmade, datagram};

/// A host with a daemon and two containers, a peer and a stranger.
pub(crate) struct Lab {
    pub(crate) node: Node,
    pub(crate) peer: Handmade,
    stranger: Handmade,
    pub(crate) underlay: Underlay,
}

/// Containers of the host; and one of the peer's.
pub(crate) const A: u8 = 10;
pub(crate) const B: u8 = 11;
pub(crate) const REMOTE: u8 = 20;

impl Lab {
    pub(crate) fn new(options: &str) -> Result<Self> {
        let underlay = Underlay::new()?;
        let node = Node::new(&underlay, 1)?;
        let peer = Handmade::new(&underlay, 2)?;
        let stranger = Handmade::new(&underlay, 3)?;
        node.add_net(&[peer.address], options)?;
        node.attach(A)?;
        node.attach(B)?;
        Ok(Self {
            node,
            peer,
            stranger,
            underlay,
        })
    }

    pub(crate) fn host(&self) -> IpAddr {
        self.underlay.address(4, 1)
    }

    pub(crate) fn a(&self) -> Place {
        self.node.container(A)
    }

    pub(crate) fn drops(&self, reason: &str) -> Result<u64> {
        self.node.tunnel_drops(reason)
    }

    /// Sends datagrams that must be dropped for a reason, each, and shows that what the peer means well
    /// arrives before and after.
    fn refuses(&self, reason: &str, count: usize, send: impl FnOnce() -> Result<()>) -> Result<()> {
        let arriving = Capture::start(&self.a(), "eth0")?;
        let before = self.drops(reason)?;
        let [first, last] = [0xf0, 0xf1].map(|mark| frame(BROADCAST, mac(REMOTE), mark));
        self.peer.send(self.host(), VNI, &first)?;
        arriving.wait_for(&first)?;
        send()?;
        let expected = before + u64::try_from(count)?;
        eventually(&format!("{expected} drops as {reason}"), PATIENCE, || {
            Ok(self.drops(reason)? >= expected)
        })
        .with_context(|| self.node.ctl("stats").unwrap_or_default())?;
        self.peer.send(self.host(), VNI, &last)?;
        arriving.wait_for(&last)?;
        ensure!(self.drops(reason)? == expected, "more were dropped");
        let experiments = arriving.frames()?;
        let experiments = experiments.iter().filter(|f| f[12..14] == EXPERIMENT);
        ensure!(experiments.count() == 2, "something else arrived");
        Ok(())
    }
}

#[test]
fn strangers_are_not_heard() -> Result<()> {
    let lab = Lab::new("")?;
    lab.refuses("unknown_vtep", 3, || {
        for mark in 0..3 {
            let hello = frame(BROADCAST, mac(30), mark);
            lab.stranger.send(lab.host(), VNI, &hello)?;
        }
        Ok(())
    })?;
    let (vteps, fdb) = (lab.node.ctl("vtep list")?, lab.node.ctl("fdb")?);
    ensure!(
        !vteps.contains(&lab.stranger.address.to_string()),
        "{vteps}"
    );
    ensure!(!fdb.contains(&mac_text(30)), "{fdb}");
    Ok(())
}

#[test]
fn strangers_become_peers_where_that_is_wanted() -> Result<()> {
    let lab = Lab::new("-o learn-peers=true")?;
    let arriving = Capture::start(&lab.a(), "eth0")?;
    let hello = frame(BROADCAST, mac(30), 1);
    // The first one makes it a peer; whether it arrives itself is left open.
    eventually("the stranger is heard", PATIENCE, || {
        lab.stranger.send(lab.host(), VNI, &hello)?;
        std::thread::sleep(Duration::from_millis(20));
        Ok(arriving.count(&hello)? > 0)
    })?;
    let vteps = lab.node.rows("vtep list net")?;
    let stranger = lab.stranger.address.to_string();
    let row = vteps.iter().find(|row| row["address"] == stranger);
    let row = row.with_context(|| format!("{vteps:?}"))?;
    ensure!(row["origin"] == "learned", "{row}");
    // Answers go there, and what is for all goes there, too.
    let answer = frame(mac(30), mac(A), 2);
    let flooded = frame(BROADCAST, mac(A), 3);
    send_frames(&lab.a(), "eth0", 1, &[answer.clone(), flooded.clone()])?;
    lab.stranger.wait_for(&answer)?;
    lab.stranger.wait_for(&flooded)?;
    lab.peer.wait_for(&flooded)?;
    // And from the one to the other nothing goes by way of this host.
    lab.peer
        .send(lab.host(), VNI, &frame(mac(30), mac(REMOTE), 4))?;
    let split = frame(BROADCAST, mac(REMOTE), 5);
    lab.peer.send(lab.host(), VNI, &split)?;
    arriving.wait_for(&split)?;
    let last = frame(BROADCAST, mac(A), 6);
    send_frames(&lab.a(), "eth0", 1, std::slice::from_ref(&last))?;
    let heard = lab.stranger.hear_until(&last)?;
    ensure!(!heard.contains(&split), "split horizon");
    ensure!(lab.drops("split_horizon")? > 0);
    Ok(())
}

#[test]
fn other_numbers_are_not_heard() -> Result<()> {
    let lab = Lab::new("")?;
    let hello = frame(BROADCAST, mac(REMOTE), 1);
    let vnis = [0, 1, VNI - 1, VNI + 1, 0xff_ffff];
    lab.refuses("unknown_vni", vnis.len(), || {
        vnis.iter()
            .try_for_each(|&vni| lab.peer.send(lab.host(), vni, &hello))
    })
}

#[test]
fn datagrams_that_hold_no_frame_are_dropped() -> Result<()> {
    let lab = Lab::new("")?;
    let whole = datagram(VNI, &frame(BROADCAST, mac(REMOTE), 1));
    let mut bad: Vec<Vec<u8>> = (1..8 + 14).map(|length| whole[..length].to_vec()).collect();
    for flags in [0x00, 0xf7, 0x80] {
        let mut without_vni = whole.clone();
        without_vni[0] = flags;
        bad.push(without_vni);
    }
    bad.push(vec![0; 1400]);
    bad.push(b"GET / HTTP/1.1\r\nHost: somebody\r\n\r\n".to_vec());
    lab.refuses("bad_vxlan", bad.len(), || {
        bad.iter()
            .try_for_each(|datagram| lab.peer.send_datagram(lab.host(), datagram))
    })?;
    // RFC 7348 section 5: what is reserved is ignored.
    let arriving = Capture::start(&lab.a(), "eth0")?;
    let mut reserved = datagram(VNI, &frame(BROADCAST, mac(REMOTE), 2));
    (reserved[0], reserved[7]) = (0xff, 0xff);
    reserved[1..4].fill(0xff);
    lab.peer.send_datagram(lab.host(), &reserved)?;
    arriving.wait_for(&reserved[8..])
}

#[test]
fn any_datagram_at_all_harms_nobody() -> Result<()> {
    let mut lab = Lab::new("-o inner-vlan=true")?;
    let _server = Echo::start(&lab.node.container(B), 7)?;
    let mut open = Conversation::start(&lab.a(), at(inside(4, B), 7))?;
    let pid = lab.node.daemon.pid();
    let mut inner = [mac(A), mac(REMOTE)].concat();
    inner.extend([0x08, 0x00]);
    PacketBuilder::ipv4([10, 20, 0, REMOTE], [10, 20, 0, A], 64)
        .udp(7, 9)
        .write(&mut inner, &[0x55; 200])?;
    // Every octet of the headers wrong in some ways, and longer than anything that fits a container.
    for at in 8..8 + 42 {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut spoiled = datagram(VNI, &inner);
            spoiled[at] = value;
            lab.peer.send_datagram(lab.host(), &spoiled)?;
        }
    }
    for length in [1451, 1500, 9000, 20_000, 65_000] {
        let mut long = frame(mac(A), mac(REMOTE), 1);
        long.resize(14 + length, 0x5a);
        lab.peer.send(lab.host(), VNI, &long)?;
        let mut packet = [mac(A), mac(REMOTE)].concat();
        packet.extend([0x08, 0x00]);
        PacketBuilder::ipv4([10, 20, 0, REMOTE], [10, 20, 0, A], 64)
            .udp(7, 9)
            .write(&mut packet, &vec![0x55; length - 28])?;
        lab.peer.send(lab.host(), VNI, &packet)?;
    }
    // A tunnel in the tunnel.
    let nested = datagram(VNI, &datagram(VNI, &datagram(VNI, &inner)));
    lab.peer.send_datagram(lab.host(), &nested)?;
    let arriving = Capture::start(&lab.a(), "eth0")?;
    let last = frame(BROADCAST, mac(REMOTE), 0xf1);
    lab.peer.send(lab.host(), VNI, &last)?;
    arriving.wait_for(&last)?;
    open.exchange(1 << 20)?;
    ensure!(lab.node.daemon.is_running()? && lab.node.daemon.pid() == pid);
    let log = lab.node.daemon.log()?;
    ensure!(!log.contains("panic"), "{log}");
    Ok(())
}

#[test]
fn ones_own_address_as_source() -> Result<()> {
    let lab = Lab::new("-o learn-peers=true")?;
    let socket = lab
        .node
        .host
        .place()
        .inside(|| Ok(UdpSocket::bind((lab.host(), 0))?))?;
    let hello = datagram(VNI, &frame(BROADCAST, mac(30), 1));
    lab.refuses("reflected", 2, || {
        for _ in 0..2 {
            socket.send_to(&hello, (lab.host(), 4789))?;
        }
        Ok(())
    })?;
    let vteps = lab.node.ctl("vtep list")?;
    ensure!(!vteps.contains(&lab.host().to_string()), "{vteps}");
    Ok(())
}

#[test]
fn tags_are_dropped_unless_they_are_wanted() -> Result<()> {
    let tagged = |mark| {
        let mut tagged = frame(BROADCAST, mac(REMOTE), mark);
        tagged.splice(12..12, [0x81, 0x00, 0x00, 0x07]);
        tagged
    };
    let lab = Lab::new("")?;
    lab.refuses("inner_vlan", 2, || {
        lab.peer.send(lab.host(), VNI, &tagged(1))?;
        lab.peer.send(lab.host(), VNI, &tagged(2))
    })?;
    // Out of a container neither.
    let (with, without) = (tagged(3), frame(BROADCAST, mac(A), 4));
    let mut own = with.clone();
    own[6..12].copy_from_slice(&mac(A));
    send_frames(&lab.a(), "eth0", 1, &[own.clone(), without.clone()])?;
    let heard = lab.peer.hear_until(&without)?;
    ensure!(!heard.contains(&own), "a tag in the tunnel");
    ensure!(lab.node.daemon.drops("net", "inner_vlan")? > 2);

    let lab = Lab::new("-o inner-vlan=true")?;
    let arriving = Capture::start(&lab.a(), "eth0")?;
    lab.peer.send(lab.host(), VNI, &tagged(5))?;
    arriving.wait_for(&tagged(5))?;
    send_frames(&lab.a(), "eth0", 1, std::slice::from_ref(&own))?;
    lab.peer.wait_for(&own)
}

#[test]
fn a_peer_cannot_fill_the_table() -> Result<()> {
    let lab = Lab::new("-o vswitch.peer-fdb-limit=100")?;
    lab.node
        .ctl(&format!("vtep add net {}", lab.stranger.address))?;
    let arriving = Capture::start(&lab.a(), "eth0")?;
    let of = |number: u16| {
        let [high, low] = number.to_be_bytes();
        frame(mac(A), [0x02, 0, 0, 1, high, low], 1)
    };
    let behind = |peer: &Handmade| -> Result<usize> {
        let port = format!("vtep-{}", peer.address);
        let fdb = lab.node.rows("fdb net")?;
        Ok(fdb.iter().filter(|row| row["port"]["name"] == port).count())
    };
    for number in 0..3000 {
        lab.peer.send(lab.host(), VNI, &of(number))?;
    }
    eventually("as many as may be are learned", PATIENCE, || {
        Ok(behind(&lab.peer)? >= 100)
    })?;
    // Another peer learns as before, and so does everybody here.
    lab.stranger
        .send(lab.host(), VNI, &frame(BROADCAST, mac(30), 2))?;
    arriving.wait_for(&frame(BROADCAST, mac(30), 2))?;
    ensure!(behind(&lab.peer)? == 100);
    ensure!(behind(&lab.stranger)? == 1);
    ping(&lab.a(), inside(4, B))?;
    let answer = frame(mac(30), mac(A), 3);
    send_frames(&lab.a(), "eth0", 1, std::slice::from_ref(&answer))?;
    lab.stranger.wait_for(&answer)
}
