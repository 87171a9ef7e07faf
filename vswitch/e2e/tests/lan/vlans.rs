//! VLANs on a NIC that has no interface for them (IEEE 802.1Q).

use anyhow::{Result, bail, ensure};
use vswitch_e2e::{Capture, Conversation, Echo, Packets, Place, Underlay, eventually, send_frames};

use crate::fixture::{
    BROADCAST, Node, OUTSIDER, PATIENCE, answers, at, frame, in_vlan, mac, mac_in_vlan, no_ping,
    on_wire, ping, plain,
};

const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;

/// Puts a tag with these 16 bits (priority, VLAN) into a frame.
fn tagged(frame: &[u8], ethertype: u16, tag: u16) -> Vec<u8> {
    let mut tagged = frame[..12].to_vec();
    tagged.extend(ethertype.to_be_bytes());
    tagged.extend(tag.to_be_bytes());
    tagged.extend(&frame[12..]);
    tagged
}

/// A network in a VLAN, whose addresses are those of [`in_vlan`].
fn add_net(node: &Node, name: &str, vlan: u8, options: &str) -> Result<()> {
    let (v4, v6) = (in_vlan(4, vlan, 0), in_vlan(6, vlan, 0));
    node.ctl(&format!(
        "add-net {name} -d macvlan --subnet {v4}/24 --ipv6 --subnet {v6}/64 {options}"
    ))?;
    Ok(())
}

fn attach(node: &Node, net: &str, vlan: u8, number: u8) -> Result<Place> {
    let (v4, v6) = (in_vlan(4, vlan, number), in_vlan(6, vlan, number));
    node.attach_with(net, number, &format!("--ip {v4} --ip6 {v6}"))
}

/// That what a container has sent carried these tags: ethertypes and VLANs, from the outermost.
fn only_tagged(packets: &Packets, source: [u8; 6], tags: &[(u16, u16)]) -> Result<()> {
    let source: Vec<_> = source.iter().map(|octet| format!("{octet:02x}")).collect();
    let filter = format!("eth.src == {}", source.join(":"));
    packets.wait_for(&filter, 1)?;
    for row in packets.dissect(&filter, &["ieee8021ad.id", "vlan.id", "eth.type"])? {
        let [service, customer, outer] = &row[..] else {
            bail!("{row:?}");
        };
        let wanted = |ethertype: u16| -> Vec<String> {
            let of_it = tags.iter().filter(|tag| tag.0 == ethertype);
            let ids: Vec<_> = of_it.map(|tag| tag.1.to_string()).collect();
            if ids.is_empty() {
                vec![String::new()]
            } else {
                ids
            }
        };
        let first = tags.first().map(|tag| format!("{:#06x}", tag.0));
        ensure!(
            first.is_none_or(|first| outer[0] == first),
            "{row:?} should begin with {tags:?}"
        );
        ensure!(
            *service == wanted(SERVICE) && *customer == wanted(CUSTOMER),
            "{row:?} should be in {tags:?}"
        );
    }
    Ok(())
}

