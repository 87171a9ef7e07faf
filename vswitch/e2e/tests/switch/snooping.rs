//! Multicast goes to those who asked for it (RFC 4541).

use anyhow::Result;
use etherparse::PacketBuilder;
use vswitch_e2e::{Background, eventually};

use crate::fixture::{Lab, PATIENCE};
use crate::frames::mac;

/// Joins a group and stays in it.
const JOIN: &str = "
import socket, struct, sys, time
group = sys.argv[1]
index = socket.if_nametoindex('eth0')
if ':' in group:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    member = socket.inet_pton(socket.AF_INET6, group) + struct.pack('@I', index)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
else:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    member = socket.inet_aton(group) + struct.pack('@4si', bytes(4), index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
print('joined', flush=True)
time.sleep(600)
";

fn join(lab: &Lab, sandbox: &str, group: &str) -> Result<Background> {
    let program = lab.host.sandbox(sandbox).program("python3");
    let mut member = program.args(["-c", JOIN, group]).spawn()?;
    member.wait_for("joined", PATIENCE)?;
    Ok(member)
}

fn ipv4_to(group: [u8; 4], mark: u8) -> Result<Vec<u8>> {
    // RFC 1112 §6.4.
    let destination = [0x01, 0x00, 0x5e, group[1] & 0x7f, group[2], group[3]];
    let mut frame = [destination, mac(2)].concat();
    frame.extend([0x08, 0x00]);
    let builder = PacketBuilder::ipv4([10, 20, 0, 2], group, 4);
    builder.udp(7, 4000).write(&mut frame, &[mark; 40])?;
    Ok(frame)
}

fn ipv6_to(group: [u8; 16], mark: u8) -> Result<Vec<u8>> {
    // RFC 2464 §7.
    let destination = [0x33, 0x33, group[12], group[13], group[14], group[15]];
    let mut source = [0; 16];
    source[..2].copy_from_slice(&[0xfd, 0x20]);
    source[15] = 2;
    let mut frame = [destination, mac(2)].concat();
    frame.extend([0x86, 0xdd]);
    let builder = PacketBuilder::ipv6(source, group, 4);
    builder.udp(7, 4000).write(&mut frame, &[mark; 40])?;
    Ok(frame)
}

/// General queries of IGMPv2 and MLDv1, from sandbox `a`.
///
/// Without a querier nobody keeps memberships up, and a snooping switch floods.
fn queries() -> Result<[Vec<u8>; 2]> {
    let mut v4 = [[0x01, 0x00, 0x5e, 0, 0, 1], mac(2)].concat();
    v4.extend([0x08, 0x00]);
    // RFC 2236 §2: type, max response time, checksum, group.
    let igmp = [0x11, 10, 0xee, 0xf5, 0, 0, 0, 0];
    PacketBuilder::ipv4([10, 20, 0, 2], [224, 0, 0, 1], 1).write(
        &mut v4,
        etherparse::ip_number::IGMP,
        &igmp,
    )?;

    // From fe80::42:aff:fe14:2, the link-local address of 02:42:0a:14:00:02.
    let mut source = [0; 16];
    source[..2].copy_from_slice(&[0xfe, 0x80]);
    source[8..].copy_from_slice(&[0, 0x42, 0x0a, 0xff, 0xfe, 0x14, 0, 2]);
    let mut all_nodes = [0; 16];
    all_nodes[..2].copy_from_slice(&[0xff, 2]);
    all_nodes[15] = 1;
    let query = etherparse::Icmpv6Type::Unknown {
        type_u8: 130,
        code_u8: 0,
        bytes5to8: [0, 100, 0, 0],
    };
    let header = etherparse::Icmpv6Header::with_checksum(query, source, all_nodes, &[0; 16])?;
    // RFC 2710 §3: with the router alert (RFC 2711) in a hop-by-hop header.
    let mut payload = vec![58, 0, 5, 2, 0, 0, 1, 0];
    payload.extend(header.to_bytes());
    payload.extend([0; 16]);
    let mut v6 = [[0x33, 0x33, 0, 0, 0, 1], mac(2)].concat();
    v6.extend([0x86, 0xdd]);
    v6.extend([0x60, 0, 0, 0, 0, u8::try_from(payload.len())?, 0, 1]);
    v6.extend(source);
    v6.extend(all_nodes);
    v6.extend(payload);
    Ok([v4, v6])
}

#[test]
fn with_snooping_a_group_goes_to_its_members() -> Result<()> {
    let lab = Lab::with_three("-o vswitch.snooping=true")?;
    let [b, c] = lab.listen(["b", "c"])?;
    let _v4 = join(&lab, "b", "239.1.1.1")?;
    let _v6 = join(&lab, "b", "ff15::1234")?;
    let mut group6 = [0; 16];
    group6[..2].copy_from_slice(&[0xff, 0x15]);
    group6[14..].copy_from_slice(&[0x12, 0x34]);
    lab.send("a", 1, &queries()?)?;
    // The reports are on their way; from some moment on, frames go to the member only.
    let mut mark = 0;
    eventually("members only", PATIENCE, || {
        mark += 1;
        let frames = [ipv4_to([239, 1, 1, 1], mark)?, ipv6_to(group6, mark)?];
        lab.send("a", 1, &frames)?;
        lab.flush("a", 2, &[&b, &c])?;
        for frame in &frames {
            assert_eq!(b.count(frame)?, 1, "a member misses a frame");
        }
        Ok(c.count(&frames[0])? == 0 && c.count(&frames[1])? == 0)
    })?;
    // RFC 4541 §2.1.2: the local control block is always flooded.
    let control = ipv4_to([224, 0, 0, 251], 0xcc)?;
    lab.send("a", 1, std::slice::from_ref(&control))?;
    b.wait_for(&control)?;
    c.wait_for(&control)?;
    // With snooping, neighbour discovery goes on.
    lab.ping("a", "fd20::4")
}

#[test]
fn without_snooping_groups_are_flooded() -> Result<()> {
    let lab = Lab::with_three("")?;
    let [b, c] = lab.listen(["b", "c"])?;
    let _member = join(&lab, "b", "239.1.1.1")?;
    let frame = ipv4_to([239, 1, 1, 1], 1)?;
    lab.send("a", 1, std::slice::from_ref(&frame))?;
    b.wait_for(&frame)?;
    c.wait_for(&frame)
}
