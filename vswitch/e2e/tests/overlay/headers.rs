//! What every packet between two hosts must look like (RFC 7348 section 5), as tshark sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Dissected, Packets};

/// One direction of a tunnel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tunnel {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) vni: u32,
}

/// What was seen of a tunnel.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) packets: usize,
    /// Inner UDP and TCP flows.
    pub(crate) flows: usize,
    /// Outer source ports of those.
    pub(crate) ports: BTreeSet<u16>,
    /// Packets whose inner checksum of TCP, UDP or ICMP was found right.
    pub(crate) checked: usize,
}

/// RFC 6335 section 6, as RFC 7348 section 5 recommends.
const DYNAMIC_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;

const FIELDS: [&str; 23] = [
    "frame.number",
    "udp.srcport",
    "udp.dstport",
    "udp.checksum.status",
    "vxlan.flags",
    "vxlan.gbp",
    "vxlan.vni",
    "vxlan.reserved8",
    "vlan.id",
    "_ws.malformed",
    "tcp.checksum.status",
    "tcp.checksum.ffff",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
    "tcp.srcport",
    "tcp.dstport",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "ip.checksum.status",
    "ip.flags",
    "ip.frag_offset",
];

/// A packet's fields by name.
struct Packet<'a>(&'a Dissected);

impl Packet<'_> {
    fn all(&self, field: &str) -> Vec<&str> {
        let at = FIELDS.iter().position(|name| *name == field);
        let values = at.and_then(|at| self.0.get(at));
        let values = values.map_or(&[][..], Vec::as_slice);
        values
            .iter()
            .map(String::as_str)
            .filter(|v| !v.is_empty())
            .collect()
    }

    fn outermost(&self, field: &str) -> Result<&str> {
        let all = self.all(field);
        all.first().copied().with_context(|| format!("no {field}"))
    }

    fn number(&self, field: &str) -> Result<u64> {
        let text = self.outermost(field)?;
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.with_context(|| format!("{field} is {text}"))
    }
}

impl Tunnel {
    /// Checks the headers of every packet in this direction.
    pub(crate) fn check(self, packets: &Packets) -> Result<Seen> {
        let address = if self.from.is_ipv4() { "ip" } else { "ipv6" };
        // Fragments have no UDP header, but the addresses: none may be missed.
        let filter = format!(
            "{address}.src == {} && {address}.dst == {} && !(icmpv6 && !udp) && !(icmp && !udp)",
            self.from, self.to
        );
        let rows = packets.dissect(&filter, &FIELDS)?;
        let mut flows: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
        let mut checked = 0;
        for row in &rows {
            let packet = Packet(row);
            let verdict = self.check_one(&packet).map(|port| {
                if let Some(flow) = flow(&packet) {
                    flows.entry(flow).or_default().insert(port);
                }
            });
            verdict.with_context(|| {
                let number = packet.outermost("frame.number").unwrap_or("0");
                let what = format!("frame.number == {number}");
                packets.explain(&what).unwrap_or_default()
            })?;
            let inner = ["tcp", "icmp", "icmpv6"].map(|of| format!("{of}.checksum.status"));
            let transports = inner
                .iter()
                .map(|field| packet.all(field).len())
                .sum::<usize>();
            checked += usize::from(transports + packet.all("udp.checksum.status").len() > 1);
        }
        for (flow, ports) in &flows {
            ensure!(ports.len() == 1, "{flow} has the source ports {ports:?}");
        }
        Ok(Seen {
            packets: rows.len(),
            flows: flows.len(),
            ports: flows.into_values().flatten().collect(),
            checked,
        })
    }

    /// Returns the outer source port.
    fn check_one(self, packet: &Packet<'_>) -> Result<u16> {
        // Of all layers: the outer ones, the inner ones, and those that ICMP quotes.
        ensure!(packet.all("_ws.malformed").is_empty(), "malformed");
        ensure!(packet.all("vlan.id").is_empty(), "a VLAN tag");
        if self.from.is_ipv4() {
            ensure!(packet.number("ip.flags")? == 2, "DF, and nothing else");
            ensure!(packet.number("ip.frag_offset")? == 0, "a fragment");
        }
        for field in ["ip", "udp", "tcp", "icmp", "icmpv6"] {
            let states = packet.all(&format!("{field}.checksum.status"));
            // 0xffff is 0 in one's complement. Linux writes it for TCP, too; tshark disapproves.
            if field == "tcp" && !packet.all("tcp.checksum.ffff").is_empty() {
                continue;
            }
            ensure!(
                states.iter().all(|&state| state == "1"),
                "{field} checksums: {states:?}"
            );
        }
        ensure!(packet.number("udp.dstport")? == 4789);
        let port = u16::try_from(packet.number("udp.srcport")?)?;
        ensure!(DYNAMIC_PORTS.contains(&port), "source port {port}");
        ensure!(packet.number("vxlan.flags")? == 0x0800, "flags");
        ensure!(packet.number("vxlan.gbp")? == 0, "reserved octets");
        ensure!(packet.number("vxlan.reserved8")? == 0, "reserved octet");
        ensure!(packet.number("vxlan.vni")? == u64::from(self.vni), "VNI");
        Ok(port)
    }
}

/// What tells flows apart.
fn flow(packet: &Packet<'_>) -> Option<String> {
    let fields = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst"];
    let addresses: Vec<_> = fields.iter().flat_map(|field| packet.all(field)).collect();
    let inner_udp = packet.all("udp.srcport").len() == 2;
    let of = if inner_udp { "udp" } else { "tcp" };
    let ports = ["srcport", "dstport"].map(|end| {
        let all = packet.all(&format!("{of}.{end}"));
        all.last().map(|port| (*port).to_owned())
    });
    let [Some(from), Some(to)] = ports else {
        return None;
    };
    (inner_udp || !packet.all("tcp.srcport").is_empty())
        .then(|| format!("{of} {addresses:?} {from} {to}"))
}
