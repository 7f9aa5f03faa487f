//! Policy: whether somebody may run here, and as whom. A function of what it is given; what it asks of the machine are
//! traits ([`world::World`]).

#![forbid(unsafe_code)]

pub mod accounts;
pub mod bans;
pub mod circumstances;
pub mod command;
pub mod files;
pub mod lcas;
pub mod lcmaps;
pub mod leases;
pub mod mapping;
pub mod programs;
pub mod site;
pub mod trail;
pub mod world;
