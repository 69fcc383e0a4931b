//! Where the events of a request go: environment, index, source.

use std::fmt;

use crate::event::{Line, LineParser};

/// Environment and index of a request that names none.
pub const DEFAULT_NAME: &str = "default";
/// Longest name of an index, in bytes. What a template makes is cut there.
pub const INDEX_NAME_BYTES_MAX: usize = 128;
/// Longest source that a request may give, in bytes.
pub const SOURCE_BYTES_MAX: usize = 1024;
/// What a template takes for a field that the event does not have.
pub const MISSING_FIELD: &str = "unknown";
/// Header that names the environment.
pub const ENV_HEADER: &str = "X-Helios-Env";
/// Header that names the index.
pub const INDEX_HEADER: &str = "X-Helios-Index";

/// Where the events of a request go.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The environment, which exists.
    pub env: String,
    /// The index, or how each event's is made.
    pub index: IndexTemplate,
    /// The source of events that name none.
    pub source: Option<String>,
}

/// What a request says of its target. The query wins over the headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Query parameter `env`.
    pub env: Option<&'a str>,
    /// Query parameter `index`.
    pub index: Option<&'a str>,
    /// Query parameter `source`.
    pub source: Option<&'a str>,
    /// Header [`ENV_HEADER`].
    pub env_header: Option<&'a str>,
    /// Header [`INDEX_HEADER`].
    pub index_header: Option<&'a str>,
}

/// Why a request has no target.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// There is no such environment; ingest makes none.
    #[error("there is no environment `{0}`")]
    UnknownEnv(String),
    /// The index cannot be named so.
    #[error("`{name}` cannot be an index: {what}")]
    Index {
        /// The name as asked for, shortened.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The source is too long.
    #[error("a source has at most {SOURCE_BYTES_MAX} bytes")]
    Source,
}

impl Target {
    /// The target of a request.
    ///
    /// # Errors
    /// If the environment is not known, or the index or the source cannot be named so: 400.
    pub fn of(asked: Asked<'_>, is_env: impl Fn(&str) -> bool) -> Result<Self, TargetError> {
        let env = asked.env.or(asked.env_header).unwrap_or(DEFAULT_NAME);
        if !is_env(env) {
            return Err(TargetError::UnknownEnv(shortened(env)));
        }
        let index = asked.index.or(asked.index_header).unwrap_or(DEFAULT_NAME);
        let source = asked.source.filter(|source| !source.is_empty());
        if source.is_some_and(|source| source.len() > SOURCE_BYTES_MAX) {
            return Err(TargetError::Source);
        }
        Ok(Self { env: env.to_owned(), index: IndexTemplate::parse(index)?, source: source.map(str::to_owned) })
    }
}

/// An index, or a template like `app-{{service}}` whose fields each event fills in.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// Text, as it will stand in the name.
    Text(String),
    /// The first value of a field.
    Field(String),
}

impl IndexTemplate {
    /// Reads a name or a template.
    ///
    /// # Errors
    /// If braces are not in pairs, or the name can be none whatever the fields hold.
    pub fn parse(template: &str) -> Result<Self, TargetError> {
        let wrong = |what| TargetError::Index { name: shortened(template), what };
        if template.len() > TEMPLATE_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once("{{") {
            let (field, after) = after.split_once("}}").ok_or_else(|| wrong("`{{` has no `}}`"))?;
            let field = field.trim();
            if field.is_empty() || field.contains(['{', '}']) {
                return Err(wrong("`{{ }}` must hold the name of a field"));
            }
            parts.extend([Part::Text(clean(text)), Part::Field(field.to_owned())]);
            rest = after;
        }
        if rest.contains("}}") {
            return Err(wrong("`}}` has no `{{`"));
        }
        parts.push(Part::Text(clean(rest)));
        parts.retain(|part| *part != Part::Text(String::new()));
        let template_of_fields = Self { parts };
        match template_of_fields.parts.first() {
            None => Err(wrong("it is empty")),
            Some(Part::Text(text)) if template_of_fields.parts.len() == 1 && text.len() > INDEX_NAME_BYTES_MAX => {
                Err(wrong("it is longer than 128 bytes"))
            }
            Some(Part::Text(text)) => check_name(text).map_err(wrong).map(|()| template_of_fields),
            Some(Part::Field(_)) => Ok(template_of_fields),
        }
    }

    /// The index of all events, if no field decides it.
    pub fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(name)] => Some(name),
            _ => None,
        }
    }

    /// Writes the index of one event to `name`. `source` is what the request gives to events without.
    ///
    /// # Errors
    /// If the event's values make a name that no index can have.
    pub fn fill(
        &self,
        parser: &LineParser,
        line: &Line<'_>,
        source: Option<&str>,
        name: &mut String,
    ) -> Result<(), &'static str> {
        name.clear();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Field(field) => push_clean(value_of(parser, line, source, field), name),
            }
        }
        name.truncate(INDEX_NAME_BYTES_MAX);
        check_name(name)
    }
}

/// Shows the template with its text as it will stand in names.
impl fmt::Display for IndexTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Field(field) => write!(f, "{{{{{field}}}}}"),
        })
    }
}

/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 1024;

/// The first value of a field; the virtual `source` is the one that the event will be found under.
fn value_of<'l>(parser: &LineParser, line: &'l Line<'_>, given_source: Option<&'l str>, field: &str) -> &'l str {
    let text = |index: u32| &*line.fields[index as usize].text;
    if field.eq_ignore_ascii_case("source") {
        return line.source.map(text).or(given_source).unwrap_or(MISSING_FIELD);
    }
    let path = parser.paths().get(field);
    let first = path.and_then(|path| line.fields.iter().find(|field| field.path == path));
    first.map_or(MISSING_FIELD, |field| &field.text)
}

