#!/usr/bin/env python3
"""The command agnocast, as a user runs it, beside a robot of another program.

    cli_test.py AGNOCAST ROBOT

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unittest

AGNOCAST, ROBOT = sys.argv[1:3]
SOURCE = pathlib.Path(__file__).parents[2] / "cli"
DOMAIN = str(3_000_000 + os.getpid())
ENVIRONMENT = {**os.environ, "AGNOCAST_DOMAIN_ID": DOMAIN}
PATIENCE_S = 60

SCAN_YAML = """\
frame_id: lidar_on_the_roof_in_front
mode: driving
ranges:
- 1
- 2
- 3
channels:
  far: []
  near:
  - x: 0.5
    y: -1.0
  - null
---
"""
SCAN = {"frame_id": "lidar_on_the_roof_in_front", "mode": "driving", "ranges": [1, 2, 3],
        "channels": {"far": [], "near": [{"x": 0.5, "y": -1.0}, None]}}


def run(*arguments, status=0):
    """What a command prints; its status has to be as said."""
    done = subprocess.run([AGNOCAST, *arguments], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def eventually(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)


class Robot:
    """The process that the commands look at."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([ROBOT, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def said(self):
        return self.process.stdout.readline().strip()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


class WithRobot(unittest.TestCase):
    def setUp(self):
        self.robot = Robot()
        self.addCleanup(self.leaves_nothing)
        self.addCleanup(lambda: self.robot.process.poll() is None and self.robot.end())

    def leaves_nothing(self):
        registry = pathlib.Path(f"/dev/shm/agnocast_registry.{DOMAIN}")
        eventually(lambda: not registry.exists())


class Echo(WithRobot):
    def test_prints_a_type_that_it_was_not_compiled_with(self):
        self.assertEqual(run("topic", "echo", "/scan", "--once"), SCAN_YAML)
        self.assertEqual(json.loads(run("--format", "json", "topic", "echo", "/scan", "--once")), SCAN)

    def test_prints_one_field(self):
        x = run("topic", "echo", "/scan", "--once", "--field", "channels[near][0].x")
        self.assertEqual(x.splitlines()[0], "0.5")
        self.assertEqual(run("topic", "echo", "scan", "--once", "--field", "frame_id").splitlines()[0],
                         "lidar_on_the_roof_in_front")

    def test_leaves_out_sequences_or_prints_a_line_of_values(self):
        self.assertIn("<sequence type: unsigned short, length: 3>", run("topic", "echo", "/scan", "--once", "--no-arr"))
        self.assertEqual(len(run("topic", "echo", "/scan", "--once", "--csv").splitlines()), 1)

    def test_says_that_a_field_does_not_exist(self):
        self.assertIn("nothing", run("topic", "echo", "/scan", "--once", "--field", "nothing", status=1))

    def test_gives_up_when_nobody_publishes(self):
        self.assertIn("/nobody", run("topic", "echo", "/nobody", "--timeout", "0.2", status=1))


class Rates(WithRobot):
    def test_hz_bw_and_delay_report_in_json(self):
        figures = json.loads(run("--format", "json", "topic", "hz", "-n", "1", "/scan"))
        self.assertGreater(figures["rate"], 1)
        self.assertGreater(json.loads(run("--format", "json", "topic", "bw", "-n", "1", "/scan"))["bytes_per_s"], 100)
        self.assertGreater(json.loads(run("--format", "json", "topic", "delay", "-n", "1", "/scan"))["delay"], 0)

    def test_wait_ends_when_a_message_came(self):
        run("topic", "wait", "/scan", "-n", "2")
        run("topic", "wait", "/nobody", "--timeout", "0.1", status=1)


