//! A daemon that was killed and is not quite gone: the kernel closes its TAPs one after another, which
//! takes milliseconds for each, and its locks are held until it comes to them.

use std::fs;
use std::time::{Duration, Instant};

/// How long it may take: hundreds of endpoints with several queues each.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long one may seem to live: a process that was sent SIGKILL does not show it until it runs again.
pub const GRACE: Duration = Duration::from_millis(500);

/// How often it is looked at.
pub const INTERVAL: Duration = Duration::from_millis(5);

/// Set on a task that is on its way out (`include/linux/sched.h`).
const PF_EXITING: u64 = 0x4;

/// Whether a process has ended, or can do nothing any more but end.
#[must_use]
pub fn is_ending(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => tells_of_end(&stat),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Tries until it succeeds, fails for another reason than that somebody is in the way, or patience is at
/// its end: [`PATIENCE`] with one who is ending, [`GRACE`] with one who seems to live.
///
/// # Errors
/// The last one.
pub fn outlast<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    in_the_way: impl Fn(&E) -> bool,
    is_ending: impl Fn() -> bool,
) -> Result<T, E> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if in_the_way(&error) => {
                let patience = if is_ending() { PATIENCE } else { GRACE };
                if start.elapsed() >= patience {
                    return Err(error);
                }
                std::thread::sleep(INTERVAL);
            }
            result => return result,
        }
    }
}

/// The state and the flags are the first and the seventh field after the name, which is in parentheses
/// and may hold anything (proc(5)).
fn tells_of_end(stat: &str) -> bool {
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return false;
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let flags = fields.get(6).and_then(|flags| flags.parse::<u64>().ok());
    matches!(fields.first(), Some(&("Z" | "X"))) || flags.is_some_and(|f| f & PF_EXITING != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_told_from_the_ending() {
        let table = [
            ("7 (vswitchd) S 1 7 7 0 -1 4194560 99", false),
            ("7 (vswitchd) R 1 7 7 0 -1 4194564 99", true),
            ("7 (vswitchd) Z 1 7 7 0 -1 4194560 99", true),
            ("7 (a) Z (b) S 1 7 7 0 -1 4194560 99", false),
            ("", false),
        ];
        for (stat, expected) in table {
            assert_eq!(tells_of_end(stat), expected, "{stat}");
        }
        assert!(!is_ending(std::process::id()));
        assert!(is_ending(u32::MAX));
    }

    #[test]
    fn only_a_predecessor_is_waited_for() {
        let mut left = 3;
        let outcome = outlast(
            || {
                left -= 1;
                if left > 0 { Err("busy") } else { Ok(left) }
            },
            |error| *error == "busy",
            || true,
        );
        assert_eq!(outcome, Ok(0));
        let failed = outlast(|| Err::<(), _>("other"), |e| *e == "busy", || true);
        assert_eq!(failed, Err("other"));
        let start = Instant::now();
        let refused = outlast(|| Err::<(), _>("busy"), |e| *e == "busy", || false);
        assert_eq!(refused, Err("busy"));
        assert!((GRACE..PATIENCE).contains(&start.elapsed()));
    }
}
