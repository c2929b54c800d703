//! Checks a fragment without a plan that includes it.

use std::path::Path;
use std::sync::Arc;

use super::{Check, Checked, Options};
use crate::diagnostic::Code;
use crate::library::{Files, Library};
use crate::steps::read_alone;

/// Mistakes that the including plan may mend: it sets parameters, and has captures and clients.
const OF_THE_PLAN: [Code; 3] = [Code::E031, Code::E040, Code::E051];

/// Checks a file that plans include by itself: how it is written, not whether its steps can work.
pub fn check_part(path: &Path, options: &Options, files: Box<dyn Files>) -> Checked {
    let library = Arc::new(Library::new(files));
    let loaded = library.load(path, None);
    let mut check = Check::new(library, options);
    match loaded {
        Ok((file, document)) => {
            let mut reader = check.reader(check.base());
            reader.place.files.push(file);
            read_alone(&document, &mut reader);
            let found = reader.into_diagnostics().into_iter();
            check.diagnostics.extend(found.filter(|d| !OF_THE_PLAN.contains(&d.code)));
        }
        Err(diagnostic) => check.diagnostics.push(diagnostic),
    }
    check.diagnostics.extend(check.library.problems());
    check.finish(Vec::new())
}
