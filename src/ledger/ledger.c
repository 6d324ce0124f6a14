// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Copyright the Agnocast C++ authors.
#include "ledger/ledger.h"

typedef struct agnocast_registry registry_t;

#define OFFSET_OF(type, member) __builtin_offsetof(type, member)

static const registry_t* registry_of(const struct agnocast_ledger* ledger)
{
  return (const registry_t*)(const void*)ledger->pages;
}

static uint32_t load32(const uint32_t* word)
{
  return *(
    const volatile uint32_t*)word; /* once: a peer may write meanwhile if the file is open to it */
}

static uint64_t load64(const uint64_t* word)
{
  return *(const volatile uint64_t*)word;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
  return a < b ? a : b;
}

static int same_name(const char* a, const char* b, uint32_t bytes)
{
  uint32_t i;

  for (i = 0; i < bytes; i++) {
    const char letter = *(const volatile char*)&a[i];

    if (letter != b[i]) return 0;
    if (letter == 0) return 1;
  }
  return 0; /* unterminated: equal to nothing */
}

static int is_terminated(const char* name, uint32_t bytes)
{
  uint32_t i;

  for (i = 0; i < bytes; i++)
    if (name[i] == 0) return i != 0;
  return 0;
}

static void copy_name(char* to, const char* from, uint32_t bytes)
{
  uint32_t i = 0;

  for (; i < bytes - 1 && from[i] != 0; i++) to[i] = from[i];
  for (; i < bytes; i++) to[i] = 0;
}

static enum agnocast_ledger_status store(struct agnocast_ledger* ledger, uint64_t offset,
                                         const void* source, uint64_t bytes)
{
  ledger->store_error = ledger->store(ledger->context, offset, source, bytes);
  return ledger->store_error == 0 ? AGNOCAST_LEDGER_OK : AGNOCAST_LEDGER_STORE_FAILED;
}

static enum agnocast_ledger_status store32(struct agnocast_ledger* ledger, uint64_t offset,
                                           uint32_t value)
{
  return store(ledger, offset, &value, sizeof(value));
}

static enum agnocast_ledger_status store64(struct agnocast_ledger* ledger, uint64_t offset,
                                           uint64_t value)
{
  return store(ledger, offset, &value, sizeof(value));
}

#define TRY(expression)                                    \
  do {                                                     \
    const enum agnocast_ledger_status try_ = (expression); \
    if (try_ != AGNOCAST_LEDGER_OK) return try_;           \
  } while (0)

#define HEADER_OFFSET(member) OFFSET_OF(registry_t, header.member)

static uint64_t process_offset(uint32_t index)
{
  return OFFSET_OF(registry_t, processes) +
         (uint64_t)index * sizeof(struct agnocast_process_record);
}

static uint64_t topic_offset(uint32_t index)
{
  return OFFSET_OF(registry_t, topics) + (uint64_t)index * sizeof(struct agnocast_topic_record);
}

static uint64_t endpoint_offset(uint32_t index)
{
  return OFFSET_OF(registry_t, endpoints) +
         (uint64_t)index * sizeof(struct agnocast_endpoint_record);
}

static uint32_t processes_end(const registry_t* registry)
{
  return lower(load32(&registry->header.processes_end), AGNOCAST_PROCESS_CAPACITY);
}

static uint32_t topics_end(const registry_t* registry)
{
  return lower(load32(&registry->header.topics_end), AGNOCAST_TOPIC_CAPACITY);
}

static uint32_t endpoints_end(const registry_t* registry)
{
  return lower(load32(&registry->header.endpoints_end), AGNOCAST_ENDPOINT_CAPACITY);
}

static int is_live_process(const registry_t* registry, uint32_t index, uint64_t id)
{
  return index < processes_end(registry) &&
         load32(&registry->processes[index].state) == AGNOCAST_LIVE &&
         load64(&registry->processes[index].id) == id;
}

/* Whether the record keeps its slot: of a process that is live, or joining. */
static int is_taken_slot(const registry_t* registry, uint32_t index)
{
  const uint32_t state = load32(&registry->processes[index].state);

  return state == AGNOCAST_LIVE || state == AGNOCAST_JOINING;
}

