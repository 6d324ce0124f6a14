"""The bars that the project has set itself, held against a run.

Each bar is computed from the results: met, not met, or not measured. "Not met" wins over "not
measured": one measured violation is enough, but a bar is met only if all that it speaks of was
measured.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

from bars_load import load_bars
from check import NOT_MET, Check
from points import case_text, heap_point, heap_text, is_churn, is_growth, pair_text, same_case, same_point
from results import OURS, PEERS, name_of, number_text, size_text, time_text

POLL_FACTOR_MAX = 2.5
BLOCK_FACTOR_MAX = 1.15
CHURN_FACTOR_MAX = 1.3
PUBLISH_MAX_NS = 2_000
CALL_MAX_NS = 50_000
SIZE_SPREAD_MAX = 1.25  # what "independent of message size" allows from the cheapest to the dearest
MANY_SUBSCRIBERS = 32
MANY_TOPICS = 200
AUDIT_MAX_NS = 300
TOOLS_FACTOR_MAX = 1.15  # two runs of the same differ by as much
NOTHING, AFTER_TOOLS = "nothing", "after kill -9 of ten"
POLL_SIZES = (64, 64 << 20)
UNSIZED_SIZES = (1 << 20, 16 << 20)


def against_limit(run, ours, limit, factor_max):
    """Our p50 is at most so many times the limit's of the same case."""
    check = Check()
    if not ours:
        check.lacks(name_of(OURS))
    for result in ours:
        found = same_case(run, result, system=limit)
        if not found:
            check.lacks(f"{name_of(limit)} at {case_text(result)}")
            continue
        limit_ns = found[0]["p50_ns"]
        text = pair_text(result["p50_ns"], name_of(limit), limit_ns, case_text(result))
        check.at_most(result["p50_ns"], factor_max * limit_ns, text)
    return check


def ahead_of(run, ours, peers, each=False):
    """Our p50 is below that of the peers in the same case; with `each`, none may be missing there.

    Without it a peer may be unable to do some of the cases, but it has to be in the run.
    """
    check = Check()
    if not ours:
        check.lacks(name_of(OURS))
    present = run.systems("compare")
    for peer in peers:
        if peer not in present:
            check.lacks(name_of(peer))
    for result in ours:
        for peer in peers:
            found = same_case(run, result, system=peer)
            if found:
                text = pair_text(result["p50_ns"], name_of(peer), found[0]["p50_ns"], case_text(result))
                for bare in same_case(run, result, system="inplace"):
                    text += f" (written in place without any system: {time_text(bare['p50_ns'])})"
                check.less(result["p50_ns"], found[0]["p50_ns"], text)
            elif each and peer in present:
                check.lacks(f"{name_of(peer)} at {case_text(result)}")
    return check


def poll_bars(run):
    area = "poll"
    ours = run.find("compare", system=OURS, mode="poll")
    handed_over = [r for r in ours if r["content"] == "flat" and not r["touched"]]
    check = against_limit(run, handed_over, "cacheline", POLL_FACTOR_MAX)
    sizes = [result["size_bytes"] for result in handed_over]
    for size in POLL_SIZES:
        if handed_over and size not in sizes:
            check.lacks(size_text(size))
    yield check.bar(area, f"64 B to 64 MiB: p50 at most {POLL_FACTOR_MAX} × the bare cache line")
    for content, text in (("flat", "flat message: at every size ahead of iceoryx and iceoryx2"),
                          ("unsized", "unsized message: the same")):
        chosen = [result for result in ours if result["content"] == content]
        yield ahead_of(run, chosen, ["iceoryx", "iceoryx2"], each=True).bar(area, text)


def block_bars(run):
    area = "block"
    ours = run.find("compare", system=OURS, mode="block")
    for same_core, where in ((False, "two cores"), (True, "both on one core")):
        chosen = [r for r in ours if r["same_core"] == same_core and r["content"] == "flat" and not r["touched"]]
        check = against_limit(run, chosen, "futex", BLOCK_FACTOR_MAX)
        yield check.bar(area, f"{where}: p50 at most {BLOCK_FACTOR_MAX} × the raw futex")
    yield ahead_of(run, ours, PEERS).bar(area, "ahead of every peer's wake-up")
    yield spin_bar(run)


def spin_bar(run):
    """Spin-then-block against everything that sleeps, the bare limits too.

    Handed over: to write and read a big message takes longer than the spin.
    """
    check = Check()
    ours = run.find("compare", system=OURS, mode="spin", touched=False)
    if not ours:
        check.lacks("spin")
    for peer in PEERS:
        if peer not in run.systems("compare"):
            check.lacks(name_of(peer))
    for result in ours:
        for other in same_case(run, result, mode="block"):
            text = pair_text(result["p50_ns"], f"{name_of(other['system'])} asleep", other["p50_ns"],
                             case_text(result))
            check.less(result["p50_ns"], other["p50_ns"], text)
    return check.bar("spin", "spin-then-block, message within the spin: ahead of everything that sleeps")


