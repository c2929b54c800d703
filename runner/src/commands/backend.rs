//! `--backend`: where the clusters come from.

use std::{path::PathBuf, sync::Arc};

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};
use kplan_dsl::{Backend, BackendFile, Diagnostic, EnvNames, Sources, nearest, read_backend};

/// Where clusters come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendName {
    /// Real Kafka in containers.
    Docker,
    /// librdkafka's mock cluster in this process: a simulation.
    Embedded,
    /// Real Kafka as processes of this machine.
    Local,
    /// A cluster that exists, as this file tells.
    External(PathBuf),
}

/// The backend that was named, and what its file says.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// For the checker.
    pub backend: Backend,
    /// What the file of an external cluster says; none where it is wrong.
    pub file: Option<Arc<BackendFile>>,
    /// What is wrong with the file.
    pub told: Option<(Vec<Diagnostic>, Arc<Sources>)>,
}

impl BackendName {
    /// Reads the file of an external cluster. The user names it on the command line, as a program: so
    /// its commands need no `--allow-run`, and its templates may read the whole environment.
    pub fn choose(&self) -> Chosen {
        let backend = match self {
            Self::Docker => Backend::Docker,
            Self::Embedded => Backend::Embedded,
            Self::Local => Backend::Local,
            Self::External(path) => {
                // Names and values that are no text cannot be meant by a text.
                let vars = std::env::vars_os();
                let texts =
                    vars.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
                let read = read_backend(path, &EnvNames { allowed: texts.collect() })
                    .and(super::settings::of_backend);
                let wrong = !read.diagnostics.is_empty();
                return Chosen {
                    backend: Backend::External,
                    file: read.file.map(Arc::new),
                    told: wrong.then_some((read.diagnostics, read.sources)),
                };
            }
        };
        Chosen { backend, file: None, told: None }
    }
}

/// What the command line takes, with a word for each.
const NAMES: [(&str, &str); 4] = [
    ("docker", "real Kafka in containers"),
    ("local", "real Kafka as processes of this machine: needs Java, and no engine"),
    ("external=FILE", "a cluster that exists: FILE tells where, see docs/backends.md"),
    ("embedded", "a simulation in this process: needs nothing"),
];

/// Reads [`BackendName`] and lists what there is, for help and completion.
#[derive(Clone, Debug)]
pub struct BackendParser;

impl TypedValueParser for BackendParser {
    type Value = BackendName;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BackendName, Error> {
        let text = value.to_string_lossy();
        read(&text).map_err(|help| {
            let mut error = Error::new(ErrorKind::InvalidValue).with_cmd(command);
            if let Some(arg) = arg {
                error.insert(ContextKind::InvalidArg, ContextValue::String(arg.to_string()));
            }
            error.insert(ContextKind::InvalidValue, ContextValue::String(text.into_owned()));
            let known = NAMES.iter().map(|(name, _)| (*name).to_owned()).collect();
            error.insert(ContextKind::ValidValue, ContextValue::Strings(known));
            if let Some(help) = help {
                error.insert(ContextKind::SuggestedValue, ContextValue::String(help));
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(NAMES.iter().map(|(name, help)| PossibleValue::new(*name).help(*help))))
    }
}

/// The backend that a text names, or the nearest that there is.
fn read(text: &str) -> Result<BackendName, Option<String>> {
    match text {
        "docker" => Ok(BackendName::Docker),
        "embedded" => Ok(BackendName::Embedded),
        "local" => Ok(BackendName::Local),
        _ => match text.split_once('=') {
            Some(("external", file)) if !file.is_empty() => Ok(BackendName::External(file.into())),
            // Also `external` alone, and a slip of the pen before the file.
            Some((word, file)) => {
                Err(nearest(word, ["external"]).map(|_| format!("external={file}")))
            }
            None if nearest(text, ["external"]).is_some() => Err(Some("external=FILE".to_owned())),
            None => Err(nearest(text, NAMES.iter().map(|(name, _)| *name)).map(str::to_owned)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_gets_the_nearest_name() {
        assert_eq!(read("local"), Ok(BackendName::Local));
        assert_eq!(read("dokcer"), Err(Some("docker".to_owned())));
        assert_eq!(read("zzz"), Err(None));
        assert_eq!(read("external=a=b.yaml"), Ok(BackendName::External("a=b.yaml".into())));
        assert_eq!(read("external"), Err(Some("external=FILE".to_owned())));
        assert_eq!(read("external="), Err(Some("external=".to_owned())));
        assert_eq!(read("extrenal=b.yaml"), Err(Some("external=b.yaml".to_owned())));
    }
}