static enum agnocast_ledger_status next_id(struct agnocast_ledger* ledger, uint64_t* id)
{
  *id = load64(&registry_of(ledger)->header.next_id);
  if (*id == 0 || *id == UINT64_MAX) return AGNOCAST_LEDGER_CORRUPT;
  return store64(ledger, HEADER_OFFSET(next_id), *id + 1);
}

static enum agnocast_ledger_status advance_generation(struct agnocast_ledger* ledger)
{
  return store64(ledger, HEADER_OFFSET(generation),
                 load64(&registry_of(ledger)->header.generation) + 1);
}

/* An endpoint of that kind has come, gone or changed. Of a kind that somebody has overwritten, it
 * may have been either. */
static enum agnocast_ledger_status advance_topic(struct agnocast_ledger* ledger, uint32_t topic,
                                                 uint32_t kind)
{
  const struct agnocast_topic_record* record = &registry_of(ledger)->topics[topic];

  if (kind != AGNOCAST_SUBSCRIPTION)
    TRY(store64(
      ledger, topic_offset(topic) + OFFSET_OF(struct agnocast_topic_record, publishers_generation),
      load64(&record->publishers_generation) + 1));
  if (kind == AGNOCAST_PUBLISHER) return AGNOCAST_LEDGER_OK;
  return store64(
    ledger, topic_offset(topic) + OFFSET_OF(struct agnocast_topic_record, subscriptions_generation),
    load64(&record->subscriptions_generation) + 1);
}

enum agnocast_ledger_status agnocast_ledger_check(const struct agnocast_ledger* ledger)
{
  const struct agnocast_registry_header* header = &registry_of(ledger)->header;
  const uint64_t magic = load64(&header->magic);
  const uint32_t capacity = load32(&header->process_capacity);
  const uint64_t base = load64(&header->window_base);
  const uint64_t window = load64(&header->window_bytes);
  const uint64_t slot = load64(&header->slot_bytes);

  if (magic == 0) return AGNOCAST_LEDGER_BLANK;
  if (magic != AGNOCAST_REGISTRY_MAGIC) return AGNOCAST_LEDGER_FOREIGN;
  if (load32(&header->abi_version) != AGNOCAST_ABI_VERSION ||
      load32(&header->total_bytes) != sizeof(registry_t) ||
      load32(&header->topic_capacity) != AGNOCAST_TOPIC_CAPACITY ||
      load32(&header->endpoint_capacity) != AGNOCAST_ENDPOINT_CAPACITY)
    return AGNOCAST_LEDGER_VERSION;
  if (capacity == 0 || capacity > AGNOCAST_PROCESS_CAPACITY || slot == 0 ||
      window / slot < capacity || base + window < base || (base | slot) % 4096 != 0)
    return AGNOCAST_LEDGER_CORRUPT;
  return AGNOCAST_LEDGER_OK;
}

enum agnocast_ledger_status agnocast_ledger_init(struct agnocast_ledger* ledger,
                                                 const struct agnocast_ledger_setup* setup)
{
  struct agnocast_registry_header header = {0};
  uint64_t slots;

  if (setup->slot_bytes == 0 || setup->first_id == 0) return AGNOCAST_LEDGER_BAD_ARGUMENT;
  slots = setup->window_bytes / setup->slot_bytes;
  if (slots == 0) return AGNOCAST_LEDGER_BAD_ARGUMENT;
  header.abi_version = AGNOCAST_ABI_VERSION;
  header.total_bytes = sizeof(registry_t);
  header.window_base = setup->window_base;
  header.window_bytes = setup->window_bytes;
  header.slot_bytes = setup->slot_bytes;
  header.process_capacity =
    slots < AGNOCAST_PROCESS_CAPACITY ? (uint32_t)slots : AGNOCAST_PROCESS_CAPACITY;
  header.topic_capacity = AGNOCAST_TOPIC_CAPACITY;
  header.endpoint_capacity = AGNOCAST_ENDPOINT_CAPACITY;
  header.domain = setup->domain;
  header.next_id = setup->first_id;
  header.generation = 1;
  TRY(store(ledger, 0, &header, sizeof(header)));
  return store64(ledger, HEADER_OFFSET(magic), AGNOCAST_REGISTRY_MAGIC);
}

