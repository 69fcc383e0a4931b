//! The command line flags, made from the table.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::{Kind, Setting, TABLE, Usage};

/// The flags that were given, as text.
#[derive(Clone, Debug, Default)]
pub struct SettingFlags(BTreeMap<&'static str, String>);

impl SettingFlags {
    /// The settings that have a flag on the command line, with what it says.
    pub fn given(&self) -> impl Iterator<Item = (&'static Setting, &str)> {
        TABLE.iter().filter_map(|setting| self.0.get(setting.name).map(|value| (setting, value.as_str())))
    }

    /// These flags and one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, value.into());
        self
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(TABLE.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &'static Setting| {
            let value = matches.get_one::<String>(setting.name)?;
            Some((setting.name, value.clone()))
        };
        Ok(Self(TABLE.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let default = setting.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let arg = Arg::new(setting.name)
        .long(setting.name.replace('_', "-"))
        .help(format!("{}{default} [{}]", setting.doc(), setting.variable()))
        .hide(setting.usage != Usage::Now)
        .value_name(value_name(&setting.kind));
    match setting.kind {
        // `--insecure-no-auth` alone means on; a value needs `=`, so that nothing after it is swallowed.
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("on"),
        Kind::Choice(words) => arg.value_parser(clap::builder::PossibleValuesParser::new(words)),
        _ => arg,
    }
}

fn value_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Path => "PATH",
        Kind::Text | Kind::Secret | Kind::Choice(_) => "TEXT",
        Kind::List => "LIST",
        Kind::Address => "ADDRESS",
        Kind::Switch => "on|off",
        Kind::Whole { .. } | Kind::WholeOr { .. } => "N",
    }
}
