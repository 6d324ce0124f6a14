/* The publisher's list of readers, which its control thread exchanges while one thread publishes and two reclaim:
 * a subscription that comes at any moment, or was there first, holds a message, sleeps, and leaves; somebody
 * removes its record while it lives.
 *
 * Mirrors   PublisherCore::prepare, take_over, ring_newcomers, publish, is_current (src/topic/
 *           publisher_core.cc), retire_beyond_depth, note_holds, collect_unheld, reclaim_retired (src/topic/
 *           publisher_reclaim.cc); ReaderList::make (src/topic/reader_list.cc); SubscriptionCore::start,
 *           close, finish_if_done (src/topic/subscription_core.cc).
 * Property  No message is destroyed while somebody reads it, and each once. A reader that was connected when
 *           a publish began does not lose that message before there is a newer one. A reader that sleeps is
 *           woken: else the model would have a state that nobody leaves. At the end nothing is left.
 * Bounds    2 messages, a reader of depth 1 with one hold, 2 stores in a buffer.
 *           The ring has room for all; ring places that are used again, growth and early reclaim are in
 *           take.pml. The publisher is volatile. A thread's stores are out of its buffer when
 *           it gives the lock back.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define BUFFERED 2
#define CPUS 4
#define PUBLISHING 0
#define BORROWING 1
#define CONTROL 2
#define SUBSCRIPTION 3

#define MARK(seq) (seq)
#define LIVE 1
#define RETIRED 2
#define HEAD 3
#define CONNECTED 4
#define HOLD 5
#define SLEEPING 6
#define WORDS 7
#include "memory.inc"

#define UNKNOWN 0
#define OPEN 1
#define CLOSED 2   /* only its holds count */
#define UNLISTED 3 /* likewise: its record is gone, but not its connection */

#define COMES 0
#define THERE 1
#define REMOVED 2 /* it was there, and its record is removed while it lives */

/* The registry. */
byte registered;
byte generation = 1;

/* The publisher's, under its lock. */
bit locked;
byte head, tail = 1;
byte list;
byte list_generation;

bit rung = 1; /* the bell's word is not what the sleeper loaded */
bit asleep;

/* What the properties speak of, seen by no process. */
bit connected;
byte reading;
bit owed[3];
bit lost_early[3];
bit given[3];     /* to a thread that will destroy it */
bit destroyed[3];
byte publishing = 2;
bit finished;

inline lock()
{
  atomic { !locked -> locked = 1 }
}
inline unlock(cpu)
{
  atomic { empty_buffer(cpu) -> locked = 0 }
}

inline ring()
{
  d_step { rung = 1; asleep = 0 }
}

inline retire_beyond_depth(cpu)
{
  do
  :: head + 1 - tail > (list == OPEN) ->
    atomic { lost_early[tail] = (tail == head); buffer[cpu]!MARK(tail),RETIRED,1 -> marked_stores[cpu]++; tail++ }
  :: else -> break
  od
}

/* ReaderList::make, take_over */
inline prepare(cpu)
{
#ifndef BUG_GENERATION_READ_AFTER_RECORDS
  made_at = generation;
#endif
  made = registered;
#ifdef BUG_GENERATION_READ_AFTER_RECORDS
  made_at = generation;
#endif
  former = list; /* nobody else changes it */
#ifndef BUG_UNLISTED_DROPPED
  if
  :: made == UNKNOWN && former != UNKNOWN ->
    load_seq_cst(cpu, CONNECTED, x);
    made = (x == 1 -> UNLISTED : UNKNOWN);
    x = 0
  :: else
  fi;
#endif
#ifdef BUG_NEWCOMERS_RUNG_FIRST
  if
  :: former == UNKNOWN && made != UNKNOWN -> ring()
  :: else
  fi;
#endif
#ifdef BUG_EXCHANGED_WITHOUT_LOCK
  list_generation = made_at;
  list = made;
  retire_beyond_depth(cpu);
#else
  atomic { !locked -> locked = 1; list_generation = made_at; list = made }
#ifdef BUG_RETIRED_BY_AN_OLD_LIST
  retire_beyond_depth(cpu);
#else
  if
  :: generation == list_generation -> retire_beyond_depth(cpu)
  :: else
  fi;
#endif
  unlock(cpu);
#endif
#if !defined(BUG_NEWCOMERS_NOT_RUNG) && !defined(BUG_NEWCOMERS_RUNG_FIRST)
  if
  :: former == UNKNOWN && made != UNKNOWN -> ring()
  :: else
  fi;
#endif
  made = 0; former = 0; made_at = 0
}

proctype control_thread()
{
  byte made_at = 0, made = 0, former = 0, x = 0;

end:
  do
  :: generation != list_generation -> prepare(CONTROL)
  od
}

inline publish(cpu)
{
  atomic { !locked -> locked = 1; owed[head + 1] = connected }
  atomic { marked_stores[cpu] == 0 -> is_current = (generation == list_generation) }
  head++;
  store_release(cpu, MARK(head), LIVE);
  store_seq_cst(cpu, HEAD, head);
  if
#ifdef BUG_RETIRED_WHILE_CHANGED
  :: true -> retire_beyond_depth(cpu)
#else
  :: is_current -> retire_beyond_depth(cpu)
  :: else
#endif
  fi;
  is_current = 0;
  if
  :: list != UNKNOWN ->
    load_seq_cst(cpu, SLEEPING, x);
    if
    :: x == 1 -> empty_buffer(cpu); ring()
    :: else
    fi;
    x = 0
  :: else
  fi;
  atomic { empty_buffer(cpu) -> locked = 0; publishing-- }
}

