//! `CONFORMANCE.md` against the requirements there are and the tests there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DOCUMENT: &str = include_str!("../../CONFORMANCE.md");

/// All numbered requirements, and of RFC 7857 its sections.
const REQUIREMENTS: [(&str, &str); 4] = [
    (
        "RFC 4787",
        "1 2 3 3a 4 5 5a 5b 5c 6 6a 7 8 8a 9 9a 10 10a 11 12 12a 12b 13 13a 14 14a",
    ),
    ("RFC 5382", "1 2 2a 3 3a 3b 4 4a 5 5a 6 7 8 8a 9 10"),
    (
        "RFC 5508",
        "1 1a 2 2a 3 3a 3b 3c 3d 4 4a 4b 4c 5 5a 5b 5c 6 7 7a 8 9 10 10a 10b 10c 10d 10e 10f 11",
    ),
    ("RFC 7857", "2 2.1 2.2 3 4 5 6 7 7.1 8 9 10 11 12"),
];

struct Line<'a> {
    rfc: &'a str,
    number: &'a str,
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
        let ["", number, _level, verdict, _what, tests, ""] = cells[..] else {
            continue;
        };
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            let named = tests.split('`').skip(1).step_by(2);
            lines.push(Line {
                rfc,
                number,
                verdict,
                tests: named.collect(),
            });
        }
    }
    lines
}

#[test]
fn every_requirement_has_one_line() {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines() {
        found.entry(line.rfc).or_default().push(line.number);
    }
    for (rfc, numbers) in REQUIREMENTS {
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
        verdict,
        tests,
    } in lines()
    {
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
    for line in lines() {
        for test in line.tests {
            let (path, name) = test.split_once("::").unwrap();
            let source = std::fs::read_to_string(root.join(path))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            // With nothing between the attribute and the function but other attributes.
            let there = source.split("#[test]").skip(1).any(|rest| {
                rest.split("fn ")
                    .nth(1)
                    .unwrap_or("")
                    .starts_with(&format!("{name}()"))
            });
            assert!(there, "{} {}: {test}", line.rfc, line.number);
        }
    }
}

/// A test of this folder that the document does not name shows something it does not say.
#[test]
fn every_test_is_named() {
    let named: BTreeSet<&str> = lines().into_iter().flat_map(|line| line.tests).collect();
    for (file, source) in [
        ("rfc4787", include_str!("rfc4787.rs")),
        ("rfc5382", include_str!("rfc5382.rs")),
        ("rfc5508", include_str!("rfc5508.rs")),
        ("rfc7857", include_str!("rfc7857.rs")),
    ] {
        for rest in source.split("#[test]\nfn ").skip(1) {
            let name = rest.split('(').next().unwrap();
            let test = format!("nat/tests/conformance/{file}.rs::{name}");
            assert!(named.contains(test.as_str()), "{test}");
        }
    }
}
