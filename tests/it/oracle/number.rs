//! Exact decimal arithmetic the way it is done on paper, on digits, without any bound.

use std::cmp::Ordering;
use std::fmt;

/// `±digits * 10^-scale`, without zeros at either end of the digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Num {
    negative: bool,
    digits: Vec<u8>,
    scale: i64,
}

impl Num {
    pub(crate) fn zero() -> Self {
        Self { negative: false, digits: Vec::new(), scale: 0 }
    }

    pub(crate) fn int(number: i64) -> Self {
        Self::parse(&number.to_string()).unwrap()
    }

    fn new(negative: bool, mut digits: Vec<u8>, mut scale: i64) -> Self {
        let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..zeros);
        while digits.last() == Some(&0) {
            digits.pop();
            scale -= 1;
        }
        if digits.is_empty() { Self::zero() } else { Self { negative, digits, scale } }
    }

    /// Rule 6: a decimal number as JSON writes it (leading zeros allowed), at most 38 digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (number, exponent) = match rest.find(['e', 'E']) {
            None => (rest, 0),
            Some(at) => {
                let exponent = &rest[at + 1..];
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || digits.len() > 6 || !digits.chars().all(|c| c.is_ascii_digit()) {
                    return None;
                }
                (&rest[..at], exponent.parse::<i64>().unwrap())
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || number.ends_with('.') {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        let number = Self::new(negative, digits, fraction.len() as i64 - exponent);
        (number.digits.len() <= 38 && number.scale.abs() <= 1000).then_some(number)
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// How many digits it takes to write it, from the first that is not 0 to the last.
    pub(crate) fn significant(&self) -> usize {
        self.digits.len()
    }

    pub(crate) fn neg(&self) -> Self {
        Self::new(!self.negative, self.digits.clone(), self.scale)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let (a, b, scale) = self.aligned(other);
        if self.negative == other.negative {
            return Self::new(self.negative, add(&a, &b), scale);
        }
        match a.cmp(&b) {
            Ordering::Less => Self::new(other.negative, subtract(&b, &a), scale),
            _ => Self::new(self.negative, subtract(&a, &b), scale),
        }
    }

    pub(crate) fn sub(&self, other: &Self) -> Self {
        self.add(&other.neg())
    }

    pub(crate) fn mul(&self, other: &Self) -> Self {
        let mut product = vec![0; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().enumerate().rev() {
            let mut carry = 0;
            for (j, b) in other.digits.iter().enumerate().rev() {
                let sum = u32::from(*a) * u32::from(*b) + u32::from(product[i + j + 1]) + carry;
                product[i + j + 1] = (sum % 10) as u8;
                carry = sum / 10;
            }
            product[i] = carry as u8;
        }
        Self::new(self.negative != other.negative, product, self.scale + other.scale)
    }

    /// Exact if it ends within 38 digits, else rounded to 20, halves away from zero.
    pub(crate) fn div(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let negative = self.negative != other.negative;
        let mut quotient = Vec::new();
        let mut rest: Vec<u8> = Vec::new();
        let mut scale = self.scale - other.scale;
        let mut coming = self.digits.iter().copied();
        loop {
            match coming.next() {
                Some(digit) => rest.push(digit),
                None if rest.iter().all(|&digit| digit == 0) || significant(&quotient) >= 38 => break,
                None => {
                    rest.push(0);
                    scale += 1;
                }
            }
            let mut digit = 0;
            while !less(&rest, &other.digits) {
                rest = subtract_any(&rest, &other.digits);
                digit += 1;
            }
            quotient.push(digit);
        }
        let exact = Self::new(negative, quotient, scale);
        Some(if rest.iter().all(|&digit| digit == 0) { exact } else { exact.keep(20) })
    }

    /// Rounded to so many significant digits, halves away from zero.
    fn keep(&self, count: usize) -> Self {
        if self.digits.len() <= count {
            return self.clone();
        }
        let dropped = (self.digits.len() - count) as i64;
        let kept = Self::new(self.negative, self.digits[..count].to_vec(), self.scale - dropped);
        if self.digits[count] < 5 {
            return kept;
        }
        kept.add(&Self::new(self.negative, vec![1], self.scale - dropped))
    }

    /// What is left of dividing towards zero.
    pub(crate) fn rem(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let mut rest = Self { negative: false, ..self.clone() };
        let divisor = Self { negative: false, ..other.clone() };
        while rest.compare(&divisor).is_ge() {
            // The largest power of ten times the divisor that still fits, again and again.
            let mut step = divisor.clone();
            while rest.compare(&Self { scale: step.scale - 1, ..step.clone() }).is_ge() {
                step.scale -= 1;
            }
            rest = rest.sub(&step);
        }
        Some(Self::new(self.negative, rest.digits, rest.scale))
    }

    /// Down to a multiple of 10^-digits.
    pub(crate) fn floor(&self, digits: i64) -> Self {
        let dropped = self.scale - digits;
        if dropped <= 0 || self.is_zero() {
            return self.clone();
        }
        let kept = self.digits.len().saturating_sub(dropped as usize);
        let towards_zero = Self::new(self.negative, self.digits[..kept].to_vec(), digits);
        if self.negative { towards_zero.sub(&Self::new(false, vec![1], digits)) } else { towards_zero }
    }

    pub(crate) fn ceil(&self, digits: i64) -> Self {
        self.neg().floor(digits).neg()
    }

    /// To the nearest multiple of 10^-digits, halves away from zero.
    pub(crate) fn round(&self, digits: i64) -> Self {
        let half = Self::new(self.negative, vec![5], digits + 1);
        let moved = self.add(&half);
        if self.negative { moved.ceil(digits) } else { moved.floor(digits) }
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let (a, b, _) = self.aligned(other);
        match (self.negative, other.negative) {
            (false, false) => a.cmp(&b),
            (true, true) => b.cmp(&a),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    pub(crate) fn to_f64(&self) -> f64 {
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        format!("{}0{digits}e{}", if self.negative { "-" } else { "" }, -self.scale).parse().unwrap()
    }

    /// It as a whole number, if it is one and fits.
    pub(crate) fn to_i64(&self) -> Option<i64> {
        if self.scale > 0 { None } else { self.to_string().parse().ok() }
    }

    /// The digits of both, of one length and at one scale.
    fn aligned(&self, other: &Self) -> (Vec<u8>, Vec<u8>, i64) {
        let scale = self.scale.max(other.scale);
        let pad = |number: &Self| {
            let mut digits = number.digits.clone();
            if !digits.is_empty() {
                digits.resize(digits.len() + (scale - number.scale) as usize, 0);
            }
            digits
        };
        let (mut a, mut b) = (pad(self), pad(other));
        let length = a.len().max(b.len());
        for digits in [&mut a, &mut b] {
            digits.splice(0..0, vec![0; length - digits.len()]);
        }
        (a, b, scale)
    }
}

/// Plain digits, never an exponent.
impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        if self.scale <= 0 {
            digits.push_str(&"0".repeat(-self.scale as usize));
        }
        let scale = self.scale.max(0) as usize;
        let missing = (scale + 1).saturating_sub(digits.len());
        digits.insert_str(0, &"0".repeat(missing));
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let dot = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{whole}{dot}{fraction}", if self.negative { "-" } else { "" })
    }
}

fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut sum: Vec<u8> = Vec::new();
    for (x, y) in a.iter().zip(b).rev() {
        let digit = x + y + carry;
        sum.push(digit % 10);
        carry = digit / 10;
    }
    sum.push(carry);
    sum.reverse();
    sum
}

fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference: Vec<u8> = Vec::new();
    for (x, y) in a.iter().zip(b).rev() {
        let (digit, next) = if *x >= y + borrow { (x - y - borrow, 0) } else { (x + 10 - y - borrow, 1) };
        difference.push(digit);
        borrow = next;
    }
    difference.reverse();
    difference
}

