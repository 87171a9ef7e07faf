//! What runs.

use serde::{Deserialize, Serialize};

/// Answer to `GET /v1/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// As in `Cargo.toml`.
    pub version: String,
    /// 12 digits of the commit it was built from, or `unknown`.
    pub commit: String,
}
