//! What clients were told, and whether what is found agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use helios::event::EventId;
use helios::event::partition::DAY_NS;

use super::{Answer, Found, Sent};

/// What became of a line, as far as its client knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Acknowledged under this id: found exactly once, until retention removes it.
    Acknowledged(EventId),
    /// Refused: never found.
    Refused,
    /// No answer came: found at most once.
    Unknown,
}

/// A plain list of every line that was ever sent.
#[derive(Default)]
pub struct Model {
    lines: BTreeMap<String, Line>,
    /// Equal ids name equal bytes, in every life.
    ids: BTreeMap<EventId, String>,
    /// Days before this one may be removed.
    first_day_kept: i32,
    /// Machines are put back while they run: two processes number different events alike, and one of them gets others.
    renumbers: bool,
}

struct Line {
    index: &'static str,
    time_ns: i64,
    fate: Fate,
    /// Retention has removed it: it never comes back.
    removed: bool,
}

/// What was acknowledged when a search began: what it must find.
pub struct Expectation {
    acknowledged: Vec<String>,
    removed: BTreeSet<String>,
}

impl Model {
    /// Two processes may number different events alike from now on; one event then gets another id.
    pub(crate) fn ids_may_change(&mut self) {
        self.renumbers = true;
    }

    /// A line goes out: from now on it may turn up.
    pub fn sent(&mut self, batch: &[Sent]) {
        for Sent { index, time_ns, raw } in batch {
            let line = Line { index, time_ns: *time_ns, fate: Fate::Unknown, removed: false };
            assert!(self.lines.insert(raw.clone(), line).is_none(), "no two lines of a run are alike");
        }
    }

    /// The answer came.
    ///
    /// # Errors
    /// If the answer itself is wrong: an id for each line, none twice.
    pub fn answered(&mut self, batch: &[Sent], answer: &Answer) -> Result<(), String> {
        match answer {
            Answer::Unknown => {}
            Answer::Refused => batch.iter().for_each(|sent| self.set_fate(&sent.raw, Fate::Refused)),
            Answer::Acknowledged(ids) if ids.len() == batch.len() => {
                for (sent, id) in batch.iter().zip(ids) {
                    self.set_fate(&sent.raw, id.map_or(Fate::Refused, Fate::Acknowledged));
                    if let Some(id) = id {
                        self.learn_id(*id, &sent.raw)?;
                    }
                }
            }
            Answer::Acknowledged(ids) => return Err(format!("{} ids for {} lines", ids.len(), batch.len())),
        }
        Ok(())
    }

    /// Retention may remove the days before `first_day` from now on.
    pub fn retention_begins(&mut self, first_day: i32) {
        self.first_day_kept = self.first_day_kept.max(first_day);
    }

    /// Retention has removed them, while no client was sending: they never come back. Who sends a line
    /// for such a day later may be refused, or find it until retention comes again.
    pub fn retention_done(&mut self, first_day: i32) {
        for line in self.lines.values_mut() {
            line.removed |= day_of(line.time_ns) < first_day;
        }
    }

    /// What a search that begins now must find.
    pub fn expectation(&self) -> Expectation {
        let those = |which: fn(&Line) -> bool| {
            self.lines.iter().filter(move |(_, line)| which(line)).map(|(raw, _)| raw.clone())
        };
        Expectation {
            acknowledged: those(|line| matches!(line.fate, Fate::Acknowledged(_))).collect(),
            removed: those(|line| line.removed).collect(),
        }
    }

    /// The ids of the lines that were acknowledged.
    pub(crate) fn acknowledged_ids(&self) -> impl Iterator<Item = (&str, EventId)> {
        self.lines.iter().filter_map(|(raw, line)| match line.fate {
            Fate::Acknowledged(id) => Some((raw.as_str(), id)),
            Fate::Refused | Fate::Unknown => None,
        })
    }

    /// Where a line was sent: index and day.
    pub(crate) fn place(&self, raw: &str) -> Option<(&'static str, i32)> {
        self.lines.get(raw).map(|line| (line.index, day_of(line.time_ns)))
    }

    /// The disk that had this line is gone, and nobody else had it: it may be lost.
    pub(crate) fn excuse(&mut self, raw: &str) {
        self.set_fate(raw, Fate::Unknown);
    }

