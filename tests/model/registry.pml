/* The registry's records: processes that join in two steps, add an endpoint of the same or of different topics,
 * remove it and leave, each of which may be killed before any store; readers without a lock; cleaning up after the dead by the
 * next to join and by a survivor; records and slots that are used again.
 *
 * Mirrors   agnocast_ledger_add_process, finish_process, add_endpoint, remove_endpoint, remove_process,
 *           drop_endpoint, tell_topic_of (src/ledger/ledger.c); UserRegistry::begin_join, finish_join, recover, recover_dead,
 *           recover_joining (src/registry/user_registry*.cc); RegistryPages::endpoints, process (src/registry/pages.cc);
 *           prepare_if_changed of PublisherCore and SubscriptionCore (src/topic/). The record lock is
 *           the kernel's: it drops when its holder is killed, or closes a descriptor of that file (which
 *           only BUG_LOOK_DROPS_THE_LOCK does). That a process which joins lives is the kernel's
 *           word too: the lock on its area's file.
 * Property  What a reader believes is one endpoint's record, whole. A slot is never given to a process
 *           while its owner lives, and no living process loses its record. A survivor that looks
 *           again whenever the topic's generation moved misses no endpoint that was registered before
 *           it loaded the generation. When all are gone, no record is live, and the survivor knows.
 * Bounds    JOINERS processes for 2 slots, 2 endpoint records, KILLS of them killed. Stores of the
 *           registry are system calls: they are seen in their order, so there are no store buffers.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef JOINERS
#define JOINERS 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#define NOBODY 255

#define FREE 0
#define LIVE 1
#define JOINING 2

typedef process_record { byte state; byte id };
typedef endpoint_record { bit live; byte id; bit topic; byte slot; byte process_id };
process_record processes[2];
endpoint_record endpoints[2];
byte endpoints_end;
bit moved = 1; /* the generation of topic 0 is not what the survivor saw */
bit topic_of[JOINERS];
byte next_id = 1;
byte lock = NOBODY;

/* What the properties speak of. */
byte owner_of[2 * JOINERS + 1]; /* joiner by id, of processes and endpoints */
bit alive[JOINERS];
byte registered[JOINERS]; /* id of the endpoint, from when it is registered until its end begins */
byte kills;
byte gone;

/* A store of the ledger; the process may be killed instead. The survivor is not. */
#define store(statement) \
  atomic { if :: statement :: me < JOINERS && kills < KILLS -> goto killed fi }

inline take_lock()
{
#ifdef BUG_NO_LOCK
  skip
#else
  atomic { lock == NOBODY -> lock = me }
#endif
}

inline drop_lock()
{
  atomic { if :: lock == me -> lock = NOBODY :: else fi }
}

#define advance(topic) \
  if :: topic == 0 -> store(moved = 1) :: else fi

/* the other ends learn that the endpoint of a freed record is gone, if they were not told yet */
inline tell_topic_of(e)
{
  if
  :: endpoints[e].process_id != 0 ->
#ifdef BUG_TOLD_BEFORE_IT_IS
    store(endpoints[e].process_id = 0);
    advance(endpoints[e].topic)
#else
    advance(endpoints[e].topic);
    store(endpoints[e].process_id = 0)
#endif
  :: else
  fi
}

inline drop_endpoint(e)
{
#ifdef BUG_GENERATION_BEFORE_RECORD
  advance(endpoints[e].topic);
  store(endpoints[e].live = 0)
#else
  store(endpoints[e].live = 0);
  tell_topic_of(e)
#endif
}

inline remove_process(the_slot)
{
#ifdef BUG_SLOT_FREED_BEFORE_ITS_ENDPOINTS
  removed = processes[the_slot].id;
  store(processes[the_slot].state = FREE);
#else
  removed = processes[the_slot].id;
#endif
  e = 0;
  do
  :: e < endpoints_end ->
    if
    :: endpoints[e].process_id == removed && endpoints[e].live -> drop_endpoint(e)
#ifndef BUG_HALF_REMOVED_IS_LEFT_SO
    :: endpoints[e].process_id == removed && !endpoints[e].live -> tell_topic_of(e)
#endif
    :: else
    fi;
    e++
  :: else -> break
  od;
  e = 0;
#ifndef BUG_SLOT_FREED_BEFORE_ITS_ENDPOINTS
  store(processes[the_slot].state = FREE);
#endif
  removed = 0
}

