//! Which values of a line are its time, its message and its source.
//!
//! Of each list the first key that the line has wins, in the order of the list, whatever the order in
//! the line; null, `{}` and `[]` count as absent, objects never match (their values have longer paths).
//! Of several values, of an array or a repeated key, the first is taken. A time that cannot be read is
//! not made up for by a later key: the time of arrival is honest, a guess is not.

use super::{Field, Line, PathTable, time};

/// Keys of the event time. All lists are compared without case.
pub const TIMESTAMP_KEYS: &[&str] =
    &["timestamp", "ts", "time", "@timestamp", "eventTime", "datetime", "@t", "asctime"];
/// Keys of the message. Dots match nested objects and keys that hold a dot.
pub const MESSAGE_KEYS: &[&str] = &["message", "msg", "body", "event", "log.body", "@m", "@mt"];
/// Keys of the source.
pub const SOURCE_KEYS: &[&str] = &["source", "log.source", "_source"];

/// The roles of the paths of one table. Looked up once per path, not per line.
#[derive(Default)]
pub(super) struct Roles {
    /// By path id.
    roles: Vec<Option<Role>>,
}

/// Which values of a line play a part, by their index among its fields.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    timestamp: Option<u32>,
    message: Option<u32>,
    source: Option<u32>,
}

impl Parts {
    /// Sets the mapped members of a line of which these are the parts.
    pub(super) fn assign(self, line: &mut Line<'_>, arrival_ns: i64) {
        let text = |index: u32| &line.fields[index as usize].text;
        line.timestamp = self.timestamp.and_then(|index| time::parse_time(text(index), arrival_ns));
        line.message = self.message;
        line.source = self.source;
    }
}

#[derive(Clone, Copy)]
struct Role {
    list: List,
    /// Position in its list: the lowest wins.
    rank: u8,
}

#[derive(Clone, Copy)]
enum List {
    Timestamp = 0,
    Message = 1,
    Source = 2,
}

impl Roles {
    /// Which of these values of one line play a part.
    pub(super) fn of(&mut self, paths: &PathTable, fields: &[Field<'_>]) -> Parts {
        self.learn(paths);
        let mut best = [None::<(u8, u32)>; 3];
        for (index, field) in fields.iter().enumerate() {
            let Some(role) = self.roles[field.path.0 as usize] else { continue };
            let best = &mut best[role.list as usize];
            if best.is_none_or(|(rank, _)| role.rank < rank) {
                *best = Some((role.rank, index as u32));
            }
        }
        let [timestamp, message, source] = best.map(|found| found.map(|(_, index)| index));
        Parts { timestamp, message, source }
    }

    fn learn(&mut self, paths: &PathTable) {
        for (path, _) in paths.iter().skip(self.roles.len()) {
            self.roles.push(role_of(paths.folded(path)));
        }
    }
}

fn role_of(folded: &str) -> Option<Role> {
    let lists = [(List::Timestamp, TIMESTAMP_KEYS), (List::Message, MESSAGE_KEYS), (List::Source, SOURCE_KEYS)];
    lists.into_iter().find_map(|(list, keys)| {
        let rank = keys.iter().position(|key| key.eq_ignore_ascii_case(folded))?;
        Some(Role { list, rank: rank as u8 })
    })
}

#[cfg(test)]
mod tests {
    use super::super::{LineKind, LineParser};
    use super::*;

    /// 2026-06-14T10:15:00Z.
    const ARRIVAL: i64 = 1_781_432_100_000_000_000;

    /// Time, message, source of a line.
    fn mapped(raw: &str) -> (Option<i64>, Option<String>, Option<String>) {
        let mut parser = LineParser::new();
        let mut line = Line::default();
        // A parser that has seen other lines must map alike.
        let _ = parser.parse(LineKind::Json, br#"{"x":1,"msg":"old","Body":2}"#, ARRIVAL, &mut line);
        parser.parse(LineKind::Json, raw.as_bytes(), ARRIVAL, &mut line).unwrap();
        let text = |index: Option<u32>| index.map(|index| line.fields[index as usize].text.to_string());
        (line.timestamp, text(line.message), text(line.source))
    }

    fn check_message(raw: &str, message: Option<&str>) {
        assert_eq!(mapped(raw).1.as_deref(), message, "{raw}");
    }

    #[test]
    fn the_first_key_in_the_order_of_the_list_wins() {
        check_message(r#"{"@m":"c","msg":"b","message":"a"}"#, Some("a"));
        check_message(r#"{"@m":"c","msg":"b","message":null}"#, Some("b"));
        check_message(r#"{"body":"x","Event":"y"}"#, Some("x"));
        check_message(r#"{"MESSAGE":"A","message":"b"}"#, Some("A"));
        check_message(r#"{"log":{"body":"x"},"@mt":"t"}"#, Some("x"));
        check_message(r#"{"log.body":"x"}"#, Some("x"));
        check_message(r#"{"message":"","msg":"b"}"#, Some(""));
        check_message(r#"{"text":"no"}"#, None);
        assert_eq!(mapped(r#"{"_source":"c","log":{"source":"b"}}"#).2.as_deref(), Some("b"));
    }

    #[test]
    fn objects_are_no_message_and_of_an_array_the_first_value_is() {
        check_message(r#"{"message":{"text":"a"},"msg":"b"}"#, Some("b"));
        check_message(r#"{"message":{},"msg":"b"}"#, Some("b"));
        check_message(r#"{"message":["a","b"],"msg":"c"}"#, Some("a"));
        check_message(r#"{"message":[null,[7]],"msg":"c"}"#, Some("7"));
    }

    #[test]
    fn a_time_that_cannot_be_read_is_not_made_up_for() {
        let second = 1_000_000_000;
        assert_eq!(mapped(r#"{"time":1781432101,"@t":"x"}"#).0, Some(ARRIVAL + second));
        assert_eq!(mapped(r#"{"TS":"2026-06-14T10:15:01Z","time":5}"#).0, Some(ARRIVAL + second));
        assert_eq!(mapped(r#"{"ts":"soon","time":1781432101}"#).0, None);
        assert_eq!(mapped(r#"{"ts":null,"time":1781432101.5}"#).0, Some(ARRIVAL + second * 3 / 2));
        assert_eq!(mapped(r#"{"ts":"0001-01-01T00:00:00Z"}"#).0, None);
        assert_eq!(mapped(r#"{"ts":"9999-12-31T23:59:59Z"}"#).0, None);
        assert_eq!(mapped(r#"{"t":"2026-06-14T10:15:01Z"}"#).0, None);
    }
}