fn clean(text: &str) -> String {
    let mut name = String::new();
    push_clean(text, &mut name);
    name
}

/// Adds `text` in lower case, `-` for each character that no name has. Stops where a name is full.
fn push_clean(text: &str, name: &mut String) {
    for c in text.chars().flat_map(char::to_lowercase) {
        if name.len() > INDEX_NAME_BYTES_MAX {
            return;
        }
        let allowed = c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        name.push(if allowed { c } else { '-' });
    }
}

/// Names become folders: none may climb, hide, or take a reserved place.
fn check_name(name: &str) -> Result<(), &'static str> {
    match name.as_bytes().first() {
        None => Err("it is empty"),
        Some(b'.') => Err("a name must not begin with `.`"),
        Some(b'_') => Err("names that begin with `_` are reserved"),
        Some(_) => Ok(()),
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(INDEX_NAME_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LineKind;

    fn filled(template: &str, raw: &str) -> Result<String, &'static str> {
        let mut parser = LineParser::new();
        let mut line = Line::default();
        parser.parse(LineKind::Json, raw.as_bytes(), 0, &mut line).unwrap();
        let mut name = "left over".to_owned();
        IndexTemplate::parse(template).unwrap().fill(&parser, &line, Some("given"), &mut name).map(|()| name)
    }

    #[test]
    fn the_query_wins_over_headers_and_default_over_nothing() {
        let known = |env: &str| env == "default" || env == "prod";
        let target = |asked| Target::of(asked, known);
        let none = target(Asked::default()).unwrap();
        assert_eq!((none.env.as_str(), none.index.fixed(), none.source), ("default", Some("default"), None));
        let headers = Asked { env_header: Some("prod"), index_header: Some("Web"), ..Asked::default() };
        let by_header = target(headers).unwrap();
        assert_eq!((by_header.env.as_str(), by_header.index.fixed()), ("prod", Some("web")));
        let both = Asked { env: Some("default"), index: Some("app"), source: Some("s"), ..headers };
        let by_query = target(both).unwrap();
        assert_eq!((by_query.env.as_str(), by_query.index.fixed()), ("default", Some("app")));
        assert_eq!(by_query.source.as_deref(), Some("s"));
        let unknown = target(Asked { env: Some("../x"), ..Asked::default() });
        assert_eq!(unknown, Err(TargetError::UnknownEnv("../x".into())));
        let long = "s".repeat(SOURCE_BYTES_MAX + 1);
        assert_eq!(target(Asked { source: Some(&long), ..Asked::default() }), Err(TargetError::Source));
    }

    #[test]
    fn names_are_cleaned_and_those_that_climb_hide_or_are_reserved_refused() {
        for (asked, name) in [
            ("app", Some("app")),
            ("App Web/ÜX", Some("app-web--x")),
            ("a/../b", Some("a-..-b")),
            ("%2e%2e", Some("-2e-2e")),
            ("a..b_c-d", Some("a..b_c-d")),
            ("-x", Some("-x")),
            ("", None),
            (".", None),
            ("..", None),
            ("../x", None),
            (".hidden", None),
            ("_system", None),
            ("a\0b\nc", Some("a-b-c")),
            ("{{", None),
            ("a}}", None),
            ("a{{}}", None),
            ("a{{ {{b}} }}", None),
        ] {
            let parsed = IndexTemplate::parse(asked);
            assert_eq!(parsed.as_ref().ok().and_then(IndexTemplate::fixed), name, "{asked:?}");
        }
        assert!(IndexTemplate::parse(&"x".repeat(128)).is_ok());
        assert!(IndexTemplate::parse(&"x".repeat(129)).is_err());
        assert!(IndexTemplate::parse(&"{{x}}".repeat(500)).is_err());
    }

    #[test]
    fn a_template_takes_the_first_value_of_its_fields() {
        for (template, raw, name) in [
            ("app-{{service}}", r#"{"service":"Web/API"}"#, Ok("app-web-api")),
            ("app-{{ Service }}", r#"{"SERVICE":["a","b"]}"#, Ok("app-a")),
            ("app-{{service}}", r#"{"service":null}"#, Ok("app-unknown")),
            ("app-{{service}}", r#"{"service":{"name":"x"}}"#, Ok("app-unknown")),
            ("{{k8s.ns}}.{{level}}", r#"{"k8s":{"ns":"Prod"},"level":7}"#, Ok("prod.7")),
            ("{{source}}-x", r#"{"_source":"S1"}"#, Ok("s1-x")),
            ("{{source}}-x", r#"{}"#, Ok("given-x")),
            ("{{a}}", r#"{"a":""}"#, Err("it is empty")),
            ("{{a}}", r#"{"a":"../../etc"}"#, Err("a name must not begin with `.`")),
            ("{{a}}", r#"{"a":"_system"}"#, Err("names that begin with `_` are reserved")),
        ] {
            assert_eq!(filled(template, raw), name.map(str::to_owned), "{template} {raw}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(1_000_000));
        assert_eq!(filled("x{{a}}y", &long).unwrap().len(), INDEX_NAME_BYTES_MAX);
        assert_eq!(IndexTemplate::parse("App-{{Service}}").unwrap().to_string(), "app-{{Service}}");
    }
}
