//! What is sent, as in harness/content.hpp and harness/flat_cloud.hpp: the same messages, and the
//! same work to write and to read them.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeMap;
use std::mem::MaybeUninit;

/// The sum of all 64-bit words; a rest of less than 8 bytes is left out.
fn sum_words(from: &[u8]) -> u64 {
    let (blocks, rest) = from.split_at(from.len() / 64 * 64);
    let words = rest.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    words.fold(sum_blocks(blocks), u64::wrapping_add)
}

/// Of blocks of 64 bytes. In vectors, as in C++, since what a compiler makes of a plain loop
/// differs.
#[cfg(target_arch = "x86_64")]
fn sum_blocks(from: &[u8]) -> u64 {
    use std::arch::x86_64::*;
    // SAFETY: every x86-64 processor has SSE2, and all that is read lies in `from`.
    unsafe {
        let mut sums = [_mm_setzero_si128(); 4];
        for block in from.chunks_exact(64) {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = _mm_add_epi64(*sum, _mm_loadu_si128(block.as_ptr().add(16 * i).cast()));
            }
        }
        let parts: [u64; 8] = std::mem::transmute(sums);
        parts.into_iter().fold(0, u64::wrapping_add)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn sum_blocks(from: &[u8]) -> u64 {
    let mut sums = [0u64; 8];
    for block in from.chunks_exact(64) {
        for (sum, word) in sums.iter_mut().zip(block.chunks_exact(8)) {
            *sum = sum.wrapping_add(u64::from_ne_bytes(word.try_into().unwrap()));
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

pub fn write_flat(to: &mut [MaybeUninit<u8>], number: u64) {
    // SAFETY: any byte may be written into memory that has no value yet.
    unsafe {
        std::ptr::write_bytes(to.as_mut_ptr().add(8).cast::<u8>(), number as u8, to.len() - 8);
        to.as_mut_ptr().cast::<u64>().write_unaligned(number);
    }
}

pub fn flat_is(from: &[u8], bytes: usize, number: u64, all: bool) -> bool {
    if from.len() != bytes {
        return false;
    }
    if all {
        let rest = (number & 0xff).wrapping_mul(0x0101010101010101);
        return sum_words(from) == number.wrapping_add(rest.wrapping_mul(bytes as u64 / 8 - 1));
    }
    from[..8] == number.to_ne_bytes() && from[bytes - 1] == number as u8
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Point {
    x: f32,
    y: f32,
    z: f32,
    intensity: f32,
}

/// The unsized message, as an application has it.
#[derive(Default)]
pub struct Cloud {
    frame_id: String,
    points: Vec<Point>,
    channels: BTreeMap<String, Vec<f32>>,
}

const CHANNEL_NAMES: [&str; 4] =
    ["intensity_of_the_return", "ring_of_laser", "time_in_nanoseconds", "reflectivity"];

fn point_count(bytes: usize) -> usize {
    (bytes * 3 / 4 / size_of::<Point>()).max(1)
}

fn channel_length(bytes: usize) -> usize {
    (bytes / 4 / CHANNEL_NAMES.len() / 8 * 2).max(2)
}

fn cloud_value(number: u64) -> f32 {
    (number % 1_000_000) as f32
}

fn cloud_frame(number: u64) -> String {
    format!("lidar_on_the_roof_in_front/scan_{number}")
}

pub fn write_cloud(cloud: &mut Cloud, bytes: usize, number: u64) {
    let value = cloud_value(number);
    cloud.frame_id = cloud_frame(number);
    cloud.points.clear();
    let point = Point { x: value, y: value, z: value, intensity: value };
    cloud.points.resize(point_count(bytes), point);
    for name in CHANNEL_NAMES {
        if !cloud.channels.contains_key(name) {
            cloud.channels.insert(name.to_string(), Vec::new());
        }
        let channel = cloud.channels.get_mut(name).unwrap();
        channel.clear();
        channel.resize(channel_length(bytes), value);
    }
}

fn padded(bytes: usize) -> usize {
    (bytes + 7) & !7
}

fn bytes_of<T: Copy>(parts: &[T]) -> &[u8] {
    // SAFETY: floats and points of floats have no gaps.
    unsafe { std::slice::from_raw_parts(parts.as_ptr().cast(), size_of_val(parts)) }
}

pub fn flat_cloud_bytes(cloud: &Cloud) -> usize {
    let channels = cloud.channels.iter();
    24 + padded(cloud.frame_id.len())
        + size_of_val(cloud.points.as_slice())
        + channels
            .map(|(name, values)| 16 + padded(name.len()) + padded(values.len() * 4))
            .sum::<usize>()
}

/// `to` is as long as flat_cloud_bytes() says.
pub fn write_flat_cloud(to: &mut [MaybeUninit<u8>], cloud: &Cloud) {
    let mut at = 0;
    let mut append = |from: &[u8]| {
        let target = &mut to[at..at + from.len()];
        // SAFETY: as long as `from`, which lies elsewhere.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr(), target.as_mut_ptr().cast(), from.len())
        };
        at += padded(from.len());
    };
    let lengths = [cloud.frame_id.len(), cloud.points.len(), cloud.channels.len()];
    append(bytes_of(&lengths));
    append(cloud.frame_id.as_bytes());
    append(bytes_of(&cloud.points));
    for (name, values) in &cloud.channels {
        append(bytes_of(&[name.len(), values.len()]));
        append(name.as_bytes());
        append(bytes_of(values));
    }
}

fn floats_are(from: &[u8], expected_bytes: usize, number: u64, all: bool) -> bool {
    if from.len() != expected_bytes {
        return false;
    }
    let value = cloud_value(number).to_bits() as u64;
    if all {
        return sum_words(from) == (value << 32 | value).wrapping_mul(from.len() as u64 / 8);
    }
    from[from.len() - 4..] == cloud_value(number).to_ne_bytes()
}

/// Reads a message of write_flat_cloud() in place.
pub fn flat_cloud_is(from: &[u8], bytes: usize, number: u64, all: bool) -> bool {
    let mut at = 0;
    let mut part = |part_bytes: usize| {
        let begin = at;
        at += padded(part_bytes);
        &from[begin..begin + part_bytes]
    };
    let length = |word: &[u8]| usize::from_ne_bytes(word.try_into().unwrap());
    let (frame_bytes, points, channels) = (length(part(8)), length(part(8)), length(part(8)));
    if part(frame_bytes) != cloud_frame(number).as_bytes() || channels != CHANNEL_NAMES.len() {
        return false;
    }
    let points_bytes = point_count(bytes) * size_of::<Point>();
    let mut right = floats_are(part(points * size_of::<Point>()), points_bytes, number, all);
    let mut known = 0;
    for _ in 0..channels {
        let (name_bytes, values) = (length(part(8)), length(part(8)));
        let name = part(name_bytes);
        known += CHANNEL_NAMES.iter().filter(|expected| expected.as_bytes() == name).count();
        right = right && floats_are(part(values * 4), channel_length(bytes) * 4, number, all);
    }
    right && known == CHANNEL_NAMES.len()
}
