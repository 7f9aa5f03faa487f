//! Shapes that cost time, and mutations of a good file.

use super::*;

#[test]
fn hostile_shapes_cost_no_time() {
    let w = World::new();
    let site = w.site();
    let started = std::time::Instant::now();
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
    assert!(started.elapsed().as_secs() < 2);
}

#[test]
fn no_mutation_of_a_good_file_becomes_somebody_else() {
    let w = World::new();
    let site = w.site();
    let ac = ac(&w.alice, &w.server, &["/testvo/Role=pilot", "/testvo"], |_| {});
    let p1 = voms_proxy(&w.alice, 1, &[ac]);
    let p2 = limited(&p1, 2);
    let good = file(&[&p2, &p1, &w.alice]);
    let expected = format!("{LIMITED_ALICE}{PILOT}");
    assert_eq!(verdict(&site, &good), expected);
    let trust = site.trust();
    let policy = Credentials { bad_ac: BadAc::Ignore, ..Credentials::default() };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(below).unwrap()).unwrap()
    };
    let ders = [p2.der.clone(), p1.der.clone(), w.alice.der.clone()];
    for round in 0..4000 {
        let mutant = match round % 4 {
            // Flips in the DER, so that they do not die at the base64.
            0 | 1 => {
                let mut ders = ders.clone();
                for _ in 0..=next(3) {
                    let which = next(3);
                    let at = next(ders[which].len());
                    ders[which][at] ^= 1 << next(8);
                }
                let rest: String = ders[1..].iter().map(|der| pem("CERTIFICATE", der)).collect();
                format!("{}{}{rest}", pem("CERTIFICATE", &ders[0]), pem_key(p2.key)).into_bytes()
            }
            2 => {
                let mut bytes = good.clone();
                let at = next(bytes.len());
                bytes[at] = u8::try_from(next(256)).unwrap();
                if next(4) == 0 {
                    bytes.truncate(next(bytes.len()));
                }
                bytes
            }
            _ => {
                let mut blocks = vec![
                    pem_cert(&p2),
                    pem_cert(&p1),
                    pem_cert(&w.alice),
                    pem_key(p2.key),
                    pem_cert(&w.bob),
                    pem_cert(&w.root),
                ];
                for at in (1..blocks.len()).rev() {
                    blocks.swap(at, next(at + 1));
                }
                blocks.truncate(1 + next(6));
                blocks.concat().into_bytes()
            }
        };
        let answer = judge(&user(&mutant), &policy, &trust, NOW);
        if let Ok(answer) = answer {
            let got = line(&Ok(answer));
            assert!(got == expected || got == LIMITED_ALICE, "round {round}: {got}");
        }
    }
}
