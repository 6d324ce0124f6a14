"""What a run was made on and with, for the report to say.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import datetime
import os
import pathlib
import platform
import re
import subprocess

PACKAGES = {
    "iceoryx": ["libiceoryx-posh2", "libiceoryx-posh-dev"],
    "Cyclone DDS": ["cyclonedds-dev"],
    "Fast DDS": ["libfastrtps-dev"],
    "ZeroMQ": ["libzmq3-dev"],
    "mimalloc": ["libmimalloc-dev"],
    "jemalloc": ["libjemalloc-dev"],
    "glibc": ["libc6"],
}
CARGO_LOCK = pathlib.Path("bench/ends/iceoryx2/Cargo.lock")


def output_of(*command):
    """The first line that a command prints; empty if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return lines[0].strip() if lines else ""


def text_of(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def field_of(text, name):
    found = re.search(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def versions():
    found = {}
    for name, packages in PACKAGES.items():
        for package in packages:
            version = output_of("dpkg-query", "-W", "-f", "${Version}\n", package)
            if version:
                found[name] = f"{version} (Debian)"
                break
    lock = re.search(r'^name = "iceoryx2"\nversion = "([^"]+)"', text_of(CARGO_LOCK), re.MULTILINE)
    if lock:
        found["iceoryx2"] = f"{lock.group(1)} ({output_of('cargo', '--version') or 'cargo'})"
    return found


def commit():
    head = output_of("git", "rev-parse", "--short=12", "HEAD")
    if head and output_of("git", "status", "--porcelain", "--untracked-files=no"):
        head += " with changes"
    return head


def describe(settings):
    """Settings are what the run was told to do."""
    cpu = text_of("/proc/cpuinfo")
    memory_kib = re.sub(r"\D", "", field_of(text_of("/proc/meminfo"), "MemTotal")) or "0"
    governor = text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").strip()
    huge = re.search(r"\[(\w+)\]", text_of("/sys/kernel/mm/transparent_hugepage/shmem_enabled"))
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit(),
        "settings": settings,
        "cpu": field_of(cpu, "model name"),
        "cores": os.cpu_count(),
        "hypervisor": "hypervisor" in field_of(cpu, "flags").split(),
        "memory_bytes": int(memory_kib) * 1024,
        "governor": governor or "not shown by the system",
        "huge_pages_of_shared_memory": huge.group(1) if huge else "",
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": output_of(os.environ.get("CXX", "c++"), "--version"),
        "load": list(os.getloadavg()),
        "versions": versions(),
    }
