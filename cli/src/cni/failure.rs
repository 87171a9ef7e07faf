//! What is said to the runtime when a command fails.

use serde::{Deserialize, Serialize};
use vswitch_api::ClientError;

use crate::version::SpecVersion;

/// Why a command failed: the specification's error, but for the version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: u32,
    /// The kind of failure, in a few words.
    #[serde(default)]
    pub(crate) msg: String,
    /// What exactly, why, and what to do.
    #[serde(default)]
    pub(crate) details: String,
}

/// The specification's codes; those from 100 are this plugin's own.
pub(crate) mod code {
    pub(crate) const INCOMPATIBLE_VERSION: u32 = 1;
    pub(crate) const UNSUPPORTED_FIELD: u32 = 2;
    pub(crate) const UNKNOWN_CONTAINER: u32 = 3;
    pub(crate) const INVALID_ENVIRONMENT: u32 = 4;
    pub(crate) const IO: u32 = 5;
    pub(crate) const DECODING: u32 = 6;
    pub(crate) const INVALID_CONFIG: u32 = 7;
    pub(crate) const TRY_AGAIN_LATER: u32 = 11;
    /// STATUS: nothing can be added.
    pub(crate) const NOT_AVAILABLE: u32 = 50;
    /// STATUS: and what was added may not be reached.
    pub(crate) const LIMITED_CONNECTIVITY: u32 = 51;
    /// The switch refuses.
    pub(crate) const REFUSED: u32 = 100;
    /// CHECK: something is not as ADD left it.
    pub(crate) const NOT_AS_ADDED: u32 = 101;
    /// The IPAM plugin failed, and did not say why in the specification's way.
    pub(crate) const IPAM_PLUGIN: u32 = 102;
}

impl Failure {
    pub(crate) fn new(code: u32, details: impl Into<String>) -> Self {
        Self {
            code,
            msg: message(code).to_owned(),
            details: details.into(),
        }
    }

    pub(crate) fn config(details: impl Into<String>) -> Self {
        Self::new(code::INVALID_CONFIG, details)
    }

    /// The first of several counts, and all of them are told.
    pub(crate) fn all(failures: Vec<Self>) -> Result<(), Self> {
        let mut failures = failures.into_iter();
        let Some(mut first) = failures.next() else {
            return Ok(());
        };
        for other in failures {
            first.details.push_str("; ");
            first.details.push_str(&other.details);
        }
        Err(first)
    }

    /// As it is printed.
    pub(crate) fn to_json(&self, version: SpecVersion) -> serde_json::Value {
        serde_json::json!({
            "cniVersion": version.as_str(),
            "code": self.code,
            "msg": self.msg,
            "details": self.details,
        })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            // The daemon is starting, ending, or has too much to do.
            ClientError::Refused { status: 503, .. }
            | ClientError::NoDaemon { .. }
            | ClientError::Broken { .. } => code::TRY_AGAIN_LATER,
            ClientError::Refused { status: 400, .. } => code::INVALID_CONFIG,
            ClientError::Refused { code, .. } if code == "sandbox_not_found" => {
                code::UNKNOWN_CONTAINER
            }
            ClientError::Refused { .. } => code::REFUSED,
            ClientError::NotPermitted { .. } => code::IO,
            ClientError::Malformed { .. } => code::DECODING,
        };
        Self::new(code, error.to_string())
    }
}

const fn message(code: u32) -> &'static str {
    match code {
        code::INCOMPATIBLE_VERSION => "incompatible CNI version",
        code::UNSUPPORTED_FIELD => "unsupported field in the network configuration",
        code::UNKNOWN_CONTAINER => "no such container",
        code::INVALID_ENVIRONMENT => "invalid environment variables",
        code::IO => "input or output failed",
        code::DECODING => "cannot decode",
        code::INVALID_CONFIG => "invalid network configuration",
        code::TRY_AGAIN_LATER => "try again later",
        code::NOT_AVAILABLE => "the plugin is not available",
        code::LIMITED_CONNECTIVITY => {
            "the plugin is not available, and containers may not be connected"
        }
        code::NOT_AS_ADDED => "the attachment is not as it was added",
        code::IPAM_PLUGIN => "the IPAM plugin failed",
        _ => "the switch refuses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_specifications_fields() {
        let failure = Failure::new(code::INVALID_CONFIG, "no name");
        assert_eq!(
            failure.to_json(SpecVersion::V0_4_0),
            serde_json::json!({
                "cniVersion": "0.4.0",
                "code": 7,
                "msg": "invalid network configuration",
                "details": "no name",
            })
        );
    }

    #[test]
    fn of_several_failures_all_are_told() {
        assert_eq!(Failure::all(Vec::new()), Ok(()));
        let failures = vec![
            Failure::new(code::REFUSED, "a"),
            Failure::new(code::IO, "b"),
        ];
        let failure = Failure::all(failures).unwrap_err();
        assert_eq!((failure.code, failure.details.as_str()), (100, "a; b"));
    }

    #[test]
    fn refusals_of_the_daemon_have_codes_that_tell_what_to_do() {
        let refused = |status, code: &str| {
            let (code, message) = (code.to_owned(), String::new());
            Failure::from(ClientError::Refused {
                status,
                code,
                message,
            })
            .code
        };
        assert_eq!(refused(503, "busy"), code::TRY_AGAIN_LATER);
        assert_eq!(refused(400, "bad_request"), code::INVALID_CONFIG);
        assert_eq!(refused(404, "sandbox_not_found"), code::UNKNOWN_CONTAINER);
        assert_eq!(refused(409, "address_in_use"), code::REFUSED);
    }
}
