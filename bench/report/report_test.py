#!/usr/bin/env python3
"""Bars, tables and the list of what is unfavourable, from small results that are made up.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from bars import bars  # noqa: E402
from behind import unfavourable  # noqa: E402
from check import MET, NOT_MEASURED, NOT_MET  # noqa: E402
from page import render  # noqa: E402
from results import Run, size_text, time_text  # noqa: E402

NOTES = pathlib.Path(__file__).with_name("notes.md").read_text(encoding="utf-8")
POLL_SIZES = (64, 64 << 20)


def compared(system, p50_ns, size_bytes=64, mode="poll", content="flat", touched=False, same_core=False):
    return {"system": system, "is_limit": system in ("cacheline", "futex"), "mode": mode, "content": content,
            "touched": touched, "same_core": same_core, "size_bytes": size_bytes, "p50_ns": p50_ns,
            "p90_ns": p50_ns * 2, "p99_ns": p50_ns * 3, "p999_ns": p50_ns * 4, "max_ns": p50_ns * 5, "n": 100}


def scaled(system, sweep, x, **fields):
    return {"system": system, "sweep": sweep, "x": x, "size_bytes": 64, **fields}


def heaped(allocator, p50_ns, workload="churn", **fields):
    return {"workload": workload, "allocator": allocator, "threads": 1, "live": 64, "p50_ns": p50_ns,
            "p99_ns": p50_ns * 2, "p999_ns": p50_ns * 3, "p99999_ns": p50_ns * 4, "max_ns": p50_ns * 5,
            "page_faults": 0, **fields}


def verdict(run, words):
    found = [bar for bar in bars(run) if words in bar.text]
    assert len(found) == 1, (words, found)
    return found[0]


class BarsTest(unittest.TestCase):
    def test_nothing_measured(self):
        self.assertEqual({bar.verdict for bar in bars(Run())}, {NOT_MEASURED})

    def test_poll_against_the_cache_line(self):
        limits = [compared("cacheline", 40, size) for size in POLL_SIZES]

        def run(*ours_ns):
            ours = [compared("agnocast", ns, size) for ns, size in zip(ours_ns, POLL_SIZES)]
            return Run({"compare": limits + ours})

        self.assertEqual(verdict(run(100, 100), "bare cache line").verdict, MET)
        bar = verdict(run(100, 101), "bare cache line")
        self.assertEqual(bar.verdict, NOT_MET)
        self.assertIn("64 MiB: 101 ns", bar.measured)
        self.assertEqual(verdict(run(90), "bare cache line").verdict, NOT_MEASURED)

    def test_a_named_peer_that_is_missing_leaves_it_open(self):
        results = [compared("agnocast", 100), compared("iceoryx", 300)]
        bar = verdict(Run({"compare": results}), "flat message: at every size")
        self.assertEqual(bar.verdict, NOT_MEASURED)
        self.assertIn("iceoryx2", bar.measured)
        self.assertEqual(verdict(Run({"compare": [*results, compared("iceoryx2", 200)]}),
                                 "flat message: at every size").verdict, MET)

    def test_a_violation_counts_though_a_peer_is_missing(self):
        run = Run({"compare": [compared("agnocast", 100), compared("iceoryx", 99)]})
        self.assertEqual(verdict(run, "flat message: at every size").verdict, NOT_MET)

    def test_block_on_two_cores_and_on_one(self):
        results = [compared("futex", 20_000, mode="block"), compared("agnocast", 22_000, mode="block"),
                   compared("futex", 2_000, mode="block", same_core=True),
                   compared("agnocast", 2_400, mode="block", same_core=True)]
        run = Run({"compare": results})
        self.assertEqual(verdict(run, "two cores").verdict, MET)
        self.assertEqual(verdict(run, "both on one core").verdict, NOT_MET)

    def test_a_peer_that_cannot_do_a_case_is_not_missing(self):
        peers = ("iceoryx", "iceoryx2", "cyclonedds", "fastdds", "zeromq")
        results = [compared(peer, 9_000, mode="block") for peer in peers]
        results += [compared("agnocast", 8_000, mode="block"), compared("agnocast", 8_000, 4096, mode="block")]
        self.assertEqual(verdict(Run({"compare": results}), "every peer's wake-up").verdict, MET)

    def test_unsized_states_the_factor(self):
        peers = ("iceoryx", "iceoryx2", "cyclonedds", "fastdds", "zeromq")
        kind = {"content": "unsized", "touched": True}
        results = [compared(peer, 3e6, size, **kind) for peer in peers for size in (1 << 20, 16 << 20)]
        results += [compared("agnocast", 1e6, size, **kind) for size in (1 << 20, 16 << 20)]
        bar = verdict(Run({"compare": results}), "written and read, poll")
        self.assertEqual(bar.verdict, MET)
        self.assertIn("3.00 ×", bar.measured)

    def test_publish(self):
        results = [scaled("agnocast", "subscribers", 32, awake=True, publish_p50_ns=1_900),
                   scaled("agnocast", "subscribers", 32, awake=False, publish_p50_ns=90_000, last_p50_ns=200_000),
                   scaled("iceoryx", "subscribers", 32, awake=False, publish_p50_ns=95_000, last_p50_ns=180_000)]
        run = Run({"scale": results})
        self.assertEqual(verdict(run, "32 awake").verdict, MET)
        self.assertEqual(verdict(run, "32 sleeping").verdict, MET)
        self.assertEqual(verdict(run, "last of 32").verdict, NOT_MET)
        self.assertEqual(verdict(run, "independent").verdict, NOT_MEASURED)
        results.append(dict(results[0], size_bytes=1 << 20, publish_p50_ns=2_600))
        self.assertEqual(verdict(run, "independent").verdict, NOT_MET)

    def test_independence_from_size_shows_in_the_rate_too(self):
        results = [scaled("agnocast", "rate", 64, awake=True, publish_p50_ns=100),
                   dict(scaled("agnocast", "rate", 1 << 20, awake=True, publish_p50_ns=120), size_bytes=1 << 20)]
        self.assertEqual(verdict(Run({"scale": results}), "independent").verdict, MET)

    def test_topics_may_be_equal(self):
        results = [scaled(system, "topics", 200, latency_p999_ns=70_000) for system in ("agnocast", "iceoryx2")]
        self.assertEqual(verdict(Run({"scale": results}), "200 topics").verdict, MET)
        results[0]["latency_p999_ns"] += 1
        self.assertEqual(verdict(Run({"scale": results}), "200 topics").verdict, NOT_MET)

    def test_heap(self):
        calls = [heaped(allocator, 12, "malloc-call", slow_calls=slow, busy_ns=busy_ns)
                 for allocator, slow, busy_ns in (("agnocast", 33, 4e6), ("none", 5, 1e6))]
        run = Run({"heap": [heaped("agnocast", 12), heaped("mimalloc", 10), heaped("glibc", 11), *calls]})
        self.assertEqual(verdict(run, "mimalloc").verdict, MET)
        self.assertEqual(verdict(run, "small churn: ahead of glibc").verdict, NOT_MET)
        self.assertEqual(verdict(run, "growing vectors").verdict, NOT_MEASURED)
        self.assertEqual(verdict(run, "page faults").verdict, MET)
        self.assertEqual(verdict(run, "no call above").verdict, MET)
        run.results["heap"][0].update(page_faults=1)
        self.assertEqual(verdict(run, "page faults").verdict, NOT_MET)
        calls[0]["slow_calls"] = 39  # 24 expected, 38.7 allowed
        self.assertEqual(verdict(run, "no call above").verdict, NOT_MET)


    def test_audit_and_tools(self):
        run = Run({"audit": [{"message": "blocks", "audit_ns": 20}, {"message": "kinds", "audit_ns": 301}]})
        self.assertEqual(verdict(run, "audit of a message").verdict, NOT_MET)
        tools = [{"beside": "nothing", "p50_ns": 100, "p99_ns": 1, "used_bytes": 64},
                 {"beside": "after kill -9 of ten", "p50_ns": 110, "p99_ns": 1, "used_bytes": 64}]
        self.assertEqual(verdict(Run({"tools": tools}), "publish() after").verdict, MET)
        self.assertEqual(verdict(Run({"tools": tools}), "memory in use after").verdict, MET)
        tools[1].update(p50_ns=130, used_bytes=65)
        self.assertEqual(verdict(Run({"tools": tools}), "publish() after").verdict, NOT_MET)
        self.assertEqual(verdict(Run({"tools": tools}), "memory in use after").verdict, NOT_MET)

    def test_load(self):
        def load(measure, unit, value, without=None):
            result = {"measure": measure, "unit": unit, "text": measure, "with": value}
            return result if without is None else dict(result, without=without)

        run = Run({"load": [load("held", "us", 3.0, 1.0), load("members", "us", 42.5, 40.0),
                            load("joiner", "ms", 30.0, 12.0), load("snapshots", "", 1), load("wake_ups", "per s", 1)]})
        self.assertEqual(verdict(run, "holds 4,000").verdict, MET)
        self.assertIn("3.00 µs, without 1.00 µs (3.00 ×)", verdict(run, "holds 4,000").measured)
        self.assertEqual(verdict(run, "node with 1,000 subscriptions").verdict, NOT_MET)
        self.assertEqual(verdict(run, "joining with 10 MB").verdict, MET)
        self.assertEqual(verdict(run, "every end sees").verdict, NOT_MET)
        self.assertEqual(verdict(run, "wake-up in a second").verdict, MET)
        self.assertEqual(verdict(run, "depth 1,000").verdict, NOT_MEASURED)


class BehindTest(unittest.TestCase):
    def test_lists_peers_at_each_percentile_and_no_limits(self):
        slow_tail = dict(compared("iceoryx", 200), p99_ns=250)
        run = Run({"compare": [compared("cacheline", 40), compared("agnocast", 100), slow_tail,
                               compared("zeromq", 50, 4096)]})
        self.assertEqual(unfavourable(run)["compare"], [("poll, 64 B", "p99", "iceoryx", 250, 300)])

    def test_scale_and_heap(self):
        run = Run({"scale": [scaled("agnocast", "topics", 10, latency_p50_ns=9),
                             scaled("zeromq", "topics", 10, latency_p50_ns=8)],
                   "heap": [heaped("agnocast", 12), heaped("mimalloc", 10)]})
        found = unfavourable(run)
        self.assertEqual([entry[1:3] for entry in found["scale"]], [("latency p50", "ZeroMQ")])
        self.assertEqual([entry[1:3] for entry in found["heap"]], [("p50", "mimalloc"), ("p99", "mimalloc")])


    def test_a_higher_rate(self):
        run = Run({"scale": [scaled("agnocast", "rate", 64, messages_per_s=1e6),
                             scaled("zeromq", "rate", 64, messages_per_s=2e6)]})
        self.assertEqual(unfavourable(run)["scale"], [("as fast as it goes, 64 B", "messages/s", "ZeroMQ", 2e6, 1e6)])


class PageTest(unittest.TestCase):
    def test_renders_whatever_is_there(self):
        full = Run({"compare": [compared("cacheline", 40), compared("agnocast", 100), compared("iceoryx", 90)],
                    "scale": [scaled("agnocast", "rate", 1e6, messages_per_s=1e6)],
                    "heap": [heaped("agnocast", 12)]}, {"cpu": "made up", "load": [0.1, 0.1, 0.1]})
        for run in (Run(), full):
            page = render(NOTES, run, ["latency-poll"] if run is full else [])
            self.assertNotIn("{{", page)
            self.assertEqual("benchmarks/latency-poll.svg" in page, run is full)

    def test_numbers(self):
        self.assertEqual([size_text(size) for size in (64, 4096, 1 << 20, 65)], ["64 B", "4 KiB", "1 MiB", "65 B"])
        self.assertEqual([time_text(ns) for ns in (45, 125.4, 24_100, 2e6)],
                         ["45.0 ns", "125 ns", "24.1 µs", "2.00 ms"])


if __name__ == "__main__":
    unittest.main()
