//! What an editor asks about a plan that is being written: pure functions from files and a place to answers.
//!
//! They know words, arguments and names by the declarations that also read plans: [`forms`] walks the schema that is
//! made from them. Plans that are half typed are read as far as possible ([`lenient`]).

mod completion;
mod file;
mod fixes;
mod hover;
mod lenient;
mod names;
mod offered;
mod outline;
mod pages;
mod references;
mod settings;
mod spots;
mod states;

pub use completion::{Candidate, CandidateKind, Candidates, complete};
pub use file::{EditorFile, looks_like_plan};
pub use fixes::{EditorFix, fixes};
pub use hover::{HoverText, hover};
pub use names::{NameKind, NameUse};
pub use outline::{OutlineKind, OutlinePart, folds, outline, section};
pub use references::{PlaceIn, name_at, places, rename};
pub use states::{PlanStates, StateHint};