#ifdef BUG_JOINING_SLOT_IS_FREE
#define IS_FREE(i) (processes[i].state != LIVE)
#else
#define IS_FREE(i) (processes[i].state == FREE)
#endif

inline recover_dead()
{
  s = 0;
  do
  :: s < 2 ->
    if
    :: processes[s].state != FREE && !alive[owner_of[processes[s].id]] -> remove_process(s)
#ifdef BUG_JOINING_TAKEN_FOR_DEAD
    :: processes[s].state == JOINING -> remove_process(s)
#endif
    :: else
    fi;
    s++
  :: else -> break
  od;
  s = 0
}

proctype joiner(byte me)
{
  byte s = 0, e = 0, removed = 0, slot = 0, id = 0, index = 0, endpoint_id = 0;

  take_lock(); /* begin_join */
  recover_dead();
  if
  :: IS_FREE(0) -> slot = 0
  :: !IS_FREE(0) && IS_FREE(1) -> slot = 1
  :: else -> drop_lock(); goto no_slot
  fi;
  atomic { id = next_id; owner_of[id] = me }
  store(next_id++);
  atomic {
    assert(processes[slot].state == FREE || !alive[owner_of[processes[slot].id]]);
    store(processes[slot].id = id)
  }
  store(processes[slot].state = JOINING);
  drop_lock();

  /* builds what it has; others come and go */
  take_lock(); /* finish_join */
  assert(processes[slot].state == JOINING && processes[slot].id == id);
  store(processes[slot].state = LIVE);
  drop_lock();

  take_lock(); /* add_endpoint */
  assert(processes[slot].state == LIVE && processes[slot].id == id);
  do
  :: index < endpoints_end && endpoints[index].live -> index++
  :: else -> break
  od;
#ifdef BUG_IDS_GIVEN_AGAIN
  atomic { endpoint_id = JOINERS + 1 + index; owner_of[endpoint_id] = me }
#else
  atomic { endpoint_id = next_id; owner_of[endpoint_id] = me }
  store(next_id++);
#endif
#ifndef BUG_RECORD_OVERWRITTEN_UNTOLD
  if
  :: index < endpoints_end -> tell_topic_of(index)
  :: else
  fi;
#endif
  store(endpoints[index].live = 0); /* the body begins with it */
#ifdef BUG_STATE_WORD_FIRST
  store(endpoints[index].live = 1);
#endif
#ifdef BUG_GENERATION_BEFORE_RECORD
  advance(topic_of[me]);
#endif
  if /* one copy of bytes, in whatever order */
  :: store(endpoints[index].id = endpoint_id);
    store(endpoints[index].topic = topic_of[me]);
    store(endpoints[index].slot = slot);
    store(endpoints[index].process_id = id)
  :: store(endpoints[index].id = endpoint_id);
    store(endpoints[index].process_id = id);
    store(endpoints[index].slot = slot);
    store(endpoints[index].topic = topic_of[me])
  fi;
#ifndef BUG_STATE_WORD_FIRST
  store(endpoints[index].live = 1);
#endif
  if
  :: index == endpoints_end -> store(endpoints_end++)
  :: else
  fi;
#ifndef BUG_GENERATION_BEFORE_RECORD
  advance(topic_of[me]);
#endif
  atomic { drop_lock(); registered[me] = (topic_of[me] == 0 -> endpoint_id : 0) }

  atomic {
    if
    :: kills < KILLS -> goto killed
    :: true -> registered[me] = 0
    fi
  }
  if
  :: true -> take_lock(); drop_endpoint(index); drop_lock()
  :: true -> skip
  fi;
  take_lock(); /* leave */
  assert(processes[slot].state == LIVE && processes[slot].id == id);
  remove_process(slot);
  drop_lock();
no_slot:
  atomic { alive[me] = 0; gone++ }
  goto ended;
killed:
  atomic { kills++; gone++; alive[me] = 0; registered[me] = 0; drop_lock() }
ended:
  atomic { s = 0; e = 0; removed = 0; slot = 0; id = 0; index = 0; endpoint_id = 0 }
}

