//! Leases as they are shown.

use std::fmt;

use vswitch_cnm::EndpointId;
use vswitch_dhcp::{Client, State};
use vswitch_packet::Moment;

/// How an endpoint's lease is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Whose it is.
    pub endpoint: EndpointId,
    /// What is being done about it.
    pub state: LeaseState,
    /// Seconds until the address must not be used any more; `None` if there is no address, or one for ever.
    pub expires_in: Option<u64>,
}

/// What is being done about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseState {
    /// There is none, and one is asked for.
    Asking,
    /// Nothing has to be done yet.
    Bound,
    /// Its server is asked for more time.
    Renewing,
    /// All servers are asked for more time.
    Rebinding,
}

impl LeaseStatus {
    pub(super) fn of(endpoint: EndpointId, client: &Client, now: Moment) -> Self {
        let expires = client.lease().and_then(vswitch_dhcp::Lease::expires);
        Self {
            endpoint,
            state: client.state().into(),
            expires_in: expires.map(|expires| expires.since(now).as_secs()),
        }
    }
}

impl From<State> for LeaseState {
    fn from(state: State) -> Self {
        match state {
            State::Bound => Self::Bound,
            State::Renewing => Self::Renewing,
            State::Rebinding => Self::Rebinding,
            State::Init
            | State::Selecting
            | State::Requesting
            | State::Rebooting
            | State::Released => Self::Asking,
        }
    }
}

/// The words of the API.
impl fmt::Display for LeaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asking => "asking",
            Self::Bound => "bound",
            Self::Renewing => "renewing",
            Self::Rebinding => "rebinding",
        })
    }
}
