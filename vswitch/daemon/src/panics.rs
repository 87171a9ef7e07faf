//! Panics: bugs, here or in a library, that must not take the process or its log with them.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

thread_local! {
    /// Where and why the current thread panicked inside [`contain`]; `None` outside of it.
    static CONTAINED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Writes every panic of the process to the log, in one line, from now on.
pub fn log() {
    std::panic::set_hook(Box::new(|panic| {
        let text = describe(panic);
        let contained = CONTAINED.with_borrow_mut(|slot| match slot {
            Some(slot) => {
                slot.clone_from(&text);
                true
            }
            None => false,
        });
        if !contained {
            tracing::error!("internal error: {text}");
        }
    }));
}

/// Runs a closure, and returns the message of its panic if it panics.
///
/// What the closure changed stays as it was at that moment.
///
/// # Errors
/// The panic's message, with its place in the source after [`log`] was called.
pub fn contain<T>(closure: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CONTAINED.replace(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(closure));
    let told = CONTAINED.replace(outer).unwrap_or_default();
    result.map_err(|payload| {
        if told.is_empty() {
            message(&*payload).to_owned()
        } else {
            told
        }
    })
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let text = message(panic.payload()).replace('\n', " ");
    match panic.location() {
        Some(place) => format!("{text} at {}:{}", place.file(), place.line()),
        None => text,
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(contain(|| 5), Ok(5));
        let error = contain(|| panic!("number {}", 7)).unwrap_err();
        assert!(error.contains("number 7"), "{error}");
        let nested = contain(|| contain(|| panic!("inner")).unwrap_err()).unwrap();
        assert!(nested.contains("inner"), "{nested}");
    }
}
