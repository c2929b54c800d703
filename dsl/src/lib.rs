//! The plan language of kplan: text in, a checked [`Plan`] or [`Diagnostic`]s out.
//!
//! One way: a [`Source`] is parsed into a spanned [`document`], templates inside its scalars are
//! rendered, and [`check`] reads it into [`Plan`]s, one for each combination of the plan's matrix.
//! Nothing here starts anything: no containers, no Kafka, no clock.
//!
//! A step with a value that depends on the run (`run.id`, captures) stays late: [`Step::finish`] reads it again
//! with the [`Values`] of the run.

pub mod args;
mod backend;
mod catalogue;
mod check;
pub mod conditions;
mod diagnostic;
pub mod diff;
pub mod document;
pub mod editor;
mod explain;
mod external;
pub mod facts;
mod follow;
mod forms;
mod ground;
mod library;
mod manual;
mod matrix;
mod meaning;
mod params;
pub mod plan;
mod programs;
mod publish;
pub mod read;
mod render;
mod schema;
mod scope;
mod source;
pub mod steps;
mod template;
pub mod value;
pub mod visible;
pub mod words;

pub use backend::{Abilities, Capability, Need, by_command};
pub use catalogue::{
    BrokenCombination, BrokenValue, Catalogue, KnownSetting, LibrarySetting, LibrarySettings,
    SettingEra, SettingOf, SettingType, SettingsAt, librdkafka_instead,
};
pub use check::{
    CellValue, Checked, Options, Override, Pass, check_file, check_part, check_text, check_with,
    template_values,
};
pub use conditions::{Condition, Conditions};
pub use diagnostic::{Code, Diagnostic, Fix, Help, Severity, nearest};
pub use diff::diff;
pub use document::json_of;
pub use explain::{ExplainFormat, explain};
pub use external::{
    BackendFile, BrokerCommand, Commands, HostPort, ReadBackend, backend_schema,
    backend_schema_text, read_backend, read_backend_with,
};
pub use library::{Disk, Files, Memory};
pub use manual::{WordKind, chapter, manual, words as word_list};
pub use plan::{Action, Always, Param, Plan, ReadyStep, Step, StepHead, StepId};
pub use publish::{plan_schema, plan_schema_text};
pub use render::{render, render_each};
pub use scope::{EnvNames, Values};
pub use source::{FileId, Position, Source, Sources, Span, Spanned};
pub use steps::Verb;
