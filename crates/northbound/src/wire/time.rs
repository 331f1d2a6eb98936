//! The spellings of time that the contracts use, from and to epoch milliseconds. All of them are UTC.

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::Offset;

/// The window around our clock in which a signed time is accepted: the contracts' 15 minutes, to either side.
pub const SIGNATURE_WINDOW_MS: u64 = 15 * 60 * 1000;

/// 0000-01-01T00:00:00Z, the first moment that a four-digit year can name.
const FIRST_MS: i64 = -62_167_219_200_000;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// One spelling of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// `20260102T030405Z`: IoTDA and northbound v1.5, `X-Sdk-Date`.
    Compact,
    /// `2026-01-02T03:04:05Z`: `Timestamp` and `x-acs-date`.
    Seconds,
    /// `2026-01-02T03:04:05.678Z`: the `Utc…` fields of Alibaba Cloud, two device fields of IoTDA.
    Millis,
    /// `2026-01-02T03:04:05.678000Z`: tokens of IAM.
    Micros,
    /// `Fri, 02 Jan 2026 03:04:05 GMT`: HTTP dates (RFC 1123, RFC 9110 §5.6.7).
    Http,
    /// `Fri, 02-Jan-2026 03:04:05 GMT`: the `Gmt…` display fields of Alibaba Cloud.
    Dashed,
}

impl TimeFormat {
    /// Spells a moment given in epoch milliseconds. Digits finer than the format are cut off, not rounded.
    ///
    /// A moment outside the years 0000 to 9999 is spelled as the nearest moment inside them.
    pub fn format(self, at_ms: i64) -> String {
        let at_ms = at_ms.clamp(FIRST_MS, Timestamp::MAX.as_millisecond());
        let second = Timestamp::from_second(at_ms.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
        let civil = Offset::UTC.to_datetime(second);
        let millis = at_ms.rem_euclid(1000);

        let mut out = String::with_capacity(32);
        for field in self.fields() {
            let value = match field {
                Field::Literal(text) => {
                    out.push_str(text);
                    continue;
                }
                Field::Weekday => {
                    out.push_str(weekday_name(civil.weekday()));
                    continue;
                }
                Field::MonthName => {
                    out.push_str(MONTHS[usize::from(civil.month().unsigned_abs()) - 1]);
                    continue;
                }
                Field::Year => i64::from(civil.year()),
                Field::Month => i64::from(civil.month()),
                Field::Day => i64::from(civil.day()),
                Field::Hour => i64::from(civil.hour()),
                Field::Minute => i64::from(civil.minute()),
                Field::Second => i64::from(civil.second()),
                Field::Millis => millis,
                Field::Micros => millis * 1000,
            };
            push_digits(&mut out, value, field.width());
        }
        out
    }

    /// Reads exactly this spelling, into epoch milliseconds; anything else, a leap second included, is `None`.
    ///
    /// Microseconds are cut to milliseconds. The day of the week has to be the right one.
    pub fn parse(self, text: &str) -> Option<i64> {
        let (mut year, mut month, mut day, mut hour, mut minute, mut second, mut millis) = (0, 0, 0, 0, 0, 0, 0);
        let mut weekday = None;
        let mut rest = text.as_bytes();
        for field in self.fields() {
            let (head, tail) = rest.split_at_checked(field.width())?;
            rest = tail;
            match field {
                Field::Literal(literal) => (literal.as_bytes() == head).then_some(())?,
                Field::Weekday => weekday = Some(head),
                Field::MonthName => month = 1 + MONTHS.iter().position(|name| name.as_bytes() == head)? as i8,
                Field::Year => year = digits(head)? as i16,
                Field::Month => month = digits(head)? as i8,
                Field::Day => day = digits(head)? as i8,
                Field::Hour => hour = digits(head)? as i8,
                Field::Minute => minute = digits(head)? as i8,
                Field::Second => second = digits(head)? as i8,
                Field::Millis => millis = digits(head)?,
                Field::Micros => millis = digits(head)? / 1000,
            }
        }
        let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let right_weekday = weekday.is_none_or(|name| name == weekday_name(civil.weekday()).as_bytes());
        if !rest.is_empty() || !right_weekday {
            return None;
        }
        Some(Offset::UTC.to_timestamp(civil).ok()?.as_second() * 1000 + i64::from(millis))
    }

    fn fields(self) -> &'static [Field] {
        use Field::{Day, Hour, Literal, Micros, Millis, Minute, Month, MonthName, Second, Weekday, Year};
        const DASH: Field = Literal("-");
        const COLON: Field = Literal(":");
        const SPACE: Field = Literal(" ");
        const T: Field = Literal("T");
        const Z: Field = Literal("Z");
        const DOT: Field = Literal(".");
        const COMMA: Field = Literal(", ");
        const GMT: Field = Literal(" GMT");
        match self {
            Self::Compact => &[Year, Month, Day, T, Hour, Minute, Second, Z],
            Self::Seconds => &[Year, DASH, Month, DASH, Day, T, Hour, COLON, Minute, COLON, Second, Z],
            Self::Millis => &[Year, DASH, Month, DASH, Day, T, Hour, COLON, Minute, COLON, Second, DOT, Millis, Z],
            Self::Micros => &[Year, DASH, Month, DASH, Day, T, Hour, COLON, Minute, COLON, Second, DOT, Micros, Z],
            Self::Http => {
                &[Weekday, COMMA, Day, SPACE, MonthName, SPACE, Year, SPACE, Hour, COLON, Minute, COLON, Second, GMT]
            }
            Self::Dashed => {
                &[Weekday, COMMA, Day, DASH, MonthName, DASH, Year, SPACE, Hour, COLON, Minute, COLON, Second, GMT]
            }
        }
    }
}

