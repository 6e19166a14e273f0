//! The API over a real socket, on a store in memory.

mod events;
mod harness;
mod lag;
mod metadata;
mod odd;
mod openapi;
mod plan;
mod replay;
mod tls;
mod unanswered;
mod v1;
mod v2;
mod why;
