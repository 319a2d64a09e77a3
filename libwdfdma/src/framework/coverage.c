/* How a call met its transaction, and what came of it.
 *
 * A call that enters while coverage is on leaves a frame, and takes it away when it ends. Not every call
 * enters so: a frame is known by its call, which lives as long as it. */
#include "coverage.h"

#include <stdlib.h>
#include <string.h>

enum {
    FEWEST_FRAMES = 16
};

uint32_t transaction_get_waiting(const transaction *item) {
    uint32_t waiting = item->hal.packet.request.waiting;
    if (item->is_scatter_gather && waiting == WDFDMA_WAITING_NOT &&
        item->hal.gather.extras != NULL) {
        return item->hal.gather.extras->request.request.waiting;
    }
    return waiting;
}

/* Standings */

static coverage_standing reserved_get_standing(uint32_t waiting) {
    switch (waiting) {
    case WDFDMA_WAITING_CHANNEL:
        return STANDING_RESERVED_CHANNEL;
    case WDFDMA_WAITING_POOL:
        return STANDING_RESERVED_REGISTERS;
    default:
        return STANDING_RESERVED;
    }
}

static coverage_standing transfer_get_standing(const transaction *item, uint32_t waiting) {
    if (waiting == WDFDMA_WAITING_NOT) {
        return item->reserved != 0 ? STANDING_TRANSFER_HELD : STANDING_TRANSFER;
    }
    if (item->is_scatter_gather) {
        return STANDING_TRANSFER_LIST;
    }
    if (item->reserved != 0) {
        return STANDING_DISTURBED;
    }
    return waiting == WDFDMA_WAITING_POOL ? STANDING_TRANSFER_REGISTERS : STANDING_TRANSFER_CHANNEL;
}

static coverage_standing transaction_get_standing(const transaction *item) {
    /* Each followed by the one with a reservation. */
    static const uint8_t by_state[] = {
        [WDFDMA_STATE_CREATED] = STANDING_CREATED,
        [WDFDMA_STATE_INITIALIZED] = STANDING_INITIALIZED,
        [WDFDMA_STATE_TRANSFER_COMPLETED] = STANDING_COMPLETED,
        [WDFDMA_STATE_TRANSFER_FAILED] = STANDING_FAILED,
        [WDFDMA_STATE_RELEASED] = STANDING_RELEASED,
        [WDFDMA_STATE_DELETED] = STANDING_DELETED,
    };
    uint32_t waiting = transaction_get_waiting(item);
    if (item->base.head.kind == KIND_DELETED || item->state == WDFDMA_STATE_DELETED) {
        return STANDING_DELETED;
    }
    if (item->state == WDFDMA_STATE_RESERVED) {
        return reserved_get_standing(waiting);
    }
    if (item->state == WDFDMA_STATE_TRANSFER) {
        return transfer_get_standing(item, waiting);
    }
    if (waiting != WDFDMA_WAITING_NOT) {
        return STANDING_DISTURBED;
    }
    bool held = item->reserved != 0 && item->state != WDFDMA_STATE_CREATED;
    return (coverage_standing)(by_state[item->state] + held);
}

static coverage_standing object_get_standing(const object *of) {
    return of != NULL && of->type == WDFDMA_OBJECT_TRANSACTION
               ? transaction_get_standing((const transaction *)of)
               : STANDING_NONE;
}

/* Frames */

static bool frames_grow(struct coverage_watch *watch) {
    uint32_t capacity = watch->capacity == 0 ? FEWEST_FRAMES : 2 * watch->capacity;
    coverage_frame *grown = realloc(watch->frames, capacity * sizeof *grown);
    if (grown != NULL) {
        watch->frames = grown;
        watch->capacity = capacity;
    }
    return grown != NULL;
}

/* The callback of the transaction's own that is the innermost one; at the call's end both may be gone. */
static uint8_t own_event_find(const wdfdma_machine *machine, uint64_t handle) {
    if (machine->state.depth == 0) {
        return WDFDMA_EVENT_COUNT;
    }
    uint32_t at = (machine->state.depth - 1) % (2 * WDFDMA_VIOLATION_FRAMES);
    callback_entry entry = machine->callbacks[at];
    bool own = (uint32_t)entry == (uint32_t)handle && entry >> 32 < WDFDMA_EVENT_COUNT;
    return own ? (uint8_t)(entry >> 32) : WDFDMA_EVENT_COUNT;
}

