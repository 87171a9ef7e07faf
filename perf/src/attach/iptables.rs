//! Rules of iptables, as moby programs them: it asks first whether a rule is there (`iptables.Rule`, in
//! `daemon/libnetwork/iptables`), each time by a process.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A rule, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// The table.
    pub(super) table: &'static str,
    /// The chain.
    pub(super) chain: &'static str,
    /// What it says, as on the command line.
    pub(super) says: String,
}

impl Rule {
    /// Puts it behind the others of its chain, if it is not there.
    ///
    /// # Errors
    /// If iptables fails.
    pub(super) fn append(&self) -> Result<()> {
        self.ensure("-A")
    }

    /// Puts it before the others of its chain, if it is not there.
    ///
    /// # Errors
    /// If iptables fails.
    pub(super) fn insert(&self) -> Result<()> {
        self.ensure("-I")
    }

    /// Takes it away, if it is there.
    ///
    /// # Errors
    /// If iptables fails.
    pub(super) fn delete(&self) -> Result<()> {
        if self.exists()? {
            self.change("-D")?;
        }
        Ok(())
    }

    fn ensure(&self, action: &str) -> Result<()> {
        if !self.exists()? {
            self.change(action)?;
        }
        Ok(())
    }

    fn exists(&self) -> Result<bool> {
        self.iptables("-C")
    }

    fn change(&self, action: &str) -> Result<()> {
        let done = self.iptables(action)?;
        ensure!(done, "iptables refused {action} of {self:?}");
        Ok(())
    }

    fn iptables(&self, action: &str) -> Result<bool> {
        let mut iptables = Command::new("iptables");
        iptables.args(["--wait", "-t", self.table, action, self.chain]);
        iptables.args(self.says.split_whitespace());
        let status = iptables.stderr(Stdio::null()).status();
        Ok(status.context("start iptables")?.success())
    }
}
