/* The goals: situations that should come about sometimes, looked for where a call ends and where a callback
 * is about to be made. */
#include "coverage.h"

enum {
    MANY_WAIT = 5,
    MANY_BEFORE = 3,
    MANY_THROUGH = 3,
    DEEP = 3
};

static void goal_if(const wdfdma_machine *machine, coverage_goal_id goal, bool reached) {
    if (reached) {
        coverage_reach_goal(machine->arena.coverage->map, goal);
    }
}

/* What a machine is like after a call. */
static void goals_of_machine(const wdfdma_machine *machine, const coverage_frame *frame) {
    const wdfdma_machine_state *state = &machine->state;
    goal_if(machine, GOAL_BOTH_QUEUES, state->waiting_pool != 0 && state->waiting_channel != 0);
    goal_if(machine, GOAL_FIVE_WAIT, state->waiting_pool + state->waiting_channel >= MANY_WAIT);
    goal_if(machine, GOAL_POOL_EMPTY, state->free_registers == 0 && state->map_registers != 0);
    goal_if(machine, GOAL_THREE_LET_THROUGH, frame->others >= MANY_THROUGH);
}

static void goals_of_cancel(const wdfdma_machine *machine, const coverage_frame *frame,
                            coverage_outcome outcome) {
    bool cancelled = outcome == OUTCOME_TRUE || outcome == OUTCOME_TRUE_OTHERS;
    bool reserved = frame->standing == STANDING_RESERVED_CHANNEL ||
                    frame->standing == STANDING_RESERVED_REGISTERS;
    bool programmed =
        frame->standing == STANDING_TRANSFER || frame->standing == STANDING_TRANSFER_HELD;
    goal_if(machine, GOAL_CANCEL_WHILE_TWO_WAIT, cancelled && frame->waiting >= 2);
    goal_if(machine, GOAL_CANCEL_LETS_THROUGH, outcome == OUTCOME_TRUE_OTHERS);
    goal_if(machine, GOAL_CANCEL_RESERVATION, cancelled && reserved);
    goal_if(machine, GOAL_CANCEL_TOO_LATE, outcome == OUTCOME_FALSE && programmed);
}

static void goals_of_execute(const wdfdma_machine *machine, const coverage_frame *frame,
                             const transaction *item, coverage_outcome outcome) {
    bool granted = outcome == OUTCOME_SUCCESS_CALLBACK;
    goal_if(machine, GOAL_VERSION_2_BUSY,
            frame->standing == STANDING_INITIALIZED && (NTSTATUS)frame->answer == STATUS_WDF_BUSY);
    goal_if(machine, GOAL_REQUEST_EXECUTED,
            frame->holds_request && (granted || outcome == OUTCOME_SUCCESS_WAITS));
    if (item == NULL) {
        return;
    }
    bool immediate = item->immediate && item->is_version_3;
    goal_if(machine, GOAL_IMMEDIATE_DENIED,
            immediate && outcome == OUTCOME_INSUFFICIENT_RESOURCES &&
                machine->state.free_registers != 0);
    goal_if(machine, GOAL_IMMEDIATE_GRANTED, immediate && granted && frame->waiting != 0);
    goal_if(machine, GOAL_SINGLE_TRANSFER_EXECUTED,
            item->hindrances.single_transfer && item->is_version_3 && granted);
}

static void goals_of_completion(const wdfdma_machine *machine, const coverage_frame *frame,
                                const transaction *item, coverage_operation operation,
                                coverage_outcome outcome) {
    bool more = outcome == OUTCOME_MORE || outcome == OUTCOME_MORE_CALLBACK ||
                outcome == OUTCOME_MORE_WAITS;
    bool failed = outcome == OUTCOME_INSUFFICIENT_RESOURCES || outcome == OUTCOME_TOO_FRAGMENTED;
    bool ended = outcome == OUTCOME_SUCCESS || outcome == OUTCOME_SUCCESS_OTHERS;
    goal_if(machine, GOAL_COMPLETED_IN_PROGRAM_DMA,
            frame->event == WDFDMA_EVENT_PROGRAM_DMA && (more || ended));
    goal_if(machine, GOAL_NEXT_TRANSFER_FAILED, failed);
    goal_if(machine, GOAL_STOPPED_BEFORE_NEXT, outcome == OUTCOME_CANCELLED);
    if (item != NULL) {
        goal_if(machine, GOAL_ZERO_LENGTH,
                operation == COVERED_DMA_COMPLETED_WITH_LENGTH && more &&
                    item->transferred == frame->transferred);
        goal_if(machine, GOAL_FINAL_WITH_REST,
                operation == COVERED_DMA_COMPLETED_FINAL && ended && item->remaining != 0);
    }
}

