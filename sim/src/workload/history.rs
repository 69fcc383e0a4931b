//! Every line that was ever sent, and what its client was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What became of a line, as far as its client knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Found exactly once, from the answer on.
    Acknowledged,
    /// Never found.
    Refused,
    /// No answer came: found at most once.
    Unknown,
}

/// Whose lines a server must show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Home {
    /// Those that were sent to it, and no others: servers that share nothing.
    Own,
    /// Those that were sent to it at once; those of others may be there already: servers that share a store.
    OwnFirst,
    /// All of them: servers that share a store, after they had time.
    Everyones,
}

/// One line as it was sent.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The index of all.
    pub index: String,
    /// The server that they were sent to.
    pub node: String,
    /// Their bytes; no two lines of a run are alike.
    pub raws: Vec<String>,
}

/// An event as a server shows it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its index.
    pub index: String,
    /// Its bytes.
    pub raw: String,
}

/// What is wrong with what a server shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// Something is missing that must be there by now. Servers that share a store may still be on their way to it.
    Missing(String),
    /// Something is there that must never be.
    Never(String),
}

impl Wrong {
    /// What it is.
    pub fn text(self) -> String {
        match self {
            Self::Missing(text) | Self::Never(text) => text,
        }
    }
}

/// What was acknowledged when a look began: what it must show.
pub struct Expectation {
    raws: Vec<String>,
    home: Home,
    node: String,
}

/// The history of a run. Clones are the same one.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: BTreeMap<String, Line>,
    /// Equal ids name equal bytes, on every server and in every life.
    ids: BTreeMap<String, String>,
    checks: BTreeMap<&'static str, u64>,
    violations: Vec<String>,
}

struct Line {
    index: String,
    node: String,
    fate: Fate,
}

impl History {
    /// Lines go out: from now on they may turn up.
    ///
    /// # Panics
    /// If one was sent before.
    pub fn sent(&self, lines: &Lines) {
        let mut state = self.lock();
        for raw in &lines.raws {
            let line = Line { index: lines.index.clone(), node: lines.node.clone(), fate: Fate::Unknown };
            assert!(state.lines.insert(raw.clone(), line).is_none(), "no two lines of a run are alike");
        }
    }

    /// The answer for a line came.
    ///
    /// # Panics
    /// If it was never sent.
    pub fn answered(&self, raw: &str, fate: Fate) {
        self.lock().lines.get_mut(raw).expect("answered lines were sent").fate = fate;
    }

    /// What a look at `node` that begins now must show.
    pub fn expectation(&self, node: &str, home: Home) -> Expectation {
        let state = self.lock();
        let due = |line: &Line| line.fate == Fate::Acknowledged && (home == Home::Everyones || line.node == node);
        let raws = state.lines.iter().filter(|(_, line)| due(line)).map(|(raw, _)| raw.clone()).collect();
        Expectation { raws, home, node: node.to_owned() }
    }

    /// Judges everything that a server shows, from a look that began with `expected`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn judge(&self, expected: &Expectation, found: &[Found]) -> Result<(), Wrong> {
        let mut state = self.lock();
        let mut seen = BTreeMap::new();
        for event in found {
            state.judge_one(expected, event).map_err(Wrong::Never)?;
            if let Some(before) = seen.insert(event.raw.as_str(), &event.id) {
                let (node, Found { id, raw, .. }) = (&expected.node, event);
                return Err(Wrong::Never(format!("{node}: found twice, as {before} and {id}: {raw}")));
            }
        }
        for raw in &expected.raws {
            if !seen.contains_key(raw.as_str()) {
                let (at, sent_to) = (&expected.node, &state.lines[raw].node);
                return Err(Wrong::Missing(format!("{at}: acknowledged by {sent_to} and lost: {raw}")));
            }
        }
        *state.checks.entry("a server shows all that was acknowledged, once").or_default() += 1;
        *state.checks.entry("an event was sent, and not refused; bytes and id are its own").or_default() +=
            found.len() as u64;
        Ok(())
    }

    /// Judges a search for one line that was just acknowledged by the server that was asked.
    ///
    /// # Errors
    /// If it does not show that line exactly once.
    pub fn judge_hit(&self, node: &str, raw: &str, hits: &[Found]) -> Result<(), String> {
        let mut state = self.lock();
        let times = hits.iter().filter(|hit| hit.raw == raw).count();
        *state.checks.entry("what was just acknowledged is found at once").or_default() += 1;
        if times == 1 { Ok(()) } else { Err(format!("{node}: just acknowledged and found {times} times: {raw}")) }
    }

    /// Something is wrong. The run ends.
    pub fn violated(&self, what: String) {
        self.lock().violations.push(what);
    }

    /// What is wrong.
    pub fn violation(&self) -> Option<String> {
        self.lock().violations.first().cloned()
    }

    /// How often each thing was checked.
    pub fn checks(&self) -> BTreeMap<&'static str, u64> {
        self.lock().checks.clone()
    }

    /// Lines with each fate: acknowledged, refused, unknown.
    pub fn fates(&self) -> [u64; 3] {
        let state = self.lock();
        let count = |fate| state.lines.values().filter(|line| line.fate == fate).count() as u64;
        [Fate::Acknowledged, Fate::Refused, Fate::Unknown].map(count)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under the history's lock")
    }
}

