//! Versions of the specification.

use crate::failure::{Failure, code};

/// A version that is spoken here, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SpecVersion {
    V0_3_0,
    V0_3_1,
    V0_4_0,
    V1_0_0,
    V1_1_0,
}

impl SpecVersion {
    pub(crate) const ALL: [Self; 5] = [
        Self::V0_3_0,
        Self::V0_3_1,
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];

    pub(crate) const NEWEST: Self = Self::V1_1_0;

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// The version that a configuration names; without a name it is the first one, `0.1.0`.
    pub(crate) fn of_config(text: Option<&str>) -> Result<Self, Failure> {
        let text = text.unwrap_or("0.1.0");
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            let details = format!("cniVersion {text:?}: use one of {known}");
            Failure::new(code::INCOMPATIBLE_VERSION, details)
        })
    }

    /// Whether a command is one of this version, `since` which it is there.
    pub(crate) fn knows(self, command: &str, since: Self) -> Result<(), Failure> {
        if self >= since {
            return Ok(());
        }
        let details = format!(
            "{command} came with version {}, and the configuration has cniVersion {}",
            since.as_str(),
            self.as_str()
        );
        Err(Failure::new(code::INCOMPATIBLE_VERSION, details))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_found_by_its_name() {
        for version in SpecVersion::ALL {
            assert_eq!(SpecVersion::of_config(Some(version.as_str())), Ok(version));
        }
        assert_eq!(SpecVersion::ALL.last(), Some(&SpecVersion::NEWEST));
    }

    #[test]
    fn other_versions_are_refused_by_name() {
        for (text, hint) in [
            (None, "0.1.0"),
            (Some("0.2.0"), "0.2.0"),
            (Some("2.0.0"), "2.0.0"),
        ] {
            let failure = SpecVersion::of_config(text).unwrap_err();
            assert_eq!(failure.code, code::INCOMPATIBLE_VERSION);
            assert!(failure.details.contains(hint), "{}", failure.details);
        }
    }

    #[test]
    fn commands_are_refused_to_versions_without_them() {
        assert!(
            SpecVersion::V0_4_0
                .knows("CHECK", SpecVersion::V0_4_0)
                .is_ok()
        );
        let failure = SpecVersion::V1_0_0
            .knows("GC", SpecVersion::V1_1_0)
            .unwrap_err();
        assert!(failure.details.contains("GC came with version 1.1.0"));
    }
}