def unsized_bars(run):
    for mode in ("poll", "block"):
        ours = run.find("compare", system=OURS, mode=mode, content="unsized", touched=True, size_bytes=UNSIZED_SIZES)
        check = ahead_of(run, ours, PEERS)
        if ours and len(ours) < len(UNSIZED_SIZES):
            check.lacks("one of the sizes")
        factors = []
        for result in ours:
            others = [(r["p50_ns"], r["system"]) for r in same_case(run, result) if r["system"] in PEERS]
            if others and result["p50_ns"]:
                best_ns, best = min(others)
                factors.append(f"{size_text(result['size_bytes'])}: {number_text(best_ns / result['p50_ns'])} × "
                               f"faster than {name_of(best)}, the next best")
        bar = check.bar("unsized", f"1 MiB and 16 MiB, written and read, {mode}: ahead of every peer")
        if bar.verdict != NOT_MET and factors:
            lack = "; no figures: " + ", ".join(check.missing) if check.missing else ""
            bar.measured = "; ".join(factors) + lack
        yield bar


def publish_bars(run):
    area = "publish"
    many = {"sweep": "subscribers", "x": MANY_SUBSCRIBERS}
    ours = run.find("scale", system=OURS, **many)
    check = Check()
    awake = [result for result in ours if result.get("awake") and "publish_p50_ns" in result]
    if not awake:
        check.lacks(f"{MANY_SUBSCRIBERS} awake subscribers")
    for result in awake:
        check.at_most(result["publish_p50_ns"], PUBLISH_MAX_NS,
                      f"{size_text(result['size_bytes'])}: {time_text(result['publish_p50_ns'])}")
    yield check.bar(area, f"{MANY_SUBSCRIBERS} awake subscribers: p50 under {time_text(PUBLISH_MAX_NS)}")
    yield independence_bar(run)
    asleep = [result for result in ours if result.get("awake") is False]
    for field, text in (("publish_p50_ns", f"{MANY_SUBSCRIBERS} sleeping subscribers: publish ahead of iceoryx"),
                        ("last_p50_ns", f"the last of {MANY_SUBSCRIBERS} reached sooner than with iceoryx")):
        yield beside(run, asleep, "iceoryx", field).bar(area, text)


def independence_bar(run):
    """The same number of subscribers, messages of different sizes."""
    check = Check()
    groups = {}
    for result in run.find("scale", system=OURS, sweep=("subscribers", "rate")):
        if "publish_p50_ns" in result:
            count = 1 if result["sweep"] == "rate" else result["x"]  # rate: as fast as it goes, to one
            groups.setdefault((result.get("awake"), count, result["sweep"]), []).append(result)
    groups = {key: results for key, results in groups.items() if len({r["size_bytes"] for r in results}) > 1}
    if not groups:
        check.lacks("two sizes of message")
    for (awake, count, _), results in groups.items():
        results = sorted(results, key=lambda result: result["size_bytes"])
        small, big = results[0], results[-1]
        text = (f"{count} {'awake' if awake else 'sleeping'}: {time_text(small['publish_p50_ns'])} for "
                f"{size_text(small['size_bytes'])}, {time_text(big['publish_p50_ns'])} for "
                f"{size_text(big['size_bytes'])}")
        check.at_most(big["publish_p50_ns"], SIZE_SPREAD_MAX * small["publish_p50_ns"], text)
    return check.bar("publish", f"cost independent of message size (biggest at most {SIZE_SPREAD_MAX} × smallest)")


def beside(run, ours, peer, field, equal=False):
    """One field of our results of scale against a peer's of the same point."""
    check = Check()
    ours = [result for result in ours if field in result]
    if not ours:
        check.lacks(name_of(OURS))
    for result in ours:
        found = [other for other in same_point(run, result, peer) if field in other]
        if not found:
            check.lacks(f"{name_of(peer)} at {size_text(result['size_bytes'])}")
            continue
        text = pair_text(result[field], name_of(peer), found[0][field], size_text(result["size_bytes"]))
        (check.at_most if equal else check.less)(result[field], found[0][field], text)
    return check