    /// Lines that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.lines.values().filter(|line| matches!(line.fate, Fate::Acknowledged(_))).count()
    }

    /// Judges what a search found that began with `expected`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn judge(&mut self, expected: &Expectation, found: &[Found]) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for event in found {
            let raw = String::from_utf8_lossy(&event.raw).into_owned();
            self.judge_one(expected, event, &raw)?;
            if let Some(before) = seen.insert(raw, event.id) {
                return Err(format!("found twice, as {before} and {}: {event:?}", event.id));
            }
        }
        for raw in &expected.acknowledged {
            let line = &self.lines[raw];
            let kept = day_of(line.time_ns) >= self.first_day_kept;
            if kept && !seen.contains_key(raw) {
                return Err(format!("acknowledged and lost ({:?}): {raw}", line.fate));
            }
        }
        Ok(())
    }

    fn judge_one(&mut self, expected: &Expectation, event: &Found, raw: &str) -> Result<(), String> {
        let Some(line) = self.lines.get(raw) else { return Err(format!("found and never sent: {event:?}")) };
        if event.index != line.index || event.day != day_of(line.time_ns) || event.time_ns != line.time_ns {
            return Err(format!("found in another place or time than sent to ({}): {event:?}", line.index));
        }
        if expected.removed.contains(raw) {
            return Err(format!("removed by retention and back again: {event:?}"));
        }
        match line.fate {
            Fate::Refused => return Err(format!("refused and found: {event:?}")),
            Fate::Acknowledged(id) if id != event.id && !self.renumbers => {
                return Err(format!("acknowledged as {id}: {event:?}"));
            }
            Fate::Acknowledged(_) | Fate::Unknown => {}
        }
        self.learn_id(event.id, raw)
    }

    fn learn_id(&mut self, id: EventId, raw: &str) -> Result<(), String> {
        let known = self.ids.entry(id).or_insert_with(|| raw.to_owned());
        if known == raw || self.renumbers { Ok(()) } else { Err(format!("{id} names two events: {known} and {raw}")) }
    }

    fn set_fate(&mut self, raw: &str, fate: Fate) {
        self.lines.get_mut(raw).expect("answered lines were sent").fate = fate;
    }
}

impl Expectation {
    /// Only these lines must be found.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        self.acknowledged.retain(|raw| wanted(raw));
    }
}

/// The UTC day of a time, since 1970-01-01.
pub(crate) fn day_of(time_ns: i64) -> i32 {
    i32::try_from(time_ns.div_euclid(DAY_NS)).expect("i64 nanoseconds span few days")
}

#[cfg(test)]
mod tests {
    use helios::event::{Origin, Sequence};

    use super::*;

    fn id(sequence: u64) -> EventId {
        EventId { origin: Origin(1), sequence: Sequence(sequence) }
    }

    fn sent(raw: &str) -> Sent {
        Sent { index: "app", time_ns: 0, raw: raw.into() }
    }

    fn found(raw: &str, sequence: u64) -> Found {
        Found { id: id(sequence), index: "app".into(), day: 0, time_ns: 0, raw: raw.into() }
    }

    /// A model with one line of each fate.
    fn model() -> Model {
        let mut model = Model::default();
        for (raw, answer) in [
            ("acknowledged", Answer::Acknowledged(vec![Some(id(1))])),
            ("refused", Answer::Refused),
            ("unknown", Answer::Unknown),
        ] {
            model.sent(&[sent(raw)]);
            model.answered(&[sent(raw)], &answer).unwrap();
        }
        model
    }

    fn check_judgement(found: &[Found], expected: Result<(), &str>) {
        let mut model = model();
        let expectation = model.expectation();
        let judged = model.judge(&expectation, found);
        match (&judged, expected) {
            (Ok(()), Ok(())) => {}
            (Err(judged), Err(expected)) if judged.contains(expected) => {}
            _ => panic!("{judged:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn each_way_to_be_wrong_is_told() {
        let acknowledged = found("acknowledged", 1);
        check_judgement(std::slice::from_ref(&acknowledged), Ok(()));
        check_judgement(&[acknowledged.clone(), found("unknown", 2)], Ok(()));
        check_judgement(&[], Err("acknowledged and lost"));
        check_judgement(&[acknowledged.clone(), acknowledged.clone()], Err("found twice"));
        check_judgement(&[acknowledged.clone(), found("refused", 2)], Err("refused and found"));
        check_judgement(&[acknowledged.clone(), found("made up", 2)], Err("never sent"));
        check_judgement(&[acknowledged.clone(), found("unknown", 1)], Err("names two events"));
        check_judgement(&[found("acknowledged", 3)], Err("acknowledged as"));
        check_judgement(&[Found { index: "web".into(), ..acknowledged.clone() }], Err("another place"));
        check_judgement(&[Found { time_ns: 1, ..acknowledged }], Err("another place or time"));
    }

    #[test]
    fn what_retention_may_remove_may_be_there_or_not_and_never_comes_back() {
        let mut model = model();
        model.retention_begins(1);
        let during = model.expectation();
        model.judge(&during, &[]).unwrap();
        model.judge(&during, &[found("acknowledged", 1)]).unwrap();
        model.retention_done(1);
        let after = model.expectation();
        assert!(model.judge(&after, &[found("acknowledged", 1)]).unwrap_err().contains("back again"));
    }
}
