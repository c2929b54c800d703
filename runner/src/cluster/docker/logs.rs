//! Copies a container's output to a file, over all its restarts.

use std::{path::PathBuf, time::Duration};

use bollard::{Docker, query_parameters::LogsOptionsBuilder};
use futures::StreamExt;
use tokio::{task::JoinHandle, time::timeout};

use super::super::contained::output::{OutputFile, Seen};

/// How long the engine may take to return the last lines.
const TAIL_LIMIT: Duration = Duration::from_secs(15);

/// Starts to append to `path` what the container writes after what was `seen`; ends with this
/// life of the container, or when the file cannot be written.
pub fn follow(docker: Docker, container: String, path: PathBuf, seen: Seen) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(mut file) = OutputFile::append(&path, seen) else { return };
        let options = LogsOptionsBuilder::new()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .build();
        let mut lines = docker.logs(&container, Some(options));
        while let Some(Ok(line)) = lines.next().await {
            if !file.take(&line.into_bytes()) {
                return;
            }
        }
    })
}

/// The last lines that a container wrote.
pub async fn tail(docker: &Docker, container: &str, lines: usize) -> String {
    let options =
        LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let mut output = docker.logs(container, Some(options));
    let mut text = String::new();
    let read = async {
        while let Some(Ok(line)) = output.next().await {
            text.push_str(&String::from_utf8_lossy(line.as_ref()));
        }
    };
    // A part of the lines is useful too.
    let _ = timeout(TAIL_LIMIT, read).await;
    text.trim_end().to_owned()
}
