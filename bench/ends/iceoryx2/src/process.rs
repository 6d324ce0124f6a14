//! The clock, cores, patience and sleep, as in harness/clock.hpp and harness/process.cc.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

use std::fs::File;
use std::os::unix::fs::FileExt;

pub fn now_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes into `now`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

pub fn pin_this_thread(core: i32) {
    // SAFETY: a set of all zeros is an empty one.
    let pinned = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core as usize, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    assert!(pinned == 0, "cannot pin to core {core}");
}

pub fn die_with_parent(expected: i32) {
    // SAFETY: no memory is involved.
    let parent = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid()
    };
    assert!(parent == expected, "the driver has ended");
}

/// One wait for what another process does: it ends after a time limit.
pub struct Patience {
    awaited: &'static str,
    turns: u32,
    deadline_ns: u64,
}

impl Patience {
    pub fn new(awaited: &'static str) -> Patience {
        Patience { awaited, turns: 0, deadline_ns: 0 }
    }

    #[inline(always)]
    pub fn spin(&mut self) {
        self.turns = self.turns.wrapping_add(1);
        if self.turns & 0xffff == 0 {
            self.check();
        }
    }

    pub fn rest(&mut self, same_core: bool) {
        if same_core {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
        self.spin();
    }

    #[cold]
    pub fn check(&mut self) {
        if self.deadline_ns == 0 {
            self.deadline_ns = now_ns() + 20_000_000_000;
        }
        assert!(now_ns() <= self.deadline_ns, "waited too long for {}", self.awaited);
    }
}

/// Whether a thread of another process sleeps in the kernel.
pub struct SleepObserver(File);

impl SleepObserver {
    pub fn new(thread: i32) -> SleepObserver {
        let path = format!("/proc/{thread}/stat");
        SleepObserver(
            File::open(&path).unwrap_or_else(|error| panic!("cannot open {path}: {error}")),
        )
    }

    fn asleep(&self) -> bool {
        // "pid (name) S ...": the state is the first letter after the last parenthesis.
        let mut text = [0u8; 512];
        let Ok(size) = self.0.read_at(&mut text, 0) else { return false };
        match text[..size].iter().rposition(|&byte| byte == b')') {
            Some(end) => text[end..size].starts_with(b") S"),
            None => false,
        }
    }

    pub fn wait_until_asleep(&self, same_core: bool) {
        let mut patience = Patience::new("the other end to fall asleep");
        while !self.asleep() {
            patience.rest(same_core);
        }
        let settled_ns = now_ns() + 50_000;
        while now_ns() < settled_ns {
            std::hint::spin_loop();
        }
    }
}
