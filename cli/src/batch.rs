//! The same to several things, some of which may be refused.

use std::collections::BTreeMap;
use std::process::ExitCode;

use vswitch_api::ClientError;

use crate::output::Output;

/// What was done and whether something was not.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    output: &'a Output,
    /// The key of the list in JSON: `added`, `removed`.
    word: &'static str,
    done: Vec<String>,
    refused: bool,
}

impl<'a> Batch<'a> {
    pub(crate) const fn new(output: &'a Output, word: &'static str) -> Self {
        Self {
            output,
            word,
            done: Vec::new(),
            refused: false,
        }
    }

    /// Prints the name of what was done, or why it was not. Without a daemon there is no going on.
    pub(crate) fn note(
        &mut self,
        name: String,
        result: Result<(), ClientError>,
    ) -> anyhow::Result<()> {
        match result {
            Ok(()) => {
                if !self.output.is_json() {
                    self.output.lines([&name])?;
                }
                self.done.push(name);
            }
            Err(error) if error.code().is_some() => {
                self.output.error(&with_name(&name, error.to_string()));
                self.refused = true;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Exit code 1 if something was refused.
    pub(crate) fn finish(self) -> anyhow::Result<ExitCode> {
        if self.output.is_json() {
            self.output
                .json(&BTreeMap::from([(self.word, self.done)]))?;
        }
        Ok(if self.refused {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// Which of several things an error is of, if it does not say so itself.
fn with_name(name: &str, message: String) -> String {
    if message.contains(name) {
        message
    } else {
        format!("{name}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_once_what_it_is_of() {
        let named = with_name("192.0.2.2", "192.0.2.2 is a peer already".to_owned());
        assert_eq!(named, "192.0.2.2 is a peer already");
        let named = with_name("192.0.2.2", "the network is gone".to_owned());
        assert_eq!(named, "192.0.2.2: the network is gone");
    }
}
