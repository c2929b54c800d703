//! The users of a cluster, and how its clients log in: the same for every backend.

use std::path::PathBuf;

use indexmap::IndexMap;
use kplan_dsl::value::{SaslMechanism, SecurityProtocol};
use rand::seq::IndexedRandom as _;

use super::RigError;

/// kplan's own user: the observer, the audit and clients without a user log in as this user.
pub const OWN_USER: &str = "kplan";

/// The file with a broker's key and certificates.
pub const KEYS: &str = "broker.pem";

/// Whether this kplan's clients can encrypt and speak SCRAM: librdkafka needs OpenSSL for both.
pub const HAS_TLS: bool = cfg!(feature = "tls");

/// How the listener for clients is secured.
#[derive(Clone, PartialEq, Eq)]
pub struct Security {
    /// The security protocol of clients.
    pub protocol: SecurityProtocol,
    /// The SASL mechanism of users.
    pub mechanism: SaslMechanism,
    pub users: IndexMap<String, String>,
}

impl std::fmt::Debug for Security {
    /// Without the passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let users: Vec<&String> = self.users.keys().collect();
        write!(f, "{} {} {users:?}", self.protocol, self.mechanism)
    }
}

impl Security {
    /// Whether clients log in.
    pub fn has_users(&self) -> bool {
        matches!(self.protocol, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }

    /// Whether clients' traffic is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.protocol, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// A broker's settings, with its files in `home`. They contain no secrets: the report shows them.
    pub fn settings(&self, home: &str) -> IndexMap<String, String> {
        let mut out = IndexMap::new();
        if self.has_users() {
            let own = SaslMechanism::Plain;
            let enabled = match self.has_scram() {
                true => format!("{},{own}", self.mechanism),
                false => own.to_string(),
            };
            out.insert("sasl.enabled.mechanisms".to_owned(), enabled);
        }
        if self.is_encrypted() {
            out.insert("ssl.keystore.type".to_owned(), "PEM".to_owned());
            out.insert("ssl.keystore.location".to_owned(), format!("{home}/{KEYS}"));
        }
        out
    }

    /// Whether users log in by SCRAM.
    pub fn has_scram(&self) -> bool {
        self.has_users() && self.mechanism != SaslMechanism::Plain
    }
}

/// What the clients of one cluster need to log in.
#[derive(Clone)]
pub struct Access {
    /// How the listener is secured.
    pub security: Security,
    /// The password of [`OWN_USER`], made for this cluster.
    pub password: String,
    /// The file with the certificate that clients trust, if there is one.
    pub authority: Option<PathBuf>,
}

impl Access {
    /// Access with a new password.
    pub fn new(security: Security, authority: Option<PathBuf>) -> Self {
        Self { security, password: random_password(), authority }
    }

    /// Every user with its password, kplan's own first.
    pub fn users(&self) -> impl Iterator<Item = (&str, &str)> {
        let plan = self.security.users.iter().map(|(user, word)| (user.as_str(), word.as_str()));
        std::iter::once((OWN_USER, self.password.as_str())).chain(plan)
    }

    /// librdkafka's settings for kplan itself. Always PLAIN, which works before SCRAM's users exist.
    pub fn own_config(&self) -> IndexMap<String, String> {
        self.config(SaslMechanism::Plain, OWN_USER, &self.password)
    }

    /// librdkafka's settings for kplan itself at controllers: unencrypted, since controllers have no keys, and
    /// only at the loopback address.
    pub fn controller_config(&self) -> IndexMap<String, String> {
        if !self.security.has_users() {
            return IndexMap::new();
        }
        let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        IndexMap::from([
            setting("security.protocol", &SecurityProtocol::SaslPlaintext.to_string()),
            setting("sasl.mechanism", &SaslMechanism::Plain.to_string()),
            setting("sasl.username", OWN_USER),
            setting("sasl.password", &self.password),
        ])
    }

    /// librdkafka's settings for a plan's client.
    pub fn user_config(&self, user: Option<&str>) -> Result<IndexMap<String, String>, RigError> {
        let wanted = user.unwrap_or(OWN_USER);
        let (user, password) = self
            .users()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| RigError::Other(format!("the cluster has no user {wanted}")))?;
        Ok(self.config(self.security.mechanism, user, password))
    }