/// By the name of an interface that is not there, and by an option.
#[test]
fn a_vlan_is_apart() -> Result<()> {
    let wire = Underlay::new()?;
    let nodes = [1, 2, 3].map(|number| Node::new(&wire, number));
    let [one, two, three] = nodes;
    let (one, two, three) = (one?, two?, three?);
    let packets = wire.record("")?;
    add_net(&one, "net", 100, "-o parent=eth0.100")?;
    add_net(&two, "net", 100, "-o parent=eth0 -o vlan=100")?;
    // The same network but for the tag.
    add_net(&three, "net", 100, "-o parent=eth0.200")?;
    let here = attach(&one, "net", 100, 10)?;
    let there = attach(&two, "net", 100, 20)?;
    let elsewhere = attach(&three, "net", 100, 30)?;
    let _server = Echo::start(&there, 7)?;
    for family in [4, 6] {
        ping(&here, in_vlan(family, 100, 20))?;
        ping(&there, in_vlan(family, 100, 10))?;
        // Super-frames and packets.
        let to = at(in_vlan(family, 100, 20), 7);
        Conversation::start(&here, to)?.exchange(1 << 20)?;
    }
    no_ping(&here, in_vlan(4, 100, 30))?;
    no_ping(&elsewhere, in_vlan(6, 100, 20))?;
    only_tagged(&packets, mac_in_vlan(100, 10), &[(CUSTOMER, 100)])?;
    only_tagged(&packets, mac_in_vlan(100, 20), &[(CUSTOMER, 100)])?;
    only_tagged(&packets, mac_in_vlan(100, 30), &[(CUSTOMER, 200)])?;
    // No interface was made for it, and inspect names the VLAN.
    for (node, vlan) in [(&one, 100), (&two, 100), (&three, 200)] {
        assert_eq!(node.host.interfaces()?, ["lo", "eth0"]);
        let parent = node.parent("net")?;
        ensure!(
            parent["Name"] == "eth0" && parent["Vlan"] == vlan,
            "{parent}"
        );
    }
    ensure!(three.daemon.drops("parent-eth0", "vlan_unknown")? > 0);
    Ok(())
}

/// Untagged and several VLANs, all on one NIC of each host.
#[test]
fn a_trunk() -> Result<()> {
    let wire = Underlay::new()?;
    let [one, two] = [Node::new(&wire, 1)?, Node::new(&wire, 2)?];
    let vlans = [(100, 1), (101, 100), (102, 4094)];
    let mut places = Vec::new();
    for (node, first) in [(&one, 10), (&two, 20)] {
        node.add_net("untagged", "macvlan", "-o dad=false")?;
        places.push(node.attach("untagged", first)?);
        for (number, (subnet, vlan)) in (first + 1..).zip(vlans) {
            let net = format!("net{vlan}");
            add_net(
                node,
                &net,
                subnet,
                &format!("-o dad=false -o parent=eth0.{vlan}"),
            )?;
            places.push(attach(node, &net, subnet, number)?);
        }
    }
    let (here, there) = places.split_at(vlans.len() + 1);
    let captures = there
        .iter()
        .map(|place| Capture::start(place, "eth0"))
        .collect::<Result<Vec<_>>>()?;
    let macs = [mac(10)].into_iter().chain(
        (11..)
            .zip(vlans)
            .map(|(number, (subnet, _))| mac_in_vlan(subnet, number)),
    );
    let hellos: Vec<_> = macs
        .zip(1..)
        .map(|(source, mark)| frame(BROADCAST, source, mark))
        .collect();
    for (place, hello) in here.iter().zip(&hellos) {
        send_frames(place, "eth0", 1, std::slice::from_ref(hello))?;
    }
    for (capture, hello) in captures.iter().zip(&hellos) {
        capture.wait_for(hello)?;
    }
    for (index, capture) in captures.iter().enumerate() {
        for (other, hello) in hellos.iter().enumerate() {
            let count = capture.count(hello)?;
            assert_eq!(count, usize::from(index == other), "{other} at {index}");
        }
    }
    ping(&here[0], on_wire(4, 20))?;
    for (number, (subnet, _)) in (1_u8..).zip(vlans) {
        let place = &here[usize::from(number)];
        ping(place, in_vlan(4, subnet, 20 + number))?;
        ping(place, in_vlan(6, subnet, 20 + number))?;
    }
    // And without one of them the others go on.
    two.ctl("rm-net --force net100")?;
    ping(&here[1], in_vlan(4, 100, 21))?;
    ensure!(!answers(&here[2], in_vlan(4, 101, 22))?);
    ping(&here[0], on_wire(4, 20))
}

