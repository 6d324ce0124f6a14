// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
#include "node/loan.hpp"

#include <new>
#include <utility>

#include "base/epoch.hpp"
#include "heap/thread_window.hpp"
#include "hook/route.hpp"
#include "node/failure.hpp"
#include "os/short_lock.hpp"
#include "runtime/runtime.hpp"

namespace agnocast::internal {

namespace {

// Handles for loans to come, so that a loan allocates nothing but its message. Only ever tried for:
// a fork may find the lock taken.
os::ShortLock pool_lock;
LoanHandle* pool = nullptr;

LoanHandle* take_handle()
{
  if (pool_lock.try_lock()) {
    LoanHandle* loan = pool;
    if (loan != nullptr) pool = loan->next_free;
    pool_lock.unlock();
    if (loan != nullptr) return loan;
  }
  return new LoanHandle();
}

void give_back_handle(LoanHandle* loan) noexcept
{
  loan->publisher.reset();
  if (!pool_lock.try_lock()) {
    delete loan;
    return;
  }
  loan->next_free = pool;
  pool = loan;
  pool_lock.unlock();
}

Failure foreign_process(const PublisherCore& publisher)
{
  return {FailureKind::usage,
          "the publisher of '" + publisher.endpoint().topic +
            "' belongs to the process that this one was forked from; create one of your own"};
}

void check_area(const PublisherCore& publisher)
{
  const Area& area = *Runtime::instance().context().area;
  if (!area.is_broken()) return;
  throw ResourceError("nothing can be published on '" + publisher.endpoint().topic +
                      "': the area /dev/shm/agnocast@" + area.process() +
                      " of this process was shortened or overwritten by another process of this "
                      "user; restart this process");
}

Failure no_room_for_loan(const PublisherCore& publisher)
{
  Runtime& runtime = Runtime::instance();
  const auto statistics = runtime.context().heap->statistics();
  return {FailureKind::resource,
          "no room for a loan on '" + publisher.endpoint().topic + "': the shared heap has " +
            std::to_string(statistics.used_bytes / 1'000'000) + " MB in use of " +
            std::to_string(statistics.secured_bytes / 1'000'000) + " MB and cannot grow (" +
            runtime.holders() +
            "): enlarge /dev/shm with 'mount -o remount,size=<size> /dev/shm', or keep and hold "
            "fewer messages"};
}

LoanHandle* handle_for(PublisherCore& publisher)
{
  const LibraryWork work;
  if (publisher.epoch() != current_epoch()) raise(foreign_process(publisher));
  check_area(publisher);
  LoanHandle* const loan = take_handle();
  loan->kind = Handle::Kind::loan;
  loan->references.store(1, std::memory_order_relaxed);
  loan->publisher = publisher.shared_from_this();
  return loan;
}

/// Throws UsageError unless it is an open loan of this publisher.
void check_loan(const PublisherCore& publisher, const LoanHandle* loan)
{
  const LibraryWork work;
  const std::string& topic = publisher.endpoint().topic;
  if (loan == nullptr || loan->message == nullptr) {
    throw UsageError("publish on '" + topic +
                     "' was given an empty pointer: borrow_loaned_message() first; a published "
                     "message cannot be published again");
  }
  if (publisher.epoch() != current_epoch()) raise(foreign_process(publisher));
  check_area(publisher);
  if (loan->publisher.get() != &publisher) {
    throw UsageError("publish on '" + topic + "' was given a loan of the publisher of '" +
                     loan->publisher->endpoint().topic +
                     "': publish it there, or borrow from this publisher");
  }
}

/// False if the message must not be published.
bool passes_audit(void* message, const AuditRules& rules, AuditFindings& findings)
{
  if (rules.audit == nullptr || rules.mode == Audit::off) return true;
  const Context& context = Runtime::instance().context();
  Auditor auditor(rules.mode, context.area->heap_base(), context.area->heap_bytes());
  rules.audit(message, auditor);
  findings.bytes = auditor.bytes();
  if (auditor.moved() == 0 && !auditor.is_refused()) return true;
  const LibraryWork work;
  findings.moved = auditor.moved();
  findings.path = auditor.first_path();
  return !auditor.is_refused();
}

/// Unless it is timed out, the message is the readers' from now on, and the loan is closed.
PublishOutcome publish_audited(PublisherCore& publisher, LoanHandle& loan, std::uint64_t bytes)
{
  const LibraryWork work;
  // Before the message is seen: what is not this thread's must not change it any more.
  ThreadWindow* const window = loan.window.load(std::memory_order_relaxed);
  loan.window.store(nullptr, std::memory_order_relaxed);
  auto outcome = PublishOutcome::timed_out;
  try {
    outcome = publisher.publish(loan.message, bytes);
  } catch (const std::bad_alloc&) {
    loan.window.store(window, std::memory_order_relaxed);
    throw ResourceError("no memory to publish on '" + publisher.endpoint().topic +
                        "'; the message is kept");
  }
  if (outcome == PublishOutcome::timed_out) {
    loan.window.store(window, std::memory_order_relaxed);
  } else {
    loan.message = nullptr;
    close_window(window);
  }
  return outcome;
}

}  // namespace

LoanRequest open_loan(PublisherCore& publisher)
{
  LoanHandle* const loan = handle_for(publisher);
  loan->message = publisher.allocate_message();
  const LibraryWork work;
  if (loan->message == nullptr) {
    give_back_handle(loan);
    raise(no_room_for_loan(publisher));
  }
  Result<ThreadWindow*> window = open_window();
  if (!window) {
    publisher.free_message(loan->message);
    give_back_handle(loan);
    raise(window.failure());
  }
  loan->window.store(*window, std::memory_order_relaxed);
  return {loan, loan->message};
}

void abandon_unconstructed_loan(Handle* handle) noexcept
{
  auto* loan = static_cast<LoanHandle*>(handle);
  close_window(loan->window.exchange(nullptr, std::memory_order_relaxed));
  loan->publisher->free_message(loan->message);
  give_back_handle(loan);
}

void claim_loan(Handle* handle)
{
  const LibraryWork work;
  auto* const loan = static_cast<LoanHandle*>(handle);
  if (loan->window.load(std::memory_order_relaxed) == nullptr) {
    throw UsageError("this message of '" + loan->publisher->endpoint().topic +
                     "' is being published by another thread and must not be changed any more");
  }
  if (loan->publisher->epoch() != current_epoch()) raise(foreign_process(*loan->publisher));
  Result<ThreadWindow*> window = open_window();
  if (!window) raise(window.failure());
  close_window(loan->window.exchange(*window, std::memory_order_relaxed));
}

void drop_loan(LoanHandle& loan) noexcept
{
  if (loan.publisher->epoch() == current_epoch() && loan.message != nullptr) {
    ThreadWindow* window = loan.window.exchange(nullptr, std::memory_order_relaxed);
    if (window != nullptr) close_window(window);
    loan.publisher->destroy_message(loan.message);
  }
  give_back_handle(&loan);
}

PublishStatus publish_loan(PublisherCore& publisher, Handle* handle, const AuditRules& rules,
                           AuditFindings& findings)
{
  auto* const loan = static_cast<LoanHandle*>(handle);
  check_loan(publisher, loan);
  try {
    // Under the thread's own rules: it runs code of the message's types.
    if (!passes_audit(loan->message, rules, findings)) return PublishStatus::refused;
  } catch (const std::bad_alloc&) {
    const LibraryWork work;
    throw ResourceError(
      "the shared heap has no room for what must be moved into it to publish on '" +
      publisher.endpoint().topic +
      "'; the message is kept: enlarge it (AGNOCAST_MEMPOOL_SIZE), or fill messages while the loan "
      "is open");
  }
  const PublishOutcome outcome = publish_audited(publisher, *loan, findings.bytes);
  if (outcome == PublishOutcome::timed_out) return PublishStatus::timed_out;
  // The next loan reclaims what was retired here, while nobody waits for a message; only who
  // borrows many in advance must not pile them up.
  if (outcome == PublishOutcome::published_and_many_retired) publisher.reclaim_retired();
  return PublishStatus::published;
}

void release_handle(Handle* handle) noexcept
{
  if (handle->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (handle->kind == Handle::Kind::loan) {
    drop_loan(*static_cast<LoanHandle*>(handle));
  } else {
    const LibraryWork work;
    auto* received = static_cast<ReceivedHandle*>(handle);
    received->connection->owner()->release(*received);
  }
}

}  // namespace agnocast::internal
