//! Credentials at rest. A copied data folder, a backup or a stolen disk must not give them away: what
//! lies there is sealed with a key that lies elsewhere or is at least not part of the copy.
//!
//! Whoever can write the store without having the key must gain nothing either: a sealed credential
//! opens only for the tenant, the connection and the name that it was sealed for, so a row moved to
//! another tenant, or swapped with another name, does not open there.
//!
//! XChaCha20-Poly1305; its nonces are long enough to be random. A sealed credential is
//!
//! ```text
//! version (1 byte) · key id (8) · nonce (24) · ciphertext and tag (length of the secret + 16)
//! ```
//!
//! What this does not answer: somebody who reads this process's memory, or both key and store.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::Generate as _;
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::Secret;
use crate::ids::{ConnectionId, TenantId};

/// The format below. Another one gets another number.
const VERSION: u8 = 1;
const KEY: usize = 32;
const KEY_ID: usize = 8;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEADER: usize = 1 + KEY_ID + NONCE;

/// Nobody else hashes a key with this before it, so a key's id tells nothing about other uses.
const KEY_ID_DOMAIN: &[u8] = b"tenon credential key id\0";

/// The one place where a sealed credential opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialPlace<'a> {
    /// Whose it is.
    pub tenant: &'a TenantId,
    /// The connection that uses it.
    pub connection: &'a ConnectionId,
    /// Its name in the connector's manifest.
    pub name: &'a str,
}

impl CredentialPlace<'_> {
    /// What the tag covers beside the ciphertext. Lengths keep `a`, `bc` from reading as `ab`, `c`.
    fn associated_data(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for part in [self.tenant.as_str(), self.connection.as_str(), self.name] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }
}

/// Why a text is not one or more keys. The text itself is in no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// Nothing but separators.
    #[error("it holds no key; a key is 32 random bytes in base64")]
    Empty,
    /// A key of another form or length; its place among the keys, counted from 1.
    #[error("its key {0} is not 32 bytes in base64")]
    NotAKey(usize),
}

/// Why a sealed credential does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no sealed credential, or a newer version of this program sealed it.
    #[error("it is damaged, or sealed in a format that this version does not know")]
    UnknownFormat,
    /// None of the keys has sealed it.
    #[error("the key that sealed it is missing")]
    KeyMissing,
    /// Its key is there, but it is not what was sealed for this place.
    #[error("it was sealed for another place, or tampered with")]
    Refused,
}

/// The keys of a store of credentials: the first one seals, all of them open, so that a key can be
/// replaced while the store is in use.
pub struct SealingKeys {
    first: SealingKey,
    others: Vec<SealingKey>,
}

impl SealingKeys {
    /// One new key, from the system's randomness.
    ///
    /// # Panics
    /// When the system has no randomness to give.
    pub fn generate() -> SealingKeys {
        SealingKeys {
            first: SealingKey::generate(),
            others: Vec::new(),
        }
    }

    /// Reads keys, each 32 bytes in base64, separated by commas or line breaks.
    pub fn parse(text: &str) -> Result<SealingKeys, BadKeys> {
        let mut keys = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .enumerate()
            .map(|(place, key)| SealingKey::parse(key).ok_or(BadKeys::NotAKey(place + 1)));
        Ok(SealingKeys {
            first: keys.next().ok_or(BadKeys::Empty)??,
            others: keys.collect::<Result<_, _>>()?,
        })
    }

    /// The keys as [`SealingKeys::parse`] reads them, a line each: for the file that keeps them.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity((1 + self.others.len()) * 64));
        for key in self.all() {
            BASE64.encode_string(&key.bytes[..], &mut text);
            text.push('\n');
        }
        text
    }

    /// The same keys behind a new one, which seals from now on.
    ///
    /// # Panics
    /// When the system has no randomness to give.
    #[must_use]
    pub fn with_new_first(self) -> SealingKeys {
        let mut others = vec![self.first];
        others.extend(self.others);
        SealingKeys {
            first: SealingKey::generate(),
            others,
        }
    }

    /// Only the key that seals.
    #[must_use]
    pub fn first_alone(self) -> SealingKeys {
        SealingKeys {
            first: self.first,
            others: Vec::new(),
        }
    }

    /// Whether there are keys that open and no longer seal.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Seals a secret for a place, with the first key.
    ///
    /// # Panics
    /// When the system has no randomness to give.
    pub fn seal(&self, place: CredentialPlace<'_>, secret: &Secret) -> Vec<u8> {
        let secret = secret.expose().as_bytes();
        // Encrypted where it stands, in a buffer that never grows: no copy of it is left behind.
        let mut text = Zeroizing::new(Vec::with_capacity(secret.len() + TAG));
        text.extend_from_slice(secret);
        let nonce = XNonce::generate();
        let cipher = self.first.cipher();
        (cipher.encrypt_in_place(&nonce, &place.associated_data(), &mut *text))
            .expect("a secret is shorter than the cipher's 256 GiB");
        let mut sealed = Vec::with_capacity(HEADER + text.len());
        sealed.push(VERSION);
        sealed.extend(self.first.id);
        sealed.extend(nonce);
        sealed.extend_from_slice(&text);
        sealed
    }

    /// Opens what was sealed for this very place with one of the keys.
    pub fn open(&self, place: CredentialPlace<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        let sealed = Sealed::read(sealed).ok_or(OpenError::UnknownFormat)?;
        let key = (self.all())
            .find(|key| key.id == sealed.key_id)
            .ok_or(OpenError::KeyMissing)?;
        let mut text = Zeroizing::new(sealed.ciphertext.to_vec());
        let nonce = XNonce::from(sealed.nonce);
        let cipher = key.cipher();
        (cipher.decrypt_in_place(&nonce, &place.associated_data(), &mut *text))
            .map_err(|_| OpenError::Refused)?;
        let text = std::str::from_utf8(&text).map_err(|_| OpenError::UnknownFormat)?;
        Ok(Secret::new(text.to_owned()))
    }

    /// Whether something other than the first key sealed it.
    pub fn needs_resealing(&self, sealed: &[u8]) -> bool {
        Sealed::read(sealed).is_none_or(|sealed| sealed.key_id != self.first.id)
    }

    fn all(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKeys(…)")
    }
}