impl State {
    fn judge_one(&mut self, expected: &Expectation, event: &Found) -> Result<(), String> {
        let node = &expected.node;
        let Some(line) = self.lines.get(&event.raw) else {
            return Err(format!("{node}: found and never sent: {event:?}"));
        };
        if line.fate == Fate::Refused {
            return Err(format!("{node}: refused and found: {event:?}"));
        }
        if line.index != event.index {
            return Err(format!("{node}: found in another index than {}: {event:?}", line.index));
        }
        if expected.home == Home::Own && line.node != *node {
            return Err(format!("{node}: sent to {} and found here: {event:?}", line.node));
        }
        let known = self.ids.entry(event.id.clone()).or_insert_with(|| event.raw.clone());
        if *known == event.raw {
            Ok(())
        } else {
            Err(format!("{node}: {} names two events: {known} and {}", event.id, event.raw))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(raw: &str, id: &str) -> Found {
        Found { id: id.into(), index: "app".into(), raw: raw.into() }
    }

    /// A line of each fate on `n1`, and an acknowledged one on `n2`.
    fn history() -> History {
        let history = History::default();
        let sent = |node: &str, raw: &str, fate| {
            history.sent(&Lines { index: "app".into(), node: node.into(), raws: vec![raw.into()] });
            history.answered(raw, fate);
        };
        sent("n1", "acknowledged", Fate::Acknowledged);
        sent("n1", "refused", Fate::Refused);
        sent("n1", "unknown", Fate::Unknown);
        sent("n2", "other", Fate::Acknowledged);
        history
    }

    fn check(home: Home, found: &[Found], expected: Result<(), &str>) {
        let history = history();
        let judged = history.judge(&history.expectation("n1", home), found);
        match (&judged, expected) {
            (Ok(()), Ok(())) => {}
            (Err(judged), Err(expected)) if judged.clone().text().contains(expected) => {}
            _ => panic!("{judged:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn each_way_to_be_wrong_is_told() {
        let (acknowledged, other) = (found("acknowledged", "1"), found("other", "9"));
        check(Home::Own, std::slice::from_ref(&acknowledged), Ok(()));
        check(Home::Own, &[acknowledged.clone(), found("unknown", "2")], Ok(()));
        check(Home::Own, &[], Err("lost"));
        check(Home::Own, &[acknowledged.clone(), acknowledged.clone()], Err("found twice"));
        check(Home::Own, &[acknowledged.clone(), found("refused", "2")], Err("refused and found"));
        check(Home::Own, &[acknowledged.clone(), found("made up", "2")], Err("never sent"));
        check(Home::Own, &[acknowledged.clone(), found("unknown", "1")], Err("names two events"));
        check(Home::Own, &[acknowledged.clone(), other.clone()], Err("found here"));
        check(Home::Own, &[Found { index: "web".into(), ..acknowledged.clone() }], Err("another index"));
        check(Home::OwnFirst, std::slice::from_ref(&acknowledged), Ok(()));
        check(Home::OwnFirst, &[acknowledged.clone(), other.clone()], Ok(()));
        check(Home::Everyones, std::slice::from_ref(&acknowledged), Err("acknowledged by n2 and lost"));
        check(Home::Everyones, &[acknowledged, other], Ok(()));
    }

    #[test]
    fn what_was_just_acknowledged_is_found_exactly_once() {
        let (history, hit) = (history(), found("acknowledged", "1"));
        assert!(history.judge_hit("n1", "acknowledged", &[hit.clone(), found("unknown", "2")]).is_ok());
        assert!(history.judge_hit("n1", "acknowledged", &[]).is_err());
        assert!(history.judge_hit("n1", "acknowledged", &[hit.clone(), hit]).is_err());
    }
}
