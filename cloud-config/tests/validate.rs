//! Documents in tests/validate, each with what is told about it. With `UPDATE=1` in the environment
//! the text is written anew, for a person to read.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cloud_config::document::read;
use cloud_config::facts::Facts;

fn documents() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "yml")).collect();
    documents.sort();
    documents
}

fn told(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    let mut told = String::new();
    for problem in read(&std::fs::read(path).unwrap(), &Facts::sample()).problems {
        writeln!(told, "{name}:{problem}").unwrap();
    }
    told
}

#[test]
fn each_problem_is_told_with_its_place_and_what_would_be_right() {
    for path in documents() {
        let told = told(&path);
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &told).unwrap();
        }

        assert_eq!(told, std::fs::read_to_string(&expected).unwrap(), "{}", path.display());
    }
}

#[test]
fn secrets_are_in_no_problem() {
    for path in documents() {
        let told = told(&path);

        for secret in ["hunter2", "hunter3", "secret word", "c2VjcmV0", "H4sI"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}
