//! librdkafka's waits, by the monotonic clock.
//!
//! It says when a wait ends by the wall clock (C11's `cnd_timedwait` knows no other). Where somebody
//! sets that clock back by an hour, a wait of 100 ms lasts an hour, and so does a client's stop, or the
//! runner's own end. This function takes the place of the C library's in kplan's processes and waits
//! for as long as was left at the call. Only where `cnd_t` and `mtx_t` are `pthread`'s types under
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