/// One key. Its bytes stay where they were made: moving the value moves a pointer.
struct SealingKey {
    id: [u8; KEY_ID],
    bytes: Box<Zeroizing<[u8; KEY]>>,
}

impl SealingKey {
    fn new(fill: impl FnOnce(&mut [u8; KEY]) -> Option<()>) -> Option<SealingKey> {
        let mut bytes = Box::new(Zeroizing::new([0; KEY]));
        fill(&mut bytes)?;
        let digest = Sha256::new()
            .chain_update(KEY_ID_DOMAIN)
            .chain_update(&bytes[..])
            .finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Some(SealingKey { id, bytes })
    }

    fn generate() -> SealingKey {
        SealingKey::new(|bytes| {
            bytes.copy_from_slice(&Zeroizing::new(<[u8; KEY]>::generate())[..]);
            Some(())
        })
        .expect("random bytes are always a key")
    }

    fn parse(text: &str) -> Option<SealingKey> {
        SealingKey::new(|bytes| {
            // The decoder wants room for whole groups of three bytes.
            let mut decoded = Zeroizing::new([0; KEY.next_multiple_of(3)]);
            let length = BASE64.decode_slice(text, &mut decoded[..]).ok()?;
            bytes.copy_from_slice(decoded.get(..length).filter(|key| key.len() == KEY)?);
            Some(())
        })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let bytes: &[u8; KEY] = &self.bytes;
        XChaCha20Poly1305::new(bytes.into())
    }
}

/// The parts of a sealed credential.
struct Sealed<'a> {
    key_id: [u8; KEY_ID],
    nonce: [u8; NONCE],
    ciphertext: &'a [u8],
}

