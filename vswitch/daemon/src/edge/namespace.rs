//! A network namespace at work: its handle, and a connection to its configuration.

use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::{Netns, NetnsId};

use super::EdgeError;

/// An open namespace. It lives as long as this does, so keep it for the length of one command only.
#[derive(Debug)]
pub struct Namespace {
    netns: Netns,
    /// Speaks to this namespace from any thread.
    pub netlink: Netlink,
}

/// The loopback interface of every namespace (`LOOPBACK_IFINDEX`, `include/net/net_namespace.h`).
const LOOPBACK: u32 = 1;

impl Namespace {
    /// The one that the calling thread is in.
    ///
    /// # Errors
    /// [`EdgeError::Netns`], [`EdgeError::Netlink`].
    pub fn current() -> Result<Self, EdgeError> {
        Ok(Self {
            netns: Netns::of_current_thread()?,
            netlink: Netlink::open()?,
        })
    }

    /// Another one.
    ///
    /// # Errors
    /// [`EdgeError::Netns`] without CAP_SYS_ADMIN.
    pub fn enter(netns: Netns) -> Result<Self, EdgeError> {
        let netlink = netns.run(Netlink::open)??;
        Ok(Self { netns, netlink })
    }

    /// Which one it is.
    #[must_use]
    pub const fn id(&self) -> NetnsId {
        self.netns.id()
    }

    /// Its handle.
    #[must_use]
    pub const fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Runs what concerns the thread's own namespace: settings below `/proc/sys/net`, opening TAPs. The closure gets
    /// the connection, too.
    ///
    /// # Errors
    /// [`EdgeError::Netns`], and those of the closure.
    pub fn run<T, E>(
        &mut self,
        closure: impl FnOnce(&mut Netlink) -> Result<T, E>,
    ) -> Result<T, EdgeError>
    where
        E: Into<EdgeError>,
    {
        let Self { netns, netlink } = self;
        netns.run(|| closure(netlink))?.map_err(Into::into)
    }

    /// Switches loopback on, which is off in a new namespace.
    ///
    /// # Errors
    /// [`EdgeError::Netlink`].
    pub fn set_loopback_up(&mut self) -> Result<(), EdgeError> {
        Ok(self.netlink.set_up(LOOPBACK)?)
    }
}
