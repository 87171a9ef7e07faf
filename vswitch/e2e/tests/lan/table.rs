//! Tables of who reaches whom.

use anyhow::{Result, ensure};
use vswitch_e2e::{Party, Way, who_hears_whom};

/// Whose macvlan it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Kernel,
    Switch,
}

/// For each who speaks, in turn, who hears it, in the same order:
/// - `x` hears it, once; `.` does not
/// - `o` hears it with ours, not with the kernel's macvlan; `k` the other way round.
pub(crate) type Table<const N: usize> = [&'static str; N];

/// Tries it, and compares. `what` is for messages.
pub(crate) fn is_as<const N: usize>(
    parties: &[Party],
    maker: Maker,
    what: &str,
    way: Way,
    table: &Table<N>,
) -> Result<()> {
    ensure!(parties.len() == N && table.iter().all(|row| row.len() == N));
    let hears = |from: usize, to: usize| match table[from].as_bytes()[to] {
        b'x' => true,
        b'k' => maker == Maker::Kernel,
        b'o' => maker == Maker::Switch,
        _ => false,
    };
    let pairs: Vec<_> = (0..N)
        .flat_map(|from| (0..N).map(move |to| (from, to)))
        .collect();
    let expected: Vec<_> = pairs
        .iter()
        .copied()
        .filter(|&(a, b)| hears(a, b))
        .collect();
    let heard = who_hears_whom(parties, way, &expected)?;
    let mut wrong = Vec::new();
    for (from, to) in pairs {
        let (count, wanted) = (heard.count(from, to), u32::from(hears(from, to)));
        if count != wanted {
            let [from, to] = [from, to].map(|index| &parties[index].name);
            wrong.push(format!(
                "{from} was heard {count} times by {to}, not {wanted}"
            ));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{maker:?}, {what}, {way}:\n{}",
        wrong.join("\n")
    );
    Ok(())
}
