//! The program against a scripted server.

#[cfg(test)]
mod change;
#[cfg(test)]
mod choose;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod completion;
#[cfg(test)]
mod global;
#[cfg(test)]
mod list;
#[cfg(test)]
mod live;
#[cfg(test)]
mod older;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod program;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod replace;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod server;
#[cfg(test)]
mod several;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod status;
#[cfg(test)]
mod tunnel;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod why;
