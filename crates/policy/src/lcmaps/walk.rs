//! Running a policy, as a state machine that cannot loop.
//!
//! What a failed plug-in had gathered is dropped: the next one starts from what was known before it. A refusal that only
//! the site can fix (a missing file, an account database that does not answer) ends the policy at once, whatever the
//! rules say: an alternative is for people whom a plug-in has no mapping for, not for days when a file is missing.

use glexec_config::lcmaps::policy::{Policy, Step};
use glexec_core::reason::{Class, Outcome, Reason, Refusal};

/// Runs the policy. `run` runs one plug-in on what was gathered so far.
///
/// A failure is the most specific of those on the way; its text for the log has all of them.
pub fn run<S: Clone>(policy: &Policy, start: S, mut run: impl FnMut(&str, &mut S) -> Outcome<()>) -> Outcome<S> {
    let mut gathered = start;
    let mut failures: Vec<(&str, Refusal)> = Vec::new();
    let mut step = Step::Run(0);
    // Every state is visited at most once, so this ends even if the check for loops were wrong.
    for _ in 0..=policy.states().len() {
        let state = match step {
            Step::Succeed => return Ok(gathered),
            Step::Fail => break,
            Step::Run(number) => policy.states().get(number),
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
    use glexec_config::lcmaps::policy::BadPolicy;
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
        let result = run(policy, (), |name, ()| {
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
    fn what_a_failed_plugin_gathered_is_dropped_and_the_rest_stays() {
        let policy = parse(&["a -> b", "b -> d | c"]).unwrap();
        let gathered = run(&policy, String::new(), |name, gathered| {
            gathered.push_str(name);
            if name == "b" { refuse() } else { Ok(()) }
        });
        assert_eq!(gathered.unwrap(), "ac");
    }

    #[test]
    fn the_most_specific_failure_is_told_and_all_are_logged() {
        let policy = parse(&["a -> b | c"]).unwrap();
        let refusal = run(&policy, (), |name, ()| match name {
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
            let refusal = run(&parse(&rules).unwrap(), (), |name, ()| {
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
