//! The page that the driver shares with both ends: harness/exchange_page.hpp says who writes what.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

pub const SAMPLES_MAX: usize = 100_000;
pub const ROUNDS_MIN: u64 = 10;

pub const COMMAND_QUIT: u32 = 0;
pub const MODE_POLL: u32 = 0;
pub const MODE_BLOCK: u32 = 1;
pub const CONTENT_FLAT: u32 = 0;

/// poll, block, flat, unsized, written and read
pub const SUPPORTS: u32 = 1 | 2 | 8 | 16 | 32;

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Task {
    pub command: u32,
    pub mode: u32,
    pub content: u32,
    pub touched: u32,
    pub size_bytes: u64,
    pub warm_up_rounds: u64,
    pub rounds: u64,
    pub first_number: u64,
    pub spin_ns: u64,
    pub budget_ns: u64,
    pub ping_core: i32,
    pub pong_core: i32,
}
const _: () = assert!(size_of::<Task>() == 72);

/// A part of the page that begins where no other one's cache lines are.
#[repr(C, align(128))]
pub struct Apart<T>(pub T);

#[repr(C)]
pub struct Start {
    pub started: [AtomicU32; 2],
    pub supports: AtomicU32,
    pub pong_thread: AtomicI32,
}

#[repr(C)]
pub struct Last {
    pub last_number: AtomicU64,
    pub stopped_number: AtomicU64,
}

#[repr(C)]
pub struct Page {
    pub task_number: Apart<AtomicU32>,
    pub task: Apart<Task>,
    pub done_number: Apart<AtomicU32>,
    pub start: Apart<Start>,
    pub ready_number: Apart<AtomicU64>,
    pub last: Apart<Last>,
    pub limits: [Apart<AtomicU64>; 4],
    pub sample_count: Apart<AtomicU64>,
    pub samples_ns: Apart<[u64; SAMPLES_MAX]>,
}
const _: () = assert!(offset_of!(Page, task) == 128);
const _: () = assert!(offset_of!(Page, start) == 384);
const _: () = assert!(offset_of!(Page, ready_number) == 512);
const _: () = assert!(offset_of!(Page, last) == 640);
const _: () = assert!(offset_of!(Page, sample_count) == 1280);
const _: () = assert!(offset_of!(Page, samples_ns) == 1408);

/// A mapping of the page, for as long as the process lives.
#[derive(Clone, Copy)]
pub struct Exchange(*mut Page);

impl Exchange {
    pub fn open(fd: i32) -> Exchange {
        // SAFETY: a new mapping; the driver made the file as big as the page.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Page>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                0,
            )
        };
        assert!(address != libc::MAP_FAILED, "cannot map the shared page");
        Exchange(address.cast())
    }

    pub fn page(&self) -> &'static Page {
        // SAFETY: mapped until the process ends; what others write is atomic, or read only after
        // task_number has said so.
        unsafe { &*self.0 }
    }

    /// Only ping writes samples, and the driver reads them after done().
    pub fn put_sample(&self, index: usize, ns: u64) {
        assert!(index < SAMPLES_MAX);
        // SAFETY: within the array.
        unsafe { (&raw mut (*self.0).samples_ns.0[index]).write(ns) };
    }

    /// The task after number `seen`, which is raised; none if it has to be asked for again.
    pub fn next_task(&self, seen: &mut u32) -> Option<Task> {
        let number = self.page().task_number.0.load(Ordering::SeqCst);
        if number == *seen {
            futex_wait(&self.page().task_number.0, *seen);
            return None;
        }
        *seen = number;
        // SAFETY: written before the number, and not again before done().
        Some(unsafe { (&raw const (*self.0).task.0).read() })
    }

    pub fn done(&self, seen: u32) {
        self.page().done_number.0.store(seen, Ordering::SeqCst);
        futex_wake(&self.page().done_number.0);
    }
}

fn futex_wait(word: &AtomicU32, seen: u32) {
    let limit = libc::timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    // SAFETY: the word is mapped, the limit outlives the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            seen,
            &raw const limit,
            0,
            0,
        )
    };
}

fn futex_wake(word: &AtomicU32) {
    // SAFETY: the word is mapped.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1, 0, 0, 0) };
}
