//! Why the kernel could not be told.

use vswitch_netio::InterfaceName;
use vswitch_netio::interface_name::InterfaceNameError;
use vswitch_netio::netlink::NetlinkError;
use vswitch_netio::netns::NetnsError;
use vswitch_netio::sysctl::SysctlError;
use vswitch_netio::tap::TapError;

/// Why an interface could not be made, found, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// A namespace cannot be opened or entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// An interface, address or route.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A TAP.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// A setting of the kernel.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// A record names an interface as none can be named.
    #[error(transparent)]
    Name(#[from] InterfaceNameError),
    /// The sandbox has an interface of that name.
    #[error("the sandbox has an interface {name} already: choose another name with --ifname")]
    NameTaken {
        /// The name.
        name: InterfaceName,
    },
    /// A plugin named an interface that is not there.
    #[error(
        "the plugin's interface {name} is not in the host's namespace: look into the plugin's log"
    )]
    NoGuest {
        /// The interface.
        name: InterfaceName,
    },
    /// A plugin named an interface that is not the plugin's.
    #[error(
        "the plugin's interface {name} stays where it is: it is the switch's, or the host uses it; look into the plugin's log"
    )]
    NotAGuest {
        /// The interface.
        name: InterfaceName,
    },
}
