/* Ready hints: a wait set that has many members looks only at those whose bit a publisher has set, and a
 * subscription with many connections likewise at its connections.
 *
 *   MEMBERS    two publishers, each of a subscription with a hint; the second subscription moves into the wait set
 *   SHARED     two publishers of one subscription, each with a hint for its connection
 *   CONNECTED  the connection is made while messages are published, and is the subscription's first with a hint
 *   TWO_TAKE   another thread takes from the same subscription
 *   NEWCOMER   the publisher does not have the reader in its list yet: its control thread puts it there
 *   DIES       the publisher dies at any step
 *   ROOM       the hold limit of 1 is reached, and another thread releases
 *
 * Mirrors   PublisherCore::wake_sleepers, ring_newcomers, ring (src/topic/publisher_core.cc);
 *           WaitSetCore::wait, any_ready, add (src/topic/wait_set_core.cc); SubscriptionCore::take, is_ready,
 *           has_unread, release (src/topic/subscription_core.cc), prepare, take_over, wake_own
 *           (src/topic/subscription_publishers.cc); Runtime::ring_own_doorbells (src/runtime/runtime.cc).
 * Property  All messages are taken. If the wait set slept for ever with a message unread and room for it, the
 *           model would have a state that nobody leaves. A take that finds nothing has missed none whose
 *           publish had returned when it began.
 *           It makes no difference whether hint or waiter, or connection hint or publisher_id, is stored first:
 *           what counts is that both are before the member, or connection, is put among the candidates.
 * Bounds    2 messages of a publisher, or 1 of two; 2 hints at each level, 2 stores in a buffer. A bit may be set at the
 *           start, by a former user. The futex never returns without reason, and nobody looks at all members
 *           from time to time: both would hide a lost hint. That `sleeping` is a member's own wait set's, and the
 *           stop, are in wake.pml.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define BUFFERED 2
#define CPUS 5
#define WAIT_SET 0 /* 1 and 2: the publishers */
#define OTHER 3
#define TAKER 4 /* stores nothing */

#define HEAD(publisher) (publisher)
#define SLEEPING 2
#define WAITER(subscription) (3 + (subscription)) /* 1: the wait set */
#define HINT(subscription) (5 + (subscription))   /* a bit of MEMBER_BITS; 0: none */
#define CONNECTED_TO(publisher) (7 + (publisher))    /* connection.publisher_id is that publisher's */
#define CONNECTION_HINT(publisher) (9 + (publisher))
#define HAS_HINTED 11
#define MEMBER_BITS 12 /* changed by atomic operations only, as the next */
#define CONNECTION_BITS 13
#define WORDS 14
#include "memory.inc"

#define BIT(of) (1 << (of))

byte scenario;
#define MEMBERS 0
#define SHARED 1
#define CONNECTED 2
#define TWO_TAKE 3
#define NEWCOMER 4
#define DIES 5
#define ROOM 6
#define SUBSCRIPTION_OF(publisher) (scenario == MEMBERS -> (publisher) : 0)
#define HAS_TWO_LEVELS (scenario != MEMBERS && scenario != ROOM)

bit rung = 1; /* the bell's word is not what the wait set loaded */
bit asleep;

/* The wait set's, under its mutex. */
bit waits_locked;
bit is_member[2];
byte members; /* candidates: bits */

/* The subscriptions', under their lock; one lock and one word for both, of which only one has hints. */
bit takes_locked;
bit is_connected[2];
bit is_hinted[2];
byte connections; /* candidates: bits */
byte read[2];
bit held; /* a counter: the hold limit is 1 */
bit wants_room;

/* The publisher's, under its lock. */
bit publishes_locked;
bit is_listed;

/* What the property speaks of, seen by no process. */
byte returned; /* so many publishes have */
byte running;     /* publishers that will publish more */
bit dead;
#define ALL_READ (running == 0 && read[0] == memory[HEAD(0)] && read[1] == memory[HEAD(1)])

inline ring()
{
  d_step { rung = 1; asleep = 0 }
}

inline add_bit(cpu, bits, hint)
{
#ifdef BUG_BITS_NOT_ADDED_TO
  y = memory[bits];
  atomic { empty_buffer(cpu) -> memory[bits] = y | hint }
#else
  atomic { empty_buffer(cpu) -> memory[bits] = memory[bits] | hint }
#endif
}

inline set_bit(cpu, bits, hint)
{
  load_seq_cst(cpu, bits, y);
  if
  :: (y & hint) == 0 -> add_bit(cpu, bits, hint)
  :: else
  fi;
  y = 0
}

