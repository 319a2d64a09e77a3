/* Who waits for whom: the adapters' channels and the pool's queue. docs/spec/hal.md, section 4.
 *
 * Invariants: a request is in an adapter's queue, in the pool's queue, or in none, as its
 * [waiting] says; one that is in the pool's queue owns its adapter's channel; a queue is only
 * empty-handed for want of what its head asks. Neither a drain nor the run of an adapter's queue
 * is re-entered: the outer one goes on. */
#include "device.h"
#include "hal.h"

static void queue_append(request_queue *queue, hal_request *request) {
    request->next = NULL;
    request->previous = queue->last;
    if (queue->last == NULL) {
        queue->first = request;
    } else {
        queue->last->next = request;
    }
    queue->last = request;
}

static void queue_remove(request_queue *queue, hal_request *request) {
    if (request->previous == NULL) {
        queue->first = request->next;
    } else {
        request->previous->next = request->next;
    }
    if (request->next == NULL) {
        queue->last = request->previous;
    } else {
        request->next->previous = request->previous;
    }
    request->next = NULL;
    request->previous = NULL;
}

void channel_keep(wdfdma_machine *machine, hal_request *granted,
                  void (*look)(wdfdma_machine *machine, hal_request *kept)) {
    queue_append(&hal_of(machine)->kept, granted);
    hal_of(machine)->kept_look = look;
}

void channel_drop(wdfdma_machine *machine, hal_request *kept) {
    queue_remove(&hal_of(machine)->kept, kept);
}

/* O(requests that are kept). */
static void kept_look(wdfdma_machine *machine) {
    hal_request *at = hal_of(machine)->kept.first;
    while (at != NULL && !machine->state.halted) {
        hal_request *next = at->next;
        hal_of(machine)->kept_look(machine, at);
        at = next;
    }
}

NO_INLINE static void wait_for_channel(wdfdma_machine *machine, hal_request *request) {
    adapter *by = request->adapter;
    request->waiting = WDFDMA_WAITING_CHANNEL;
    queue_append(&by->queue, request);
    by->waiting++;
    machine->state.waiting_channel++;
    kept_look(machine);
}

NO_INLINE static void wait_for_registers(wdfdma_machine *machine, hal_request *request) {
    request->waiting = WDFDMA_WAITING_POOL;
    queue_append(&hal_of(machine)->pool.queue, request);
    machine->state.waiting_pool++;
    kept_look(machine);
}

static void wait_ends(wdfdma_machine *machine, hal_request *request) {
    if (request->waiting == WDFDMA_WAITING_CHANNEL) {
        queue_remove(&request->adapter->queue, request);
        request->adapter->waiting--;
        machine->state.waiting_channel--;
    } else {
        queue_remove(&hal_of(machine)->pool.queue, request);
        machine->state.waiting_pool--;
    }
    request->waiting = WDFDMA_WAITING_NOT;
}

static bool request_take_run(wdfdma_machine *machine, hal_request *request) {
    adapter *by = request->adapter;
    if (!pool_take(machine, by, request->count, &request->base)) {
        return false;
    }
    by->registers_held += request->count;
    return true;
}

static bool request_take(wdfdma_machine *machine, hal_request *request) {
    if (!request->adapter->needs_registers || request->count == 0) {
        request->base = NO_REGISTER;
        return true;
    }
    pool *of = &hal_of(machine)->pool;
    if (of->queue.first != NULL) {
        return false;
    }
    if (fault_hits(machine, WDFDMA_FAULT_GRANT)) {
        of->denied = request;
        return false;
    }
    return request_take_run(machine, request);
}

static void channel_own(hal_request *request) {
    request->adapter->channel = request;
    request->adapter->ownerships++;
}

bool channel_take_here(wdfdma_machine *machine, adapter *by, hal_request *request, uint32_t count,
                       uint32_t *base) {
    *base = NO_REGISTER;
    if (UNLIKELY(by->channel != NULL)) {
        return false;
    }
    if (by->needs_registers && LIKELY(count != 0)) {
        if (UNLIKELY(hal_of(machine)->pool.queue.first != NULL) ||
            UNLIKELY(!pool_take_here(machine, by, count, base))) {
            return false;
        }
        by->registers_held += count;
    }
    request->adapter = by;
    by->channel_base = *base;
    by->channel_count = *base == NO_REGISTER ? 0 : count;
    channel_own(request);
    return true;
}

