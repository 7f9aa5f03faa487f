//! Whom the verifier takes for whom: friendly and hostile credentials, one line each.
#![allow(missing_docs, clippy::all, clippy::restriction)] // lints for the privileged program

mod agent;
mod authorities;
mod c_stack;
mod corpus;
mod differences;
mod file;
#[path = "../forge/mod.rs"]
mod forge;
mod hostile;
mod mutations;
mod proxies;
mod voms;

use corpus::{case, remember};
use forge::der::*;
use forge::judge::{Question, judge};
use forge::site::*;
use forge::*;
use glexec::verifier::VerifiedIdentity;
use glexec_core::credentials::*;
use glexec_core::question::KeyRule;
use glexec_core::reason::Outcome;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;

const FULL: &str = "/DC=org/DC=example/CN=Alice FullProxy";
const LIMITED_ALICE: &str = "/DC=org/DC=example/CN=Alice LimitedProxy";
const BARE: &str = "/DC=org/DC=example/CN=Alice EndEntity";

fn ask(site: &Site, question: &Question, bend: impl FnOnce(&mut Credentials)) -> Outcome<VerifiedIdentity> {
    let mut policy = Credentials::default();
    bend(&mut policy);
    remember(site, question, &policy);
    judge(question, &policy, &site.trust(), NOW)
}

fn user(file: &[u8]) -> Question<'_> {
    Question { user: file, source: None, pilot: None, key: KeyRule::Required }
}

/// The answer in one line: the reason code, or subject, form and FQANs.
fn line(answer: &Outcome<VerifiedIdentity>) -> String {
    match answer {
        Err(refusal) => {
            assert!(refusal.sentence().len() > 20, "{refusal:?} says nothing");
            refusal.reason().code().into()
        }
        Ok(answer) => {
            let fqans: String = answer.user.fqans.iter().map(|fqan| format!(" {fqan}")).collect();
            format!("{} {:?}{fqans}", answer.user.subject, answer.user.form().unwrap())
        }
    }
}

fn verdict(site: &Site, file: &[u8]) -> String {
    verdict_with(site, file, |_| {})
}

fn verdict_with(site: &Site, file: &[u8], bend: impl FnOnce(&mut Credentials)) -> String {
    line(&ask(site, &user(file), bend))
}

type Row<'a> = (&'a str, Vec<u8>, &'a str);

/// Judges every row.
fn expect(site: &Site, rows: Vec<Row>, bend: impl Fn(&mut Credentials)) {
    expect_as("", site, rows, bend);
}

/// Judges every row under a configuration that has a name.
fn expect_as(configuration: &str, site: &Site, rows: Vec<Row>, bend: impl Fn(&mut Credentials)) {
    for (what, file, expected) in rows {
        case(line(&ask(site, &user(&file), &bend)), expected, format!("{configuration}{what}"));
    }
}

fn defaults(_: &mut Credentials) {}

const PILOT: &str = " /testvo/Role=pilot /testvo";
