//! A look into a container's namespace.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What there is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Its inode.
    pub(crate) inode: u64,
    /// Names of its interfaces.
    pub(crate) interfaces: Vec<String>,
    /// Addresses of its own.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Namespace {
    /// Looks into the namespace that a file stands for.
    pub(crate) fn look(netns: &str) -> io::Result<Self> {
        let file = File::open(netns)?;
        let inode = file.metadata()?.ino();
        // On a thread of its own, which ends in there.
        let inside = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            let read = |table: &str| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
            let mut addresses = v4_addresses(&read("fib_trie")?);
            // Not there in a kernel without IPv6.
            addresses.extend(v6_addresses(&read("if_inet6").unwrap_or_default()));
            Ok(Self {
                inode,
                interfaces: interfaces(&read("dev")?),
                addresses,
            })
        };
        thread::scope(|scope| {
            let ended = scope.spawn(inside).join();
            ended.unwrap_or_else(|_| Err(io::Error::other("the look into it was cut short")))
        })
    }
}

/// Two lines of headings, then a line for each interface that begins with its name.
fn interfaces(listed: &str) -> Vec<String> {
    let lines = listed.lines().skip(2);
    let names = lines.filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// The kernel has a route to each address of its own, whose type is the line after the address.
fn v4_addresses(trie: &str) -> Vec<IpAddr> {
    let lines: Vec<&str> = trie.lines().collect();
    let own = lines.windows(2).filter_map(|pair| {
        let address = pair[0].trim().strip_prefix("|-- ")?;
        let is_own = pair[1].trim() == "/32 host LOCAL";
        let address: Option<Ipv4Addr> = address.parse().ok();
        address.filter(|_| is_own).map(IpAddr::V4)
    });
    own.collect()
}

/// A line for each address, which begins with it in 32 digits.
fn v6_addresses(listed: &str) -> Vec<IpAddr> {
    let digits = listed.lines().filter_map(|line| line.split(' ').next());
    digits
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok())
        .map(|number| IpAddr::V6(Ipv6Addr::from(number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_listed_as_the_kernel_prints_them() {
        let listed = "Inter-|   Receive\n face |bytes\n    lo: 0 0\nvs-0123456789ab: 7 0\n";
        assert_eq!(interfaces(listed), ["lo", "vs-0123456789ab"]);
    }

    #[test]
    fn addresses_are_told_from_networks_and_broadcast() {
        let trie = "Local:\n  +-- 0.0.0.0/0 3 0 5\n     +-- 10.1.0.0/16 2 0 2\n        |-- 10.1.0.0\n           \
                    /16 link UNICAST\n        |-- 10.1.0.2\n           /32 host LOCAL\n     \
                    |-- 10.1.255.255\n        /32 link BROADCAST\n";
        assert_eq!(v4_addresses(trie), ["10.1.0.2".parse::<IpAddr>().unwrap()]);
        let listed = "fd000000000000000000000000000002 02 40 00 80     eth0\n\
                      00000000000000000000000000000001 01 80 10 80       lo\n";
        let expected: [IpAddr; 2] = ["fd00::2".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(v6_addresses(listed), expected);
    }

    #[test]
    fn a_namespace_that_is_not_there_is_an_error() {
        let error = Namespace::look("/no/such/file").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
