//! Writes the lines of a set, batch by batch, and never holds more than one batch of them.

use super::calendar::{Calendar, DAY_MS};
use super::dice::Dice;
use super::shop::{CHECKOUT, DEBUG, ERROR, INFO, LEVELS, PAYMENTS, Route, SERVICES, Shop, WARN};
use super::story::{SCENES, STORY_MS, Scene, Story};
use super::tally::{Answers, Facts, NEEDLE, PHRASE, Tally};
use super::text::{decimal, hex, number, padded};

/// A set of made-up events in the order in which they would have been logged: nearly by time. The same
/// seed, size and span give the same bytes.
pub(crate) struct Set {
    seed: u64,
    story: Story,
    shop: Shop,
    dice: Dice,
    calendar: Calendar,
    tally: Tally,
    pace: Pace,
    target_bytes: u64,
    written_bytes: u64,
    /// Bytes written at which the next needle is dropped and the next trace noted, ascending.
    needles: Vec<u64>,
    traces: Vec<u64>,
    scenes: usize,
    facts: Facts,
}

impl Set {
    /// A set of at least `bytes` over the three UTC days up to and with the day `end_day` since 1970. Its
    /// story happens in the afternoon of the second day.
    pub(crate) fn of_days(bytes: u64, seed: u64, end_day: i64) -> Self {
        let start_ms = (end_day + 1 - SET_DAYS) * DAY_MS;
        Self::new(
            bytes,
            seed,
            Story { start_ms, end_ms: start_ms + SET_DAYS * DAY_MS, release_ms: start_ms + SET_RELEASE_MS },
        )
    }

    /// A set of at least `bytes` over the hours before `now_ms`, whose story has just ended.
    pub(crate) fn until(bytes: u64, seed: u64, now_ms: i64) -> Self {
        let story =
            Story { start_ms: now_ms - RECENT_MS, end_ms: now_ms, release_ms: now_ms - STORY_MS - AFTER_STORY_MS };
        Self::new(bytes, seed, story)
    }

    fn new(target_bytes: u64, seed: u64, story: Story) -> Self {
        let mut dice = Dice::new(seed);
        let shop = Shop::new();
        let mut needles: Vec<u64> = (0..NEEDLES).map(|_| dice.below(target_bytes.max(1) * 9 / 10)).collect();
        needles.sort_unstable();
        Self {
            seed,
            tally: Tally::new(&story, shop.paths.len(), USERS),
            pace: Pace::new(&story),
            story,
            shop,
            dice,
            calendar: Calendar::new(),
            target_bytes,
            written_bytes: 0,
            needles,
            traces: (0..TRACES).map(|n| target_bytes / TRACES * n).collect(),
            scenes: 0,
            facts: Facts::default(),
        }
    }

    /// Appends whole lines to `out`, at least `bytes` of them while there are that many. False when the set
    /// is complete and nothing was appended.
    pub(crate) fn next_batch(&mut self, out: &mut Vec<u8>, bytes: usize) -> bool {
        let begin = out.len();
        while out.len() - begin < bytes && self.written_bytes < self.target_bytes {
            let line = out.len();
            self.step(out);
            self.written_bytes += (out.len() - line) as u64;
        }
        out.len() > begin
    }

    /// Lines written so far.
    pub(crate) fn lines(&self) -> u64 {
        self.tally.lines()
    }

    /// The exact answers over all that was written.
    pub(crate) fn answers(&self) -> Answers {
        self.tally.answers(&self.story, self.seed, &self.shop.paths)
    }

    /// What happens next: a scene that is due, a request, or a machine's own line.
    fn step(&mut self, out: &mut Vec<u8>) {
        let now = self.pace.at(self.written_bytes, self.target_bytes);
        if let Some(scene) = SCENES.get(self.scenes).filter(|scene| self.story.release_ms + scene.at_ms <= now) {
            self.scenes += 1;
            self.scene(out, scene);
        } else if self.dice.percent(MACHINE_PERCENT) {
            self.machine(out, now);
        } else {
            self.request(out, now);
        }
    }

    fn scene(&mut self, out: &mut Vec<u8>, scene: &Scene) {
        let service = SERVICES.iter().position(|name| *name == scene.service).expect("a scene names a service");
        let level = LEVELS.iter().position(|name| *name == scene.level).expect("a scene names a level");
        let begin = self.begin(out, b"{\"ts\":\"", self.story.release_ms + scene.at_ms);
        let version = if service == CHECKOUT { self.story.checkout_version(self.facts.unix_ms) } else { TOOLS_VERSION };
        self.head(out, level, service, version);
        out.extend_from_slice(scene.message.as_bytes());
        self.end(out, begin, b"\"}\n");
    }

