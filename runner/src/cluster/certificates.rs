//! Certificates of a cluster: each cluster has a new certificate authority, whose key never leaves this process.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use super::RigError;

/// Signs the certificates of one cluster's brokers.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority; `name` is for people who read the certificate.
    pub fn new(name: &str) -> Result<Self, RigError> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = called(&format!("kplan {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// Its certificate, which clients trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A new key and a certificate for it, valid for these names and addresses, in the form that Kafka reads from
    /// one file: the key, its certificate, the authority's certificate.
    pub fn issue(&self, hosts: &[String]) -> Result<String, RigError> {
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::new(hosts.to_vec()).map_err(failed)?;
        params.distinguished_name = called(hosts.first().map_or("broker", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok([key.serialize_pem(), certificate.pem(), self.pem.clone()].concat())
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

fn failed(error: rcgen::Error) -> RigError {
    RigError::Other(format!("cannot create a certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_gets_a_key_and_a_chain() {
        let authority = Authority::new("r1").expect("an authority");
        let pem = authority.issue(&["127.0.0.1".into(), "broker-1".into()]).expect("a certificate");
        assert_eq!(pem.matches("-----BEGIN PRIVATE KEY-----").count(), 1);
        assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 2);
        assert!(pem.ends_with(authority.pem()));
        assert!(!authority.pem().contains("PRIVATE KEY"));
        assert_ne!(authority.pem(), Authority::new("r1").expect("another").pem());
    }
}
