//! `docs/settings.md`, made from the table.

use std::fmt::Write as _;

use super::{Setting, TABLE, Usage};

/// The page that documents every setting. A test compares it with the file.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    section(&mut page, |setting| setting.usage == Usage::Now);
    page.push_str(LATER);
    section(&mut page, |setting| setting.usage != Usage::Now);
    page
}

fn section(page: &mut String, wanted: impl Fn(&Setting) -> bool) {
    page.push_str("| flag, variable, key | default | takes | what it does |\n|---|---|---|---|\n");
    for setting in TABLE.iter().filter(|setting| wanted(setting)) {
        let default = setting.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`"));
        let not_yet = match setting.usage {
            Usage::Now => String::new(),
            Usage::Later(reason) => format!(" *Not used by this version: {reason}.*"),
        };
        writeln!(
            page,
            "| `{}` `{}` `{}` | {default} | {} | {}{not_yet} |",
            setting.flag(),
            setting.variable(),
            setting.name,
            setting.kind.describe(),
            setting.doc(),
        )
        .expect("writing to a string cannot fail");
    }
}

const HEAD: &str = "\
# Settings

Every setting of `helios serve` can be given as a flag, as an environment variable, or as a key in a TOML file named
by `--config` (or `HELIOS_CONFIG`). A flag wins over a variable, a variable over the file, the file over the default.
A value that is not valid stops the start with a message that names its source. An unknown key in the file stops the
start; an unknown variable that begins with `HELIOS_` is a warning. All are read once, at the start.
`helios settings` shows the value of each and where it came from. A MiB is 2^20 bytes.

The table below is made from the one in the code by `helios settings --markdown`.

";

const LATER: &str = "
## Known, but not used by this version

Giving one of these is a warning that says so.

";
