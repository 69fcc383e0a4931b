//! `helios fips status` and `helios key new`, and what lets a FIPS build run.

use std::fmt::Write as _;
use std::path::Path;

use super::{EXIT_CRYPTO, Failure, output};
use crate::crypto::{Random, Report, key_file};
use crate::host::Host;

/// Asks the module how it is, which tests itself meanwhile.
///
/// # Errors
/// As [`gate`].
pub(super) fn checked() -> Result<Report, Failure> {
    let report = Report::new();
    gate(&report)?;
    Ok(report)
}

/// Whether the module and what stands on it are as they must be.
///
/// # Errors
/// If this is a FIPS build, and they are not.
pub(super) fn gate(report: &Report) -> Result<(), Failure> {
    report.gate().map_err(|unfit| Failure::with_code(EXIT_CRYPTO, unfit.to_string()))
}

/// `helios fips status`
pub(super) fn status(json: bool) -> Result<(), Failure> {
    let report = Report::new();
    let mut page = if json {
        serde_json::to_string_pretty(&report).map_err(|error| Failure::new(error.to_string()))?
    } else {
        text(&report)
    };
    if json {
        page.push('\n');
    }
    output::write(page.as_bytes())?;
    if report.is_approved() {
        return Ok(());
    }
    let why = match report.problems.is_empty() {
        true => "this build does not use the validated module".to_owned(),
        false => report.problems.join("; "),
    };
    Err(Failure::with_code(EXIT_CRYPTO, why))
}

fn text(report: &Report) -> String {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let mut page = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(page, "{name:<24} {value}").expect("writing to a string cannot fail");
    };
    line("HeliosLogs", &format!("{} ({} build)", report.version, report.build));
    line("module", &report.module);
    line("expected", report.module_expected.unwrap_or("-"));
    line("certificate", report.certificate);
    line("profile", report.profile);
    line("approved mode", yes(report.approved_mode));
    line("self-tests", report.self_tests);
    line("service indicator", report.service_indicator);
    line("every part on module", yes(report.every_part_on_module));
    line("may be claimed", report.claim);
    line("TLS stands on module", yes(report.tls.fips));
    line("TLS versions", &report.tls.versions.join(" "));
    report.tls.suites.iter().for_each(|suite| line("TLS suite", suite));
    line("TLS groups", &report.tls.groups.join(" "));
    line("extended master secret", report.tls.extended_master_secret);
    line("RSA keys", &format!("at least {} bits", report.tls.rsa_bits_min));
    for service in &report.services {
        line(service.algorithm, &format!("{} ({})", service.purpose, service.bound));
    }
    for hash in report.other_hashes {
        line(&format!("{} (no security)", hash.algorithm), &format!("{}: {}", hash.purpose, hash.reason));
    }
    report.problems.iter().for_each(|problem| line("PROBLEM", problem));
    page
}

/// `helios key new`
pub(super) async fn new_key(host: &Host, path: &Path) -> Result<(), Failure> {
    let made = key_file::create(host, &Random::new(), path).await;
    let made = made.map_err(|error| Failure::new(error.to_string()))?;
    output::say(&format!("key {} is in {}: keep a copy of it elsewhere", made.id(), path.display()));
    Ok(())
}
