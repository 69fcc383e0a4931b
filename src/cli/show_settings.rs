//! `helios settings`, and how commands read settings.

use std::path::{Path, PathBuf};

use super::args::{ConfigArgs, SettingsArgs};
use super::settings::{Chosen, Notice, Settings, TABLE, markdown};
use super::{Failure, output};

pub(super) fn run(args: &SettingsArgs) -> Result<(), Failure> {
    if args.markdown {
        return Ok(output::write(markdown().as_bytes())?);
    }
    let (_, chosen, notices) = load(&args.config)?;
    notices.iter().for_each(|notice| output::say(&format!("helios: {notice}")));
    let mut page = String::new();
    for setting in TABLE {
        let value = chosen.shown(setting).unwrap_or_else(|| "-".to_owned());
        page.push_str(&format!("{:<26} {value:<24} {}\n", setting.name, chosen.source(setting)));
    }
    Ok(output::write(page.as_bytes())?)
}

/// Settings from flags, environment and file.
pub(super) fn load(args: &ConfigArgs) -> Result<(Settings, Chosen, Vec<Notice>), Failure> {
    let path = args.config.clone().or_else(|| std::env::var_os("HELIOS_CONFIG").map(PathBuf::from));
    let text = path.as_deref().map(read).transpose()?;
    let file = path.as_deref().zip(text.as_deref());
    Settings::load(&args.flags, std::env::vars_os(), file).map_err(|error| Failure::new(error.to_string()))
}

#[allow(clippy::disallowed_methods, reason = "the settings are read before there is a host")]
fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}