enum agnocast_ledger_status agnocast_ledger_free_slot(const struct agnocast_ledger* ledger,
                                                      uint32_t first, uint32_t* slot)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t capacity =
    lower(load32(&registry->header.process_capacity), AGNOCAST_PROCESS_CAPACITY);
  const uint32_t end = processes_end(registry);
  uint32_t i;

  for (i = 0; i < capacity; i++) {
    const uint32_t candidate = (uint32_t)(((uint64_t)first + i) % capacity);

    /* Records beyond the mark were never written: they are free. */
    if (candidate >= end || !is_taken_slot(registry, candidate)) {
      *slot = candidate;
      return AGNOCAST_LEDGER_OK;
    }
  }
  return AGNOCAST_LEDGER_NO_PROCESS_SLOT;
}

enum agnocast_ledger_status agnocast_ledger_add_process(
  struct agnocast_ledger* ledger, uint32_t slot, const struct agnocast_ledger_process* process,
  struct agnocast_ledger_added* added)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t end = processes_end(registry);
  const uint32_t capacity =
    lower(load32(&registry->header.process_capacity), AGNOCAST_PROCESS_CAPACITY);
  struct agnocast_process_record record = {0};

  if (!is_terminated(process->name, AGNOCAST_PROCESS_NAME_BYTES) || slot >= capacity ||
      (slot < end && is_taken_slot(registry, slot)))
    return AGNOCAST_LEDGER_BAD_ARGUMENT;
  TRY(next_id(ledger, &record.id));
  record.pid = process->pid;
  record.uid = process->uid;
  record.pid_namespace = process->pid_namespace;
  copy_name(record.name, process->name, AGNOCAST_PROCESS_NAME_BYTES);
  TRY(store32(ledger, HEADER_OFFSET(next_slot), (slot + 1) % capacity));
  TRY(store(ledger, process_offset(slot), &record, sizeof(record)));
  TRY(store32(ledger, process_offset(slot) + OFFSET_OF(struct agnocast_process_record, state),
              AGNOCAST_JOINING));
  if (slot >= end) TRY(store32(ledger, HEADER_OFFSET(processes_end), slot + 1));
  added->index = slot;
  added->id = record.id;
  return AGNOCAST_LEDGER_OK;
}

enum agnocast_ledger_status agnocast_ledger_finish_process(struct agnocast_ledger* ledger,
                                                           uint32_t process, uint64_t process_id)
{
  const registry_t* registry = registry_of(ledger);

  if (process >= processes_end(registry) ||
      load32(&registry->processes[process].state) != AGNOCAST_JOINING ||
      load64(&registry->processes[process].id) != process_id)
    return AGNOCAST_LEDGER_NOT_FOUND;
  TRY(store32(ledger, process_offset(process) + OFFSET_OF(struct agnocast_process_record, state),
              AGNOCAST_LIVE));
  return advance_generation(ledger);
}

static int topic_in_use(const registry_t* registry, uint32_t topic)
{
  const uint32_t end = endpoints_end(registry);
  uint32_t i;

  for (i = 0; i < end; i++)
    if (load32(&registry->endpoints[i].state) == AGNOCAST_LIVE &&
        load32(&registry->endpoints[i].topic) == topic)
      return 1;
  return 0;
}

/* The topic's other ends learn that the endpoint of this freed record is gone. Who freed it may
 * have died before that; so it names its process until they were told. */
static enum agnocast_ledger_status tell_topic_of(struct agnocast_ledger* ledger, uint32_t index)
{
  const struct agnocast_endpoint_record* endpoint = &registry_of(ledger)->endpoints[index];
  const uint32_t topic = load32(&endpoint->topic);

  if (topic < AGNOCAST_TOPIC_CAPACITY) TRY(advance_topic(ledger, topic, load32(&endpoint->kind)));
  return store64(
    ledger, endpoint_offset(index) + OFFSET_OF(struct agnocast_endpoint_record, process_id), 0);
}

