//! `[[lcas.plugin]]` and `[lcmaps]`: the raw tables, and turning them into plans.
//!
//! The tables are flat, with every option of every plug-in type, because only so do the errors of the TOML reader have
//! line and column. Which option belongs to which type is checked afterwards, here.

use crate::exec::Exec;
use crate::values::{AbsolutePath, Lifetime};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// How long an `exec` plug-in may take where nothing is said.
const EXEC_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that may be said: callers give up, too.
const MAX_EXEC_TIMEOUT: Duration = Duration::from_secs(600);

/// Something in the configuration that cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes from the start of the file; `None` where something is missing altogether.
    pub span: Option<Range<usize>>,
}

impl ConfigError {
    /// A mistake, and where.
    pub fn invalid(message: impl Into<String>, span: impl Into<Option<Range<usize>>>) -> Self {
        ConfigError { message: message.into(), span: span.into() }
    }
}

/// An option that somebody set: its name, its place, and the types that have it.
pub(crate) struct Given<'a, T> {
    name: &'static str,
    span: Option<Range<usize>>,
    types: &'a [T],
}

impl<'a, T> Given<'a, T> {
    pub(crate) fn new<V>(name: &'static str, value: &Option<Spanned<V>>, types: &'a [T]) -> Self {
        Given { name, span: value.as_ref().map(Spanned::span), types }
    }
}

/// Refuses the first option that was set but does not belong to the type.
pub(crate) fn only_own_options<T: PartialEq>(
    kind: &T,
    kind_name: &str,
    options: &[Given<'_, T>],
) -> Result<(), ConfigError> {
    match options.iter().find(|option| option.span.is_some() && !option.types.contains(kind)) {
        None => Ok(()),
        Some(option) => {
            let message = format!("{} is not an option of a plug-in of type {kind_name}", option.name);
            Err(ConfigError::invalid(message, option.span.clone()))
        }
    }
}

/// An option that a type cannot do without.
pub(crate) fn required<'a, V>(
    name: &str,
    value: &'a Option<Spanned<V>>,
    kind_name: &str,
    plugin: Range<usize>,
) -> Result<&'a V, ConfigError> {
    let missing = || ConfigError::invalid(format!("a plug-in of type {kind_name} needs {name}"), plugin);
    value.as_ref().map(Spanned::get_ref).ok_or_else(missing)
}

/// The program of an `exec` plug-in.
pub(crate) fn exec(
    command: &Option<Spanned<Vec<String>>>,
    timeout: &Option<Spanned<Lifetime>>,
    kind_name: &str,
    plugin: Range<usize>,
) -> Result<Exec, ConfigError> {
    let words = required("command", command, kind_name, plugin)?;
    let span = command.as_ref().map(Spanned::span);
    let (program, arguments) =
        words.split_first().ok_or_else(|| ConfigError::invalid("an empty command", span.clone()))?;
    let program =
        AbsolutePath::try_from(PathBuf::from(program)).map_err(|why| ConfigError::invalid(why, span.clone()))?;
    if arguments.iter().any(|argument| argument.contains('\0')) {
        return Err(ConfigError::invalid("a NUL in an argument", span));
    }
    let deadline = timeout.as_ref().map_or(EXEC_TIMEOUT, |timeout| timeout.get_ref().duration());
    if deadline.is_zero() || deadline > MAX_EXEC_TIMEOUT {
        let message = format!("timeout must be between 1s and {}m", MAX_EXEC_TIMEOUT.as_secs() / 60);
        return Err(ConfigError::invalid(message, timeout.as_ref().map(Spanned::span)));
    }
    Ok(Exec { program, arguments: arguments.to_vec(), timeout: deadline })
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