static void goals_of_initialize(const wdfdma_machine *machine, const coverage_frame *frame,
                                const transaction *item, coverage_outcome outcome) {
    if (item != NULL && outcome == OUTCOME_SUCCESS) {
        goal_if(machine, GOAL_RESERVATION_KEPT, frame->standing == STANDING_RELEASED_HELD);
        goal_if(machine, GOAL_CHAIN, item->mdl != NULL && item->mdl->Next != NULL);
    }
}

static void goals_of_delete(const wdfdma_machine *machine, const coverage_frame *frame,
                            coverage_outcome outcome) {
    bool done = outcome == OUTCOME_RETURNED || outcome == OUTCOME_RETURNED_OTHERS;
    goal_if(machine, GOAL_DELETED_WHILE_WAITING, done && frame->asked != WDFDMA_WAITING_NOT);
    goal_if(machine, GOAL_DELETED_IN_OWN_CALLBACK, done && frame->event != WDFDMA_EVENT_COUNT);
}

void goals_of_call(wdfdma_machine *machine, const coverage_frame *frame, const transaction *item,
                   coverage_operation operation, coverage_outcome outcome) {
    if (!machine->state.halted) {
        goals_of_machine(machine, frame);
    }
    switch (operation) {
    case COVERED_CANCEL:
        goals_of_cancel(machine, frame, outcome);
        break;
    case COVERED_EXECUTE:
        goals_of_execute(machine, frame, item, outcome);
        break;
    case COVERED_DMA_COMPLETED:
    case COVERED_DMA_COMPLETED_WITH_LENGTH:
    case COVERED_DMA_COMPLETED_FINAL:
        goals_of_completion(machine, frame, item, operation, outcome);
        break;
    case COVERED_INITIALIZE:
    case COVERED_INITIALIZE_USING_REQUEST:
        goals_of_initialize(machine, frame, item, outcome);
        break;
    case COVERED_DELETE:
        goals_of_delete(machine, frame, outcome);
        break;
    default:
        break;
    }
}

/* Callbacks */

static bool transfer_bounces(const transaction *item) {
    return item->map.first_register != NO_REGISTER;
}

/* [within] completed some, but not all, of the transfer before this one. */
static bool follows_partial(const transaction *item, const coverage_frame *within) {
    return within != NULL && within->handle == item->base.head.handle &&
           within->transferred < item->transferred &&
           item->transferred - within->transferred < within->fragment;
}

static void goals_of_program(const wdfdma_machine *machine, const transaction *item,
                             const coverage_frame *within) {
    const enabler *of = item->enabler;
    bool bounces = transfer_bounces(item);
    bool forced = machine->config.force_map_registers;
    goal_if(machine, (coverage_goal_id)(GOAL_PROFILE_PACKET + of->profile - WdfDmaProfilePacket),
            true);
    goal_if(machine, GOAL_BOUNCE_FORCED, bounces && forced);
    goal_if(machine, GOAL_BOUNCE_OUT_OF_REACH, bounces && !forced);
    goal_if(machine, GOAL_PARTIAL_THEN_BOUNCE, bounces && follows_partial(item, within));
    goal_if(machine, GOAL_THREE_TRANSFERS,
            item->fragment != 0 && item->transferred / 2 >= item->maximum_fragment &&
                item->maximum_fragment != 0);
    if (of->is_duplex) {
        const adapter *other = of->adapters[1 - item->direction];
        goal_if(machine, GOAL_DUPLEX_BOTH_WAYS,
                other != NULL && (other->lists_held != 0 || other->channel != NULL));
    }
}

/* Whom [waited], or waits behind it, concerns. */
static void goals_of_grant(const wdfdma_machine *machine, const transaction *item,
                           wdfdma_event event, const coverage_wait *waited,
                           const coverage_frame *within) {
    const wdfdma_machine_state *state = &machine->state;
    goal_if(machine, GOAL_RESERVATION_BEHIND_THREE,
            event == WDFDMA_EVENT_RESERVE_DMA && waited->behind >= MANY_BEFORE);
    goal_if(machine, GOAL_CHANNEL_IN_TURN, item->adapter != NULL && item->adapter->waiting != 0);
    goal_if(machine, GOAL_LAST_WAITER_IN_CALLBACK,
            within != NULL && within->depth != 0 &&
                state->waiting_pool + state->waiting_channel == 0);
}

void goals_of_callback(wdfdma_machine *machine, const transaction *item, wdfdma_event event,
                       const coverage_wait *waited, const coverage_frame *within) {
    goal_if(machine, GOAL_CALLBACKS_THREE_DEEP, machine->state.depth >= DEEP);
    if (event == WDFDMA_EVENT_PROGRAM_DMA) {
        goals_of_program(machine, item, within);
    }
    if (waited != NULL) {
        goals_of_grant(machine, item, event, waited, within);
    }
}
