//! librdkafka's waits, by the monotonic clock.
//!
//! librdkafka limits its waits by the wall clock (C11's `cnd_timedwait` has no other). If that clock is
//! set back by an hour, a wait of 100 ms lasts an hour, and so does a client's stop, or the
//! runner's own end. This function replaces that of the C library in kplan's processes and waits
//! for the time that was left at the call. Only if `cnd_t` and `mtx_t` are `pthread`'s types under
//! another name, as in glibc (2.30 or later).
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::c_int;

use nix::{
    libc::{CLOCK_MONOTONIC, ETIMEDOUT, clockid_t, pthread_cond_t, pthread_mutex_t, timespec},
    sys::time::TimeSpec,
    time::{ClockId, clock_gettime},
};

// C11's results, as glibc numbers them.
const SUCCESS: c_int = 0;
const ERROR: c_int = 2;
const TIMED_OUT: c_int = 4;

unsafe extern "C" {
    fn pthread_cond_clockwait(
        condition: *mut pthread_cond_t,
        mutex: *mut pthread_mutex_t,
        clock: clockid_t,
        until: *const timespec,
    ) -> c_int;
}

/// # Safety
/// As C11's: a condition, a mutex that this thread holds, and a time.
#[unsafe(no_mangle)]
unsafe extern "C" fn cnd_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    until: *const timespec,
) -> c_int {
    let (Ok(wall), Ok(now)) =
        (clock_gettime(ClockId::CLOCK_REALTIME), clock_gettime(ClockId::CLOCK_MONOTONIC))
    else {
        return ERROR;
    };
    // SAFETY: the caller's own promise.
    let left = TimeSpec::from_timespec(unsafe { *until }) - wall;
    let end = now + left;
    // SAFETY: the caller's own promise; glibc's C11 types are these.
    match unsafe { pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, end.as_ref()) } {
        0 => SUCCESS,
        ETIMEDOUT => TIMED_OUT,
        _ => ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nix::libc::{
        PTHREAD_COND_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, pthread_mutex_lock,
        pthread_mutex_unlock,
    };

    use super::*;

    /// The result of a wait without a signal, and how long it took.
    fn waited(until: TimeSpec) -> (c_int, Duration) {
        let (mut condition, mut mutex) = (PTHREAD_COND_INITIALIZER, PTHREAD_MUTEX_INITIALIZER);
        let begun = Instant::now();
        // SAFETY: both are initialised, live until the end, and are this thread's alone.
        let ended = unsafe {
            assert_eq!(pthread_mutex_lock(&raw mut mutex), 0);
            let ended = cnd_timedwait(&raw mut condition, &raw mut mutex, until.as_ref());
            assert_eq!(pthread_mutex_unlock(&raw mut mutex), 0, "the lock is held again");
            ended
        };
        (ended, begun.elapsed())
    }

    #[test]
    fn a_wait_lasts_as_long_as_was_left() {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock");
        let left = Duration::from_millis(1_100);
        let (ended, took) = waited(wall + TimeSpec::from_duration(left));
        assert_eq!(ended, TIMED_OUT);
        assert!(took + Duration::from_millis(10) >= left, "{took:?}");
    }

    #[test]
    fn a_time_that_has_passed_is_not_waited_for() {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock");
        // Also a time before this machine started, where the monotonic clock has none.
        for ago in [1, 10 * 365 * 24 * 3600] {
            let (ended, took) = waited(wall - TimeSpec::from_duration(Duration::from_secs(ago)));
            assert_eq!(ended, TIMED_OUT, "{ago} s ago");
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
    }
}
