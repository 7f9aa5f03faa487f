//! The payload: its environment, its copy of the proxy, its command, the switch to its account.

pub mod becoming;
pub mod command;
pub mod environment;
pub mod linger;
pub mod private_tmp;
pub mod prologue;
pub mod renewal;
pub mod sandbox;
pub mod switch;
pub mod target_proxy;
pub mod told;
pub mod view;