byte view[2]; /* ids that the survivor knows, by record */

inline read_endpoints()
{
  end = endpoints_end;
  do
  :: e < end ->
    view[e] = 0;
    id = endpoints[e].id;
    if
    :: endpoints[e].live ->
#ifdef BUG_ID_READ_AFTER_THE_STATE
      id = endpoints[e].id;
#endif
      if
      :: endpoints[e].topic == 0
      :: else -> goto next
      fi;
      slot = endpoints[e].slot;
      if
      :: processes[slot].state == LIVE -> process = processes[slot].id
      :: else -> goto next
      fi;
      if
      :: process == endpoints[e].process_id
      :: else -> goto next
      fi;
#ifdef BUG_ID_READ_AFTER_THE_PROCESS
      id = endpoints[e].id;
#endif
#ifndef BUG_NO_SECOND_LOOK
      if
      :: atomic { endpoints[e].live && endpoints[e].id == id }
      :: else -> goto next
      fi;
#endif
      atomic {
        assert(id != 0 && owner_of[id] == owner_of[process] && topic_of[owner_of[id]] == 0);
        view[e] = id
      }
    :: else
    fi;
next:
    e++
  :: else -> break
  od;
  e = 0; end = 0; id = 0; slot = 0; process = 0
}

inline look_again()
{
  atomic { /* loads the generation */
    must[0] = registered[0]; must[1] = registered[1];
#ifndef BUG_GENERATION_READ_AFTER_RECORDS
    moved = 0
#endif
  }
  read_endpoints();
#ifdef BUG_GENERATION_READ_AFTER_RECORDS
  moved = 0
#endif
}

#define KNOWS(j) (must[j] == 0 || must[j] != registered[j] || view[0] == must[j] || view[1] == must[j])

proctype survivor()
{
  byte me = JOINERS;
  byte e = 0, end = 0, id = 0, slot = 0, process = 0, s = 0, removed = 0, dead = 0;
  byte must[2];

  do
  :: moved ->
    look_again();
    atomic {
      assert(KNOWS(0) && KNOWS(1));
      must[0] = 0; must[1] = 0
    }
  :: atomic { processes[0].state == LIVE && !alive[owner_of[processes[0].id]] -> dead = processes[0].id; s = 0 };
    goto recover
  :: atomic { processes[1].state == LIVE && !alive[owner_of[processes[1].id]] -> dead = processes[1].id; s = 1 };
recover:
    take_lock();
    if
#ifndef BUG_RECOVERED_BY_SLOT_ALONE
    :: processes[s].state != LIVE || processes[s].id != dead -> skip
#endif
    :: else -> assert(processes[s].state == FREE || !alive[owner_of[processes[s].id]]); remove_process(s)
    fi;
    drop_lock();
    dead = 0; s = 0
  :: atomic { gone == JOINERS && !moved && lock == NOBODY &&
              (processes[0].state != LIVE || alive[owner_of[processes[0].id]]) &&
              (processes[1].state != LIVE || alive[owner_of[processes[1].id]]) } -> break
  od;
  assert(processes[0].state != LIVE && processes[1].state != LIVE);
  do
  :: e < endpoints_end -> assert(!endpoints[e].live); e++
  :: else -> break
  od;
  assert(view[0] == 0 && view[1] == 0);
  skip;
  goto done;
killed: /* never */
  assert(false);
done:
  skip
}

init
{
  atomic {
    byte i;
    if
    :: topic_of[1] = 1
    :: skip
    fi;
    do
    :: i < JOINERS -> alive[i] = 1; run joiner(i); i++
    :: else -> break
    od;
    run survivor();
#ifdef BUG_LOOK_DROPS_THE_LOCK
    run looker()
#endif
  }
}

#ifdef BUG_LOOK_DROPS_THE_LOCK
/* Another thread of the first joiner looks at the domain, and closes what it has opened. */
proctype looker()
{
  if
  :: atomic { lock == 0 -> lock = NOBODY }
  :: skip /* did so while nobody had it */
  fi
}
#endif
