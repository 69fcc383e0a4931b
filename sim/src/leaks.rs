//! Closes the ways round the host that other people's crates take: libc's randomness and clocks.
//!
//! A date in an HTTP answer, the time in a signature and the keys of a hash map come from calls that no trait of
//! ours stands before. The functions below take libc's names, so that the whole process calls them; on a thread
//! that has entered a simulation ([`Sealed`]) they answer from its seed and its time, on every other thread they
//! ask the kernel as before: whatever runs before `main`, test runners and the parent of a batch see nothing.
//!
//! **Boundary.** The only unsafe code of the simulation. What can't be closed this way, and how it is kept out: the
//! processor's own counter and random instructions (no crate of ours reads them but aws-lc, whose randomness is
//! reached through [`helios::host::Entropy`] alone), and tokio's numbers of tasks (one seed a process; tasks run on
//! a local set, whose order does not depend on them).
#![allow(unsafe_code, reason = "libc's functions are replaced by their C names; each block says why it is sound")]

use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static SEALED: Cell<bool> = const { Cell::new(false) };
    static STATE: Cell<u64> = const { Cell::new(0) };
    static NOW_NS: Cell<u64> = const { Cell::new(0) };
    static CALLS: Cell<Calls> = const { Cell::new(Calls { random: 0, clock: 0 }) };
}

/// Where libc's calendar stands when a simulation begins: 2026-01-01T00:00:00Z.
const EPOCH_S: u64 = 1_767_225_600;

/// Where its monotonic clocks stand then. Not 0: some crates subtract from the first reading.
const MONOTONIC_START_S: u64 = 1_000;

/// How often a sealed thread asked libc.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Calls {
    /// For random bytes.
    pub random: u64,
    /// For the time.
    pub clock: u64,
}

/// While it lives, this thread gets randomness from a seed and time from [`set_now`].
pub struct Sealed(());

impl Sealed {
    /// Seals this thread.
    pub fn enter(seed: u64) -> Self {
        STATE.set(seed);
        NOW_NS.set(0);
        CALLS.set(Calls::default());
        SEALED.set(true);
        Self(())
    }

    /// What was asked so far.
    pub fn calls(&self) -> Calls {
        CALLS.get()
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        SEALED.set(false);
    }
}

/// Runs a simulation on a thread of its own, sealed with `seed`: what others keep in thread-locals is fresh there.
///
/// # Panics
/// If `run` does.
#[allow(clippy::disallowed_methods, reason = "a simulation is the one thing that runs on the new thread")]
pub fn on_a_sealed_thread<T: Send>(seed: u64, run: impl FnOnce() -> T + Send) -> T {
    let sealed = || {
        let _sealed = Sealed::enter(seed);
        run()
    };
    std::thread::scope(|scope| scope.spawn(sealed).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where the clocks of this thread stand.
pub fn now() -> Duration {
    Duration::from_nanos(NOW_NS.get())
}

/// Moves the clocks of this thread to `elapsed` after the beginning.
pub fn set_now(elapsed: Duration) {
    NOW_NS.set(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
}

/// The processor time that this thread has used, sealed or not.
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the kernel to fill; the call keeps no pointer to it.
    unsafe {
        kernel(libc::SYS_clock_gettime, [libc::CLOCK_THREAD_CPUTIME_ID as usize, (&raw mut time) as usize, 0, 0])
    };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn is_sealed() -> bool {
    // A thread that is ending has no thread-locals any more.
    SEALED.try_with(Cell::get).unwrap_or(false)
}

fn count(add: impl FnOnce(&mut Calls)) {
    let mut calls = CALLS.get();
    add(&mut calls);
    CALLS.set(calls);
}

/// SplitMix64.
fn next() -> u64 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    crate::rng::mix(state)
}

/// # Safety
/// `to` must be valid for writes of `len` bytes.
unsafe fn fill(to: *mut u8, len: usize) {
    let mut done = 0;
    while done < len {
        let word = next().to_le_bytes();
        let step = word.len().min(len - done);
        // SAFETY: the caller vouches for `len` bytes from `to`, and `done + step` is at most `len`.
        unsafe { std::ptr::copy_nonoverlapping(word.as_ptr(), to.add(done), step) };
        done += step;
    }
    count(|calls| calls.random += 1);
}

/// Asks the kernel itself: libc's own `syscall` is replaced below.
///
/// # Safety
/// As for the system call `number` with these arguments.
unsafe fn kernel(number: libc::c_long, [a, b, c, d]: [usize; 4]) -> isize {
    // SAFETY: the caller vouches for number and arguments.
    let result = unsafe { kernel_of_six(number, [a, b, c, d, 0, 0]) };
    if (-4_095..0).contains(&result) {
        // SAFETY: libc gives each thread a valid place for its error.
        unsafe { *libc::__errno_location() = i32::try_from(-result).unwrap_or(libc::EINVAL) };
        return -1;
    }
    result
}

/// # Safety
/// As for the system call `number` with these arguments.
unsafe fn kernel_of_six(number: libc::c_long, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel's calling convention; it changes rax, rcx and r11 and no memory but what the call names.
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel's calling convention; it changes x0 and no memory but what the call names.
    unsafe {
        core::arch::asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c, in("x3") d,
            in("x4") e, in("x5") f, options(nostack));
    }
    result
}

/// libc's `getrandom`.
///
/// # Safety
/// `buffer` must be valid for writes of `len` bytes.
// SAFETY: the name and the types are libc's; whoever calls it keeps libc's contract.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, flags: u32) -> isize {
    if is_sealed() {
        // SAFETY: the caller's contract is the same.
        unsafe { fill(buffer, len) };
        return isize::try_from(len).unwrap_or(isize::MAX);
    }
    // SAFETY: the caller's contract is the kernel's.
    unsafe { kernel(libc::SYS_getrandom, [buffer as usize, len, flags as usize, 0]) }
}

