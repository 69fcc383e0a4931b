//! What is counted about requests, as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

/// Counters of the HTTP side.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    // Once a request, for a few nanoseconds: no contention worth a lock-free map.
    requests: Mutex<BTreeMap<(&'static str, u16), Series>>,
}

#[derive(Clone, Debug, Default)]
struct Series {
    count: u64,
    sum_ms: u64,
    buckets: [u64; BUCKETS_MS.len()],
}

impl Metrics {
    /// Counts a request that has ended. Status 0: the peer hung up before the answer.
    pub(super) fn request_ended(&self, route: &'static str, status: u16, ms: u64) {
        let mut requests = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let series = requests.entry((route, status)).or_default();
        series.count += 1;
        series.sum_ms += ms;
        for (bucket, limit) in series.buckets.iter_mut().zip(BUCKETS_MS) {
            *bucket += u64::from(ms <= limit);
        }
    }

    /// Adds the counters to a page of metrics.
    pub(super) fn render(&self, page: &mut Page) {
        let requests = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        page.family(
            "helios_http_request_duration_seconds",
            "histogram",
            "time until the answer's last byte, by route and status",
        );
        for ((route, status), series) in &requests {
            let labels = format!("route=\"{route}\",status=\"{status}\"");
            let name = "helios_http_request_duration_seconds";
            for (count, limit) in series.buckets.iter().zip(BUCKETS_MS) {
                page.line(&format!("{name}_bucket"), &format!("{labels},le=\"{}\"", seconds(limit)), count);
            }
            page.line(&format!("{name}_bucket"), &format!("{labels},le=\"+Inf\""), series.count);
            page.line(&format!("{name}_sum"), &labels, seconds(series.sum_ms));
            page.line(&format!("{name}_count"), &labels, series.count);
        }
    }
}

/// A page of metrics in Prometheus' text format.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// One metric without labels.
    pub(super) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.line(name, "", value);
    }

    /// The head of a family of metrics.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("writing to a string cannot fail");
    }

    /// One line of a family.
    pub(super) fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        writeln!(self.0, "{name}{labels} {value}").expect("writing to a string cannot fail");
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

const BUCKETS_MS: [u64; 10] = [5, 10, 25, 50, 100, 250, 1_000, 2_500, 10_000, 60_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_the_count() {
        let metrics = Metrics::default();
        metrics.request_ended("search", 200, 7);
        metrics.request_ended("search", 200, 70_000);
        let mut page = Page::default();
        metrics.render(&mut page);
        let text = page.into_text();
        let line = |end: &str| text.lines().find(|line| line.contains(end)).unwrap_or_default().to_owned();
        assert!(line("le=\"0.005\"").ends_with(" 0"));
        assert!(line("le=\"0.010\"").ends_with(" 1"));
        assert!(line("le=\"60.000\"").ends_with(" 1"));
        assert!(line("le=\"+Inf\"").ends_with(" 2"));
        assert!(line("_sum").ends_with(" 70.007"));
    }
}
