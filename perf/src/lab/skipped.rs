//! What could not be compared.

use serde::{Deserialize, Serialize};

/// A switch that is left out of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// Its name, for people.
    pub(crate) peer: String,
    /// Why.
    pub(crate) reason: String,
}
