//! The argument `security` of `start_cluster`.

use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::source::Spanned;
use crate::value::{KafkaVersion, MetadataMode, SaslMechanism, SecurityProtocol, Settings};

args! {
    /// How clients log in, and whether their connections are encrypted.
    pub struct SecurityArgs("security") {
        /// The protocol of the clients' listener: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
        protocol: Spanned<SecurityProtocol> = "SASL_PLAINTEXT",
        /// With SASL, how clients log in: `PLAIN` (if it is not set), `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        mechanism: Option<Spanned<SaslMechanism>>,
        /// Users and their passwords.
        users: Settings,
    }
}

/// kplan's own user.
const OWN_USER: &str = "kplan";

impl SecurityArgs {
    /// True if users log in.
    pub const fn has_users(&self) -> bool {
        matches!(self.protocol.value, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }

    /// True if the connections of clients are encrypted.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.protocol.value, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// The SASL mechanism.
    pub fn mechanism(&self) -> SaslMechanism {
        self.mechanism.as_ref().map_or(SaslMechanism::Plain, |m| m.value)
    }

    /// True if clients need a cryptographic library: for encryption, or for SCRAM.
    pub fn needs_tls(&self) -> bool {
        self.is_encrypted() || (self.has_users() && self.mechanism() != SaslMechanism::Plain)
    }

    pub(super) fn validate(&self, version: &KafkaVersion, mode: MetadataMode, reader: &mut Reader) {
        let users = self.users.0.first().map(|(user, _)| user.span);
        let mechanism = self.mechanism.as_ref().map(|m| m.span);
        if let Some(span) = users.or(mechanism).filter(|_| !self.has_users()) {
            let message = format!(
                "`{}` has no logins, so `users` and `mechanism` are not allowed",
                self.protocol
            );
            let help = "use `protocol: SASL_PLAINTEXT` or `protocol: SASL_SSL`";
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
            return;
        }
        self.validate_version(version, mode, reader);
        for (user, password) in &self.users.0 {
            validate_user(user, password, reader);
        }
    }

    fn validate_version(&self, version: &KafkaVersion, mode: MetadataMode, reader: &mut Reader) {
        // Certificates as text files came with KIP-651, users of SCRAM over the protocol with KIP-554, and
        // for KRaft with KIP-900.
        let scram = self.has_users() && self.mechanism() != SaslMechanism::Plain;
        let late = scram && mode == MetadataMode::Kraft && version.before(&[3, 5]);
        if !late && (!self.needs_tls() || version.at_least(&[2, 7])) {
            return;
        }
        let (span, what) = match &self.mechanism {
            Some(mechanism) if !self.is_encrypted() => (mechanism.span, mechanism.to_string()),
            Some(mechanism) if late => (mechanism.span, mechanism.to_string()),
            _ => (self.protocol.span, self.protocol.to_string()),
        };
        let message = format!("kplan does not support {what} for Kafka {version}");
        let since = if late { "3.5" } else { "2.7" };
        let help = format!(
            "use version {since} or newer, or `protocol: SASL_PLAINTEXT` with `mechanism: PLAIN`"
        );
        reader.push(Diagnostic::new(Code::E071, span, message).help(help));
    }
}

fn validate_user(user: &Spanned<String>, password: &Spanned<String>, reader: &mut Reader) {
    // A name becomes part of a key in the broker's JAAS file.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if user.value == OWN_USER {
        let message = format!("the user name `{OWN_USER}` is reserved for kplan's own user");
        reader.push(Diagnostic::new(Code::E055, user.span, message).help("choose another name"));
    } else if user.is_empty() || !user.chars().all(plain) {
        let message = format!("`{user}` is not a valid user name");
        let help = "use ASCII letters, digits, `_`, `-` and `.`";
        reader.push(Diagnostic::new(Code::E013, user.span, message).help(help));
    }
    if password.is_empty() {
        let message = format!("the password of `{user}` is empty");
        reader.push(Diagnostic::new(Code::E015, password.span, message));
    } else if password.chars().any(char::is_control) {
        let message = format!("the password of `{user}` contains a control character");
        reader.push(Diagnostic::new(Code::E013, password.span, message));
    }
}
