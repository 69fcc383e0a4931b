//! Times: read in the forms that logs write them, shown in one.
//!
//! All arithmetic is on whole numbers and exact to the nanosecond; digits beyond it are cut off. A time
//! is nanoseconds since 1970 in UTC and lies in the years 1678 to 2261.

use super::partition::DAY_NS;

/// Nanoseconds in a second.
pub const SECOND_NS: i64 = 1_000_000_000;
/// First time that an event can have: the beginning of 1678.
pub const TIME_MIN_NS: i64 = days_from_civil(1678, 1, 1) * DAY_NS;
/// Last time that an event can have: the end of 2261.
pub const TIME_MAX_NS: i64 = days_from_civil(2262, 1, 1) * DAY_NS - 1;
/// How far into a text line a time is looked for; it has to end before.
pub const TEXT_TIME_BYTES: usize = 64;

/// Reads a value that is a time as a whole: ISO 8601 with or without offset (a blank may stand for the
/// `T`, a comma for the point; without offset it is UTC), a date alone, the common log format, syslog,
/// `ctime`, or a number of seconds (below 10^11), milliseconds (10^14), microseconds (10^17) or
/// nanoseconds. A time without a year takes the one that puts it nearest to `arrival_ns`.
pub fn parse_time(text: &str, arrival_ns: i64) -> Option<i64> {
    common_form(text.as_bytes()).or_else(|| any_form(text, arrival_ns))
}

/// The form that most logs write, `2026-06-14T10:15:00.123Z`. `None` if it is another, or no time.
fn common_form(text: &[u8]) -> Option<i64> {
    let (date_and_clock, rest) = text.split_first_chunk::<19>()?;
    let [c0, c1, y0, y1, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1] = *date_and_clock else {
        return None;
    };
    let pair = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
    };
    let date = Date::new(pair(c0, c1)? * 100 + pair(y0, y1)?, pair(m0, m1)?, pair(d0, d1)?)?;
    let (hour, minute, second) = (pair(h0, h1)?, pair(n0, n1)?, pair(s0, s1)?);
    let nanosecond = match rest {
        [b'Z'] => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let digits = fraction.iter().try_fold(0, |number, digit| {
                let digit = digit.wrapping_sub(b'0');
                (digit <= 9).then(|| number * 10 + i64::from(digit))
            });
            digits? * 10_i64.pow(9 - fraction.len() as u32)
        }
        _ => return None,
    };
    Clock { hour, minute, second, nanosecond }.checked()?.on(date).to_ns()
}

fn any_form(text: &str, arrival_ns: i64) -> Option<i64> {
    let text = text.trim_ascii();
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    if let Some(time) = scan.date_and_time(arrival_ns) {
        let utc = &text[scan.at..];
        if scan.at == text.len() || matches!(utc, " UTC" | " GMT" | " Z") {
            return time.to_ns();
        }
    }
    scan.at = 0;
    if let Some(date) = scan.iso_date().filter(|_| scan.at == text.len()) {
        return Clock::default().on(date).to_ns();
    }
    number_of_units(text.as_bytes())
}

/// Looks for the first time within the first 64 bytes of a text line. A number counts only where the
/// line begins with it, and only with the length that seconds (with a fraction or not), milli-, micro-
/// and nanoseconds have in this age: other numbers are rarely times.
pub fn find_time_in_text(line: &[u8], arrival_ns: i64) -> Option<i64> {
    let window = &line[..line.len().min(TEXT_TIME_BYTES)];
    if let Some(time) = leading_number(window) {
        return Some(time);
    }
    let mut before = b' ';
    for (start, &byte) in window.iter().enumerate() {
        let word_begins = byte.is_ascii_alphanumeric() && !before.is_ascii_alphanumeric();
        before = byte;
        if !word_begins {
            continue;
        }
        let mut scan = Scan { bytes: line, at: start };
        let Some(time) = scan.date_and_time(arrival_ns) else { continue };
        let ends = !scan.peek().is_some_and(|next| next.is_ascii_digit());
        if ends && scan.at <= TEXT_TIME_BYTES {
            return time.to_ns();
        }
    }
    None
}

/// Shows a time in UTC: `2026-06-14T10:15:00Z`, with 3, 6 or 9 digits of a fraction as needed.
pub fn format_rfc3339(time_ns: i64) -> String {
    let mut text = String::with_capacity(30);
    write_rfc3339(time_ns, &mut text);
    text
}

