use std::time::Instant;

use kafka_protocol::messages::MetadataRequest;
use rdkafka::mocking::MockCluster;
use tokio::net::TcpListener;

use crate::wire::*;

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

/// A server that reads what comes and answers each connection with `junk`, then is silent.
async fn server(junk: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let junk = junk.clone();
            tokio::spawn(async move {
                let mut request = [0; 64];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&junk).await;
                std::future::pending::<()>().await;
            });
        }
    });
    address
}

async fn failure(junk: &[u8], limit: Duration) -> WireError {
    let address = server(junk.to_vec()).await;
    Connection::open(&address, &Credentials::default(), limit).await.expect_err("junk is no answer")
}

#[tokio::test]
async fn silence_ends_at_the_limit() {
    let begin = Instant::now();
    assert!(matches!(failure(b"", SHORT).await, WireError::TimedOut { .. }));
    assert!(begin.elapsed() >= SHORT);
}

#[tokio::test]
async fn half_a_frame_ends_at_the_limit() {
    let half = [0, 0, 0, 100, 0, 0, 0, 1, 7];
    assert!(matches!(failure(&half, SHORT).await, WireError::TimedOut { .. }));
}

#[tokio::test]
async fn huge_and_negative_lengths_are_refused() {
    for length in [i32::MAX, -1, 33 * 1024 * 1024] {
        let error = failure(&length.to_be_bytes(), LIMIT).await;
        assert!(matches!(error, WireError::Size { size, .. } if size == length), "{error}");
    }
    let error = failure(b"HTTP/1.1 400 Bad Request\r\n\r\n", LIMIT).await;
    assert!(matches!(error, WireError::Size { .. }), "{error}");
}

#[tokio::test]
async fn another_requests_answer_is_refused() {
    let error = failure(&[0, 0, 0, 10, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0], LIMIT).await;
    assert!(matches!(error, WireError::Correlation { expected: 1, found: 99, .. }), "{error}");
}

#[tokio::test]
async fn an_absurd_count_is_refused_without_reserving_room() {
    let error = failure(&[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff], LIMIT).await;
    assert!(matches!(error, WireError::Undecodable { .. }), "{error}");
}

#[tokio::test]
async fn an_error_code_is_told_by_its_name() {
    let error = failure(&[0, 0, 0, 10, 0, 0, 0, 1, 0, 35, 0, 0, 0, 0], LIMIT).await;
    assert!(error.to_string().contains("UNSUPPORTED_VERSION"), "{error}");
}

#[tokio::test]
async fn nobody_listens() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = gone.local_addr().expect("bound").to_string();
    drop(gone);
    let error =
        Connection::open(&address, &Credentials::default(), LIMIT).await.expect_err("refused");
    assert!(matches!(error, WireError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_mock_broker_answers_and_its_end_is_noticed() {
    let mock = MockCluster::new(2).expect("in-process");
    let address = mock.bootstrap_servers().split(',').next().expect("two brokers").to_owned();
    let mut connection =
        Connection::open(&address, &Credentials::default(), LIMIT).await.expect("it speaks Kafka");
    let version = connection.version::<MetadataRequest>(i16::MAX).expect("every broker does");
    let request = MetadataRequest::default().with_topics(None);
    for _ in 0..3 {
        let answer = connection.call(&request, version, LIMIT).await.expect("an answer");
        assert_eq!(answer.brokers.len(), 2);
    }
    assert!(connection.version::<MetadataRequest>(-1).is_err());
    drop(mock);
    timeout(LIMIT, connection.closed()).await.expect("the end is noticed");
    let error = connection.call(&request, version, LIMIT).await.expect_err("nobody there");
    assert!(matches!(error, WireError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_exchange_spoils_the_connection() {
    // Answers the ApiVersions with one api (Metadata 0 to 1), then nothing.
    let versions = [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 3, 0, 0, 0, 1];
    let address = server(versions.to_vec()).await;
    let mut connection =
        Connection::open(&address, &Credentials::default(), LIMIT).await.expect("an answer");
    let request = MetadataRequest::default();
    let error = connection.call(&request, 1, SHORT).await.expect_err("silence");
    assert!(matches!(error, WireError::TimedOut { .. }), "{error}");
    let error = connection.call(&request, 1, SHORT).await.expect_err("out of step");
    assert!(matches!(error, WireError::Broken { .. }), "{error}");
}
