//! Shapes that cost time, and mutations of a good file.

use super::*;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

#[test]
fn hostile_shapes_cost_no_time() {
    let w = World::new();
    let site = w.site();
    let spent = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let before = spent();
    // Nineteen CAs of one name and key that issue each other.
    let a = sub("/DC=org/DC=example/CN=Loop", key(30), &w.root, |s| s.issuer = named("/DC=org/DC=example/CN=Loop 2"));
    let b = sub("/DC=org/DC=example/CN=Loop 2", key(30), &a, |_| {});
    let looped = |issuer: &Cert| Cert { key: key(30), ..issuer.clone() };
    let a = sub("/DC=org/DC=example/CN=Loop", key(30), &looped(&b), |_| {});
    let alice = eec(ALICE, key(whose::ALICE), &a, |_| {});
    let mut chain = vec![&alice];
    chain.extend([&a, &b].repeat(9));
    assert_eq!(verdict(&site, &file(&chain)), "credential.ca-rules", "a cycle");
    let mut decoys: Vec<Cert> = Vec::new();
    for number in 0..18 {
        decoys.push(eec(ALICE, key(31), &w.root, |s| s.serial = vec![0x50, number]));
    }
    let leaf = proxy(&w.alice, 1);
    let mut chain: Vec<&Cert> = vec![&leaf];
    chain.extend(decoys.iter());
    chain.push(&w.alice);
    assert_eq!(verdict(&site, &file(&chain)), "credential.signature", "18 certificates that could be the issuer");
    assert!(spent() - before < Duration::from_secs(2), "{:?}", spent() - before);
}

#[test]
fn what_is_made_to_cost_much_is_refused_by_a_budget() {
    let mut wrong = Vec::new();
    for hostile in forge::hostile::all() {
        let question = Question { source: hostile.source.as_deref(), ..user(&hostile.user) };
        let answer = judge(&question, &Credentials::default(), &hostile.site.trust(), NOW);
        if line(&answer) != hostile.expected {
            wrong.push(format!("{}: expected {}, got {answer:?}", hostile.name, hostile.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
