//! SCRAM users: created over the protocol (KIP-554), and known to every broker before any client logs in.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        AlterUserScramCredentialsRequest,
        alter_user_scram_credentials_request::ScramCredentialUpsertion,
    },
    protocol::StrBytes,
};
use tokio::time::{Instant, sleep};

use super::ask::{AskError, Asker, LIMIT, answering, check};
use crate::{
    cluster::security::Access,
    wire::{
        Connection, Credentials, Login, WireError,
        scram::{Hash, ITERATIONS},
    },
};

/// Limit until every broker knows every user.
const WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

impl Asker {
    /// Creates the users, if the cluster's `security` is SCRAM, and logs each of them in at every broker.
    pub async fn admit(&self, access: &Access) -> Result<(), AskError> {
        let Some(hash) =
            Hash::of(access.security.mechanism).filter(|_| access.security.has_users())
        else {
            return Ok(());
        };
        let deadline = Instant::now() + WITHIN;
        while let Err(error) = self.make_users(access, hash).await {
            self.again(error, deadline).await?;
        }
        for broker in self.cluster.brokers() {
            for (user, password) in access.users() {
                let login = Login {
                    scram: Some(hash),
                    user: user.to_owned(),
                    password: password.to_owned(),
                };
                while let Err(error) = self.log_in(broker, login.clone()).await {
                    self.again(error, deadline).await?;
                }
            }
        }
        Ok(())
    }

    /// Waits a moment before the next attempt; the error when time is up.
    async fn again(&self, error: AskError, deadline: Instant) -> Result<(), AskError> {
        if Instant::now() >= deadline {
            let what = format!("the users of `security` were not created: {error}");
            return Err(AskError::TimedOut { what, limit: WITHIN });
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// With ZooKeeper only the controller can create users; with KRaft every broker forwards to it. So each broker is
    /// asked until one has done it.
    async fn make_users(&self, access: &Access, hash: Hash) -> Result<(), AskError> {
        let users = access.users().map(|(user, password)| {
            let salt: [u8; 32] = rand::random();
            ScramCredentialUpsertion::default()
                .with_name(StrBytes::from_string(user.to_owned()))
                .with_mechanism(hash.number())
                .with_iterations(i32::try_from(ITERATIONS).unwrap_or(i32::MAX))
                .with_salt(Bytes::copy_from_slice(&salt))
                .with_salted_password(hash.salted(password, &salt, ITERATIONS).into())
        });
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(users.collect());
        let mut last = AskError::NobodyAnswers;
        for broker in answering(&self.watch.view()) {
            let answer = match self.call(broker, i16::MAX, |_| request.clone()).await {
                Ok(answer) => answer,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let made = answer.results.iter().try_for_each(|result| {
                check(result.error_code, result.error_message.as_ref(), "the users of `security`")
            });
            match made {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Logs a user in at a broker.
    async fn log_in(&self, broker: u32, login: Login) -> Result<(), AskError> {
        let credentials = Credentials { login: Some(login), ..self.credentials.anonymous() };
        let opened: Result<Connection, WireError> =
            Connection::open(&self.cluster.address(broker), &credentials, LIMIT).await;
        opened.map(drop).map_err(|cause| AskError::Wire { broker, cause: cause.into() })
    }
}
