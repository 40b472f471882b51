//! Proof that a delivery comes from here: HMAC-SHA256 over its time and body.

use std::fmt::Write;

use ring::hmac;

/// What stands in `X-Scorehouse-Signature` for a body sent at `seconds` since 1970: `t=SECONDS,v1=HEX`, where HEX is the
/// HMAC-SHA256 of `SECONDS.BODY` under the webhook's secret (RFC 2104, FIPS 180-4).
///
/// A receiver computes the same over the bytes it got, compares in constant time, and refuses what is older than a few
/// minutes.
#[must_use]
pub fn signature(secret: &[u8], seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(seconds.to_string().as_bytes());
    context.update(b".");
    context.update(body.as_bytes());
    let mut text = format!("t={seconds},v1=");
    for byte in context.sign().as_ref() {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_any_other_library_computes() {
        // python3 -c "import hmac; print(hmac.new(b'key', b'1700000000.{}', 'sha256').hexdigest())"
        let expected = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(signature(b"key", 1_700_000_000, "{}"), expected);
        assert_ne!(signature(b"key", 1_700_000_001, "{}"), expected);
        assert_ne!(signature(b"kez", 1_700_000_000, "{}"), expected);
    }
}
