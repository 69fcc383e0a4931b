//! Blocks as a whole: what goes in comes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::reader::{decode_group_of, range_of};
use super::testing::{Made, Rng, group_of, random_lines, seen};
use super::*;
use crate::event::{LineKind, LineParser, Origin, PathId, Sequence, Spelling};

fn block_of(groups: &[RowGroup], options: WriterOptions) -> Vec<u8> {
    let mut writer = BlockWriter::new(options);
    let mut block = Vec::new();
    for group in groups {
        writer.push_group(group);
        block.extend(writer.take_bytes());
    }
    let (rest, summary) = writer.finish();
    block.extend(rest);
    assert_eq!(summary.file_len, block.len() as u64);
    assert_eq!(summary.rows, groups.iter().map(|group| u64::from(group.rows)).sum::<u64>());
    block
}

/// Decodes each group as a whole, part by part, and a few rows of each part, as queries do.
fn decode(block: &[u8]) -> Vec<RowGroup> {
    let footer = Footer::of_block(block).unwrap();
    let bytes = |chunk: Option<ChunkRef>| range_of(block, &chunk.unwrap()).unwrap();
    let groups = (0..footer.groups.len()).map(|g| {
        let group = decode_group_of(&footer, g, block).unwrap();
        group.check();
        let info = &footer.groups[g];
        assert_eq!(footer.decode_times(g, bytes(info.chunk(ChunkKey::Times))).unwrap(), group.times);
        let shapes = footer.decode_shapes(g, bytes(info.chunk(ChunkKey::Shapes))).unwrap();
        let (by_shape, pools) = (footer.rows_by_shape(&shapes), OpenPools::default());
        let decode_some = |column: &ColumnInfo, rows: Option<&[u32]>, referred: &[Arc<Column>]| {
            let key = ChunkKey::Column(column.path);
            let needs = footer.needs(g, key);
            let context = Context {
                columns: referred,
                times: needs.contains(&ChunkKey::Times).then_some(&group.times),
                shapes: needs.contains(&ChunkKey::Shapes).then_some(&by_shape),
                rows,
                pools: rows.map(|_| &pools),
            };
            footer.decode_column(g, column.path, bytes(info.chunk(key)), context).unwrap()
        };
        let whole = |path: &PathId| Arc::clone(group.column(*path).unwrap());
        for column in &info.columns {
            let referred: Vec<_> = column.refers.iter().map(whole).collect();
            assert_eq!(decode_some(column, None, &referred), *whole(&column.path));
        }
        let last = group.rows - 1;
        for rows in [vec![], vec![last], vec![0, last / 2, last], (0..=last).step_by(3).collect()] {
            let rows: Vec<u32> = rows.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
            for column in &info.columns {
                let mut referred: Vec<_> = column.refers.iter().map(whole).collect();
                let (_, all_but_last) = referred.split_last_mut().unzip();
                for (own, path) in all_but_last.into_iter().flatten().zip(&column.refers) {
                    *own = Arc::new(decode_some(info.column(*path).unwrap(), Some(&rows), &[]));
                }
                let some = decode_some(column, Some(&rows), &referred);
                assert_eq!(texts_of(&some, &rows), texts_of(&whole(&column.path), &rows));
                assert!(some.rows.as_ref().unwrap().iter().all(|row| rows.contains(row)));
            }
        }
        group
    });
    groups.collect()
}

/// What a column says in these rows.
fn texts_of(column: &Column, rows: &[u32]) -> Vec<Vec<String>> {
    let mut scratch = Vec::new();
    let mut texts = |row| column.values_of_row(row).map(|i| column.text(i, &mut scratch).to_owned()).collect();
    rows.iter().map(|&row| texts(row)).collect()
}

#[test]
fn what_goes_into_a_block_comes_out() {
    let mut rng = Rng(23);
    for (groups, rows) in [(0, 0), (1, 1), (1, 2), (2, 100), (3, 2000), (40, 5)] {
        for options in [WriterOptions { filters: false, ..WriterOptions::STANDARD }, WriterOptions::STANDARD] {
            let groups: Vec<_> =
                (0..groups).map(|i| group_of(&random_lines(&mut rng, rows), i % 3, 1 + i * rows as u64)).collect();
            let decoded = decode(&block_of(&groups, options));
            assert_eq!(decoded.len(), groups.len());
            for (group, decoded) in groups.iter().zip(&decoded) {
                assert_eq!(seen(group), seen(decoded));
            }
        }
    }
}

