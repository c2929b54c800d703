//! Where a name is made and used, over the files of a plan.

use std::path::{Path, PathBuf};

use super::file::EditorFile;
use super::names::{NameKind, NameUse};
use crate::library::{Files as _, Memory};
use crate::source::Span;

/// A place in one of several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceIn {
    /// The number of the file.
    pub file: usize,
    /// The place in it.
    pub span: Span,
    /// True where the name is made.
    pub defines: bool,
}

/// Every place of the name at a byte of a file, over all files that belong to a plan.
pub fn places(files: &[&EditorFile], file: usize, byte: u32) -> Vec<PlaceIn> {
    let Some(asked) = files.get(file).and_then(|file| file.name_at(byte)) else {
        return Vec::new();
    };
    let home = home(files, file, asked);
    let mut all = Vec::new();
    for (number, other) in files.iter().enumerate() {
        for name in other.names() {
            let same = name.kind == asked.kind && name.name == asked.name;
            if same && self::home(files, number, name) == home {
                all.push(PlaceIn { file: number, span: name.span, defines: name.defines });
            }
        }
    }
    all
}

/// The place of the name at a byte of a file, and what it stands for.
pub fn name_at(file: &EditorFile, byte: u32) -> Option<&NameUse> {
    file.name_at(byte)
}

/// The edits that give a name another text, or why that is not possible.
pub fn rename(
    files: &[&EditorFile],
    file: usize,
    byte: u32,
    to: &str,
) -> Result<Vec<PlaceIn>, String> {
    let Some(asked) = files.get(file).and_then(|file| file.name_at(byte)) else {
        return Err("there is no name here".to_owned());
    };
    if let Some(why) = asked.kind.refuses(to) {
        return Err(why);
    }
    let places = places(files, file, byte);
    if !places.iter().any(|place| place.defines) {
        return Err(format!("the {} `{}` is not made by this plan", asked.kind.word(), asked.name));
    }
    let taken = files.iter().enumerate().any(|(number, other)| {
        let same = |name: &&NameUse| name.kind == asked.kind && name.name == to && name.defines;
        let here = |name: &NameUse| home(files, number, name) == home(files, file, asked);
        asked.name != to && other.names().iter().filter(same).any(here)
    });
    if taken {
        return Err(format!("there is a {} `{to}` already", asked.kind.word()));
    }
    Ok(places)
}

/// The file that has a value for itself: a parameter, or a name of the matrix. All other names are the plan's.
fn home(files: &[&EditorFile], file: usize, name: &NameUse) -> Option<usize> {
    if name.kind != NameKind::Value {
        return None;
    }
    match &name.of_file {
        Some(included) => {
            let directory = files[file].path().parent().unwrap_or(Path::new(""));
            let path = plain(&directory.join(included));
            files.iter().position(|other| plain(other.path()) == path).or(Some(usize::MAX))
        }
        None => {
            let own =
                files[file].names().iter().any(|other| other.local && other.name == name.name);
            own.then_some(file)
        }
    }
}

/// The path without dots.
fn plain(path: &Path) -> PathBuf {
    Memory::default().canonical(path).unwrap_or_else(|_| path.to_owned())
}
