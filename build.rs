//! Puts the browser page into the binary, for the feature `page` only.
//!
//! The built page comes from `HELIOS_WEB_DIST`, else from `web/dist`, else it is made here with npm into
//! the output folder. What `src/api/page.rs` includes is one table, [`TABLE_FILE`]: path, content type,
//! bytes, compressed bytes and entity tag of every file. Without the feature the table is empty.

// A build script runs on the developer's machine, outside the server and its host layer.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
// Printed lines are how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={DIST_VARIABLE}");
    if env::var_os("CARGO_FEATURE_FIPS").is_some() {
        println!("cargo::rustc-env=HELIOS_FIPS_SYS_VERSION={}", fips_sys_version());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let page = match env::var_os("CARGO_FEATURE_PAGE") {
        Some(_) => built_page(&out),
        None => Ok(None),
    };
    let table = page.and_then(|page| match page {
        Some(folder) => table_of(&folder),
        None => Ok(table_text("")),
    });
    match table {
        Ok(table) => write_if_changed(&out.join(TABLE_FILE), &table).expect("OUT_DIR can be written"),
        Err(reason) => {
            for line in reason.lines() {
                println!("cargo::error={line}");
            }
            std::process::exit(1);
        }
    }
}

/// The version of the crate that is linked, from the name under which it hands facts on to this script:
/// `DEP_AWS_LC_FIPS_0_13_17_INCLUDE`.
fn fips_sys_version() -> String {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let versions = names.filter_map(|name| Some(name.strip_prefix("DEP_AWS_LC_FIPS_")?.to_owned()));
    let mut parts: Vec<String> = versions
        .map(|rest| {
            rest.split('_').take_while(|part| part.bytes().all(|b| b.is_ascii_digit())).collect::<Vec<_>>().join(".")
        })
        .collect();
    parts.sort();
    parts.dedup();
    assert_eq!(parts.len(), 1, "one aws-lc-fips-sys must be linked, and it must say so: {parts:?}");
    parts.remove(0)
}

/// The folder of a built page, or `None` where a debug build may do without one.
fn built_page(out: &Path) -> Result<Option<PathBuf>, String> {
    if let Some(named) = env::var_os(DIST_VARIABLE).filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        println!("cargo::rerun-if-changed={}", named.display());
        return if named.join(INDEX).is_file() {
            Ok(Some(named))
        } else {
            Err(format!("{DIST_VARIABLE} is {}, but there is no {INDEX} in it", named.display()))
        };
    }
    let web = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("web");
    let dist = web.join("dist");
    if dist.join(INDEX).is_file() {
        println!("cargo::rerun-if-changed={}", dist.display());
        return Ok(Some(dist));
    }
    make_page(&web, out)
}

/// Runs `npm ci` where the modules are not those of the lock file, then `npm run build` into `out`.
fn make_page(web: &Path, out: &Path) -> Result<Option<PathBuf>, String> {
    if !web.join("package.json").is_file() {
        return no_page(&format!("{} holds no page to build", web.display()));
    }
    watch_sources(web).map_err(|e| format!("the page's sources in {} can't be read: {e}", web.display()))?;
    if Command::new(NPM).arg("--version").output().is_err() {
        return no_page("npm was not found");
    }
    let installed = web.join("node_modules").join(".package-lock.json");
    if !is_newer(&installed, &web.join("package-lock.json")) {
        npm(web, &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    }
    let page = out.join("web");
    let folder = page.to_str().ok_or("the path of OUT_DIR is not UTF-8, which npm needs")?;
    npm(web, &["run", "build", "--", "--outDir", folder, "--emptyOutDir"])?;
    if page.join(INDEX).is_file() {
        Ok(Some(page))
    } else {
        Err(format!("`npm run build` ended well but left no {INDEX} in {folder}"))
    }
}

/// Tests need no page, so a debug build goes on without one. A release build would give a user a server
/// whose page is missing, so it stops.
fn no_page(reason: &str) -> Result<Option<PathBuf>, String> {
    if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        println!("cargo::warning={reason}: this debug build has no page in it");
        return Ok(None);
    }
    Err(format!(
        "{reason}, and there is no built page.\n\
         Install Node.js 20 or newer with npm (on Debian: apt install nodejs npm) and build again,\n\
         or name a folder with a built page in {DIST_VARIABLE},\n\
         or build a server without a page: cargo build --release --no-default-features"
    ))
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), String> {
    let shown = format!("npm {}", arguments.join(" "));
    let output = Command::new(NPM)
        .args(arguments)
        .current_dir(web)
        .output()
        .map_err(|e| format!("`{shown}` could not be started: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{shown}` in {} failed ({}).\n{}{}\n\
         Without a network: name a folder with a built page in {DIST_VARIABLE}, or add --no-default-features.",
        web.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    ))
}

