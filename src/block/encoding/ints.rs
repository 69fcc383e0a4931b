//! Sequences of whole numbers: constant, packed bit by bit, or as planes of bytes that zstd shrinks;
//! each on the numbers themselves or on their steps.

use super::{ChunkIn, ChunkOut, Pack, Wanted};
use crate::block::BlockError;
use crate::block::error::damaged;
use crate::block::wire::{put_varint, unzigzag, zigzag};

/// Adds numbers. Their count is known to the reader from elsewhere.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, values: &[u64]) {
    let Some(&first) = values.first() else { return };
    if values.len() > 2 && steps_are_smaller(values) {
        out.head.push(STEPS);
        put_varint(&mut out.head, first);
        let steps: Vec<u64> = values.windows(2).map(|pair| zigzag(pair[1].wrapping_sub(pair[0]) as i64)).collect();
        put_plain(out, &steps);
    } else {
        put_plain(out, values);
    }
}

/// As [`put`], for numbers whose steps say nothing.
pub(in crate::block) fn put_codes(out: &mut ChunkOut<'_>, codes: &[u32]) {
    let values: Vec<u64> = codes.iter().map(|&code| u64::from(code)).collect();
    if !values.is_empty() {
        put_plain(out, &values);
    }
}

/// Reads `count` numbers.
pub(in crate::block) fn get(chunk: &mut ChunkIn<'_>, count: usize) -> Result<Vec<u64>, BlockError> {
    get_of(chunk, count, Wanted::ALL)
}

/// Reads some of `count` numbers.
pub(in crate::block) fn get_of(
    chunk: &mut ChunkIn<'_>,
    count: usize,
    wanted: Wanted<'_>,
) -> Result<Vec<u64>, BlockError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let method = chunk.head.byte()?;
    if method != STEPS {
        return get_plain(chunk, method, count, wanted);
    }
    let value = chunk.head.varint()?;
    let method = chunk.head.byte()?;
    // A number is the sum of all steps before it.
    let mut numbers = get_plain(chunk, method, count - 1, wanted.all_or_none())?;
    if wanted.is_none() {
        return Ok(numbers);
    }
    let mut last = value;
    for number in &mut numbers {
        last = last.wrapping_add(unzigzag(*number) as u64);
        *number = last;
    }
    numbers.insert(0, value);
    Ok(wanted.of(numbers))
}

/// Numbers that must fit into 32 bits and be below `bound`.
pub(in crate::block) fn get_codes(chunk: &mut ChunkIn<'_>, count: usize, bound: u64) -> Result<Vec<u32>, BlockError> {
    get_codes_of(chunk, count, bound, Wanted::ALL)
}

/// As [`get_codes`], some of `count`.
pub(in crate::block) fn get_codes_of(
    chunk: &mut ChunkIn<'_>,
    count: usize,
    bound: u64,
    wanted: Wanted<'_>,
) -> Result<Vec<u32>, BlockError> {
    let values = get_of(chunk, count, wanted)?;
    if values.iter().any(|&value| value >= bound.min(1 << 32)) {
        return damaged("a code is beyond its dictionary");
    }
    Ok(values.into_iter().map(|value| value as u32).collect())
}

