//! The outcome of each seed, as JUnit XML.

use sim::run::Report;

/// A suite with a case a seed.
pub(crate) fn xml(scenario: &str, reports: &[(u64, Report)]) -> String {
    let failures = reports.iter().filter(|(_, report)| report.failure.is_some()).count();
    let seconds: f64 = reports.iter().map(|(_, report)| report.cpu.as_secs_f64()).sum();
    let name = escaped(scenario);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{name}\" tests=\"{}\" \
         failures=\"{failures}\" time=\"{seconds:.3}\">\n",
        reports.len()
    );
    for (seed, report) in reports {
        let time = report.cpu.as_secs_f64();
        xml.push_str(&format!("<testcase classname=\"{name}\" name=\"seed {seed}\" time=\"{time:.3}\""));
        match &report.failure {
            None => xml.push_str("/>\n"),
            Some(failure) => {
                xml.push_str(&format!("><failure message=\"{}\"/></testcase>\n", escaped(failure)));
            }
        }
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

/// Text for an attribute; control characters, which XML has no way to write, become spaces.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_case_with_its_text_and_nothing_breaks_out_of_it() {
        let bad = Report { failure: Some("lost: <a \"b\" & c>\u{1b}".into()), ..Report::default() };
        let xml = xml("storm", &[(1, Report::default()), (2, bad)]);
        assert!(xml.contains("tests=\"2\" failures=\"1\""));
        assert!(xml.contains("name=\"seed 1\" time=\"0.000\"/>"));
        assert!(xml.contains("<failure message=\"lost: &lt;a &quot;b&quot; &amp; c&gt; \"/>"));
    }
}
