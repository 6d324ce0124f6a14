/* Take against retire and reclaim: a publisher and a subscription that was there before it or joins
 * at any moment, and another newcomer whose depth makes the ring grow while it is read.
 *
 * Mirrors   PublisherCore::publish, is_current, prepare, take_over, make_room_in_ring (src/topic/
 *           publisher_core.cc), note_holds, collect_unheld, slowest_cursor, retire_read, reclaim_early
 *           (src/topic/publisher_reclaim.cc); Ring::reserve, publish, retire_oldest (src/topic/ring.cc);
 *           Connection's constructor, next_entry, skip_gone, reserve_hold, set_holds_end, take,
 *           release_hold (src/topic/connection.cc); SubscriptionCore::start, close, finish_if_done
 *           (src/topic/subscription_core.cc). What the ledger stores is here one word for each subscription, and the
 *           topic's generation. The control thread takes over what it has prepared under the publisher's
 *           lock, so here it is done between two steps of the publisher; see list.pml for two threads.
 * Property  No message is freed while somebody reads it or is yet to read it. What is taken is the
 *           message with the cursor's sequence, so all comes in order. Nobody skips a message that was
 *           not retired, nor one that was retired early because all had read it. Who finds nothing
 *           at its cursor has not been told by head that there is something.
 *           When all have left, every message is free.
 * Bounds    3 messages, a ring of 2 entries that grows to 4, a subscription with 2 holds, 2
 *           stores in a buffer. A message's address is its sequence: no address comes twice, so none
 *           can be right by accident. A second reader would change nothing: a publisher looks at one
 *           after the other and they never look at each other.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#define BUFFERED 2
#define CPUS 2
#define SUBSCRIPTION 0
#define PUBLISHER 1

#define HEAD 0
#define TAIL 1
#define ENTRIES 2 /* 0: the ring of two, 1: the ring of four */
#define MARK(ring, seq) (3 + 2 * (ring) + (seq) % (2 + 2 * (ring)))
#define ADDRESS(ring, seq) (9 + 2 * (ring) + (seq) % (2 + 2 * (ring)))
/* Values of a mark beside 0 and the sequence that can be taken. */
#define RETIRED 16
#define MOVED 31
#define SEQUENCE_IN(mark) ((mark) & 15)
#define CONNECTED 15
#define CURSOR 16
#define HOLDS_END 17
#define HOLD(hold) (18 + (hold))
#define WORDS 20
#include "memory.inc"

#define UNKNOWN 0
#define OPEN 1
#define CLOSED 2 /* depth 0: only its holds count */

byte scenario;
#define EARLY 0 /* the subscription was there first; what it has read is retired early */
#define GROWS 1 /* it was there first; a newcomer that asks for a depth of two makes the ring grow */
#define LATE 2  /* it joins while messages are published */
byte registered;
bit deep_newcomer;
byte generation = 1;

/* What the properties speak of, seen by no process. */
bit retired[MESSAGES + 1];
bit early[MESSAGES + 1]; /* retired because all had read it */
bit freed[MESSAGES + 1];
byte reading[2];         /* sequences that the subscription reads */
bit finished;

inline store_cursor(value) /* nobody looks at it unless messages are retired early */
{
  if
  :: scenario == EARLY -> store_release(SUBSCRIPTION, CURSOR, value)
  :: else
  fi
}

