//! The integration binary: one module a topic, over the built program and the public library.
//!
//! Every server listens on loopback at a free port and is stopped by its own process id; nothing
//! here asserts a time. What a test needs and a machine may lack is named by [`harness::skip`].

mod client;
mod handing_in;
mod harness;
mod indexed;
mod sample;
mod standings;

mod advice;
mod bad_input;
mod body_integrity;
mod canary;
mod commands;
mod corrupted;
mod download_by_curl;
mod duplicates;
mod gitlab_behaviour;
mod http_semantics;
mod methods;
mod own_classes;
mod parts;
mod printed;
mod profiles;
mod program;
mod push_to_server;
mod read_plans;
mod real_archives;
mod resolution;
mod tree;
mod uploads;
mod writers;
mod written_methods;
