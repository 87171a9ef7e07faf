//! The log: events on standard error.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Sends the process's events to standard error from now on.
///
/// # Errors
/// A filter that is not understood, or a second call.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse(filter)?)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            // The journal and files get no escape codes.
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(ansi).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

fn parse(filter: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(filter).with_context(|| {
        format!("log filter {filter:?}: use error, warn, info, debug, trace or CRATE=LEVEL,…")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        for good in ["info", "warn,vswitchd=debug", "off"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        let error = parse("vswitchd=loud").unwrap_err().to_string();
        assert!(error.contains("vswitchd=loud"), "{error}");
    }
}
