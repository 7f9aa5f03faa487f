//! Preparing the payload as its account, becoming that account for good, and running it.

use crate::credential_files::Kind;
use crate::invocation::command_line::Payload;
use crate::invocation::environment::{Environment, Target};
use crate::payload::prologue::Prologue;
use crate::payload::target_proxy::{self, Copy, Lifetime, Wanted};
use crate::payload::view::View;
use crate::payload::{command, environment};
use glexec_config::glexec::Glexec;
use glexec_config::lcas::Plan;
use glexec_config::values::Wrapper;
use glexec_core::escape::in_sentence;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_policy::mapping::Mapping;
use glexec_sys::execute::execute;
use glexec_sys::given_file::GivenFile;
use glexec_sys::helper::Helper;
use glexec_sys::identity::{self, Actor};
use glexec_sys::left_file::LeftFile;
use glexec_sys::lookup::{self, Executable};
use glexec_sys::mount::Owner;
use glexec_sys::start::Limits;
use glexec_sys::{dir, terminal};
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chdir};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What a call needs to know besides the mapping.
#[derive(Debug)]
pub struct Wish<'a> {
    /// What the site lets be run.
    pub lcas: &'a Plan,
    /// The command; `None` renews the target proxy only.
    pub payload: Option<&'a Payload>,
    pub caller: &'a Actor,
    /// The caller's environment.
    pub environment: &'a Environment,
    /// The caller's working directory.
    pub cwd: Option<&'a Path>,
    /// What the payload will see instead of what others see.
    pub view: View,
    /// What is copied for it.
    pub copies: &'a [Wanted<'a>],
}

/// A payload that is ready to run: everything that can be refused about it has been judged.
#[derive(Debug)]
pub struct Prepared {
    actor: Actor,
    home: PathBuf,
    umask: u32,
    command: Option<Command>,
    copies: Vec<Copy>,
    given: Vec<GivenFile>,
    keeper: Option<Helper>,
    view: View,
}

#[derive(Debug)]
struct Command {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

/// The target account as an actor.
pub fn actor(target: &Mapping) -> Actor {
    Actor {
        uid: Uid::from_raw(target.uid.get()),
        gid: Gid::from_raw(target.gid.get()),
        groups: Some(target.groups.iter().map(|gid| Gid::from_raw(gid.get())).collect()),
    }
}

/// Finds the command and writes the target proxy, acting as the target account.
pub fn prepare(target: &Mapping, wish: Wish<'_>, config: &Glexec) -> Outcome<Prepared> {
    let actor = actor(target);
    let view = wish.view;
    let sandbox = view.sandbox();
    let wrapper = config.wrapper.as_ref().filter(|_| wish.payload.is_some());
    wrapper.map_or(Ok(()), check_wrapper)?;
    let as_target = || -> Outcome<(Option<Line>, Vec<Copy>)> {
        let line = match wish.payload {
            Some(payload) => {
                let allowed = |path: &Path| wish.lcas.lets_run(path);
                let cwd = sandbox.as_deref().or(wish.cwd);
                Some(match wrapper {
                    None => Line::of(command::find(&payload.command, &config.path, cwd, &view, allowed)?, payload),
                    Some(wrapper) => {
                        let command = command::for_wrapper(&payload.command, &config.path, cwd, allowed)?;
                        Line::wrapped(wrapper, command, payload, &view)?
                    }
                })
            }
            None => None,
        };
        let lock = config.target_lock_mechanism;
        // Of a copy with a name of ours nobody but a payload would learn.
        let has_reader = |wanted: &&Wanted<'_>| wish.payload.is_some() || *wanted.target != Target::Default;
        let mut copies: Vec<Copy> = Vec::new();
        for wanted in wish.copies.iter().filter(has_reader) {
            match target_proxy::write(wanted, wish.cwd, &view, target.uid.get(), lock) {
                Ok(copy) => copies.extend(copy),
                Err(refusal) => {
                    copies.iter().for_each(Copy::remove);
                    return Err(refusal);
                }
            }
        }
        Ok((line, copies))
    };
    let step = |errno: Errno| failed(&errno.to_string());
    let (line, copies) = match identity::acting_as(&actor, as_target).map_err(step)? {
        Err(refusal) if refusal.reason() == Reason::CommandNotFound => {
            let command = wish.payload.map(|payload| payload.command.as_os_str()).unwrap_or_default();
            let barrier =
                identity::acting_as(&actor, || command::barrier(command, sandbox.as_deref().or(wish.cwd), &view))
                    .map_err(step)?;
            return Err(match barrier {
                Some(dir) => barred(refusal, command, &dir, target, wish.caller)?,
                None => refusal,
            });
        }
        outcome => outcome?,
    };
    let variables = environment::build(wish.environment, config, target, &copies, sandbox.as_deref());
    let command = line.map(|line| Command::new(line, variables)).transpose()?;
    Ok(Prepared {
        actor,
        home: target.home.clone(),
        umask: config.umask.bits(),
        command,
        copies,
        given: Vec::new(),
        keeper: None,
        view,
    })
}

/// What is executed, and with which words.
struct Line {
    path: PathBuf,
    words: Vec<OsString>,
}

impl Line {
    fn of(path: PathBuf, payload: &Payload) -> Line {
        let words = std::iter::once(&payload.command).chain(&payload.arguments).cloned().collect();
        Line { path, words }
    }

