/* Connecting against closing: a subscription that may come late, and three publishers that are destroyed
 * while their process lives. The third gets the ring of the first, and its connection the place that
 * became free in the subscription's list.
 *
 * Mirrors   SubscriptionCore::prepare, connect, free_connection_place, drop_finished_locked
 *           (src/topic/subscription_publishers.cc); Connection's constructor, disconnect (src/topic/
 *           connection.cc); PublisherCore::start, close, is_finished (src/topic/publisher_core.cc);
 *           Reader::find_connection (src/topic/reader_list.cc).
 * Property  A subscription that is connected has the ring of its publisher before it: no ring is given
 *           away before the subscription has let go, whoever comes late, and wherever in the list the
 *           connection stands that the publisher has to find.
 * Bounds    3 publishers, 2 rings, a list of 2 places, 2 stores in a buffer. What the publishers did
 *           with messages is over, see take.pml.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#define BUFFERED 2
#define CPUS 4
#define SUBSCRIPTION 0 /* 1 to 3: the publishers */

#define FIRST 0
#define NEXT(place) (place)
#define PUBLISHER_ID(place) (2 + (place))
#define RING_ID(ring) (5 + (ring))
#define WORDS 7
#include "memory.inc"

/* The registry. */
bit subscribed;
bit registered[4];
byte ring_of[4];

byte user_of[2]; /* publisher by ring, as the allocator of their process has it; 0: free */
byte finished;

#define CONNECTED(p) (publisher[1] == p || publisher[2] == p)

inline connect(p)
{
  ring = ring_of[p];
  if
  :: free_place != 0 -> place = free_place; free_place = 0
  :: else ->
    places++;
    place = places;
#ifdef BUG_LINKED_BEFORE_NEXT
    store_seq_cst(SUBSCRIPTION, FIRST, place);
    store_release(SUBSCRIPTION, NEXT(place), place - 1);
#else
    store_release(SUBSCRIPTION, NEXT(place), place - 1);
    store_seq_cst(SUBSCRIPTION, FIRST, place);
#endif
  fi;
#ifdef BUG_RING_CHECKED_BEFORE_CONNECTED
  load_seq_cst(SUBSCRIPTION, RING_ID(ring), x);
#endif
#ifdef BUG_CONNECTED_STORE_RELEASE
  store_release(SUBSCRIPTION, PUBLISHER_ID(place), p);
#else
  store_seq_cst(SUBSCRIPTION, PUBLISHER_ID(place), p);
#endif
#if defined(BUG_RING_LOAD_ACQUIRE)
  load_acquire(RING_ID(ring), x);
#elif defined(BUG_RING_NOT_CHECKED)
  x = p;
#elif !defined(BUG_RING_CHECKED_BEFORE_CONNECTED)
  load_seq_cst(SUBSCRIPTION, RING_ID(ring), x);
#endif
  if
  :: x == p -> publisher[place] = p; ring_at[place] = ring
  :: else -> store_seq_cst(SUBSCRIPTION, PUBLISHER_ID(place), 0); free_place = place
  fi;
  x = 0; place = 0; ring = 0
}

inline read_or_let_go(at)
{
  atomic {
    assert(user_of[ring_at[at]] == publisher[at]);
    if
    :: !registered[publisher[at]] -> publisher[at] = 0; ring_at[at] = 0
    :: else -> goto next
    fi
  }
  store_seq_cst(SUBSCRIPTION, PUBLISHER_ID(at), 0);
  free_place = at
}

proctype subscription()
{
  byte places = 0, free_place = 0, place = 0, x = 0, ring = 0;
  byte publisher[3], ring_at[3];

  subscribed = 1;
next:
  do
  :: registered[1] && !CONNECTED(1) && (places < 2 || free_place != 0) -> connect(1)
  :: registered[2] && !CONNECTED(2) && (places < 2 || free_place != 0) -> connect(2)
  :: registered[3] && !CONNECTED(3) && (places < 2 || free_place != 0) -> connect(3)
  :: publisher[1] != 0 -> read_or_let_go(1)
  :: publisher[2] != 0 -> read_or_let_go(2)
  :: finished == 3 && !CONNECTED(1) && !CONNECTED(2) && !CONNECTED(3) -> break
  od
}

proctype publisher_of(byte me)
{
  byte ring = 0, at = 0, x = 0;
  bit knows = 0, found = 0;

  if
  :: me == 3 -> finished > 0
  :: else
  fi;
  atomic {
    if
    :: user_of[0] == 0 -> ring = 0
    :: else -> ring = 1
    fi;
    assert(user_of[ring] == 0);
    user_of[ring] = me
  }
  atomic { ring_of[me] = ring; registered[me] = 1 }
  store_release(me, RING_ID(ring), me);
  knows = subscribed;

  registered[me] = 0; /* close */
  do
  :: true -> /* is_finished */
#if defined(BUG_CLOSED_STORE_RELEASE)
    store_release(me, RING_ID(ring), 0);
#elif !defined(BUG_RING_KEEPS_ITS_ID) && !defined(BUG_CLOSED_AFTER_THE_LOOK)
    store_seq_cst(me, RING_ID(ring), 0);
#endif
#ifndef BUG_NEWCOMERS_NOT_LOOKED_FOR
    atomic { marked_stores[me] == 0 -> knows = subscribed }
#endif
    if
    :: knows ->
      load_seq_cst(me, FIRST, at);
      do
      :: at != 0 && !found ->
        load_seq_cst(me, PUBLISHER_ID(at), x);
        found = (x == me);
        load_acquire(NEXT(at), at)
      :: else -> break
      od
    :: else
    fi;
    at = 0; x = 0;
    if
    :: found -> found = 0
    :: else -> break
    fi
  od;
#ifdef BUG_CLOSED_AFTER_THE_LOOK
  store_seq_cst(me, RING_ID(ring), 0);
#endif
  atomic {
    user_of[ring] = 0;
    ring = 0; knows = 0; found = 0;
    finished++
  }
}

init
{
  atomic {
    run store_buffers();
    run publisher_of(1);
    run publisher_of(2);
    run publisher_of(3);
    run subscription()
  }
}
