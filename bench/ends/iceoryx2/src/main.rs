//! iceoryx2's end of a comparison, and of a scale sweep: agnocast-bench-iceoryx2.
//!
//! The loops are those of harness/serve.hpp, which says what is measured.
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

mod content;
mod end;
mod exchange;
mod process;
mod scale;

use std::error::Error;
use std::sync::atomic::Ordering;

use iceoryx2::prelude::*;

use end::End;
use exchange::*;
use process::*;

/// Where iceoryx2 keeps its files. The same in all sessions: what a killed one leaves, the next one
/// finds and removes.
const ROOT: &str = "/tmp/agnocast-bench-iceoryx2";
const PREFIX: &str = "agnocast_bench_iceoryx2_";

#[derive(Default)]
struct Arguments {
    is_ping: bool,
    fd: i32,
    parent: i32,
    biggest_bytes: usize,
}

fn parse_arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--side" => arguments.is_ping = value == "ping",
            "--fd" => arguments.fd = value.parse()?,
            "--parent" => arguments.parent = value.parse()?,
            "--biggest" => arguments.biggest_bytes = value.parse()?,
            _ => return Err(format!("no such option: {name}").into()),
        }
    }
    Ok(arguments)
}

fn ping_rounds(end: &mut End, task: &Task, exchange: Exchange) {
    let page = exchange.page();
    let same_core = task.ping_core == task.pong_core;
    let pong = (task.mode == MODE_BLOCK)
        .then(|| SleepObserver::new(page.start.0.pong_thread.load(Ordering::Acquire)));
    let mut samples = 0;
    let mut counted_since_ns = 0;
    for round in 0.. {
        let number = task.first_number + round;
        end.prepare(number);
        let mut patience = Patience::new("the other end to get ready");
        while page.ready_number.0.load(Ordering::Acquire) != number {
            patience.rest(same_core);
        }
        if let Some(pong) = &pong {
            pong.wait_until_asleep(same_core);
        }
        if round == task.warm_up_rounds {
            counted_since_ns = now_ns();
        }
        let is_last = round + 1 >= task.warm_up_rounds + task.rounds
            || (round + 1 >= task.warm_up_rounds + ROUNDS_MIN
                && now_ns() - counted_since_ns > task.budget_ns);
        if is_last {
            page.last.0.last_number.store(number, Ordering::Release);
        }

        let begin_ns = now_ns();
        end.send(number);
        end.receive(number);
        let end_ns = now_ns();
        page.last.0.stopped_number.store(number, Ordering::Release);

        end.finish(number);
        if round >= task.warm_up_rounds && samples < SAMPLES_MAX {
            exchange.put_sample(samples, end_ns - begin_ns);
            samples += 1;
        }
        if is_last {
            break;
        }
    }
    page.sample_count.0.store(samples as u64, Ordering::Release);
}

fn pong_rounds(end: &mut End, task: &Task, exchange: Exchange) {
    let page = exchange.page();
    let same_core = task.ping_core == task.pong_core;
    for number in task.first_number.. {
        end.prepare(number);
        page.ready_number.0.store(number, Ordering::Release);
        end.receive(number);
        end.send(number);
        let mut patience = Patience::new("the other end to stop the clock");
        while page.last.0.stopped_number.load(Ordering::Acquire) != number {
            patience.rest(same_core);
        }
        end.finish(number);
        if page.last.0.last_number.load(Ordering::Acquire) == number {
            return;
        }
    }
}

fn serve(arguments: &Arguments, end: &mut End) -> Result<(), Box<dyn Error>> {
    let exchange = Exchange::open(arguments.fd);
    let page = exchange.page();
    let mut patience = Patience::new("the services to connect");
    while !end.is_connected() {
        patience.check();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    if !arguments.is_ping {
        page.start.0.supports.store(SUPPORTS, Ordering::Release);
        page.start.0.pong_thread.store(std::process::id() as i32, Ordering::Release);
    }
    page.start.0.started[!arguments.is_ping as usize].store(1, Ordering::Release);
    let mut seen = 0;
    loop {
        let Some(task) = exchange.next_task(&mut seen) else { continue };
        if task.command == COMMAND_QUIT {
            return Ok(());
        }
        pin_this_thread(if arguments.is_ping { task.ping_core } else { task.pong_core });
        end.begin(&task);
        if arguments.is_ping {
            ping_rounds(end, &task, exchange);
            exchange.done(seen);
        } else {
            pong_rounds(end, &task, exchange);
        }
    }
}

/// What iceoryx2 keeps for those who come later: its folders, and the memory from which its nodes
/// have their numbers. Only the last one who leaves finds the folders empty.
fn remove_leftovers() {
    let root = std::path::Path::new(ROOT);
    for folder in ["nodes", "services", ""] {
        if std::fs::remove_dir(root.join(folder)).is_err() {
            return;
        }
    }
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(".global_mgmt") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn compare(config: &Config) -> Result<(), Box<dyn Error>> {
    let arguments = parse_arguments()?;
    die_with_parent(arguments.parent);
    let session = arguments.parent.to_string();
    let mut end = End::new(arguments.is_ping, &session, arguments.biggest_bytes, config)?;
    serve(&arguments, &mut end)
}

fn run() -> Result<(), Box<dyn Error>> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    config.global.set_root_path(&Path::new(ROOT.as_bytes())?);
    config.global.prefix = FileName::new(PREFIX.as_bytes())?;
    let is_scale = std::env::args().nth(1).is_some_and(|word| word == "scale");
    let served = if is_scale { scale::run(&config) } else { compare(&config) };
    remove_leftovers();
    served
}

fn main() {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("agnocast-bench-iceoryx2: {panic}");
        std::process::exit(1);
    }));
    if let Err(error) = run() {
        eprintln!("agnocast-bench-iceoryx2: {error}");
        std::process::exit(1);
    }
}