impl Sealed<'_> {
    fn read(bytes: &[u8]) -> Option<Sealed<'_>> {
        let (version, rest) = bytes.split_first()?;
        let (key_id, rest) = rest.split_first_chunk()?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        (*version == VERSION && ciphertext.len() >= TAG).then_some(Sealed {
            key_id: *key_id,
            nonce: *nonce,
            ciphertext,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "kc-9f8e7d6c5b4a";

    /// A tenant, a connection and a name to be at.
    struct Named(TenantId, ConnectionId, &'static str);

    impl Named {
        fn place(&self) -> CredentialPlace<'_> {
            CredentialPlace {
                tenant: &self.0,
                connection: &self.1,
                name: self.2,
            }
        }
    }

    fn named(tenant: &str, connection: &str, name: &'static str) -> Named {
        Named(tenant.parse().unwrap(), connection.parse().unwrap(), name)
    }

    fn here() -> Named {
        named("shop", "keycrm", "api_key")
    }

    fn secret() -> Secret {
        Secret::new(TEXT.to_owned())
    }

    /// The same keys again, in this order.
    fn joined(keys: &[&SealingKeys]) -> SealingKeys {
        let texts: Vec<_> = keys.iter().map(|keys| keys.expose().to_string()).collect();
        SealingKeys::parse(&texts.join(",")).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_at_its_place() {
        let keys = SealingKeys::generate();
        for text in ["", "x", TEXT, "пароль 🔑", &"long ".repeat(10_000)] {
            let sealed = keys.seal(here().place(), &Secret::new(text.to_owned()));
            assert_eq!(HEADER + text.len() + TAG, sealed.len());
            let opened = keys.open(here().place(), &sealed).unwrap();
            assert_eq!(text, opened.expose());
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes_without_the_secret() {
        let keys = SealingKeys::generate();
        let sealed = [0, 1].map(|_| keys.seal(here().place(), &secret()));
        assert_ne!(sealed[0][1 + KEY_ID..], sealed[1][1 + KEY_ID..]);
        for sealed in sealed {
            assert!(memchr::memmem::find(&sealed, &TEXT.as_bytes()[..6]).is_none());
        }
    }

    #[test]
    fn it_does_not_open_at_another_place() {
        let keys = SealingKeys::generate();
        let sealed = keys.seal(here().place(), &secret());
        let elsewhere = [
            named("shop2", "keycrm", "api_key"),
            named("shop", "keycrm2", "api_key"),
            named("shop", "keycrm", "token"),
            named("keycrm", "shop", "api_key"),
            // The same characters in a row, cut elsewhere.
            named("shopk", "eycrm", "api_key"),
            named("shop", "keycrma", "pi_key"),
        ];
        for other in elsewhere {
            let opened = keys.open(other.place(), &sealed);
            assert_eq!(Some(OpenError::Refused), opened.err(), "{:?}", other.0);
        }
    }

    #[test]
    fn with_one_bit_flipped_anywhere_it_does_not_open() {
        let keys = SealingKeys::generate();
        let sealed = keys.seal(here().place(), &secret());
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                0 => OpenError::UnknownFormat,
                1..=KEY_ID => OpenError::KeyMissing,
                _ => OpenError::Refused,
            };
            let opened = keys.open(here().place(), &flipped);
            assert_eq!(Some(expected), opened.err(), "bit {bit}");
        }
    }

    #[test]
    fn cut_short_or_made_longer_it_does_not_open() {
        let keys = SealingKeys::generate();
        let sealed = keys.seal(here().place(), &secret());
        for length in 0..sealed.len() {
            let opened = keys.open(here().place(), &sealed[..length]);
            assert!(opened.is_err(), "{length} bytes");
        }
        let longer = [&sealed[..], &[0]].concat();
        let opened = keys.open(here().place(), &longer);
        assert_eq!(Some(OpenError::Refused), opened.err());
    }

    #[test]
    fn a_key_that_is_not_there_is_said_to_be_missing() {
        let sealed = SealingKeys::generate().seal(here().place(), &secret());
        let opened = SealingKeys::generate().open(here().place(), &sealed);
        assert_eq!(Some(OpenError::KeyMissing), opened.err());
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = SealingKeys::generate();
        let sealed_before = old.seal(here().place(), &secret());
        assert!(!old.needs_resealing(&sealed_before));

        let both = joined(&[&old]).with_new_first();
        assert!(both.has_others() && both.needs_resealing(&sealed_before));
        assert!(both.open(here().place(), &sealed_before).is_ok());
        let sealed_after = both.seal(here().place(), &secret());
        assert!(!both.needs_resealing(&sealed_after));

        let new = both.first_alone();
        assert!(!new.has_others());
        assert!(new.open(here().place(), &sealed_after).is_ok());
        let opened = new.open(here().place(), &sealed_before);
        assert_eq!(Some(OpenError::KeyMissing), opened.err());
        let opened = old.open(here().place(), &sealed_after);
        assert_eq!(Some(OpenError::KeyMissing), opened.err());
        // The order decides which key seals, not which opens.
        let turned = joined(&[&old, &new]);
        assert!(turned.needs_resealing(&sealed_after) && !turned.needs_resealing(&sealed_before));
        for sealed in [&sealed_before, &sealed_after] {
            assert!(turned.open(here().place(), sealed).is_ok());
        }
        assert!(new.needs_resealing(b"no sealed credential"));
    }

    #[test]
    fn keys_are_read_from_a_variable_or_the_lines_of_a_file() {
        let keys = [0, 1].map(|_| SealingKeys::generate().expose().trim().to_owned());
        let [a, b] = &keys;
        for text in [
            format!("{a},{b}"),
            format!("{a}\n{b}\n"),
            format!(" {a} ,\r\n{b}\r\n,"),
        ] {
            let read = SealingKeys::parse(&text).unwrap();
            assert_eq!(format!("{a}\n{b}\n"), *read.expose());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_place_and_never_quoted() {
        let good = SealingKeys::generate().expose().trim().to_owned();
        let bad = |key: &str| (format!("{good},{key}"), BadKeys::NotAKey(2));
        let cases = [
            (String::new(), BadKeys::Empty),
            (" ,\n, ".to_owned(), BadKeys::Empty),
            ("hunter2".to_owned(), BadKeys::NotAKey(1)),
            bad("!unter2!"),
            bad(&BASE64.encode([7; KEY - 1])),
            bad(&BASE64.encode([7; KEY + 1])),
            bad(&BASE64.encode([7; 3 * KEY])),
            bad(good.trim_end_matches('=')),
            bad(&good[1..]),
        ];
        for (text, expected) in cases {
            let error = SealingKeys::parse(&text).err();
            assert_eq!(Some(expected), error, "{text}");
            let told = format!("{expected} {expected:?}");
            let quoted =
                (text.split(',').filter(|key| key.len() > 3)).any(|key| told.contains(key));
            assert!(!quoted, "{told}");
        }
    }

    #[test]
    fn debug_text_does_not_tell_the_keys() {
        let keys = SealingKeys::generate();
        assert_eq!("SealingKeys(…)", format!("{keys:?}"));
    }
}
