//! Publishers and subscribers of a scale sweep: harness/scale_serve.hpp says what they do.
//!
//! How iceoryx2 is used
//! - As in end.rs: slices of bytes, single-threaded ports, no history, safe overflow; buffers as deep
//!   as every system's here.
//! - Subscribers that sleep have one listener for all their topics. All of them listen to one event
//!   service, and the number of the topic is the event, so a publisher notifies once for each
//!   message, and who wakes looks only at the topics that it was told.
//!
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

use std::error::Error;
use std::mem::{offset_of, MaybeUninit};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use iceoryx2::port::listener::{Listener, ListenerWaitError};
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::{event, publish_subscribe};

use crate::process::{die_with_parent, now_ns, pin_this_thread, Patience};

type Ipc = ipc::Service;
type Messages = publish_subscribe::PortFactory<Ipc, [u8], ()>;

const PROCESSES_MAX: usize = 40;
const SAMPLES_MAX: usize = 40_000;
const MESSAGES_MAX: usize = 20_000;
const WINDOW: u64 = 8;
const DEPTH: usize = 16;
const READY: u32 = 1;
const DONE: u32 = 2;
const GIVE_UP_NS: u64 = 2_000_000_000;
const PAUSE_NS: u64 = 300_000;

#[repr(C, align(128))]
struct Process {
    state: AtomicU32,
    received: AtomicU64,
    published: AtomicU64,
    sample_count: AtomicU64,
    cpu_ns: AtomicU64,
    duration_ns: AtomicU64,
}
const _: () = assert!(size_of::<Process>() == 128);

#[repr(C, align(128))]
struct Apart(AtomicU32);

#[repr(C, align(128))]
struct LastNs([AtomicU64; MESSAGES_MAX]);

#[repr(C)]
struct Page {
    go: Apart,
    quit: Apart,
    processes: [Process; PROCESSES_MAX],
    last_ns: LastNs,
    samples_ns: [[AtomicU64; SAMPLES_MAX]; PROCESSES_MAX],
}
const _: () = assert!(offset_of!(Page, processes) == 256);
const _: () = assert!(offset_of!(Page, last_ns) == 5376);
const _: () = assert!(offset_of!(Page, samples_ns) == 5376 + MESSAGES_MAX * 8);

#[derive(Clone, Copy)]
struct Stamp {
    number: u64,
    sent_ns: u64,
}
const STAMP_BYTES: usize = 16;

#[derive(Default, Clone, Copy, PartialEq)]
enum Pace {
    #[default]
    Each,
    Rate,
    Flood,
}

#[derive(Default)]
struct Arguments {
    publishes: bool,
    index: usize,
    fd: i32,
    parent: i32,
    publishers: usize,
    subscribers: usize,
    topics: usize,
    size_bytes: usize,
    awake: bool,
    pace: Pace,
    rate_hz: u64,
    messages: u64,
}

fn parse_arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(2);
    while let Some(name) = words.next() {
        let value = words.next().ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--role" => arguments.publishes = value == "publisher",
            "--index" => arguments.index = value.parse()?,
            "--fd" => arguments.fd = value.parse()?,
            "--parent" => arguments.parent = value.parse()?,
            "--publishers" => arguments.publishers = value.parse()?,
            "--subscribers" => arguments.subscribers = value.parse()?,
            "--topics" => arguments.topics = value.parse()?,
            "--size" => arguments.size_bytes = value.parse()?,
            "--awake" => arguments.awake = value == "1",
            "--pace" => {
                arguments.pace = match value.as_str() {
                    "each" => Pace::Each,
                    "rate" => Pace::Rate,
                    _ => Pace::Flood,
                }
            }
            "--rate-hz" => arguments.rate_hz = value.parse()?,
            "--messages" => arguments.messages = value.parse()?,
            _ => return Err(format!("no such option: {name}").into()),
        }
    }
    assert!(arguments.index < PROCESSES_MAX, "too many processes");
    Ok(arguments)
}

fn map_page(fd: i32) -> &'static Page {
    // SAFETY: a new mapping; the driver made the file as big as the page, whose words are atomic.
    unsafe {
        let address = libc::mmap(
            std::ptr::null_mut(),
            size_of::<Page>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            fd,
            0,
        );
        assert!(address != libc::MAP_FAILED, "cannot map the shared page");
        &*address.cast::<Page>()
    }
}

/// By a call that nobody else makes, so that it can be told from those of the system measured.
fn sleep_ns(duration_ns: u64) {
    let time = libc::timespec {
        tv_sec: (duration_ns / 1_000_000_000) as i64,
        tv_nsec: (duration_ns % 1_000_000_000) as i64,
    };
    let none = std::ptr::null_mut();
    // SAFETY: the time outlives the call.
    unsafe { libc::pselect(0, none, none, none, &time, std::ptr::null()) };
}

