//! How a client of another program logs in and encrypts: as Java properties, which Kafka's own tools take unchanged.

use indexmap::IndexMap;

/// Where a container has the file with the certificate that clients trust.
pub(super) const AUTHORITY: &str = "/kplan-ca.pem";

/// What the settings of kplan's own clients mean, under the names of Kafka's Java clients. `in_container` is true for a
/// program that has the certificate as [`AUTHORITY`].
pub(super) fn settings(
    own: &IndexMap<String, String>,
    in_container: bool,
) -> IndexMap<String, String> {
    let mut java = IndexMap::new();
    let mut set = |key: &str, value: String| java.insert(key.to_owned(), value);
    let of = |key: &str| own.get(key);
    if let Some(protocol) = of("security.protocol") {
        set("security.protocol", protocol.to_uppercase());
    }
    if let Some(mechanism) = of("sasl.mechanism") {
        set("sasl.mechanism", mechanism.clone());
        let module = match mechanism.as_str() {
            "PLAIN" => "plain.PlainLoginModule",
            _ => "scram.ScramLoginModule",
        };
        let login = [("username", of("sasl.username")), ("password", of("sasl.password"))];
        let login: Vec<String> = login
            .iter()
            .filter_map(|(key, value)| Some(format!("{key}=\"{}\"", quoted(value.as_ref()?))))
            .collect();
        let module = format!("org.apache.kafka.common.security.{module}");
        set("sasl.jaas.config", format!("{module} required {};", login.join(" ")));
    }
    if let Some(authority) = of("ssl.ca.location") {
        let path = if in_container { AUTHORITY.to_owned() } else { authority.clone() };
        set("ssl.truststore.type", "PEM".to_owned());
        set("ssl.truststore.location", path);
    }
    java
}

/// A value between the quotes of JAAS.
fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_login_has_the_names_of_java() {
        let own = map(&[
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.username", "alice"),
            ("sasl.password", "a\"b\\c"),
            ("ssl.ca.location", "/run/ca.pem"),
        ]);
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule required";
        let login = format!("{module} username=\"alice\" password=\"a\\\"b\\\\c\";");
        let expected = map(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.jaas.config", &login),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", "/run/ca.pem"),
        ]);
        assert_eq!(settings(&own, false), expected);
        assert_eq!(settings(&own, true)["ssl.truststore.location"], AUTHORITY);
    }

    #[test]
    fn without_security_nothing_is_set() {
        assert_eq!(settings(&map(&[("client.id", "P")]), false), map(&[]));
    }
}
