//! Modes of stations: the table of who reaches whom, as of Linux' `drivers/net/macvlan.c` (6.18), but
//! stricter where that relies on who is private never having been heard of.

/// Whom a station reaches without the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Other stations in this mode directly; the others by the wire.
    Bridge,
    /// No other station, not even if the switch outside sends its frames back.
    Private,
    /// Others by the wire alone: the switch outside sends frames back (IEEE 802.1Qbg).
    Vepa,
    /// It has the parent for itself, and sends from any address.
    Passthru,
}

/// A way to another station of the same LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Here,
    ByWire,
    Never,
}

impl Mode {
    /// The way of a frame that is for a station in mode `to` alone.
    pub(super) const fn way_to(self, to: Self) -> Way {
        match (self, to) {
            (Self::Bridge, Self::Bridge) => Way::Here,
            (Self::Private, Self::Private) => Way::Never,
            _ => Way::ByWire,
        }
    }

    /// Whether a frame that is for a station in mode `to` alone gets there if the wire brings it back.
    pub(super) const fn comes_back_to(self, to: Self) -> bool {
        !matches!((self, to), (Self::Private, _) | (_, Self::Private))
    }

    /// Whether a frame for many is heard by a station in mode `by` on its way to the wire.
    pub(super) const fn is_heard_by(self, by: Self) -> bool {
        matches!((self, by), (Self::Bridge, Self::Bridge))
    }

    /// Whether a frame for many is heard by a station in mode `by` if the wire brings it back: not by those
    /// that have heard it on its way there.
    pub(super) const fn is_heard_back_by(self, by: Self) -> bool {
        matches!(
            (self, by),
            (Self::Vepa, Self::Vepa | Self::Bridge) | (Self::Bridge, Self::Vepa)
        )
    }

    /// Whether anybody but itself hears what it has sent to many if the wire brings it back.
    pub(super) const fn is_heard_back(self) -> bool {
        matches!(self, Self::Bridge | Self::Vepa)
    }
}

#[cfg(test)]
mod tests {
    use super::Mode::{self, Bridge, Passthru, Private, Vepa};
    use super::Way::{self, ByWire, Here, Never};

    const MODES: [Mode; 4] = [Bridge, Private, Vepa, Passthru];

    /// From one mode (rows) to another (columns, in the order of [`MODES`]).
    #[track_caller]
    fn assert_table<T: PartialEq + core::fmt::Debug>(
        cell: impl Fn(Mode, Mode) -> T,
        expected: [[T; 4]; 4],
    ) {
        for (from, row) in MODES.into_iter().zip(expected) {
            for (to, expected) in MODES.into_iter().zip(row) {
                assert_eq!(cell(from, to), expected, "from {from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn to_one_station() {
        let by_wire: [Way; 4] = [ByWire; 4];
        assert_table(
            Mode::way_to,
            [
                [Here, ByWire, ByWire, ByWire],
                [ByWire, Never, ByWire, ByWire],
                by_wire,
                by_wire,
            ],
        );
        assert_table(
            Mode::comes_back_to,
            [
                [true, false, true, true],
                [false, false, false, false],
                [true, false, true, true],
                [true, false, true, true],
            ],
        );
    }

    #[test]
    fn to_many() {
        let nobody = [false; 4];
        assert_table(
            Mode::is_heard_by,
            [[true, false, false, false], nobody, nobody, nobody],
        );
        assert_table(
            Mode::is_heard_back_by,
            [
                [false, false, true, false],
                nobody,
                [true, false, true, false],
                nobody,
            ],
        );
    }

    #[test]
    fn nobody_hears_twice_or_has_to() {
        for (from, to) in MODES.iter().flat_map(|from| MODES.map(|to| (*from, to))) {
            assert!(!(from.is_heard_by(to) && from.is_heard_back_by(to)));
            assert!(from.is_heard_back() || !from.is_heard_back_by(to));
        }
    }
}
