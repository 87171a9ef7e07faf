//! Raw frames: what a bridge does with each kind (IEEE 802.1D).

use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::{Capture, eventually, send_frames, send_with_vnet_header};

use crate::fixture::{Lab, PATIENCE};

/// For experiments of one's own (IEEE 802).
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

/// The MAC address that goes with 10.20.0.`last`.
pub(crate) const fn mac(last: u8) -> [u8; 6] {
    [0x02, 0x42, 10, 20, 0, last]
}

/// A frame with some payload that makes it unlike others.
pub(crate) fn frame(destination: [u8; 6], source: [u8; 6], mark: u8) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend(EXPERIMENT);
    frame.extend([mark; 46]);
    frame
}

const BROADCAST: [u8; 6] = [0xff; 6];
const SOMEBODY: [u8; 6] = [0x02, 0, 0, 0, 0, 0x77];

impl Lab {
    /// Sends frames from a sandbox.
    pub(crate) fn send(&self, from: &str, count: u32, frames: &[Vec<u8>]) -> Result<()> {
        send_frames(&self.host.sandbox(from), "eth0", count, frames)
    }

    /// The frames that arrive at sandboxes.
    pub(crate) fn listen<const N: usize>(&self, at: [&str; N]) -> Result<[Capture; N]> {
        let mut captures = Vec::new();
        for sandbox in at {
            captures.push(Capture::start(&self.host.sandbox(sandbox), "eth0")?);
        }
        captures
            .try_into()
            .map_err(|_| anyhow::anyhow!("as many captures as sandboxes"))
    }

    /// Sends a last frame everywhere: when it has arrived, all before it have, or never will.
    pub(crate) fn flush(&self, from: &str, last: u8, captures: &[&Capture]) -> Result<()> {
        let frame = frame(BROADCAST, mac(last), 0xee);
        self.send(from, 1, std::slice::from_ref(&frame))?;
        captures.iter().try_for_each(|c| c.wait_for(&frame))
    }
}

#[test]
fn groups_and_unknown_addresses_are_flooded_and_known_ones_are_not() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [a, b, c] = lab.listen(["a", "b", "c"])?;
    let broadcast = frame(BROADCAST, mac(2), 1);
    let multicast = frame([0x03, 0, 0, 0, 0, 5], mac(2), 2);
    let unknown = frame(SOMEBODY, mac(2), 3);
    let known = frame(mac(3), mac(2), 4);
    lab.send(
        "a",
        1,
        &[
            broadcast.clone(),
            multicast.clone(),
            unknown.clone(),
            known.clone(),
        ],
    )?;
    lab.flush("a", 2, &[&b, &c])?;
    for flooded in [&broadcast, &multicast, &unknown] {
        assert_eq!((b.count(flooded)?, c.count(flooded)?), (1, 1));
        assert_eq!(a.count(flooded)?, 0, "back out of the ingress port");
    }
    assert_eq!((b.count(&known)?, c.count(&known)?), (1, 0));
    Ok(())
}

#[test]
fn frames_keep_their_order_and_every_octet() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [b] = lab.listen(["b"])?;
    let sent: Vec<_> = (0..200)
        .map(|mark| {
            let mut frame = frame(mac(3), mac(2), mark);
            frame.resize(60 + usize::from(mark) * 7, mark);
            frame
        })
        .collect();
    lab.send("a", 1, &sent)?;
    b.wait_for(&sent[199])?;
    let seen: Vec<_> = b.frames()?;
    let seen: Vec<_> = seen.iter().filter(|f| f[12..14] == EXPERIMENT).collect();
    assert!(seen.into_iter().eq(&sent));
    Ok(())
}

#[test]
fn reserved_groups_are_not_forwarded() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [b, c] = lab.listen(["b", "c"])?;
    let reserved: Vec<_> = (0..16)
        .map(|last| frame([0x01, 0x80, 0xc2, 0, 0, last], mac(2), last))
        .collect();
    // The next one is an ordinary group.
    let ordinary = frame([0x01, 0x80, 0xc2, 0, 0, 0x10], mac(2), 0x10);
    lab.send("a", 1, &reserved)?;
    lab.send("a", 1, std::slice::from_ref(&ordinary))?;
    b.wait_for(&ordinary)?;
    c.wait_for(&ordinary)?;
    for frame in &reserved {
        assert_eq!((b.count(frame)?, c.count(frame)?), (0, 0));
    }
    assert!(lab.daemon.drops("a", "reserved_group")? >= 16);
    Ok(())
}

#[test]
fn a_moved_address_is_relearned_at_once() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.anti-spoof=false")?;
    let [a, c] = lab.listen(["a", "c"])?;
    let to_somebody = |mark| [frame(SOMEBODY, mac(3), mark)];
    lab.send("a", 1, &[frame(mac(3), SOMEBODY, 1)])?;
    lab.send("b", 1, &to_somebody(2))?;
    a.wait_for(&to_somebody(2)[0])?;
    lab.send("c", 1, &[frame(mac(3), SOMEBODY, 3)])?;
    lab.send("b", 1, &to_somebody(4))?;
    c.wait_for(&to_somebody(4)[0])?;
    lab.flush("b", 3, &[&a, &c])?;
    assert_eq!(c.count(&to_somebody(2)[0])?, 0);
    assert_eq!(a.count(&to_somebody(4)[0])?, 0);
    Ok(())
}

