//! Who made a component: its minisign signature against the keys that the operators trust.
//!
//! The threat is a component that somebody else made, put in the place of the right one: in a
//! registry that was broken into, on a disk, on the way. A digest does not help, because who changes
//! the bytes changes the digest beside them. A signature does, as long as the secret key is kept
//! elsewhere.
//!
//! A signature says who made these bytes. It does not say that they are the newest ones, nor that
//! they are what a tag should name: an old signed version stays a signed one.
//!
//! As long as signatures are not required, whoever can change a component can take its signature
//! away too, and the answer only tells people what there is. A signature that does not fit is
//! refused in any case: nobody has one by accident.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};

/// Longest text that can be a signature.
pub const MOST_SIGNATURE_BYTES: u64 = 4096;

/// The first bytes of a signature over the hash of the component. The other kind, over the component
/// itself, is no longer made by default.
const HASHED: [u8; 2] = *b"ED";
const WHOLE: [u8; 2] = *b"Ed";

/// Which signatures are good, and whether there has to be one.
#[derive(Clone, Debug, Default)]
pub struct SignaturePolicy {
    /// The keys of those whose components are taken as theirs.
    pub trusted_keys: Vec<TrustedKey>,
    /// Whether a component without a signature by one of them is refused.
    pub required: bool,
}

/// A public key that is trusted.
///
/// It is written as minisign shows it: one line, or the whole file `minisign.pub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    id: KeyId,
    key: PublicKey,
}

/// The name of a key pair, as minisign shows it. It identifies nobody: anybody can make a key with
/// any name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(u64);

/// The text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a minisign public key; give its line that starts with RW, or the text of the file \
     minisign.pub"
)]
pub struct BadKey;

/// The component is not taken, for want of a good signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error(
        "the component is not signed, and only signed ones are taken; sign it with `minisign -S` \
         and give the signature with it"
    )]
    Missing,
    /// It is not a signature at all.
    #[error("the signature is not one of minisign; give the whole text of the .minisig file")]
    Malformed,
    /// It was made over the component instead of its hash.
    #[error("the signature is of minisign's old kind; sign the component again without -l")]
    OldKind,
    /// The key is not among the trusted ones.
    #[error(
        "the component is signed with the key {by}, which is not trusted; if it should be, add its \
         public key to the trusted ones"
    )]
    Untrusted {
        /// The key that the signature names.
        by: KeyId,
    },
    /// The key is trusted, and did not sign this.
    #[error(
        "the signature with the key {by} belongs to other bytes than these; get the component and \
         its signature anew, and do not install this one"
    )]
    Mismatch {
        /// The key that the signature names.
        by: KeyId,
    },
}

impl SignaturePolicy {
    /// The trusted key that signed the component, if one did.
    pub fn check(
        &self,
        component: &[u8],
        signature: Option<&str>,
    ) -> Result<Option<KeyId>, SignatureError> {
        let Some(text) = signature else {
            return if self.required {
                Err(SignatureError::Missing)
            } else {
                Ok(None)
            };
        };
        let (by, signature) = parse(text)?;
        let named = |trusted: &&TrustedKey| trusted.id == by;
        let mut candidates = self.trusted_keys.iter().filter(named).peekable();
        if candidates.peek().is_none() {
            return if self.required {
                Err(SignatureError::Untrusted { by })
            } else {
                Ok(None)
            };
        }
        if candidates.any(|trusted| trusted.key.verify(component, &signature, false).is_ok()) {
            Ok(Some(by))
        } else {
            Err(SignatureError::Mismatch { by })
        }
    }
}

fn parse(text: &str) -> Result<(KeyId, Signature), SignatureError> {
    let signature = Signature::decode(text).map_err(|_| SignatureError::Malformed)?;
    let line = text.lines().nth(1).ok_or(SignatureError::Malformed)?;
    match KeyId::of(line) {
        Some((HASHED, by)) => Ok((by, signature)),
        Some((WHOLE, _)) => Err(SignatureError::OldKind),
        _ => Err(SignatureError::Malformed),
    }
}

impl KeyId {
    /// The kind and the key that an encoded key or signature begins with.
    fn of(encoded: &str) -> Option<([u8; 2], KeyId)> {
        let bytes = STANDARD.decode(encoded).ok()?;
        let (kind, rest) = bytes.split_first_chunk()?;
        let id = rest.first_chunk()?;
        Some((*kind, KeyId(u64::from_le_bytes(*id))))
    }
}

