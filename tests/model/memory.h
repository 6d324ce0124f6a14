/* Memory as the models see it: each process has a store buffer, first in, first out, that empties
 * whenever it likes. The orders of src/base/atomic.hpp are
 *
 *   store_relaxed, store_release   into the buffer
 *   store_seq_cst                  into the buffer, marked
 *   load_relaxed, load_acquire     from memory, at once, whatever lies in the own buffer
 *   load_seq_cst                   from memory, once no marked store lies in the own buffer
 *
 * So a store and a later load change places unless both are seq_cst, which is what C++ allows, and a
 * seq_cst that is weakened on either side shows. A word has one writing process, which knows what it
 * wrote and never loads it, so nothing is forwarded from the buffer. Loads stay in program order, and
 * so do stores: weaker orders of these are seeded as bugs by changing the places of two steps.
 * add_seq_cst and exchanges wait until the buffer is empty.
 *
 * Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
 */
byte memory[WORDS];
chan buffer[CPUS] = [BUFFERED] of { byte, byte, bit };
byte marked_stores[CPUS];

inline store_release(cpu, word, value)
{
  buffer[cpu]!word,value,0
}
inline store_seq_cst(cpu, word, value)
{
  atomic { buffer[cpu]!word,value,1 -> marked_stores[cpu]++ }
}
inline load_acquire(word, into)
{
  into = memory[word]
}
inline load_seq_cst(cpu, word, into)
{
  atomic { marked_stores[cpu] == 0 -> into = memory[word] }
}
inline empty_buffer(cpu)
{
  empty(buffer[cpu])
}

proctype store_buffers()
{
  byte word, value, cpu;
  bit marked;
end:
  do
  :: d_step { buffer[0]?word,value,marked -> memory[word] = value;
              marked_stores[0] = marked_stores[0] - marked; word = 0; value = 0; marked = 0 }
#if CPUS > 1
  :: d_step { buffer[1]?word,value,marked -> memory[word] = value;
              marked_stores[1] = marked_stores[1] - marked; word = 0; value = 0; marked = 0 }
#endif
#if CPUS > 2
  :: d_step { buffer[2]?word,value,marked -> memory[word] = value;
              marked_stores[2] = marked_stores[2] - marked; word = 0; value = 0; marked = 0 }
#endif
#if CPUS > 3
  :: d_step { buffer[3]?word,value,marked -> memory[word] = value;
              marked_stores[3] = marked_stores[3] - marked; word = 0; value = 0; marked = 0 }
#endif
  od
}
