//! `instructions.toml`, and what becomes of a count that is not the one in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Instructions a frame, by group and case.
pub(crate) type Counts = BTreeMap<String, BTreeMap<String, u64>>;

const HEAD: &str = "\
# Instructions that a frame takes. `make test` compares, `make instructions` writes this file.
";

/// What compiled this program, and for what.
const COMPILER: &str = env!("COMPILER");

/// Counts, and the compiler of what was counted.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    compiler: String,
    instructions: Counts,
}

/// A record beside what was counted now.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The recorded compiler and that of now, if they differ.
    compilers: Option<[String; 2]>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    group: String,
    case: String,
    recorded: Option<u64>,
    counted: Option<u64>,
    judgement: Judgement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    AsRecorded,
    More,
    /// No harm, but what is gained could be lost again without a word.
    Fewer,
    NotRecorded,
    NoCase,
}

impl Record {
    /// What was counted by this program.
    pub(crate) fn new(instructions: Counts) -> Self {
        Self {
            compiler: COMPILER.to_owned(),
            instructions,
        }
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| {
            let path = path.display();
            format!("cannot read {path}; run from the root of the repository")
        })?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = format!("{HEAD}{}", toml::to_string(self)?);
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(crate) fn compare(&self, counted: &Self) -> Comparison {
        let same_compiler = self.compiler == counted.compiler;
        let lines = cases(&self.instructions)
            .union(&cases(&counted.instructions))
            .map(|&(group, case)| {
                let count = |record: &Self| record.instructions.get(group)?.get(case).copied();
                let (recorded, counted) = (count(self), count(counted));
                Line {
                    group: group.to_owned(),
                    case: case.to_owned(),
                    recorded,
                    counted,
                    judgement: judge(recorded, counted, same_compiler),
                }
            })
            .collect();
        Comparison {
            compilers: (!same_compiler).then(|| [self.compiler.clone(), counted.compiler.clone()]),
            lines,
        }
    }
}

fn cases(counts: &Counts) -> BTreeSet<(&str, &str)> {
    let groups = counts.iter();
    groups
        .flat_map(|(group, cases)| {
            let names = cases.keys();
            names.map(move |case| (group.as_str(), case.as_str()))
        })
        .collect()
}

/// The same compiler's counts may differ by 5 %, or by one instruction. Another compiler's may differ by much
/// more, as it inlines elsewhere; half as much again is a change whatever it does.
fn judge(recorded: Option<u64>, counted: Option<u64>, same_compiler: bool) -> Judgement {
    let (Some(recorded), Some(counted)) = (recorded, counted) else {
        return if counted.is_some() {
            Judgement::NotRecorded
        } else {
            Judgement::NoCase
        };
    };
    let tolerated = if same_compiler {
        recorded.div_ceil(20)
    } else {
        recorded / 2
    };
    if counted > recorded + tolerated {
        Judgement::More
    } else if same_compiler && counted + tolerated < recorded {
        Judgement::Fewer
    } else {
        Judgement::AsRecorded
    }
}

impl Comparison {
    pub(crate) fn is_as_recorded(&self) -> bool {
        let mut judgements = self.lines.iter().map(|line| line.judgement);
        judgements.all(|judgement| judgement == Judgement::AsRecorded)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([recorded, now]) = &self.compilers {
            writeln!(
                f,
                "ANOTHER COMPILER than the record's: only half as much again is taken for a change."
            )?;
            writeln!(f, "  recorded: {recorded}\n  now:      {now}")?;
        }
        writeln!(
            f,
            "{:<24} {:>9} {:>9} {:>8}",
            "instructions a frame", "recorded", "now", "change"
        )?;
        self.lines.iter().try_for_each(|line| write!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        let change = match (self.recorded, self.counted) {
            (Some(recorded), Some(counted)) if recorded > 0 => {
                format!("{:+.1} %", (counted as f64 / recorded as f64 - 1.0) * 100.0)
            }
            _ => String::new(),
        };
        let remark = match self.judgement {
            Judgement::AsRecorded => "",
            Judgement::More => "  MORE than recorded",
            Judgement::Fewer => "  FEWER than recorded",
            Judgement::NotRecorded => "  NOT RECORDED",
            Judgement::NoCase => "  RECORDED, but no case any more",
        };
        let name = format!("{} {}", self.group, self.case);
        let [recorded, counted] = [self.recorded, self.counted].map(count);
        writeln!(
            f,
            "{name:<24} {recorded:>9} {counted:>9} {change:>8}{remark}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(compiler: &str, counts: &[(&str, u64)]) -> Record {
        let cases = counts.iter().map(|&(case, count)| (case.to_owned(), count));
        Record {
            compiler: compiler.to_owned(),
            instructions: Counts::from([("parse".to_owned(), cases.collect())]),
        }
    }

    fn judgement(recorded: u64, counted: u64, compiler: &str) -> Judgement {
        let comparison =
            record("a", &[("udp", recorded)]).compare(&record(compiler, &[("udp", counted)]));
        comparison.lines[0].judgement
    }

    #[test]
    fn five_per_cent_are_tolerated_either_way() {
        assert_eq!(judgement(200, 210, "a"), Judgement::AsRecorded);
        assert_eq!(judgement(200, 211, "a"), Judgement::More);
        assert_eq!(judgement(200, 190, "a"), Judgement::AsRecorded);
        assert_eq!(judgement(200, 189, "a"), Judgement::Fewer);
        assert_eq!(judgement(10, 11, "a"), Judgement::AsRecorded);
        assert_eq!(judgement(10, 12, "a"), Judgement::More);
    }

    #[test]
    fn of_another_compiler_half_as_much_again_is_a_change() {
        assert_eq!(judgement(200, 300, "b"), Judgement::AsRecorded);
        assert_eq!(judgement(200, 301, "b"), Judgement::More);
        assert_eq!(judgement(200, 20, "b"), Judgement::AsRecorded);
        let comparison = record("a", &[]).compare(&record("b", &[]));
        assert!(comparison.to_string().contains("ANOTHER COMPILER"));
    }

    #[test]
    fn a_case_is_in_the_record_and_the_other_way_round() {
        let comparison = record("a", &[("old", 1)]).compare(&record("a", &[("new", 1)]));
        let judgements: Vec<_> = comparison.lines.iter().map(|line| line.judgement).collect();
        assert_eq!(judgements, [Judgement::NotRecorded, Judgement::NoCase]);
        assert!(!comparison.is_as_recorded());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let record = record("a", &[("udp", 7)]);
        let text = format!("{HEAD}{}", toml::to_string(&record).unwrap());
        assert_eq!(toml::from_str::<Record>(&text).unwrap(), record);
    }
}
