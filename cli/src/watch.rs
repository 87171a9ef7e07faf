//! Looking again each second: `--watch`.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use vswitch_api::ClientError;

use crate::output::Output;
use crate::table::Table;

/// Between two looks.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// To the upper left corner, and nothing after it: what stays the same does not flicker.
const REDRAW: &str = "\x1b[H\x1b[J";

/// The whole screen blank, once at the start.
const CLEAR: &str = "\x1b[2J";

/// Prints what is seen until interrupted: as a line of JSON, or as a table of it. A daemon that goes away
/// after the first look is waited for.
pub(crate) async fn each_second<T: Serialize>(
    output: &Output,
    look: impl AsyncFn() -> anyhow::Result<T>,
    mut table: impl FnMut(T) -> Table,
) -> anyhow::Result<ExitCode> {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let redraw = output.is_terminal() && !output.is_json();
    if redraw {
        output.text(CLEAR)?;
    }
    let mut seen = false;
    let mut away = false;
    loop {
        ticks.tick().await;
        let now = match look().await {
            Ok(now) => now,
            Err(error) if seen && is_absence(&error) => {
                if !away {
                    output.error(&format_args!("{error}; waiting for it"));
                }
                away = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        (seen, away) = (true, false);
        if output.is_json() {
            output.lines([serde_json::to_string(&now)?])?;
        } else {
            let text = output.table(&table(now));
            let (begin, end) = if redraw { (REDRAW, "") } else { ("", "\n") };
            output.text(&format!("{begin}{text}{end}"))?;
        }
    }
}

/// No daemon, as between its end and its next start.
fn is_absence(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ClientError::NoDaemon { .. } | ClientError::Broken { .. })
    )
}
