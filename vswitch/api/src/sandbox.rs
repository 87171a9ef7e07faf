//! Sandboxes: the network namespaces that endpoints are put into.

use serde::{Deserialize, Serialize};

use crate::Endpoint;

/// Body of `POST /v1/sandboxes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxCreate {
    /// The file's name below `/run/netns`.
    pub name: String,
}

/// A sandbox that the daemon made or that has endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// As the user wrote it: a name, a path, `pid:N`, `host`.
    pub name: String,
    /// The daemon made the namespace, and `rm-sandbox` removes it.
    pub owned: bool,
    /// Inode of the namespace, the number in `net:[4026531840]`; none while it is not there.
    pub netns: Option<u64>,
    /// What it is attached to, in the order of attaching.
    pub endpoints: Vec<Endpoint>,
}
