//! Values as the text of one table cell. What is not there is `-`, so that columns stay countable.

use std::collections::BTreeMap;
use std::fmt::Display;

/// What stands for nothing.
const NOTHING: &str = "-";

/// A value, or `-`.
pub(crate) fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

/// Values with commas between them, or `-`.
pub(crate) fn list(values: impl IntoIterator<Item = impl Display>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    if values.is_empty() {
        NOTHING.to_owned()
    } else {
        values.join(",")
    }
}

/// `reason=count` for each reason that has a count, with commas between them, or `-`.
pub(crate) fn reasons(counts: &BTreeMap<String, u64>) -> String {
    list(
        counts
            .iter()
            .filter(|&(_, &count)| count > 0)
            .map(|(reason, count)| format!("{reason}={count}")),
    )
}

/// Seconds with their unit, or `-`.
pub(crate) fn age(seconds: Option<u64>) -> String {
    optional(seconds.map(|seconds| format!("{seconds}s")))
}

/// The first 12 digits of an id.
pub(crate) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_dash() {
        assert_eq!(optional(None::<u8>), "-");
        assert_eq!(list(Vec::<u8>::new()), "-");
        assert_eq!(age(None), "-");
        assert_eq!(reasons(&BTreeMap::from([("storm".to_owned(), 0)])), "-");
    }

    #[test]
    fn values_are_one_word() {
        assert_eq!(list([1, 2]), "1,2");
        assert_eq!(age(Some(303)), "303s");
        let counts = BTreeMap::from([("spoofed_mac".to_owned(), 2), ("storm".to_owned(), 1)]);
        assert_eq!(reasons(&counts), "spoofed_mac=2,storm=1");
    }

    #[test]
    fn ids_are_cut_to_twelve_digits() {
        assert_eq!(short(&"ab".repeat(32)), "abababababab");
        assert_eq!(short("abc"), "abc");
    }
}