fn cpu_ns() -> u64 {
    // SAFETY: all zeros are a usage, and the kernel writes into it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

/// What both roles have.
struct Case {
    arguments: Arguments,
    page: &'static Page,
    topics: Vec<Messages>,
    events: event::PortFactory<Ipc>,
    _node: Node<Ipc>,
}

impl Case {
    fn open(arguments: Arguments, config: &Config) -> Result<Case, Box<dyn Error>> {
        let page = map_page(arguments.fd);
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .config(config)
            .create::<Ipc>()?;
        let nodes = arguments.publishers + arguments.subscribers;
        let mut topics = Vec::new();
        for topic in 0..arguments.topics {
            let name = format!("{}/scale/{topic}", arguments.parent);
            let builder = node.service_builder(&name.as_str().try_into()?);
            let builder =
                builder.publish_subscribe::<[u8]>().payload_alignment(Alignment::new(8).unwrap());
            let builder = builder.max_publishers(arguments.publishers);
            let builder = builder.max_subscribers(arguments.subscribers).max_nodes(nodes);
            let builder = builder.history_size(0).subscriber_max_buffer_size(DEPTH);
            topics.push(builder.subscriber_max_borrowed_samples(1).open_or_create()?);
        }
        let name = format!("{}/scale", arguments.parent);
        let builder = node.service_builder(&name.as_str().try_into()?).event();
        let builder = builder.max_notifiers(arguments.publishers).max_nodes(nodes);
        let builder = builder.max_listeners(arguments.subscribers);
        let events = builder.event_id_max_value(arguments.topics - 1).open_or_create()?;
        Ok(Case { arguments, page, topics, events, _node: node })
    }

    fn own(&self) -> &'static Process {
        &self.page.processes[self.arguments.index]
    }

    /// Waits until everybody is there, says so, and waits for the start.
    fn await_go(&self) {
        let arguments = &self.arguments;
        let is_connected = || {
            let events = self.events.dynamic_config();
            let all_listen = arguments.awake
                || (events.number_of_listeners() == arguments.subscribers
                    && events.number_of_notifiers() == arguments.publishers);
            all_listen
                && self.topics.iter().all(|topic| {
                    let ports = topic.dynamic_config();
                    ports.number_of_publishers() == arguments.publishers
                        && ports.number_of_subscribers() == arguments.subscribers
                })
        };
        let mut patience = Patience::new("all topics to connect");
        while !is_connected() {
            patience.check();
            sleep_ns(1_000_000);
        }
        self.own().state.store(READY, Ordering::Release);
        while self.page.go.0.load(Ordering::Acquire) == 0 {
            sleep_ns(1_000_000);
        }
    }

    fn has_quit(&self) -> bool {
        self.page.quit.0.load(Ordering::Acquire) != 0
    }

    fn put_sample(&self, ns: u64) {
        let count = self.own().sample_count.load(Ordering::Relaxed);
        if (count as usize) < SAMPLES_MAX {
            let samples = &self.page.samples_ns[self.arguments.index];
            samples[count as usize].store(ns, Ordering::Relaxed);
            self.own().sample_count.store(count + 1, Ordering::Relaxed);
        }
    }

    /// Waits for the moment at which message `number` is to be published.
    fn await_turn(&self, number: u64, begin_ns: u64) {
        let arguments = &self.arguments;
        if arguments.pace == Pace::Rate {
            let period_ns = 1_000_000_000 / (arguments.rate_hz * arguments.topics as u64);
            let shift_ns = arguments.index as u64 * period_ns / arguments.publishers as u64;
            let due_ns = begin_ns + number * period_ns + shift_ns;
            let now = now_ns();
            if due_ns > now {
                sleep_ns(due_ns - now);
            }
            return;
        }
        let subscribers = arguments.subscribers as u64;
        let under_way_max = if arguments.pace == Pace::Flood { WINDOW } else { 1 };
        let received_by_all = || -> u64 {
            let processes = &self.page.processes[arguments.publishers..];
            let processes = &processes[..arguments.subscribers];
            processes.iter().map(|process| process.received.load(Ordering::Acquire)).sum()
        };
        let deadline_ns = now_ns() + GIVE_UP_NS;
        while (number - 1) * subscribers >= received_by_all() + under_way_max * subscribers {
            if arguments.awake {
                std::hint::spin_loop();
            } else {
                sleep_ns(50_000);
            }
            assert!(now_ns() <= deadline_ns, "a subscriber does not receive");
        }
        if arguments.pace == Pace::Each && !arguments.awake {
            sleep_ns(PAUSE_NS);
        }
    }
}

