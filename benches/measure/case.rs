//! Cases that are measured in turn.

use crate::caller::{Caller, Order};
use crate::figures;
use crate::site::Site;

/// A call, and the state of the site that it is made in.
pub struct Case {
    pub name: String,
    /// The text of /etc/glexec.conf.
    pub config: String,
    /// What else is done before each call.
    pub before: Box<dyn Fn()>,
    pub caller: Who,
    pub order: Order,
    /// The exit code that the call must have.
    pub expected: i32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Pilot,
    Root,
}

impl Case {
    /// glexec runs /bin/true for the owner of a credential, which lies in the pilot's home.
    pub fn glexec(site: &Site, name: &str, credential: &str) -> Self {
        Case {
            name: name.into(),
            config: site.config.clone(),
            before: Box::new(|| {}),
            caller: Who::Pilot,
            order: order(&["/usr/sbin/glexec", "/bin/true"], credential),
            expected: 0,
        }
    }
}

/// The pilot's own proxy is there too, as where pilots run: it is judged like the user's.
pub fn usual(order: Order) -> Order {
    let own = ("X509_USER_PROXY".to_owned(), "/home/pilot/alice-voms.pem".to_owned());
    Order { environment: order.environment.into_iter().chain([own]).collect(), ..order }
}

pub fn order(command: &[&str], credential: &str) -> Order {
    let variable = |name: &str, value: String| (name.to_owned(), value);
    Order {
        command: command.iter().map(|&word| word.into()).collect(),
        environment: vec![
            variable("GLEXEC_CLIENT_CERT", format!("/home/pilot/{credential}.pem")),
            variable("GLEXEC_TARGET_PROXY", "/dev/null".into()),
        ],
        calls: 1,
        at_once: 1,
    }
}

/// The two callers of a site.
pub struct Callers {
    pub pilot: Caller,
    root: Caller,
}

impl Callers {
    pub fn start() -> Self {
        Callers { pilot: Caller::start(crate::site::PILOT), root: Caller::start(0) }
    }

    /// Makes a case's call; returns its milliseconds.
    fn call(&mut self, site: &Site, case: &Case) -> f64 {
        site.configure(&case.config);
        (case.before)();
        let caller = if case.caller == Who::Root { &mut self.root } else { &mut self.pilot };
        let call = caller.call(&case.order)[0];
        assert_eq!(call.code, case.expected, "{}", case.name);
        call.ms()
    }
}

/// The first rounds warm caches up and make leases.
const WARM_UP: usize = 5;

/// Makes every call once a round, in another order each time, so that none always follows the same other one.
pub fn measure(site: &Site, callers: &mut Callers, name: &str, cases: &[Case], rounds: usize) -> figures::Group {
    eprintln!("bench: {name}, {} cases", cases.len());
    let mut measured: Vec<figures::Case> =
        cases.iter().map(|case| figures::Case { name: case.name.clone(), ms: Vec::new() }).collect();
    let mut dice = Dice(1);
    for round in 0..rounds + WARM_UP {
        for number in dice.shuffled(cases.len()) {
            let ms = callers.call(site, &cases[number]);
            if round >= WARM_UP {
                measured[number].ms.push(ms);
            }
        }
    }
    site.configure(&site.config);
    figures::Group { name: name.into(), cases: measured }
}

/// The same order in each run: Knuth's linear congruential generator for MMIX.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            numbers.swap(last, self.below(last + 1));
        }
        numbers
    }
}
