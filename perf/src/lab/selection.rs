//! What `--cases` takes: a case, or a setting for all of its cases.

use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::case::{Case, Setting};

/// One word of `--cases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All cases of a setting.
    All(Setting),
    /// One case.
    One(Case),
}

static WORDS: LazyLock<Vec<Selection>> = LazyLock::new(|| {
    let settings = Setting::ALL.map(Selection::All).into_iter();
    settings.chain(Case::ALL.map(Selection::One)).collect()
});

impl Selection {
    /// Everything.
    pub(crate) const ALL: [Self; 5] = [
        Self::All(Setting::Switching),
        Self::All(Setting::Nat),
        Self::All(Setting::Overlay),
        Self::All(Setting::Lan),
        Self::All(Setting::Docker),
    ];

    /// Whether a case is meant.
    pub(crate) fn includes(self, case: Case) -> bool {
        match self {
            Self::All(setting) => case.setting() == setting,
            Self::One(one) => case == one,
        }
    }
}

impl ValueEnum for Selection {
    fn value_variants<'a>() -> &'a [Self] {
        &WORDS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::All(setting) => setting.to_possible_value(),
            Self::One(case) => case.to_possible_value(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(word: &str) -> Vec<Case> {
        let selection = Selection::from_str(word, false).unwrap();
        let included = |case: &Case| selection.includes(*case);
        Case::ALL.into_iter().filter(included).collect()
    }

    #[test]
    fn a_setting_stands_for_its_cases() {
        let of_settings = ["switching", "nat", "overlay", "lan", "docker"].map(cases);
        assert_eq!(of_settings.concat(), Case::ALL);
    }

    #[test]
    fn a_case_stands_for_itself() {
        assert_eq!(cases("nat-out-udp64"), [Case::NatOutUdp64]);
        assert_eq!(cases("ping-pong"), [Case::PingPong]);
        assert!(Selection::from_str("nat-", false).is_err());
    }
}
