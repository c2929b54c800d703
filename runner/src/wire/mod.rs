//! One connection to one broker: a request, its answer, a limit.
//!
//! Encodings come from `kafka-protocol`; versions are negotiated by ApiVersions v0, which every
//! broker from 0.10.0 to 4.x answers (KIP-35, KIP-896). Answers that are late, damaged or too large
//! are [`WireError`]s. A connection that failed once is not used again.

pub mod guard;
pub mod sasl;
pub mod scram;
pub mod stream;

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use indexmap::IndexMap;
use kafka_protocol::{
    error::ResponseError,
    messages::{ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes, VersionRange},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::codes::error_name;
use crate::wire::{
    guard::Guarded,
    scram::Hash,
    stream::{Stream, Transport},
};

/// The largest answer that is read, in bytes: Metadata of some hundred thousand partitions.
pub const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// What kplan calls itself in requests, unless it is [called](Connection::called) otherwise (shown in the brokers' request logs).
const CLIENT_ID: &str = "kplan-observer";

/// Why a request to a broker failed or its answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No connection.
    #[error("cannot connect to {address}: {cause}")]
    Connect { address: String, cause: io::Error },
    /// No answer in time.
    #[error("no answer to {what} within {limit:?}")]
    TimedOut { what: String, limit: Duration },
    /// The broker closed the connection, or the network broke it.
    #[error("the connection broke during {what}: {cause}")]
    Broken { what: String, cause: io::Error },
    /// An answer larger than [`LARGEST_ANSWER`], or of negative size: not Kafka's protocol.
    #[error("the answer to {what} claims {size} bytes: it is probably not of Kafka's protocol")]
    Size {
        what: String,
        /// The size it claimed.
        size: i32,
    },
    /// The answer is to another request.
    #[error("the answer to {what} has the correlation id {found} instead of {expected}")]
    Correlation {
        what: String,
        /// The request's number.
        expected: i32,
        /// The answer's.
        found: i32,
    },
    /// The answer is not what the protocol says.
    #[error("the answer to {what} (version {version}) cannot be read: {cause}")]
    Undecodable { what: String, version: i16, cause: String },
    /// The broker does not support this request, or no version that kplan supports.
    #[error("the broker does not support {what}")]
    Unsupported {
        /// The request, and the versions where they matter.
        what: String,
    },
    /// The broker answered with an error to the exchange itself (versions, authentication).
    #[error("{what} was refused: {code}")]
    Refused {
        what: String,
        /// Kafka's error name and message.
        code: String,
    },
}

impl WireError {
    /// The broker is too old (or too new) for the request, or is no real broker.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
    }
}

/// How to connect to a listener.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The transport before the first request.
    pub transport: Transport,
    /// The login, if any.
    pub login: Option<Login>,
}

/// The user of a login, and its mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// By SCRAM with this hash; none: by PLAIN.
    pub scram: Option<Hash>,
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} by {}", self.user, self.scram.map_or("PLAIN", Hash::mechanism))
    }
}

impl Credentials {
    /// The credentials in librdkafka's settings (`security.protocol`, `sasl.*`, `ssl.ca.location`).
    pub fn from_client_config(config: &IndexMap<String, String>) -> Self {
        let get = |key: &str| config.get(key).cloned().unwrap_or_default();
        let protocol = get("security.protocol").to_uppercase();
        let transport = match protocol.as_str() {
            "SSL" | "SASL_SSL" => Transport::trusting(Path::new(&get("ssl.ca.location"))),
            _ => Transport::Clear,
        };
        let mechanism = config.get("sasl.mechanism").or_else(|| config.get("sasl.mechanisms"));
        let mechanism = mechanism.map(|m| m.to_uppercase()).unwrap_or_default();
        let scram = [Hash::Sha256, Hash::Sha512].into_iter().find(|h| h.mechanism() == mechanism);
        let known = scram.is_some() || mechanism == "PLAIN";
        let login = (protocol.starts_with("SASL_") && known).then(|| Login {
            scram,
            user: get("sasl.username"),
            password: get("sasl.password"),
        });
        Self { transport, login }
    }

    /// True if they are what a listener of this protocol asks for.
    pub fn suit(&self, protocol: &str) -> bool {
        let protocol = protocol.to_uppercase();
        let encrypted = !matches!(self.transport, Transport::Clear);
        let asked = (protocol.ends_with("SSL"), protocol.starts_with("SASL_"));
        (encrypted, self.login.is_some()) == asked
    }

    /// The same listener without a login.
    pub fn anonymous(&self) -> Self {
        Self { transport: self.transport.clone(), login: None }
    }
}

#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    versions: BTreeMap<i16, VersionRange>,
    next: i32,
    /// A request is under way: if its future was dropped, the stream is out of step.
    busy: bool,
    client: StrBytes,
}

