//! `CONFORMANCE.md` against the rules there are and the tests there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DOCUMENT: &str = include_str!("../../CONFORMANCE.md");

/// All rules, by section and place in it.
const RULES: [(&str, &str); 4] = [
    (
        "RFC 7348",
        "4a 4b 4c 4d 4e 4.1a 4.1b 4.1c 4.1d 4.2a 4.2b 4.2c 4.2d 4.2e 4.2f 4.3a 4.3b 4.3c 4.3d \
         5a 5b 5c 5d 5e 5f 5g 5h 5i 5j 5k 5l 5m 5n 5o 5p 5q 5r 6a 6b 6.1a 6.1b 6.1c 7a 7b 7c 7d",
    ),
    (
        "RFC 6040",
        "4.1a 4.1b 4.1c 4.2a 4.2b 4.2c 4.2d 4.2e 4.2f 4.2g",
    ),
    ("RFC 6935", "5a 5b 5c"),
    ("RFC 6936", "4a 4b 4c 5a 5b"),
];

const LEVELS: [&str; 7] = [
    "MUST",
    "MUST NOT",
    "SHOULD",
    "SHOULD NOT",
    "RECOMMENDED",
    "MAY",
    "—",
];

struct Line<'a> {
    rfc: &'a str,
    number: &'a str,
    level: &'a str,
    verdict: &'a str,
    tests: Vec<&'a str>,
}

fn lines() -> Vec<Line<'static>> {
    let mut rfc = "";
    let mut lines = vec![];
    for line in DOCUMENT.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            rfc = title;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        // Before the first bar and behind the last one there is nothing.
        let ["", number, level, verdict, _what, tests, ""] = cells[..] else {
            continue;
        };
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            let named = tests.split('`').skip(1).step_by(2);
            lines.push(Line {
                rfc,
                number,
                level,
                verdict,
                tests: named.collect(),
            });
        }
    }
    lines
}

/// The names of the tests in `source`: with nothing between the attribute and the function but other
/// attributes.
fn tests_in(source: &str) -> impl Iterator<Item = &str> {
    source.split("#[test]").skip(1).filter_map(|rest| {
        let function = rest.split("fn ").nth(1)?;
        function.split('(').next()
    })
}

#[test]
fn every_rule_has_one_line() {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines() {
        found.entry(line.rfc).or_default().push(line.number);
    }
    for (rfc, numbers) in RULES {
        let numbers: Vec<&str> = numbers.split(' ').collect();
        assert_eq!(found.remove(rfc).unwrap_or_default(), numbers, "{rfc}");
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn what_is_done_is_shown_by_a_test() {
    for Line {
        rfc,
        number,
        level,
        verdict,
        tests,
    } in lines()
    {
        assert!(LEVELS.contains(&level), "{rfc} {number}: {level}");
        match verdict {
            "complies" | "deviates" => assert!(!tests.is_empty(), "{rfc} {number}"),
            "not done" | "n/a" => {}
            other => panic!("{rfc} {number}: {other}"),
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the sources are in files")]
fn every_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut missing = vec![];
    for line in lines() {
        for test in line.tests {
            let (path, name) = test.split_once("::").unwrap();
            let source = std::fs::read_to_string(root.join(path)).unwrap_or_default();
            if !tests_in(&source).any(|there| there == name) {
                missing.push(format!("{} {}: {test}", line.rfc, line.number));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A test of this folder that the document does not name shows something it does not say.
#[test]
fn every_test_is_named() {
    let named: BTreeSet<&str> = lines().into_iter().flat_map(|line| line.tests).collect();
    for name in tests_in(include_str!("rfc6040.rs")) {
        let test = format!("vxlan/tests/conformance/rfc6040.rs::{name}");
        assert!(named.contains(test.as_str()), "{test}");
    }
}
