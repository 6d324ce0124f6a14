//! iceoryx2's half of a connection.
//!
//! How it is used
//! - Publish-subscribe of slices of bytes, loaned without a value. All loans of a publisher are as
//!   big as its biggest, so there is a service for each of the usual sizes: small messages lie near
//!   each other.
//! - One publisher and one subscriber for each service, no history, a buffer of one sample, safe
//!   overflow (the default).
//! - The service variant for single-threaded ports, which locks nothing.
//! - Polling asks the subscriber alone. Blocking notifies an event service beside it, and the
//!   receiver sleeps in its listener: that is the way iceoryx2 offers; a wait set around one
//!   listener only adds to it.
//! - A flat message is written into a loan. A cloud cannot lie in a loan: the application has its
//!   containers, keeps them from message to message so that they allocate nothing, and copies them
//!   into the loan. The receiver reads the sample in place.
//! - The cloud to be copied is written right before it is sent, and not batches ahead: the copy
//!   then finds it in the cache.
//!
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0

use std::collections::VecDeque;
use std::error::Error;
use std::mem::MaybeUninit;

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::sample::Sample;
use iceoryx2::sample_mut::SampleMut;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::{event, publish_subscribe};

use crate::content::*;
use crate::exchange::*;
use crate::process::Patience;

type Ipc = ipc::Service;
type Events = event::PortFactory<Ipc>;
type Messages = publish_subscribe::PortFactory<Ipc, [u8], ()>;

/// Messages that are written before the clock starts are written so many rounds ahead.
const BATCH: usize = 4;
/// What a cloud needs beside its floats.
const SPARE_BYTES: usize = 512;
const USUAL_BYTES: [usize; 5] = [64, 4096, 65_536, 1 << 20, 16 << 20];

/// Both directions for messages up to a size.
struct Channel {
    bytes_max: usize,
    publisher: Publisher<Ipc, [u8], ()>,
    subscriber: Subscriber<Ipc, [u8], ()>,
    services: [Messages; 2],
}

impl Channel {
    fn new(node: &Node<Ipc>, names: &[String; 2], bytes: usize) -> Result<Channel, Box<dyn Error>> {
        let open = |name: &str| -> Result<Messages, Box<dyn Error>> {
            let name = format!("{name}/{bytes}");
            let builder = node.service_builder(&name.as_str().try_into()?);
            let builder =
                builder.publish_subscribe::<[u8]>().payload_alignment(Alignment::new(8).unwrap());
            let builder = builder.max_publishers(1).max_subscribers(1).max_nodes(2);
            let builder = builder.history_size(0).subscriber_max_buffer_size(1);
            Ok(builder.subscriber_max_borrowed_samples(1).open_or_create()?)
        };
        let bytes_max = bytes + SPARE_BYTES;
        let services = [open(&names[0])?, open(&names[1])?];
        let publisher = services[0]
            .publisher_builder()
            .initial_max_slice_len(bytes_max)
            .max_loaned_samples(BATCH + 1)
            .create()?;
        let subscriber = services[1].subscriber_builder().create()?;
        Ok(Channel { bytes_max, publisher, subscriber, services })
    }

    fn is_connected(&self) -> bool {
        self.services.iter().all(|service| {
            let ports = service.dynamic_config();
            ports.number_of_publishers() == 1 && ports.number_of_subscribers() == 1
        })
    }
}

pub struct End {
    // Fields are dropped in this order: what is borrowed before its port, and the node last.
    received: Option<Sample<Ipc, [u8], ()>>,
    loans: VecDeque<SampleMut<Ipc, [u8], ()>>,
    channels: Vec<Channel>,
    notifier: Notifier<Ipc>,
    listener: Listener<Ipc>,
    events: [Events; 2],
    current: usize,
    task: Task,
    cloud: Cloud,
    right: bool,
    _node: Node<Ipc>,
}

