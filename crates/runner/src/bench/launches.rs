//! Kernel launches, counted as they are issued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};

#[derive(Default)]
struct Launches(AtomicUsize);

impl LaunchObserver for Launches {
    fn launched(&self, _kernel: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What `run` returns, and how many kernels the whole process launched while it ran. `run` has to wait
/// for its own work, and none may be pending before it.
pub fn count<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let launches = Arc::new(Launches::default());
    let observation = LaunchObservation::new(launches.clone());
    let result = run();
    drop(observation);
    (result, launches.0.load(Ordering::Relaxed))
}
