//! Whoever keeps the host's own programs off published ports.

use super::published::PublishedPort;

/// Holds the host's ports for us, and knows which of them the host uses. The model asks it about ports
/// that no endpoint has.
pub trait PortHolder {
    /// Takes all ports of a publication, or none.
    ///
    /// # Errors
    /// [`HoldError`]: nothing is held then.
    fn hold(&mut self, port: &PublishedPort) -> Result<(), HoldError>;

    /// Gives ports back: a publication that was held, or a part of one, of which the rest stays held (see
    /// [`PublishedPort::without`]).
    fn let_go(&mut self, port: &PublishedPort);
}

/// Why a port of the host cannot be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldError {
    /// The host uses this one of the ports; another may be free.
    InUse {
        /// The lowest such port.
        port: u16,
    },
    /// The address is none of the host's.
    NoSuchAddress,
    /// The host has nothing of the address's family, as where IPv6 is switched off.
    NoSuchFamily,
    /// Anything else, in words: no permission, no more sockets.
    Failed(String),
}

/// A host that uses no port itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllFree;

impl PortHolder for AllFree {
    fn hold(&mut self, _port: &PublishedPort) -> Result<(), HoldError> {
        Ok(())
    }

    fn let_go(&mut self, _port: &PublishedPort) {}
}
