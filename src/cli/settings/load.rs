//! Where each value comes from: flag, variable, file or default, in this order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::kind::Readable;
use super::{Kind, Setting, SettingFlags, Settings, TABLE, Usage};
use crate::api::nearest;

/// What was chosen for every setting, and by whom.
#[derive(Clone, Debug)]
pub struct Chosen(BTreeMap<&'static str, Choice>);

#[derive(Clone, Debug)]
struct Choice {
    text: Option<String>,
    source: Source,
}

/// Who gave a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// The command line.
    Flag(String),
    /// The environment.
    Variable(String),
    /// The file.
    File {
        /// The file's path.
        path: PathBuf,
        /// The key in it.
        key: String,
    },
    /// Nobody.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File { path, key } => write!(f, "key `{key}` in {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Something that the operator should know, though the start goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// A variable looks like one of ours and is none.
    UnknownVariable {
        /// As it stands in the environment.
        name: String,
        /// The variable that was probably meant.
        nearest: Option<String>,
    },
    /// A setting was given that this version does not use.
    NotUsed {
        /// Who gave it.
        source: Source,
        /// What is missing.
        reason: &'static str,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVariable { name, nearest: Some(nearest) } => {
                write!(f, "variable {name} is not a setting: did you mean {nearest}?")
            }
            Self::UnknownVariable { name, nearest: None } => write!(f, "variable {name} is not a setting"),
            Self::NotUsed { source, reason } => write!(f, "{source} is not used by this version: {reason}"),
        }
    }
}

/// Why the settings cannot be used. The start stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value is not one that the setting takes.
    #[error("{origin}: {shown} is not valid: {reason}")]
    BadValue {
        /// Who gave it.
        origin: Source,
        /// The value, or a placeholder for a secret.
        shown: String,
        /// What would be right.
        reason: String,
    },
    /// The file has a key that is no setting.
    #[error("{}: `{key}` is not a setting{}", path.display(), hint(nearest.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// The file is not TOML.
    #[error("{}: {message}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A variable is not UTF-8.
    #[error("variable {name} is not UTF-8")]
    NotUtf8 {
        /// The variable.
        name: String,
    },
    /// Two settings do not go together.
    #[error("{message}")]
    Conflict {
        /// Which, and why.
        message: String,
    },
}

/// Variables that begin with `HELIOS_` and are read elsewhere: by the client commands, by the build,
/// by the tests.
const OTHER_VARIABLES: &[&str] = &["HELIOS_CONFIG", "HELIOS_URL", "HELIOS_WEB_DIST", "HELIOS_SHARED"];

impl Settings {
    /// Chooses and reads every setting. `file` is the path and text of the settings file, if one was
    /// named.
    ///
    /// # Errors
    /// The first value, key or file that cannot be used, with its source.
    pub fn load(
        flags: &SettingFlags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<(&Path, &str)>,
    ) -> Result<(Self, Chosen, Vec<Notice>), SettingsError> {
        let mut notices = Vec::new();
        let mut chosen = Chosen::defaults();
        if let Some((path, text)) = file {
            chosen.take_file(path, text)?;
        }
        chosen.take_variables(variables, &mut notices)?;
        chosen.take_flags(flags);
        notices.extend(chosen.not_used());
        let settings = Self::read(&chosen)?;
        settings.check()?;
        Ok((settings, chosen, notices))
    }
}

impl Chosen {
    fn defaults() -> Self {
        let default = |setting: &'static Setting| {
            (setting.name, Choice { text: setting.default.map(str::to_owned), source: Source::Default })
        };
        Self(TABLE.iter().map(default).collect())
    }

    fn take_file(&mut self, path: &Path, text: &str) -> Result<(), SettingsError> {
        let bad = |message: String| SettingsError::BadFile { path: path.to_owned(), message };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| bad(error.to_string()))?;
        for (key, value) in table {
            let Some(setting) = find(&key) else {
                let nearest = nearest(&key, TABLE.iter().map(|setting| setting.name.to_owned()));
                return Err(SettingsError::UnknownKey { path: path.to_owned(), key, nearest });
            };
            let text = toml_text(&value).ok_or_else(|| bad(format!("`{key}` must be {}", setting.kind.describe())))?;
            self.set(setting, text, Source::File { path: path.to_owned(), key });
        }
        Ok(())
    }

    fn take_variables(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), SettingsError> {
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with("HELIOS_")) else { continue };
            if OTHER_VARIABLES.contains(&name) {
                continue;
            }
            let Some(setting) = TABLE.iter().find(|setting| setting.variable() == name) else {
                let nearest = nearest(name, TABLE.iter().map(Setting::variable));
                notices.push(Notice::UnknownVariable { name: name.to_owned(), nearest });
                continue;
            };
            let value = value.into_string().map_err(|_| SettingsError::NotUtf8 { name: name.to_owned() })?;
            self.set(setting, value, Source::Variable(name.to_owned()));
        }
        Ok(())
    }

    fn take_flags(&mut self, flags: &SettingFlags) {
        for (setting, value) in flags.given() {
            self.set(setting, value.to_owned(), Source::Flag(setting.flag()));
        }
    }

    fn set(&mut self, setting: &'static Setting, text: String, source: Source) {
        self.0.insert(setting.name, Choice { text: Some(text), source });
    }

    fn not_used(&self) -> Vec<Notice> {
        let given = TABLE.iter().filter_map(|setting| match (setting.usage, &self.0[setting.name].source) {
            (_, Source::Default) | (Usage::Now, _) => None,
            (Usage::Later(reason), source) => Some(Notice::NotUsed { source: source.clone(), reason }),
        });
        given.collect()
    }

    pub(super) fn read<T: Readable>(&self, name: &str) -> Result<T, SettingsError> {
        let setting = find(name).expect("the table holds every setting that the struct has");
        let choice = &self.0[setting.name];
        T::read(choice.text.as_deref(), &setting.kind).map_err(|reason| SettingsError::BadValue {
            origin: choice.source.clone(),
            shown: self.shown(setting).unwrap_or_else(|| "nothing".to_owned()),
            reason,
        })
    }

    /// The text that was chosen, quoted, or a placeholder for a secret; `None` if there is no value.
    pub fn shown(&self, setting: &Setting) -> Option<String> {
        let text = self.0[setting.name].text.as_ref()?;
        Some(if matches!(setting.kind, Kind::Secret) { "(hidden)".to_owned() } else { format!("`{text}`") })
    }

    /// Who gave the value.
    pub fn source(&self, setting: &Setting) -> &Source {
        &self.0[setting.name].source
    }
}

fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(": did you mean `{nearest}`?")).unwrap_or_default()
}

fn toml_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(on) => Some(if *on { "on" } else { "off" }.to_owned()),
        toml::Value::Array(items) => {
            let words: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            words.map(|words| words.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}
