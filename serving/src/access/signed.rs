//! Signed tokens and the public keys they are checked with: the parts of RFC 7515 (JWS, compact form) and RFC
//! 7517 (JWK) that RS256 and ES256 need, and nothing else.
//!
//! Which algorithm counts is decided by the *key*, never by the token alone: a token that says another one finds
//! no key. There is no `none` and no shared secret, so neither can be talked into counting.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A way to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// ECDSA over P-256, SHA-256.
    Es256,
}

impl Algorithm {
    fn of(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A token taken apart, nothing of it believed yet.
pub struct SignedToken<'t> {
    /// The algorithm it says; none for one that does not count here.
    pub algorithm: Option<Algorithm>,
    /// The key it says.
    pub key_id: Option<String>,
    /// What was signed.
    message: &'t [u8],
    payload: &'t str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood; none is here.
    #[serde(default)]
    crit: Option<Value>,
}

impl<'t> SignedToken<'t> {
    /// Takes a token apart; none for what has not the form of one.
    pub fn parse(text: &'t str) -> Option<Self> {
        let (message, signature) = text.rsplit_once('.')?;
        let (head, payload) = message.split_once('.')?;
        let head: Head = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
        if head.crit.is_some() || payload.contains('.') {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let algorithm = Algorithm::of(&head.alg);
        Some(Self { algorithm, key_id: head.kid, message: message.as_bytes(), payload, signature })
    }

    /// True when `key` may have signed a token such as this one says it is.
    pub fn names(&self, key: &PublicKey) -> bool {
        let named = self.key_id.is_none() || key.id.is_none() || self.key_id == key.id;
        self.algorithm == Some(key.algorithm()) && named
    }

    /// What the token claims, once `key` turned out to have signed it; none when it did not.
    pub fn claims(&self, key: &PublicKey) -> Option<Map<String, Value>> {
        let checked = match &key.parts {
            KeyParts::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                self.message,
                &self.signature,
            ),
            KeyParts::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(self.message, &self.signature)
            }
        };
        checked.ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(self.payload).ok()?).ok()
    }
}

/// A public key of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: Option<String>,
    parts: KeyParts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyParts {
    /// Modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point.
    P256(Vec<u8>),
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// A key as a JWKS document writes it; what stands in no field here is passed over.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl PublicKey {
    const fn algorithm(&self) -> Algorithm {
        match self.parts {
            KeyParts::Rsa { .. } => Algorithm::Rs256,
            KeyParts::P256(_) => Algorithm::Es256,
        }
    }

    /// The key, if it is one that signs with RS256 or ES256.
    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.is_empty());
        let parts = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => KeyParts::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
            ("EC", Some("P-256")) => {
                let point = [vec![4], bytes(&jwk.x)?, bytes(&jwk.y)?].concat();
                (point.len() == 65).then_some(KeyParts::P256(point))?
            }
            _ => return None,
        };
        let key = Self { id: jwk.kid, parts };
        let fits = jwk.alg.is_none_or(|alg| Algorithm::of(&alg) == Some(key.algorithm()));
        fits.then_some(key)
    }
}

/// The keys of a JWKS document that sign with RS256 or ES256; those for other ends are passed over.
///
/// # Errors
/// When the text is no such document.
pub fn public_keys(text: &str) -> Result<Vec<PublicKey>, serde_json::Error> {
    let set: KeySet = serde_json::from_str(text)?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(keys.filter_map(PublicKey::of).collect())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use scorehouse_entries::near;
    use serde_json::json;

    use super::*;

    /// RFC 7515, appendix A.2.
    const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    /// RFC 7515, appendix A.3.
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const EC_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn keys() -> Vec<PublicKey> {
        let set = json!({"keys": [
            {"kty": "RSA", "n": MODULUS, "e": "AQAB", "use": "sig", "alg": "RS256"},
            {"kty": "EC", "crv": "P-256", "x": X, "y": Y},
        ]});
        public_keys(&set.to_string()).unwrap()
    }

    /// What the first key that a token names makes of it.
    fn opened(token: &str) -> Option<Map<String, Value>> {
        let token = SignedToken::parse(token)?;
        keys().iter().find(|key| token.names(key)).and_then(|key| token.claims(key))
    }

    #[test]
    fn the_tokens_of_the_standard_are_opened_by_their_keys() {
        for token in [RSA_TOKEN, EC_TOKEN] {
            assert_eq!(opened(token).unwrap()["iss"], "joe");
        }
    }

    #[test]
    fn a_token_changed_in_any_place_is_not_opened() {
        for token in [RSA_TOKEN, EC_TOKEN] {
            for at in (0..token.len() - 2).step_by(7) {
                let changed: String = token
                    .chars()
                    .enumerate()
                    .map(|(i, c)| if i == at { if c == 'A' { 'B' } else { 'A' } } else { c })
                    .collect();
                assert_eq!(opened(&changed), None, "{at}");
            }
        }
    }

    #[test]
    fn no_other_algorithm_and_no_extension_counts() {
        let (message, signature) = EC_TOKEN.rsplit_once('.').unwrap();
        let payload = message.split_once('.').unwrap().1;
        for head in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS256"}),
            json!({"alg": "ES256", "crit": ["exp"]}),
            json!({"typ": "JWT"}),
        ] {
            let head = URL_SAFE_NO_PAD.encode(head.to_string());
            assert_eq!(opened(&format!("{head}.{payload}.{signature}")), None, "{head}");
            assert_eq!(opened(&format!("{head}.{payload}.")), None, "{head}");
        }
        for text in ["", "..", "a.b.c", "....", "a.b"] {
            assert!(opened(text).is_none(), "{text}");
        }
    }

    #[test]
    fn bytes_near_a_token_and_near_its_keys_open_nothing_but_what_was_signed() {
        let mut rng = ChaCha8Rng::seed_from_u64(23);
        let set = json!({"keys": [
            {"kty": "RSA", "n": MODULUS, "e": "AQAB", "kid": "a"},
            {"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "b"},
        ]})
        .to_string();
        for token in [RSA_TOKEN, EC_TOKEN] {
            let signed = opened(token);
            for _ in 0..500 {
                let text = String::from_utf8_lossy(&near(token.as_bytes(), &mut rng)).into_owned();
                let found = opened(&text);
                assert!(found.is_none() || found == signed, "{text}");
                let set = String::from_utf8_lossy(&near(set.as_bytes(), &mut rng)).into_owned();
                let Ok(keys) = public_keys(&set) else { continue };
                let token = SignedToken::parse(token).unwrap();
                for found in keys.iter().filter_map(|key| token.claims(key)) {
                    assert_eq!(Some(&found), signed.as_ref(), "{set}");
                }
            }
        }
    }

    #[test]
    fn keys_for_other_ends_are_passed_over() {
        let set = json!({"keys": [
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": "RSA", "n": MODULUS, "e": "AQAB", "use": "enc"},
            {"kty": "RSA", "n": MODULUS, "e": "AQAB", "alg": "PS512"},
            {"kty": "RSA", "n": "", "e": "AQAB"},
            {"kty": "EC", "crv": "P-521", "x": X, "y": Y},
            {"kty": "EC", "crv": "P-256", "x": X, "y": "AQAB"},
            "nonsense",
        ]});
        assert_eq!(public_keys(&set.to_string()).unwrap(), Vec::new());
        assert!(public_keys("{}").is_err() && public_keys("nonsense").is_err());
    }
}