/// Signed numbers as unsigned ones in the same order.
pub(in crate::block) fn ordered(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

/// The inverse of [`ordered`].
pub(in crate::block) fn signed(value: u64) -> i64 {
    (value ^ 1 << 63) as i64
}

/// Compares how many bits the numbers and their steps take, each alone.
fn steps_are_smaller(values: &[u64]) -> bool {
    let min = values.iter().copied().min().unwrap_or(0);
    let plain: u64 = values.iter().map(|&value| bits_of(value - min)).sum();
    let steps: u64 = values.windows(2).map(|pair| bits_of(zigzag(pair[1].wrapping_sub(pair[0]) as i64))).sum();
    steps < plain
}

fn bits_of(value: u64) -> u64 {
    u64::from(64 - value.leading_zeros())
}

fn put_plain(out: &mut ChunkOut<'_>, values: &[u64]) {
    let min = values.iter().copied().min().expect("there is a number");
    let max = values.iter().copied().max().expect("there is a number");
    if min == max {
        out.head.push(CONSTANT);
        put_varint(&mut out.head, min);
        return;
    }
    let unit = common_unit(values, min);
    let width = bits_of((max - min) / unit) as usize;
    // A base that saves no byte would only blur the bytes.
    let base = if unit == 1 && bits_of(max).div_ceil(8) == (width as u64).div_ceil(8) { 0 } else { min };
    let packed_len = (values.len() * width).div_ceil(8);
    let planes = planes_of(out, values, base, unit, packed_len);
    match planes {
        Some(planes) => {
            out.head.push(PLANES);
            put_varint(&mut out.head, base);
            put_varint(&mut out.head, unit);
            out.head.push(planes.len() as u8);
            for (plane, compressed) in &planes {
                out.ready(plane, compressed.as_deref());
            }
        }
        None => {
            out.head.push(PACKED);
            put_varint(&mut out.head, min);
            put_varint(&mut out.head, unit);
            out.head.push(width as u8);
            let scaled = values.iter().map(|&value| (value - min) / unit);
            out.stream(&pack(scaled, width, packed_len), Pack::Raw);
        }
    }
}

/// The largest number that divides all distances from `min`, or 1 if it is small.
fn common_unit(values: &[u64], min: u64) -> u64 {
    let mut unit = 0;
    for &value in values {
        unit = gcd(value - min, unit);
        if unit == 1 {
            break;
        }
    }
    unit.max(1)
}

fn gcd(mut left: u64, mut right: u64) -> u64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

type Plane = (Vec<u8>, Option<Vec<u8>>);

/// The planes, lowest bytes first, if they take less than `packed_len` bytes in all.
fn planes_of(out: &mut ChunkOut<'_>, values: &[u64], base: u64, unit: u64, packed_len: usize) -> Option<Vec<Plane>> {
    if values.len() < PLANE_VALUES_MIN {
        return None;
    }
    let scaled: Vec<u64> = values.iter().map(|&value| (value - base) / unit).collect();
    let max = scaled.iter().copied().max().expect("there is a number");
    let mut len = 0;
    let mut planes = Vec::new();
    // The highest plane shrinks best: beginning there shows soonest that the rest cannot win.
    for byte in (0..bits_of(max).div_ceil(8)).rev() {
        let plane: Vec<u8> = scaled.iter().map(|&value| (value >> (8 * byte)) as u8).collect();
        let compressed = out.compressed(&plane, Pack::Numbers);
        len += compressed.as_ref().map_or(plane.len(), Vec::len);
        if len >= packed_len {
            return None;
        }
        planes.push((plane, compressed));
    }
    planes.reverse();
    Some(planes)
}

fn get_plain(chunk: &mut ChunkIn<'_>, method: u8, count: usize, wanted: Wanted<'_>) -> Result<Vec<u64>, BlockError> {
    if method == CONSTANT {
        return Ok(vec![chunk.head.varint()?; wanted.count_of(count)]);
    }
    let base = chunk.head.varint()?;
    let unit = chunk.head.varint()?;
    let size = chunk.head.byte()?;
    let mut values = match method {
        PACKED => match chunk.stream_if(!wanted.is_none())? {
            Some(packed) => unpack(&packed, size, count, wanted)?,
            None => Vec::new(),
        },
        PLANES => get_planes(chunk, size, count, wanted)?,
        _ => return damaged("numbers have an unknown encoding"),
    };
    for value in &mut values {
        *value = value.wrapping_mul(unit).wrapping_add(base);
    }
    Ok(values)
}

fn get_planes(chunk: &mut ChunkIn<'_>, planes: u8, count: usize, wanted: Wanted<'_>) -> Result<Vec<u64>, BlockError> {
    if !(1..=8).contains(&planes) {
        return damaged("numbers have a wrong width");
    }
    let mut values = vec![0; if wanted.items().is_some() { wanted.count_of(count) } else { 0 }];
    for byte in 0..planes {
        let Some(plane) = chunk.stream_if(!wanted.is_none())? else { continue };
        if plane.len() != count {
            return damaged("a plane of numbers has a wrong length");
        }
        let add = |(value, b): (&mut u64, u8)| *value |= u64::from(b) << (8 * byte);
        match wanted.items() {
            Some(items) => values.iter_mut().zip(items.iter().map(|&item| plane[item as usize])).for_each(add),
            None if byte == 0 => values.extend(plane.iter().map(|&b| u64::from(b))),
            None => values.iter_mut().zip(plane.iter().copied()).for_each(add),
        }
    }
    Ok(values)
}

/// Numbers of `width` bits, one after the other from the lowest bit of the first byte.
fn pack(values: impl Iterator<Item = u64>, width: usize, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    let (mut buffer, mut filled) = (0u128, 0);
    for value in values {
        buffer |= u128::from(value) << filled;
        filled += width;
        while filled >= 8 {
            bytes.push(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        bytes.push(buffer as u8);
    }
    bytes
}

fn unpack(bytes: &[u8], width: u8, count: usize, wanted: Wanted<'_>) -> Result<Vec<u64>, BlockError> {
    let width = usize::from(width);
    if !(1..=64).contains(&width) || bytes.len() != (count * width).div_ceil(8) {
        return damaged("packed numbers have a wrong length");
    }
    match wanted.items() {
        Some(items) => Ok(items.iter().map(|&item| unpack_one(bytes, width, item as usize)).collect()),
        None => Ok(unpack_all(bytes, width, count)),
    }
}

fn unpack_one(bytes: &[u8], width: usize, item: usize) -> u64 {
    let (byte, bit) = (item * width / 8, item * width % 8);
    let mut around = [0; 16];
    let own = &bytes[byte..bytes.len().min(byte + around.len())];
    around[..own.len()].copy_from_slice(own);
    (u128::from_le_bytes(around) >> bit) as u64 & u64::MAX >> (64 - width)
}

fn unpack_all(bytes: &[u8], width: usize, count: usize) -> Vec<u64> {
    let mask = u64::MAX >> (64 - width);
    // One place more: the first number may be put before its steps.
    let mut values = Vec::with_capacity(count + 1);
    let (mut buffer, mut filled) = (0u128, 0);
    let mut rest = bytes;
    for _ in 0..count {
        while filled < width {
            let (next, after) = match rest.split_first_chunk::<8>() {
                Some((next, after)) => (u64::from_le_bytes(*next), after),
                None => {
                    let mut last = [0; 8];
                    last[..rest.len()].copy_from_slice(rest);
                    (u64::from_le_bytes(last), &[][..])
                }
            };
            buffer |= u128::from(next) << filled;
            filled += 64;
            rest = after;
        }
        values.push(buffer as u64 & mask);
        buffer >>= width;
        filled -= width;
    }
    values
}

const CONSTANT: u8 = 0;
const PACKED: u8 = 1;
const PLANES: u8 = 2;
const STEPS: u8 = 3;
/// Below this many numbers planes do not pay for their heads.
const PLANE_VALUES_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::Compressor;
    use super::*;

    fn check(values: &[u64]) {
        for compress in [false, true] {
            let mut compressor = Compressor::new(1, 1);
            let mut out = ChunkOut::new(compress.then_some(&mut compressor));
            put(&mut out, values);
            let mut chunk = ChunkIn::new(&out.head, &out.body);
            assert_eq!(get(&mut chunk, values.len()).unwrap(), values);
            chunk.end().unwrap();
            let last = values.len() as u32;
            for wanted in [(0..last).step_by(7).collect(), (last.saturating_sub(1)..last).collect(), Vec::new()] {
                let mut chunk = ChunkIn::new(&out.head, &out.body);
                let some = get_of(&mut chunk, values.len(), Wanted::only(&wanted)).unwrap();
                chunk.end().unwrap();
                assert_eq!(some, wanted.iter().map(|&item| values[item as usize]).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn numbers_of_any_kind_come_back() {
        check(&[]);
        check(&[7]);
        check(&[u64::MAX, 0]);
        check(&[5; 1000]);
        check(&[0, u64::MAX, 1, 1 << 63]);
        let mut rng = crate::block::testing::Rng(3);
        for bits in [1, 7, 8, 9, 17, 33, 63, 64] {
            for count in [1, 63, 64, 65, 1000] {
                let random: Vec<u64> = (0..count).map(|_| rng.next() >> (64 - bits)).collect();
                check(&random);
                check(&random.iter().map(|value| (value >> 20) * 1_000_000).collect::<Vec<_>>());
                let mut sorted = random.clone();
                sorted.sort_unstable();
                check(&sorted);
            }
        }
        let signed: Vec<u64> = [i64::MIN, -1, 0, 1, i64::MAX].map(ordered).to_vec();
        assert!(signed.is_sorted());
        check(&signed);
    }
}
