//! A seccomp filter (seccomp(2)) as a search tree over system call numbers.
//!
//! When a filter is installed the kernel walks it once for every system call that there is, and compiles it: a list of
//! comparisons, one below the other, costs a tenth of a millisecond there; a tree costs next to nothing.

use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};
use std::mem::offset_of;

/// When a system call is allowed; all others end the process.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    Always,
    /// When none of the bits of a mask is set in the argument of this position.
    Without(usize, u32),
    /// When the argument of this position is one of three.
    OneOf(usize, [u32; 3]),
}

/// `AUDIT_ARCH_*` (linux/audit.h): numbers of system calls mean something for one architecture only.
const ARCHITECTURE: u32 = match () {
    () if cfg!(target_arch = "x86_64") => 0xc000_003e,
    () if cfg!(target_arch = "aarch64") => 0xc000_00b7,
    // No process has it, so that every call of every process is refused.
    () => 0,
};

const LOAD: u32 = BPF_LD | BPF_W | BPF_ABS;
const ALLOW: sock_filter = instruction(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW);
const KILL: sock_filter = instruction(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_KILL_PROCESS);

const fn instruction(code: u32, yes: u8, no: u8, operand: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: yes, jf: no, k: operand }
}

fn load(offset: usize) -> sock_filter {
    instruction(LOAD, 0, 0, offset as u32)
}

/// The lower half of an argument: what the kernel takes of an `int`.
fn argument(position: usize) -> sock_filter {
    let upper_first = if cfg!(target_endian = "big") { 4 } else { 0 };
    load(offset_of!(libc::seccomp_data, args).saturating_add(position.saturating_mul(8)).saturating_add(upper_first))
}

fn jump(kind: u32, operand: u32, yes: usize, no: usize) -> Option<sock_filter> {
    Some(instruction(BPF_JMP | kind | BPF_K, u8::try_from(yes).ok()?, u8::try_from(no).ok()?, operand))
}

/// The program for some rules, by the number of their system calls; `None` where it would be too large.
pub fn compile(mut rules: Vec<(libc::c_long, Rule)>) -> Option<Vec<sock_filter>> {
    rules.sort_unstable_by_key(|(number, _)| *number);
    let start = vec![
        load(offset_of!(libc::seccomp_data, arch)),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0)?,
        KILL,
        load(offset_of!(libc::seccomp_data, nr)),
    ];
    Some([start, tree(&rules)?].concat())
}

fn tree(rules: &[(libc::c_long, Rule)]) -> Option<Vec<sock_filter>> {
    match rules {
        [] => Some(vec![KILL]),
        [(number, rule)] => {
            let test = test(*rule)?;
            Some([vec![jump(BPF_JEQ, u32::try_from(*number).ok()?, 0, test.len())?], test, vec![KILL]].concat())
        }
        _ => {
            let (lower, upper) = rules.split_at(rules.len() / 2);
            let (least, _) = upper.first()?;
            let (lower, upper) = (tree(lower)?, tree(upper)?);
            Some([vec![jump(BPF_JGE, u32::try_from(*least).ok()?, lower.len(), 0)?], lower, upper].concat())
        }
    }
}

/// Allows, or falls through to what follows.
fn test(rule: Rule) -> Option<Vec<sock_filter>> {
    Some(match rule {
        Rule::Always => vec![ALLOW],
        Rule::Without(position, mask) => vec![argument(position), jump(BPF_JSET, mask, 1, 0)?, ALLOW],
        Rule::OneOf(position, [a, b, c]) => {
            vec![argument(position), jump(BPF_JEQ, a, 2, 0)?, jump(BPF_JEQ, b, 1, 0)?, jump(BPF_JEQ, c, 0, 1)?, ALLOW]
        }
    })
}

/// Installs a program in the calling process, which must have no_new_privs set.
pub fn install(program: &[sock_filter]) -> Result<(), String> {
    let len = u16::try_from(program.len()).map_err(|e| e.to_string())?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, whose length is that of the slice, and writes nothing.
    let rc = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    nix::errno::Errno::result(rc).map(drop).map_err(|errno| errno.to_string())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// What a program says about a call: a tiny interpreter of the few instructions that occur (linux/filter.h).
    fn allows(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> bool {
        let data =
            libc::seccomp_data { nr: number as i32, arch: architecture, instruction_pointer: 0, args: arguments };
        // SAFETY: plain data without padding, read as bytes.
        let data: [u8; size_of::<libc::seccomp_data>()] = unsafe { std::mem::transmute(data) };
        let (mut at, mut value) = (0, 0_u32);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let holds = match u32::from(code) {
                LOAD => {
                    value = u32::from_ne_bytes(data[k as usize..k as usize + 4].try_into().unwrap());
                    continue;
                }
                code if code == BPF_RET | BPF_K => return k == libc::SECCOMP_RET_ALLOW,
                code if code == BPF_JMP | BPF_JEQ | BPF_K => value == k,
                code if code == BPF_JMP | BPF_JGE | BPF_K => value >= k,
                code if code == BPF_JMP | BPF_JSET | BPF_K => value & k != 0,
                other => panic!("{other}"),
            };
            at += usize::from(if holds { jt } else { jf });
        }
    }

    #[test]
    fn exactly_the_listed_calls_pass_with_the_right_arguments_on_this_architecture() {
        let always = [0, 1, 3, 5, 9, 60, 231, 300];
        let mut rules: Vec<_> = always.iter().map(|number| (*number, Rule::Always)).collect();
        rules.push((257, Rule::Without(2, 0o3)));
        rules.push((72, Rule::OneOf(1, [1, 3, 5])));
        let program = compile(rules).unwrap();
        for number in 0..512_u32 {
            for value in 0..8_u64 {
                let expected = match number {
                    257 => value & 3 == 0,
                    72 => [1, 3, 5].contains(&value),
                    _ => always.contains(&i64::from(number)),
                };
                // The upper half of an int's register is nothing to the kernel.
                for upper in [0, 1 << 32] {
                    let arguments = [9, value | upper, value | upper, 9, 9, 9];
                    assert_eq!(allows(&program, ARCHITECTURE, number, arguments), expected, "{number} {value}");
                    assert!(!allows(&program, ARCHITECTURE ^ 1, number, arguments), "another architecture");
                    assert!(!allows(&program, ARCHITECTURE, number | 0x4000_0000, arguments), "the x32 interface");
                }
            }
        }
    }
}