#[test]
fn decoded_groups_merge_and_go_into_a_block_again() {
    let mut rng = Rng(29);
    let groups: Vec<_> = (0..5).map(|i| group_of(&random_lines(&mut rng, 700), i % 2, 1 + i * 700)).collect();
    let mut expected: Vec<_> = groups.iter().flat_map(seen).collect();
    expected.sort();
    let mut blocks: Vec<Vec<u8>> = groups
        .into_iter()
        .map(|group| block_of(&merge_all(vec![(Arc::new(group), None)], 300), WriterOptions::STANDARD))
        .collect();
    for _ in 0..3 {
        let inputs = blocks.iter().flat_map(|block| decode(block)).map(|group| (Arc::new(group), None)).collect();
        let merged = merge_all(inputs, 1000);
        merged.iter().for_each(RowGroup::check);
        blocks = vec![block_of(&merged, WriterOptions::STANDARD)];
    }
    let mut got: Vec<_> = decode(&blocks[0]).iter().flat_map(seen).collect();
    assert!(got.is_sorted_by_key(|event| event.0));
    got.sort();
    assert_eq!(got, expected);
}

#[test]
fn typed_values_are_stored_as_such() {
    let mut rng = Rng(31);
    let lines: Vec<_> = random_lines(&mut rng, 4000).into_iter().filter(|line| line.fields.len() == 8).collect();
    let merged = merge_all(vec![(Arc::new(group_of(&lines, 1, 1)), None)], 65_536);
    let footer = Footer::of_block(&block_of(&merged, WriterOptions::STANDARD)).unwrap();
    let form = |name: &str| footer.groups[0].column(footer.paths.get(name).unwrap()).unwrap().form;
    assert_eq!(form("trace_id"), Form::Hex);
    assert_eq!(form("user"), Form::Affixed);
    assert_eq!(form("ip"), Form::Ipv4);
    assert_eq!(form("bytes"), Form::Integers);
    assert_eq!(form("latency"), Form::Decimals);
    assert_eq!(form("timestamp"), Form::Times);
    assert_eq!(form("level"), Form::Texts);
}

#[test]
fn a_time_field_that_is_the_rows_time_costs_nothing() {
    let line = |i: i64| {
        let time = 1_700_000_000_000 + i * 977;
        let text = format!("{:.3}", jiff::Timestamp::from_millisecond(time).unwrap());
        let made = Made::default().literal(b"{\"ts\":\"").value("ts", &text, Spelling::Json).literal(b"\"}");
        made.at(time * 1_000_000)
    };
    let lines: Vec<_> = (0..5000).map(line).collect();
    let group = group_of(&lines, 1, 1);
    let block = block_of(std::slice::from_ref(&group), WriterOptions::STANDARD);
    let footer = Footer::of_block(&block).unwrap();
    let path = footer.paths.get("ts").unwrap();
    assert!(footer.groups[0].column(path).unwrap().needs_times);
    assert!(footer.groups[0].chunk(ChunkKey::Column(path)).unwrap().len < 64);
    assert_eq!(seen(&decode(&block)[0]), seen(&group));
}

/// Lines whose fields tell of each other: a service its pod, the message its user and its time.
fn telling_lines(rng: &mut Rng, count: usize) -> Vec<Made> {
    let services = ["cart", "auth", "search", "billing", "mail"];
    let line = |i: usize| {
        let time = 1_700_000_000_000 + i as i64 * 617;
        let at = jiff::Timestamp::from_millisecond(time).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        let service = rng.below(5);
        let pod = format!("{}-{:x}", services[service as usize], 0xa1b2c3 + service * 7919 + rng.below(12) * 31);
        let user = format!("u{:06}", rng.below(90_000));
        let message = match service {
            0 => format!("{} put {} items for {user}", at.strftime("%Y-%m-%d %H:%M:%S,%3f"), rng.below(50)),
            1 => format!("{} login of {user} from 10.0.{}.7", at.strftime("%b %d %H:%M:%S"), rng.below(256)),
            2 => format!("[{}] {user} looked for 0x{:x}", at.strftime("%s"), rng.next()),
            _ => format!("request 0fb07ee6-4f4f-4e0a-9b0d-{:012x} took {}.{}ms", rng.next() >> 16, i % 90, i % 10),
        };
        let made =
            Made::default().literal(b"{\"service\":\"").value("service", services[service as usize], Spelling::Json);
        let made = made.literal(b"\",\"pod\":\"").value("pod", &pod, Spelling::Json);
        let made = made.literal(b"\",\"user\":\"").value("user", &user, Spelling::Json);
        let made = made.literal(b"\",\"message\":\"").value("message", &message, Spelling::Json);
        made.literal(b"\"}").at(time * 1_000_000)
    };
    (0..count).map(line).collect()
}