impl End {
    pub fn new(
        is_ping: bool,
        session: &str,
        biggest_bytes: usize,
        config: &Config,
    ) -> Result<End, Box<dyn Error>> {
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .config(config)
            .create::<Ipc>()?;
        let mut names = [format!("{session}/to_pong"), format!("{session}/to_ping")];
        if !is_ping {
            names.reverse();
        }
        let mut channels = Vec::new();
        for bytes in USUAL_BYTES.into_iter().filter(|&bytes| bytes < biggest_bytes) {
            channels.push(Channel::new(&node, &names, bytes)?);
        }
        channels.push(Channel::new(&node, &names, biggest_bytes)?);
        let open = |name: &str| -> Result<Events, Box<dyn Error>> {
            let builder = node.service_builder(&name.try_into()?).event();
            let builder = builder.max_notifiers(1).max_listeners(1).max_nodes(2);
            Ok(builder.event_id_max_value(0).open_or_create()?)
        };
        let events = [open(&names[0])?, open(&names[1])?];
        Ok(End {
            received: None,
            loans: VecDeque::with_capacity(BATCH),
            channels,
            notifier: events[0].notifier_builder().create()?,
            listener: events[1].listener_builder().create()?,
            events,
            current: 0,
            task: Task::default(),
            cloud: Cloud::default(),
            right: false,
            _node: node,
        })
    }

    /// Whether the other half is there.
    pub fn is_connected(&self) -> bool {
        self.channels.iter().all(Channel::is_connected)
            && self.events.iter().all(|service| {
                let ports = service.dynamic_config();
                ports.number_of_notifiers() == 1 && ports.number_of_listeners() == 1
            })
    }

    pub fn begin(&mut self, task: &Task) {
        self.loans.clear();
        self.task = *task;
        let needed = task.size_bytes as usize;
        let fitting = self.channels.iter().position(|one| needed + SPARE_BYTES <= one.bytes_max);
        self.current = fitting.expect("no service has loans as big as that");
    }

    #[inline(always)]
    fn loan(&self, bytes: usize) -> SampleMutUninit<Ipc, [MaybeUninit<u8>], ()> {
        self.channels[self.current].publisher.loan_slice_uninit(bytes).expect("no sample to loan")
    }

    #[inline(always)]
    fn flat_loan(&self, number: u64) -> SampleMut<Ipc, [u8], ()> {
        let mut loan = self.loan(self.task.size_bytes as usize);
        write_flat(loan.payload_mut(), number);
        // SAFETY: all of it was written.
        unsafe { loan.assume_init() }
    }

    pub fn prepare(&mut self, number: u64) {
        if self.task.touched != 0 {
            return;
        }
        if self.task.content != CONTENT_FLAT {
            write_cloud(&mut self.cloud, self.task.size_bytes as usize, number);
        } else if self.loans.is_empty() {
            for ahead in 0..BATCH as u64 {
                let loan = self.flat_loan(number + ahead);
                self.loans.push_back(loan);
            }
        }
    }

    #[inline(always)]
    pub fn send(&mut self, number: u64) {
        let sample = if self.task.content != CONTENT_FLAT {
            if self.task.touched != 0 {
                write_cloud(&mut self.cloud, self.task.size_bytes as usize, number);
            }
            let mut loan = self.loan(flat_cloud_bytes(&self.cloud));
            write_flat_cloud(loan.payload_mut(), &self.cloud);
            // SAFETY: all but the gaps between its parts was written, and those nobody reads.
            unsafe { loan.assume_init() }
        } else if self.task.touched != 0 {
            self.flat_loan(number)
        } else {
            self.loans.pop_front().unwrap()
        };
        let receivers = sample.send().expect("a message was not sent");
        assert!(receivers == 1, "nobody received a message");
        if self.task.mode == MODE_BLOCK {
            self.notifier.notify().expect("the receiver was not notified");
        }
    }

    #[inline(always)]
    fn take(&mut self) -> bool {
        self.received = self.channels[self.current].subscriber.receive().expect("cannot receive");
        self.received.is_some()
    }

    #[inline(always)]
    pub fn receive(&mut self, number: u64) {
        if self.task.mode == MODE_POLL {
            let mut patience = Patience::new("a message");
            while !self.take() {
                patience.spin();
            }
        } else {
            while !self.take() {
                self.listener.blocking_wait(|_| {}).expect("cannot wait");
            }
        }
        if self.task.touched != 0 {
            self.right = self.received_is(number, true);
        }
    }

    pub fn finish(&mut self, number: u64) {
        if self.task.touched == 0 {
            self.right = self.received_is(number, false);
        }
        assert!(self.right, "message {number} was not received as it was sent");
        self.received = None;
    }

    fn received_is(&self, number: u64, all: bool) -> bool {
        let bytes = self.task.size_bytes as usize;
        let payload = self.received.as_ref().unwrap().payload();
        match self.task.content {
            CONTENT_FLAT => flat_is(payload, bytes, number, all),
            _ => flat_cloud_is(payload, bytes, number, all),
        }
    }
}
