//! The calling thread's name, share of the processor, and processors.

use std::ffi::CString;
use std::io;

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

/// Names the thread for `ps -L` and `top -H`. The kernel keeps 15 bytes; the rest, and all from a zero
/// byte on, is cut off.
///
/// # Errors
/// None that a caller can cause.
pub fn set_name(name: &str) -> io::Result<()> {
    let bytes: Vec<u8> = name.bytes().take(15).take_while(|&b| b != 0).collect();
    Ok(rustix::thread::set_name(&CString::new(bytes)?)?)
}

/// Sets the nice value, -20 to 19, of this thread alone (Linux keeps one per thread, against POSIX). A thread that
/// forwards frames at nice 10 lets the endpoints run first, and so reads longer bursts.
///
/// # Errors
/// `EACCES` when the value is lowered without CAP_SYS_NICE.
pub fn set_nice(nice: i32) -> io::Result<()> {
    Ok(setpriority_process(Some(gettid()), nice)?)
}

/// Lets the thread run on these processors only.
///
/// # Errors
/// `EINVAL` if none of them is there, or a number is [`CpuSet::MAX_CPU`] or more.
pub fn set_affinity(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu >= CpuSet::MAX_CPU {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        set.set(cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// The processors that the thread may run on, in ascending order.
///
/// # Errors
/// `EINVAL` on a machine with more than [`CpuSet::MAX_CPU`] processors.
pub fn affinity() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::getpriority_process;
    use std::thread;

    #[test]
    fn a_long_name_is_cut() {
        thread::spawn(|| {
            set_name("a-name-of-more-than-15-bytes").unwrap();
            assert_eq!(
                rustix::thread::name().unwrap().to_bytes(),
                b"a-name-of-more-"
            );
        })
        .join()
        .unwrap();
    }

    #[test]
    fn nice_is_set_for_one_thread() {
        let before = getpriority_process(Some(gettid())).unwrap();
        thread::spawn(|| {
            set_nice(10).unwrap();
            assert_eq!(getpriority_process(Some(gettid())).unwrap(), 10);
        })
        .join()
        .unwrap();
        assert_eq!(getpriority_process(Some(gettid())).unwrap(), before);
    }

    #[test]
    fn affinity_is_what_was_set() {
        thread::spawn(|| {
            let last = *affinity().unwrap().last().unwrap();
            set_affinity(&[last]).unwrap();
            assert_eq!(affinity().unwrap(), [last]);
            assert!(set_affinity(&[]).is_err());
            assert!(set_affinity(&[usize::MAX]).is_err());
        })
        .join()
        .unwrap();
    }
}