/// One piece of a spelling; each has a fixed width.
#[derive(Clone, Copy)]
enum Field {
    Literal(&'static str),
    Year,
    Month,
    MonthName,
    Day,
    Hour,
    Minute,
    Second,
    Millis,
    Micros,
    Weekday,
}

impl Field {
    fn width(self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Year => 4,
            Self::Month | Self::Day | Self::Hour | Self::Minute | Self::Second => 2,
            Self::MonthName | Self::Weekday | Self::Millis => 3,
            Self::Micros => 6,
        }
    }
}

fn push_digits(out: &mut String, value: i64, width: usize) {
    let mut unit = 10_i64.pow(width as u32 - 1);
    while unit > 0 {
        out.push(char::from(b'0' + (value / unit % 10) as u8));
        unit /= 10;
    }
}

/// The value of at most six decimal digits; a sign, a space or anything else is `None`.
fn digits(field: &[u8]) -> Option<u32> {
    field.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

/// Whether a signed time lies within `window_ms` of our clock, to either side, its ends included.
pub fn is_within(now_ms: i64, signed_at_ms: i64, window_ms: u64) -> bool {
    now_ms.abs_diff(signed_at_ms) <= window_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [TimeFormat; 6] = [
        TimeFormat::Compact,
        TimeFormat::Seconds,
        TimeFormat::Millis,
        TimeFormat::Micros,
        TimeFormat::Http,
        TimeFormat::Dashed,
    ];

    /// 2026-01-02T03:04:05.678Z, a Friday.
    const AT_MS: i64 = 1_767_323_045_678;

    #[test]
    fn each_format_spells_the_same_moment() {
        let spelled = ALL.map(|format| format.format(AT_MS));
        assert_eq!(
            spelled,
            [
                "20260102T030405Z",
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:05.678Z",
                "2026-01-02T03:04:05.678000Z",
                "Fri, 02 Jan 2026 03:04:05 GMT",
                "Fri, 02-Jan-2026 03:04:05 GMT",
            ]
        );
        for (format, text) in ALL.into_iter().zip(spelled) {
            let finest = matches!(format, TimeFormat::Millis | TimeFormat::Micros);
            assert_eq!(format.parse(&text), Some(if finest { AT_MS } else { AT_MS - 678 }), "{text}");
        }
    }

    /// The examples printed in the contracts.
    #[test]
    fn contract_examples() {
        assert_eq!(TimeFormat::Compact.parse("20230211T121212Z"), Some(1_676_117_532_000));
        assert_eq!(TimeFormat::Compact.parse("20151212T121212Z"), Some(1_449_922_332_000));
        assert_eq!(TimeFormat::Millis.parse("2019-11-04T06:22:19.566Z"), Some(1_572_848_539_566));
        assert_eq!(TimeFormat::Dashed.parse("Wed, 08-Aug-2018 03:01:19 GMT"), Some(1_533_697_279_000));
        assert_eq!(TimeFormat::Http.parse("Tue, 27 Mar 2007 19:36:42 GMT"), Some(1_175_024_202_000));
    }

    #[test]
    fn parsing_is_strict() {
        let refused = [
            "",
            "2026",
            "20260102T030405",
            "20260102T030405z",
            "20260102t030405Z",
            "20260102 030405Z",
            "20260102T030405ZZ",
            " 20260102T030405Z",
            "20261302T030405Z",
            "20260002T030405Z",
            "20260230T030405Z",
            "20250229T030405Z",
            "20260102T240000Z",
            "20260102T036005Z",
            "20261231T235960Z",
            "+2260102T030405Z",
            "２0260102T0304Z",
            "2026-01-02T03:04:05Z",
            "20260102T030405\u{e9}",
        ];
        for text in refused {
            assert_eq!(TimeFormat::Compact.parse(text), None, "{text}");
        }
        assert_eq!(TimeFormat::Millis.parse("2026-01-02T03:04:05.67Z"), None);
        assert_eq!(TimeFormat::Micros.parse("2026-01-02T03:04:05.678Z"), None);
        assert_eq!(TimeFormat::Http.parse("Mon, 02 Jan 2026 03:04:05 GMT"), None, "the 2nd was a Friday");
        assert_eq!(TimeFormat::Http.parse("Fri, 02 jan 2026 03:04:05 GMT"), None);
        assert_eq!(TimeFormat::Http.parse("Fri, 02 Jan 2026 03:04:05 UTC"), None);
    }

    #[test]
    fn leap_days_and_times_before_the_epoch() {
        assert_eq!(TimeFormat::Compact.parse("20240229T000000Z"), Some(1_709_164_800_000));
        assert_eq!(TimeFormat::Millis.format(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(TimeFormat::Millis.parse("1969-12-31T23:59:59.999Z"), Some(-1));
    }

    #[test]
    fn moments_out_of_range_are_spelled_as_the_nearest() {
        assert_eq!(TimeFormat::Seconds.format(i64::MIN), "0000-01-01T00:00:00Z");
        assert!(TimeFormat::Seconds.format(i64::MAX).starts_with("9999-12-3"));
    }

    #[test]
    fn the_window_includes_its_ends() {
        let window = SIGNATURE_WINDOW_MS as i64;
        assert!(is_within(0, window, SIGNATURE_WINDOW_MS));
        assert!(is_within(window, 0, SIGNATURE_WINDOW_MS));
        assert!(!is_within(0, window + 1, SIGNATURE_WINDOW_MS));
        assert!(!is_within(0, -window - 1, SIGNATURE_WINDOW_MS));
        assert!(!is_within(i64::MIN, i64::MAX, SIGNATURE_WINDOW_MS));
    }
}