static void frame_fill_transaction(const wdfdma_machine *machine, coverage_frame *frame,
                                   const transaction *item) {
    frame->event = own_event_find(machine, frame->handle);
    frame->transferred = item->transferred;
    frame->fragment = item->fragment;
    frame->asked = (uint8_t)transaction_get_waiting(item);
    frame->holds_request = item->request != 0;
}

void coverage_begin_slow(const ddi_call *call, const object *of) {
    const wdfdma_machine *machine = call->machine;
    struct coverage_watch *watch = machine->arena.coverage;
    WDFDMA_ASSERT(call->outer_op != WDFDMA_OP_NONE || watch->count == 0);
    if (watch->count == watch->capacity && !frames_grow(watch)) {
        return;
    }
    coverage_frame *frame = &watch->frames[watch->count++];
    *frame =
        (coverage_frame){.call = call,
                         .handle = of == NULL ? 0 : of->handle,
                         .type = of == NULL ? 0 : of->type,
                         .violations = machine->violations.count,
                         .depth = machine->state.depth,
                         .waiting = machine->state.waiting_pool + machine->state.waiting_channel,
                         .standing = (uint8_t)object_get_standing(of)};
    if (frame->type == WDFDMA_OBJECT_TRANSACTION) {
        frame_fill_transaction(machine, frame, (const transaction *)of);
    }
}

static coverage_frame *frame_get_innermost(const struct coverage_watch *watch) {
    return watch->count == 0 ? NULL : &watch->frames[watch->count - 1];
}

void coverage_answer_slow(const wdfdma_machine *machine, uint64_t answer) {
    coverage_frame *frame = frame_get_innermost(machine->arena.coverage);
    if (frame != NULL) {
        frame->answer = answer;
    }
}

/* Outcomes */

/* What the call itself has broken, its callbacks apart: OUTCOME_COUNT for nothing, or only advice. */
static coverage_outcome broken_find(const wdfdma_machine *machine, const coverage_frame *frame) {
    const violation_list *list = &machine->violations;
    uint32_t first = frame->violations <= list->count ? frame->violations : 0;
    coverage_outcome found = OUTCOME_COUNT;
    for (uint32_t i = first; i < list->count; i++) {
        const wdfdma_violation *at = &list->records[i];
        const wdfdma_rule_info *info = verifier_get_rule((wdfdma_rule)at->rule);
        if (at->depth != frame->depth) {
            continue;
        }
        if (at->rule == WDFDMA_RULE_VERIFIER_BREAK) {
            found = OUTCOME_BREAK;
        } else if (info->severity != WDFDMA_SEVERITY_ADVICE) {
            return at->code == WDFDMA_BUGCHECK_WDFDMA_VIOLATION ? OUTCOME_RULE : OUTCOME_BUGCHECK;
        }
    }
    return found;
}

static coverage_outcome success_get_outcome(const coverage_frame *frame, const transaction *item) {
    if (frame->called_back) {
        return OUTCOME_SUCCESS_CALLBACK;
    }
    if (item != NULL && transaction_get_waiting(item) != WDFDMA_WAITING_NOT) {
        return OUTCOME_SUCCESS_WAITS;
    }
    return frame->others != 0 ? OUTCOME_SUCCESS_OTHERS : OUTCOME_SUCCESS;
}

static coverage_outcome more_get_outcome(const coverage_frame *frame, const transaction *item) {
    if (frame->called_back) {
        return OUTCOME_MORE_CALLBACK;
    }
    bool waits = item != NULL && transaction_get_waiting(item) != WDFDMA_WAITING_NOT;
    return waits ? OUTCOME_MORE_WAITS : OUTCOME_MORE;
}

