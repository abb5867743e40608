//! wirehook
pub mod protocol;
pub use protocol::Message;