inline collect(cpu, bits, candidates)
{
#ifdef BUG_BITS_LOAD_ACQUIRE
  load_acquire(bits, x);
#else
  load_seq_cst(cpu, bits, x);
#endif
#ifdef BUG_CLEARED_AFTER_LOOK
  candidates = candidates | x;
#else
  if
  :: x != 0 -> atomic { empty_buffer(cpu) -> candidates = candidates | memory[bits]; memory[bits] = 0 }
  :: else
  fi;
#endif
  x = 0
}

inline clear_late(cpu, bits)
{
#ifdef BUG_CLEARED_AFTER_LOOK
  atomic { empty_buffer(cpu) -> memory[bits] = 0 }
#else
  skip
#endif
}

inline look_at_head(cpu, c)
{
  if
  :: !ready && is_connected[c] && SUBSCRIPTION_OF(c) == s && (!is_hinted[c] || (connections & BIT(c))) ->
    load_seq_cst(cpu, HEAD(c), x);
    d_step {
      if
      :: x > read[c] -> ready = 1; found = c
#ifdef BUG_HEAD_READ_BEFORE_EXCHANGE
      :: else -> nothing = nothing | BIT(c)
#else
      :: else -> connections = connections & ~BIT(c)
#endif
      fi;
      x = 0
    }
  :: else
  fi
}

/* has_unread_locked() of subscription s, and what take() looks at. */
inline find_unread(cpu)
{
  ready = 0;
#ifdef BUG_HEAD_READ_BEFORE_EXCHANGE
  look_at_head(cpu, 0);
  look_at_head(cpu, 1);
  if
  :: HAS_TWO_LEVELS -> collect(cpu, CONNECTION_BITS, connections)
  :: else
  fi;
  connections = connections & ~nothing;
  nothing = 0;
#else
  if
  :: HAS_TWO_LEVELS -> collect(cpu, CONNECTION_BITS, connections)
  :: else
  fi;
#endif
  look_at_head(cpu, 0);
  look_at_head(cpu, 1);
  if
  :: HAS_TWO_LEVELS -> clear_late(cpu, CONNECTION_BITS)
  :: else
  fi
}

inline look_at_member(subscription)
{
  if
  :: !ready && is_member[subscription] && (members & BIT(subscription)) ->
    s = subscription;
    atomic { !takes_locked -> takes_locked = 1 }
    find_unread(WAIT_SET);
    d_step {
      if
      :: !ready -> members = members & ~BIT(s)
      :: ready && scenario == ROOM && held ->
        wants_room = 1;
        ready = 0;
#ifdef BUG_DROPPED_FOR_WANT_OF_ROOM
        members = members & ~BIT(s)
#endif
      :: else
      fi;
      takes_locked = 0
    }
  :: else
  fi
}

/* any_ready() */
inline look()
{
  atomic { !waits_locked -> waits_locked = 1 }
  collect(WAIT_SET, MEMBER_BITS, members);
  ready = 0;
  look_at_member(0);
  look_at_member(1);
  clear_late(WAIT_SET, MEMBER_BITS);
  waits_locked = 0
}

proctype wait_set()
{
  byte x = 0, s = 0, found = 0, nothing = 0;
  bit ready = 0;

  do
  :: ALL_READ -> break
  :: else ->
    if
    :: true -> look() /* before it sleeps, it looks without having said so */
    :: true ->
      rung = 0;
#ifdef BUG_SLEEPING_STORE_RELEASE
      store_release(WAIT_SET, SLEEPING, 1);
#else
      store_seq_cst(WAIT_SET, SLEEPING, 1);
#endif
      look();
      if
      :: !ready ->
        atomic {
          if
          :: !rung -> asleep = 1
          :: else
          fi;
          rung = 1
        }
        asleep == 0 || ALL_READ
      :: else -> rung = 1
      fi;
      store_seq_cst(WAIT_SET, SLEEPING, 0)
    fi;
    if
    :: atomic { ready && !takes_locked -> /* take, see taker */
        if
        :: !(scenario == ROOM && held) && memory[HEAD(found)] > read[found] ->
          read[found]++;
          held = (scenario == ROOM)
        :: else
        fi;
        ready = 0; found = 0; s = 0 }
    :: !ready
    fi
  od
}

/* SubscriptionCore::take on another thread */
proctype taker()
{
  byte x = 0, s = 0, found = 0, nothing = 0, count = 0, must_find = 0;
  bit ready = 0;

  do
  :: count < 2 ->
    atomic {
      !takes_locked -> takes_locked = 1;
      must_find = returned
    }
    find_unread(TAKER);
    d_step {
      assert(ready || read[0] >= must_find);
      if
      :: ready -> read[found]++
      :: else
      fi;
      takes_locked = 0;
      ready = 0; found = 0; must_find = 0;
      count++
    }
  :: else -> break
  od
}

inline may_die()
{
  if
  :: scenario == DIES -> goto died
  :: true
  fi
}

