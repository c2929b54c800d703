//! The settings of Kafka's Java clients that librdkafka does not have by the same name, with what to write instead.

use super::Catalogue;

/// What a setting of Kafka's Java clients is called in librdkafka, or why it has none; none if Java's clients have no
/// such setting.
pub fn librdkafka_instead(java: &str) -> Option<String> {
    if let Some((_, instead)) = INSTEAD.iter().find(|(name, _)| *name == java) {
        return Some(match instead {
            Name(name) => {
                format!("librdkafka's name for this setting of Java's clients is `{name}`")
            }
            Other(name, how) => {
                format!("instead of this setting of Java's clients, librdkafka has `{name}`: {how}")
            }
            Nothing(why) => {
                format!("it is a setting of Java's clients that librdkafka does not need: {why}")
            }
        });
    }
    let known = Catalogue::of_kafka().java_names().contains(java);
    known.then(|| "it is a setting of Java's clients, and librdkafka has none like it".to_owned())
}

enum Instead {
    /// The same setting by another name.
    Name(&'static str),
    /// A similar setting, and how it differs.
    Other(&'static str, &'static str),
    /// No such setting, and why.
    Nothing(&'static str),
}

use Instead::{Name, Nothing, Other};

const BYTES: &str = "kplan's client sends and reads bytes as they are";
const CLASSES: &str = "it runs no classes of Java";
const LOCATION: &str = "with a file in PEM format";

/// Names of Java's clients that librdkafka does not have. Of those that are not listed there is nothing to say.
const INSTEAD: &[(&str, Instead)] = &[
    ("auto.include.jmx.reporter", Nothing(CLASSES)),
    (
        "buffer.memory",
        Other(
            "queue.buffering.max.kbytes",
            "in KiB; `queue.buffering.max.messages` limits the number of messages",
        ),
    ),
    ("compression.gzip.level", Name("compression.level")),
    ("compression.lz4.level", Name("compression.level")),
    ("compression.zstd.level", Name("compression.level")),
    ("default.api.timeout.ms", Other("socket.timeout.ms", "the time of one request")),
    ("fetch.max.wait.ms", Name("fetch.wait.max.ms")),
    ("interceptor.classes", Nothing(CLASSES)),
    ("key.deserializer", Nothing(BYTES)),
    ("key.serializer", Nothing(BYTES)),
    ("max.block.ms", Nothing("a producer of kplan waits while its queue is full")),
    (
        "max.poll.records",
        Other(
            "queued.max.messages.kbytes",
            "the size of the messages that wait in the client, in KiB",
        ),
    ),
    ("max.request.size", Name("message.max.bytes")),
    (
        "metadata.max.idle.ms",
        Other("topic.metadata.refresh.interval.ms", "the time between two requests of metadata"),
    ),
    ("metric.reporters", Nothing(CLASSES)),
    ("partitioner.class", Nothing("kplan chooses the partition itself")),
    ("receive.buffer.bytes", Name("socket.receive.buffer.bytes")),
    ("sasl.jaas.config", Other("sasl.username", "beside `sasl.password`")),
    ("sasl.login.class", Nothing(CLASSES)),
    ("send.buffer.bytes", Name("socket.send.buffer.bytes")),
    ("socket.connection.setup.timeout.max.ms", Name("socket.connection.setup.timeout.ms")),
    ("ssl.enabled.protocols", Nothing("OpenSSL chooses the protocol")),
    ("ssl.keystore.certificate.chain", Name("ssl.certificate.pem")),
    ("ssl.keystore.key", Name("ssl.key.pem")),
    ("ssl.truststore.certificates", Name("ssl.ca.pem")),
    ("ssl.truststore.location", Other("ssl.ca.location", LOCATION)),
    ("ssl.truststore.password", Nothing("a file in PEM format needs no password")),
    ("timeout.ms", Name("request.timeout.ms")),
    ("value.deserializer", Nothing(BYTES)),
    ("value.serializer", Nothing(BYTES)),
];
