//! What could not be compared.

use serde::Serialize;

/// A switch that is left out of the comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Skipped {
    /// Its name, for people.
    pub(crate) peer: &'static str,
    /// Why.
    pub(crate) reason: String,
}
