//! Guards the cold start of every function: a test of its own process, because only the first use counts.

use std::time::{Duration, Instant};

/// Time that this thread has run, where the kernel counts it; on a busy machine the clock on the wall lies.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

/// Without `AWS_LC_SYS_NO_JITTER_ENTROPY=1` (`.cargo/config.toml`) this takes 50 to 60 ms of CPU.
#[test]
fn the_first_random_bytes_take_less_than_5_ms() {
    let (cpu, wall) = (cpu_time(), Instant::now());
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    let wall = wall.elapsed();
    let used = match (cpu, cpu_time()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => wall,
    };
    assert!(
        used < Duration::from_millis(5),
        "{used:?}: is .cargo/config.toml lost, or was aws-lc-sys built without it?"
    );
}