/* Destroys what was retired and nobody holds: chosen under the lock, destroyed without. */
inline reclaim(cpu)
{
#ifndef BUG_COLLECTED_WITHOUT_LOCK
  lock();
#endif
#if defined(BUG_FREED_WHILE_CHANGED)
  is_current = 1;
#else
  atomic { marked_stores[cpu] == 0 -> is_current = (generation == list_generation) }
#endif
  if
  :: is_current ->
    if
    :: list != UNKNOWN ->
      load_seq_cst(cpu, CONNECTED, x);
      if
      :: x == 1 -> load_seq_cst(cpu, HOLD, x)
      :: else
      fi
    :: else
    fi;
#ifdef BUG_COLLECTED_WITHOUT_LOCK
    mine[1] = (tail > 1 && x != 1 && !given[1]);
    mine[2] = (tail > 2 && x != 2 && !given[2]);
#endif
    d_step {
#ifndef BUG_COLLECTED_WITHOUT_LOCK
      mine[1] = (tail > 1 && x != 1 && !given[1]);
      mine[2] = (tail > 2 && x != 2 && !given[2]);
#endif
      given[1] = given[1] | mine[1];
      given[2] = given[2] | mine[2];
      x = 0; is_current = 0
    }
  :: else
  fi;
#ifndef BUG_COLLECTED_WITHOUT_LOCK
  unlock(cpu);
#endif
  if
  :: mine[1] -> d_step { assert(!destroyed[1] && reading != 1); destroyed[1] = 1; mine[1] = 0 }
  :: else
  fi;
  if
  :: mine[2] -> d_step { assert(!destroyed[2] && reading != 2); destroyed[2] = 1; mine[2] = 0 }
  :: else
  fi
}

proctype publishing_thread()
{
  byte x = 0;
  bit is_current = 0;
  bit mine[3];

  publish(PUBLISHING);
  publish(PUBLISHING);
  atomic { finished && generation == list_generation && !locked -> locked = 1 }
  retire_beyond_depth(PUBLISHING);
  unlock(PUBLISHING);
  reclaim(PUBLISHING);
  destroyed[1] + destroyed[2] == given[1] + given[2];
  assert(destroyed[1] && destroyed[2])
}

/* Another thread that borrows. */
proctype borrowing_thread()
{
  byte x = 0;
  bit is_current = 0;
  bit mine[3];

  reclaim(BORROWING)
}

proctype subscription(bit comes)
{
  byte cursor = 1, x = 0;

  if
  :: !comes
  :: comes ->
    d_step { registered = OPEN; generation++ }
    store_seq_cst(SUBSCRIPTION, CONNECTED, 1);
    load_seq_cst(SUBSCRIPTION, HEAD, x);
    if
    :: cursor = x + 1 /* or the oldest there is */
    :: true
    fi;
    x = 0;
    connected = 1
  fi;

  do
  :: cursor <= 2 ->
    load_acquire(MARK(cursor), x);
    if
    :: x == LIVE ->
      store_seq_cst(SUBSCRIPTION, HOLD, cursor);
      load_seq_cst(SUBSCRIPTION, MARK(cursor), x);
      if
      :: x == LIVE ->
        d_step { assert(!destroyed[cursor]); reading = cursor; x = 0; cursor++ }
        if
        :: true -> reading = 0; store_release(SUBSCRIPTION, HOLD, 0)
        :: true -> break /* closed while it is held */
        fi
      :: else -> store_release(SUBSCRIPTION, HOLD, 0); x = 0
      fi
    :: x == RETIRED -> assert(!owed[cursor] || !lost_early[cursor]); x = 0; cursor++
    :: else -> /* sleep */
      rung = 0;
      store_seq_cst(SUBSCRIPTION, SLEEPING, 1);
      load_seq_cst(SUBSCRIPTION, HEAD, x);
      if
      :: x < cursor ->
        atomic {
          x = 0;
          if
          :: !rung -> asleep = 1
          :: else
          fi;
          rung = 1
        }
        if
        :: asleep == 0
        :: publishing == 0 && memory[HEAD] < cursor -> break
        fi
      :: else -> x = 0; rung = 1
      fi;
      store_seq_cst(SUBSCRIPTION, SLEEPING, 0)
    fi
  :: cursor > 2 -> break
  od;

  connected = 0;
  if
  :: reading != 0 && registered == OPEN ->
    d_step { registered = CLOSED; generation++ }
  :: else
  fi;
  reading = 0;
  store_release(SUBSCRIPTION, HOLD, 0);
  empty_buffer(SUBSCRIPTION); /* a change of the registry is a system call under a lock */
  if
  :: d_step { registered != UNKNOWN -> registered = UNKNOWN; generation++ }
  :: registered == UNKNOWN
  fi;
  store_seq_cst(SUBSCRIPTION, CONNECTED, 0);
  empty_buffer(SUBSCRIPTION);
  finished = 1
}

init
{
  byte start;

  atomic {
    if
    :: start = THERE
    :: start = COMES
    :: start = REMOVED
    fi;
    if
    :: start != COMES -> registered = OPEN; connected = 1; memory[CONNECTED] = 1
    :: else
    fi;
    list = registered;
    list_generation = 1;
    generation = (start == COMES -> 2 : 1); /* 2: somebody else came or went */
    run store_buffers();
    run publishing_thread();
    run borrowing_thread();
    run control_thread();
    run subscription(start == COMES)
  }
  /* All who may join can write the registry. Who is removed so is owed nothing from then on. */
  if
  :: d_step { start == REMOVED && connected -> registered = UNKNOWN; generation++; start = 0;
              connected = 0; owed[1] = 0; owed[2] = 0 }
  :: start != REMOVED || finished
  fi
}
