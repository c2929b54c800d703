//! The addresses of files, as editors write them.

use std::path::{Path, PathBuf};

use gen_lsp_types::Uri;

use crate::commands::check::encoded;

/// The path of a file's address. What is no file, such as a text that was never saved, is a path of its own.
pub fn path_of(uri: &Uri) -> PathBuf {
    let Some(rest) = uri.0.strip_prefix("file://") else { return PathBuf::from(&uri.0) };
    // A host may stand before the path.
    let path = rest.find('/').map_or(rest, |slash| &rest[slash..]);
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        let digits =
            rest.get(..2).filter(|_| *first == b'%').and_then(|two| str::from_utf8(two).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        left = if decoded.is_some() { &rest[2..] } else { rest };
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

/// The address of a file.
pub fn uri_of(path: &Path) -> Uri {
    let text = path.to_string_lossy();
    if path.is_absolute() {
        Uri(format!("file://{}", encoded(&text)))
    } else {
        Uri(text.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_addresses_are_the_same_thing() {
        for path in ["/a/b.yaml", "/a b/ä#1%.yaml"] {
            assert_eq!(path_of(&uri_of(Path::new(path))), Path::new(path));
        }
        assert_eq!(path_of(&Uri("file://host/a%20b%zz%".to_owned())), Path::new("/a b%zz%"));
        assert_eq!(
            path_of(&Uri("untitled:Untitled-1".to_owned())),
            Path::new("untitled:Untitled-1")
        );
        assert_eq!(uri_of(Path::new("untitled:Untitled-1")).0, "untitled:Untitled-1");
    }
}