/// libc's `getentropy`.
///
/// # Safety
/// `buffer` must be valid for writes of `len` bytes.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getentropy(buffer: *mut u8, len: usize) -> i32 {
    // SAFETY: the caller's contract is the same.
    if len > 256 || unsafe { getrandom(buffer, len, 0) } < 0 { -1 } else { 0 }
}

/// libc's `syscall`, by which some crates ask for random bytes. Its further arguments are passed like those of any
/// function, so that six of them stand for what is variadic in C.
///
/// # Safety
/// As for the system call `number`.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall(
    number: libc::c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> libc::c_long {
    if number == libc::SYS_getrandom && is_sealed() {
        // SAFETY: the first two arguments of this call are a buffer and its length.
        unsafe { fill(a as *mut u8, b) };
        return libc::c_long::try_from(b).unwrap_or(libc::c_long::MAX);
    }
    // SAFETY: the caller's contract is the kernel's.
    let result = unsafe { kernel_of_six(number, [a, b, c, d, e, f]) };
    if (-4_095..0).contains(&result) {
        // SAFETY: libc gives each thread a valid place for its error.
        unsafe { *libc::__errno_location() = i32::try_from(-result).unwrap_or(libc::EINVAL) };
        return -1;
    }
    result as libc::c_long
}

/// libc's `clock_gettime`.
///
/// # Safety
/// `to` must be valid for a write.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, to: *mut libc::timespec) -> libc::c_int {
    let start = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => Some(EPOCH_S),
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_BOOTTIME => {
            Some(MONOTONIC_START_S)
        }
        _ => None,
    };
    if let (Some(start), true) = (start, is_sealed()) {
        count(|calls| calls.clock += 1);
        let now = NOW_NS.get();
        let time = libc::timespec {
            tv_sec: libc::time_t::try_from(start + now / 1_000_000_000).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::try_from(now % 1_000_000_000).unwrap_or(0),
        };
        // SAFETY: the caller vouches for `to`.
        unsafe { to.write(time) };
        return 0;
    }
    // SAFETY: the caller's contract is the kernel's.
    let result = unsafe { kernel(libc::SYS_clock_gettime, [clock as usize, to as usize, 0, 0]) };
    i32::try_from(result).unwrap_or(-1)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these are the ways round the host")]
mod tests {
    use std::collections::hash_map::DefaultHasher;
    use std::hash::{BuildHasher, Hasher, RandomState};
    use std::time::{Instant, SystemTime, UNIX_EPOCH};

    use super::*;

    /// Keys of hash maps are drawn once a thread: so each asks on a thread of its own.
    fn on_a_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    fn keys(state: &RandomState) -> u64 {
        let hasher: DefaultHasher = state.build_hasher();
        hasher.finish()
    }

    #[test]
    fn a_sealed_thread_draws_from_its_seed_and_others_do_not() {
        let sealed = |seed| {
            on_a_thread(move || {
                let sealed = Sealed::enter(seed);
                (keys(&RandomState::new()), sealed.calls().random)
            })
        };
        assert_eq!(sealed(1), sealed(1));
        assert!(sealed(1).1 > 0, "the standard library asks what was replaced");
        assert_ne!(sealed(1), sealed(2));
        let open = || on_a_thread(|| keys(&RandomState::new()));
        assert_ne!(open(), open());
    }

    #[test]
    fn the_clocks_of_a_sealed_thread_stand_until_they_are_moved() {
        on_a_thread(|| {
            let _sealed = Sealed::enter(1);
            let (start, wall) = (Instant::now(), SystemTime::now());
            assert_eq!(wall.duration_since(UNIX_EPOCH).unwrap().as_secs(), EPOCH_S);
            assert_eq!(start.elapsed(), Duration::ZERO);
            set_now(Duration::from_secs(5));
            assert_eq!(start.elapsed(), Duration::from_secs(5));
            assert_eq!(SystemTime::now().duration_since(wall).unwrap(), Duration::from_secs(5));
        });
        assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() > EPOCH_S - 86_400 * 365);
        assert!(thread_cpu_time() > Duration::ZERO);
    }
}
