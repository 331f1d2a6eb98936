//! `Content-Disposition`: the name a downloaded file should be stored under (RFC 6266).

use std::fmt::Write;

/// `attachment; filename=name.bin`, unquoted where the name is a token: a device SDK in the field
/// takes everything behind the equals sign as the name, quotes included. Any other name is quoted,
/// with what ASCII cannot say replaced by `_`, and followed by its exact spelling as `filename*`
/// (RFC 8187).
#[must_use]
pub fn attachment(file_name: &str) -> String {
    if !file_name.is_empty() && file_name.bytes().all(is_token) {
        return format!("attachment; filename={file_name}");
    }
    let plain: String = file_name
        .chars()
        .map(|c| if (c.is_ascii_graphic() && !matches!(c, '"' | '\\')) || c == ' ' { c } else { '_' })
        .collect();
    let mut value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''");
    for byte in file_name.bytes() {
        if is_attribute(byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `attr-char` of RFC 8187 section 3.2.1.
fn is_attribute(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_goes_unquoted() {
        assert_eq!(attachment("fw-1.0.1.swu"), "attachment; filename=fw-1.0.1.swu");
        assert_eq!(attachment("name.bin"), "attachment; filename=name.bin");
    }

    #[test]
    fn any_other_name_is_quoted_and_spelled_out() {
        for (name, expected) in [
            ("my file.bin", "attachment; filename=\"my file.bin\"; filename*=UTF-8''my%20file.bin"),
            ("固件.bin", "attachment; filename=\"__.bin\"; filename*=UTF-8''%E5%9B%BA%E4%BB%B6.bin"),
            ("a\"b\\c.bin", "attachment; filename=\"a_b_c.bin\"; filename*=UTF-8''a%22b%5Cc.bin"),
            ("", "attachment; filename=\"\"; filename*=UTF-8''"),
            (
                "x\r\nSet-Cookie: a",
                "attachment; filename=\"x__Set-Cookie: a\"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a",
            ),
        ] {
            let value = attachment(name);
            assert_eq!(value, expected);
            assert!(HeaderValue::from_str(&value).is_ok(), "{value}");
        }
    }
}
