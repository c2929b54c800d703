//! GET requests to services.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// The most bytes of a body that are read.
const MOST: usize = 1 << 20;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends a GET request over a connection of its own. The error is a reason in words.
pub async fn get(host: &str, port: u16, path: &str, limit: Duration) -> Result<HttpAnswer, String> {
    let answer = timeout(limit, ask(host, port, path)).await;
    answer.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

/// The same at this machine, outside of a runtime.
pub(super) fn get_blocking(port: u16, path: &str, limit: Duration) -> Result<HttpAnswer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(get("127.0.0.1", port, path, limit))
}

async fn ask(host: &str, port: u16, path: &str) -> Result<HttpAnswer, String> {
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let place =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let request = Request::get(path)
        .header(header::HOST, place)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    // The connection does its part while the answer is awaited, and ends with this function.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    let body = body.map_err(|error| format!("the body cannot be read: {error}"))?;
    Ok(HttpAnswer { status, body: body.to_bytes().to_vec() })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// Answers one request with these bytes, and returns the request.
    fn serve(answer: &'static [u8]) -> (u16, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let (mut asked, mut chunk) = (Vec::new(), [0; 1024]);
            while !asked.ends_with(b"\r\n\r\n") {
                let read = stream.read(&mut chunk).expect("a request");
                asked.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(answer).expect("an answer");
            String::from_utf8(asked).expect("text")
        });
        (port, served)
    }

    #[test]
    fn an_answer_has_its_status_and_body() {
        let (port, served) =
            serve(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwait\r\n0\r\n\r\n");
        let answer = get_blocking(port, "/health?all", Duration::from_secs(10)).expect("answered");
        assert_eq!(answer, HttpAnswer { status: 503, body: b"wait".to_vec() });
        let asked = served.join().expect("served").to_lowercase();
        assert!(asked.starts_with("get /health?all http/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{asked}");
    }

    #[test]
    fn what_is_no_answer_is_a_reason() {
        let (port, served) = serve(b"+OK ready\r\n");
        assert!(get_blocking(port, "/", Duration::from_secs(10)).is_err());
        served.join().expect("served");
        let why = get_blocking(port, "/", Duration::from_secs(10)).expect_err("nothing listens");
        assert!(why.contains("refused"), "{why}");
    }
}
