//! What runs.

/// The version of this build, and the commit if the build was told it by `VSWITCH_COMMIT`.
#[must_use]
pub fn current() -> vswitch_api::Version {
    vswitch_api::Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("VSWITCH_COMMIT")
            .unwrap_or("unknown")
            .to_owned(),
    }
}
