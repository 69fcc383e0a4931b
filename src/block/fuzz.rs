//! What hostile bytes are thrown at.

use super::reader::{decode_group_of, range_of};
use super::{BlockError, ChunkKey, Footer, RawCursor, RowGroup};

/// Reads everything that can be read of a block; returns its groups, or why it is damaged. Never
/// panics, whatever the bytes are.
///
/// # Errors
/// [`BlockError`] if any part is damaged.
pub fn fuzz_block(bytes: &[u8]) -> Result<Vec<RowGroup>, BlockError> {
    let footer = Footer::of_block(bytes)?;
    let mut groups = Vec::new();
    for (number, info) in footer.groups.iter().enumerate() {
        let group = decode_group_of(&footer, number, bytes)?;
        let mut cursor = RawCursor::new(&group);
        let mut raw = Vec::new();
        for row in 0..group.rows {
            raw.clear();
            cursor.write(row, &mut raw);
        }
        let mut text = Vec::new();
        for column in group.columns.iter().flatten() {
            (0..column.len()).for_each(|i| _ = column.text(i, &mut text).len());
        }
        for column in &info.columns {
            let Some(chunk) = info.chunk(ChunkKey::Filter(column.path)) else { continue };
            let filter = footer.decode_filter(&chunk, range_of(bytes, &chunk)?)?;
            filter.may_contain_value("a value");
            filter.may_contain_substring(b"bytes of 0123456789abcdef");
        }
        groups.push(group);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rng, group_of, random_lines, seen};
    use super::super::{BlockWriter, WriterOptions, footer};
    use super::*;

    fn block(rng: &mut Rng, rows: usize) -> Vec<u8> {
        let mut writer = BlockWriter::new(WriterOptions::FRESH);
        writer.push_group(&group_of(&random_lines(rng, rows), 1, 1));
        writer.push_group(&group_of(&random_lines(rng, rows / 2 + 1), 2, 1));
        writer.finish().0
    }

    #[test]
    fn a_changed_byte_is_noticed_or_changes_nothing() {
        let mut rng = Rng(43);
        for rows in [1, 20, 2000] {
            let whole = block(&mut rng, rows);
            let expected: Vec<_> = fuzz_block(&whole).unwrap().iter().map(seen).collect();
            let step = 1 + whole.len() / 700;
            for at in (0..whole.len()).step_by(step) {
                let mut changed = whole.clone();
                changed[at] ^= 1 << rng.below(8);
                if let Ok(groups) = fuzz_block(&changed) {
                    assert!(groups.iter().map(seen).eq(expected.iter().cloned()), "byte {at} of {}", whole.len());
                }
            }
        }
    }

    #[test]
    fn a_block_that_is_cut_or_grown_is_noticed() {
        let whole = block(&mut Rng(47), 30);
        for len in 0..whole.len() {
            assert!(fuzz_block(&whole[..len]).is_err(), "{len}");
        }
        assert!(fuzz_block(&[&whole[..], b"x"].concat()).is_err());
        assert!(fuzz_block(&[&whole[..], &whole[..]].concat()).is_err());
    }

    #[test]
    fn bytes_that_lie_behind_right_checksums_give_an_error_and_no_panic() {
        super::super::error::CHECKSUMS_IGNORED.set(true);
        let mut rng = Rng(53);
        let mut read = 0;
        for round in 0..1000 {
            let rows = if round % 100 == 0 { 1500 } else { 1 + rng.below(40) as usize };
            let lying = lie(block(&mut rng, rows), &mut rng);
            read += u32::from(fuzz_block(&lying).is_ok());
        }
        super::super::error::CHECKSUMS_IGNORED.set(false);
        assert!(read > 50, "only {read} were read: the lies do not reach far");
    }

    #[test]
    fn footers_that_lie_give_an_error_and_no_panic() {
        let mut rng = Rng(59);
        for _ in 0..1500 {
            let rows = 1 + rng.below(40) as usize;
            let whole = block(&mut rng, rows);
            let len = whole.len() as u64;
            let tail = &whole[whole.len() - footer::TRAILER_BYTES..];
            let (offset, stored_len) = Footer::locate(tail, len).unwrap();
            let (chunks, rest) = whole.split_at(offset as usize);
            let raw_len = u32::from_le_bytes(tail[4..8].try_into().unwrap());
            let body = zstd::bulk::decompress(&rest[..stored_len as usize], raw_len as usize).unwrap();
            let mut lying = chunks.to_vec();
            lying.extend(footer::finish(&lie(body, &mut rng), offset, 1));
            let _ = fuzz_block(&lying);
        }
    }

    fn lie(mut bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = match rng.below(4) {
                0 => rng.next() as u8,
                1 => 0xff,
                2 => bytes[at].wrapping_sub(1),
                _ => bytes[at].wrapping_add(1),
            };
        }
        bytes
    }
}