    fn machine(&mut self, out: &mut Vec<u8>, now: i64) {
        let time = self.jitter(now);
        let begin = self.begin(out, b"{\"timestamp\":\"", time);
        let machine = &self.shop.machines[self.dice.below(self.shop.machines.len() as u64) as usize];
        out.extend_from_slice(b"\",\"source\":\"");
        out.extend_from_slice(machine.source.as_bytes());
        out.extend_from_slice(b"\",\"host\":\"node-");
        padded(out, self.dice.below(24), 2);
        out.extend_from_slice(b"\",\"message\":\"");
        let says = &machine.says[self.dice.skewed(machine.says.len() as u64) as usize];
        self.facts.slow = says.fill(&mut self.dice, out);
        self.plant(out);
        self.end(out, begin, b"\"}\n");
    }

    /// Every service that takes part writes a line; all share a trace.
    fn request(&mut self, out: &mut Vec<u8>, now: i64) {
        let pick = self.dice.below(self.shop.weights());
        let &Route { method, hops, first_path, paths, .. } = self.shop.route(pick);
        let path = first_path + self.dice.skewed(paths as u64) as usize;
        let trace = (self.dice.roll(), self.dice.roll());
        let user = (!self.dice.percent(20)).then(|| self.dice.skewed(USERS as u64) as usize);
        let mut time = self.jitter(now);
        let strain = if hops.contains(&CHECKOUT) { self.story.strain(time) } else { 0 };
        let status = self.status(method, strain);
        if self.traces.first().is_some_and(|at| *at <= self.written_bytes) {
            self.traces.remove(0);
            let mut id = Vec::new();
            write_trace(&mut id, trace);
            self.tally.note_trace(String::from_utf8(id).expect("hexadecimal digits"), hops.len());
        }
        for (place, service) in hops.iter().copied().enumerate() {
            // Trouble shows in the last two of a chain, and in payments; what ended before them ended well.
            let troubled = place + 2 >= hops.len() || service == PAYMENTS;
            let strained = if troubled { strain } else { 0 };
            let own = if troubled || status < 500 { status } else { 200 };
            let latency = self.latency(service, strained);
            let begin = self.begin(out, b"{\"ts\":\"", time);
            self.facts.status = own;
            self.facts.latency = latency;
            self.facts.path = Some(path);
            self.facts.user = user;
            self.says(out, service, own, strained);
            out.extend_from_slice(b"\",\"trace_id\":\"");
            write_trace(out, trace);
            write_user(out, user);
            self.http(out, method, path, own);
            write_tail(out, latency, own, self.shop.voices[service].kind, &mut self.dice);
            self.end(out, begin, b"}\n");
            time = (time + 1 + latency as i64 / 40).min(self.story.end_ms - 1);
        }
    }

    /// Level, names and message of one service's line.
    fn says(&mut self, out: &mut Vec<u8>, service: usize, status: u64, strain: u64) {
        let slow = self.dice.below(130) < strain;
        let level = match status {
            500.. => ERROR,
            _ if slow || status >= 400 => WARN,
            _ if self.dice.percent(7) => DEBUG,
            _ => INFO,
        };
        let version =
            if service == CHECKOUT { self.story.checkout_version(self.facts.unix_ms) } else { SERVICES_VERSION };
        self.head(out, level, service, version);
        let voice = &self.shop.voices[service];
        let templates = match status {
            500.. => &voice.failed,
            _ if slow => &voice.slow,
            _ => &voice.done,
        };
        let template = &templates[self.dice.skewed(templates.len() as u64) as usize];
        self.facts.slow = template.fill(&mut self.dice, out);
        self.plant(out);
    }

