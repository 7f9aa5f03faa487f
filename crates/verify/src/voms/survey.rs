//! The whole vomsdir, looked at with the eyes of the verifier: for who looks after the site.

use super::MAX_LSC;
use super::lsc::{self, Names};
use crate::trust;
use glexec_core::reason::{Outcome, Reason, Refusal};
use glexec_core::surveyed::{Server, Vo};
use glexec_core::verdict::Refused;
use glexec_sys::dir::Directory;
use std::ffi::OsStr;

/// Every folder, with the CA at the end of each chain of its `.lsc` files.
pub fn survey(vomsdir: &Directory) -> Outcome<Vec<Vo>> {
    let names = vomsdir.names().map_err(|error| Refusal::new(Reason::TrustUnreadable, error.to_string()))?;
    // Files beside the folders are nothing of glexec's.
    let is_folder = |name: &&OsStr| !vomsdir.entry(name).is_ok_and(|entry| entry.is_some_and(|entry| entry.regular));
    Ok(names.iter().map(AsRef::as_ref).filter(is_folder).map(|name| look(vomsdir, name)).collect())
}

fn look(vomsdir: &Directory, vo: &OsStr) -> Vo {
    let name = vo.to_string_lossy().into_owned();
    let servers = servers(vomsdir, vo, &name).map_err(|refusal| Refused::from(&refusal));
    Vo { name, servers }
}

fn servers(vomsdir: &Directory, vo: &OsStr, name: &str) -> Outcome<Vec<Server>> {
    let what = format!("the vomsdir entry of the VO {name}");
    let directory = vomsdir.subdirectory(vo).map_err(|error| trust::unreadable(&what, &error))?;
    let names = directory.names().map_err(|error| trust::unreadable(&what, &error))?;
    let files = names.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".lsc"));
    let read = |file: &str| {
        let bytes = trust::read(&directory, file, MAX_LSC, &what)?.unwrap_or_default();
        let authorities = |chains: Vec<Names>| chains.iter().map(|chain| chain.authority().to_string()).collect();
        Ok(Server { file: file.to_owned(), authorities: lsc::parse(&bytes).map(authorities).map_err(str::to_owned) })
    };
    files.map(read).collect()
}