/// Tags that name no VLAN, but a priority.
#[test]
fn priorities() -> Result<()> {
    const URGENT: u16 = 5 << 13;
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    let outside = &outsider.place();
    node.add_net("untagged", "macvlan", "")?;
    add_net(&node, "net", 100, "-o parent=eth0.100")?;
    let plainly = node.attach("untagged", 10)?;
    let in_100 = attach(&node, "net", 100, 11)?;
    let [to_plain, to_100, on_the_wire] = [
        Capture::start(&plainly, "eth0")?,
        Capture::start(&in_100, "eth0")?,
        Capture::start(outside, "eth0")?,
    ];

    // From the wire: no VLAN is as VLAN 0, and the tag is not handed on.
    let stranger = [0x02, 0, 0, 0, 0, 0x77];
    let hello = frame(mac(10), stranger, 1);
    let hello_100 = frame(mac_in_vlan(100, 11), stranger, 2);
    let all = frame(BROADCAST, stranger, 3);
    send_frames(
        outside,
        "eth0",
        1,
        &[
            tagged(&hello, CUSTOMER, URGENT),
            tagged(&hello_100, CUSTOMER, URGENT | 100),
            tagged(&all, CUSTOMER, URGENT),
        ],
    )?;
    to_plain.wait_for(&hello)?;
    to_100.wait_for(&hello_100)?;
    to_plain.wait_for(&all)?;
    ensure!(to_100.count(&all)? == 0, "a frame left its VLAN");

    // To the wire: the container's priority becomes that of its VLAN's tag.
    let urgent = frame(BROADCAST, mac_in_vlan(100, 11), 4);
    send_frames(&in_100, "eth0", 1, &[tagged(&urgent, CUSTOMER, URGENT)])?;
    on_the_wire.wait_for(&tagged(&urgent, CUSTOMER, URGENT | 100))?;
    // A container does not choose its VLAN.
    let sneaky = frame(BROADCAST, mac(10), 5);
    let last = frame(BROADCAST, mac(10), 6);
    send_frames(
        &plainly,
        "eth0",
        1,
        &[tagged(&sneaky, CUSTOMER, 100), last.clone()],
    )?;
    on_the_wire.wait_for(&last)?;
    ensure!(on_the_wire.count(&tagged(&sneaky, CUSTOMER, 100))? == 0);
    ensure!(to_100.count(&sneaky)? == 0);
    ensure!(node.daemon.drops("untagged", "vlan_not_allowed")? == 1);

    // A VLAN that nobody is in.
    let lost = tagged(&frame(BROADCAST, stranger, 7), CUSTOMER, 300);
    send_frames(outside, "eth0", 1, &[lost])?;
    eventually("a frame of no VLAN is counted", PATIENCE, || {
        Ok(node.daemon.drops("parent-eth0", "vlan_unknown")? == 1)
    })
}

/// A provider's VLAN (802.1ad), in which customers have their own.
#[test]
fn service_vlans() -> Result<()> {
    let wire = Underlay::new()?;
    let [one, two] = [Node::new(&wire, 1)?, Node::new(&wire, 2)?];
    let packets = wire.record("")?;
    for node in [&one, &two] {
        let service = "-o parent=eth0 -o vlan=300 -o vlan_protocol=802.1ad";
        add_net(node, "service", 100, service)?;
        // The same number, but a customer's.
        add_net(node, "customer", 101, "-o parent=eth0.300")?;
    }
    let here = attach(&one, "service", 100, 10)?;
    let there = attach(&two, "service", 100, 20)?;
    let _in_customer = attach(&one, "customer", 101, 11)?;
    let elsewhere = attach(&two, "customer", 101, 21)?;
    let _server = Echo::start(&there, 7)?;
    for family in [4, 6] {
        ping(&there, in_vlan(family, 100, 10))?;
        let to = at(in_vlan(family, 100, 20), 7);
        Conversation::start(&here, to)?.exchange(1 << 20)?;
    }
    ping(&elsewhere, in_vlan(4, 101, 11))?;
    only_tagged(&packets, mac_in_vlan(100, 10), &[(SERVICE, 300)])?;
    only_tagged(&packets, mac_in_vlan(101, 21), &[(CUSTOMER, 300)])?;

    let [arrives, apart] = [
        Capture::start(&there, "eth0")?,
        Capture::start(&elsewhere, "eth0")?,
    ];
    let inner = tagged(&frame(BROADCAST, mac_in_vlan(100, 10), 1), CUSTOMER, 7);
    send_frames(&here, "eth0", 1, std::slice::from_ref(&inner))?;
    arrives.wait_for(&inner)?;
    ensure!(
        apart
            .frames()?
            .iter()
            .all(|frame| !frame.ends_with(&[1; 46]))
    );
    Ok(())
}