def topics_bar(run):
    ours = run.find("scale", system=OURS, sweep="topics", x=MANY_TOPICS)
    check = beside(run, ours, "iceoryx2", "latency_p999_ns", equal=True)
    return check.bar("topics", f"{MANY_TOPICS} topics × 2 subscribers, 100 Hz: p99.9 at least as good as iceoryx2's")


def heap_against(run, is_meant, allocator, factor_max=None):
    check = Check()
    ours = [result for result in run.find("heap", allocator=OURS) if is_meant(result)]
    if not ours:
        check.lacks(name_of(OURS))
    for result in ours:
        found = [r for r in run.find("heap", allocator=allocator) if heap_point(r) == heap_point(result)]
        if not found:
            check.lacks(f"{allocator} at {heap_text(result)}")
            continue
        text = pair_text(result["p50_ns"], allocator, found[0]["p50_ns"], heap_text(result))
        if factor_max is None:
            check.less(result["p50_ns"], found[0]["p50_ns"], text)
        else:
            check.at_most(result["p50_ns"], factor_max * found[0]["p50_ns"], text)
    return check


def heap_bars(run):
    area = "heap"
    check = heap_against(run, is_churn, "mimalloc", CHURN_FACTOR_MAX)
    yield check.bar(area, f"small churn: within {CHURN_FACTOR_MAX} × of mimalloc")
    yield heap_against(run, is_churn, "glibc").bar(area, "small churn: ahead of glibc")
    yield heap_against(run, is_growth, "glibc").bar(area, "growing vectors: ahead of glibc")
    steady = [result for result in run.find("heap", allocator=OURS) if not is_growth(result)]
    check = Check()
    chosen = [result for result in steady if "page_faults" in result]
    if not chosen:
        check.lacks(name_of(OURS))
    for result in chosen:
        check.at_most(result["page_faults"], 0, f"{heap_text(result)}: {result['page_faults']:,} page faults")
    yield check.bar(area, "steady state without page faults")
    yield slow_calls_bar(run, steady)


def slow_calls_bar(run, steady):
    """No call takes long that was not interrupted.

    A hypervisor stops a thread without telling anybody, so a single interruption cannot be seen. But
    they meet calls in proportion to the time spent in them: an empty loop in the same run says how
    many to expect, within three standard deviations of a count.
    """
    check = Check()
    chosen = [result for result in steady if "slow_calls" in result]
    if not chosen:
        check.lacks(name_of(OURS))
    for result in chosen:
        empty = [r for r in run.find("heap", allocator="none") if heap_point(r) == heap_point(result)]
        if not empty or not empty[0].get("busy_ns"):
            check.lacks(f"the empty loop at {heap_text(result)}")
            continue
        expected = (empty[0]["slow_calls"] + 1) / empty[0]["busy_ns"] * result["busy_ns"]
        allowed = expected + 3 * expected ** 0.5
        check.at_most(result["slow_calls"], allowed,
                      f"{heap_text(result)}: {result['slow_calls']:.0f}, and {expected:.0f} in as long an empty loop")
    return check.bar("heap", f"no call above {time_text(CALL_MAX_NS)} outside growth but for the machine's interruptions")


def audit_bar(run):
    check = Check()
    chosen = run.find("audit")
    if not chosen:
        check.lacks("audit")
    for result in chosen:
        check.at_most(result["audit_ns"], AUDIT_MAX_NS, f"{result['message']}: {time_text(result['audit_ns'])}")
    return check.bar("types", f"audit of a message with 16 containers and 64 MB: under {time_text(AUDIT_MAX_NS)}")


def tools_bars(run):
    """What is left of tools that came, looked and were killed."""
    alone = run.one("tools", beside=NOTHING)
    after = run.one("tools", beside=AFTER_TOOLS)
    cost, memory = Check(), Check()
    if alone and after:
        text = pair_text(after["p50_ns"], "before", alone["p50_ns"], "after")
        cost.at_most(after["p50_ns"], TOOLS_FACTOR_MAX * alone["p50_ns"], text)
        for result in run.find("tools"):
            memory.at_most(result["used_bytes"], alone["used_bytes"],
                           f"{result['beside']}: {result['used_bytes']:,.0f} B, before {alone['used_bytes']:,.0f} B")
    else:
        cost.lacks("tools")
        memory.lacks("tools")
    yield cost.bar("tools", f"publish() after ten killed tools: p50 at most {TOOLS_FACTOR_MAX} × before")
    yield memory.bar("tools", "memory in use after each tool: none more than before")


def bars(run):
    """All of them, in the order in which they were set."""
    return [*poll_bars(run), *block_bars(run), *unsized_bars(run), *publish_bars(run), *heap_bars(run),
            topics_bar(run), audit_bar(run), *load_bars(run), *tools_bars(run)]
