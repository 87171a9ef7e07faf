//! Why a plugin did not do what it was asked.

use std::net::IpAddr;

use vswitch_plugin::Method;
use vswitch_plugin::client::CallError;
use vswitch_plugin::discovery::FindError;

/// Why a plugin did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// There is none of that name.
    #[error(transparent)]
    Missing(#[from] FindError),
    /// It is there, and is something else.
    #[error("plugin {name} is there, but is no {role}: choose another")]
    Role {
        /// Its name.
        name: String,
        /// What it should be.
        role: &'static str,
    },
    /// It is the daemon itself.
    #[error("{name} is what this vswitchd is to Docker: choose one of its drivers, such as bridge")]
    Own {
        /// The name.
        name: String,
    },
    /// It refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It answered what cannot be used.
    #[error("plugin {name}: {method}: {problem}")]
    Answer {
        /// Its name.
        name: String,
        /// What it was asked.
        method: Method,
        /// What is wrong with the answer.
        problem: String,
    },
    /// What is asked for is in no pool of the plugin's.
    #[error("{address} is in none of the network's subnets: name one of them, or that subnet too")]
    Unplaced {
        /// The address.
        address: IpAddr,
    },
}

impl PluginError {
    /// Whether nothing of that name was found, which may be a mistake in writing.
    #[must_use]
    pub const fn is_unknown_name(&self) -> bool {
        matches!(
            self,
            Self::Missing(FindError::Name { .. } | FindError::NotFound { .. })
        )
    }

    /// Whether nobody is there who could say no: it is of no use to ask for more.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Role { .. } | Self::Own { .. } => true,
            Self::Call(error) => !matches!(
                error,
                CallError::Refused { .. } | CallError::Malformed { .. }
            ),
            Self::Answer { .. } | Self::Unplaced { .. } => false,
        }
    }

    /// Whether the plugin has surely done nothing: it said so, or never heard of it.
    #[must_use]
    pub const fn is_undone(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Role { .. } | Self::Own { .. } | Self::Unplaced { .. } => true,
            Self::Call(error) => matches!(
                error,
                CallError::Refused { .. } | CallError::Unreachable { .. }
            ),
            Self::Answer { .. } => false,
        }
    }
}
