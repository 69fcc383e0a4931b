//! A request's parameters, read by what its route declares.

use axum::http::StatusCode;

use super::{ApiError, nearest};

/// One parameter in a query string, as a route declares it.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// Whether the request is refused without it.
    pub required: bool,
    /// What it does, for the documentation.
    pub doc: &'static str,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum ParamKind {
    /// Any text.
    Text,
    /// A time: RFC 3339, a number of s, ms, µs or ns since 1970, or relative to now (`-15m`, `-1d@d`).
    Time,
    /// A whole number.
    Whole {
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
        /// What holds without it.
        default: u64,
        /// What to do instead of asking for more than the largest.
        instead: &'static str,
    },
    /// One of these words; the first holds without it.
    Choice(&'static [&'static str]),
    /// Words separated by commas; the parameter may be repeated.
    List,
}

/// The parameters of one request.
#[derive(Clone, Debug)]
pub struct Params {
    declared: &'static [Param],
    given: Vec<(&'static Param, String)>,
    /// What was not understood and left aside.
    pub warnings: Vec<String>,
}

impl Params {
    /// Reads a query string.
    ///
    /// # Errors
    /// 400 if a value is not what its parameter takes, or a needed one is missing.
    pub fn read(declared: &'static [Param], query: &str) -> Result<Self, ApiError> {
        let mut params = Self { declared, given: Vec::new(), warnings: Vec::new() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match declared.iter().find(|param| param.name == name) {
                Some(param) => params.take(param, value.into_owned())?,
                None => params.warnings.push(unknown(&name, declared)),
            }
        }
        if let Some(missing) = declared.iter().find(|param| param.required && params.raw(param.name).is_none()) {
            let message = format!("parameter `{}` is missing: {}", missing.name, missing.doc);
            return Err(ApiError::bad_request("missing_parameter", message));
        }
        Ok(params)
    }

    fn take(&mut self, param: &'static Param, value: String) -> Result<(), ApiError> {
        let repeats = matches!(param.kind, ParamKind::List);
        if !repeats && self.given.iter().any(|(given, _)| given.name == param.name) {
            return Err(bad(param.name, "is given twice"));
        }
        param.check(&value)?;
        self.given.push((param, value));
        Ok(())
    }

    /// A parameter's text, if it was given and is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|text| !text.is_empty())
    }

    /// A parameter's text as given, even if it is empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.raw(name)
    }

    /// A whole number, or its default.
    pub fn whole(&self, name: &str) -> u64 {
        let ParamKind::Whole { default, .. } = self.declaration(name).kind else { panic!("`{name}` is no number") };
        self.text(name).map_or(default, |text| text.parse().expect("it was checked when it was read"))
    }

    /// The chosen word, or the first.
    pub fn choice(&self, name: &str) -> &str {
        let ParamKind::Choice(words) = self.declaration(name).kind else { panic!("`{name}` is no choice") };
        self.text(name).unwrap_or(words[0])
    }

    /// All words of a list.
    pub fn list(&self, name: &str) -> Vec<String> {
        let given = self.given.iter().filter(|(param, _)| param.name == name);
        let words = given.flat_map(|(_, text)| text.split(',')).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn raw(&self, name: &str) -> Option<&str> {
        let declared = self.declaration(name);
        self.given.iter().find(|(param, _)| param.name == declared.name).map(|(_, text)| text.as_str())
    }

    /// A parameter that is read must be declared, else the documentation would not name it.
    fn declaration(&self, name: &str) -> &'static Param {
        self.declared.iter().find(|param| param.name == name).expect("a route declares each parameter that it reads")
    }
}

impl Param {
    fn check(&self, value: &str) -> Result<(), ApiError> {
        if value.is_empty() {
            return Ok(());
        }
        match self.kind {
            ParamKind::Text | ParamKind::List | ParamKind::Time => Ok(()),
            ParamKind::Choice(words) if words.contains(&value) => Ok(()),
            ParamKind::Choice(words) => Err(bad(self.name, &format!("must be one of: {}", words.join(", ")))),
            ParamKind::Whole { least, most, instead, .. } => match value.parse::<u64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(()),
                Ok(number) if number > most && !instead.is_empty() => {
                    Err(bad(self.name, &format!("is at most {most}")).detail("hint", instead))
                }
                _ => Err(bad(self.name, &format!("must be a whole number from {least} to {most}"))),
            },
        }
    }
}

/// 400 about one parameter.
pub fn bad(name: &str, what: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_parameter", format!("parameter `{name}` {what}"))
        .detail("parameter", name)
}

fn unknown(name: &str, declared: &[Param]) -> String {
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    match nearest(name, declared.iter().map(|param| param.name)) {
        Some(nearest) => format!("parameter `{shown}` is unknown and was left aside: did you mean `{nearest}`?"),
        None => format!("parameter `{shown}` is unknown and was left aside"),
    }
}

/// Characters of an unknown name that a warning repeats.
const SHOWN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    static DECLARED: &[Param] = &[
        Param { name: "q", kind: ParamKind::Text, required: false, doc: "" },
        Param { name: "index", kind: ParamKind::List, required: false, doc: "" },
        Param { name: "id", kind: ParamKind::Text, required: true, doc: "which event" },
        Param { name: "format", kind: ParamKind::Choice(&["ndjson", "csv"]), required: false, doc: "" },
        Param {
            name: "limit",
            kind: ParamKind::Whole { least: 0, most: 10, default: 5, instead: "use export" },
            required: false,
            doc: "",
        },
    ];

    fn read(query: &str) -> Result<Params, ApiError> {
        Params::read(DECLARED, query)
    }

    fn message(query: &str) -> String {
        read(query).unwrap_err().to_string()
    }

    #[test]
    fn values_are_decoded_and_defaults_hold_without_them() {
        let params = read("id=1&q=a%20%2B+b&index=x,y&index=z").unwrap();
        assert_eq!(params.text("q"), Some("a + b"));
        assert_eq!(params.list("index"), ["x", "y", "z"]);
        assert_eq!((params.whole("limit"), params.choice("format")), (5, "ndjson"));
        assert_eq!(read("id=1&limit=").unwrap().whole("limit"), 5);
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_would_be_right() {
        assert_eq!(message("id=1&limit=x"), "parameter `limit` must be a whole number from 0 to 10");
        assert_eq!(message("id=1&limit=-1"), "parameter `limit` must be a whole number from 0 to 10");
        assert_eq!(message("id=1&limit=11"), "parameter `limit` is at most 10");
        assert_eq!(read("id=1&limit=11").unwrap_err().body("")["error"]["hint"], "use export");
        assert_eq!(message("id=1&format=xml"), "parameter `format` must be one of: ndjson, csv");
        assert_eq!(message("id=1&id=2"), "parameter `id` is given twice");
        assert_eq!(message("q=1"), "parameter `id` is missing: which event");
    }

    #[test]
    fn an_unknown_parameter_is_a_warning_with_the_nearest_name() {
        let params = read("id=1&limt=3&zz=1").unwrap();
        assert_eq!(
            params.warnings,
            [
                "parameter `limt` is unknown and was left aside: did you mean `limit`?",
                "parameter `zz` is unknown and was left aside"
            ]
        );
    }

    #[test]
    #[should_panic(expected = "declares each parameter")]
    fn reading_an_undeclared_parameter_is_our_bug() {
        read("id=1").unwrap().text("secret");
    }
}
