//! What lies behind a host's NICs.

use std::net::IpAddr;

use anyhow::{Context, Result};

use crate::{Host, Place};

/// A link behind a NIC of a host, and a machine on it that is the host's router. It knows nothing of
/// the host's containers.
#[derive(Debug)]
pub struct Outside {
    place: Place,
    link: Link,
}

/// The addresses of a link.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The host's NIC.
    pub nic: &'static str,
    /// The network namespace of the machine behind it.
    pub sandbox: &'static str,
    /// A /24.
    pub v4: [u8; 3],
    /// A /64.
    pub v6: [u16; 4],
}

/// The first NIC of a host: 192.0.2.0/24 and 2001:db8::/64.
pub const WAN0: Link = Link {
    nic: "wan0",
    sandbox: "outside",
    v4: [192, 0, 2],
    v6: [0x2001, 0xdb8, 0, 0],
};

/// The second one: 198.51.100.0/24 and 2001:db8:1::/64.
pub const WAN1: Link = Link {
    nic: "wan1",
    sandbox: "outside1",
    v4: [198, 51, 100],
    v6: [0x2001, 0xdb8, 1, 0],
};

/// A link behind the outside's machine: 192.88.99.0/24 and 2001:db8:e::/64.
pub const NARROW: Link = Link {
    nic: "narrow0",
    sandbox: "beyond",
    v4: [192, 88, 99],
    v6: [0x2001, 0xdb8, 0xe, 0],
};

/// And one behind that: 203.0.113.0/24 and 2001:db8:f::/64.
pub const FAR: Link = Link {
    nic: "far0",
    sandbox: "far",
    v4: [203, 0, 113],
    v6: [0x2001, 0xdb8, 0xf, 0],
};

impl Link {
    /// The address with a number on the link; `family` 4 or 6.
    #[must_use]
    pub fn address(&self, family: u8, number: u8) -> IpAddr {
        let ([a, b, c], [d, e, f, g]) = (self.v4, self.v6);
        match family {
            4 => IpAddr::from([a, b, c, number]),
            _ => IpAddr::from([d, e, f, g, 0, 0, 0, u16::from(number)]),
        }
    }

    /// [`Link::address`] with the length of its prefix.
    #[must_use]
    pub fn interface_address(&self, family: u8, number: u8) -> String {
        let length = if family == 4 { 24 } else { 64 };
        format!("{}/{length}", self.address(family, number))
    }
}

impl Outside {
    /// Gives a host a NIC, with address 1 of the link, and a machine behind it with the addresses 9
    /// and 10.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(host: &Host, link: Link) -> Result<Self> {
        host.run(&format!("ip netns add {}", link.sandbox))?;
        host.run_in(link.sandbox, "ip link set lo up")?;
        let outside = Self {
            place: host.sandbox(link.sandbox),
            link,
        };
        outside.plug_in(host)?;
        Ok(outside)
    }

    /// Makes the NIC, for the first time or after it was removed.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn plug_in(&self, host: &Host) -> Result<()> {
        let (nic, sandbox) = (self.link.nic, self.link.sandbox);
        host.run(&format!(
            "ip link add {nic} type veth peer name lan0 netns {sandbox}"
        ))?;
        host.run_in(sandbox, "ip link set lan0 up")?;
        host.run(&format!("ip link set {nic} up"))?;
        for family in [4, 6] {
            host.run(&add_address(nic, &self.link.interface_address(family, 1)))?;
            for number in [9, 10] {
                let address = self.link.interface_address(family, number);
                let mut add = add_address("lan0", &address);
                if (family, number) == (6, 10) {
                    // Else the kernel would choose this one as its source where nobody does (RFC 6724 §5).
                    add.push_str(" preferred_lft 0");
                }
                host.run_in(sandbox, &add)?;
            }
        }
        Ok(())
    }

    /// Makes this the host's default way out.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn route_everything(&self, host: &Host) -> Result<()> {
        for family in [4, 6] {
            let router = self.link.address(family, 9);
            host.run(&format!("ip -{family} route add default via {router}"))?;
        }
        Ok(())
    }

    /// Puts two machines behind this one: a router with address 2 of the link [`NARROW`], which has an MTU,
    /// and behind it one with address 2 of the link [`FAR`], which knows nothing of that MTU. Returns the
    /// latter.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn put_behind(&self, host: &Host, mtu: u16) -> Result<Place> {
        let here = self.link.sandbox;
        connect(host, here, &NARROW, mtu)?;
        connect(host, NARROW.sandbox, &FAR, 1500)?;
        for family in [4, 6] {
            let length = if family == 4 { 24 } else { 64 };
            for (sandbox, to, via) in [
                (
                    here,
                    format!("{}/{length}", FAR.address(family, 0)),
                    NARROW.address(family, 2),
                ),
                (
                    NARROW.sandbox,
                    "default".to_owned(),
                    NARROW.address(family, 1),
                ),
                (FAR.sandbox, "default".to_owned(), FAR.address(family, 1)),
            ] {
                host.run_in(sandbox, &format!("ip -{family} route add {to} via {via}"))?;
            }
        }
        for router in [here, NARROW.sandbox] {
            host.run_in(router, "sysctl -q -w net.ipv4.ip_forward=1")?;
            host.run_in(router, "sysctl -q -w net.ipv6.conf.all.forwarding=1")?;
        }
        Ok(host.sandbox(FAR.sandbox))
    }

    /// The machine outside.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The link.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// An address of the machine outside; `family` 4 or 6.
    #[must_use]
    pub fn address(&self, family: u8) -> IpAddr {
        self.link.address(family, 9)
    }

    /// The host's address on the link; `family` 4 or 6.
    #[must_use]
    pub fn host_address(&self, family: u8) -> IpAddr {
        self.link.address(family, 1)
    }

    /// The link-layer address of the host's NIC.
    ///
    /// # Errors
    /// If there is no NIC.
    pub fn nic_mac(&self, host: &Host) -> Result<[u8; 6]> {
        let shown = host.run(&format!("ip -o link show {}", self.link.nic))?;
        let mut words = shown.split_whitespace();
        let text = words
            .find(|word| *word == "link/ether")
            .and_then(|_| words.next());
        let mut mac = [0; 6];
        for (octet, digits) in mac
            .iter_mut()
            .zip(text.context("no MAC address")?.split(':'))
        {
            *octet = u8::from_str_radix(digits, 16)?;
        }
        Ok(mac)
    }
}

/// A machine with address 2 of a link, of which another one has address 1.
fn connect(host: &Host, near: &str, link: &Link, mtu: u16) -> Result<()> {
    let (nic, far) = (link.nic, link.sandbox);
    host.run(&format!("ip netns add {far}"))?;
    host.run_in(
        near,
        &format!("ip link add {nic} mtu {mtu} type veth peer name lan0 mtu {mtu} netns {far}"),
    )?;
    for (sandbox, interface, number) in [(near, nic, 1), (far, "lan0", 2)] {
        host.run_in(sandbox, &format!("ip link set {interface} up"))?;
        for family in [4, 6] {
            let address = link.interface_address(family, number);
            host.run_in(sandbox, &add_address(interface, &address))?;
        }
    }
    Ok(())
}

/// Usable at once: without duplicate address detection.
pub(crate) fn add_address(interface: &str, address: &str) -> String {
    let nodad = if address.contains(':') { "nodad" } else { "" };
    format!("ip address add {address} dev {interface} {nodad}")
}