static enum agnocast_ledger_status drop_endpoint(struct agnocast_ledger* ledger, uint32_t index)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t topic = load32(&registry->endpoints[index].topic);

  TRY(store32(ledger, endpoint_offset(index) + OFFSET_OF(struct agnocast_endpoint_record, state),
              AGNOCAST_FREE));
  /* If the record was garbage, freeing it is all there is to do. */
  if (topic < AGNOCAST_TOPIC_CAPACITY && !topic_in_use(registry, topic))
    TRY(store32(ledger, topic_offset(topic) + OFFSET_OF(struct agnocast_topic_record, state),
                AGNOCAST_FREE));
  return tell_topic_of(ledger, index);
}

/* A cleaner that died half-way may have freed the endpoints and not their topics. */
static enum agnocast_ledger_status drop_unused_topics(struct agnocast_ledger* ledger)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t end = topics_end(registry);
  uint32_t i;

  for (i = 0; i < end; i++) {
    if (load32(&registry->topics[i].state) == AGNOCAST_LIVE && !topic_in_use(registry, i)) {
      TRY(store32(ledger, topic_offset(i) + OFFSET_OF(struct agnocast_topic_record, state),
                  AGNOCAST_FREE));
      TRY(advance_topic(ledger, i, AGNOCAST_PUBLISHER));
      TRY(advance_topic(ledger, i, AGNOCAST_SUBSCRIPTION));
    }
  }
  return AGNOCAST_LEDGER_OK;
}

enum agnocast_ledger_status agnocast_ledger_remove_process(struct agnocast_ledger* ledger,
                                                           uint32_t process, uint64_t process_id)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t end = endpoints_end(registry);
  uint32_t i;

  if (process >= processes_end(registry) || !is_taken_slot(registry, process) ||
      load64(&registry->processes[process].id) != process_id)
    return AGNOCAST_LEDGER_NOT_FOUND;
  for (i = 0; i < end; i++) {
    const struct agnocast_endpoint_record* endpoint = &registry->endpoints[i];

    if (load32(&endpoint->process) != process || load64(&endpoint->process_id) != process_id)
      continue;
    if (load32(&endpoint->state) == AGNOCAST_LIVE)
      TRY(drop_endpoint(ledger, i));
    else
      TRY(tell_topic_of(ledger, i));
  }
  TRY(drop_unused_topics(ledger));
  TRY(store32(ledger, process_offset(process) + OFFSET_OF(struct agnocast_process_record, state),
              AGNOCAST_FREE));
  return advance_generation(ledger);
}

static int find_topic(const registry_t* registry, const char* name, uint32_t* found)
{
  const uint32_t end = topics_end(registry);
  uint32_t i;

  for (i = 0; i < end; i++) {
    if (load32(&registry->topics[i].state) == AGNOCAST_LIVE &&
        same_name(registry->topics[i].name, name, AGNOCAST_NAME_BYTES)) {
      *found = i;
      return 1;
    }
  }
  return 0;
}

static enum agnocast_ledger_status make_topic(struct agnocast_ledger* ledger,
                                              const struct agnocast_ledger_endpoint* endpoint,
                                              uint32_t* made)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t end = topics_end(registry);
  struct agnocast_topic_record record = {0};
  uint32_t index = 0;

  while (index < end && load32(&registry->topics[index].state) == AGNOCAST_LIVE) index++;
  if (index == AGNOCAST_TOPIC_CAPACITY) return AGNOCAST_LEDGER_NO_TOPIC_SLOT;
  record.publishers_generation = load64(&registry->topics[index].publishers_generation) + 1;
  record.subscriptions_generation = load64(&registry->topics[index].subscriptions_generation) + 1;
  record.type_bytes = endpoint->type_bytes;
  record.type_alignment = endpoint->type_alignment;
  record.type_hash = endpoint->type_hash;
  copy_name(record.name, endpoint->topic, AGNOCAST_NAME_BYTES);
  copy_name(record.type_name, endpoint->type_name, AGNOCAST_NAME_BYTES);
  TRY(store(ledger, topic_offset(index), &record, sizeof(record)));
  TRY(store32(ledger, topic_offset(index) + OFFSET_OF(struct agnocast_topic_record, state),
              AGNOCAST_LIVE));
  if (index == end) TRY(store32(ledger, HEADER_OFFSET(topics_end), end + 1));
  *made = index;
  return AGNOCAST_LEDGER_OK;
}

