//! No mutation of a good file may yield another identity or more FQANs.

use super::*;

/// Mutations of one `make test`; `MUTATIONS=1000000` asks for more, and `SEED=` for others.
const MUTATIONS: u64 = 10_000;

/// A value in DER, taken apart.
#[derive(Clone)]
enum Node {
    Leaf(u8, Vec<u8>),
    Inner(u8, Vec<Node>),
    /// An OCTET STRING or BIT STRING with DER inside: its tag, what stands before the DER, the DER.
    Wrapped(u8, Vec<u8>, Vec<Node>),
}

fn parse(mut der: &[u8]) -> Option<Vec<Node>> {
    let mut found = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let (length, rest) = match first {
            0x80..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |n, d| n * 256 + usize::from(*d)), rest)
            }
            short => (usize::from(*short), rest),
        };
        let (value, after) = rest.split_at_checked(length)?;
        der = after;
        let inside = |skip: usize| value.get(skip..).filter(|v| v.first() == Some(&0x30)).and_then(parse);
        found.push(match tag {
            tag if tag & 0x20 != 0 => Node::Inner(*tag, parse(value)?),
            0x03 if inside(1).is_some() => Node::Wrapped(*tag, value[..1].to_vec(), inside(1)?),
            0x04 if inside(0).is_some() => Node::Wrapped(*tag, vec![], inside(0)?),
            tag => Node::Leaf(*tag, value.to_vec()),
        });
    }
    der.is_empty().then_some(found)
}

impl Node {
    fn encode(&self) -> Vec<u8> {
        let all = |nodes: &[Node]| nodes.iter().flat_map(Node::encode).collect::<Vec<u8>>();
        match self {
            Node::Leaf(tag, value) => tlv(*tag, value),
            Node::Inner(tag, nodes) => tlv(*tag, &all(nodes)),
            Node::Wrapped(tag, before, nodes) => tlv(*tag, &[before.clone(), all(nodes)].concat()),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(..) => 1,
            Node::Inner(_, nodes) | Node::Wrapped(_, _, nodes) => 1 + nodes.iter().map(Node::count).sum::<usize>(),
        }
    }

    /// The nth node, this one first.
    fn nth(&mut self, mut n: usize) -> &mut Node {
        if n == 0 {
            return self;
        }
        n -= 1;
        match self {
            Node::Leaf(..) => unreachable!(),
            Node::Inner(_, nodes) | Node::Wrapped(_, _, nodes) => {
                for node in nodes {
                    match node.count() {
                        count if n < count => return node.nth(n),
                        count => n -= count,
                    }
                }
                unreachable!()
            }
        }
    }
}

pub struct Random(pub u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// What is mutated: the chain, and what else its owner may have seen.
pub struct Material {
    pub good: Vec<u8>,
    key: String,
    chain: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
}

impl Material {
    pub fn of(w: &World) -> Self {
        let of_alice = ac(&w.alice, &w.server, &["/testvo/Role=pilot", "/testvo"], |_| {});
        let of_bob = ac(&w.bob, &w.server, &["/testvo/Role=admin"], |_| {});
        let p1 = voms_proxy(&w.alice, 1, &[of_alice]);
        let p2 = limited(&p1, 2);
        let bobs = voms_proxy(&w.bob, 3, &[of_bob.clone()]);
        Material {
            good: file(&[&p2, &p1, &w.alice]),
            key: pem_key(p2.key),
            chain: vec![p2.der.clone(), p1.der.clone(), w.alice.der.clone()],
            others: vec![w.bob.der.clone(), bobs.der.clone(), w.root.der.clone(), w.server.der.clone(), of_bob],
        }
    }

    /// One of four kinds in turn.
    pub fn mutant(&self, round: u64, random: &mut Random) -> Vec<u8> {
        match round % 4 {
            0 => self.flipped(random),
            1 => self.cut(random),
            2 => self.reordered(random),
            _ => self.swapped(random),
        }
    }

    fn file(&self, chain: &[Vec<u8>]) -> Vec<u8> {
        let rest: String = chain[1..].iter().map(|der| pem("CERTIFICATE", der)).collect();
        format!("{}{}{rest}", pem("CERTIFICATE", &chain[0]), self.key).into_bytes()
    }

    /// Bits flipped in the DER, so that they do not die at the base64.
    fn flipped(&self, random: &mut Random) -> Vec<u8> {
        let mut chain = self.chain.clone();
        for _ in 0..=random.below(3) {
            let which = random.below(chain.len());
            let at = random.below(chain[which].len());
            chain[which][at] ^= 1 << random.below(8);
        }
        self.file(&chain)
    }

    /// A byte of the file changed, at times the rest cut off.
    fn cut(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.good.clone();
        let at = random.below(bytes.len());
        bytes[at] = u8::try_from(random.below(256)).unwrap();
        if random.below(4) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        bytes
    }

    /// Blocks in another order, some left out, some of other people.
    fn reordered(&self, random: &mut Random) -> Vec<u8> {
        let mut blocks: Vec<String> =
            self.chain.iter().chain(&self.others).map(|der| pem("CERTIFICATE", der)).collect();
        blocks.push(self.key.clone());
        for at in (1..blocks.len()).rev() {
            blocks.swap(at, random.below(at + 1));
        }
        blocks.truncate(1 + random.below(blocks.len()));
        blocks.concat().into_bytes()
    }

    /// A field of one certificate replaced by a field of another, or of the same, lengths made right again.
    fn swapped(&self, random: &mut Random) -> Vec<u8> {
        let mut chain = self.chain.clone();
        for _ in 0..=random.below(2) {
            let all: Vec<&Vec<u8>> = chain.iter().chain(&self.others).collect();
            let mut from = parse(all[random.below(all.len())]).unwrap().remove(0);
            let which = random.below(chain.len());
            let mut to = parse(&chain[which]).unwrap().remove(0);
            let (source, place) = (random.below(from.count()), random.below(to.count()));
            *to.nth(place) = from.nth(source).clone();
            chain[which] = to.encode();
        }
        self.file(&chain)
    }
}

pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_mutation_of_a_good_file_becomes_somebody_else() {
    let w = World::new();
    let site = w.site();
    let material = Material::of(&w);
    for der in material.chain.iter().chain(&material.others) {
        assert_eq!(parse(der).unwrap()[0].encode(), *der, "taken apart and put together");
    }
    let expected = format!("{LIMITED_ALICE}{PILOT}");
    assert_eq!(verdict(&site, &material.good), expected);
    let policy = Credentials { bad_ac: BadAc::Ignore, ..Credentials::default() };
    let (count, seed) = (number("MUTATIONS", MUTATIONS), number("SEED", 0x9e37_79b9_7f4a_7c15));
    let run = |seed: u64, count: u64| {
        let trust = site.trust();
        let mut random = Random(seed);
        let mut passed = 0;
        for round in 0..count {
            let mutant = material.mutant(round, &mut random);
            if let Ok(answer) = judge(&user(&mutant), &policy, &trust, NOW) {
                passed += 1;
                let got = line(&Ok(answer));
                assert!(got == expected || got == LIMITED_ALICE, "seed {seed}, round {round}: {got}");
            }
        }
        passed
    };
    let passed = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(seed.rotate_left(32) | 1, count / 2));
        run(seed | 1, count / 2) + other.join().unwrap()
    });
    assert!(passed > 0, "some mutations change nothing that counts");
    eprintln!("{count} mutations, {passed} passed as the same person");
}