#[test]
fn what_other_columns_and_the_time_say_is_not_stored_again() {
    let group = group_of(&telling_lines(&mut Rng(41), 20_000), 1, 1);
    let block = block_of(std::slice::from_ref(&group), WriterOptions::STANDARD);
    let footer = Footer::of_block(&block).unwrap();
    let column = |name: &str| footer.groups[0].column(footer.paths.get(name).unwrap()).unwrap();
    let names = |name: &str| column(name).refers.iter().map(|&path| footer.paths.name(path)).collect::<Vec<_>>();
    assert_eq!(names("pod"), ["service"]);
    assert_eq!(names("message"), ["user"]);
    assert!(column("message").needs_times);
    assert_eq!(column("message").form, Form::Templated);
    let decoded = decode(&block);
    assert_eq!(seen(&decoded[0]), seen(&group));
    let message = group.column(footer.paths.get("message").unwrap()).unwrap();
    let own = decoded[0].column(footer.paths.get("message").unwrap()).unwrap();
    let Values::Templated(texts) = &own.values else { panic!("{:?}", column("message")) };
    texts.check();
    assert_eq!(texts.len(), message.len());
}

#[test]
fn a_field_that_is_the_rows_time_tells_no_other() {
    let mut rng = Rng(47);
    let line = |i: i64| {
        let time = 1_700_000_000 + i / 40;
        let text = format!("{:.0}", jiff::Timestamp::from_second(time).unwrap());
        let slot = (time * 2 + rng.below(2) as i64).to_string();
        let made = Made::default().literal(b"{\"time\":\"").value("time", &text, Spelling::Json);
        let made = made.literal(b"\",\"slot\":").value("slot", &slot, Spelling::Bare).literal(b"}");
        made.at(time * 1_000_000_000)
    };
    let group = group_of(&(0..10_000).map(line).collect::<Vec<_>>(), 1, 1);
    let block = block_of(std::slice::from_ref(&group), WriterOptions::STANDARD);
    let footer = Footer::of_block(&block).unwrap();
    assert!(footer.groups[0].columns.iter().all(|column| column.refers.is_empty()));
    assert_eq!(seen(&decode(&block)[0]), seen(&group));
}

#[test]
fn a_block_whose_codes_are_told_can_be_inspected() {
    let group = group_of(&telling_lines(&mut Rng(53), 20_000), 1, 1);
    let block = block_of(std::slice::from_ref(&group), WriterOptions::STANDARD);
    let inspection = inspect::inspect(&block).unwrap();
    let pod = inspection.columns.iter().find(|column| column.name == "pod").unwrap();
    assert!(pod.dictionary_bytes > 0 && pod.values_bytes > 0, "{pod:?}");
}

/// What the golden block of format 1 holds.
fn golden_groups() -> Vec<RowGroup> {
    let mut rng = Rng(43);
    vec![
        group_of(&random_lines(&mut rng, 1500), 1, 1),
        group_of(&telling_lines(&mut rng, 6000), 2, 1),
        group_of(&random_lines(&mut rng, 3), 1, 2000),
    ]
}

/// The file of a format that was released is never written again; that of a new one is written by
/// `HELIOS_WRITE_GOLDEN=1 cargo test golden`.
#[test]
fn the_golden_block_of_format_1_is_read_as_it_was_written() {
    if std::env::var_os("HELIOS_WRITE_GOLDEN").is_some() {
        write_golden(&block_of(&golden_groups(), WriterOptions::STANDARD));
        return;
    }
    let got: Vec<_> = decode(include_bytes!("golden/format-1.hb")).iter().map(seen).collect();
    assert_eq!(got, golden_groups().iter().map(seen).collect::<Vec<_>>());
}

#[expect(clippy::disallowed_methods, reason = "it writes into the source tree, not what the server stores")]
fn write_golden(block: &[u8]) {
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/block/golden/format-1.hb"), block).unwrap();
}

#[test]
fn filters_of_a_block_deny_nothing_that_their_columns_have() {
    let mut rng = Rng(37);
    let lines = random_lines(&mut rng, 60_000);
    let group = group_of(&lines, 1, 1);
    let block = block_of(std::slice::from_ref(&group), WriterOptions::STANDARD);
    let footer = Footer::of_block(&block).unwrap();
    let mut filters = 0;
    let mut scratch = Vec::new();
    for column in &footer.groups[0].columns {
        let Some(chunk) = footer.groups[0].chunk(ChunkKey::Filter(column.path)) else { continue };
        let filter = footer.decode_filter(&chunk, range_of(&block, &chunk).unwrap()).unwrap();
        filters += 1;
        let values = group.column(group.paths.get(footer.paths.name(column.path)).unwrap()).unwrap();
        for i in 0..values.len() {
            let folded = crate::event::fold::fold(values.text(i, &mut scratch)).into_owned();
            assert!(filter.may_contain_value(&folded), "{folded}");
            assert!(filter.may_contain_substring(folded.as_bytes()), "{folded}");
        }
    }
    assert!(filters >= 2);
}