/* The connection's bit, if its subscription has any hints. */
inline hint_connection(cpu, c)
{
  if
  :: HAS_TWO_LEVELS ->
#if defined(BUG_HAS_HINTED_LOAD_ACQUIRE)
    load_acquire(HAS_HINTED, x);
#elif defined(BUG_HAS_HINTED_LOADED_BEFORE_HEAD)
    x = has_hinted;
#else
    load_seq_cst(cpu, HAS_HINTED, x);
#endif
    if
    :: x == 1 ->
      load_seq_cst(cpu, CONNECTED_TO(c), x);
      if
      :: x == 1 ->
        load_acquire(CONNECTION_HINT(c), x);
        if
        :: x != 0 -> set_bit(cpu, CONNECTION_BITS, x)
        :: else
        fi
      :: else
      fi
    :: else
    fi;
    x = 0
  :: else
  fi
}

inline hint_member(cpu, subscription)
{
  load_acquire(HINT(subscription), x);
  if
  :: x != 0 -> set_bit(cpu, MEMBER_BITS, x)
  :: else
  fi
}

/* That x is 1 afterwards says that there is a wait set. */
inline hint_waiting(cpu)
{
#ifdef BUG_WAITER_LOAD_ACQUIRE
  load_acquire(WAITER(s), x);
#else
  load_seq_cst(cpu, WAITER(s), x);
#endif
  if
  :: x == 1 -> hint_member(cpu, s); x = 1
  :: else
  fi
}

proctype publisher(byte me; byte messages)
{
  byte head = 0, x = 0, y = 0, s = SUBSCRIPTION_OF(me), has_hinted = 0;

  do
  :: head < messages ->
    atomic { !publishes_locked || scenario != NEWCOMER -> publishes_locked = (scenario == NEWCOMER) }
    head++;
#ifdef BUG_HINT_BEFORE_HEAD
    if
    :: is_listed -> hint_connection(1 + me, me); hint_waiting(1 + me)
    :: else
    fi;
#endif
#ifdef BUG_BIT_LOADED_BEFORE_HEAD
    load_seq_cst(1 + me, MEMBER_BITS, y);
#endif
#ifdef BUG_HAS_HINTED_LOADED_BEFORE_HEAD
    load_seq_cst(1 + me, HAS_HINTED, has_hinted);
#endif
#ifdef BUG_HEAD_STORE_RELEASE
    store_release(1 + me, HEAD(me), head);
#else
    store_seq_cst(1 + me, HEAD(me), head);
#endif
    may_die();
    if
    :: is_listed ->
#if defined(BUG_HINT_BEFORE_HEAD)
      load_seq_cst(1 + me, WAITER(s), x);
#elif defined(BUG_MEMBER_BIT_FIRST)
      hint_waiting(1 + me);
      hint_connection(1 + me, me);
      load_seq_cst(1 + me, WAITER(s), x);
#elif defined(BUG_HINT_AFTER_SLEEPING_LOADED)
      load_seq_cst(1 + me, SLEEPING, y);
      if
      :: y == 1 -> empty_buffer(1 + me); ring()
      :: else
      fi;
      y = 0;
      hint_connection(1 + me, me);
      hint_waiting(1 + me);
      x = 0;
#elif defined(BUG_BIT_LOADED_BEFORE_HEAD)
      hint_connection(1 + me, me);
      if
      :: (y & BIT(s)) == 0 -> hint_waiting(1 + me)
      :: else -> y = 0; load_seq_cst(1 + me, WAITER(s), x)
      fi;
#else
      hint_connection(1 + me, me);
      may_die();
      hint_waiting(1 + me);
      may_die();
#endif
      if
      :: x == 1 ->
        load_seq_cst(1 + me, SLEEPING, x);
        if
        :: x == 1 -> empty_buffer(1 + me); ring()
        :: else
        fi
      :: else
      fi
    :: else
    fi;
    x = 0;
    atomic {
      empty_buffer(1 + me) ->
      publishes_locked = 0;
      returned = (scenario == TWO_TAKE -> head : 0)
    }
  :: else -> break
  od;
  atomic { running--; goto ended }
died:
  atomic { empty_buffer(1 + me) -> running--; dead = 1; head = 0; x = 0; y = 0 }
ended:
  skip
}

