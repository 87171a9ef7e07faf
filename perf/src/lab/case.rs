//! What is measured. The cases are in `cases/`, one file for each group.

use std::sync::LazyLock;

use super::cases;
use super::load::Load;
use super::setting::Setting;

/// One kind of run.
pub(crate) struct Case {
    /// Its word on the command line and in JSON.
    pub(crate) name: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    /// Where it is run.
    pub(crate) setting: Setting,
    /// Who is the client.
    pub(crate) way: Way,
    /// What runs from one end to the other.
    pub(crate) load: &'static dyn Load,
}

/// The direction in which a case goes through a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The left end, a container, is the client.
    Outward,
    /// The right end, a container or the outside, is the client.
    Inward,
}

/// Cases that belong together; one word of the command line means them all.
pub(crate) struct Group {
    /// The word.
    pub(crate) name: &'static str,
    /// What it means, for people.
    pub(crate) help: &'static str,
    /// Whether its cases are run if nothing else was asked for.
    pub(crate) by_default: bool,
    /// The cases, in the order they are run.
    pub(crate) cases: &'static [Case],
}

/// All groups, in the order they are run.
pub(crate) static GROUPS: &[Group] = cases::GROUPS;

static ALL: LazyLock<Vec<&'static Case>> =
    LazyLock::new(|| GROUPS.iter().flat_map(|group| group.cases).collect());

impl Case {
    /// One whose client is the left end.
    pub(super) const fn outward(
        setting: Setting,
        name: &'static str,
        title: &'static str,
        load: &'static dyn Load,
    ) -> Self {
        Self {
            name,
            title,
            setting,
            way: Way::Outward,
            load,
        }
    }

    /// All of them, in the order they are run.
    pub(crate) fn all() -> &'static [&'static Self] {
        &ALL
    }
}

impl Group {
    /// The group of a case.
    pub(crate) fn of(case: &Case) -> Option<&'static Self> {
        let has = |group: &&Self| group.cases.iter().any(|one| one.name == case.name);
        GROUPS.iter().find(has)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_means_one_thing() {
        let mut words = HashSet::new();
        for group in GROUPS {
            assert!(words.insert(group.name), "{} twice", group.name);
        }
        for case in Case::all() {
            assert!(words.insert(case.name), "{} twice", case.name);
        }
    }

    #[test]
    fn titles_tell_cases_apart() {
        let titles: HashSet<_> = Case::all().iter().map(|case| case.title).collect();
        assert_eq!(titles.len(), Case::all().len());
    }
}