static int is_valid_endpoint(const struct agnocast_ledger_endpoint* endpoint)
{
  return (endpoint->kind == AGNOCAST_PUBLISHER || endpoint->kind == AGNOCAST_SUBSCRIPTION) &&
         endpoint->depth != 0 && endpoint->history <= AGNOCAST_KEEP_ALL &&
         endpoint->reliability <= AGNOCAST_RELIABLE &&
         endpoint->durability <= AGNOCAST_TRANSIENT_LOCAL &&
         is_terminated(endpoint->topic, AGNOCAST_NAME_BYTES) &&
         is_terminated(endpoint->node, AGNOCAST_NAME_BYTES) &&
         is_terminated(endpoint->type_name, AGNOCAST_NAME_BYTES);
}

static enum agnocast_ledger_status topic_for(struct agnocast_ledger* ledger,
                                             const struct agnocast_ledger_endpoint* endpoint,
                                             uint32_t* topic)
{
  const struct agnocast_topic_record* found;

  if (!find_topic(registry_of(ledger), endpoint->topic, topic))
    return make_topic(ledger, endpoint, topic);
  found = &registry_of(ledger)->topics[*topic];
  /* Left by a writer that died before its endpoint: nobody uses it, so its type binds nobody. */
  if (!topic_in_use(registry_of(ledger), *topic)) {
    TRY(store32(ledger, topic_offset(*topic) + OFFSET_OF(struct agnocast_topic_record, state),
                AGNOCAST_FREE));
    return make_topic(ledger, endpoint, topic);
  }
  if (load64(&found->type_hash) != endpoint->type_hash ||
      load64(&found->type_bytes) != endpoint->type_bytes ||
      load64(&found->type_alignment) != endpoint->type_alignment)
    return AGNOCAST_LEDGER_TYPE_MISMATCH;
  return AGNOCAST_LEDGER_OK;
}

enum agnocast_ledger_status agnocast_ledger_add_endpoint(
  struct agnocast_ledger* ledger, const struct agnocast_ledger_endpoint* endpoint,
  struct agnocast_ledger_added* added)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t end = endpoints_end(registry);
  struct agnocast_endpoint_record record = {0};
  uint32_t index = 0;

  if (!is_valid_endpoint(endpoint)) return AGNOCAST_LEDGER_BAD_ARGUMENT;
  if (!is_live_process(registry, endpoint->process, endpoint->process_id))
    return AGNOCAST_LEDGER_NOT_FOUND;
  while (index < end && load32(&registry->endpoints[index].state) == AGNOCAST_LIVE) index++;
  if (index == AGNOCAST_ENDPOINT_CAPACITY) return AGNOCAST_LEDGER_NO_ENDPOINT_SLOT;
  TRY(topic_for(ledger, endpoint, &added->topic));
  TRY(next_id(ledger, &record.id));
  record.kind = endpoint->kind;
  record.process_id = endpoint->process_id;
  record.process = endpoint->process;
  record.topic = added->topic;
  record.control_offset = endpoint->control_offset;
  record.depth = endpoint->depth;
  record.history = endpoint->history;
  record.reliability = endpoint->reliability;
  record.durability = endpoint->durability;
  copy_name(record.node, endpoint->node, AGNOCAST_NAME_BYTES);
  if (index < end && load64(&registry->endpoints[index].process_id) != 0)
    TRY(tell_topic_of(ledger, index));
  TRY(store(ledger, endpoint_offset(index), &record, sizeof(record)));
  TRY(store32(ledger, endpoint_offset(index) + OFFSET_OF(struct agnocast_endpoint_record, state),
              AGNOCAST_LIVE));
  if (index == end) TRY(store32(ledger, HEADER_OFFSET(endpoints_end), end + 1));
  added->index = index;
  added->id = record.id;
  TRY(advance_topic(ledger, added->topic, endpoint->kind));
  return advance_generation(ledger);
}