/* WaitSetCore::add */
proctype adds_member()
{
#ifndef BUG_CANDIDATE_BEFORE_HINT
  store_seq_cst(OTHER, HINT(1), BIT(1));
#endif
#if defined(BUG_WAITER_STORE_RELEASE)
  store_release(OTHER, WAITER(1), 1);
#elif !defined(BUG_CANDIDATE_BEFORE_WAITER)
  store_seq_cst(OTHER, WAITER(1), 1);
#endif
  atomic {
    !waits_locked && marked_stores[OTHER] == 0 ->
    is_member[1] = 1;
#ifndef BUG_ADDED_NOT_A_CANDIDATE
    members = members | BIT(1)
#endif
  }
#if defined(BUG_CANDIDATE_BEFORE_HINT)
  store_seq_cst(OTHER, HINT(1), BIT(1));
#elif defined(BUG_CANDIDATE_BEFORE_WAITER)
  store_seq_cst(OTHER, WAITER(1), 1);
#endif
  empty_buffer(OTHER);
#ifndef BUG_ADDED_WITHOUT_A_RING
  ring()
#endif
}

/* SubscriptionCore::prepare, take_over, wake_own */
proctype adds_connection()
{
  byte y = 0;

#ifndef BUG_HAS_HINTED_AFTER_CANDIDATE
  store_seq_cst(OTHER, HAS_HINTED, 1);
#endif
  store_seq_cst(OTHER, CONNECTION_HINT(1), BIT(1));
#ifdef BUG_CONNECTED_STORE_RELEASE
  store_release(OTHER, CONNECTED_TO(1), 1);
#else
  store_seq_cst(OTHER, CONNECTED_TO(1), 1);
#endif
  atomic {
    !takes_locked && marked_stores[OTHER] == 0 ->
    is_connected[1] = 1;
#ifndef BUG_CONNECTED_NOT_A_CANDIDATE
    connections = connections | BIT(1)
#endif
  }
#ifdef BUG_HAS_HINTED_AFTER_CANDIDATE
  store_seq_cst(OTHER, HAS_HINTED, 1);
#endif
#ifndef BUG_CONNECTED_RINGS_ONLY
  set_bit(OTHER, MEMBER_BITS, BIT(0));
#endif
  ring()
}

/* PublisherCore::prepare, take_over, ring_newcomers */
proctype lists_reader()
{
  byte x = 0, y = 0, s = 0, has_hinted = 1;

  atomic { !publishes_locked -> is_listed = 1 }
#ifndef BUG_NEWCOMER_RUNG_ONLY
  hint_connection(OTHER, 0);
  hint_waiting(OTHER);
#endif
  ring()
}

/* Runtime::ring_own_doorbells, when a peer is found dead */
proctype finds_death()
{
  if
  :: dead ->
#ifndef BUG_DEATH_RINGS_ONLY
    memory[CONNECTION_BITS] = BIT(0);
    memory[MEMBER_BITS] = BIT(0);
#endif
    ring()
  :: running == 0 && !dead
  fi
}

/* SubscriptionCore::release, and the look_again() that it asks for */
proctype releaser()
{
end:
  do
  :: held ->
    held = 0;
    if
    :: atomic { wants_room -> wants_room = 0 }
      ring()
    :: else
    fi
  od
}

init
{
  atomic {
    if
    :: scenario = ROOM
    :: scenario = DIES
    :: scenario = CONNECTED
    :: scenario = SHARED
    :: scenario = NEWCOMER
    :: scenario = MEMBERS
    :: scenario = TWO_TAKE
    fi;
    is_listed = (scenario != NEWCOMER);
    is_member[0] = 1;
    memory[WAITER(0)] = 1;
    memory[HINT(0)] = BIT(0);
    is_connected[0] = (scenario != CONNECTED);
    memory[CONNECTED_TO(0)] = is_connected[0];
    is_connected[1] = (scenario == SHARED || scenario == MEMBERS);
    memory[CONNECTED_TO(1)] = is_connected[1];
    is_hinted[0] = HAS_TWO_LEVELS;
    is_hinted[1] = HAS_TWO_LEVELS;
    memory[HAS_HINTED] = is_hinted[0] && scenario != CONNECTED;
    memory[CONNECTION_HINT(0)] = memory[HAS_HINTED] * BIT(0);
    memory[CONNECTION_HINT(1)] = memory[HAS_HINTED] * BIT(1);
    if
    :: true
    :: scenario == ROOM || scenario == TWO_TAKE -> memory[MEMBER_BITS] = BIT(0)
    fi;
    run store_buffers();
    run wait_set();
    running = 1;
    if
    :: scenario == ROOM -> run publisher(0, 2); run releaser()
    :: scenario == DIES -> run publisher(0, 2); run finds_death()
    :: scenario == NEWCOMER -> run publisher(0, 2); run lists_reader()
    :: scenario == TWO_TAKE -> run publisher(0, 2); run taker()
    :: scenario == CONNECTED -> run publisher(1, 2); run adds_connection()
    :: scenario == SHARED -> running = 2; run publisher(0, 1); run publisher(1, 1)
    :: scenario == MEMBERS -> running = 2; run publisher(0, 1); run publisher(1, 1); run adds_member()
    fi
  }
}