/// As Docker does: what is there is used, whatever its name says.
#[test]
fn an_interface_that_is_named_as_a_vlan() -> Result<()> {
    let [wire, other_wire] = [Underlay::new()?, Underlay::second()?];
    let node = Node::new(&wire, 1)?;
    other_wire.plug_as(&node.host, "eth0.77", 1)?;
    let far = plain(&other_wire, OUTSIDER)?;
    let [packets, others] = [wire.record("")?, other_wire.record("")?];
    let (v4, v6) = (other_wire.address(4, 10), other_wire.address(6, 10));
    node.ctl(
        "add-net net -d macvlan --subnet 198.51.100.0/24 --ipv6 --subnet 2001:db8:1::/64 \
         -o parent=eth0.77",
    )?;
    let container = node.attach_with("net", 10, &format!("--ip {v4} --ip6 {v6}"))?;
    for family in [4, 6] {
        ping(&container, other_wire.address(family, OUTSIDER))?;
        ping(&far.place(), other_wire.address(family, 10))?;
    }
    let source = [0x02, 0x42, 198, 51, 100, 10];
    only_tagged(&others, source, &[])?;
    ensure!(
        packets
            .dissect("eth.src == 02:42:c6:33:64:0a", &["eth.type"])?
            .is_empty()
    );
    let parent = node.parent("net")?;
    ensure!(
        parent["Name"] == "eth0.77" && parent["Vlan"].is_null(),
        "{parent}"
    );
    Ok(())
}

/// The whole NIC is one container's: it has all tags, and any MAC address it likes.
#[test]
fn passthru_is_a_trunk_itself() -> Result<()> {
    let wire = Underlay::new()?;
    let node = Node::new(&wire, 1)?;
    let outsider = plain(&wire, OUTSIDER)?;
    node.add_net("net", "macvlan", "-o macvlan_mode=passthru")?;
    let container = node.attach("net", 10)?;
    let [arrives, leaves] = [
        Capture::start(&container, "eth0")?,
        Capture::start(&outsider.place(), "eth0")?,
    ];
    let (stranger, virtual_machine) = ([0x02, 0, 0, 0, 0, 0x77], [0x02, 0, 0, 0, 0, 0x88]);
    let inwards = [
        tagged(&frame(virtual_machine, stranger, 1), CUSTOMER, 100),
        tagged(&frame(BROADCAST, stranger, 2), SERVICE, 200),
        frame(virtual_machine, stranger, 3),
    ];
    let outwards = [
        tagged(&frame(stranger, virtual_machine, 4), CUSTOMER, 100),
        tagged(&frame(BROADCAST, virtual_machine, 5), SERVICE, 200),
        frame(stranger, virtual_machine, 6),
    ];
    send_frames(&outsider.place(), "eth0", 1, &inwards)?;
    send_frames(&container, "eth0", 1, &outwards)?;
    for (capture, frames) in [(&arrives, &inwards), (&leaves, &outwards)] {
        for frame in frames {
            capture.wait_for(frame)?;
            ensure!(capture.count(frame)? == 1, "a frame came twice");
        }
    }
    ping(&container, on_wire(4, OUTSIDER))?;
    ping(&outsider.place(), on_wire(6, 10))
}
