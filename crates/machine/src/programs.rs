//! Plug-ins from outside, run on this machine.

use glexec_config::exec::Exec;
use glexec_core::program::Said;
use glexec_policy::programs::{Failed, Programs};
use glexec_sys::dir;
use glexec_sys::identity::Actor;
use glexec_sys::program::{self, Executable, Program};

/// Longest answer in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Runs them as the service user.
#[derive(Debug)]
pub struct AsServiceUser(pub Actor);

impl Programs for AsServiceUser {
    fn ask(&self, exec: &Exec, document: &[u8]) -> Result<Said, Failed> {
        dir::check_program(exec.program.as_path())?;
        let Exec { program, arguments, timeout } = exec;
        let path = program.as_path();
        let program = Program {
            actor: Some(&self.0),
            executable: Executable::Of(path),
            name: path.as_os_str(),
            arguments,
            descriptors: &[],
            deadline: *timeout,
            max_answer: MAX_ANSWER,
        };
        Ok(program::ask(&program, document)?)
    }
}