    fn head(&mut self, out: &mut Vec<u8>, level: usize, service: usize, version: &str) {
        self.facts.level = Some(level);
        self.facts.service = Some(service);
        for text in
            ["\",\"level\":\"", LEVELS[level], "\",\"service\":\"", SERVICES[service], "\",\"version\":\"", version]
        {
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(b"\",\"host\":\"");
        out.extend_from_slice(SERVICES[service].as_bytes());
        out.push(b'-');
        number(out, self.dice.below(6));
        out.extend_from_slice(b"\",\"msg\":\"");
    }

    fn http(&mut self, out: &mut Vec<u8>, method: &str, path: usize, status: u64) {
        for text in [",\"http\":{\"method\":\"", method, "\",\"path\":\"", &self.shop.paths[path], "\",\"status\":"] {
            out.extend_from_slice(text.as_bytes());
        }
        number(out, status);
        out.push(b'}');
    }

    fn status(&mut self, method: &str, strain: u64) -> u64 {
        let draw = self.dice.below(1_000);
        match draw {
            _ if draw < strain * 4 => 503,
            990..993 => 500,
            993..997 => 404,
            997.. => 409,
            _ if method == "POST" => 201,
            _ => 200,
        }
    }

    fn latency(&mut self, service: usize, strain: u64) -> u64 {
        let voice = &self.shop.voices[service];
        let calm = voice.base + self.dice.skewed(voice.spread);
        calm * (10 + strain * 4 / 5) / 10
    }

    /// One line in a hundred is late: it was buffered somewhere.
    fn jitter(&mut self, now: i64) -> i64 {
        let late = if self.dice.percent(1) { self.dice.skewed(LATE_MS_MAX) as i64 } else { 0 };
        (now - late + self.dice.below(40) as i64).clamp(self.story.start_ms, self.story.end_ms - 1)
    }

    /// Now and then a line carries what the answers ask for.
    fn plant(&mut self, out: &mut Vec<u8>) {
        if self.needles.first().is_some_and(|at| *at <= self.written_bytes) {
            self.needles.remove(0);
            out.extend_from_slice(b" mark ");
            out.extend_from_slice(NEEDLE.as_bytes());
            self.facts.needle = true;
        }
        if self.dice.below(PHRASE_ONE_IN) == 0 {
            out.extend_from_slice(b"; ");
            out.extend_from_slice(PHRASE.as_bytes());
            self.facts.phrase = true;
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>, opening: &[u8], unix_ms: i64) -> usize {
        self.facts = Facts { unix_ms, ..Facts::default() };
        let begin = out.len();
        out.extend_from_slice(opening);
        self.calendar.write(out, unix_ms);
        begin
    }

    fn end(&mut self, out: &mut Vec<u8>, begin: usize, closing: &[u8]) {
        out.extend_from_slice(closing);
        self.tally.count(&self.facts, &out[begin..out.len() - 1]);
    }
}

fn write_trace(out: &mut Vec<u8>, trace: (u64, u64)) {
    hex(out, trace.0, 16);
    hex(out, trace.1, 16);
}

fn write_user(out: &mut Vec<u8>, user: Option<usize>) {
    match user {
        Some(user) => {
            out.extend_from_slice(b"\",\"user\":\"u");
            padded(out, user as u64, 6);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"\",\"user\":null"),
    }
}

fn write_tail(out: &mut Vec<u8>, latency: u64, status: u64, kind: &str, dice: &mut Dice) {
    out.extend_from_slice(b",\"latency_ms\":");
    decimal(out, latency, 1);
    if status >= 500 {
        out.extend_from_slice(b",\"error\":{\"kind\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"retries\":");
        number(out, dice.below(4));
        out.push(b'}');
    } else if dice.percent(12) {
        out.extend_from_slice(b",\"tags\":[\"canary\",\"eu-");
        number(out, 1 + dice.below(3));
        out.extend_from_slice(b"\"]");
    }
}

/// Maps bytes written to the time of day, so that busy hours get more lines than quiet ones.
struct Pace {
    start_ms: i64,
    /// The traffic before each bin; the last entry is the sum of all.
    before: Vec<u64>,
    bin: usize,
}

impl Pace {
    fn new(story: &Story) -> Self {
        let bins = (story.end_ms - story.start_ms) / BIN_MS;
        let mut before = vec![0];
        let mut sum = 0;
        for bin in 0..bins {
            sum += story.traffic(story.start_ms + bin * BIN_MS + BIN_MS / 2);
            before.push(sum);
        }
        Self { start_ms: story.start_ms, before, bin: 0 }
    }

    /// The time after `done` of `target` bytes. `done` never falls from call to call.
    fn at(&mut self, done: u64, target: u64) -> i64 {
        let sum = u128::from(*self.before.last().expect("there is a first entry"));
        // In thousandths, so that two lines of one bin differ.
        let reached = u128::from(done.min(target)) * sum * 1_000 / u128::from(target.max(1));
        while self.bin + 2 < self.before.len() && reached >= u128::from(self.before[self.bin + 1]) * 1_000 {
            self.bin += 1;
        }
        let (low, high) = (self.before[self.bin], self.before[self.bin + 1]);
        let inside = reached.saturating_sub(u128::from(low) * 1_000);
        let offset = inside * BIN_MS as u128 / (u128::from(high - low) * 1_000);
        self.start_ms + self.bin as i64 * BIN_MS + (offset as i64).min(BIN_MS - 1)
    }
}

/// Of 100 steps, so many are a machine's line; the others are requests of several lines each.
const MACHINE_PERCENT: u64 = 55;
const SERVICES_VERSION: &str = "2.7.1";
const TOOLS_VERSION: &str = "1.3.0";
const NEEDLES: usize = 7;
const TRACES: u64 = 8;
const PHRASE_ONE_IN: u64 = 10_000;
/// Customers with an account.
const USERS: usize = 60_000;
const LATE_MS_MAX: u64 = 300_000;
const BIN_MS: i64 = 60_000;
const SET_DAYS: i64 = 3;
/// 14:04 on the second day.
const SET_RELEASE_MS: i64 = DAY_MS + (14 * 60 + 4) * 60_000;
const RECENT_MS: i64 = 6 * 3_600_000;
/// Calm after the story, so that its end is seen.
const AFTER_STORY_MS: i64 = 25 * 60_000;