static coverage_outcome status_get_outcome(const coverage_frame *frame, const transaction *item) {
    switch ((NTSTATUS)frame->answer) {
    case STATUS_SUCCESS:
        return success_get_outcome(frame, item);
    case STATUS_MORE_PROCESSING_REQUIRED:
        return more_get_outcome(frame, item);
    case STATUS_CANCELLED:
        return OUTCOME_CANCELLED;
    case STATUS_INSUFFICIENT_RESOURCES:
        return OUTCOME_INSUFFICIENT_RESOURCES;
    case STATUS_WDF_TOO_FRAGMENTED:
        return OUTCOME_TOO_FRAGMENTED;
    case STATUS_WDF_TOO_MANY_TRANSFERS:
        return OUTCOME_TOO_MANY_TRANSFERS;
    case STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS:
        return OUTCOME_NOT_ENOUGH_MAP_REGISTERS;
    case STATUS_WDF_BUSY:
        return OUTCOME_BUSY;
    case STATUS_INVALID_PARAMETER:
        return OUTCOME_INVALID_PARAMETER;
    case STATUS_INVALID_DEVICE_REQUEST:
        return OUTCOME_INVALID_DEVICE_REQUEST;
    case STATUS_BUFFER_TOO_SMALL:
        return OUTCOME_BUFFER_TOO_SMALL;
    default:
        return OUTCOME_OTHER;
    }
}

static coverage_outcome call_get_outcome(const wdfdma_machine *machine, const coverage_frame *frame,
                                         const transaction *item, answer_kind kind) {
    coverage_outcome broken = broken_find(machine, frame);
    if (broken != OUTCOME_COUNT || machine->state.halted) {
        return broken != OUTCOME_COUNT ? broken : OUTCOME_HALTED;
    }
    if (kind == ANSWERS_STATUS) {
        return status_get_outcome(frame, item);
    }
    if (kind == ANSWERS_NOTHING) {
        return frame->others != 0 ? OUTCOME_RETURNED_OTHERS : OUTCOME_RETURNED;
    }
    if (frame->answer == 0) {
        return OUTCOME_FALSE;
    }
    return frame->others != 0 ? OUTCOME_TRUE_OTHERS : OUTCOME_TRUE;
}

/* Waits */

static coverage_wait *wait_get_place(struct coverage_watch *watch, uint64_t handle) {
    return &watch->waits[handle % WATCHED_WAITS];
}

/* Whose queue a request waits in: the transaction may have another adapter by then, or none. */
static const adapter *wait_get_adapter(const transaction *item) {
    const hal_request *own = &item->hal.packet.request;
    return own->waiting != WDFDMA_WAITING_NOT ? own->adapter
                                              : item->hal.gather.extras->request.request.adapter;
}

/* A request that came to wait in the call that ends. */
static void wait_note(wdfdma_machine *machine, const coverage_frame *frame,
                      const transaction *item) {
    uint32_t waiting = transaction_get_waiting(item);
    if (waiting != WDFDMA_WAITING_NOT && frame->asked == WDFDMA_WAITING_NOT) {
        uint32_t queued = waiting == WDFDMA_WAITING_POOL ? machine->state.waiting_pool
                                                         : wait_get_adapter(item)->waiting;
        WDFDMA_ASSERT(queued != 0);
        *wait_get_place(machine->arena.coverage, frame->handle) =
            (coverage_wait){frame->handle, queued - 1};
    }
}

static void frame_count(wdfdma_machine *machine, const coverage_frame *frame) {
    coverage_operation operation = coverage_find_operation(machine->state.op);
    object *found = object_find(machine, frame->handle);
    bool lives = found != NULL && found->type == WDFDMA_OBJECT_TRANSACTION && found->kind == 0;
    const transaction *item = lives ? (const transaction *)found : NULL;
    if (operation == COVERED_COUNT ||
        (operation == COVERED_DELETE && frame->type != WDFDMA_OBJECT_TRANSACTION)) {
        return;
    }
    coverage_outcome outcome =
        call_get_outcome(machine, frame, item, coverage_get_operation(operation)->kind);
    bool concerns_enabler = operation == COVERED_CREATE || operation == COVERED_COMPLETE_TRANSFER;
    coverage_count(machine->arena.coverage->map, operation,
                   concerns_enabler ? STANDING_NONE : (coverage_standing)frame->standing, outcome);
    goals_of_call(machine, frame, item, operation, outcome);
    if (item != NULL) {
        wait_note(machine, frame, item);
    }
}

