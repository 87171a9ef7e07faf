//! An interface that somebody else made: it is moved into a sandbox, set up there, and given back.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Link, Netlink, NetlinkError, Route};
use vswitch_packet::MacAddr;

use super::interface::{configure, match_ipv6};
use super::{EdgeError, Namespace};
use crate::daemon_id::DaemonId;

/// How a guest is to be in its sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Its name in the host's namespace.
    pub source: InterfaceName,
    /// Its name in the sandbox.
    pub name: InterfaceName,
    /// Its mark, unless whoever made it has put another one there.
    pub alias: String,
    /// Its address; `None` leaves it the one it has.
    pub mac: Option<MacAddr>,
    /// With the prefix length of their subnets.
    pub addresses: Vec<IpNet>,
    /// Where to beside these subnets, and by which next hop; `None` if it is on the link.
    pub routes: Vec<(IpNet, Option<IpAddr>)>,
}

/// What a guest is known by in its sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestMark {
    /// Its alias, if it had none of its own.
    pub alias: String,
    /// The name that it was given.
    pub name: InterfaceName,
    /// Its address, if it has one.
    pub mac: MacAddr,
}

impl Guest {
    /// Moves it out of the host's namespace and sets it up, as libnetwork does; its address, then, if it is of a
    /// kind that has one.
    ///
    /// It is up when this returns. On failure it is back where it was, as far as the kernel lets it.
    ///
    /// # Errors
    /// [`EdgeError::NotAGuest`] if it is the daemon's own, or the host's; any other [`EdgeError`].
    pub fn bring_in(
        &self,
        daemon: DaemonId,
        host: &mut Namespace,
        sandbox: &mut Namespace,
    ) -> Result<Option<MacAddr>, EdgeError> {
        let link = host.netlink.link(&self.source)?;
        let link = link.ok_or_else(|| self.missing())?;
        if is_hosts(&link, daemon, &mut host.netlink)? {
            let name = self.source.clone();
            return Err(EdgeError::NotAGuest { name });
        }
        let index = link.index;
        if host.id() != sandbox.id() {
            host.netlink.set_netns(index, sandbox.netns())?;
        }
        let set_up = sandbox
            .set_loopback_up()
            .and_then(|()| self.set_up(sandbox));
        if set_up.is_err()
            && let Err(error) = self.take_back(host, sandbox)
        {
            tracing::error!(interface = %self.source, "cannot move the interface back: {error}");
        }
        set_up
    }

    fn set_up(&self, sandbox: &mut Namespace) -> Result<Option<MacAddr>, EdgeError> {
        let link = sandbox.netlink.link(&self.source)?;
        let link = link.ok_or_else(|| self.missing())?;
        let index = link.index;
        // Before Linux 6.2 an interface has to be down to be renamed.
        sandbox.netlink.set_down(index)?;
        if link.name != self.name {
            match sandbox.netlink.rename(index, &self.name) {
                Err(NetlinkError::Exists(_)) => {
                    let name = self.name.clone();
                    return Err(EdgeError::NameTaken { name });
                }
                other => other?,
            }
        }
        if let Some(mac) = self.mac.filter(|mac| link.mac != Some(*mac)) {
            sandbox.netlink.set_mac(index, mac)?;
        }
        if link.alias.is_none() {
            sandbox.netlink.set_alias(index, &self.alias)?;
        }
        sandbox.run(|_| match_ipv6(&self.name, &self.addresses))?;
        configure(&mut sandbox.netlink, index, &self.addresses)?;
        for &(destination, gateway) in &self.routes {
            let route = Route::to(destination, gateway, index);
            sandbox.netlink.replace_route(&route)?;
        }
        Ok(self.mac.or(link.mac))
    }

    /// Undoes what was begun: it has either name.
    fn take_back(&self, host: &Namespace, sandbox: &mut Namespace) -> Result<(), EdgeError> {
        let links = sandbox.netlink.links()?;
        let is_it =
            |link: &&Link| link.alias.as_ref() == Some(&self.alias) || link.name == self.source;
        // The name that it was given may be another's, which is why it failed.
        let found = links.iter().find(is_it);
        let found = found.or_else(|| links.iter().find(|link| link.name == self.name));
        match found {
            Some(link) => hand_back(link, &self.alias, &self.source, host, &mut sandbox.netlink),
            None => Ok(()),
        }
    }

    fn missing(&self) -> EdgeError {
        EdgeError::NoGuest {
            name: self.source.clone(),
        }
    }
}

impl GuestMark {
    /// The interface, whatever it is called now.
    ///
    /// # Errors
    /// [`EdgeError::Netlink`].
    pub fn find(&self, namespace: &mut Namespace) -> Result<Option<Link>, EdgeError> {
        Ok(self.among(&namespace.netlink.links()?))
    }

    /// Moves the interface back to the host's namespace, under the name it had there. `false` if it is gone.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn give_back(
        &self,
        source: &InterfaceName,
        host: &Namespace,
        sandbox: &mut Namespace,
    ) -> Result<bool, EdgeError> {
        let Some(link) = self.find(sandbox)? else {
            return Ok(false);
        };
        hand_back(&link, &self.alias, source, host, &mut sandbox.netlink)?;
        Ok(true)
    }

    /// Whether this is the interface, as far as it can be told without looking at others.
    #[must_use]
    pub fn is(&self, link: &Link) -> bool {
        self.among(std::slice::from_ref(link)).is_some()
    }

    /// Of these, the one that it is.
    #[must_use]
    pub fn among(&self, links: &[Link]) -> Option<Link> {
        let by = |is_it: &dyn Fn(&Link) -> bool| links.iter().find(|link| is_it(link)).cloned();
        let has_mac = |link: &Link| link.mac == Some(self.mac);
        // Some kinds of interface have no address.
        let may_be = |link: &Link| link.mac.is_none() || has_mac(link);
        by(&|link| link.alias.as_ref() == Some(&self.alias))
            .or_else(|| by(&|link| link.name == self.name && may_be(link)))
            .or_else(|| by(&|link| link.alias.is_some() && has_mac(link)))
    }
}

/// Whether an interface is one that nobody may give away: ours, a part of a bridge or bond, or one with addresses
/// of the host, which it would lose.
fn is_hosts(link: &Link, daemon: DaemonId, host: &mut Netlink) -> Result<bool, NetlinkError> {
    let is_ours = |alias: &String| daemon.owned(alias).is_some();
    if link.alias.as_ref().is_some_and(is_ours) || link.controller.is_some() {
        return Ok(true);
    }
    // A plugin's interface may have made up an IPv6 address, of what a router announces, while it waits.
    let is_hardware = link.kind.is_none();
    Ok(host.addresses()?.iter().any(|address| {
        address.interface == link.index
            && !address.local_scope
            && (is_hardware || address.network.addr().is_ipv4())
    }))
}

/// Takes the mark off an interface, names it as it was, and moves it.
fn hand_back(
    link: &Link,
    alias: &str,
    source: &InterfaceName,
    host: &Namespace,
    netlink: &mut Netlink,
) -> Result<(), EdgeError> {
    let mut hand_back = || {
        netlink.set_down(link.index)?;
        if link.alias.as_deref() == Some(alias) {
            netlink.set_alias(link.index, "")?;
        }
        if link.name != *source {
            netlink.rename(link.index, source)?;
        }
        netlink.set_netns(link.index, host.netns())
    };
    match hand_back() {
        // Whoever made it has removed it.
        Err(NetlinkError::NotFound(_)) => Ok(()),
        other => Ok(other?),
    }
}
