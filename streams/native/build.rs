//! Gives the core the digest of the sources it is built from. `streams/runtime/native_core.py` works it out as well, from
//! the sources that came with the Python package, and refuses a core that has another one.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut files = vec![root.join("Cargo.toml"), root.join("build.rs")];
    rust_files(&root.join("src"), &mut files)?;
    let mut named: Vec<(String, PathBuf)> =
        files.into_iter().map(|file| (name_of(&root, &file), file)).collect();
    named.sort();
    let mut digest = Blake2b::<U16>::new();
    for (name, file) in named {
        let content = fs::read(file)?;
        digest.update(format!("{name}\n{}\n", content.len()));
        digest.update(content);
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo:rustc-env=TOUCHLINE_SOURCES={digest}");
    for watched in ["Cargo.toml", "build.rs", "src"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    Ok(())
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The path within the crate, with `/` on every platform.
fn name_of(root: &Path, file: &Path) -> String {
    let parts = file.strip_prefix(root).expect("it was found below the root").iter();
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