/// Names everything the page is made of, so that cargo runs this again when it changes. A folder is
/// walked by cargo itself, so `node_modules` must not be named.
fn watch_sources(web: &Path) -> io::Result<()> {
    for entry in fs::read_dir(web)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !NOT_SOURCES.contains(&name.as_ref()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    Ok(())
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    matches!((time(file), time(than)), (Ok(a), Ok(b)) if a >= b)
}

/// The Rust table of every file below `folder`, sorted by path so that the same page gives the same binary.
fn table_of(folder: &Path) -> Result<String, String> {
    let folder = folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files = Vec::new();
    collect(&folder, &mut files).map_err(|e| format!("the built page can't be read: {e}"))?;
    files.sort();
    let mut rows = String::new();
    for file in &files {
        let bytes = fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let name = file.strip_prefix(&folder).expect("collected below the folder").to_string_lossy();
        if COMPRESSED.iter().any(|ending| name.ends_with(ending)) {
            continue;
        }
        let [brotli, gzip] = COMPRESSED.map(|ending| included(&files, file, ending));
        writeln!(
            rows,
            "    Asset {{ path: {:?}, content_type: {:?}, body: include_bytes!({:?}), brotli: {brotli}, gzip: {gzip}, etag: {:?} }},",
            format!("/{}", name.replace('\\', "/")),
            content_type(&name)?,
            file,
            format!("W/\"{:016x}-{:x}\"", fnv1a(&bytes), bytes.len()),
        )
        .expect("a String takes every text");
    }
    Ok(table_text(&rows))
}

/// The expression for a file's compressed form, where the page's build left one beside it.
fn included(files: &[PathBuf], file: &Path, ending: &str) -> String {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    let beside = PathBuf::from(name);
    if files.binary_search(&beside).is_ok() { format!("Some(include_bytes!({beside:?}))") } else { "None".to_owned() }
}

fn table_text(rows: &str) -> String {
    format!(
        "/// The files of the browser page, by path. Empty in a build without it.\npub(crate) static ASSETS: &[Asset] = &[\n{rows}];\n"
    )
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Refuses what it does not know: a guessed type would make a browser guess too.
fn content_type(name: &str) -> Result<&'static str, String> {
    let extension = name.rsplit('.').next().unwrap_or_default();
    CONTENT_TYPES
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, content_type)| *content_type)
        .ok_or_else(|| format!("the page holds {name}: add its content type to CONTENT_TYPES in build.rs"))
}

/// FNV-1a over 64 bits: tells two versions of a file apart; it is no protection against forgery.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Leaves an unchanged table alone, so that the crate is not compiled again for nothing.
fn write_if_changed(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text)
}

/// Names a folder with a built page, so that a build needs no npm.
const DIST_VARIABLE: &str = "HELIOS_WEB_DIST";
const TABLE_FILE: &str = "page_assets.rs";
/// How the compressed forms of a file end: brotli's, gzip's.
const COMPRESSED: [&str; 2] = [".br", ".gz"];
const INDEX: &str = "index.html";
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// What stands in `web/` and is no part of the page.
const NOT_SOURCES: &[&str] =
    &["node_modules", "dist", "e2e", "playwright.config.ts", "test-results", "playwright-report", "coverage"];

const CONTENT_TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("woff2", "font/woff2"),
];
