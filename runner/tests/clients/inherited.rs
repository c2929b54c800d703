//! A client holds nothing of its runner's but the standard streams.

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

#[test]
fn a_connection_of_the_runner_ends_when_the_runner_closes_it() {
    // Like a socket of the mock cluster: not closed when another program starts.
    let (ours, handed_on) = nix::unistd::pipe().expect("a pipe");
    let mut client = Command::new(env!("CARGO_BIN_EXE_kplan"))
        .args(["client", "--run", "R", "--name", "P"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a client");
    drop(handed_on);
    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || tell.send(File::from(ours).read(&mut [0]).unwrap_or(1)));
    let read = ended.recv_timeout(Duration::from_secs(30));
    let lives = client.try_wait().expect("known").is_none();
    client.kill().expect("it waits for its orders");
    client.wait().expect("ended");
    assert_eq!(read, Ok(0), "the client holds the other end");
    assert!(lives, "the pipe ended with the client");
}
