//! Where in a query the cursor stands, and what may be written there.

/// The place of the cursor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// What may stand here.
    pub(super) wanted: Wanted,
    /// What of it is there already, without an opening quote.
    pub(super) prefix: String,
    /// Character at which it begins.
    pub(super) from: usize,
    /// The cursor.
    pub(super) to: usize,
}

/// What may stand at a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// The name of a stage.
    Stage,
    /// A field, followed by this.
    Fields {
        /// `:` where a value must follow.
        then: &'static str,
    },
    /// An aggregate function, `by`, or a field.
    Aggregates,
    /// A field or a function of `where` and `eval`.
    Scalars,
    /// A value of this field.
    Values {
        /// As typed.
        field: String,
    },
    /// Something that nobody can guess.
    Nothing,
}

impl Place {
    /// Looks at the characters of `query` before the cursor only.
    pub(super) fn find(query: &str, cursor: usize) -> Self {
        let before: Vec<char> = query.chars().take(cursor).collect();
        let to = before.len();
        let cut = Cut::of(&before);
        let word: String = before[cut.word..].iter().collect();
        let segment: String = before[cut.segment..cut.word].iter().collect();
        let is_first_word = segment.trim().is_empty();
        let at = |wanted, prefix: &str| {
            let typed = prefix.chars().count();
            Self { wanted, prefix: prefix.trim_start_matches('"').to_owned(), from: to - typed, to }
        };
        if cut.in_stage {
            let wanted = if is_first_word { Wanted::Stage } else { in_stage(&segment) };
            // `sum(lat`: what is typed begins after the parenthesis.
            let typed = word.rsplit(['(', ',']).next().unwrap_or_default();
            let wanted = if typed.len() < word.len() { Wanted::Fields { then: "" } } else { wanted };
            return at(wanted, typed);
        }
        let word = word.trim_start_matches(['(', '-']);
        match word.split_once(':') {
            Some((_, value)) if value.starts_with(['>', '<', '=', '!', '/', '[']) => at(Wanted::Nothing, ""),
            Some((field, value)) => {
                let value = value.trim_start_matches('(');
                at(Wanted::Values { field: field.to_owned() }, value)
            }
            None if word.starts_with(['"', '/']) => at(Wanted::Nothing, ""),
            None => at(Wanted::Fields { then: ":" }, word),
        }
    }
}

fn in_stage(segment: &str) -> Wanted {
    let mut words = segment.split_whitespace();
    let stage = words.next().unwrap_or_default().to_ascii_lowercase();
    let last = words.next_back().unwrap_or_default();
    match stage.as_str() {
        _ if last.eq_ignore_ascii_case("by") => Wanted::Fields { then: "" },
        "stats" | "timechart" => Wanted::Aggregates,
        "where" | "eval" => Wanted::Scalars,
        _ => Wanted::Fields { then: "" },
    }
}

/// Where the last word and the last segment between pipes begin.
struct Cut {
    word: usize,
    segment: usize,
    in_stage: bool,
}

impl Cut {
    fn of(text: &[char]) -> Self {
        let mut cut = Self { word: 0, segment: 0, in_stage: false };
        let mut quoted = false;
        let mut escaped = false;
        for (at, &c) in text.iter().enumerate() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '|' if !quoted => cut = Self { word: at + 1, segment: at + 1, in_stage: true },
                c if !quoted && c.is_whitespace() => cut.word = at + 1,
                _ => {}
            }
        }
        cut
    }
}

/// A value as it must be written in a query.
pub(super) fn quoted(value: &str) -> String {
    let plain = !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@'));
    let word = matches!(value, "AND" | "OR" | "NOT" | "TO") || value.starts_with('-');
    if plain && !word { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `^` marks the cursor.
    fn check(text: &str, wanted: Wanted, prefix: &str) {
        let cursor = text.chars().position(|c| c == '^').unwrap();
        let place = Place::find(&text.replace('^', ""), cursor);
        assert_eq!((&place.wanted, place.prefix.as_str(), place.to), (&wanted, prefix, cursor), "{text}");
    }

    fn values(field: &str) -> Wanted {
        Wanted::Values { field: field.to_owned() }
    }

    #[test]
    fn an_expression_takes_fields_and_their_values() {
        let fields = Wanted::Fields { then: ":" };
        check("^", fields.clone(), "");
        check("ser^vice", fields.clone(), "ser");
        check("level:error (ser^", fields.clone(), "ser");
        check("-lev^", fields, "lev");
        check("level:^", values("level"), "");
        check("level:er^ror", values("level"), "er");
        check("a b path:\"/api c^", values("path"), "/api c");
        check("status:(500 5^", Wanted::Fields { then: ":" }, "5");
        check("latency_ms:>1^", Wanted::Nothing, "");
        check("\"some wo^", Wanted::Nothing, "");
    }

    #[test]
    fn a_stage_takes_its_name_then_what_it_works_on() {
        check("* | ^", Wanted::Stage, "");
        check("*|st^", Wanted::Stage, "st");
        check("\"a | b\" | to^", Wanted::Stage, "to");
        check("* | stats co^", Wanted::Aggregates, "co");
        check("* | stats sum(lat^", Wanted::Fields { then: "" }, "lat");
        check("* | stats count by ser^", Wanted::Fields { then: "" }, "ser");
        check("* | top 5 pa^", Wanted::Fields { then: "" }, "pa");
        check("* | where lev^", Wanted::Scalars, "lev");
    }

    #[test]
    fn positions_count_characters() {
        let place = Place::find("größe:übe", 9);
        assert_eq!((place.from, place.to, place.prefix.as_str()), (6, 9, "übe"));
        assert_eq!(Place::find("a:\"b", 99).from, 2);
    }

    #[test]
    fn a_value_is_quoted_where_it_must_be() {
        assert_eq!(quoted("node-07"), "node-07");
        assert_eq!(quoted("/api/"), "\"/api/\"");
        assert_eq!(quoted("a \"b\""), "\"a \\\"b\\\"\"");
        assert_eq!(quoted("NOT"), "\"NOT\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