    /// The wrapper with the command appended. To be called while acting as the target.
    fn wrapped(wrapper: &Wrapper, command: PathBuf, payload: &Payload, view: &View) -> Outcome<Line> {
        let path = wrapper.program().as_path();
        if lookup::executable(&view.place(path)) != Executable::Yes {
            return Err(unusable(format!("the account may not execute {}", path.display())));
        }
        let own = std::iter::once(path.into()).chain(wrapper.arguments().iter().map(OsString::from));
        let words = own.chain([command.into_os_string()]).chain(payload.arguments.iter().cloned());
        Ok(Line { path: path.into(), words: words.collect() })
    }
}

/// The site's wrapper must be a file owned by root that, like every directory above it, only root may write.
fn check_wrapper(wrapper: &Wrapper) -> Outcome<()> {
    dir::check_program(wrapper.program().as_path()).map_err(|why| unusable(why.to_string()))
}

fn unusable(why: String) -> Refusal {
    Refusal::new(Reason::WrapperUnusable, "the site's wrapper of payloads cannot be used; nothing was run").detail(why)
}

impl Command {
    fn new(line: Line, variables: Vec<(OsString, OsString)>) -> Outcome<Command> {
        let environment = variables.into_iter().map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            c_string(name)
        });
        Ok(Command {
            path: c_string(line.path.into())?,
            arguments: line.words.into_iter().map(c_string).collect::<Outcome<_>>()?,
            environment: environment.collect::<Outcome<_>>()?,
        })
    }
}

/// The refusal of a command behind a directory that the target cannot search. It names a directory that the caller can
/// see.
fn barred(refusal: Refusal, command: &OsStr, dir: &Path, target: &Mapping, caller: &Actor) -> Outcome<Refusal> {
    let look = || (lookup::closed_fuse(dir).is_some(), lookup::is_there(dir));
    let (fuse, seen) = identity::acting_as(caller, look).map_err(|errno| failed(&errno.to_string()))?;
    let seen = seen || fuse;
    let why = format!("the account {} cannot search the directory {}", target.name, in_sentence(dir));
    let why = match fuse {
        true => why + ", a file system (FUSE) that lets in its owner only",
        false => why,
    };
    Ok(match seen {
        true => Refusal::new(Reason::CommandNotFound, format!("{}: {why}", in_sentence(command))),
        false => refusal.detail(why),
    })
}

/// What came from argv and environ cannot hold a NUL; should it all the same, nothing is run.
fn c_string(text: OsString) -> Outcome<CString> {
    CString::new(text.into_vec()).map_err(|_| Refusal::new(Reason::SystemFailed, "a NUL in a command or variable"))
}

fn failed(why: &str) -> Refusal {
    Refusal::new(Reason::SwitchFailed, "the identity switch failed; nothing was run").detail(why)
}

