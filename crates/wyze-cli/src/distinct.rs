//! Several files written at once must be several files.

use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure};

/// Refuses to write two things into one file; each comes with the option that names it. Nothing is opened.
///
/// # Errors
/// Two of them are the same file, however it is spelled.
pub(crate) fn distinct(files: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in files {
        let Some(path) = path else { continue };
        let real = real(path);
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == real) {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{other} and {option} are the same file, {}; give each its own",
                    path.display()
                ),
            ));
        }
        seen.push((option, real));
    }
    Ok(())
}

/// The file behind a path: absolute, without links; one that is not there yet is a name in its folder.
fn real(path: &Path) -> PathBuf {
    if let Ok(there) = path.canonicalize() {
        return there;
    }
    let Ok(absolute) = std::path::absolute(path) else {
        return path.to_owned();
    };
    match (
        absolute.parent().map(Path::canonicalize),
        absolute.file_name(),
    ) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(files: &[(&str, Option<&Path>)]) -> Option<String> {
        let failure = distinct(files).err()?;
        assert_eq!(failure.exit, Exit::Usage);
        Some(failure.message)
    }

    #[test]
    fn one_file_under_two_spellings_is_refused_and_both_options_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let detour = folder.path().join(".").join("x");
        let files = [
            ("-o", None),
            ("--pcap", Some(&*path)),
            ("--keylog", Some(&*detour)),
        ];
        for there in [false, true] {
            if there {
                std::fs::write(&path, "").unwrap();
            }
            let message = refused(&files).unwrap();
            assert!(message.contains("--pcap and --keylog"), "{message}");
        }
        let other = folder.path().join("y");
        let files = [("--pcap", Some(&*path)), ("--keylog", Some(&*other))];
        assert_eq!(refused(&files), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&path, &other).unwrap();
            assert!(refused(&files).is_some(), "a link to it");
        }
    }

    #[test]
    fn the_same_name_in_two_folders_is_two_files() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (one.path().join("x"), two.path().join("x"));
        assert_eq!(refused(&[("-o", Some(&one)), ("--pcap", Some(&two))]), None);
    }
}