impl FromStr for TrustedKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<TrustedKey, BadKey> {
        // In a file a comment stands before it.
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let encoded = lines.next_back().ok_or(BadKey)?;
        let (_, id) = KeyId::of(encoded).ok_or(BadKey)?;
        let key = PublicKey::from_base64(encoded).map_err(|_| BadKey)?;
        Ok(TrustedKey { id, key })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest component there is. The keys and signatures are minisign 0.11's.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const KEY: &str = include_str!("../../tests/signatures/first.pub");
    const OTHER_KEY: &str = include_str!("../../tests/signatures/second.pub");
    const SIGNATURE: &str = include_str!("../../tests/signatures/by_first.minisig");
    const OTHER_SIGNATURE: &str = include_str!("../../tests/signatures/by_second.minisig");
    /// By the first key, over another component.
    const SIGNATURE_OF_ANOTHER: &str = include_str!("../../tests/signatures/of_another.minisig");
    /// By the first key, made with `-l`.
    const OLD_SIGNATURE: &str = include_str!("../../tests/signatures/old_kind.minisig");

    fn policy(keys: &[&str], required: bool) -> SignaturePolicy {
        let keys = keys.iter().map(|key| key.parse().unwrap());
        SignaturePolicy {
            trusted_keys: keys.collect(),
            required,
        }
    }

    fn id(key: &str) -> KeyId {
        key.parse::<TrustedKey>().unwrap().id
    }

    #[test]
    fn a_good_signature_names_its_key_whether_required_or_not() {
        for required in [false, true] {
            let policy = policy(&[OTHER_KEY, KEY], required);
            let by = policy.check(COMPONENT, Some(SIGNATURE)).unwrap().unwrap();
            assert_eq!("5BFE0E5FFF3FE720", by.to_string());
            let by = policy.check(COMPONENT, Some(OTHER_SIGNATURE)).unwrap();
            assert_eq!("E2810499F3776F92", by.unwrap().to_string());
        }
    }

    #[test]
    fn a_component_without_a_trusted_signature_is_refused_only_where_one_is_required() {
        let untrusted = SignatureError::Untrusted { by: id(OTHER_KEY) };
        for (signature, error) in [
            (None, SignatureError::Missing),
            (Some(OTHER_SIGNATURE), untrusted),
        ] {
            let check = |required| policy(&[KEY], required).check(COMPONENT, signature);
            assert_eq!(Ok(None), check(false));
            assert_eq!(Err(error), check(true));
        }
        let nobody = policy(&[], true).check(COMPONENT, Some(SIGNATURE));
        assert_eq!(Err(SignatureError::Untrusted { by: id(KEY) }), nobody);
    }

    #[test]
    fn a_signature_that_does_not_fit_is_refused_even_where_none_is_required() {
        let retold = SIGNATURE.replace("keycrm 1.0.0", "keycrm 2.0.0");
        let old_name = OTHER_SIGNATURE.lines().nth(1).unwrap();
        let mut forged = STANDARD.decode(old_name).unwrap();
        forged[2..10].copy_from_slice(&id(KEY).0.to_le_bytes());
        let forged = OTHER_SIGNATURE.replace(old_name, &STANDARD.encode(forged));
        let mismatch = SignatureError::Mismatch { by: id(KEY) };
        for (signature, error) in [
            (SIGNATURE_OF_ANOTHER, mismatch),
            (retold.as_str(), mismatch),
            (forged.as_str(), mismatch),
            (OLD_SIGNATURE, SignatureError::OldKind),
            ("", SignatureError::Malformed),
            (KEY, SignatureError::Malformed),
            (&SIGNATURE[..200], SignatureError::Malformed),
        ] {
            for required in [false, true] {
                let checked = policy(&[KEY], required).check(COMPONENT, Some(signature));
                assert_eq!(Err(error), checked, "{signature}");
            }
        }
    }

    #[test]
    fn a_key_is_read_from_its_file_and_from_its_line() {
        let line = KEY.lines().nth(1).unwrap();
        assert_eq!(KEY.parse::<TrustedKey>(), line.parse());
        let signature = SIGNATURE.lines().nth(1).unwrap();
        for text in ["", "untrusted comment: x", "RWQg", &line[1..], signature] {
            assert_eq!(Err(BadKey), text.parse::<TrustedKey>(), "{text}");
        }
    }
}