#[test]
fn a_footer_is_found_from_the_end_of_the_block() {
    let mut rng = Rng(41);
    let block = block_of(&[group_of(&random_lines(&mut rng, 50), 1, 1)], WriterOptions::STANDARD);
    let len = block.len() as u64;
    let (offset, stored) = Footer::locate(&block[block.len() - footer::TRAILER_BYTES..], len).unwrap();
    assert_eq!(offset + u64::from(stored) + footer::TRAILER_BYTES as u64, len);
    let footer = Footer::parse(&block[offset as usize..], len).unwrap();
    assert_eq!(footer.rows(), 50);
    assert!(Footer::parse(&block[offset as usize..], len + 1).is_err());
    assert_eq!(Footer::locate(b"short", 5), Err(BlockError::NotABlock));
}

/// Parses lines as ingest does; what is no event is left out.
fn parsed(kind: LineKind, bytes: &[u8]) -> (RowGroup, Vec<Vec<u8>>) {
    let mut parser = LineParser::new();
    let mut builder = GroupBuilder::new();
    let mut raws = Vec::new();
    for raw in bytes.split(|&b| b == b'\n') {
        let mut line = crate::event::Line::default();
        if parser.parse(kind, raw, 0, &mut line).is_err() {
            continue;
        }
        let time = line.timestamp.unwrap_or(0);
        let (origin, sequence) = (Origin(1), Sequence(raws.len() as u64 + 1));
        let time_is_arrival = line.timestamp.is_none();
        builder.push(&line, RowMeta { time, origin, sequence, time_is_arrival, source: None });
        raws.push(raw.to_vec());
    }
    (builder.finish(parser.into_paths()), raws)
}

fn check_lines(kind: LineKind, bytes: &[u8]) {
    let (group, raws) = parsed(kind, bytes);
    group.check();
    let expected = seen(&group);
    for (event, raw) in expected.iter().zip(&raws) {
        assert_eq!(String::from_utf8_lossy(&event.2), String::from_utf8_lossy(raw));
    }
    let merged = merge_all(vec![(Arc::new(group), None)], 1000);
    let mut got: Vec<_> = decode(&block_of(&merged, WriterOptions::STANDARD)).iter().flat_map(seen).collect();
    got.sort_by_key(|event| event.1[17..].parse::<u64>().unwrap());
    assert!(got == expected, "events differ after the block");
}

#[test]
fn parsed_lines_come_out_byte_for_byte() {
    let json = [
        r#"{"a":1}"#,
        r#" { "a" : 1.0 , "b":[1, 2.50,"x"], "c":{"d":null,"e":{}} } "#,
        r#"{"a":1e3,"a":"twice","A":"case"}"#,
        r#"{"msg":"tab\tquote\" slash\/ \u00e9 \u0001 \ud83d\ude00","t":true,"n":[]}"#,
        r#"{"odd":"\u0041\uD800","ts":"2026-01-01T00:00:00Z"}"#,
        r#"{"ünïcode":"ß","deep":{"x":{"y":[[1],[2,{"z":3}]]}}}"#,
        "{\"a\":1}\r",
        "{\"bad\":\"\u{7f}\"}",
        "{}",
    ];
    check_lines(LineKind::Json, json.join("\n").as_bytes());
    check_lines(LineKind::Json, b"{\"x\":\"caf\xff\"}\n{\"x\":2}");
    check_lines(LineKind::Text, b"plain\r\n2026-11-19 00:00:00 up\n\xff\xfe\n\n{\"a\":1}\ntab\there");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "samples are files")]
fn shared_samples_come_out_byte_for_byte() {
    let Ok(shared) = std::env::var("HELIOS_SHARED") else {
        println!("skipped: HELIOS_SHARED is not set");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(format!("{shared}/data")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "zst")) {
        let bytes = zstd::stream::decode_all(std::fs::File::open(file).unwrap()).unwrap();
        let kind = if file.to_string_lossy().contains("ndjson") { LineKind::Json } else { LineKind::Text };
        println!("{}: {} bytes", file.display(), bytes.len());
        check_lines(kind, &bytes);
    }
}
