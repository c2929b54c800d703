//! What a service is started with.

use serde::{Deserialize, Serialize};

use super::UserName;
use super::slots::{Slot, SlotText, SlotTexts};
use crate::diagnostic::Code;
use crate::value::FromText as _;

/// A word of a service's command, or the value of an environment variable.
pub type ServiceText = SlotText<ServiceSlot>;

/// A service's environment variables, by name.
pub type ServiceTexts = SlotTexts<ServiceSlot>;

/// A value of the cluster, as a service sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceSlot {
    /// `cluster.bootstrap`: the addresses of the brokers, separated by commas, as the service reaches them.
    Bootstrap,
    /// `cluster.ca_file`: the file with the certificate that clients of an encrypted cluster trust.
    Authority,
    /// `cluster.user.NAME.password`: the password of a user of the cluster.
    Password(String),
}

impl Slot for ServiceSlot {
    const ROOT: &'static str = "cluster";
    const NAMES: &'static [&'static str] = &["bootstrap", "ca_file", "user"];
    const EXPECTS: &'static str = "a text such as `{{ cluster.bootstrap }}`";
    const HELP: &'static str = "write `cluster.bootstrap`, `cluster.ca_file` or `cluster.user.NAME.password`, alone \
                                in its braces";

    fn read(text: &str) -> Result<Self, (Code, String)> {
        match text {
            "bootstrap" => Ok(Self::Bootstrap),
            "ca_file" => Ok(Self::Authority),
            _ => {
                let user = text.strip_prefix("user.").and_then(|t| t.strip_suffix(".password"));
                match user {
                    Some(user) if UserName::from_text(user).is_ok() => {
                        Ok(Self::Password(user.to_owned()))
                    }
                    _ => Err((Code::E031, format!("a cluster has no `{text}`"))),
                }
            }
        }
    }

    fn written(&self) -> String {
        match self {
            Self::Bootstrap => "cluster.bootstrap".to_owned(),
            Self::Authority => "cluster.ca_file".to_owned(),
            Self::Password(user) => format!("cluster.user.{user}.password"),
        }
    }
}