static inline void request_deliver(wdfdma_machine *machine, hal_request *request,
                                   hal_routine routine) {
    adapter *by = request->adapter;
    uint32_t base = request->base;
    uint32_t count = base == NO_REGISTER ? 0 : request->count;
    by->channel_base = base;
    by->channel_count = count;
    IO_ALLOCATION_ACTION action = routine(machine, request);
    if (UNLIKELY(machine->state.halted) || action == KeepObject) {
        return;
    }
    if (action == DeallocateObject && count != 0) {
        registers_free(machine, by, base, count);
        if (UNLIKELY(machine->state.halted)) {
            return;
        }
    }
    channel_release(machine, by);
}

NO_INLINE static void adapter_run_queue(wdfdma_machine *machine, adapter *by) {
    if (by->running) {
        return;
    }
    by->running = true;
    while (by->queue.first != NULL && by->channel == NULL && !machine->state.halted) {
        hal_request *request = by->queue.first;
        wait_ends(machine, request);
        channel_own(request);
        if (!request_take(machine, request)) {
            wait_for_registers(machine, request);
            break;
        }
        request_deliver(machine, request, request->routine);
    }
    by->running = false;
}

void channel_release(wdfdma_machine *machine, adapter *by) {
    channel_disown(by);
    if (by->queue.first != NULL) {
        adapter_run_queue(machine, by);
    }
}

NO_INLINE static void pool_drain(wdfdma_machine *machine) {
    pool *of = &hal_of(machine)->pool;
    if (of->draining) {
        return;
    }
    of->draining = true;
    of->denied = NULL;
    while (of->queue.first != NULL && !machine->state.halted) {
        hal_request *request = of->queue.first;
        if (!request_take_run(machine, request)) {
            break;
        }
        wait_ends(machine, request);
        request_deliver(machine, request, request->routine);
    }
    of->draining = false;
}

NTSTATUS channel_allocate(wdfdma_machine *machine, hal_request *request, hal_routine routine,
                          bool synchronous) {
    adapter *by = request->adapter;
    if (by->needs_registers && request->count > by->map_registers) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    bool owned = by->channel != NULL;
    if (!owned && request_take(machine, request)) {
        channel_own(request);
        request_deliver(machine, request, routine);
    } else if (synchronous) {
        return STATUS_INSUFFICIENT_RESOURCES;
    } else if (owned) {
        wait_for_channel(machine, request);
    } else {
        channel_own(request);
        wait_for_registers(machine, request);
    }
    return STATUS_SUCCESS;
}

bool registers_put_here(wdfdma_machine *machine, adapter *from, uint32_t base, uint32_t count) {
    if (UNLIKELY(hal_of(machine)->pool.queue.first != NULL) || UNLIKELY(count == 0) ||
        UNLIKELY(pool_get_held(machine, from, base) != count) ||
        UNLIKELY(!pool_put_here(machine, base, count))) {
        return false;
    }
    from->registers_held -= count;
    return true;
}

/* A run that is not held, or not with this length: parameter 2 is how many registers too many are
 * freed. */
COLD static void registers_bugcheck(wdfdma_machine *machine, const adapter *from, uint32_t base,
                                    uint32_t count) {
    uint32_t held = pool_get_held(machine, from, base);
    uint64_t extra = held < count ? count - held : count;
    verifier_dma_violation(machine, WDFDMA_RULE_DMA_05, extra, base, held, &from->head);
}

bool registers_are_held(wdfdma_machine *machine, adapter *from, uint32_t base, uint32_t count) {
    if (count != 0 && pool_get_held(machine, from, base) == count) {
        return true;
    }
    registers_bugcheck(machine, from, base, count);
    return false;
}

void registers_free(wdfdma_machine *machine, adapter *from, uint32_t base, uint32_t count) {
    if (!registers_are_held(machine, from, base, count)) {
        return;
    }
    from->registers_held -= count;
    device_note_freed(machine, base, count);
    pool_put(machine, base, count);
    if (hal_of(machine)->pool.queue.first != NULL) {
        pool_drain(machine);
    }
}

/* The registers go first; what they let through may have freed the channel by the time they are
 * gone. */
