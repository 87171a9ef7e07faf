//! Threads: name, share of the processor, and processors.

use std::ffi::CString;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// Names the calling thread for `ps -L` and `top -H`. The kernel keeps 15 bytes; the rest, and all from a zero
/// byte on, is cut off.
///
/// # Errors
/// None that a caller can cause.
pub fn set_name(name: &str) -> io::Result<()> {
    let bytes: Vec<u8> = name.bytes().take(15).take_while(|&b| b != 0).collect();
    Ok(rustix::thread::set_name(&CString::new(bytes)?)?)
}

/// Sets the nice value, -20 to 19, of the calling thread alone (Linux keeps one per thread, against POSIX). A thread that
/// forwards frames at nice 10 lets the endpoints run first, and so reads longer bursts.
///
/// # Errors
/// `EACCES` when the value is lowered without CAP_SYS_NICE.
pub fn set_nice(nice: i32) -> io::Result<()> {
    Ok(setpriority_process(Some(gettid()), nice)?)
}

/// Sets how long the calling thread wants the processor at a time, 100 µs to 100 ms, while others wait for it. Its share is
/// the same, but the shorter the time, the sooner it has its turn when it is woken. A kernel before 6.12 takes it and
/// does as before.
///
/// # Errors
/// `EPERM` where a sandbox forbids it.
pub fn set_slice(slice: Duration) -> io::Result<()> {
    const OWN: libc::pid_t = 0;
    const NO_FLAGS: libc::c_uint = 0;
    const SIZE: u32 = size_of::<libc::sched_attr>() as u32;
    // SAFETY: a structure of integers, of which all zeros is a value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes no more than `SIZE` bytes to the structure, which lives until the call returns.
    let got = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            OWN,
            &raw mut attributes,
            SIZE,
            NO_FLAGS,
        )
    };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: the kernel reads as many bytes of the structure as it says itself in `size`, which the kernel set.
    let set = unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            OWN,
            &raw const attributes,
            NO_FLAGS,
        )
    };
    if set < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A thread of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thread(Pid);

impl Thread {
    /// The calling one.
    #[must_use]
    pub fn current() -> Self {
        Self(gettid())
    }

    /// Lets it run on these processors only.
    ///
    /// # Errors
    /// `EINVAL` if none of them is there for this process, or a number is [`CpuSet::MAX_CPU`] or more; `ESRCH` if the
    /// thread has ended.
    pub fn set_affinity(self, processors: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for &processor in processors {
            if processor >= CpuSet::MAX_CPU {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            set.set(processor);
        }
        Ok(sched_setaffinity(Some(self.0), &set)?)
    }
}

/// The processor that the calling thread runs on just now. No system call (vDSO).
#[must_use]
pub fn processor() -> usize {
    sched_getcpu()
}

/// The processors that the calling thread may run on, in ascending order.
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
    fn a_slice_changes_nothing_else() {
        thread::spawn(|| {
            set_nice(7).unwrap();
            set_slice(Duration::from_micros(100)).unwrap();
            assert_eq!(getpriority_process(Some(gettid())).unwrap(), 7);
            set_nice(8).unwrap();
            // In nanoseconds, from 6.12 on.
            let shown = std::fs::read_to_string("/proc/thread-self/sched").unwrap();
            let mut lines = shown.lines().filter_map(|line| line.split_once(':'));
            let slice = lines.find(|(name, _)| name.trim() == "se.slice");
            if let Some((_, slice)) = slice {
                assert_eq!(slice.trim(), "100000");
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn affinity_is_what_was_set() {
        thread::spawn(|| {
            let last = *affinity().unwrap().last().unwrap();
            let own = Thread::current();
            own.set_affinity(&[last]).unwrap();
            assert_eq!((affinity().unwrap(), processor()), (vec![last], last));
            assert!(own.set_affinity(&[]).is_err());
            assert!(own.set_affinity(&[usize::MAX]).is_err());
        })
        .join()
        .unwrap();
    }
}
