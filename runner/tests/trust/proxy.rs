//! A socket between kplan and the container engine, which a test can cut or hold: the engine dies or
//! hangs for that one run, and every other test's lives on.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

const PASSES: u8 = 0;
const HOLDS: u8 = 1;
const CUT: u8 = 2;
/// How soon a connection notices that it is held or cut.
const TICK: Duration = Duration::from_millis(20);

/// The engine as one run sees it.
pub struct Proxy {
    path: PathBuf,
    state: Arc<AtomicU8>,
    open: Arc<Mutex<Vec<UnixStream>>>,
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// Passes everything on to the engine of this machine.
    pub fn start() -> Self {
        let engine = std::env::var("DOCKER_HOST").unwrap_or_default();
        let engine = engine.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned();
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let state = Arc::new(AtomicU8::new(PASSES));
        let open = Arc::new(Mutex::new(Vec::new()));
        let (seen, kept) = (state.clone(), open.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Dropped at once: closed before a word was said.
                if seen.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                let Ok(server) = UnixStream::connect(&engine) else { continue };
                connect(&client, &server, &seen, &kept);
            }
        });
        Self { path, state, open, _dir: dir }
    }

    /// What `DOCKER_HOST` must be.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// The engine dies: every connection ends, none is answered any more.
    pub fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        for stream in self.open.lock().expect("no holder panics").drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// The engine hangs: connections stay, nothing comes.
    pub fn hold(&self) {
        self.state.store(HOLDS, Ordering::SeqCst);
    }

    /// The engine is back.
    pub fn restore(&self) {
        self.state.store(PASSES, Ordering::SeqCst);
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn connect(
    client: &UnixStream,
    server: &UnixStream,
    state: &Arc<AtomicU8>,
    open: &Arc<Mutex<Vec<UnixStream>>>,
) {
    let both = |stream: &UnixStream| stream.try_clone().expect("another handle");
    let mut kept = open.lock().expect("no holder panics");
    kept.extend([both(client), both(server)]);
    for (from, to) in [(both(client), both(server)), (both(server), both(client))] {
        let state = state.clone();
        thread::spawn(move || copy(from, to, &state));
    }
}

/// Copies until one side ends; while the engine hangs nothing moves.
fn copy(mut from: UnixStream, mut to: UnixStream, state: &AtomicU8) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        while state.load(Ordering::SeqCst) == HOLDS {
            thread::sleep(TICK);
        }
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
