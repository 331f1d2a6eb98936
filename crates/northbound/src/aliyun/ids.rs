//! How ids are spelled here: 26 letters and digits that end in `0100` (contract §3).
//!
//! The first 22 are the id's 12 bytes and 4 bytes of their SHA-256, as one number in base 62. The check makes a mistyped id,
//! or one of another service, an unknown package instead of somebody else's.

use otaru_model::Id;

use crate::wire::digest::sha256;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62²² is the first power that is larger than every number of 16 bytes.
const DIGITS: usize = 22;
const ENDING: &str = "0100";
const TEN_DIGITS: u128 = 62u128.pow(10);

/// Spells a package's id.
pub fn spell(id: &Id) -> String {
    let mut number = u128::from_be_bytes(checked(id));
    let mut digits = [b'0'; DIGITS];
    // Ten digits fit into 64 bits, in which numbers are divided much faster.
    for part in digits.rchunks_mut(10) {
        let mut rest = (number % TEN_DIGITS) as u64;
        number /= TEN_DIGITS;
        for digit in part.iter_mut().rev() {
            // A remainder of 62 is below 62.
            *digit = LETTERS[(rest % 62) as usize];
            rest /= 62;
        }
    }
    let mut text = String::with_capacity(DIGITS + ENDING.len());
    text.extend(digits.map(char::from));
    text.push_str(ENDING);
    text
}

/// Reads exactly what [`spell`] writes.
pub fn read(text: &str) -> Option<Id> {
    let digits = text.strip_suffix(ENDING).filter(|digits| digits.len() == DIGITS)?;
    let mut number: u128 = 0;
    for digit in digits.bytes() {
        let value = LETTERS.iter().position(|&letter| letter == digit)?;
        number = number.checked_mul(62)?.checked_add(value as u128)?;
    }
    let bytes = number.to_be_bytes();
    let id = Id::try_from(&bytes[..12]).ok()?;
    (checked(&id) == bytes).then_some(id)
}

fn checked(id: &Id) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..12].copy_from_slice(id.as_bytes());
    bytes[12..].copy_from_slice(&sha256(id.as_bytes())[..4]);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_smallest_and_the_largest_id() {
        for id in [Id::MIN, Id::MAX] {
            assert_eq!(spell(&id).len(), 26);
            assert_eq!(read(&spell(&id)), Some(id));
        }
    }

    proptest! {
        #[test]
        fn an_id_and_its_spelling_are_the_same_thing(bytes: [u8; 12]) {
            let id = Id::from_bytes(bytes);
            let text = spell(&id);
            prop_assert!(text.len() == 26 && text.ends_with("0100"));
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(read(&text), Some(id));
        }

        #[test]
        fn a_changed_letter_is_noticed(bytes: [u8; 12], at in 0usize..22, letter in "[0-9A-Za-z]") {
            let text = spell(&Id::from_bytes(bytes));
            let mut changed = text.clone();
            changed.replace_range(at..=at, &letter);
            prop_assume!(changed != text);
            prop_assert_eq!(read(&changed), None);
        }

        #[test]
        fn other_texts_are_no_ids(text in "[0-9A-Za-z]{22}0100|.{0,30}") {
            if let Some(id) = read(&text) {
                prop_assert_eq!(spell(&id), text);
            }
        }
    }
}