static int is_live_endpoint(const registry_t* registry, uint32_t index, uint64_t id)
{
  return index < endpoints_end(registry) &&
         load32(&registry->endpoints[index].state) == AGNOCAST_LIVE &&
         load64(&registry->endpoints[index].id) == id;
}

enum agnocast_ledger_status agnocast_ledger_close_endpoint(struct agnocast_ledger* ledger,
                                                           uint32_t endpoint, uint64_t id)
{
  const registry_t* registry = registry_of(ledger);
  uint32_t topic;

  if (!is_live_endpoint(registry, endpoint, id)) return AGNOCAST_LEDGER_NOT_FOUND;
  topic = load32(&registry->endpoints[endpoint].topic);
  if (topic >= AGNOCAST_TOPIC_CAPACITY) return AGNOCAST_LEDGER_CORRUPT;
  TRY(store32(ledger, endpoint_offset(endpoint) + OFFSET_OF(struct agnocast_endpoint_record, depth),
              0));
  TRY(advance_topic(ledger, topic, load32(&registry->endpoints[endpoint].kind)));
  return advance_generation(ledger);
}

enum agnocast_ledger_status agnocast_ledger_remove_endpoint(struct agnocast_ledger* ledger,
                                                            uint32_t endpoint, uint64_t id)
{
  if (!is_live_endpoint(registry_of(ledger), endpoint, id)) return AGNOCAST_LEDGER_NOT_FOUND;
  TRY(drop_endpoint(ledger, endpoint));
  return advance_generation(ledger);
}

uint32_t agnocast_ledger_process_count(const struct agnocast_ledger* ledger)
{
  const registry_t* registry = registry_of(ledger);
  const uint32_t end = processes_end(registry);
  uint32_t count = 0;
  uint32_t i;

  for (i = 0; i < end; i++) count += (uint32_t)is_taken_slot(registry, i);
  return count;
}

static const char* audit_endpoint(const registry_t* registry, uint32_t index)
{
  const struct agnocast_endpoint_record* endpoint = &registry->endpoints[index];
  const uint32_t topic = load32(&endpoint->topic);

  if (load64(&endpoint->id) == 0 || load64(&endpoint->id) >= load64(&registry->header.next_id))
    return "an endpoint has an id that was never given out";
  if (!is_live_process(registry, load32(&endpoint->process), load64(&endpoint->process_id)))
    return "an endpoint names a process that is not there";
  if (topic >= topics_end(registry) || load32(&registry->topics[topic].state) != AGNOCAST_LIVE)
    return "an endpoint names a topic that is not there";
  if (load32(&endpoint->kind) != AGNOCAST_PUBLISHER &&
      load32(&endpoint->kind) != AGNOCAST_SUBSCRIPTION)
    return "an endpoint is neither publisher nor subscription";
  if (!is_terminated(endpoint->node, AGNOCAST_NAME_BYTES))
    return "a node name is empty or has no end";
  return NULL;
}

const char* agnocast_ledger_audit(const struct agnocast_ledger* ledger)
{
  const registry_t* registry = registry_of(ledger);
  uint32_t i;
  uint32_t j;

  if (agnocast_ledger_check(ledger) != AGNOCAST_LEDGER_OK) return "the header cannot be believed";
  for (i = 0; i < endpoints_end(registry); i++) {
    if (load32(&registry->endpoints[i].state) == AGNOCAST_LIVE) {
      const char* violation = audit_endpoint(registry, i);

      if (violation != NULL) return violation;
    }
  }
  for (i = 0; i < topics_end(registry); i++) {
    if (load32(&registry->topics[i].state) != AGNOCAST_LIVE) continue;
    if (!is_terminated(registry->topics[i].name, AGNOCAST_NAME_BYTES))
      return "a topic name is empty or has no end";
    if (!topic_in_use(registry, i)) return "a topic is live and nobody uses it";
    for (j = 0; j < i; j++)
      if (load32(&registry->topics[j].state) == AGNOCAST_LIVE &&
          same_name(registry->topics[i].name, registry->topics[j].name, AGNOCAST_NAME_BYTES))
        return "two live topics have the same name";
  }
  return NULL;
}
