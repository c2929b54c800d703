//! The security of a broker's client listener in a container: its settings, and the files with its secrets.

use std::sync::Arc;

use super::super::{
    ClusterSpec, Node, RigError,
    addresses::Addresses,
    certificates::Authority,
    config,
    security::{Access, KEYS, OWN_USER, possible},
};
use super::files::File;
use crate::rundir::private_file;

/// The certificates and users of a secured cluster.
#[derive(Clone)]
pub struct Secured {
    /// What clients need to log in.
    pub access: Access,
    authority: Option<Arc<Authority>>,
}

impl Secured {
    /// New certificates and passwords for a cluster; the clients' part is written to the suite's directory.
    pub fn new(spec: &ClusterSpec) -> Result<Option<Self>, RigError> {
        let Some(security) = &spec.security else { return Ok(None) };
        possible(security.is_encrypted() || security.has_scram())?;
        if !security.is_encrypted() {
            let access = Access::new(security.clone(), None);
            return Ok(Some(Self { access, authority: None }));
        }
        let authority = Authority::new(&format!("{} {}", spec.run, spec.name))?;
        let path = spec.dir.join(format!("{}-ca.pem", spec.name));
        private_file(&path, authority.pem()).map_err(|error| {
            RigError::Other(format!("cannot write {}: {error}", path.display()))
        })?;
        let access = Access::new(security.clone(), Some(path));
        Ok(Some(Self { access, authority: Some(Arc::new(authority)) }))
    }

    /// The files of a broker with its key and its users' passwords; of a controller, with kplan's own password.
    pub fn files(
        &self,
        spec: &ClusterSpec,
        at: &Addresses,
        node: Node,
    ) -> Result<Vec<File>, RigError> {
        let mut files = Vec::new();
        let broker = matches!(node, Node::Broker(_));
        if self.access.security.has_users() {
            let mut text = if broker { jaas(&self.access) } else { String::new() };
            if config::has_controller_login(spec, node) {
                text.push_str(&controller_jaas(&self.access));
            }
            files.push(File::secret("jaas.conf", &text));
        }
        if let (Some(authority), true) = (&self.authority, broker) {
            let hosts = [at.outside.clone(), "localhost".to_owned(), at.host(node)];
            files.push(File::secret(KEYS, &authority.issue(&hosts)?));
        }
        Ok(files)
    }
}

/// With SCRAM the users are in the cluster's metadata; only kplan's own user logs in by PLAIN.
fn jaas(access: &Access) -> String {
    let mut text = String::from(
        "KafkaServer {\n  org.apache.kafka.common.security.plain.PlainLoginModule required",
    );
    let scram = access.security.has_scram();
    for (user, password) in access.users().filter(|(user, _)| !scram || *user == OWN_USER) {
        text.push_str(&format!("\n  user_{user}=\"{}\"", quoted(password)));
    }
    text.push_str(";\n");
    if scram {
        text.push_str("  org.apache.kafka.common.security.scram.ScramLoginModule required;\n");
    }
    text.push_str("};\n");
    text
}

/// At the voters' listener only kplan can log in.
fn controller_jaas(access: &Access) -> String {
    format!(
        "{}.KafkaServer {{\n  org.apache.kafka.common.security.plain.PlainLoginModule required\n  \
         user_{OWN_USER}=\"{}\";\n}};\n",
        config::CONTROLLER_LOGIN.to_lowercase(),
        quoted(&access.password)
    )
}

/// Escapes text as Java's reader of such files expects it.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use kplan_dsl::value::{SaslMechanism, SecurityProtocol};

    use super::*;
    use crate::cluster::security::Security;

    fn security(protocol: SecurityProtocol, mechanism: SaslMechanism) -> Security {
        let users = IndexMap::from([("alice".to_owned(), "a\"b\\c".to_owned())]);
        Security { protocol, mechanism, users }
    }

    #[test]
    fn plain_users_stand_in_the_file_and_scram_users_do_not() {
        let plain =
            Access::new(security(SecurityProtocol::SaslPlaintext, SaslMechanism::Plain), None);
        let text = jaas(&plain);
        assert!(text.contains("user_alice=\"a\\\"b\\\\c\";\n"), "{text}");
        assert!(text.contains(&format!("user_kplan=\"{}\"", plain.password)), "{text}");
        let text = controller_jaas(&plain);
        assert!(text.starts_with("controller_login.KafkaServer {") && !text.contains("alice"));
        assert!(text.contains(&format!("user_kplan=\"{}\";\n}};", plain.password)), "{text}");
        let scram =
            Access::new(security(SecurityProtocol::SaslSsl, SaslMechanism::ScramSha256), None);
        let text = jaas(&scram);
        assert!(
            !text.contains("alice") && text.contains("ScramLoginModule required;\n};"),
            "{text}"
        );
    }
}
