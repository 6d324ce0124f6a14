// An actor: one process of a stress, from its first thread to its end.
//
// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include <execinfo.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "stress/world.hpp"

namespace agnocast::stress {

using namespace std::chrono_literals;

namespace {

/// What a thread spins, while it does.
thread_local std::shared_ptr<Node>* spun = nullptr;

void spin_one_way(Actor& actor, const std::shared_ptr<Node>& node)
{
  const std::uint64_t dice = actor.random.below(100);
  if (dice < 50) {
    spin_once(node, std::chrono::microseconds(actor.random.below(5'000)));
  } else if (dice < 90) {
    spin_some(node);
  } else if (actor.world.in_spin.fetch_add(1) < 2) {
    if (!actor.world.interrupting.load() && !actor.world.ending.load()) {
      actor.doing("spin until shutdown");
      try {
        spin(node);
      } catch (const Thrown&) {
      }
    }
    actor.world.in_spin.fetch_sub(1);
  } else {
    actor.world.in_spin.fetch_sub(1);
  }
}

}  // namespace

std::shared_ptr<Node>* spun_node()
{
  return spun;
}

void spin_somehow(Actor& actor)
{
  std::shared_ptr<Home> home = actor.world.homes.get(actor.random);
  if (!home || home->is_spun->test_and_set()) return;
  std::shared_ptr<Node> node = home->node;
  const std::shared_ptr<std::atomic_flag> flag = home->is_spun;
  home.reset();
  spun = &node;
  try {
    spin_one_way(actor, node);
  } catch (const Thrown&) {
  }
  spun = nullptr;
  flag->clear();
}

namespace {

void run_thread(World& world, std::size_t thread, std::uint64_t seed)
{
  Actor actor{world, thread, Random(seed)};
  this_actor() = &actor;
  try {
    while (!world.ending.load()) {
      do_something(actor);
      if (actor.random.chance(2)) {
        std::this_thread::sleep_for(std::chrono::microseconds(actor.random.below(1'000)));
      }
    }
  } catch (const std::exception& error) {
    report(*world.board, "process %zu, thread %zu, while it was to %s: %s", world.process, thread,
           world.board->processes[world.process].threads[thread].doing, error.what());
    world.ending.store(true);
  }
  this_actor() = nullptr;
  world.board->processes[world.process].threads[thread].alive_ns.store(0);
}

template <class T>
void empty(Table<T>& table, Random& random)
{
  while (table.remove(random)) {
  }
}

// In any order; what is received is checked to the end.
void drop_everything(Actor& actor)
{
  World& world = actor.world;
  Random& random = actor.random;
  for (std::uint64_t i = 0, first = random.below(6); i < 6; ++i) {
    switch ((first + i) % 6) {
      case 0:
        empty(world.homes, random);
        break;
      case 1:
        empty(world.publishers, random);
        break;
      case 2:
        empty(world.readers, random);
        break;
      case 3:
        empty(world.waiters, random);
        break;
      case 4:
        empty(world.loans, random);
        break;
      default:
        for (Kept one = world.kept.remove(random); one; one = world.kept.remove(random)) {
          world.release(std::move(one));
        }
    }
  }
}

// Others let go of what they have of us sooner or later.
void look_for_blocks(Actor& actor)
{
  const std::uint64_t deadline = now_ns() + actor.world.board->patience_s * 500'000'000ull;
  std::size_t left = 0;
  do {
    left = shared_heap_statistics().used_blocks;
    // Once something was found there is no telling.
    if (left == 0 || actor.world.board->findings_count.load() != 0) return;
    actor.doing("wait for its blocks");
    std::this_thread::sleep_for(5ms);
  } while (now_ns() < deadline);
  report(*actor.world.board, "process %zu: %zu blocks of its shared heap are left after all else",
         actor.world.process, left);
}

/// In static storage, where an untidy program leaves it.
World the_world;

void live(Actor& actor)
{
  World& world = actor.world;
  std::vector<std::thread> threads;
  for (std::size_t thread = 1; thread <= world.board->threads; ++thread) {
    const std::uint64_t seed = actor.random.next();
    world.board->processes[world.process].threads[thread].alive_ns.store(now_ns());
    threads.emplace_back([&world, thread, seed] { run_thread(world, thread, seed); });
  }
  const std::uint64_t end = now_ns() + actor.random.between(200, 1'500) * 1'000'000;
  while (now_ns() < end && world.board->end.load() == 0 && !world.ending.load()) {
    actor.doing("live");
    std::this_thread::sleep_for(2ms);
  }
  world.ending.store(true);
  std::atomic<bool> is_over{false};
  std::thread waker([&is_over] {
    for (; !is_over.load(); std::this_thread::sleep_for(1ms)) shutdown();
  });
  for (std::thread& thread : threads) thread.join();
  is_over.store(true);
  waker.join();
}

void on_crash(int signal)
{
  void* frames[60];
  const int count = ::backtrace(frames, 60);
  report(*the_world.board, "process %zu (%d): signal %d; its stack is on standard error",
         the_world.process, ::getpid(), signal);
  ::backtrace_symbols_fd(frames, count, STDERR_FILENO);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void watch_for_crashes()
{
#ifdef AGNOCAST_SANITIZED
  constexpr bool is_sanitized = true;
#else
  constexpr bool is_sanitized = false;
#endif
  if (is_sanitized) return;  // sanitizers tell it better
  void* warm[2];
  ::backtrace(warm, 2);  // loads what it needs now, not in the handler
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) ::signal(signal, on_crash);
}

int act(std::size_t process, std::uint64_t seed)
{
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  the_world.process = process;
  for (ThreadSeat& seat : the_world.board->processes[process].threads) seat.alive_ns.store(0);
  the_world.numbers.store(seed << 20);
  Actor actor{the_world, 0, Random(seed)};
  actor.doing("start");
  init();
  live(actor);
  if (actor.random.chance(30)) {
    the_world.count(Count::untidy_ends);
    return 0;  // with all that it has
  }
  actor.doing("drop everything");
  drop_everything(actor);
  look_for_blocks(actor);
  the_world.count(Count::tidy_ends);
  return 0;
}

}  // namespace
}  // namespace agnocast::stress

// agnocast_stress_actor <descriptor of the board> <number of the process> <seed>: started by
// agnocast_stress.
int main(int argc, char** argv)
{
  using namespace agnocast::stress;
  if (argc != 4) return 2;
  the_world.board = Board::map(std::atoi(argv[1]));
  const std::size_t process = std::strtoul(argv[2], nullptr, 10);
  if (the_world.board == nullptr || process >= processes_max) return 2;
  watch_for_crashes();
  try {
    return act(process, std::strtoull(argv[3], nullptr, 10));
  } catch (const std::exception& error) {
    report(*the_world.board, "process %zu: %s", process, error.what());
    return 1;
  }
}
