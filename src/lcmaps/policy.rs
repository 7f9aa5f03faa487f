//! Mapping policies in the LCMAPS notation, as a state machine that cannot loop.
//!
//! `a -> b | c`: run a; go on with b where it succeeded, with c where it failed. `a -> b`: a failure ends the policy
//! with failure. `~a -> b`: a failure of a goes to b, a success ends the policy with success. A plug-in without a rule
//! of its own ends the policy with its own result. The first rule starts. Every state has at most one rule.
//!
//! What a failed plug-in had gathered is dropped: the next one starts from what was known before it. A refusal that only
//! the site can mend (a missing file, an account database that does not answer) ends the policy at once, whatever the
//! rules say: an alternative is for people whom a plug-in has no mapping for, not for days when a file is missing.

#![forbid(unsafe_code)]

use crate::reason::{Class, Outcome, Reason, Refusal};
use std::collections::BTreeMap;

/// Where a state leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Run(usize),
    Succeed,
    Fail,
}

/// One plug-in instance and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    plugin: String,
    success: Step,
    failure: Step,
}

/// A policy that was checked when the configuration was read: it has a start, and it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    states: Vec<State>,
}

/// What is wrong with a policy, and in which of its rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct BadPolicy {
    /// Number of the rule, from 0; `None` where the policy as a whole is wrong.
    pub rule: Option<usize>,
    /// What is wrong.
    pub why: String,
}

/// Whether a text may name a plug-in instance or a policy.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A rule as it is written.
struct Rule<'a> {
    state: &'a str,
    success: Option<&'a str>,
    failure: Option<&'a str>,
}

fn name(text: &str) -> Result<&str, String> {
    let name = text.trim();
    if is_name(name) { Ok(name) } else { Err(format!("{name:?} is not the name of a plug-in")) }
}

fn rule(text: &str) -> Result<Rule<'_>, String> {
    let (left, right) = text.split_once("->").ok_or("a rule has the form \"a -> b\", \"a -> b | c\" or \"~a -> b\"")?;
    let (success, failure) = match right.split_once('|') {
        Some((success, failure)) => (name(success)?, Some(name(failure)?)),
        None => (name(right)?, None),
    };
    match left.trim().strip_prefix('~') {
        None => Ok(Rule { state: name(left)?, success: Some(success), failure }),
        Some(_) if failure.is_some() => Err("a rule that starts with ~ has no alternative".to_owned()),
        Some(inverted) => Ok(Rule { state: name(inverted)?, success: None, failure: Some(success) }),
    }
}

/// Numbers the states in the order in which they are first named.
#[derive(Default)]
struct Builder {
    numbers: BTreeMap<String, usize>,
    states: Vec<State>,
}

impl Builder {
    fn number(&mut self, name: &str) -> usize {
        let next = self.states.len();
        let number = *self.numbers.entry(name.to_owned()).or_insert(next);
        if number == next {
            self.states.push(State { plugin: name.to_owned(), success: Step::Succeed, failure: Step::Fail });
        }
        number
    }

    fn step(&mut self, name: Option<&str>, otherwise: Step) -> Step {
        name.map_or(otherwise, |name| Step::Run(self.number(name)))
    }
}

impl Policy {
    /// Reads the rules; `known` says which plug-in instances there are.
    pub fn parse<'a>(
        rules: impl IntoIterator<Item = &'a str>,
        known: impl Fn(&str) -> bool,
    ) -> Result<Self, BadPolicy> {
        let mut builder = Builder::default();
        let mut ruled = Vec::new();
        for (index, text) in rules.into_iter().enumerate() {
            let bad = |why: String| BadPolicy { rule: Some(index), why };
            let rule = rule(text).map_err(bad)?;
            for name in [Some(rule.state), rule.success, rule.failure].into_iter().flatten() {
                if !known(name) {
                    return Err(bad(format!("there is no plug-in named {name:?}")));
                }
            }
            let state = builder.number(rule.state);
            if ruled.contains(&state) {
                return Err(bad(format!("{:?} has a rule already", rule.state)));
            }
            ruled.push(state);
            let success = builder.step(rule.success, Step::Succeed);
            let failure = builder.step(rule.failure, Step::Fail);
            if let Some(state) = builder.states.get_mut(state) {
                (state.success, state.failure) = (success, failure);
            }
            if let Some(looping) = looping(&builder.states) {
                return Err(bad(format!("this rule makes a loop through {looping:?}")));
            }
        }
        match builder.states.is_empty() {
            true => Err(BadPolicy { rule: None, why: "the policy has no rule".to_owned() }),
            false => Ok(Policy { states: builder.states }),
        }
    }

    /// Runs the policy. `run` runs one plug-in on what was gathered so far.
    ///
    /// A failure is the most specific of those on the way; its text for the log has all of them.
    pub fn run<S: Clone>(&self, start: S, mut run: impl FnMut(&str, &mut S) -> Outcome<()>) -> Outcome<S> {
        let mut gathered = start;
        let mut failures: Vec<(&str, Refusal)> = Vec::new();
        let mut step = Step::Run(0);
        // Every state is visited at most once, so this ends even if the check for loops were wrong.
        for _ in 0..=self.states.len() {
            let state = match step {
                Step::Succeed => return Ok(gathered),
                Step::Fail => break,
                Step::Run(number) => self.states.get(number),
            };
            let Some(state) = state else { break };
            let mut attempt = gathered.clone();
            step = match run(&state.plugin, &mut attempt) {
                Ok(()) => {
                    gathered = attempt;
                    state.success
                }
                Err(refusal) => {
                    let fatal = refusal.reason().class() == Class::System;
                    failures.push((&state.plugin, refusal));
                    if fatal { Step::Fail } else { state.failure }
                }
            };
        }
        Err(most_specific(&failures))
    }
}