fn publish_all(case: &Case) -> Result<(), Box<dyn Error>> {
    let arguments = &case.arguments;
    let size = arguments.size_bytes;
    let mut publishers: Vec<Publisher<Ipc, [u8], ()>> = Vec::new();
    for topic in &case.topics {
        publishers.push(topic.publisher_builder().initial_max_slice_len(size).create()?);
    }
    let notifier: Option<Notifier<Ipc>> =
        if arguments.awake { None } else { Some(case.events.notifier_builder().create()?) };
    case.await_go();
    let cpu_before_ns = cpu_ns();
    let begin_ns = now_ns();
    for number in 1..=arguments.messages {
        let topic = number as usize % arguments.topics;
        let mut loan: SampleMutUninit<Ipc, [MaybeUninit<u8>], ()> =
            publishers[topic].loan_slice_uninit(size)?;
        loan.payload_mut()[STAMP_BYTES..].fill(MaybeUninit::new(number as u8));
        case.await_turn(number, begin_ns);
        let sent_ns = now_ns();
        for (at, word) in [(0, number), (8, sent_ns)] {
            for (to, byte) in loan.payload_mut()[at..at + 8].iter_mut().zip(word.to_ne_bytes()) {
                to.write(byte);
            }
        }
        // SAFETY: all of it was written.
        unsafe { loan.assume_init() }.send()?;
        if let Some(notifier) = &notifier {
            notifier.notify_with_custom_event_id(EventId::new(topic))?;
        }
        case.put_sample(now_ns() - sent_ns);
        case.own().published.store(number, Ordering::Release);
    }
    case.own().duration_ns.store(now_ns() - begin_ns, Ordering::Relaxed);
    case.own().state.store(DONE, Ordering::Release);
    while !case.has_quit() {
        sleep_ns(1_000_000);
    }
    case.own().cpu_ns.store(cpu_ns() - cpu_before_ns, Ordering::Relaxed);
    Ok(())
}

fn receive_all(case: &Case) -> Result<(), Box<dyn Error>> {
    let arguments = &case.arguments;
    let mut subscribers: Vec<Subscriber<Ipc, [u8], ()>> = Vec::new();
    for topic in &case.topics {
        subscribers.push(topic.subscriber_builder().create()?);
    }
    let listener: Option<Listener<Ipc>> =
        if arguments.awake { None } else { Some(case.events.listener_builder().create()?) };
    case.await_go();
    let cpu_before_ns = cpu_ns();
    let tracks_last = arguments.publishers == 1 && arguments.topics == 1;
    let mut received = 0;
    let mut notified = Vec::with_capacity(arguments.topics);
    while !case.has_quit() {
        let before = received;
        let mut take_all = |topic: usize| -> Result<(), Box<dyn Error>> {
            while let Some(sample) = subscribers[topic].receive()? {
                let word = |at: usize| {
                    u64::from_ne_bytes(sample.payload()[at..at + 8].try_into().unwrap())
                };
                let stamp = Stamp { number: word(0), sent_ns: word(8) };
                let latency_ns = now_ns() - stamp.sent_ns;
                case.put_sample(latency_ns);
                if tracks_last && (stamp.number as usize) < MESSAGES_MAX {
                    let last = &case.page.last_ns.0[stamp.number as usize];
                    last.fetch_max(latency_ns, Ordering::SeqCst);
                }
                received += 1;
                case.own().received.store(received, Ordering::Release);
            }
            Ok(())
        };
        if let Some(listener) = &listener {
            notified.clear();
            let limit = Duration::from_millis(100);
            match listener.timed_wait(|event| notified.push(event.id.as_value()), limit) {
                // Who counts the system calls stops us for a moment.
                Ok(_) | Err(ListenerWaitError::InterruptSignal) => (),
                Err(error) => return Err(error.into()),
            }
            for &topic in &notified {
                take_all(topic)?;
            }
        } else {
            for topic in 0..arguments.topics {
                take_all(topic)?;
            }
            if received == before && arguments.subscribers > 1 {
                std::thread::yield_now();
            }
        }
    }
    case.own().cpu_ns.store(cpu_ns() - cpu_before_ns, Ordering::Relaxed);
    Ok(())
}

/// One process of a scale sweep.
pub fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    let arguments = parse_arguments()?;
    die_with_parent(arguments.parent);
    // SAFETY: no memory is involved. The sleeps of this thread end when they should.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    if arguments.publishes {
        pin_this_thread(0);
    } else if arguments.awake {
        pin_this_thread(1);
    }
    let case = Case::open(arguments, config)?;
    if case.arguments.publishes {
        publish_all(&case)
    } else {
        receive_all(&case)
    }
}
