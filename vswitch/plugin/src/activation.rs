//! What all plugins have in common: what they implement, and how they say no.

use serde::{Deserialize, Serialize};

/// What a network driver says it implements.
pub const NETWORK_DRIVER: &str = "NetworkDriver";

/// What an IPAM driver says it implements.
pub const IPAM_DRIVER: &str = "IpamDriver";

/// The answer to [`Method::Activate`](crate::Method::Activate).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Activation {
    /// [`NETWORK_DRIVER`], [`IPAM_DRIVER`]; plugins may implement more than this crate knows.
    #[serde(default)]
    pub implements: Vec<String>,
}

/// `{}`: done, and nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Empty {}

/// Why it was not done. libnetwork reads `Err` from network drivers and from every status but 200,
/// and `Error` from IPAM drivers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    /// Empty if it is no failure.
    #[serde(default)]
    pub err: String,
    /// As `err`.
    #[serde(default)]
    pub error: String,
}

impl Failure {
    /// With the message in both fields.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        let err = message.into();
        Self {
            error: err.clone(),
            err,
        }
    }

    /// The message, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        [&self.err, &self.error]
            .into_iter()
            .map(String::as_str)
            .find(|message| !message.is_empty())
    }
}