impl Connection {
    /// Connects, negotiates versions and authenticates, all within `limit`.
    pub async fn open(
        address: &str,
        credentials: &Credentials,
        limit: Duration,
    ) -> Result<Self, WireError> {
        let handshake = async {
            let connect = |cause| WireError::Connect { address: address.to_owned(), cause };
            let stream = credentials.transport.connect(address).await.map_err(connect)?;
            let client = StrBytes::from_static_str(CLIENT_ID);
            let mut connection =
                Self { stream, versions: BTreeMap::new(), next: 1, busy: false, client };
            connection.negotiate().await?;
            if let Some(login) = &credentials.login {
                sasl::log_in(&mut connection, login).await?;
            }
            Ok(connection)
        };
        match timeout(limit, handshake).await {
            Ok(result) => result,
            Err(_) => Err(WireError::TimedOut { what: format!("ApiVersions at {address}"), limit }),
        }
    }

    /// The same connection, whose requests from now on name this client.
    pub fn called(self, client: &str) -> Self {
        Self { client: StrBytes::from_string(client.to_owned()), ..self }
    }

    async fn negotiate(&mut self) -> Result<(), WireError> {
        let what = "ApiVersions";
        let answer = self.exchange(&ApiVersionsRequest::default(), 0).await?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            return Err(WireError::Refused { what: what.to_owned(), code: error_name(code) });
        }
        let range = |min, max| VersionRange { min, max };
        self.versions = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, range(api.min_version, api.max_version)))
            .collect();
        Ok(())
    }

    /// The newest version of `R` that both sides support, not above `most`.
    /// Fails with [`WireError::Unsupported`] when there is none.
    pub fn version<R: Request>(&self, most: i16) -> Result<i16, WireError> {
        let ours = <R as Message>::VERSIONS;
        let unsupported = |theirs: String| WireError::Unsupported {
            what: format!("{} ({theirs}; kplan supports {ours})", request_name::<R>()),
        };
        let theirs =
            self.versions.get(&R::KEY).ok_or_else(|| unsupported("not at all".to_owned()))?;
        let both = ours.intersect(theirs).intersect(&VersionRange { min: 0, max: most });
        if both.is_empty() {
            Err(unsupported(format!("it supports {theirs}")))
        } else {
            Ok(both.max)
        }
    }

    /// True if the broker supports a version of `R` that kplan supports too.
    pub fn supports<R: Request>(&self) -> bool {
        self.version::<R>(i16::MAX).is_ok()
    }

    /// Sends `request` in `version` and waits for its answer.
    pub async fn call<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        limit: Duration,
    ) -> Result<R::Response, WireError> {
        match timeout(limit, self.exchange(request, version)).await {
            Ok(result) => result,
            Err(_) => Err(WireError::TimedOut { what: request_name::<R>(), limit }),
        }
    }

    /// [`Self::call`] without a limit.
    pub(crate) async fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, WireError> {
        let what = request_name::<R>();
        let undecodable =
            |cause: String| WireError::Undecodable { what: what.clone(), version, cause };
        let number = self.next;
        let mut frame = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(number)
            .with_client_id(Some(self.client.clone()))
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|e| undecodable(format!("the request cannot be written: {e}")))?;
        // Answers end well below 2^30 requests: a connection would have to live for a year.
        self.next = (number + 1) & 0x3fff_ffff;
        let answer = self.raw(&what, &frame).await?;
        let mut answer = Guarded::new(answer);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(|e| undecodable(e.to_string()))?;
        if header.correlation_id != number {
            let found = header.correlation_id;
            self.busy = true;
            return Err(WireError::Correlation { what, expected: number, found });
        }
        R::Response::decode(&mut answer, version).map_err(|e| {
            self.busy = true;
            undecodable(e.to_string())
        })
    }

    /// Sends one length-prefixed frame and reads one.
    pub(crate) async fn raw(&mut self, what: &str, frame: &[u8]) -> Result<Bytes, WireError> {
        let broken = |cause| WireError::Broken { what: what.to_owned(), cause };
        if self.busy {
            return Err(broken(io::Error::other("an earlier exchange did not end")));
        }
        self.busy = true;
        let mut out = BytesMut::with_capacity(frame.len() + 4);
        let size = i32::try_from(frame.len()).map_err(|e| broken(io::Error::other(e)))?;
        out.put_i32(size);
        out.put_slice(frame);
        self.stream.write_all(&out).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        let size = self.stream.read_i32().await.map_err(broken)?;
        let expected = usize::try_from(size).ok().filter(|n| *n <= LARGEST_ANSWER);
        let Some(expected) = expected else {
            return Err(WireError::Size { what: what.to_owned(), size });
        };
        // The buffer grows with the received data, not with the claimed length.
        let mut answer = BytesMut::with_capacity(expected.min(64 * 1024));
        let mut limited = (&mut self.stream).take(expected as u64);
        while answer.len() < expected {
            if limited.read_buf(&mut answer).await.map_err(broken)? == 0 {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.busy = false;
        Ok(answer.freeze())
    }

    /// An exchange was not finished: the connection cannot be used any more.
    pub fn is_spoilt(&self) -> bool {
        self.busy
    }

    /// Resolves when the broker closes the connection (or sends data without a request); to be
    /// raced against a pause between requests.
    pub async fn closed(&self) {
        // Data without a request is a violation: not to be used again, either.
        self.stream.disturbed().await;
    }
}

/// Kafka's name of a request.
fn request_name<R: Request>() -> String {
    ApiKey::try_from(R::KEY).map_or_else(|()| format!("request {}", R::KEY), |k| format!("{k:?}"))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
