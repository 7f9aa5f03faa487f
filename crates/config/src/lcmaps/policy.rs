//! Mapping policies in the LCMAPS notation, as a state machine that cannot loop.
//!
//! `a -> b | c`: run a; go on with b where it succeeded, with c where it failed. `a -> b`: a failure ends the policy
//! with failure. `~a -> b`: a failure of a goes to b, a success ends the policy with success. `a` alone, and a plug-in
//! without a rule of its own, ends the policy with its own result. The first rule starts. Every state has at most one rule.

use std::collections::BTreeMap;

/// Where a state leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the state of this number.
    Run(usize),
    /// To the end: the policy succeeds.
    Succeed,
    /// To the end: the policy fails.
    Fail,
}

/// One plug-in instance and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The name of the instance.
    pub plugin: String,
    /// Where its success leads.
    pub success: Step,
    /// Where its failure leads.
    pub failure: Step,
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
    let Some((left, right)) = text.split_once("->") else {
        let forms = |_| "a rule has the form \"a -> b\", \"a -> b | c\", \"~a -> b\", or \"a\" alone";
        return Ok(Rule { state: name(text).map_err(forms)?, success: None, failure: None });
    };
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

    /// The plug-in instances in the order in which they are first named; the first one starts.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// Whether any way through the policy ends well, where some plug-ins always fail.
    pub fn can_succeed(&self, always_fails: impl Fn(&str) -> bool) -> bool {
        let mut reached = vec![Step::Run(0)];
        let mut next = 0_usize;
        while let Some(step) = reached.get(next).copied() {
            next = next.saturating_add(1);
            let number = match step {
                Step::Succeed => return true,
                Step::Fail => continue,
                Step::Run(number) => number,
            };
            let Some(state) = self.states.get(number) else { continue };
            let success = (!always_fails(&state.plugin)).then_some(state.success);
            for step in success.into_iter().chain([state.failure]) {
                if !reached.contains(&step) {
                    reached.push(step);
                }
            }
        }
        false
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rules: &[&str]) -> Result<Policy, BadPolicy> {
        Policy::parse(rules.iter().copied(), |name| name.len() < 3)
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_rule() {
        let table: &[(&[&str], Option<usize>, &str)] = &[
            (&[], None, "no rule"),
            (&["a b"], Some(0), "form"),
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
    fn a_policy_can_end_well_unless_every_way_ends_in_what_always_fails() {
        for (rules, fails, expected) in [
            (&["a -> b"][..], "", true),
            (&["a -> b"], "b", false),
            (&["a -> b"], "a", false),
            (&["a -> b | c"], "b", true),
            (&["a -> b | c"], "bc", false),
            (&["~a -> b"], "a", true),
            (&["~a -> b"], "ab", false),
        ] {
            assert_eq!(parse(rules).unwrap().can_succeed(|name| fails.contains(name)), expected, "{rules:?} {fails}");
        }
    }

    #[test]
    fn names_may_have_hyphens() {
        let policy = Policy::parse(["voms-pool->dn-pool"], |_| true).unwrap();
        assert_eq!(policy.states[0].plugin, "voms-pool");
    }
}
