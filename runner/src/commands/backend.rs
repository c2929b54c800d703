//! `--backend`: where the clusters run.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};
use kplan_dsl::nearest;

use crate::cluster::backend::{Backend, BackendKind, Chosen, ROSTER, Setup, standing};

/// The value of `--backend`: a line of the roster, and the file after `=`.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendName {
    kind: BackendKind,
    pub file: Option<PathBuf>,
}

impl BackendName {
    /// Creates the backend. A setting in its file that librdkafka refuses is reported as a mistake of the file.
    pub fn choose(&self, setup: Setup) -> Chosen {
        let refused = super::settings::of_backend;
        (self.kind.choose)(Setup { file: self.file.clone(), refused, ..setup })
    }

    /// The text of the command-line argument.
    pub fn argument(&self) -> OsString {
        let mut text = OsString::from(self.kind.name);
        if let Some(file) = &self.file {
            text.push("=");
            text.push(file);
        }
        text
    }
}

/// The backend that was named, else those of this machine.
pub fn backends(named: Option<&BackendName>, setup: &Setup) -> Vec<Arc<dyn Backend>> {
    match named {
        Some(named) => vec![named.choose(setup.clone()).backend],
        None => standing(setup),
    }
}

/// Parses [`BackendName`] and lists the possible values, for help and completion.
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
            let known = ROSTER.iter().map(|kind| kind.usage.to_owned()).collect();
            error.insert(ContextKind::ValidValue, ContextValue::Strings(known));
            if let Some(help) = help {
                error.insert(ContextKind::SuggestedValue, ContextValue::String(help));
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |kind: &BackendKind| PossibleValue::new(kind.usage).help(kind.about);
        Some(Box::new(ROSTER.iter().map(value)))
    }
}

/// The backend that a text names, or else the most similar name.
fn read(text: &str) -> Result<BackendName, Option<String>> {
    let (word, file) = text.split_once('=').map_or((text, None), |(w, file)| (w, Some(file)));
    let kind = ROSTER.iter().find(|kind| kind.name == word);
    match (kind, file) {
        (Some(&kind), None) if !kind.takes_file() => Ok(BackendName { kind, file: None }),
        (Some(&kind), Some(file)) if kind.takes_file() && !file.is_empty() => {
            Ok(BackendName { kind, file: Some(file.into()) })
        }
        // A backend without its file, a file for a backend that takes none, or a misspelt name.
        (_, Some(file)) => {
            let known = ROSTER.iter().filter(|kind| kind.takes_file()).map(|kind| kind.name);
            Err(nearest(word, known).map(|name| format!("{name}={file}")))
        }
        (_, None) => {
            let named = nearest(word, ROSTER.iter().map(|kind| kind.name));
            let kind = named.and_then(|name| ROSTER.iter().find(|kind| kind.name == name));
            Err(kind.map(|kind| kind.usage.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_gets_the_nearest_name() {
        let named = |text| read(text).map(|name| (name.kind.name, name.file));
        assert_eq!(named("local"), Ok(("local", None)));
        assert_eq!(named("dokcer"), Err(Some("docker".to_owned())));
        assert_eq!(named("zzz"), Err(None));
        assert_eq!(named("external=a=b.yaml"), Ok(("external", Some("a=b.yaml".into()))));
        assert_eq!(named("external"), Err(Some("external=FILE".to_owned())));
        assert_eq!(named("external="), Err(Some("external=".to_owned())));
        assert_eq!(named("extrenal=b.yaml"), Err(Some("external=b.yaml".to_owned())));
    }
}