proctype subscription()
{
  byte cursor = 1, ring = 0, hold = 0, holds_end = 0, x = 0, head = 0, address = 0, next = 0;
  byte seen_head = 0;

  if
  :: scenario != LATE
  :: else ->
#ifndef BUG_REGISTERED_AFTER_CONNECT
    registered = OPEN;
    generation++;
#endif
    if
    :: load_seq_cst(SUBSCRIPTION, HEAD, head); cursor = head + 1
    :: load_acquire(TAIL, cursor); load_seq_cst(SUBSCRIPTION, HEAD, head);
       cursor = (cursor < 1 -> 1 : cursor); cursor = (cursor > head + 1 -> head + 1 : cursor)
    fi;
    head = 0
  fi;
#ifdef BUG_CONNECTED_BEFORE_CURSOR
  store_seq_cst(SUBSCRIPTION, CONNECTED, 1);
  store_cursor(cursor);
#else
  store_cursor(cursor);
  store_seq_cst(SUBSCRIPTION, CONNECTED, 1);
#endif
  marked_stores[SUBSCRIPTION] == 0; /* the look at ring.publisher_id, see connect.pml */

  do
  :: cursor <= MESSAGES -> /* take */
again:
    seen_head = memory[HEAD]; /* for the property only */
    load_acquire(MARK(ring, cursor), x);
    if
    :: x == cursor -> seen_head = 0
#ifndef BUG_GROWTH_NOT_LOOKED_FOR
    :: x == MOVED ->
      seen_head = 0;
      load_acquire(ENTRIES, x);
      assert(x != ring);
      ring = x;
      goto again
#endif
    :: x != cursor && SEQUENCE_IN(x) < cursor -> /* not published yet */
      assert(seen_head < cursor);
      seen_head = 0;
      goto nothing
    :: else -> /* skip_gone */
      seen_head = 0;
      load_seq_cst(SUBSCRIPTION, HEAD, head);
      assert(head >= cursor);
      load_acquire(TAIL, next);
      d_step {
        next = (next > cursor + 1 -> next : cursor + 1);
        next = (next < head + 1 -> next : head + 1);
        do
        :: cursor < next ->
          assert(retired[cursor]);
          assert(!early[cursor]);
          cursor++
        :: else -> break
        od;
        x = 0; head = 0; next = 0
      }
      store_cursor(cursor);
      if
      :: cursor > MESSAGES -> goto nothing
      :: else -> goto again
      fi
    fi;
    x = 0;
    if
    :: reading[0] == 0 -> hold = 0
    :: reading[0] != 0 && reading[1] == 0 -> hold = 1
    :: else -> goto nothing
    fi;
#ifndef BUG_HOLDS_END_AFTER_HOLD
    if
    :: hold >= holds_end -> store_seq_cst(SUBSCRIPTION, HOLDS_END, hold + 1); holds_end = hold + 1
#ifdef BUG_HOLDS_END_SET_BACK_BLINDLY
    :: hold == 0 && holds_end == 2 -> store_seq_cst(SUBSCRIPTION, HOLDS_END, 1); holds_end = 1
    :: hold == holds_end - 1
#else
    :: hold == 0 && holds_end == 2 && reading[1] == 0 ->
      store_seq_cst(SUBSCRIPTION, HOLDS_END, 1);
      holds_end = 1
    :: hold < holds_end && (hold == 1 || holds_end == 1 || reading[1] != 0)
#endif
    fi;
#endif
#ifdef BUG_CURSOR_BEFORE_HOLD
    store_cursor(cursor + 1);
#endif
#ifndef BUG_ADDRESS_AFTER_CHECK
    load_acquire(ADDRESS(ring, cursor), address);
#endif
#if defined(BUG_HOLD_STORE_RELEASE)
    store_release(SUBSCRIPTION, HOLD(hold), cursor);
#elif !defined(BUG_HOLD_AFTER_CHECK)
    store_seq_cst(SUBSCRIPTION, HOLD(hold), cursor);
#endif
#if defined(BUG_CHECK_LOAD_ACQUIRE)
    load_acquire(MARK(ring, cursor), x);
#elif defined(BUG_NO_CHECK)
    x = cursor;
#else
    load_seq_cst(SUBSCRIPTION, MARK(ring, cursor), x);
#endif
    if
    :: x != cursor ->
      store_release(SUBSCRIPTION, HOLD(hold), 0);
      goto again
    :: else
    fi;
#ifdef BUG_HOLD_AFTER_CHECK
    store_seq_cst(SUBSCRIPTION, HOLD(hold), cursor);
#endif
#ifdef BUG_ADDRESS_AFTER_CHECK
    load_acquire(ADDRESS(ring, cursor), address);
#endif
    d_step {
      assert(address == cursor);
      assert(!freed[cursor]);
      reading[hold] = cursor;
      cursor++;
      address = 0; x = 0
    }
#ifdef BUG_HOLDS_END_AFTER_HOLD
    if
    :: hold >= holds_end -> store_seq_cst(SUBSCRIPTION, HOLDS_END, hold + 1); holds_end = hold + 1
    :: else
    fi;
#endif
    hold = 0;
    store_cursor(cursor);
nothing:
    x = 0; head = 0
  :: reading[0] != 0 -> /* release */
    reading[0] = 0;
    store_release(SUBSCRIPTION, HOLD(0), 0)
  :: reading[1] != 0 ->
    reading[1] = 0;
    store_release(SUBSCRIPTION, HOLD(1), 0)
  :: true -> break /* close */
  od;

  cursor = 0; ring = 0;
#ifdef BUG_REGISTERED_AFTER_CONNECT
  if
  :: registered == UNKNOWN -> registered = OPEN; generation++
  :: else
  fi;
#endif
  if
  :: reading[0] != 0 || reading[1] != 0 ->
#ifdef BUG_CLOSE_FORGETS_HOLDS
    registered = UNKNOWN;
#else
    registered = CLOSED;
#endif
    generation++
  :: else
  fi;
  do
  :: reading[0] != 0 -> reading[0] = 0; store_release(SUBSCRIPTION, HOLD(0), 0)
  :: reading[1] != 0 -> reading[1] = 0; store_release(SUBSCRIPTION, HOLD(1), 0)
  :: reading[0] == 0 && reading[1] == 0 -> break
  od;
  empty_buffer(SUBSCRIPTION); /* a change of the registry is a system call under a lock */
  registered = UNKNOWN;
  generation++;
  finished = 1
}