class Lists(WithRobot):
    def test_topics_nodes_and_processes_are_listed(self):
        self.assertEqual(run("topic", "list"), "/command\n/scan\n")
        self.assertEqual(run("topic", "list", "-t"), "/command [robot::Command]\n/scan [robot::Scan]\n")
        self.assertEqual(run("node", "list"), "/test/robot\n")
        self.assertEqual(run("node", "info", "/test/robot"),
                         f"/test/robot\n  Process: {self.robot.process.pid}\n  Subscribers:\n"
                         "    /command: robot::Command\n  Publishers:\n    /scan: robot::Scan\n")
        processes = json.loads(run("--format", "json", "process", "list"))
        self.assertEqual([process["pid"] for process in processes], [self.robot.process.pid])
        eventually(lambda: json.loads(run("--format", "json", "process", "list"))[0]["used_bytes"] > 0)

    def test_info_shows_the_endpoints_and_the_schema(self):
        info = json.loads(run("--format", "json", "topic", "info", "/scan"))
        self.assertEqual(info["type"], "robot::Scan")
        self.assertEqual(info["publishers"][0]["qos"], "keep_last(5) reliable transient_local")
        self.assertIn("std::map<std::string, std::vector<std::optional<robot::Point>>> channels", info["schema"])
        self.assertIn("no topic '/nobody'", run("topic", "info", "/nobody", status=1))

    def test_a_domain_without_anybody_is_empty(self):
        self.robot.end()
        self.assertEqual(run("topic", "list"), "")
        self.assertEqual(json.loads(run("--format", "json", "process", "list")), [])


    def test_services_are_known_by_their_topics(self):
        self.assertEqual(run("service", "list"), "")
        server = Robot("--serves")
        self.addCleanup(server.end)
        self.assertEqual(run("service", "list", "-t"), "/test/plan [robot::Command]\n")
        self.assertEqual(json.loads(run("--format", "json", "service", "list"))[0]["servers"], 1)

    def test_a_reader_does_not_make_publishers_keep_more(self):
        reader = subprocess.Popen([AGNOCAST, "topic", "hz", "/scan"], env=ENVIRONMENT, stdout=subprocess.PIPE)
        reader.stdout.readline()
        info = json.loads(run("--format", "json", "topic", "info", "/scan"))
        reader.kill()
        reader.wait()
        reader.stdout.close()
        self.assertEqual(len(info["subscriptions"]), 1)
        self.assertEqual(info["publishers"][0]["retained"], 5)
        self.assertGreater(info["publishers"][0]["total_bytes"], info["publishers"][0]["published"] * 200)
        self.assertGreater(info["subscriptions"][0]["delay_ns"], 0)


