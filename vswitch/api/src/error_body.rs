//! What the daemon says when it refuses.

use serde::{Deserialize, Serialize};

/// Body of every answer whose status is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The one member.
    pub error: ErrorDetail,
}

/// Why the daemon refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For programs; does not change: `network_not_found`.
    pub code: String,
    /// For people, one line: what, why, and what to do.
    pub message: String,
}

impl ErrorBody {
    /// An error of that code and message.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error: ErrorDetail {
                code: code.into(),
                message: message.into(),
            },
        }
    }
}
