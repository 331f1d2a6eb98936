//! Mutations of bytes. Without a compiler that tells what an input reached, what helps is a corpus of real inputs, pieces of
//! others spliced in, and a dictionary of what parsers trip over.

use crate::random::Random;

/// No input grows beyond this.
pub const MAX_BYTES: usize = 64 << 10;

/// What parsers trip over: delimiters, ends, numbers at the edge of their types, broken UTF-8, escapes that are cut off.
const DICTIONARY: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"%",
    b"%0",
    b"%00",
    b"%25",
    b"%2F",
    b"%ff",
    b"%zz",
    b"+",
    b"&",
    b"=",
    b"&&",
    b"==",
    b";",
    b",",
    b"/",
    b"//",
    b"/../",
    b"/./",
    b"?",
    b"#",
    b"\"",
    b"'",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"<",
    b">",
    b"</",
    b"<!--",
    b"]]>",
    b"<![CDATA[",
    b"&amp;",
    b"&#0;",
    b"&#xD800;",
    b"<?xml",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"null",
    b"true",
    b"false",
    b"\"\"",
    b"{}",
    b"[]",
    b"0",
    b"-0",
    b"-1",
    b"1e999",
    b"1e-999",
    b"NaN",
    b"127",
    b"128",
    b"255",
    b"256",
    b"32768",
    b"65535",
    b"65536",
    b"2147483647",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"99999999999999999999999999999999999999",
    b"0x7f",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    "é".as_bytes(),
    "中文".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{10ffff}".as_bytes(),
    b" ",
    b"\t",
    b"\x0b",
    b"\x7f",
    b"9999-12-31T23:59:59Z",
    b"0000-00-00T00:00:00Z",
    b"2026-02-30T25:61:61Z",
    b"00010101T000000Z",
    b"bytes=0-",
    b"bytes=-0",
    b"bytes=18446744073709551615-18446744073709551615",
    b"W/\"",
    b"*",
    b"ffffffffffffffff\r\n",
    b";chunk-signature=",
    b"multipart/form-data; boundary=",
    b"--",
    b"Content-Disposition: form-data; name=\"file\"",
];

/// Changes `input` a few times; `other` is another input of the same corpus.
pub fn mutate(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    // Mostly one change, so that what is around it still parses.
    let mut left = 1 + random.below(3) * random.below(3);
    while left > 0 {
        once(random, input, other);
        left -= 1;
    }
    input.truncate(MAX_BYTES);
}

fn once(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    let at = random.below(input.len() + 1);
    let length = span(random, input.len() - at);
    match random.below(13) {
        0 => flip_bit(random, input),
        1 => set_byte(random, input),
        2 => drop(input.drain(at..at + length)),
        3 => input.truncate(at),
        4 => {
            let piece = input[at..at + length].to_vec();
            insert(input, at, &piece);
        }
        5 => repeat(random, input, at, length),
        6 | 7 => {
            let word = random.pick(DICTIONARY).copied().unwrap_or_default();
            insert(input, at, word);
        }
        8 => {
            let word = random.pick(DICTIONARY).copied().unwrap_or_default();
            input.splice(at..at + length, word.iter().copied());
        }
        9 => replace_number(random, input),
        10 => {
            let from = random.below(other.len() + 1);
            let piece = &other[from..from + span(random, other.len() - from)];
            input.splice(at..at + length, piece.iter().copied());
        }
        11 => {
            // The beginning of this one and the end of the other.
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let noise: Vec<u8> = (0..1 + random.below(8)).map(|_| random.byte()).collect();
            insert(input, at, &noise);
        }
    }
}

/// Mostly short, now and then anything.
fn span(random: &mut Random, most: usize) -> usize {
    let end = if random.one_in(4) { most + 1 } else { most.min(16) + 1 };
    random.below(end)
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

fn flip_bit(random: &mut Random, input: &mut [u8]) {
    let at = random.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn set_byte(random: &mut Random, input: &mut [u8]) {
    let (at, to) = (random.below(input.len()), random.byte());
    if let Some(byte) = input.get_mut(at) {
        *byte = to;
    }
}

/// Values that are long: nothing may be quadratic in them or keep them.
fn repeat(random: &mut Random, input: &mut Vec<u8>, at: usize, length: usize) {
    let piece = if length == 0 { vec![b'a'] } else { input[at..at + length].to_vec() };
    let most = if random.one_in(8) { MAX_BYTES } else { 512 };
    let times = 1 + random.below(most / piece.len().max(1) + 1);
    insert(input, at, &piece.repeat(times));
}

fn replace_number(random: &mut Random, input: &mut Vec<u8>) {
    let start = random.below(input.len());
    let Some(from) = input[start..].iter().position(u8::is_ascii_digit).map(|at| start + at) else { return };
    let to = input[from..].iter().position(|byte| !byte.is_ascii_digit()).map_or(input.len(), |at| from + at);
    let number = match random.below(6) {
        0 => random.number().to_string(),
        1 => format!("-{}", random.below(100)),
        2 => random.below(3000).to_string(),
        3 => "0".repeat(1 + random.below(30)),
        4 => (1u128 << random.below(80)).to_string(),
        _ => ((1u128 << random.below(80)) - 1).to_string(),
    };
    input.splice(from..to, number.into_bytes());
}
