//! The one form of `select` that the house allows.

/// Waits for the first of several futures, looking at them in the order written, so that the same
/// state always takes the same branch. `tokio::select` draws the order at random and is refused.
#[macro_export]
macro_rules! host_select {
    ($($body:tt)*) => { ::tokio::select! { biased; $($body)* } };
}