impl Prepared {
    /// Has the site's prologue make what the payload needs besides; its variables come in the place of others of the
    /// same name.
    pub fn run_prologue(&mut self, prologue: &Prologue) -> Outcome<()> {
        let handed = prologue.run(Owner { uid: self.actor.uid, gid: self.actor.gid })?;
        (self.given, self.keeper) = (handed.files, handed.keeper);
        let Some(command) = &mut self.command else { return Ok(()) };
        for (name, value) in handed.variables {
            let mut text = name;
            text.push("=");
            let has_name = |variable: &CString| variable.as_bytes().starts_with(text.as_bytes());
            command.environment.retain(|variable| !has_name(variable));
            text.push(value);
            command.environment.push(c_string(text)?);
        }
        Ok(())
    }

    /// Who removes what the prologue gave where this process is killed; to be let go of when somebody else looks after it.
    pub fn take_keeper(&mut self) -> Option<Helper> {
        self.keeper.take()
    }

    /// Takes back what was made for a payload that will not run.
    pub fn undo(&self) {
        self.remove(|_| true);
        self.remove_given();
    }

    /// Removes what the payload alone knew: copies with names of ours, and what the prologue gave it.
    pub fn remove_temporary(&self) {
        self.remove(|copy| copy.lifetime == Lifetime::Temporary);
        self.remove_given();
    }

    /// As root, in whose directories they are.
    fn remove_given(&self) {
        self.given.iter().for_each(GivenFile::remove);
    }

    fn remove(&self, which: impl Fn(&Copy) -> bool) {
        let copies: Vec<&Copy> = self.copies.iter().filter(|copy| which(copy)).collect();
        if !copies.is_empty() {
            // Root is left already where this fails; the refusal in progress is what counts.
            let _ = identity::acting_as(&self.actor, || copies.iter().for_each(|copy| copy.remove()));
        }
    }

    /// Removes copies with names of ours, in a process that has the target's rights and no others.
    pub fn remove_temporary_as_target(&self) {
        self.copies.iter().filter(|copy| copy.lifetime == Lifetime::Temporary).for_each(Copy::remove);
    }

    /// The files that [`Prepared::remove_temporary`] removes.
    pub fn left_files(&self) -> Vec<LeftFile> {
        let in_view = |copy: &Copy| {
            let identity = identity::acting_as(&self.actor, || copy.identity()).ok()??;
            self.view.left(&copy.path, identity)
        };
        let copies = self.copies.iter().filter_map(|copy| copy.left().or_else(|| in_view(copy)));
        copies.chain(self.given.iter().filter_map(GivenFile::left)).collect()
    }

    /// The payload's copy of this kind, where there is one.
    pub fn copy(&self, kind: Kind) -> Option<&Path> {
        self.copies.iter().find(|copy| copy.kind == kind).map(|copy| copy.path.as_path())
    }

    /// Whether there is a command to run.
    pub fn has_command(&self) -> bool {
        self.command.is_some()
    }

    /// Makes the payload's view, and becomes the target account, for good.
    pub fn switch(mut self, limits: &Limits) -> Outcome<Switched> {
        // It would take the beginning of the payload for the end of this process.
        drop(self.take_keeper());
        self.view.enter(&self.actor)?;
        identity::become_for_good(&self.actor).map_err(|why| failed(&why))?;
        terminal::leave().map_err(|why| failed(&why))?;
        umask(Mode::from_bits_truncate(self.umask));
        let at_work = self.view.go_to_work().map_err(|errno| failed(&errno.to_string()))?;
        if !at_work && chdir(&self.home).is_err() {
            chdir("/").map_err(|errno| failed(&errno.to_string()))?;
        }
        limits.restore().map_err(|errno| failed(&errno.to_string()))?;
        Ok(Switched { command: self.command })
    }
}

/// The process is the target account and can be nothing else any more. Only this can run a payload.
#[derive(Debug)]
pub struct Switched {
    command: Option<Command>,
}

/// How a run ended, seen from the process that was to become the payload.
#[derive(Debug)]
pub enum Ran {
    /// There was nothing to run.
    Nothing,
    /// The kernel refused the command.
    Failed(Refusal),
}

impl Switched {
    /// Becomes the command. Returns only when there is none, or when the kernel refuses it.
    pub fn run(self) -> Ran {
        let Some(command) = self.command else { return Ran::Nothing };
        let errno: Errno = execute(&command.path, &command.arguments, &command.environment);
        Ran::Failed(command::not_executed(Path::new(OsStr::from_bytes(command.path.to_bytes())), errno))
    }
}
