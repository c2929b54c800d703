//! Whether Kafka takes values.

use super::{SettingEra, SettingOf, SettingType, SettingsAt, covers};
use crate::diagnostic::nearest;
use crate::words;

/// A value that Kafka refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenValue {
    /// What it must be: `must be at least 1`.
    pub must: String,
    /// The word that is probably meant.
    pub nearest: Option<String>,
}

/// Two values that Kafka refuses together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenCombination {
    /// The setting that must not exceed the other one.
    pub lower: &'static str,
    /// The other one.
    pub upper: &'static str,
    /// What must hold: `at most` or `less than`.
    pub must: &'static str,
    /// The values, the lower setting's first.
    pub values: [i64; 2],
}

impl SettingEra {
    /// What is wrong with a value.
    pub fn refuses(&self, value: &str) -> Option<BrokenValue> {
        let value = value.trim();
        match self.kind {
            SettingType::Boolean => {
                let words = ["true", "false"];
                let fits = words.iter().any(|word| value.eq_ignore_ascii_case(word));
                (!fits).then(|| broken("must be `true` or `false`".to_owned()))
            }
            SettingType::Int => self.whole(value, i32::MIN.into(), i32::MAX.into()),
            SettingType::Short => self.whole(value, i16::MIN.into(), i16::MAX.into()),
            SettingType::Long => self.whole(value, i64::MIN, i64::MAX),
            SettingType::Double => match value.trim_end_matches(['d', 'D', 'f', 'F']).parse() {
                Ok(number) => self.range(number),
                Err(_) => Some(broken("must be a number".to_owned())),
            },
            SettingType::List => {
                let mut parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.find_map(|part| self.word(part))
            }
            SettingType::String => self.word(value),
            SettingType::Password | SettingType::Class => None,
        }
    }

    fn whole(&self, value: &str, least: i64, most: i64) -> Option<BrokenValue> {
        match value.parse::<i128>() {
            Err(_) => Some(broken("must be a whole number".to_owned())),
            Ok(number) if number < least.into() || number > most.into() => {
                let (least, most) = (self.least(least), self.most(most));
                Some(broken(format!("must be between {least} and {most}")))
            }
            Ok(number) => self.range(number as f64),
        }
    }

    fn least(&self, of_type: i64) -> String {
        self.min.map_or_else(|| of_type.to_string(), |min| min.to_string())
    }

    fn most(&self, of_type: i64) -> String {
        // A number of 64 bits with a fraction is not exact: the greatest one is that of the type.
        self.max
            .filter(|max| *max < i64::MAX as f64)
            .map_or_else(|| of_type.to_string(), |max| max.to_string())
    }

    fn range(&self, number: f64) -> Option<BrokenValue> {
        if self.or == Some(number) {
            return None;
        }
        let low = self.min.is_some_and(|min| number < min);
        let high = self.max.is_some_and(|max| number > max);
        if !low && !high {
            let refused = self.refused.contains(&number);
            return refused.then(|| broken("must be a number that brokers accept".to_owned()));
        }
        let or = self.or.map(|or| format!(", or {or}")).unwrap_or_default();
        Some(broken(match (self.min, self.max) {
            (Some(min), Some(max)) => format!("must be between {min} and {max}{or}"),
            (Some(min), None) => format!("must be at least {min}{or}"),
            (_, max) => format!("must be at most {}{or}", max.unwrap_or_default()),
        }))
    }

    fn word(&self, value: &str) -> Option<BrokenValue> {
        let same = |word: &String| {
            if self.any_case { word.eq_ignore_ascii_case(value) } else { word == value }
        };
        if self.values.is_empty() || self.values.iter().any(same) {
            return None;
        }
        let words: Vec<String> = self.values.iter().map(|word| format!("`{word}`")).collect();
        let all = words::list(&words).replace(" and ", " or ");
        // Such as `compacted`: the word that it begins with is meant, however long the rest.
        let begins = self.values.iter().find(|word| value.starts_with(word.as_str()));
        let near = begins.map(String::as_str);
        let near = near.or_else(|| nearest(value, self.values.iter().map(String::as_str)));
        Some(BrokenValue { must: format!("must be {all}"), nearest: near.map(str::to_owned) })
    }
}

fn broken(must: String) -> BrokenValue {
    BrokenValue { must, nearest: None }
}

impl SettingsAt {
    /// The combinations that Kafka refuses, of the settings that a plan gives (`given`) and of the defaults of the
    /// others.
    pub fn combinations(
        &self,
        of: SettingOf,
        given: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<BrokenCombination> {
        let mut all = Vec::new();
        for (key, combination) in &self.catalogue.combinations {
            let mut names = key.split(' ');
            let (Some(whose), Some(lower), Some(upper)) =
                (names.next(), names.next(), names.next())
            else {
                continue;
            };
            let era = combination
                .eras
                .iter()
                .find(|era| covers(&era.since, era.until.as_deref(), &self.minor));
            let Some(era) = era.filter(|_| whose == of.word()) else { continue };
            if given(lower).is_none() && given(upper).is_none() {
                continue;
            }
            let value = |name: &str| -> Option<i64> {
                let preset = || self.get(of, name).and_then(|era| era.default.clone());
                given(name).or_else(preset)?.trim().parse().ok()
            };
            let (Some(low), Some(high)) = (value(lower), value(upper)) else { continue };
            // A negative number stands for no limit, or for another setting's value.
            let none = low < 0 || high < 0 || (high == 0 && era.unless_zero);
            if !none && (low > high || (low == high && era.less)) {
                let must = if era.less { "less than" } else { "at most" };
                all.push(BrokenCombination { lower, upper, must, values: [low, high] });
            }
        }
        all
    }
}
