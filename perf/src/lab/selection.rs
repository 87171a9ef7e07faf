//! What `--cases` and `--peers` take: a case, or a group for all of its cases; a kind of switch.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use std::sync::LazyLock;

use super::case::{Case, GROUPS, Group};
use super::peer::PeerKind;

/// One word of `--cases`.
#[derive(Clone, Copy)]
pub(crate) enum Selection {
    /// Every case there is.
    Every,
    /// All cases of a group.
    All(&'static Group),
    /// One case.
    One(&'static Case),
}

/// One word of `--peers`.
#[derive(Clone, Copy)]
pub(crate) struct Choice(pub(crate) &'static PeerKind);

static SELECTIONS: LazyLock<Vec<Selection>> = LazyLock::new(|| {
    let groups = GROUPS.iter().map(Selection::All);
    let cases = Case::all().iter().map(|case| Selection::One(case));
    std::iter::once(Selection::Every)
        .chain(groups)
        .chain(cases)
        .collect()
});
static CHOICES: LazyLock<Vec<Choice>> =
    LazyLock::new(|| PeerKind::ALL.iter().map(|kind| Choice(kind)).collect());

impl Selection {
    /// What is run if nothing else was asked for.
    pub(crate) fn default() -> Vec<Self> {
        let groups = GROUPS.iter().filter(|group| group.by_default);
        groups.map(Self::All).collect()
    }

    /// Whether a case is meant.
    pub(crate) fn includes(self, case: &Case) -> bool {
        match self {
            Self::Every => true,
            Self::All(group) => group.cases.iter().any(|one| one.name == case.name),
            Self::One(one) => case.name == one.name,
        }
    }
}

impl ValueEnum for Selection {
    fn value_variants<'a>() -> &'a [Self] {
        &SELECTIONS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Every => PossibleValue::new("all").help("Every case; takes long"),
            Self::All(group) => PossibleValue::new(group.name).help(group.help),
            Self::One(case) => PossibleValue::new(case.name).help(case.title),
        })
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name).help(self.0.help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(word: &str) -> Vec<&'static str> {
        let selection = Selection::from_str(word, false).unwrap();
        let all = Case::all().iter();
        let included = all.filter(|case| selection.includes(case));
        included.map(|case| case.name).collect()
    }

    #[test]
    fn a_group_stands_for_its_cases() {
        let of_groups: Vec<_> = GROUPS.iter().flat_map(|group| cases(group.name)).collect();
        let all: Vec<_> = Case::all().iter().map(|case| case.name).collect();
        assert_eq!(of_groups, all);
    }

    #[test]
    fn all_stands_for_every_case() {
        assert_eq!(cases("all").len(), Case::all().len());
    }

    #[test]
    fn a_case_stands_for_itself() {
        assert_eq!(cases("nat-out-udp64"), ["nat-out-udp64"]);
        assert_eq!(cases("ping-pong"), ["ping-pong"]);
        assert!(Selection::from_str("nat-", false).is_err());
    }
}
