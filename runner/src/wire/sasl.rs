//! SASL on a fresh connection: PLAIN (RFC 4616) and SCRAM.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    error::ResponseError,
    messages::{SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};

use crate::codes::error_name;
use crate::wire::{
    Connection, Login, WireError,
    scram::{Exchange, Hash},
};

/// Logs in.
/// Fails with [`WireError::Refused`] with Kafka's error, or any other [`WireError`].
pub(crate) async fn log_in(connection: &mut Connection, login: &Login) -> Result<(), WireError> {
    match login.scram {
        None => plain(connection, &login.user, &login.password).await,
        Some(hash) => scram(connection, hash, login).await,
    }
}

/// Brokers before 1.0 (handshake v0, KIP-43) want the bare token in a frame of its own; later ones a
/// SaslAuthenticate request (KIP-152).
async fn plain(connection: &mut Connection, user: &str, password: &str) -> Result<(), WireError> {
    let version = connection.version::<SaslHandshakeRequest>(1)?;
    handshake(connection, version, "PLAIN").await?;
    let mut token = BytesMut::new();
    token.put_u8(0);
    token.put_slice(user.as_bytes());
    token.put_u8(0);
    token.put_slice(password.as_bytes());
    if version == 0 {
        connection.raw("the SASL token", &token).await?;
        return Ok(());
    }
    authenticate(connection, token.freeze()).await.map(drop)
}

async fn scram(connection: &mut Connection, hash: Hash, login: &Login) -> Result<(), WireError> {
    let refused = |why: String| WireError::Refused { what: hash.mechanism().to_owned(), code: why };
    let version = connection.version::<SaslHandshakeRequest>(1)?;
    handshake(connection, version, hash.mechanism()).await?;
    let nonce = format!("{:032x}", rand::random::<u128>());
    let (exchange, first) = Exchange::begin(hash, &login.user, &login.password, nonce);
    let server = authenticate(connection, first.into()).await?;
    let (last, proven) = exchange.answer(&String::from_utf8_lossy(&server)).map_err(refused)?;
    let answer = authenticate(connection, last.into()).await?;
    if answer != proven.as_bytes() {
        return Err(refused("the broker did not prove that it knows the password".to_owned()));
    }
    Ok(())
}

async fn handshake(
    connection: &mut Connection,
    version: i16,
    mechanism: &'static str,
) -> Result<(), WireError> {
    let handshake =
        SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let answer = connection.exchange(&handshake, version).await?;
    let Some(code) = ResponseError::try_from_code(answer.error_code) else { return Ok(()) };
    let offered: Vec<_> = answer.mechanisms.iter().map(|m| m.as_str()).collect();
    Err(WireError::Refused {
        what: format!("SASL {mechanism}"),
        code: format!("{} (offered: {})", error_name(code), offered.join(", ")),
    })
}

/// Sends a token; the broker's answer.
async fn authenticate(connection: &mut Connection, token: Bytes) -> Result<Bytes, WireError> {
    let version = connection.version::<SaslAuthenticateRequest>(i16::MAX)?;
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token);
    let answer = connection.exchange(&request, version).await?;
    match ResponseError::try_from_code(answer.error_code) {
        None => Ok(answer.auth_bytes),
        Some(code) => Err(WireError::Refused {
            what: "SASL authentication".to_owned(),
            code: answer.error_message.map_or_else(|| error_name(code), |m| m.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::wire::Credentials;

    const TOKEN: &[u8] = b"\0ann\0secret";

    async fn frame(stream: &mut TcpStream) -> Vec<u8> {
        let length = stream.read_i32().await.expect("a request");
        let mut frame = vec![0; usize::try_from(length).expect("not negative")];
        stream.read_exact(&mut frame).await.expect("a whole request");
        frame
    }

    async fn reply(stream: &mut TcpStream, body: &[u8]) {
        let length = i32::try_from(body.len()).expect("short");
        stream.write_all(&[&length.to_be_bytes(), body].concat()).await.expect("sent");
    }

    /// A broker that supports handshakes up to `version`; returns the token that it received.
    async fn broker(
        version: u8,
        mechanism_error: u8,
    ) -> (String, tokio::task::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            frame(&mut stream).await;
            let apis = [0, 0, 0, 2, 0, 17, 0, 0, 0, version, 0, 36, 0, 0, 0, 0];
            reply(&mut stream, &[&[0, 0, 0, 1, 0, 0][..], &apis].concat()).await;
            frame(&mut stream).await;
            let offered = [0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N'];
            reply(&mut stream, &[&[0, 0, 0, 2, 0, mechanism_error][..], &offered].concat()).await;
            if mechanism_error > 0 {
                return vec![];
            }
            let token = frame(&mut stream).await;
            let granted = [0, 0, 0, 3, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
            reply(&mut stream, if version == 0 { &[] } else { &granted }).await;
            token
        });
        (address, served)
    }

    async fn log_in(address: &str) -> Result<Connection, WireError> {
        let login = Login { scram: None, user: "ann".to_owned(), password: "secret".to_owned() };
        let credentials = Credentials { login: Some(login), ..Credentials::default() };
        Connection::open(address, &credentials, Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn old_brokers_get_the_bare_token() {
        let (address, served) = broker(0, 0).await;
        log_in(&address).await.expect("granted");
        assert_eq!(served.await.expect("served"), TOKEN);
    }

    #[tokio::test]
    async fn later_brokers_get_it_in_a_request() {
        let (address, served) = broker(1, 0).await;
        log_in(&address).await.expect("granted");
        let request = served.await.expect("served");
        assert_eq!(request[..2], [0, 36]);
        assert!(request.ends_with(TOKEN) && request.len() > TOKEN.len());
    }

    #[tokio::test]
    async fn a_refusal_names_what_is_offered() {
        let (address, _served) = broker(1, 33).await;
        let error = log_in(&address).await.expect_err("refused").to_string();
        assert!(error.contains("UNSUPPORTED_SASL_MECHANISM (offered: PLAIN)"), "{error}");
        assert!(!error.contains("secret"));
    }
}