inline retire_oldest(is_early)
{
  d_step { retired[tail] = 1; early[tail] = is_early }
#ifdef BUG_RETIRE_STORE_RELEASE
  store_release(PUBLISHER, MARK(ring, tail), tail + RETIRED);
#elif defined(BUG_RETIRED_IS_EMPTY)
  store_seq_cst(PUBLISHER, MARK(ring, tail), 0);
#else
  store_seq_cst(PUBLISHER, MARK(ring, tail), tail + RETIRED);
#endif
  tail++;
  store_release(PUBLISHER, TAIL, tail)
}

inline grow()
{
#ifndef BUG_GROWTH_FORGETS_RETIRED
  seq = (head < 4 -> 1 : head - 3);
  do
  :: seq < tail -> store_release(PUBLISHER, MARK(1, seq), seq + RETIRED); seq++
  :: else -> break
  od;
#endif
  seq = tail;
  do
  :: seq <= head ->
    store_release(PUBLISHER, ADDRESS(1, seq), seq);
    store_release(PUBLISHER, MARK(1, seq), seq);
    seq++
  :: else -> break
  od;
  ring = 1;
#ifndef BUG_OLD_RING_EMPTIED_FIRST
  store_seq_cst(PUBLISHER, ENTRIES, 1);
#endif
#ifndef BUG_OLD_RING_KEPT
  seq = tail; /* all entries of the ring of two */
  do
#ifdef BUG_GROWTH_FORGETS_WAITING_READER
  :: seq <= head ->
#else
  :: seq <= tail + 1 ->
#endif
    store_seq_cst(PUBLISHER, MARK(0, seq), MOVED);
    seq++
  :: else -> break
  od;
#endif
#ifdef BUG_OLD_RING_EMPTIED_FIRST
  store_seq_cst(PUBLISHER, ENTRIES, 1);
#endif
  seq = 0
}

inline look_if_current()
{
#ifdef BUG_GENERATION_LOAD_ACQUIRE
  is_current = (generation == seen);
#else
  atomic { marked_stores[PUBLISHER] == 0 -> is_current = (generation == seen) }
#endif
}

/* ReaderList::make: the generation first, see list.pml */
inline read_records()
{
  d_step { made_at = generation; made = registered; made_deep = deep_newcomer; is_made = 1 }
}

inline take_over()
{
  d_step {
    seen = made_at; peer = made; retention = 1 + made_deep;
    made_at = 0; made = 0; made_deep = 0; is_made = 0
  }
  if
  :: retention == 2 && ring == 0 -> grow()
  :: else
  fi
}

inline look_at_holds()
{
  if
  :: peer != UNKNOWN ->
    load_seq_cst(PUBLISHER, CONNECTED, x);
    if
    :: x == 1 ->
      load_seq_cst(PUBLISHER, HOLDS_END, end);
      if
      :: end >= 1 -> load_seq_cst(PUBLISHER, HOLD(0), x); held[x] = 1
      :: else
      fi;
      if
      :: end >= 2 -> load_seq_cst(PUBLISHER, HOLD(1), x); held[x] = 1
      :: else
      fi;
      end = 0
    :: else
    fi;
    x = 0
  :: else
  fi
}