    fn config(&self, mechanism: SaslMechanism, user: &str, word: &str) -> IndexMap<String, String> {
        let mut config = IndexMap::new();
        let mut set = |key: &str, value: String| config.insert(key.to_owned(), value);
        set("security.protocol", self.security.protocol.to_string());
        if self.security.has_users() {
            set("sasl.mechanism", mechanism.to_string());
            set("sasl.username", user.to_owned());
            set("sasl.password", word.to_owned());
        }
        if let Some(authority) = &self.authority {
            set("ssl.ca.location", authority.display().to_string());
        }
        config
    }
}

/// Checks that this build has what a plan's cluster needs.
/// Fails with [`RigError::Missing`], naming the feature.
pub fn possible(needs_tls: bool) -> Result<(), RigError> {
    if HAS_TLS || !needs_tls {
        return Ok(());
    }
    Err(RigError::Missing {
        what: "this kplan was built without TLS and SCRAM, which the plan's `security` requires"
            .to_owned(),
        help: "build it with the feature `tls`: cargo install --path runner --features tls \
               (needs perl and some minutes for OpenSSL)"
            .to_owned(),
    })
}

/// As hard to guess as a key of 160 bits, and without characters that a file would have to escape.
fn random_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = rand::rng();
    (0..32).filter_map(|_| LETTERS.choose(&mut random)).map(|b| char::from(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(protocol: SecurityProtocol, mechanism: SaslMechanism) -> Access {
        let users = IndexMap::from([("alice".to_owned(), "wonderland".to_owned())]);
        let authority = matches!(protocol, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl);
        let security = Security { protocol, mechanism, users };
        Access::new(security, authority.then(|| PathBuf::from("/run/ca.pem")))
    }

    #[test]
    fn kplan_logs_in_by_plain_and_users_as_the_plan_says() {
        let access = access(SecurityProtocol::SaslSsl, SaslMechanism::ScramSha512);
        let own = access.own_config();
        assert_eq!(
            (own["sasl.mechanism"].as_str(), own["sasl.username"].as_str()),
            ("PLAIN", "kplan")
        );
        assert_eq!(own["sasl.password"], access.password);
        assert_eq!(own["ssl.ca.location"], "/run/ca.pem");
        let asked = access.controller_config();
        assert_eq!(
            (&asked["security.protocol"][..], &asked["sasl.username"][..]),
            ("SASL_PLAINTEXT", "kplan")
        );
        let alice = access.user_config(Some("alice")).expect("a user");
        assert_eq!(alice["sasl.mechanism"], "SCRAM-SHA-512");
        assert_eq!(alice["sasl.password"], "wonderland");
        let nobody = access.user_config(None).expect("kplan's own");
        assert_eq!(nobody["sasl.username"], "kplan");
        assert!(access.user_config(Some("bob")).is_err());
    }

    #[test]
    fn settings_hold_no_secret() {
        let security = access(SecurityProtocol::SaslSsl, SaslMechanism::ScramSha512).security;
        let all = security.settings("/kplan");
        assert_eq!(all["sasl.enabled.mechanisms"], "SCRAM-SHA-512,PLAIN");
        assert_eq!(all["ssl.keystore.location"], "/kplan/broker.pem");
        assert!(!format!("{all:?}").contains("wonderland"));
        assert!(
            access(SecurityProtocol::Plaintext, SaslMechanism::Plain)
                .security
                .settings("")
                .is_empty()
        );
    }

    #[test]
    fn without_sasl_nobody_logs_in() {
        let config = access(SecurityProtocol::Ssl, SaslMechanism::Plain).own_config();
        assert_eq!(config.keys().collect::<Vec<_>>(), ["security.protocol", "ssl.ca.location"]);
    }

    #[test]
    fn passwords_differ_and_are_not_told() {
        let one = access(SecurityProtocol::SaslPlaintext, SaslMechanism::Plain);
        let two = access(SecurityProtocol::SaslPlaintext, SaslMechanism::Plain);
        assert_ne!(one.password, two.password);
        assert!(!format!("{:?}", one.security).contains("wonderland"));
    }

    #[test]
    fn what_is_not_built_in_is_named() {
        assert!(possible(false).is_ok());
        let refused = possible(true).err().map(|e| e.to_string());
        assert_eq!(refused.is_none(), HAS_TLS);
        assert!(refused.is_none_or(|text| text.contains("--features tls")));
    }
}