bool channel_free(wdfdma_machine *machine, adapter *from) {
    uint32_t ownership = from->ownerships;
    uint32_t count = from->channel_count;
    if (count != 0 && !registers_are_held(machine, from, from->channel_base, count)) {
        return false;
    }
    from->channel_count = 0;
    if (count != 0) {
        registers_free(machine, from, from->channel_base, count);
    }
    if (machine->state.halted) {
        return true;
    }
    if (from->channel == NULL || from->ownerships != ownership) {
        verifier_rule(machine, WDFDMA_RULE_CHANNEL_NOT_OWNED, &from->head);
        return true;
    }
    channel_release(machine, from);
    return true;
}

void channel_lose(adapter *by) {
    by->channel = &by->lost;
}

bool channel_cancel(wdfdma_machine *machine, hal_request *request) {
    uint32_t waiting = request->waiting;
    if (waiting == WDFDMA_WAITING_NOT) {
        return false;
    }
    adapter *by = request->adapter;
    wait_ends(machine, request);
    if (waiting == WDFDMA_WAITING_POOL) {
        channel_release(machine, by);
        pool_drain(machine);
    }
    return true;
}

static bool queue_check(const request_queue *queue, uint32_t waiting, uint32_t length,
                        wdfdma_check_failure *out) {
    uint32_t count = 0;
    const hal_request *previous = NULL;
    for (const hal_request *at = queue->first; at != NULL; at = at->next) {
        if (at->previous != previous || at->waiting != waiting) {
            return check_fail(out, "a queue is linked both ways, and its requests know it", count,
                              waiting, at->waiting);
        }
        if (waiting == WDFDMA_WAITING_POOL && at->adapter->channel != at) {
            return check_fail(out, "who waits for registers owns its channel",
                              at->adapter->head.label, 1, 0);
        }
        previous = at;
        count++;
    }
    return (queue->last == previous && count == length) ||
           check_fail(out, "a queue has its length", waiting, length, count);
}

static bool adapter_check(const wdfdma_machine *machine, const adapter *by,
                          wdfdma_check_failure *out) {
    if (!queue_check(&by->queue, WDFDMA_WAITING_CHANNEL, by->waiting, out)) {
        return false;
    }
    /* A halt leaves the run of a queue where it was. */
    bool served = by->waiting == 0 || by->channel != NULL || by->running || machine->state.halted;
    return served || check_fail(out, "nobody waits for a channel that is free", by->head.label, 0,
                                by->waiting);
}

/* At rest, the head of the pool's queue finds no run, or a fault denied it one; in a drain, or on a
 * halted machine, it may not have been asked yet. */
static bool head_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    const pool *of = &hal_of(machine)->pool;
    uint32_t longest = 0;
    uint32_t run = 0;
    if (of->queue.first == NULL || of->queue.first == of->denied || of->draining ||
        machine->state.depth != 0 || machine->state.halted) {
        return true;
    }
    for (uint32_t index = 0; index < machine->config.map_registers; index++) {
        run = (of->held[index / 64] >> (index % 64)) & 1 ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest < of->queue.first->count ||
           check_fail(out, "nobody waits for registers who could be served", 0,
                      of->queue.first->count, longest);
}

static bool kept_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    uint32_t count = 0;
    for (const hal_request *at = hal_of(machine)->kept.first; at != NULL; at = at->next) {
        count++;
    }
    return queue_check(&hal_of(machine)->kept, WDFDMA_WAITING_NOT, count, out);
}

bool channel_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    uint32_t held = 0;
    uint32_t waiting = 0;
    const region *objects = &machine->regions[REGION_OBJECTS];
    for (size_t unit = 0; unit < objects->used_bytes / OBJECT_UNIT_BYTES; unit++) {
        const adapter *by =
            (const adapter *)object_at(machine, (uint32_t)unit, WDFDMA_OBJECT_ADAPTER);
        if (by == NULL) {
            continue;
        }
        if (!adapter_check(machine, by, out)) {
            return false;
        }
        held += by->registers_held;
        waiting += by->waiting;
    }
    if (held != machine->config.map_registers - machine->state.free_registers) {
        return check_fail(out, "every register held is held by an adapter", 0,
                          machine->config.map_registers - machine->state.free_registers, held);
    }
    if (waiting != machine->state.waiting_channel) {
        return check_fail(out, "every request that waits for a channel is in a queue", 0,
                          machine->state.waiting_channel, waiting);
    }
    return queue_check(&hal_of(machine)->pool.queue, WDFDMA_WAITING_POOL,
                       machine->state.waiting_pool, out) &&
           kept_check(machine, out) && head_check(machine, out);
}