inline collect_unheld()
{
#if defined(BUG_NEWCOMERS_FORGOTTEN)
  is_current = 1;
#elif !defined(BUG_GENERATION_BEFORE_RETIRE)
  look_if_current();
#endif
  if
  :: is_current -> look_at_holds()
  :: else
  fi;
  d_step {
    seq = 1;
    do
    :: seq <= head ->
      if
#ifdef BUG_HOLDS_IGNORED
      :: is_current && retired[seq] && !freed[seq] ->
#else
      :: is_current && retired[seq] && !freed[seq] && !held[seq] ->
#endif
        assert(reading[0] != seq && reading[1] != seq);
        freed[seq] = 1
      :: else
      fi;
      held[seq] = 0;
      seq++
    :: else -> break
    od;
    held[0] = 0; seq = 0; is_current = 0
  }
}

inline reclaim_early()
{
  look_if_current();
  slowest = (is_current -> head + 1 : tail);
  if
  :: peer == OPEN ->
    load_seq_cst(PUBLISHER, CONNECTED, x);
    if
    :: x == 1 -> load_seq_cst(PUBLISHER, CURSOR, x); slowest = (x < slowest -> x : slowest)
#ifndef BUG_EARLY_FORGETS_UNCONNECTED
    :: x == 0 -> slowest = tail /* it was there before us and will read from our first */
#endif
    :: else
    fi;
    x = 0
  :: else
  fi;
  do
  :: tail < slowest -> retire_oldest(1)
  :: else -> break
  od;
  slowest = 0;
  collect_unheld()
}

proctype publisher()
{
  byte head = 0, tail = 1, retention = 1, ring = 0, seen = 0, peer = UNKNOWN;
  byte seq = 0, x = 0, end = 0, slowest = 0, made_at = 0, made = 0;
  bit is_current = 0, is_made = 0, made_deep = 0;
  bit held[MESSAGES + 1];

  read_records();
  take_over();
  do
  :: generation != seen && !is_made -> read_records()
  :: is_made -> take_over()
  :: head < MESSAGES -> /* publish */
    if
    :: ring == 0 && head + 1 - tail == 2 ->
      if
      :: generation != seen -> read_records(); take_over()
      :: else
      fi;
      if
      :: ring == 0 -> retire_oldest(0)
      :: else
      fi
    :: else
    fi;
    look_if_current();
    head++;
#if defined(BUG_SEQ_BEFORE_ADDRESS)
    store_release(PUBLISHER, MARK(ring, head), head);
    store_release(PUBLISHER, ADDRESS(ring, head), head);
    store_seq_cst(PUBLISHER, HEAD, head);
#elif defined(BUG_HEAD_BEFORE_ENTRY)
    store_seq_cst(PUBLISHER, HEAD, head);
    store_release(PUBLISHER, ADDRESS(ring, head), head);
    store_release(PUBLISHER, MARK(ring, head), head);
#else
    store_release(PUBLISHER, ADDRESS(ring, head), head);
    store_release(PUBLISHER, MARK(ring, head), head);
    store_seq_cst(PUBLISHER, HEAD, head);
#endif
    do
    :: is_current && head + 1 - tail > retention -> retire_oldest(0)
    :: else -> break
    od;
#ifndef BUG_GENERATION_BEFORE_RETIRE
    is_current = 0
#endif
  :: retired[1] && (tail > 2 || !freed[1]) && !freed[MESSAGES] -> collect_unheld()
  :: scenario == EARLY && tail <= head -> reclaim_early()
  :: head == MESSAGES && finished && generation == seen && (deep_newcomer || scenario != GROWS) -> break
  od;
  reclaim_early();
  d_step {
    seq = 1;
    do
    :: seq <= MESSAGES -> assert(freed[seq]); seq++
    :: else -> break
    od
  }
}

init
{
  atomic {
    if
    :: scenario = LATE
    :: scenario = GROWS; registered = OPEN
    :: scenario = EARLY; registered = OPEN; memory[CURSOR] = MESSAGES + 1 /* left by another */
    fi;
    memory[TAIL] = 1;
    run store_buffers();
    run publisher();
    run subscription()
  }
  if
  :: scenario == GROWS -> atomic { deep_newcomer = 1; generation++ }
  :: else
  fi
}
