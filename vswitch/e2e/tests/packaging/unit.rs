//! The units as they lie in `packaging/`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use vswitch_e2e::Host;

/// The file of a unit.
pub(crate) fn path(name: &str) -> PathBuf {
    root().join("packaging/systemd").join(name)
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A unit's settings, in order.
pub(crate) struct Unit(Vec<(String, String)>);

impl Unit {
    /// Reads one of `packaging/`.
    pub(crate) fn read(name: &str) -> Result<Self> {
        let path = path(name);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        let settings = settings.filter_map(|line| line.split_once('='));
        let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Self(settings.collect()))
    }

    /// The words of a setting, which may be there several times.
    pub(crate) fn words(&self, key: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(name, _)| name == key);
        values
            .flat_map(|(_, value)| value.split_whitespace())
            .collect()
    }

    /// The system calls that `SystemCallFilter=` lets through: systemd knows what its groups are.
    pub(crate) fn system_calls(&self, host: &Host) -> Result<Vec<String>> {
        // What a program needs to be started and to end is always let through.
        let mut groups = vec!["@default".to_owned()];
        groups.extend(
            self.words("SystemCallFilter")
                .into_iter()
                .map(str::to_owned),
        );
        let mut calls = Vec::new();
        while let Some(word) = groups.pop() {
            if !word.starts_with('@') {
                calls.push(word);
                continue;
            }
            let listed = host.run(&format!("systemd-analyze syscall-filter {word}"))?;
            // The group's name, what it is for, and its members.
            let members = listed.lines().skip(1).map(str::trim);
            let members = members.filter(|line| !line.is_empty() && !line.starts_with('#'));
            groups.extend(members.map(str::to_owned));
        }
        calls.sort_unstable();
        calls.dedup();
        Ok(calls)
    }
}
