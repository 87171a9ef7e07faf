//! What Docker asks a plugin and what that answers, written down.

use std::io::BufReader;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::exchange::{Exchange, Reply, Request};

/// A socket before a plugin's. Ends when dropped.
#[derive(Debug)]
pub struct Recorder {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    stop: Arc<AtomicBool>,
}

impl Recorder {
    /// Listens at a path, and hands on what it hears to another socket.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn start(listen: &Path, plugin: &Path) -> Result<Self> {
        let listener = UnixListener::bind(listen)
            .with_context(|| format!("listen at {}", listen.display()))?;
        listener.set_nonblocking(true)?;
        let recorder = Self {
            exchanges: Arc::default(),
            stop: Arc::default(),
        };
        let (exchanges, stop) = (Arc::clone(&recorder.exchanges), Arc::clone(&recorder.stop));
        let plugin = plugin.to_owned();
        thread::spawn(move || accept(&listener, &plugin, &exchanges, &stop));
        Ok(recorder)
    }

    /// All so far.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.exchanges).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn accept(
    listener: &UnixListener,
    plugin: &Path,
    exchanges: &Arc<Mutex<Vec<Exchange>>>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((docker, _)) => {
                let (plugin, exchanges) = (plugin.to_path_buf(), Arc::clone(exchanges));
                // What goes wrong with a connection is Docker's to notice.
                thread::spawn(move || hand_on(docker, &plugin, &exchanges));
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Until the connection ends.
fn hand_on(docker: UnixStream, plugin: &Path, exchanges: &Mutex<Vec<Exchange>>) -> Result<()> {
    docker.set_nonblocking(false)?;
    let mut answers = docker.try_clone()?;
    let mut questions = BufReader::new(docker);
    let mut plugin = UnixStream::connect(plugin)?;
    let mut replies = BufReader::new(plugin.try_clone()?);
    while let Some(request) = Request::read_from(&mut questions)? {
        request.write_to(&mut plugin)?;
        let reply = Reply::read_from(&mut replies)?;
        // Before Docker has it, and whoever waits for Docker.
        lock(exchanges).push(Exchange {
            request,
            reply: reply.clone(),
        });
        reply.write_to(&mut answers)?;
    }
    Ok(())
}

fn lock(exchanges: &Mutex<Vec<Exchange>>) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
}
