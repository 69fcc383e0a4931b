//! Numbers and byte strings as they stand in heads and in the footer.

use super::BlockError;
use super::error::damaged;

/// Adds a number in base 128, lowest digits first, the high bit set on all but the last.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Adds a signed number: 0, -1, 1, -2 … as 0, 1, 2, 3 …
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Adds a length and the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Bytes still to be read. Nothing in them is trusted.
#[derive(Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], BlockError> {
        let Some((bytes, rest)) = self.0.split_at_checked(len) else { return damaged("bytes are missing") };
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BlockError> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("it has N bytes"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, BlockError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn flag(&mut self) -> Result<bool, BlockError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => damaged("a flag is neither 0 nor 1"),
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32, BlockError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, BlockError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn varint(&mut self) -> Result<u64, BlockError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let digit = u64::from(byte & 0x7f);
            if shift == 63 && digit > 1 {
                break;
            }
            value |= digit << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        damaged("a number is too large")
    }

    pub(super) fn signed(&mut self) -> Result<i64, BlockError> {
        Ok(unzigzag(self.varint()?))
    }

    /// A number that may be at most `max`.
    pub(super) fn at_most(&mut self, max: u64) -> Result<u64, BlockError> {
        match self.varint()? {
            value if value <= max => Ok(value),
            _ => damaged("a number is beyond its bound"),
        }
    }

    /// How many things follow, each of which takes at least one byte here.
    pub(super) fn count(&mut self) -> Result<usize, BlockError> {
        Ok(self.at_most(self.0.len() as u64)? as usize)
    }

    pub(super) fn sized(&mut self) -> Result<&'a [u8], BlockError> {
        let len = self.count()?;
        self.bytes(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, BlockError> {
        let Ok(text) = std::str::from_utf8(self.sized()?) else { return damaged("a name is not UTF-8") };
        Ok(text)
    }

    pub(super) fn end(self) -> Result<(), BlockError> {
        if self.0.is_empty() { Ok(()) } else { damaged("bytes are left over") }
    }
}
