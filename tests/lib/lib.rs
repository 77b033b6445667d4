//! What the integration binaries have in common.

pub mod machine;
pub mod mapped;
pub mod packed;
