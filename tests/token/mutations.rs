//! What no change of a good token reaches: another subject, or more groups.

use crate::jwt;
use crate::world::{World, token};
use proptest::prelude::RngCore;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// How many changes are tried; `make fuzz` tries MUTATIONS.
fn number() -> u64 {
    std::env::var("MUTATIONS").ok().and_then(|number| number.parse().ok()).unwrap_or(5_000)
}

/// One change of a text.
fn mutated(good: &[u8], rng: &mut TestRng) -> Vec<u8> {
    const WORDS: [&[u8]; 6] = [b".", b"=", b"eyJ", b"\"sub\"", b"AAAA", b" "];
    let mut bytes = good.to_vec();
    for _ in 0..=rng.next_u32() % 3 {
        let at = rng.next_u32() as usize % bytes.len().max(1);
        match rng.next_u32() % 6 {
            0 => bytes[at] ^= 1 << (rng.next_u32() % 8),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, rng.next_u32() as u8),
            3 => bytes.truncate(at.max(1)),
            4 => {
                let end = at + (rng.next_u32() as usize % 32).min(bytes.len() - at);
                let piece = bytes[at..end].to_vec();
                let to = rng.next_u32() as usize % bytes.len();
                bytes.splice(to..to, piece);
            }
            _ => {
                let word = WORDS[rng.next_u32() as usize % WORDS.len()];
                bytes.splice(at..at, word.iter().copied());
            }
        }
        if bytes.is_empty() {
            bytes.push(b'.');
        }
    }
    bytes
}

/// The same, in what a part of the token says: encoded again, with the signature of before.
fn mutated_inside(good: &str, rng: &mut TestRng) -> Vec<u8> {
    let parts: Vec<&str> = good.split('.').collect();
    let which = rng.next_u32() as usize % 3;
    let decoded = jwt::decode(parts[which]);
    let changed = jwt::base64url(&mutated(&decoded, rng));
    let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
    parts[which] = changed;
    parts.join(".").into_bytes()
}

#[test]
fn no_mutation_of_a_good_token_is_another_subject_or_has_more_groups() {
    let world = World::new();
    let good = token(&[("wlcg.groups", "[\"/testvo/a\",\"/testvo\"]")]);
    let original = world.judge(good.as_bytes()).unwrap();
    let seed: [u8; 32] = *b"a seed that is the same each run";
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut accepted = 0_u64;
    for round in 0..number() {
        let token = match round % 2 {
            0 => mutated(good.as_bytes(), &mut rng),
            _ => mutated_inside(&good, &mut rng),
        };
        if let Ok(identity) = world.judge(&token) {
            accepted += 1;
            let shown = String::from_utf8_lossy(&token);
            assert_eq!(identity.subject, original.subject, "{shown}");
            assert!(identity.fqans.iter().all(|fqan| original.fqans.contains(fqan)), "{shown}");
        }
    }
    // White space at the ends, the least.
    assert!(accepted < number() / 2, "{accepted} are still the token");
}
