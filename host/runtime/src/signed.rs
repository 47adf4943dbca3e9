//! Whether a webhook is the counterpart's.
//!
//! The threat: an address leaks, and whoever has it makes connections work for nothing, or passes
//! invented orders to a connector that takes what a webhook says for true. A counterpart that signs
//! its webhooks shares a secret with the host alone: the component declares how, and sees neither the
//! secret nor a message that was signed with another.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use ring::hmac;

use crate::manifest::{WebhookScheme, WebhookSignature};
use crate::secret::Secret;

/// Some write the name of the digest before it.
const PREFIX: &str = "sha256=";

/// Whether one of the headers signs the body with this secret.
pub(crate) fn is_signed(
    signature: &WebhookSignature,
    secret: &Secret,
    headers: &[(String, String)],
    body: &[u8],
) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let given = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(&signature.header));
    let fits = |value: &str| match signature.scheme {
        WebhookScheme::HmacSha256Hex => {
            hex::decode(bare(value)).is_ok_and(|tag| hmac::verify(&key, body, &tag).is_ok())
        }
        WebhookScheme::HmacSha256Base64 => {
            (BASE64.decode(bare(value))).is_ok_and(|tag| hmac::verify(&key, body, &tag).is_ok())
        }
        // Digests are compared instead of the texts, whose comparison would tell how much of the
        // secret was right.
        WebhookScheme::Secret => {
            let tag = hmac::sign(&key, secret.expose().as_bytes());
            hmac::verify(&key, value.trim().as_bytes(), tag.as_ref()).is_ok()
        }
    };
    given.map(|(_, value)| value.as_str()).any(fits)
}

fn bare(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix(PREFIX).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    const KEY: &str = "Jefe";
    const BODY: &[u8] = b"what do ya want for nothing?";
    const TAG: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    fn holds(scheme: WebhookScheme, secret: &str, header: (&str, &str), body: &[u8]) -> bool {
        let signature = WebhookSignature {
            credential: "hook".to_owned(),
            header: "X-Signature".to_owned(),
            scheme,
        };
        let headers = [(header.0.to_owned(), header.1.to_owned())];
        is_signed(&signature, &Secret::new(secret.to_owned()), &headers, body)
    }

    #[test]
    fn only_who_has_the_secret_signs() {
        let scheme = WebhookScheme::HmacSha256Hex;
        assert!(holds(scheme, KEY, ("x-signature", TAG), BODY));
        assert!(holds(
            scheme,
            KEY,
            ("X-Signature", &TAG.to_uppercase()),
            BODY
        ));
        assert!(holds(
            scheme,
            KEY,
            ("x-signature", &format!("sha256={TAG}")),
            BODY
        ));
        for (secret, header, body) in [
            ("jefe", ("x-signature", TAG), BODY),
            (KEY, ("x-signature", TAG), b"something else".as_slice()),
            (KEY, ("x-other", TAG), BODY),
            (KEY, ("x-signature", &TAG[..62]), BODY),
            (KEY, ("x-signature", &TAG[..63]), BODY),
            (KEY, ("x-signature", "her majesty"), BODY),
            (KEY, ("x-signature", ""), BODY),
        ] {
            assert!(!holds(scheme, secret, header, body), "{secret} {header:?}");
        }
        let encoded = BASE64.encode(hex::decode(TAG).expect("hex"));
        assert!(holds(
            WebhookScheme::HmacSha256Base64,
            KEY,
            ("x-signature", &encoded),
            BODY
        ));
        assert!(!holds(
            WebhookScheme::HmacSha256Base64,
            KEY,
            ("x-signature", TAG),
            BODY
        ));
    }

    #[test]
    fn a_secret_in_a_header_is_the_whole_secret() {
        let scheme = WebhookScheme::Secret;
        assert!(holds(scheme, KEY, ("x-signature", KEY), BODY));
        for given in ["", "Jef", "Jefe2", TAG] {
            assert!(!holds(scheme, KEY, ("x-signature", given), BODY), "{given}");
        }
    }
}
