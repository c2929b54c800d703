//! Requests and answers as they lie on the wire: a length, a header, a body.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{
        Decodable, Encodable, decode_request_header_from_buffer, encode_request_header_into_buffer,
    },
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::invalid;

/// The largest frame that is taken, in bytes; brokers take 100 MiB by default.
const LARGEST: usize = 128 * 1024 * 1024;
/// The least bytes of a request: its kind, its version, its number.
const LEAST: usize = 8;

/// Reads one frame; none at the end of the connection.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Bytes>> {
    let length = match from.read_i32().await {
        Ok(length) => length,
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    };
    let length = usize::try_from(length).ok().filter(|n| *n <= LARGEST);
    let length = length.ok_or_else(|| invalid("a frame of impossible length"))?;
    let mut frame = vec![0; length];
    from.read_exact(&mut frame).await?;
    Ok(Some(frame.into()))
}

/// Writes one frame.
pub async fn write(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = i32::try_from(frame.len()).map_err(invalid)?;
    let mut out = BytesMut::with_capacity(4 + frame.len());
    out.put_i32(length);
    out.put_slice(frame);
    to.write_all(&out).await
}

/// From this version on a request to fetch may be part of a session.
const SESSIONS: i16 = 7;
/// The first version that does not begin with the id of a replica.
const WITHOUT_REPLICA: i16 = 15;
/// Says that a request is not part of a session (KIP-227).
const NO_SESSION: i32 = -1;

/// The request as it came, and its body; a request to fetch without its session: then it names all of its partitions.
pub fn without_session(call: &Call, frame: Bytes, body: Bytes) -> (Bytes, Bytes) {
    if call.api != ApiKey::Fetch || call.version() < SESSIONS {
        return (frame, body);
    }
    let head = frame.len() - body.len();
    // Behind three times and sizes and the isolation level: the session's id and its epoch.
    let replica = if call.version() < WITHOUT_REPLICA { 4 } else { 0 };
    let at = head + replica + 3 * 4 + 1;
    let none = [0_i32.to_be_bytes(), NO_SESSION.to_be_bytes()].concat();
    if frame.get(at..at + none.len()).is_none_or(|session| session == none) {
        return (frame, body);
    }
    let mut whole = BytesMut::from(&frame[..]);
    whole[at..at + none.len()].copy_from_slice(&none);
    let whole = whole.freeze();
    (whole.clone(), whole.slice(head..))
}

/// A request's header, and how its answer is to be read.
#[derive(Clone, Debug)]
pub struct Call {
    pub api: ApiKey,
    pub header: RequestHeader,
}

impl Call {
    /// Reads the header and leaves the body. None for a request of a kind that is not known.
    pub fn read(frame: &mut Bytes) -> Option<Self> {
        if frame.len() < LEAST {
            return None;
        }
        let header = decode_request_header_from_buffer(frame).ok()?;
        let api = ApiKey::try_from(header.request_api_key).ok()?;
        Some(Self { api, header })
    }

    /// The version of request and answer.
    pub fn version(&self) -> i16 {
        self.header.request_api_version
    }

    /// The id that the client gave itself.
    pub fn client(&self) -> &str {
        self.header.client_id.as_ref().map_or("", |id| id.as_str())
    }

    /// The request with this body.
    pub fn request(&self, body: &impl Encodable) -> io::Result<Bytes> {
        let mut frame = BytesMut::new();
        encode_request_header_into_buffer(&mut frame, &self.header).map_err(invalid)?;
        body.encode(&mut frame, self.version()).map_err(invalid)?;
        Ok(frame.freeze())
    }

    /// An answer's body.
    pub fn read_answer<B: Decodable>(&self, mut frame: Bytes) -> io::Result<B> {
        let version = self.api.response_header_version(self.version());
        ResponseHeader::decode(&mut frame, version).map_err(invalid)?;
        B::decode(&mut frame, self.version()).map_err(invalid)
    }

    /// The answer with this body.
    pub fn answer(&self, body: &impl Encodable) -> io::Result<Bytes> {
        let header = ResponseHeader::default().with_correlation_id(self.header.correlation_id);
        let mut frame = BytesMut::new();
        let version = self.api.response_header_version(self.version());
        header.encode(&mut frame, version).map_err(invalid)?;
        body.encode(&mut frame, self.version()).map_err(invalid)?;
        Ok(frame.freeze())
    }
}
