//! The real orders: read, moved in time, sampled or repeated, written, and summed up per customer.

mod history;
mod line;
mod read;
mod repeat;
mod write;

pub use history::PurchaseHistory;
pub use line::{Line, Orders, is_cancellation, is_product};
pub use read::load;
pub use repeat::{Sample, repeat};
pub use write::{write_copy, write_real};