class Shells(WithRobot):
    def complete(self, *words):
        return run("complete", "--", *words).split()

    def test_completion_offers_commands_options_values_and_names(self):
        self.assertEqual(self.complete("to"), ["top", "topic"])
        self.assertEqual(self.complete("topic", "e"), ["echo"])
        self.assertEqual(self.complete("topic", "echo", ""), ["/command", "/scan"])
        self.assertEqual(self.complete("topic", "echo", "--once", "/s"), ["/scan"])
        self.assertEqual(self.complete("topic", "echo", "/scan", "--fi"), ["--field"])
        self.assertEqual(self.complete("topic", "echo", "--qos-durability", ""), ["transient_local", "volatile"])
        self.assertEqual(self.complete("--format", "j"), ["json"])
        self.assertEqual(self.complete("node", "info", ""), ["/test/robot"])

    def test_bash_completes_with_it(self):
        script = (f"source '{SOURCE}/completion/agnocast.bash'; COMP_WORDS=('{AGNOCAST}' topic echo --on); "
                  "COMP_CWORD=3; _agnocast; echo \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "--once\n")

    def test_the_manual_page_has_every_command_and_option(self):
        page = (SOURCE / "agnocast.1").read_text().replace("\\-", "-")
        missing = []

        def look(*path):
            for word in self.complete(*path, ""):
                if word[0] not in "-/":
                    if word not in page:
                        missing.append(word)
                    look(*path, word)
            missing.extend(option for option in self.complete(*path, "--") if option not in page)

        look()
        self.assertEqual(missing, [])


class Pub(WithRobot):
    def test_fills_a_message_of_a_type_that_it_was_not_compiled_with(self):
        run("topic", "pub", "--once", "/command",
            "{what: a text that does not fit into the string itself, path: [{x: 1, y: 2.5}, {y: -1}], "
            "limits: {speed: [1, 2], angle: []}, speed: 0.5}")
        self.assertEqual(self.robot.said(), "a text that does not fit into the string itself: 1,2.5 0,-1 "
                                            "angle= speed=1;2; speed 0.500000")
        run("topic", "pub", "--once", "/command", "{}")
        self.assertEqual(self.robot.said(), ": speed none")

    def test_says_which_value_does_not_fit(self):
        complaint = run("topic", "pub", "--once", "/command", "{path: [{z: 1}]}", status=1)
        self.assertIn("path[0]: robot::Point has no field 'z'", complaint)
        self.assertIn("speed", run("topic", "pub", "--once", "/command", "{speed: fast}", status=1))


class Top(WithRobot):
    def test_shows_topics_and_processes_in_a_terminal_until_q(self):
        child, terminal = pty.fork()
        if child == 0:
            os.execve(AGNOCAST, [AGNOCAST, "top", "-d", "0.1"], {**ENVIRONMENT, "TERM": "xterm"})
        seen = ""

        def shows(pattern):
            nonlocal seen
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 65536).decode(errors="replace")
            return re.search(pattern, seen)

        eventually(lambda: shows(r"/scan +[1-9][0-9.]* "))
        eventually(lambda: shows(rf"{self.robot.process.pid} +alive"))
        os.write(terminal, b"/comm\n")
        eventually(lambda: shows("only 'comm'"))
        os.write(terminal, b"s")
        eventually(lambda: shows("sorted by bandwidth"))
        os.write(terminal, b"q")
        eventually(lambda: shows(r"\?1049l"))
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        os.close(terminal)

    def test_prints_to_anything_in_batches(self):
        self.assertRegex(run("top", "-d", "0.2", "--batch", "1"), r"/scan +[1-9]")


class Machine(WithRobot):
    def test_doctor_finds_nothing_that_keeps_this_test_from_running(self):
        findings = json.loads(run("--format", "json", "doctor"))
        subjects = {finding["subject"]: finding["health"] for finding in findings}
        self.assertEqual(subjects["window"], "ok")
        self.assertEqual(subjects[f"domain {DOMAIN}"], "ok")

    def test_clean_removes_what_a_killed_process_left(self):
        pid = self.robot.process.pid
        # While somebody lives in the domain, processes of others leave its dead alone; one that is stopped does too.
        witness = Robot()
        witness.process.send_signal(signal.SIGSTOP)
        self.addCleanup(witness.end)
        self.addCleanup(witness.process.send_signal, signal.SIGCONT)
        self.robot.end(signal.SIGKILL)
        self.assertIn(f"would remove /dev/shm/agnocast@{pid}\n", run("clean", "--dry-run"))
        self.assertIn(f"removed /dev/shm/agnocast@{pid}\n", run("clean"))
        self.assertFalse(os.path.exists(f"/dev/shm/agnocast@{pid}"))

    def test_version_is_a_number(self):
        self.assertRegex(run("version"), r"^[0-9]+\.[0-9]+\.[0-9]+\n$")


class Disturbance(WithRobot):
    def test_a_tool_that_is_killed_leaves_the_robot_as_it_was(self):
        def robot_figures():
            return json.loads(run("--format", "json", "topic", "info", "/scan"))["publishers"][0]

        for _ in range(5):
            echo = subprocess.Popen([AGNOCAST, "topic", "echo", "/scan"], env=ENVIRONMENT, stdout=subprocess.PIPE)
            echo.stdout.readline()
            echo.kill()
            echo.wait()
            echo.stdout.close()
        published = robot_figures()["published"]
        eventually(lambda: robot_figures()["published"] > published + 5)
        self.assertLessEqual(robot_figures()["retained"], 5)
        eventually(lambda: len(json.loads(run("--format", "json", "process", "list"))) == 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