fn learned(lab: &Lab) -> Result<usize> {
    let fdb = lab.daemon.json("fdb net")?;
    let entries = fdb.as_array().map_or(&[][..], |all| all);
    Ok(entries.iter().filter(|e| e["origin"] == "learned").count())
}

#[test]
fn learned_addresses_age() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.anti-spoof=false -o vswitch.ageing=10")?;
    lab.send("a", 1, &[frame(mac(3), SOMEBODY, 1)])?;
    let knows = || Ok(lab.ctl("fdb net")?.contains("02:00:00:00:00:77"));
    eventually("the address is learned", PATIENCE, knows)?;
    eventually("the address is forgotten", Duration::from_secs(25), || {
        Ok(!knows()?)
    })
}

#[test]
fn a_full_table_floods() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.anti-spoof=false -o vswitch.fdb-limit=16")?;
    let [b, c] = lab.listen(["b", "c"])?;
    let sources: Vec<_> = (0..100)
        .map(|last| frame(mac(3), [2, 0, 0, 0, 1, last], last))
        .collect();
    lab.send("a", 1, &sources)?;
    b.wait_for(&sources[99])?;
    assert!(learned(&lab)? <= 16, "{}", lab.ctl("fdb net")?);
    let to_the_last = frame([2, 0, 0, 0, 1, 99], mac(3), 1);
    lab.send("b", 1, std::slice::from_ref(&to_the_last))?;
    c.wait_for(&to_the_last)
}

#[test]
fn sources_that_no_station_can_have_are_refused() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.anti-spoof=false")?;
    let [b] = lab.listen(["b"])?;
    let group = frame(mac(3), [0x03, 0, 0, 0, 0, 1], 1);
    let zero = frame(mac(3), [0; 6], 2);
    lab.send("a", 1, &[group.clone(), zero.clone()])?;
    lab.flush("a", 2, &[&b])?;
    assert_eq!((b.count(&group)?, b.count(&zero)?), (0, 0));
    assert_eq!(lab.daemon.drops("a", "bad_source")?, 2);
    Ok(())
}

#[test]
fn a_storm_is_limited_and_the_rest_goes_on() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.storm-limit=50")?;
    let [b] = lab.listen(["b"])?;
    let storm = frame(BROADCAST, mac(2), 1);
    let known = frame(mac(3), mac(2), 2);
    lab.send("a", 1000, std::slice::from_ref(&storm))?;
    lab.send("a", 1, std::slice::from_ref(&known))?;
    b.wait_for(&known)?;
    let (seen, dropped) = (b.count(&storm)?, lab.daemon.drops("a", "storm_limit")?);
    println!("of 1000 broadcasts {seen} arrived and {dropped} were dropped");
    assert!((1..1000).contains(&seen));
    assert!(dropped > 0);
    Ok(())
}

#[test]
fn hostile_virtio_headers_harm_nobody() -> Result<()> {
    let lab = Lab::with_three("")?;
    let datagram = {
        let mut frame = [mac(3), mac(2)].concat();
        let builder = etherparse::PacketBuilder::ipv4([10, 20, 0, 2], [10, 20, 0, 3], 64);
        frame.extend([0x08, 0x00]);
        builder.udp(7, 9).write(&mut frame, &[0x55; 1000])?;
        frame
    };
    let header = |flags: u8, kind: u8, fields: [u16; 4]| {
        let mut header = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0];
        for (place, field) in header[2..].chunks_exact_mut(2).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        header
    };
    let edges = [0, 1, 7, 14, 33, 34, 42, 1000, 0x7fff, 0xfffe, 0xffff];
    let mut hostile = Vec::new();
    for kind in [0, 1, 3, 4, 5, 0x20, 0x81, 0x84, 0xff] {
        for flags in [0, 1, 2, 7, 0xff] {
            for edge in edges {
                hostile.push((header(flags, kind, [edge, edge, 34, 6]), datagram.clone()));
                hostile.push((header(flags, kind, [42, 500, edge, 6]), datagram.clone()));
                hostile.push((header(flags, kind, [42, 500, 34, edge]), datagram.clone()));
                let short = datagram[..usize::from(edge).clamp(14, 60)].to_vec();
                hostile.push((header(flags, kind, [edge, 1, 34, 6]), short));
            }
        }
    }
    let mut passed = 0;
    for some in hostile.chunks(100) {
        passed += send_with_vnet_header(&lab.host.sandbox("a"), "eth0", some)?;
    }
    println!("{passed} of {} passed the sender's kernel", hostile.len());
    assert!(passed > 0);
    lab.ping("a", "10.20.0.3")?;
    lab.ping("b", "fd20::4")?;
    let log = lab.daemon.log()?;
    assert!(!log.contains("panic"), "{log}");
    Ok(())
}
