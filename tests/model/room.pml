/* Waiting for room under keep_all: two threads publish on one publisher of depth 1 and wait for a
 * reliable subscription that polls. Another subscription was there before the publisher, never
 * connects, and leaves: until it does, the first message is kept for it.
 *
 * Mirrors   PublisherCore::wait_for_room, prepare, take_over (src/topic/publisher_core.cc), slowest_cursor
 *           (src/topic/publisher_reclaim.cc); Connection::move_cursor, tell_publisher (src/topic/
 *           connection.cc); ControlThread::prepare (src/runtime/control_thread.cc); futex(2).
 * Property  Both threads publish all they have, and no message is retired before the subscription has
 *           moved past it. If a thread slept for ever with room there, the model would have a state
 *           that nobody leaves.
 * Bounds    2 messages of each thread, 2 stores in a buffer. The futex never returns without reason and
 *           there is no deadline. A thread's stores are out of its buffer when it gives the lock back.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define MESSAGES 2
#define BUFFERED 2
#define CPUS 3
#define SUBSCRIPTION 2 /* 0 and 1: the publishing threads */

#define HEAD 0
#define CURSOR 1
#define SLEEPING 2
#define WORDS 3
#include "memory.inc"

bit unconnected = 1; /* registered */
byte generation = 1; /* somebody else came or went */
bit preparing;       /* prepare_mutex_ */
bit rung[2] = 1;     /* the bell's word is not what that thread loaded */
bit asleep[2];
bit locked;

/* The publisher's, under its lock. */
byte head;
byte waiting;
bit knows_unconnected = 1; /* the list of readers */
byte list_generation;

inline ring()
{
  d_step { rung[0] = 1; rung[1] = 1; asleep[0] = 0; asleep[1] = 0 }
}

/* By the control thread or one that waits; the lock is not held while records are read. */
inline prepare()
{
  atomic { !preparing -> preparing = 1 }
#ifdef BUG_GENERATION_READ_AFTER_RECORDS
  made = unconnected;
  made_at = generation;
#else
  made_at = generation;
  made = unconnected;
#endif
  atomic { !locked -> locked = 1; knows_unconnected = made; list_generation = made_at }
#ifndef BUG_LEAVER_NOT_TOLD
  if
  :: waiting != 0 -> ring()
  :: else
  fi;
#endif
  d_step { locked = 0; made = 0; made_at = 0; preparing = 0 }
}

/* head + 1 - slowest_cursor() < depth */
inline look_for_room()
{
  if
  :: generation != list_generation ->
    atomic { empty_buffer(me) -> locked = 0 }
    prepare();
    atomic { !locked -> locked = 1 }
  :: else
  fi;
#ifdef BUG_CURSOR_LOAD_ACQUIRE
  load_acquire(CURSOR, x);
#else
  load_seq_cst(me, CURSOR, x);
#endif
  has_room = (x == head + 1 && (!knows_unconnected || head == 0));
  x = 0
}

proctype publishing_thread(byte me)
{
  byte count = 0, x = 0, made_at = 0;
  bit has_room = 0, made = 0;

  do
  :: count < MESSAGES ->
    atomic { !locked -> locked = 1 }
again:
    look_for_room();
    if
    :: !has_room ->
      waiting++;
      rung[me] = 0;
#ifdef BUG_SLEEPING_STORE_RELEASE
      store_release(me, SLEEPING, 1);
#else
      store_seq_cst(me, SLEEPING, 1);
#endif
#ifndef BUG_NO_LAST_LOOK
      look_for_room();
#endif
#ifdef BUG_BELL_READ_AFTER_LOOK
      rung[me] = 0;
#endif
      if
      :: !has_room ->
        atomic { empty_buffer(me) -> locked = 0 }
        atomic {
          if
          :: !rung[me] -> asleep[me] = 1
          :: else
          fi
        }
        asleep[me] == 0;
        atomic { !locked -> locked = 1 }
      :: else
      fi;
      waiting--;
      rung[me] = 1;
      if
#ifdef BUG_SLEEPING_CLEARED_BY_EACH
      :: true -> store_seq_cst(me, SLEEPING, 0)
#else
      :: waiting == 0 -> store_seq_cst(me, SLEEPING, 0)
      :: else
#endif
      fi;
      goto again
    :: else
    fi;
    has_room = 0;
    head++;
    count++;
    store_seq_cst(me, HEAD, head);
    if
    :: head > 1 -> assert(memory[CURSOR] >= head && !unconnected) /* the one before is retired */
    :: else
    fi;
    atomic { empty_buffer(me) -> locked = 0 }
  :: else -> break
  od
}

proctype subscription()
{
  byte cursor = 1, x = 0;

  do
  :: cursor <= 2 * MESSAGES ->
    memory[HEAD] >= cursor;
    cursor++;
#ifdef BUG_SLEEPING_READ_BEFORE_CURSOR
    load_seq_cst(SUBSCRIPTION, SLEEPING, x);
#endif
#ifdef BUG_CURSOR_STORE_RELEASE
    store_release(SUBSCRIPTION, CURSOR, cursor);
#else
    store_seq_cst(SUBSCRIPTION, CURSOR, cursor);
#endif
#if defined(BUG_SLEEPING_LOAD_ACQUIRE)
    load_acquire(SLEEPING, x);
#elif !defined(BUG_SLEEPING_READ_BEFORE_CURSOR)
    load_seq_cst(SUBSCRIPTION, SLEEPING, x);
#endif
    if
    :: x == 1 -> atomic { empty_buffer(SUBSCRIPTION) -> ring() }
    :: else
    fi;
    x = 0
  :: else -> break
  od
}

/* Leaves without ever having connected. */
proctype leaver()
{
  atomic { unconnected = 0; generation = 2 }
}

proctype control_thread()
{
  byte made_at = 0;
  bit made = 0;
end:
  do
  :: generation != list_generation -> prepare()
  od
}

init
{
  atomic {
    memory[CURSOR] = 1;
    run store_buffers();
    run publishing_thread(0);
    run publishing_thread(1);
    run subscription();
    run leaver();
    run control_thread()
  }
}