/// Adds the time as [`format_rfc3339`] shows it. Years outside 1678 to 2261 occur in `i64` as well.
pub fn write_rfc3339(time_ns: i64, text: &mut String) {
    let (year, month, day) = civil_from_days(time_ns.div_euclid(DAY_NS));
    let of_day = time_ns.rem_euclid(DAY_NS);
    let (seconds, fraction) = (of_day / SECOND_NS, of_day % SECOND_NS);
    let mut two = |first: &str, number: i64| {
        text.push_str(first);
        text.push(char::from(b'0' + (number / 10) as u8));
        text.push(char::from(b'0' + (number % 10) as u8));
    };
    two("", year / 100);
    two("", year % 100);
    two("-", month);
    two("-", day);
    two("T", seconds / 3600);
    two(":", seconds / 60 % 60);
    two(":", seconds % 60);
    if fraction > 0 {
        let groups = match (fraction % 1_000_000, fraction % 1_000) {
            (0, _) => 1,
            (_, 0) => 2,
            _ => 3,
        };
        text.push('.');
        for power in (9 - groups * 3..9).rev() {
            text.push(char::from(b'0' + (fraction / 10_i64.pow(power) % 10) as u8));
        }
    }
    text.push('Z');
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
pub const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date (year, month, day) of a day since 1970-01-01; the inverse of [`days_from_civil`].
pub const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// A date that exists.
#[derive(Clone, Copy)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Time of day. A leap second is the second after 59.
#[derive(Clone, Copy, Default)]
struct Clock {
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
}

impl Clock {
    fn on(self, date: Date) -> Moment {
        let days = days_from_civil(date.year, date.month, date.day);
        let seconds = days * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second;
        Moment { seconds, nanosecond: self.nanosecond }
    }
}

/// A time of any year of four digits.
#[derive(Clone, Copy)]
struct Moment {
    seconds: i64,
    nanosecond: i64,
}

impl Moment {
    fn east(self, offset_seconds: i64) -> Self {
        Self { seconds: self.seconds - offset_seconds, ..self }
    }

    fn to_ns(self) -> Option<i64> {
        in_range(i128::from(self.seconds) * i128::from(SECOND_NS) + i128::from(self.nanosecond))
    }
}

fn in_range(ns: i128) -> Option<i64> {
    let ns = i64::try_from(ns).ok()?;
    (TIME_MIN_NS..=TIME_MAX_NS).contains(&ns).then_some(ns)
}

/// Reads forward. What fails leaves the position anywhere; callers that go on put it back.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// Date and time of day in any of the forms.
    fn date_and_time(&mut self, arrival_ns: i64) -> Option<Moment> {
        let start = self.at;
        if self.peek()?.is_ascii_alphabetic() {
            return self.syslog(arrival_ns);
        }
        if let Some(moment) = self.iso() {
            return Some(moment);
        }
        self.at = start;
        self.clf()
    }

    /// `2026-06-14T10:15:00.123+02:00`, `20260614T101500Z`.
    fn iso(&mut self) -> Option<Moment> {
        let start = self.at;
        if let Some(date) = self.iso_date() {
            self.one_of(b"Tt ")?;
            let clock = self.clock()?;
            return Some(clock.on(date).east(self.offset(true).unwrap_or(0)));
        }
        self.at = start;
        let date = Date::new(self.digits(4)?, self.digits(2)?, self.digits(2)?)?;
        self.one_of(b"Tt")?;
        let (hour, minute, second) = (self.digits(2)?, self.digits(2)?, self.digits(2)?);
        let clock = self.with_fraction(hour, minute, second)?;
        Some(clock.on(date).east(self.offset(true).unwrap_or(0)))
    }

    fn iso_date(&mut self) -> Option<Date> {
        let year = self.digits(4)?;
        self.one_of(b"-")?;
        let month = self.digits(2)?;
        self.one_of(b"-")?;
        Date::new(year, month, self.digits(2)?)
    }

    /// `14/Jun/2026:10:15:00 +0000`, in brackets or not.
    fn clf(&mut self) -> Option<Moment> {
        self.one_of(b"[");
        let day = self.digits(2)?;
        self.one_of(b"/")?;
        let month = self.month()?;
        self.one_of(b"/")?;
        let date = Date::new(self.digits(4)?, month, day)?;
        self.one_of(b":")?;
        let moment = self.clock()?.on(date);
        let clock_end = self.at;
        let offset = self.one_of(b" ").and_then(|_| self.offset(false));
        if offset.is_none() {
            self.at = clock_end;
        }
        self.one_of(b"]");
        Some(moment.east(offset.unwrap_or(0)))
    }

    /// `Jun 14 10:15:00`, `Jun  4 2026 10:15:00`, and `ctime`'s `Sun Jun 14 10:15:00 2026`.
    fn syslog(&mut self, arrival_ns: i64) -> Option<Moment> {
        let weekday = self.name_of(WEEKDAYS).is_some();
        if weekday {
            self.one_of(b" ")?;
        }
        let month = self.month()?;
        self.one_of(b" ")?;
        let day = if self.one_of(b" ").is_some() { self.digits(1)? } else { self.day()? };
        self.one_of(b" ")?;
        let early_year = self.try_year(b' ');
        let clock = self.clock()?;
        let late_year = if weekday && early_year.is_none() { self.year_behind() } else { None };
        match early_year.or(late_year) {
            Some(year) => Some(clock.on(Date::new(year, month, day)?)),
            None => nearest_year(month, day, clock, arrival_ns),
        }
    }

    /// One or two digits.
    fn day(&mut self) -> Option<i64> {
        let first = self.digits(1)?;
        Some(self.digits(1).map_or(first, |second| first * 10 + second))
    }

    /// Four digits and `end`; else nothing is read.
    fn try_year(&mut self, end: u8) -> Option<i64> {
        let start = self.at;
        let year = self.digits(4).filter(|_| self.one_of(&[end]).is_some());
        if year.is_none() {
            self.at = start;
        }
        year
    }

    /// A blank and four digits that end there; else nothing is read.
    fn year_behind(&mut self) -> Option<i64> {
        let start = self.at;
        let year = self.one_of(b" ").and_then(|_| self.digits(4));
        let year = year.filter(|_| !self.peek().is_some_and(|next| next.is_ascii_alphanumeric()));
        if year.is_none() {
            self.at = start;
        }
        year
    }

    /// `10:15`, `10:15:00`, `10:15:00,123`.
    fn clock(&mut self) -> Option<Clock> {
        let hour = self.digits(2)?;
        self.one_of(b":")?;
        let minute = self.digits(2)?;
        let minute_end = self.at;
        let second = self.one_of(b":").and_then(|_| self.digits(2));
        if second.is_none() {
            self.at = minute_end;
            return Clock { hour, minute, ..Clock::default() }.checked();
        }
        self.with_fraction(hour, minute, second?)
    }

    fn with_fraction(&mut self, hour: i64, minute: i64, second: i64) -> Option<Clock> {
        let start = self.at;
        let mut clock = Clock { hour, minute, second, nanosecond: 0 };
        if self.one_of(b".,").is_some() {
            let mut unit = SECOND_NS / 10;
            let first = self.at;
            while let Some(digit) = self.digits(1) {
                clock.nanosecond += digit * unit;
                unit /= 10;
            }
            if self.at == first {
                self.at = start;
            }
        }
        clock.checked()
    }

    /// `Z`, `+02`, `+0200`, `+02:00`, in seconds; else nothing is read.
    fn offset(&mut self, zulu: bool) -> Option<i64> {
        let start = self.at;
        let offset = self.offset_or_stray(zulu);
        if offset.is_none() {
            self.at = start;
        }
        offset
    }

    fn offset_or_stray(&mut self, zulu: bool) -> Option<i64> {
        if zulu && self.one_of(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.digits(2)?;
        let hours_end = self.at;
        let colon = self.one_of(b":").is_some();
        let minutes = self.digits(2);
        if minutes.is_none() && colon {
            self.at = hours_end;
        }
        let minutes = minutes.unwrap_or(0);
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
    }

    fn month(&mut self) -> Option<i64> {
        self.name_of(MONTHS)
    }

    /// The number, from 1, of the name of three letters that comes next.
    fn name_of(&mut self, names: &[&str]) -> Option<i64> {
        let name = self.bytes.get(self.at..self.at + 3)?;
        let index = names.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        self.at += 3;
        Some(index as i64 + 1)
    }

    /// A number of exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.bytes.get(self.at..self.at + count)?;
        let mut number = 0;
        for digit in digits {
            number = number * 10 + i64::from(digit.checked_sub(b'0').filter(|&digit| digit < 10)?);
        }
        self.at += count;
        Some(number)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| allowed.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

impl Clock {
    fn checked(self) -> Option<Self> {
        (self.hour < 24 && self.minute < 60 && self.second <= 60).then_some(self)
    }
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The year in which a day and time come nearest to the arrival. 29 February may be years away.
fn nearest_year(month: i64, day: i64, clock: Clock, arrival_ns: i64) -> Option<Moment> {
    let arrival_seconds = arrival_ns.div_euclid(SECOND_NS);
    let (arrival_year, ..) = civil_from_days(arrival_ns.div_euclid(DAY_NS));
    let reach = if (month, day) == (2, 29) { 8 } else { 1 };
    let years = arrival_year - reach..=arrival_year + reach;
    let moments = years.filter_map(|year| Some(clock.on(Date::new(year, month, day)?)));
    moments.min_by_key(|moment| (moment.seconds - arrival_seconds).abs())
}

/// The number that a text line begins with, as a time: 10 digits with a fraction or not, 13, 16 or 19.
fn leading_number(window: &[u8]) -> Option<i64> {
    let line = window.strip_prefix(b"[").unwrap_or(window);
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(line);
    let fraction = line.get(whole).filter(|&&point| point == b'.').map_or(0, |_| digits(&line[whole + 1..]));
    let end = if fraction > 0 { whole + 1 + fraction } else { whole };
    let stands_alone = line.get(end).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b']' | b',' | b';' | b'|'));
    let long_enough = whole == 10 || (fraction == 0 && matches!(whole, 13 | 16 | 19));
    if !(stands_alone && long_enough) || line[0] == b'0' {
        return None;
    }
    number_of_units(&line[..end])
}

/// A decimal number of the unit that its magnitude says, in nanoseconds.
fn number_of_units(text: &[u8]) -> Option<i64> {
    let number = Decimal::parse(text)?;
    let power_of_unit = match number.integer_digits() {
        ..=11 => 9,
        12..=14 => 6,
        15..=17 => 3,
        _ => 0,
    };
    in_range(number.times_power_of_ten(power_of_unit)?)
}

/// `mantissa × 10^exponent`.
struct Decimal {
    mantissa: i128,
    exponent: i64,
}

/// Significant digits of a number that is read as a time. Nanoseconds have 19.
const NUMBER_DIGITS_MAX: u32 = 36;

impl Decimal {
    /// Reads `-12.5e3`. Digits beyond the first 36 are cut off.
    fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
        let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let mut number = Self { mantissa: 0, exponent: i64::from(exponent) };
        let (mut seen, mut behind_point) = (0, false);
        for &byte in digits {
            match byte {
                b'.' if !behind_point && seen > 0 => behind_point = true,
                b'0'..=b'9' => {
                    seen += 1;
                    number.push(i128::from(byte - b'0'), behind_point);
                }
                _ => return None,
            }
        }
        if seen == 0 || digits.ends_with(b".") {
            return None;
        }
        number.mantissa *= if negative { -1 } else { 1 };
        Some(number)
    }

    fn push(&mut self, digit: i128, behind_point: bool) {
        let room = self.mantissa < 10_i128.pow(NUMBER_DIGITS_MAX - 1);
        if room {
            self.mantissa = self.mantissa * 10 + digit;
        }
        self.exponent += i64::from(!room) - i64::from(behind_point);
    }

    /// Digits before the point: 11 for numbers from 10^10 to below 10^11. Below 1: none or less.
    fn integer_digits(&self) -> i64 {
        let digits = self.mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| i64::from(log) + 1);
        digits + self.exponent
    }

    /// Rounded down to a whole number; `None` if it is beyond 128 bits.
    fn times_power_of_ten(&self, power: i64) -> Option<i128> {
        let shift = self.exponent + power;
        let factor = 10_i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?);
        match factor {
            _ if self.mantissa == 0 => Some(0),
            Some(factor) if shift >= 0 => self.mantissa.checked_mul(factor),
            Some(factor) => Some(self.mantissa.div_euclid(factor)),
            None if shift >= 0 => None,
            None => Some(if self.mantissa < 0 { -1 } else { 0 }),
        }
    }
}

#[cfg(test)]
mod tests;
