/* What coverage meets: calls as they begin and end, callbacks as they are made. Nothing here is asked where
 * the machine's attention does not say so. */
#ifndef WDFDMA_FRAMEWORK_COVERAGE_H
#define WDFDMA_FRAMEWORK_COVERAGE_H

#include "framework.h"
#include "verifier/coverage.h"

/* A call in progress, as it was met. */
typedef struct coverage_frame {
    const ddi_call *call;
    uint64_t handle; /* of the object concerned, or 0 */
    uint64_t transferred;
    uint64_t fragment;
    uint64_t answer;     /* a status or a boolean, as the call gives it */
    uint32_t violations; /* there were so many */
    uint32_t depth;      /* of callbacks around it */
    uint32_t waiting;    /* requests, before it */
    uint32_t others;     /* callbacks of other transactions' made in it */
    uint32_t type;       /* wdfdma_object_type */
    uint8_t standing;    /* coverage_standing */
    uint8_t asked;       /* wdfdma_waiting: its own request, before it */
    uint8_t event;    /* wdfdma_event: of its own callback that the call is made in, or the count */
    bool called_back; /* the transaction itself */
    bool holds_request;
} coverage_frame;

/* A request that waits, or that waited and is not known to have been granted yet. */
typedef struct coverage_wait {
    uint64_t handle; /* 0: none */
    uint32_t behind; /* so many in its queue */
} coverage_wait;

enum {
    WATCHED_WAITS = 64
};

struct coverage_watch {
    wdfdma_coverage *map;
    coverage_frame *frames; /* [count] of them in progress */
    uint32_t count;
    uint32_t capacity;
    coverage_wait
        waits[WATCHED_WAITS]; /* by handle, modulo the length: a newer one takes the place */
};

/* coverage.c */
COLD void coverage_begin_slow(const ddi_call *call, const object *of);
COLD void callback_tell_slow(wdfdma_machine *machine, const transaction *item, wdfdma_event event);
COLD void coverage_answer_slow(const wdfdma_machine *machine, uint64_t answer);
void coverage_count_call(wdfdma_machine *machine, const ddi_call *call);
void coverage_end(wdfdma_machine *machine);
/* Where its request waits, whichever it has. */
uint32_t transaction_get_waiting(const transaction *item);

static inline bool coverage_is_on(const wdfdma_machine *machine) {
    return UNLIKELY((machine->attention & ATTENTION_COVERAGE) != 0);
}
/* A call begins that concerns [of], which may be NULL. */
static inline void coverage_begin(const ddi_call *call, const object *of) {
    if (coverage_is_on(call->machine)) {
        coverage_begin_slow(call, of);
    }
}
/* What the call in progress is about to return. */
static inline void coverage_answer(const wdfdma_machine *machine, uint64_t answer) {
    if (coverage_is_on(machine)) {
        coverage_answer_slow(machine, answer);
    }
}
static inline void coverage_goal(const wdfdma_machine *machine, coverage_goal_id goal) {
    if (coverage_is_on(machine)) {
        coverage_reach_goal(machine->arena.coverage->map, goal);
    }
}
/* A callback is about to be made: the journal and coverage hear of it. */
static inline void callback_tell(wdfdma_machine *machine, const transaction *item,
                                 wdfdma_event event) {
    if (UNLIKELY((machine->attention & (ATTENTION_JOURNAL | ATTENTION_COVERAGE)) != 0)) {
        callback_tell_slow(machine, item, event);
    }
}

/* coverage_goals.c */
/* The goals that a call reaches which ends with [outcome]; [item] is its transaction, or NULL. */
void goals_of_call(wdfdma_machine *machine, const coverage_frame *frame, const transaction *item,
                   coverage_operation operation, coverage_outcome outcome);
/* The goals that a callback reaches before it is made. [waited]: what is known of its wait, or NULL.
 * [within]: the call that it is made in, or NULL. */
void goals_of_callback(wdfdma_machine *machine, const transaction *item, wdfdma_event event,
                       const coverage_wait *waited, const coverage_frame *within);

#endif
