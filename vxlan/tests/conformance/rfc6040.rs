//! Figures 3 and 4 of RFC 6040, as they are drawn.

use vswitch_vxlan::ecn::Ecn::{self, Ce, Ect0, Ect1, NotEct};
use vswitch_vxlan::ecn::{Unheard, decapsulate, encapsulate, is_anomaly};

/// The order of rows and columns.
const ALL: [Ecn; 4] = [NotEct, Ect0, Ect1, Ce];

/// Severity, lowest first (§4.2).
const SEVERITY: [Ecn; 4] = [NotEct, Ect0, Ect1, Ce];

/// What leaves the tunnel, by what is inside and what is outside, and the exclamation marks.
const FIGURE_4: [[(Result<Ecn, Unheard>, &str); 4]; 4] = [
    [
        (Ok(NotEct), ""),
        (Ok(NotEct), "!!!"),
        (Ok(NotEct), "!!!"),
        (Err(Unheard), "!!!"),
    ],
    [(Ok(Ect0), ""), (Ok(Ect0), ""), (Ok(Ect1), ""), (Ok(Ce), "")],
    [
        (Ok(Ect1), ""),
        (Ok(Ect1), "!"),
        (Ok(Ect1), ""),
        (Ok(Ce), ""),
    ],
    [(Ok(Ce), ""), (Ok(Ce), ""), (Ok(Ce), "!!!"), (Ok(Ce), "")],
];

fn combinations() -> impl Iterator<Item = (Ecn, Ecn, Result<Ecn, Unheard>, &'static str)> {
    ALL.into_iter().zip(FIGURE_4).flat_map(|(inner, row)| {
        let cells = ALL.into_iter().zip(row);
        cells.map(move |(outer, (expected, mark))| (inner, outer, expected, mark))
    })
}

#[test]
fn figure_3_in_normal_mode_the_mark_is_copied() {
    for inner in ALL {
        assert_eq!(encapsulate(inner), inner);
    }
}

#[test]
fn figure_4_all_combinations() {
    for (inner, outer, expected, _) in combinations() {
        assert_eq!(
            decapsulate(inner, outer),
            expected,
            "{inner:?} in {outer:?}"
        );
    }
}

#[test]
fn section_4_2_the_more_severe_mark_is_kept() {
    let rank = |ecn| SEVERITY.iter().position(|other| *other == ecn);
    for (inner, outer, ..) in combinations() {
        let expected = match inner {
            NotEct if outer == Ce => Err(Unheard),
            NotEct => Ok(NotEct),
            _ if rank(outer) > rank(inner) => Ok(outer),
            _ => Ok(inner),
        };
        assert_eq!(
            decapsulate(inner, outer),
            expected,
            "{inner:?} in {outer:?}"
        );
    }
}

#[test]
fn section_4_2_combinations_that_nothing_makes() {
    for (inner, outer, _, mark) in combinations() {
        let anomaly = is_anomaly(inner, outer);
        assert_eq!(anomaly, !mark.is_empty(), "{inner:?} in {outer:?}");
    }
}
