//! The ports that the kernel chooses from for sockets that ask for any.

use std::ops::RangeInclusive;

use crate::sysctl::{self, SysctlError};

const RANGE: [&str; 2] = ["ipv4", "ip_local_port_range"];
const RESERVED: [&str; 2] = ["ipv4", "ip_local_reserved_ports"];

/// `inet_init_net` (`net/ipv4/af_inet.c`).
const DEFAULT: RangeInclusive<u16> = 32768..=60999;

/// The range of the calling thread's namespace, reserved ports included. For both IP versions.
///
/// # Errors
/// [`SysctlError`].
pub fn range() -> Result<RangeInclusive<u16>, SysctlError> {
    let text = sysctl::read(&RANGE)?;
    Ok(parse_range(&text).unwrap_or(DEFAULT))
}

/// Keeps the kernel from choosing the ports of `reserve`, and no longer from those of `free`, in one
/// step. Programs that ask for a reserved port still get it. What others have reserved elsewhere stays
/// reserved.
///
/// # Errors
/// [`SysctlError`].
pub fn reserve(
    reserve: &[RangeInclusive<u16>],
    free: &[RangeInclusive<u16>],
) -> Result<(), SysctlError> {
    let mut reserved = parse_list(&sysctl::read(&RESERVED)?);
    for (ranges, is_reserved) in [(free, false), (reserve, true)] {
        for port in ranges.iter().cloned().flatten() {
            reserved[usize::from(port)] = is_reserved;
        }
    }
    // An empty list is a line's end: the kernel takes no empty write.
    sysctl::write(&RESERVED, &format!("{}\n", list(&reserved)))
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = text.split_ascii_whitespace().map(str::parse);
    let first = ports.next()?.ok()?;
    let last = ports.next()?.ok()?;
    (first <= last).then_some(first..=last)
}

/// By port, of a list such as `80,8000-8010`.
fn parse_list(text: &str) -> Vec<bool> {
    let mut ports = vec![false; 1 << 16];
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            for port in first..=last {
                ports[usize::from(port)] = true;
            }
        }
    }
    ports
}

fn list(ports: &[bool]) -> String {
    let mut runs = Vec::new();
    let mut at = 0;
    for run in ports.chunk_by(|a, b| a == b) {
        let last = at + run.len() - 1;
        match run {
            [true] => runs.push(at.to_string()),
            [true, ..] => runs.push(format!("{at}-{last}")),
            _ => {}
        }
        at = last + 1;
    }
    runs.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_numbers() {
        assert_eq!(parse_range("32768\t60999"), Some(32768..=60999));
        for text in ["", "1", "2 1", "a b", "1 65536"] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for text in ["", "80", "80,8000-8010", "0-1,65535", "0-65535"] {
            assert_eq!(list(&parse_list(text)), text);
        }
        assert_eq!(list(&parse_list("80-81,82")), "80-82");
    }
}
