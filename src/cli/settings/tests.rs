use std::ffi::OsString;
use std::path::Path;

use super::*;

type Loaded = Result<(Settings, Chosen, Vec<Notice>), SettingsError>;

fn load(flags: &[(&'static str, &str)], variables: &[(&str, &str)], file: Option<&str>) -> Loaded {
    let flags = flags.iter().fold(SettingFlags::default(), |flags, (name, value)| flags.with(name, *value));
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::load(&flags, variables, file.map(|text| (Path::new("helios.toml"), text)))
}

fn error(loaded: Loaded) -> String {
    loaded.expect_err("this must not load").to_string()
}

/// A value other than the default for each setting, as a user would write it.
fn other_value(setting: &Setting) -> String {
    match setting.kind {
        Kind::Path | Kind::Text | Kind::Secret | Kind::List => "elsewhere".to_owned(),
        Kind::Address => "127.0.0.9".to_owned(),
        Kind::Switch => if setting.default == Some("on") { "off" } else { "on" }.to_owned(),
        Kind::Choice(words) => (*words.last().unwrap()).to_owned(),
        Kind::Whole { least, .. } | Kind::WholeOr { least, .. } => {
            let least = least.max(1);
            if setting.default == Some(least.to_string().as_str()) { least + 1 } else { least }.to_string()
        }
    }
}

#[test]
fn every_setting_works_by_flag_variable_and_file() {
    for setting in TABLE {
        let value = other_value(setting);
        // Small blocks are no larger than large ones: keep that while each setting moves alone.
        // A port for TLS needs a pair, and a pair a port.
        let also = match setting.name {
            "block_target_mb" => vec![("block_min_compact_mb", "1")],
            "ssl_port" | "tls_cert" | "tls_key" => vec![("ssl_port", "9"), ("tls_cert", "c"), ("tls_key", "k")],
            _ => vec![],
        };
        let (also_default, ..) = load(&also, &[], None).unwrap();
        let also: Vec<_> = also.into_iter().filter(|(name, _)| *name != setting.name).collect();
        let (by_flag, ..) = load(&[&[(setting.name, value.as_str())], also.as_slice()].concat(), &[], None).unwrap();
        let (by_variable, ..) = load(&also, &[(&setting.variable(), &value)], None).unwrap();
        let (by_file, ..) = load(&also, &[], Some(&format!("{} = {value:?}", setting.name))).unwrap();
        assert_eq!(by_flag, by_variable, "{}", setting.name);
        assert_eq!(by_flag, by_file, "{}", setting.name);
        if !matches!(setting.kind, Kind::Choice([_])) {
            assert_ne!(by_flag, also_default, "{}", setting.name);
        }
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let (all, chosen, _) = load(&[("port", "1")], &[("HELIOS_PORT", "2")], Some("port = 3")).unwrap();
    assert_eq!(all.port, 1);
    let port = TABLE.iter().find(|setting| setting.name == "port").unwrap();
    assert_eq!(chosen.source(port).to_string(), "flag --port");
    assert_eq!(load(&[], &[("HELIOS_PORT", "2")], Some("port = 3")).unwrap().0.port, 2);
    assert_eq!(load(&[], &[], Some("port = 3")).unwrap().0.port, 3);
    assert_eq!(load(&[], &[], None).unwrap().0.port, 7300);
}

#[test]
fn a_bad_value_names_its_source_and_what_would_be_right() {
    let range = "must be a whole number from 0 to 65535";
    assert_eq!(error(load(&[("port", "70000")], &[], None)), format!("flag --port: `70000` is not valid: {range}"));
    assert_eq!(
        error(load(&[], &[("HELIOS_PORT", "")], None)),
        format!("variable HELIOS_PORT: `` is not valid: {range}")
    );
    assert_eq!(
        error(load(&[], &[], Some("port = \"http\""))),
        format!("key `port` in helios.toml: `http` is not valid: {range}")
    );
    for bad in ["+7", "-1", " 7", "7.0", "1e3", "0x10"] {
        error(load(&[("port", bad)], &[], None));
    }
}

#[test]
fn a_bad_value_never_falls_through_to_a_good_one_of_another_source() {
    error(load(&[("port", "no")], &[("HELIOS_PORT", "2")], Some("port = 3")));
}

#[test]
fn a_secret_is_not_repeated_in_messages() {
    let (_, chosen, _) = load(&[], &[("HELIOS_ADMIN_PASSWORD", "hunter2")], None).unwrap();
    let setting = TABLE.iter().find(|setting| setting.name == "admin_password").unwrap();
    assert_eq!(chosen.shown(setting).unwrap(), "(hidden)");
}

#[test]
fn an_unknown_key_in_the_file_stops_the_start_and_names_the_nearest() {
    assert_eq!(
        error(load(&[], &[], Some("block_flush_row = 5"))),
        "helios.toml: `block_flush_row` is not a setting: did you mean `block_flush_rows`?"
    );
    assert_eq!(error(load(&[], &[], Some("zzz = 5"))), "helios.toml: `zzz` is not a setting");
    assert!(error(load(&[], &[], Some("port = [1]"))).contains("`port` must be a whole number"));
    assert!(error(load(&[], &[], Some("port = "))).starts_with("helios.toml: "));
}

#[test]
fn an_unknown_variable_is_a_warning_that_names_the_nearest() {
    let (_, _, notices) = load(&[], &[("HELIOS_DATADIR", "x"), ("PATH", "y"), ("HELIOS_URL", "z")], None).unwrap();
    let said: Vec<String> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["variable HELIOS_DATADIR is not a setting: did you mean HELIOS_DATA_DIR?"]);
}

#[test]
fn a_setting_that_is_not_used_yet_is_said() {
    let (_, _, notices) = load(&[], &[("HELIOS_SYSLOG_PORT", "5514")], None).unwrap();
    let said: Vec<String> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["variable HELIOS_SYSLOG_PORT is not used by this version: syslog is not received yet"]);
}

#[test]
fn settings_that_contradict_each_other_stop_the_start() {
    assert!(error(load(&[("block_target_mb", "4")], &[], None)).contains("compaction would never end"));
    let pair = [("tls_cert", "c"), ("tls_key", "k")];
    assert!(error(load(&[("ssl_port", "7443")], &[], None)).contains("tls_cert is not given"));
    assert!(error(load(&[("ssl_port", "7443"), pair[0]], &[], None)).contains("tls_key is not given"));
    assert!(error(load(&pair, &[], None)).contains("no ssl_port"));
}

#[test]
fn words_stand_for_none() {
    let (all, ..) = load(&[("retention_default_days", "forever"), ("query_threads", "cores")], &[], None).unwrap();
    assert_eq!((all.retention_default_days, all.query_threads), (None, None));
    assert_eq!(load(&[("retention_default_days", "30")], &[], None).unwrap().0.retention_default_days, Some(30));
    error(load(&[("retention_default_days", "0")], &[], None));
}

#[test]
fn the_documentation_is_made_from_the_table() {
    let written = include_str!("../../../docs/settings.md");
    assert_eq!(written, markdown(), "run: cargo run -- settings --markdown > docs/settings.md");
}
