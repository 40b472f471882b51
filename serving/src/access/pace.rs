//! How often a caller may ask: a token bucket in one atomic number.
//!
//! The generic cell rate algorithm (ITU-T I.371): instead of counting tokens it keeps the moment at which the
//! bucket would be full again. A request moves it on by one interval and is refused when that would lie
//! further ahead than the whole burst.

use std::sync::atomic::{AtomicI64, Ordering};

use scorehouse_features::definition::Rate;
use scorehouse_features::time::Timestamp;

use crate::error::ServeError;

/// A bucket.
#[derive(Debug)]
pub struct Pace {
    /// Nanoseconds between two requests in the long run.
    interval: i64,
    /// Nanoseconds that a full bucket is worth.
    burst: i64,
    /// Nanoseconds since 1970 at which the bucket will be full.
    full_at: AtomicI64,
}

impl Pace {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let interval = 1_000_000_000 / i64::from(rate.per_second.get());
        Self { interval, burst: interval * i64::from(rate.burst.get()), full_at: AtomicI64::new(i64::MIN) }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// [`ServeError::RateLimited`] with the seconds after which there will be one.
    pub fn take(&self, now: Timestamp) -> Result<(), ServeError> {
        let now = now.0.saturating_mul(1_000);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now).saturating_add(self.interval);
            let ahead = next.saturating_sub(now);
            if ahead > self.burst {
                let wait = (ahead - self.burst).max(0) as u64;
                let retry_after = u32::try_from(wait.div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1);
                return Err(ServeError::RateLimited { retry_after });
            }
            match self.full_at.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(found) => full_at = found,
            }
        }
    }

    /// True when the bucket is full, so that forgetting it changes nothing.
    #[must_use]
    pub fn is_full(&self, now: Timestamp) -> bool {
        self.full_at.load(Ordering::Relaxed) <= now.0.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn pace(per_second: u32, burst: u32) -> Pace {
        let some = |n| NonZeroU32::new(n).unwrap();
        Pace::new(Rate { per_second: some(per_second), burst: some(burst) })
    }

    fn taken(pace: &Pace, now: i64) -> usize {
        (0..1_000).take_while(|_| pace.take(Timestamp(now)).is_ok()).count()
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate_counts() {
        let pace = pace(10, 5);
        let begin = 1_700_000_000_000_000;
        assert_eq!(taken(&pace, begin), 5);
        assert_eq!(taken(&pace, begin + 100_000), 1, "a tenth of a second is worth one request");
        assert_eq!(taken(&pace, begin + 1_000_000), 5, "and no rest is worth more than the burst");
        assert!(!pace.is_full(Timestamp(begin + 1_000_000)));
        assert!(pace.is_full(Timestamp(begin + 2_000_000)));
    }

    #[test]
    fn a_refused_caller_is_told_a_wait_after_which_it_is_let_through() {
        let pace = pace(1, 2);
        let begin = 1_700_000_000_000_000;
        assert_eq!(taken(&pace, begin), 2);
        let Err(ServeError::RateLimited { retry_after }) = pace.take(Timestamp(begin)) else {
            panic!("not refused")
        };
        assert_eq!(retry_after, 1);
        assert!(pace.take(Timestamp(begin + i64::from(retry_after) * 1_000_000)).is_ok());
    }

    #[test]
    fn threads_share_one_bucket() {
        let pace = pace(1, 1_000);
        let through: usize = std::thread::scope(|scope| {
            let run = || (0..500).filter(|_| pace.take(Timestamp(0)).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(through, 1_000);
    }
}
