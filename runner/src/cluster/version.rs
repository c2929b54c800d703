//! Kafka versions: read from text, compared by their numbers.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kafka version, ordered by its numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The numbers, e.g. `[0, 10, 1, 1]`.
    pub numbers: Vec<u32>,
    /// As written in the plan.
    pub text: String,
}

/// The text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Kafka version such as 3.9.1")]
pub struct NotAVersion(pub String);

impl Version {
    /// True when this version is `numbers` or later; missing numbers are 0, so 4.1 is 4.1.0.
    pub fn at_least(&self, numbers: &[u32]) -> bool {
        let length = self.numbers.len().max(numbers.len());
        let own = (0..length).map(|i| self.numbers.get(i).copied().unwrap_or(0));
        let other = (0..length).map(|i| numbers.get(i).copied().unwrap_or(0));
        own.cmp(other).is_ge()
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    /// Two to four numbers with dots between, and whatever a vendor adds after a `-`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let bad = || NotAVersion(text.to_owned());
        let release = text.split('-').next().unwrap_or_default();
        let numbers = release
            .split('.')
            .map(|part| match part.bytes().all(|b| b.is_ascii_digit()) {
                true => part.parse::<u32>().map_err(|_| bad()),
                false => Err(bad()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        // The whole text becomes part of an image's name.
        let tail_is_plain =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if !(2..=4).contains(&numbers.len()) || !tail_is_plain {
            return Err(bad());
        }
        Ok(Self { numbers, text: text.to_owned() })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn reads_numbers_and_keeps_the_text() {
        assert_eq!(version("0.10.1.1").numbers, [0, 10, 1, 1]);
        assert_eq!(version("3.9.1").numbers, [3, 9, 1]);
        let vendor = version("7.5.0-1-ccs");
        assert_eq!(vendor.numbers, [7, 5, 0]);
        assert_eq!(vendor.text, "7.5.0-1-ccs");
    }

    #[test]
    fn refuses_what_is_no_version() {
        for bad in [
            "",
            "4",
            "latest",
            "4.x",
            "4..1",
            "4.1.",
            "+4.1",
            "4.1-a/b",
            "1.2.3.4.5",
            "9999999999.1",
        ] {
            assert_eq!(bad.parse::<Version>(), Err(NotAVersion(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn compares_numbers_not_letters() {
        assert!(version("0.10.1.1") < version("0.9.0.1").max(version("0.11.0.0")));
        assert!(version("0.9.0") < version("0.10.0"));
        assert!(version("3.9.1") < version("3.10.0"));
        assert!(version("4.1").at_least(&[4, 1, 0]));
        assert!(version("4.1.0").at_least(&[4, 1]));
        assert!(version("0.10.2.0").at_least(&[0, 10, 2]));
        assert!(!version("0.10.1.1").at_least(&[0, 10, 2]));
        assert!(!version("3.9.1").at_least(&[4]));
    }
}
