//! Splits suites between machines: every machine computes the same split, balanced by
//! how long the suites took before.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{out::Shown as _, record::RunRecord};

/// The file with earlier durations, below the working directory. Every machine of a split
/// needs the same file, or none.
pub const DURATIONS: &str = ".kplan/durations.json";
/// The assumed duration of suites, in seconds, if none is known.
const UNKNOWN_S: f64 = 60.0;

/// Part `index` (from 1) of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) && of <= 1_000 => Ok(Self { index, of }),
            _ => Err(format!("`{text}` is not a part such as 2/3")),
        }
    }
}

impl Shard {
    /// Keeps the suites of this part, in their order. The longest suites are assigned first, each to the part
    /// with the least total so far (Graham's longest-processing-time rule), so that the parts end together.
    pub fn keep<T>(
        self,
        all: Vec<T>,
        durations: &Durations,
        name: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let usual = durations.usual();
        let weigh = |item: &T| durations.0.get(&name(item)).copied().unwrap_or(usual);
        let mut heaviest: Vec<(usize, f64, String)> =
            all.iter().enumerate().map(|(i, item)| (i, weigh(item), name(item))).collect();
        heaviest.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.2.cmp(&b.2)));
        let mut loads = vec![0.0_f64; self.of as usize];
        let mut mine = vec![false; all.len()];
        for (i, weight, _) in heaviest {
            let least = (0..loads.len()).min_by(|a, b| loads[*a].total_cmp(&loads[*b]));
            let least = least.unwrap_or_default();
            loads[least] += weight;
            mine[i] = least + 1 == self.index as usize;
        }
        all.into_iter().zip(mine).filter_map(|(item, mine)| mine.then_some(item)).collect()
    }
}

/// How long suites took, by file and cell, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Durations(BTreeMap<String, f64>);

impl Durations {
    /// Reads the file; empty if there is none.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.shown())),
        };
        let known: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a file of durations", path.shown()))?;
        Ok(Self(known.0.into_iter().filter(|(_, s)| s.is_finite() && *s >= 0.0).collect()))
    }

    /// Adds the suites of a run that ran to their end.
    pub fn learn(&mut self, record: &RunRecord) {
        for suite in record.decisive() {
            if let Some(ended_us) = suite.ended_us {
                let took = (ended_us - suite.started_us) as f64 / 1e6;
                self.0.insert(Self::name(&suite.info.file, &suite.info.cell), took);
            }
        }
    }

    /// Writes the file in one step, so that a reader never finds half of it.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("durations are plain numbers")?;
        let fresh: PathBuf = path.with_extension(format!("{}.new", std::process::id()));
        let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path));
        written.with_context(|| format!("cannot write {}", path.shown()))
    }

    /// A suite's name in the file.
    pub fn name(file: &Path, cell: &str) -> String {
        format!("{} [{cell}]", file.to_string_lossy())
    }

    fn usual(&self) -> f64 {
        if self.0.is_empty() {
            return UNKNOWN_S;
        }
        self.0.values().sum::<f64>() / self.0.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn parts(of: u32, names: &[String], durations: &Durations) -> Vec<Vec<String>> {
        let part = |index| Shard { index, of }.keep(names.to_vec(), durations, Clone::clone);
        (1..=of).map(part).collect()
    }

    #[test]
    fn a_part_is_written_with_a_slash() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_end_together() {
        let known = [("a", 100.0), ("b", 60.0), ("c", 50.0), ("d", 10.0)];
        let durations = Durations(known.iter().map(|(n, s)| ((*n).to_owned(), *s)).collect());
        let names: Vec<String> = known.iter().map(|(n, _)| (*n).to_owned()).collect();
        assert_eq!(parts(2, &names, &durations), [vec!["a", "d"], vec!["b", "c"]]);
    }

    #[test]
    fn durations_are_written_and_read_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("durations.json");
        assert_eq!(Durations::read(&path).expect("none yet"), Durations::default());
        let known = Durations(BTreeMap::from([("plans/a.yaml []".to_owned(), 12.5)]));
        known.write(&path).expect("written");
        assert_eq!(Durations::read(&path).expect("readable"), known);
        fs::write(&path, "{ half").expect("written");
        assert!(Durations::read(&path).is_err());
    }

    proptest! {
        #[test]
        fn each_suite_is_in_exactly_one_part(
            seconds in prop::collection::vec(0.0_f64..1_000.0, 0..40), of in 1_u32..7
        ) {
            let names: Vec<String> = (0..seconds.len()).map(|i| format!("s{i}")).collect();
            let known = names.iter().cloned().zip(seconds).step_by(2).collect();
            let parts = parts(of, &names, &Durations(known));
            let all: Vec<&String> = parts.iter().flatten().collect();
            prop_assert_eq!(all.len(), names.len());
            prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), names.len());
        }
    }
}
