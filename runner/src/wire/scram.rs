//! SCRAM (RFC 5802, RFC 7677) as Kafka implements it (KIP-84), and its users.

use std::num::NonZeroU32;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kplan_dsl::value::SaslMechanism;
use ring::{digest, hmac, pbkdf2};

/// Kafka's minimum and default.
pub const ITERATIONS: u32 = 4096;
/// The most iterations that are accepted: a wrong broker could make the login very slow.
const MOST_ITERATIONS: u32 = 1 << 20;

/// The two hash functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    /// Of a mechanism, if it is SCRAM.
    pub fn of(mechanism: SaslMechanism) -> Option<Self> {
        match mechanism {
            SaslMechanism::Plain => None,
            SaslMechanism::ScramSha256 => Some(Self::Sha256),
            SaslMechanism::ScramSha512 => Some(Self::Sha512),
        }
    }

    /// The mechanism's name.
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Its number in Kafka's requests.
    pub fn number(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The salted form of a password that a broker keeps.
    pub fn salted(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        let mut out = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut out);
        out
    }

    fn hash(self, data: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data)
    }

    fn sign(self, key: &[u8], data: &str) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data.as_bytes())
    }
}

/// One log-in, after the first message.
pub struct Exchange<'a> {
    hash: Hash,
    password: &'a str,
    nonce: String,
    first: String,
}

impl<'a> Exchange<'a> {
    /// Begins with a random `nonce`; gives the first message.
    pub fn begin(hash: Hash, user: &str, password: &'a str, nonce: String) -> (Self, String) {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let first = format!("n={user},r={nonce}");
        let message = format!("n,,{first}");
        (Self { hash, password, nonce, first }, message)
    }

    /// The answer to the server's first message, and what the server must say to prove that it knows the
    /// password too.
    pub fn answer(&self, server: &str) -> Result<(String, String), String> {
        let field = |name: &str| {
            let found = server.split(',').find_map(|part| part.strip_prefix(name));
            found.ok_or_else(|| format!("the server's message has no `{name}`"))
        };
        let nonce = field("r=")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("the server's nonce does not continue ours".to_owned());
        }
        let salt = STANDARD.decode(field("s=")?).map_err(|e| format!("the server's salt: {e}"))?;
        let iterations: u32 = field("i=")?.parse().map_err(|e| format!("the iterations: {e}"))?;
        if !(ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
            return Err(format!("{iterations} iterations are not plausible"));
        }
        let salted = self.hash.salted(self.password, &salt, iterations);
        let client_key = self.hash.sign(&salted, "Client Key");
        let last = format!("c=biws,r={nonce}");
        let all = format!("{},{server},{last}", self.first);
        let signature = self.hash.sign(self.hash.hash(client_key.as_ref()).as_ref(), &all);
        let proof: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(k, s)| k ^ s).collect();
        let server_key = self.hash.sign(&salted, "Server Key");
        let proven = STANDARD.encode(self.hash.sign(server_key.as_ref(), &all));
        Ok((format!("{last},p={}", STANDARD.encode(proof)), format!("v={proven}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_standard() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let (exchange, first) = Exchange::begin(Hash::Sha256, "user", "pencil", nonce);
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (last, proven) = exchange.answer(server).expect("a right message");
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(proven, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_server_that_lies_is_refused() {
        let (exchange, _) = Exchange::begin(Hash::Sha512, "a,b=c", "x", "abc".to_owned());
        for server in
            ["", "r=abcd", "r=abc,s=AAAA,i=4096", "r=xyz,s=AAAA,i=4096", "r=abcd,s=?,i=4096"]
        {
            assert!(exchange.answer(server).is_err(), "{server}");
        }
        assert!(exchange.answer("r=abcd,s=AAAA,i=1").is_err(), "a password is worth more");
        assert!(exchange.answer("r=abcd,s=AAAA,i=4000000000").is_err(), "it would take for ever");
        assert!(exchange.answer("r=abcd,s=AAAA,i=4096").is_ok());
    }

    #[test]
    fn names_are_escaped() {
        let (_, first) = Exchange::begin(Hash::Sha512, "a,b=c", "x", "abc".to_owned());
        assert_eq!(first, "n,,n=a=2Cb=3Dc,r=abc");
    }
}