fn trimmed(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|&&digit| digit == 0).count()..]
}

fn significant(digits: &[u8]) -> usize {
    trimmed(digits).len()
}

fn less(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (trimmed(a), trimmed(b));
    (a.len(), a) < (b.len(), b)
}

fn subtract_any(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut padded = vec![0; a.len().saturating_sub(trimmed(b).len())];
    padded.extend(trimmed(b));
    let a = if a.len() < padded.len() { trimmed(a) } else { a };
    subtract(a, &padded)
}

#[test]
fn sums_on_paper_come_out_right() {
    let num = |text: &str| Num::parse(text).unwrap();
    assert_eq!(num("0.1").add(&num("0.2")), num("0.3"));
    assert_eq!(num("-5").add(&num("5e0")), Num::zero());
    assert_eq!(num("100").sub(&num("0.01")).to_string(), "99.99");
    assert_eq!(num("12.5").mul(&num("-80")).to_string(), "-1000");
    assert_eq!(num("1").div(&num("8")).unwrap().to_string(), "0.125");
    assert_eq!(num("2").div(&num("3")).unwrap().to_string(), "0.66666666666666666667");
    assert_eq!(num("-1000").div(&num("7")).unwrap().to_string(), "-142.85714285714285714");
    assert_eq!(num("7.5").rem(&num("-2")).unwrap().to_string(), "1.5");
    assert_eq!(num("-7").rem(&num("2")).unwrap().to_string(), "-1");
    assert_eq!(num("-1.2").floor(0).to_string(), "-2");
    assert_eq!(num("-1.005").round(2).to_string(), "-1.01");
    assert_eq!(num("1250").round(-2).to_string(), "1300");
    assert!(num("-3").compare(&num("-2.999")).is_lt() && num("0").compare(&num("-0.1")).is_gt());
}
