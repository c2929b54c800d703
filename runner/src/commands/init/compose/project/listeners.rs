//! The listener of a broker through which programs of this machine reach it, and what it requires of them.

use super::{ComposePort, ComposeService};

/// `NAME://HOST:PORT` of Kafka's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedListener {
    name: String,
    host: String,
    port: u16,
}

impl NamedListener {
    /// The listeners of a setting; what is no listener is left out.
    fn all(text: &str) -> Vec<Self> {
        let one = |text: &str| {
            let (name, address) = text.trim().split_once("://")?;
            let (host, port) = address.rsplit_once(':')?;
            Some(Self { name: name.to_owned(), host: host.to_owned(), port: port.parse().ok()? })
        };
        text.split(',').filter_map(one).collect()
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }
}

/// What a listener asks of its clients, by the names of Kafka's `security.protocol`.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// How the reason begins if this machine does not reach a broker.
pub(super) const UNREACHABLE: &str = "this machine does not reach the broker:";

/// What helps then.
pub(super) const PUBLISH: &str = "give each broker a listener that is advertised as localhost with a published port, such as \
                                  LOCAL://localhost:19092 in KAFKA_ADVERTISED_LISTENERS, LOCAL://:9094 in KAFKA_LISTENERS, \
                                  LOCAL:PLAINTEXT in KAFKA_LISTENER_SECURITY_PROTOCOL_MAP and \"19092:9094\" in `ports`";

/// The mechanisms that kplan's own questions to brokers know.
const MECHANISMS: [&str; 3] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"];

impl ComposeService {
    /// The listener that is advertised as this machine and published on it; one without encryption and login before
    /// others.
    pub(super) fn listener_from_here(&self) -> Result<NamedListener, String> {
        let default = if self.has_defaults() { "PLAINTEXT://localhost:9092" } else { "" };
        let text = self.setting("advertised.listeners").unwrap_or(default);
        let mut here: Vec<NamedListener> = NamedListener::all(text)
            .into_iter()
            .filter(|listener| listener.is_local() && self.publishes(listener))
            .collect();
        here.sort_by_key(|listener| self.protocol(listener) != "PLAINTEXT");
        here.into_iter().next().ok_or_else(|| self.unreachable(text))
    }

    /// Whether the listener's port of this machine leads to it.
    fn publishes(&self, listener: &NamedListener) -> bool {
        if self.network_mode.as_deref() == Some("host") {
            return true;
        }
        let listeners = NamedListener::all(self.setting("listeners").unwrap_or_default());
        // Without `listeners` an image makes them from the advertised ones, with the same ports.
        let inside = match listeners.iter().find(|own| own.name == listener.name) {
            Some(own) => own.port,
            None => listener.port,
        };
        self.ports.iter().any(|port| {
            let everywhere = matches!(
                port.host_ip.as_deref(),
                None | Some("" | "0.0.0.0" | "::" | "127.0.0.1" | "::1")
            );
            everywhere
                && port.target == inside
                && port.published.as_deref() == Some(listener.port.to_string().as_str())
        })
    }

    fn unreachable(&self, advertised: &str) -> String {
        let shown = |port: &ComposePort| match (&port.published, port.host_ip.as_deref()) {
            (None, _) => format!("{} (on a port that docker chooses)", port.target),
            (Some(published), None | Some("")) => format!("{published}:{}", port.target),
            (Some(published), Some(ip)) => format!("{ip}:{published}:{}", port.target),
        };
        let ports: Vec<String> = self.ports.iter().map(shown).collect();
        let ports = if ports.is_empty() {
            "no port".to_owned()
        } else {
            format!("the ports {}", ports.join(", "))
        };
        let advertised = if advertised.is_empty() { "nothing" } else { advertised };
        format!("{UNREACHABLE} it advertises {advertised} and publishes {ports}")
    }

    /// What the listener asks of clients.
    fn protocol<'s>(&'s self, listener: &'s NamedListener) -> &'s str {
        let map = self.setting("listener.security.protocol.map").unwrap_or_default();
        let pairs = map.split(',').filter_map(|pair| pair.trim().split_once(':'));
        let mut own = pairs.filter(|(name, _)| *name == listener.name);
        own.next().map_or(listener.name.as_str(), |(_, protocol)| protocol)
    }

    /// A setting of the listener, or else of all listeners.
    fn of_listener(&self, listener: &NamedListener, setting: &str) -> Option<&str> {
        self.setting(&format!("listener.name.{}.{setting}", listener.name))
            .or_else(|| self.setting(setting))
    }

    /// librdkafka's settings for the listener.
    pub(super) fn client(
        &self,
        listener: &NamedListener,
    ) -> Result<Vec<(&'static str, String)>, String> {
        let (name, protocol) = (&listener.name, self.protocol(listener));
        let Some(protocol) = PROTOCOLS.into_iter().find(|known| *known == protocol) else {
            return Err(format!(
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP does not give the protocol of its listener {name}"
            ));
        };
        if protocol == "PLAINTEXT" {
            return Ok(Vec::new());
        }
        let mut client = vec![("security.protocol", protocol.to_owned())];
        if protocol.ends_with("SSL") {
            if self.of_listener(listener, "ssl.client.auth") == Some("required") {
                return Err(format!(
                    "its listener {name} requires client certificates, which kplan does not have"
                ));
            }
            client.push(("ssl.ca.location", "{{ env.KAFKA_CA }}".to_owned()));
        }
        if protocol.starts_with("SASL") {
            let enabled = self.of_listener(listener, "sasl.enabled.mechanisms").unwrap_or("GSSAPI");
            let enabled: Vec<&str> = enabled.split(',').map(str::trim).collect();
            let Some(mechanism) = MECHANISMS.into_iter().find(|known| enabled.contains(known))
            else {
                return Err(format!(
                    "its listener {name} asks for a login with {}; kplan knows {}",
                    enabled.join(", "),
                    MECHANISMS.join(", ")
                ));
            };
            client.push(("sasl.mechanism", mechanism.to_owned()));
            client.push(("sasl.username", "{{ env.KAFKA_USER }}".to_owned()));
            client.push(("sasl.password", "{{ env.KAFKA_PASSWORD }}".to_owned()));
        }
        Ok(client)
    }
}
