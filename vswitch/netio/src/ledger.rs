//! Words in a file, shared with the next process: what is written is there after `kill -9`.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::mapping::SharedWords;

/// A file of 64-bit words, mapped into memory. Pages that were never written take no room, neither on
/// disk nor in memory. After a crash of the machine, what is there is what the kernel had written back.
#[derive(Debug)]
pub struct WordFile {
    words: SharedWords,
    written: Vec<Range<usize>>,
}

impl WordFile {
    /// Opens or makes a file of `words` words, at least one. What a longer or a shorter one held stays,
    /// as far as it fits.
    ///
    /// # Errors
    /// Of the file system; `ENODEV` where files cannot be mapped.
    pub fn open(path: &Path, words: usize) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.set_len(words as u64 * 8)?;
        let written = data(&file, words)?;
        let words = SharedWords::map(file.as_fd(), words)?;
        Ok(Self { words, written })
    }

    /// Where there was anything but holes when the file was opened; all else is zero.
    #[must_use]
    pub fn written(&self) -> &[Range<usize>] {
        &self.written
    }
}

impl Deref for WordFile {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        &self.words
    }
}

/// The extents with data, in words. Holes are not to be touched: reading one takes a page of memory.
fn data(file: &File, words: usize) -> io::Result<Vec<Range<usize>>> {
    let mut extents = Vec::new();
    let mut at = 0;
    loop {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // No data behind `at`.
            Err(Errno::NXIO) => return Ok(extents),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        let word = |octet: u64| usize::try_from(octet / 8).unwrap_or(words).min(words);
        extents.push(word(start)..word(end));
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn words_outlive_the_mapping_and_holes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        let file = WordFile::open(&path, 1 << 20).unwrap();
        assert_eq!(file.written(), []);
        file[7].store(70, Relaxed);
        file[(1 << 20) - 1].store(71, Relaxed);
        drop(file);
        let file = WordFile::open(&path, 2 << 20).unwrap();
        assert_eq!(file.len(), 2 << 20);
        let written = file.written();
        let has = |word| written.iter().any(|extent| extent.contains(&word));
        assert!(has(7) && has((1 << 20) - 1) && !has(1 << 19), "{written:?}");
        assert_eq!(file[7].load(Relaxed), 70);
        assert_eq!(file[(1 << 20) - 1].load(Relaxed), 71);
    }
}
