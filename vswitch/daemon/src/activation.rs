//! Sockets that systemd listens at (`vswitchd.socket`, sd_listen_fds(3)): who connects while the daemon
//! starts, or starts again, waits for it instead of being refused.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

/// The listeners that were passed to the process and that nobody has asked for yet.
#[derive(Debug, Default)]
pub struct Activated {
    listeners: Vec<(PathBuf, UnixListener)>,
}

/// What was passed is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// It is something else.
    #[error(
        "descriptor {descriptor}, passed by LISTEN_FDS, is no unix socket that listens at a path: {reason}; \
         in vswitchd.socket, use ListenStream= with paths only"
    )]
    NotAListener {
        /// Its number.
        descriptor: usize,
        /// What it lacks.
        reason: io::Error,
    },
}

/// The first that is passed (`SD_LISTEN_FDS_START`).
const FIRST: usize = 3;

impl Activated {
    /// Takes what was passed to the process, if anything was. To be called once, and before threads are
    /// started: the environment forgets it.
    ///
    /// # Errors
    /// [`ActivationError`], with the number of the first descriptor that is no listener.
    pub fn take() -> Result<Self, ActivationError> {
        let mut passed = ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..passed.len() {
            let listener = take_listener(&mut passed, index);
            listeners.extend(listener.map_err(|reason| ActivationError::NotAListener {
                descriptor: FIRST + index,
                reason,
            })?);
        }
        Ok(Self { listeners })
    }

    /// The listener at a path, if it was passed; not blocking. Its file is systemd's and has to stay.
    pub fn socket(&mut self, path: &Path) -> Option<UnixListener> {
        let is_it = |(at, _): &(PathBuf, UnixListener)| is_same(at, path);
        let index = self.listeners.iter().position(is_it)?;
        Some(self.listeners.swap_remove(index).1)
    }

    /// The paths of those that nobody has asked for: who connects there waits for ever.
    pub fn unclaimed(&self) -> impl Iterator<Item = &Path> {
        self.listeners.iter().map(|(path, _)| path.as_path())
    }
}

fn take_listener(
    passed: &mut ListenFd,
    index: usize,
) -> io::Result<Option<(PathBuf, UnixListener)>> {
    let Some(listener) = passed.take_unix_listener(index)? else {
        return Ok(None);
    };
    if !socket_acceptconn(&listener)? {
        return Err(io::Error::other("it does not listen"));
    }
    let address = listener.local_addr()?;
    let path = address.as_pathname();
    let path = path.ok_or_else(|| io::Error::other("it has no path"))?;
    listener.set_nonblocking(true)?;
    Ok(Some((path.to_owned(), listener)))
}

/// systemd and the daemon may name one folder by two paths, as `/var/run` and `/run`.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).is_some_and(|one| real(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Output, Stdio};

    use super::*;

    /// Makes this test's process, started again as its own child, do something with what it was passed.
    const CHILD: &str = "VSWITCH_TEST_ACTIVATED";

    /// What the child asks for: paths with commas.
    fn child(wanted: &str) {
        let mut activated = match Activated::take() {
            Ok(activated) => activated,
            Err(error) => {
                eprintln!("{error}");
                std::process::exit(7);
            }
        };
        for path in wanted.split(',') {
            let listener = activated.socket(Path::new(path)).unwrap();
            assert!(activated.socket(Path::new(path)).is_none());
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            println!("{path} got {text}");
        }
        for path in activated.unclaimed() {
            println!("unclaimed {}", path.display());
        }
        assert!(Activated::take().unwrap().listeners.is_empty());
        std::process::exit(0);
    }

    /// Starts `test` again with descriptors 3 and 4. A shell puts them there, and then becomes the
    /// process, so that its id can be told beforehand, as systemd does.
    fn activate(test: &str, wanted: &str, passed: [OwnedFd; 2]) -> Output {
        let [three, four] = passed;
        Command::new("sh")
            .args([
                "-c",
                "exec 3<&0 4<&2 2>&1 </dev/null; LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\"",
            ])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, wanted)
            .stdin(Stdio::from(three))
            .stderr(Stdio::from(four))
            .output()
            .unwrap()
    }

    #[test]
    fn passed_listeners_are_found_by_path_and_others_are_told_of() {
        if let Ok(wanted) = std::env::var(CHILD) {
            child(&wanted);
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        let listeners = [&one, &two].map(|path| UnixListener::bind(path).unwrap());
        // Before anybody accepts.
        let mut client = UnixStream::connect(&two).unwrap();
        client.write_all(b"hello").unwrap();
        drop(client);
        let by_link = link.join("two");
        let output = activate(
            "activation::tests::passed_listeners_are_found_by_path_and_others_are_told_of",
            by_link.to_str().unwrap(),
            listeners.map(OwnedFd::from),
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(
            text.contains(&format!("{} got hello", by_link.display())),
            "{text}"
        );
        assert!(
            text.contains(&format!("unclaimed {}", one.display())),
            "{text}"
        );
        assert!(one.exists() && two.exists());
    }

    #[test]
    fn what_does_not_listen_is_refused_by_number() {
        if let Ok(wanted) = std::env::var(CHILD) {
            child(&wanted);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let listener = UnixListener::bind(&path).unwrap();
        let output = activate(
            "activation::tests::what_does_not_listen_is_refused_by_number",
            path.to_str().unwrap(),
            [listener.into(), UnixStream::pair().unwrap().0.into()],
        );
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(7), "{text}");
        assert!(
            text.contains("descriptor 4, passed by LISTEN_FDS"),
            "{text}"
        );
        assert!(text.contains("it does not listen"), "{text}");
    }
}