/// A state from which its own plug-in is reached again.
fn looping(states: &[State]) -> Option<&str> {
    // Repeatedly strike out states that lead only to struck-out states or to an end; what cannot be struck out loops.
    let mut ends = vec![false; states.len()];
    let leads_to_end = |step: Step, ends: &[bool]| match step {
        Step::Run(number) => ends.get(number).copied().unwrap_or(false),
        Step::Succeed | Step::Fail => true,
    };
    for _ in states {
        let next = states.iter().map(|s| leads_to_end(s.success, &ends) && leads_to_end(s.failure, &ends)).collect();
        ends = next;
    }
    states.iter().zip(&ends).find(|(_, ends)| !**ends).map(|(state, _)| state.plugin.as_str())
}

/// "There is no mapping" says least; of the others the last one ended the policy.
fn most_specific(failures: &[(&str, Refusal)]) -> Refusal {
    let specific = |(_, refusal): &&(&str, Refusal)| refusal.reason() != Reason::LcmapsNoMapping;
    let (plugin, refusal) = match failures.iter().rev().find(specific).or(failures.last()) {
        Some((plugin, refusal)) => (*plugin, refusal.clone()),
        None => ("policy", Refusal::new(Reason::LcmapsNoMapping, "the site's policy gives no mapping")),
    };
    let all: Vec<_> = failures.iter().map(|(name, refusal)| format!("{name}: {}", refusal.for_log())).collect();
    Refusal::new(refusal.reason(), refusal.sentence()).detail(format!("plug-in {plugin} failed; {}", all.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(rules: &[&str]) -> Result<Policy, BadPolicy> {
        Policy::parse(rules.iter().copied(), |name| name.len() < 3)
    }

    fn refuse() -> Outcome<()> {
        Err(Refusal::new(Reason::LcmapsNoMapping, "no"))
    }

    /// Runs a policy in which the plug-ins in `good` succeed; gives the path and whether it succeeded.
    fn walk(policy: &Policy, good: &str) -> (String, bool) {
        let mut path = String::new();
        let result = policy.run((), |name, ()| {
            path.push_str(name);
            if good.contains(name) { Ok(()) } else { refuse() }
        });
        (path, result.is_ok())
    }

    #[test]
    fn the_notation_means_what_lcmaps_means_by_it() {
        let table: &[(&[&str], &str, &str, bool)] = &[
            (&["a -> b"], "ab", "ab", true),
            (&["a -> b"], "a", "ab", false),
            (&["a -> b"], "b", "a", false),
            (&["a -> b | c"], "ab", "ab", true),
            (&["a->b|c"], "c", "ac", true),
            (&["a -> b | c"], "b", "ac", false),
            (&["~a -> b"], "a", "a", true),
            (&["~ a->b"], "b", "ab", true),
            (&["~a -> b"], "", "ab", false),
            (&["a -> b", "b -> c | d"], "abc", "abc", true),
            (&["a -> b", "b -> c | d"], "ad", "abd", true),
            (&["a -> b | c", "c -> d"], "cd", "acd", true),
            (&["b -> a", "c -> d"], "ba", "ba", true),
        ];
        for (rules, good, path, success) in table {
            assert_eq!(walk(&parse(rules).unwrap(), good), ((*path).to_owned(), *success), "{rules:?} {good}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_rule() {
        let table: &[(&[&str], Option<usize>, &str)] = &[
            (&[], None, "no rule"),
            (&["a"], Some(0), "form"),
            (&["a ->"], Some(0), "not the name"),
            (&["a -> b c"], Some(0), "not the name"),
            (&["a -> b | c | d"], Some(0), "not the name"),
            (&["a -> b -> c"], Some(0), "not the name"),
            (&["~a -> b | c"], Some(0), "no alternative"),
            (&["a -> b", "a -> c"], Some(1), "already"),
            (&["a -> a"], Some(0), "loop"),
            (&["a -> b", "b -> c | a"], Some(1), "loop"),
            (&["a -> b", "c -> d", "d -> c"], Some(2), "loop"),
            (&["a -> nosuch"], Some(0), "no plug-in named \"nosuch\""),
        ];
        for (rules, rule, text) in table {
            let bad = parse(rules).unwrap_err();
            assert_eq!(bad.rule, *rule, "{rules:?}");
            assert!(bad.why.contains(text), "{rules:?}: {}", bad.why);
        }
    }

    #[test]
    fn names_may_have_hyphens() {
        let policy = Policy::parse(["voms-pool->dn-pool"], |_| true).unwrap();
        assert_eq!(policy.states[0].plugin, "voms-pool");
    }

    #[test]
    fn what_a_failed_plugin_gathered_is_dropped_and_the_rest_stays() {
        let policy = parse(&["a -> b", "b -> d | c"]).unwrap();
        let gathered = policy.run(String::new(), |name, gathered| {
            gathered.push_str(name);
            if name == "b" { refuse() } else { Ok(()) }
        });
        assert_eq!(gathered.unwrap(), "ac");
    }

    #[test]
    fn the_most_specific_failure_is_told_and_all_are_logged() {
        let policy = parse(&["a -> b | c"]).unwrap();
        let refusal = policy.run((), |name, ()| match name {
            "a" => Err(Refusal::new(Reason::LcmapsPoolExhausted, "full")),
            _ => refuse(),
        });
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.reason(), Reason::LcmapsPoolExhausted);
        assert_eq!(refusal.for_log(), "full: plug-in a failed; a: full; c: no");
    }

    #[test]
    fn what_only_the_site_can_mend_has_no_alternative() {
        for rules in [["a -> b | c"], ["~a -> c"]] {
            let mut path = String::new();
            let refusal = parse(&rules).unwrap().run((), |name, ()| {
                path.push_str(name);
                Err(Refusal::new(Reason::LcmapsFileMissing, "gone"))
            });
            assert_eq!((path.as_str(), refusal.unwrap_err().reason()), ("a", Reason::LcmapsFileMissing));
        }
    }

    /// The meaning of rules, straight from their text; `None` where a state would come again.
    fn reference(rules: &[(bool, char, char, Option<char>)], good: &str) -> Option<(String, bool)> {
        let mut path = String::new();
        let mut here = rules.first()?.1;
        loop {
            if path.contains(here) {
                return None;
            }
            path.push(here);
            let success = good.contains(here);
            let next = match rules.iter().find(|rule| rule.1 == here) {
                None => None,
                Some((true, _, to, _)) => (!success).then_some(*to),
                Some((false, _, to, other)) => {
                    if success {
                        Some(*to)
                    } else {
                        *other
                    }
                }
            };
            match next {
                Some(state) => here = state,
                None => return Some((path, success)),
            }
        }
    }

    proptest! {
        #[test]
        fn a_policy_runs_as_the_reference_does(
            rules in proptest::collection::vec((any::<bool>(), "[a-f]", "[a-f]", proptest::option::of("[a-f]")), 1..6),
            good in "[a-f]{0,6}",
        ) {
            let char = |s: &String| s.chars().next().unwrap();
            let rules: Vec<_> = rules.iter().map(|(not, a, b, c)| {
                (*not, char(a), char(b), if *not { None } else { c.as_ref().map(char) })
            }).collect();
            let texts: Vec<String> = rules.iter().map(|(not, a, b, c)| {
                let not = if *not { "~" } else { "" };
                c.map_or(format!("{not}{a} -> {b}"), |c| format!("{not}{a} -> {b} | {c}"))
            }).collect();
            match Policy::parse(texts.iter().map(String::as_str), |_| true) {
                Ok(policy) => prop_assert_eq!(Some(walk(&policy, &good)), reference(&rules, &good)),
                Err(bad) => {
                    let twice = rules.iter().enumerate().any(|(i, r)| rules.iter().take(i).any(|other| other.1 == r.1));
                    prop_assert!(twice || bad.why.contains("loop"), "{}", bad.why);
                }
            }
        }
    }
}