void coverage_count_call(wdfdma_machine *machine, const ddi_call *call) {
    struct coverage_watch *watch = machine->arena.coverage;
    if (call == NULL) {
        watch->count = 0;
        memset(watch->waits, 0, sizeof watch->waits);
        return;
    }
    coverage_frame *frame = frame_get_innermost(watch);
    if (frame != NULL && frame->call == call) {
        watch->count--;
        frame_count(machine, frame);
    }
}

/* Callbacks */

static coverage_outcome callback_get_outcome(const wdfdma_machine *machine,
                                             const coverage_frame *within, uint64_t handle) {
    if (machine->state.op == WDFDMA_OP_COMPLETE_TRANSFER) {
        return OUTCOME_BY_DEVICE;
    }
    bool own =
        within != NULL && within->handle == handle && machine->state.op != WDFDMA_OP_ADAPTER_CALL;
    return own ? OUTCOME_IN_OWN_CALL : OUTCOME_IN_OTHER_CALL;
}

static void callback_count(wdfdma_machine *machine, const transaction *item, wdfdma_event event) {
    struct coverage_watch *watch = machine->arena.coverage;
    uint64_t handle = item->base.head.handle;
    coverage_frame *within = frame_get_innermost(watch);
    coverage_wait *place = wait_get_place(watch, handle);
    coverage_count(watch->map, coverage_find_operation(CALLBACK_OPS + event),
                   transaction_get_standing(item), callback_get_outcome(machine, within, handle));
    goals_of_callback(machine, item, event, place->handle == handle ? place : NULL, within);
    if (place->handle == handle) {
        *place = (coverage_wait){0};
    }
    if (within != NULL) {
        within->called_back = within->called_back || within->handle == handle;
        within->others += within->handle != handle;
    }
}

void callback_tell_slow(wdfdma_machine *machine, const transaction *item, wdfdma_event event) {
    journal_mark(machine, WDFDMA_JOURNAL_ENTER, event, item->base.head.label);
    if (coverage_is_on(machine)) {
        callback_count(machine, item, event);
    }
}

/* On and off */

static void watch_free(struct coverage_watch *watch) {
    if (watch != NULL) {
        wdfdma_coverage_destroy(watch->map);
        free(watch->frames);
        free(watch);
    }
}

void coverage_end(wdfdma_machine *machine) {
    struct coverage_watch *gone = machine->arena.coverage;
    machine->arena.coverage = NULL;
    machine->attention &= ~(uint32_t)ATTENTION_COVERAGE;
    watch_free(gone);
}

NTSTATUS wdfdma_machine_set_coverage(wdfdma_machine *machine, wdfdma_coverage *coverage) {
    if (machine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.op != WDFDMA_OP_NONE || machine->state.depth != 0) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if (coverage != NULL && machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    struct coverage_watch *made = coverage == NULL ? NULL : calloc(1, sizeof *made);
    if (coverage != NULL && made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (made != NULL) {
        coverage_keep(coverage);
        made->map = coverage;
    }
    coverage_end(machine);
    machine->arena.coverage = made;
    machine->attention |= made != NULL ? ATTENTION_COVERAGE : 0;
    return STATUS_SUCCESS;
}

wdfdma_coverage *wdfdma_machine_get_coverage(const wdfdma_machine *machine) {
    const struct coverage_watch *watch = machine == NULL ? NULL : machine->arena.coverage;
    return watch == NULL ? NULL : watch->map;
}

void wdfdma_sometimes(wdfdma_machine *machine, const char *name, bool condition) {
    const size_t longest = 100;
    if (machine == NULL || name == NULL || !coverage_is_on(machine)) {
        return;
    }
    size_t length = strlen(name);
    if (length != 0 && length <= longest) {
        coverage_add_sometimes(machine->arena.coverage->map, name, condition);
    }
}
