//! A secret that was dropped is nowhere in the memory of the process: not where it was given, sealed
//! or opened, not in what the allocator keeps, not on a stack.
//!
//! The test is alone in its program, so that nothing else allocates over what would be left.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use tenon_host::{CredentialPlace, SealingKeys, Secret};
use zeroize::{Zeroize as _, Zeroizing};

/// What is looked for is kept under this mask, so that looking finds no pattern of its own.
const MASK: u8 = 0xa5;
/// So many bytes in a row are a piece of the secret, and no accident.
const PIECE: usize = 8;
const LENGTH: usize = 61;

/// Any piece of a secret, masked.
struct Pattern(HashSet<u64>);

impl Pattern {
    fn new(masked: &[u8]) -> Pattern {
        let pieces = masked.windows(PIECE).map(|piece| {
            let piece = piece.try_into().expect("a window of this size");
            u64::from_ne_bytes(piece)
        });
        Pattern(pieces.collect())
    }

    /// How many pieces are in the writable memory of this process.
    fn count(&self) -> usize {
        let maps = fs::read_to_string("/proc/self/maps").expect("a list of regions");
        let memory = File::open("/proc/self/mem").expect("this process's memory");
        // Wiped after each look: it must not be where a secret is found later.
        let mut window = Zeroizing::new(vec![0; 1 << 16]);
        let mut found = 0;
        for region in maps.lines() {
            let mut fields = region.split_whitespace();
            let (Some(range), Some(rights)) = (fields.next(), fields.next()) else {
                panic!("a region without a range: {region}");
            };
            if !rights.starts_with("rw") {
                continue;
            }
            let (start, end) = range.split_once('-').expect("a start and an end");
            let [mut start, end] =
                [start, end].map(|place| u64::from_str_radix(place, 16).expect("an address"));
            // Windows overlap, so that no piece is cut by their edge.
            while start + PIECE as u64 <= end {
                let length = window.len().min((end - start) as usize);
                // A region can have shrunk since it was listed.
                let read = memory.read_at(&mut window[..length], start).unwrap_or(0);
                found += self.count_in(&window[..read]);
                window[..read].zeroize();
                start += (length - (PIECE - 1)) as u64;
            }
        }
        found
    }

    fn count_in(&self, bytes: &[u8]) -> usize {
        const MASKS: u64 = u64::from_ne_bytes([MASK; PIECE]);
        let pieces = bytes.windows(PIECE).map(|piece| {
            let piece = piece.try_into().expect("a window of this size");
            u64::from_ne_bytes(piece) ^ MASKS
        });
        pieces.filter(|piece| self.0.contains(piece)).count()
    }
}

/// A random secret, made in the place where it stays, and the pattern of it.
fn secret() -> (Secret, Pattern) {
    let mut text = String::with_capacity(LENGTH);
    let mut masked = Vec::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        let letter = fastrand::alphanumeric();
        text.push(letter);
        masked.push(letter as u8 ^ MASK);
    }
    (Secret::new(text), Pattern::new(&masked))
}

#[test]
fn a_dropped_secret_leaves_no_piece_of_it_in_memory() {
    let (tenant, connection) = ("shop".parse().unwrap(), "keycrm".parse().unwrap());
    let place = CredentialPlace {
        tenant: &tenant,
        connection: &connection,
        name: "api_key",
    };
    let keys = SealingKeys::generate();
    let (given, pattern) = secret();
    let whole = LENGTH - PIECE + 1;
    assert!(pattern.count() >= whole, "a living secret is found");

    let copy = given.clone();
    let sealed = keys.seal(place, &given);
    let opened = keys.open(place, &sealed).unwrap();
    drop((given, copy));
    assert!(pattern.count() >= whole, "an opened secret is found");

    drop(opened);
    assert_eq!(0, pattern.count(), "pieces of a dropped secret are found");
    assert!(keys.open(place, &sealed).is_ok(), "it was really sealed");
    assert_eq!(0, pattern.count(), "pieces of an opened secret are found");
}
