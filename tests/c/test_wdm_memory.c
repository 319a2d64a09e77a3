/* What a WDM driver's calls take of the machine's memory comes back, also where memory runs out in the
 * middle of them: after any number of turns a machine uses no more than after the first. */
#include "wdm_world.h"

enum {
    TURNS = 20,
    ALLOCATIONS = 12, /* more than one turn makes */
    SOME = 100
};

typedef struct driver {
    wdm wdm;
    wdm other; /* an adapter that takes all registers */
    PVOID others_base;
    uint8_t contexts[128]; /* each turn has its own; only their addresses are looked at */
    uint8_t *context;
    uint64_t room[32];
} driver;

static NTSTATUS channel_ask(driver *of, ULONG registers, seen *out) {
    return of->wdm.ops->AllocateAdapterChannelEx(of->wdm.adapter, of->wdm.object, of->context,
                                                 registers, 0, on_control, out, NULL);
}

static NTSTATUS list_ask(driver *of, PVOID buffer, ULONG flags, seen *out) {
    const wdm *on = &of->wdm;
    return buffer == NULL
               ? on->ops->GetScatterGatherListEx(on->adapter, on->object, of->context, on->mdl, 0,
                                                 SOME, flags, on_list, out, TRUE, NULL, NULL, NULL)
               : on->ops->BuildScatterGatherListEx(on->adapter, on->object, of->context, on->mdl, 0,
                                                   SOME, flags, on_list, out, TRUE, buffer,
                                                   sizeof of->room, NULL, NULL, NULL);
}

static void registers_take_all(driver *of) {
    seen first;
    uint64_t countdown = wdfdma_machine_get_fail_allocation(of->wdm.machine);
    wdfdma_machine_fail_allocation(of->wdm.machine, 0);
    of->others_base = channel_get(&of->other, REGISTERS, DeallocateObjectKeepRegisters, &first);
    wdfdma_machine_fail_allocation(of->wdm.machine, countdown);
}

static void registers_give_back(driver *of) {
    of->wdm.ops->FreeMapRegisters(of->other.adapter, of->others_base, REGISTERS);
}

/* ---- Turns ---- */

static void turn_channel(driver *of) {
    seen first = {.answer = DeallocateObject};
    NTSTATUS status = channel_ask(of, 2, &first);
    CHECK_EQUAL(status == STATUS_SUCCESS, first.calls == 1);
}

static IO_ALLOCATION_ACTION on_control_initializes(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                                   PVOID context) {
    const driver *of = context;
    (void)device;
    (void)irp;
    (void)base;
    CHECK_STATUS(of->wdm.ops->InitializeDmaTransferContext(of->wdm.adapter, of->context),
                 STATUS_SUCCESS);
    return DeallocateObject;
}

/* A routine initializes its own context. */
static void turn_context_initialized(driver *of) {
    of->wdm.ops->AllocateAdapterChannelEx(of->wdm.adapter, of->wdm.object, of->context, 2, 0,
                                          on_control_initializes, of, NULL);
    turn_channel(of);
}

static void turn_channel_kept(driver *of) {
    seen first = {.answer = KeepObject};
    if (channel_ask(of, 2, &first) == STATUS_SUCCESS) {
        of->wdm.ops->FreeAdapterChannel(of->wdm.adapter);
    }
}

static void turn_channel_alone(driver *of) {
    seen first = {.answer = DeallocateObjectKeepRegisters};
    if (of->wdm.ops->AllocateAdapterChannel(of->wdm.adapter, of->wdm.object, 2, on_control,
                                            &first) == STATUS_SUCCESS) {
        of->wdm.ops->FreeMapRegisters(of->wdm.adapter, first.base, 2);
    }
}

static void turn_channel_too_wide(driver *of) {
    seen first = {.answer = DeallocateObject};
    wdfdma_machine_set_rule_mode(of->wdm.machine, WDFDMA_RULE_DMA_0C, WDFDMA_MODE_IGNORE);
    CHECK(channel_ask(of, REGISTERS + 1, &first) != STATUS_SUCCESS);
    CHECK_EQUAL(first.calls, 0);
}

static void turn_channel_refused(driver *of) {
    seen first = {.answer = DeallocateObject};
    registers_take_all(of);
    CHECK_STATUS(of->wdm.ops->AllocateAdapterChannelEx(of->wdm.adapter, of->wdm.object, of->context,
                                                       2, DMA_SYNCHRONOUS_CALLBACK, on_control,
                                                       &first, NULL),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(first.calls, 0);
    registers_give_back(of);
}

static void turn_channel_cancelled(driver *of) {
    seen first = {.answer = DeallocateObject};
    registers_take_all(of);
    bool waits = channel_ask(of, 2, &first) == STATUS_SUCCESS;
    CHECK_EQUAL(of->wdm.ops->CancelAdapterChannel(of->wdm.adapter, of->wdm.object, of->context),
                waits);
    CHECK_EQUAL(first.calls, 0);
    registers_give_back(of);
}

static void turn_list(driver *of) {
    seen first = {0};
    NTSTATUS status = list_ask(of, NULL, 0, &first);
    CHECK_EQUAL(status == STATUS_SUCCESS, first.calls == 1);
    if (first.list != NULL) {
        of->wdm.ops->PutScatterGatherList(of->wdm.adapter, first.list, TRUE);
    }
}

static void turn_list_built(driver *of) {
    seen first = {0};
    NTSTATUS status = list_ask(of, of->room, 0, &first);
    CHECK_EQUAL(status == STATUS_SUCCESS, first.calls == 1);
    if (first.list != NULL) {
        of->wdm.ops->PutScatterGatherList(of->wdm.adapter, first.list, TRUE);
    }
}

static void turn_list_refused(driver *of) {
    seen first = {0};
    registers_take_all(of);
    CHECK_STATUS(list_ask(of, NULL, DMA_SYNCHRONOUS_CALLBACK, &first),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(list_ask(of, of->room, DMA_SYNCHRONOUS_CALLBACK, &first),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(first.calls, 0);
    registers_give_back(of);
}

static void turn_list_cancelled(driver *of) {
    seen first = {0};
    registers_take_all(of);
    bool waits = list_ask(of, NULL, 0, &first) == STATUS_SUCCESS;
    CHECK_EQUAL(of->wdm.ops->CancelAdapterChannel(of->wdm.adapter, of->wdm.object, of->context),
                waits);
    registers_give_back(of);
}

static void turn_context_cancelled(driver *of) {
    of->wdm.ops->CancelMappedTransfer(of->wdm.adapter, of->context);
    CHECK_STATUS(of->wdm.ops->InitializeDmaTransferContext(of->wdm.adapter, of->context),
                 STATUS_SUCCESS);
}

static void turn_buffer(driver *of) {
    PHYSICAL_ADDRESS logical = {.QuadPart = 7};
    uint8_t *bytes = of->wdm.ops->AllocateCommonBuffer(of->wdm.adapter, 5000, &logical, TRUE);
    CHECK_EQUAL(bytes == NULL, logical.QuadPart == 7);
    if (bytes != NULL) {
        of->wdm.ops->FreeCommonBuffer(of->wdm.adapter, 5000, logical, bytes, TRUE);
    }
}

static void turn_buffer_too_high(driver *of) {
    PHYSICAL_ADDRESS logical = {.QuadPart = 7}, low = {.QuadPart = 0};
    CHECK(of->wdm.ops->AllocateCommonBufferEx(of->wdm.adapter, &low, 5000, &logical, TRUE, 0) ==
          NULL);
    CHECK(of->wdm.ops->AllocateCommonBuffer(of->wdm.adapter, UINT32_MAX, &logical, TRUE) == NULL);
    CHECK_EQUAL(logical.QuadPart, 7);
}

static ULONG map(const wdm *on, PVOID base, ULONG offset) {
    ULONG length = SOME;
    on->ops->MapTransfer(on->adapter, on->mdl, base,
                         (char *)MmGetMdlVirtualAddress(on->mdl) + offset, &length, TRUE);
    return length;
}

static void turn_mapping(driver *of) {
    const wdm *on = &of->wdm;
    seen first = {.answer = DeallocateObjectKeepRegisters};
    if (channel_ask(of, 2, &first) != STATUS_SUCCESS) {
        return;
    }
    for (ULONG offset = 0; offset < 3 * SOME; offset += SOME) {
        if (map(on, first.base, offset) != 0) {
            CHECK_STATUS(on->ops->FlushAdapterBuffersEx(on->adapter, on->mdl, first.base, offset,
                                                        SOME, TRUE),
                         STATUS_SUCCESS);
        }
    }
    on->ops->FreeMapRegisters(on->adapter, first.base, 2);
}

static IO_ALLOCATION_ACTION on_control_maps(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                            PVOID context) {
    (void)device;
    (void)irp;
    const wdm *on = context;
    map(on, base, 0);
    map(on, base, 2 * SOME);
    map(on, base, 4 * SOME);
    return DeallocateObject;
}

static void turn_answer_frees(driver *of) {
    const wdm *on = &of->wdm;
    wdfdma_machine_set_rule_mode(on->machine, WDFDMA_RULE_DMA_10, WDFDMA_MODE_IGNORE);
    on->ops->AllocateAdapterChannel(on->adapter, on->object, 2, on_control_maps, &of->wdm);
}

/* An adapter that needs no registers is put with mappings of its own. */
static void turn_adapter(driver *of) {
    DEVICE_DESCRIPTION description = describe(true);
    ULONG registers = 0;
    wdm own = of->wdm;
    description.DmaAddressWidth = 64;
    own.adapter = IoGetDmaAdapter(own.object, &description, &registers);
    if (own.adapter != NULL) {
        map(&own, NULL, 0);
        map(&own, NULL, SOME);
        map(&own, NULL, 2 * SOME);
        own.ops->PutDmaAdapter(own.adapter);
    }
}

static void (*const turns[])(driver *of) = {
    turn_channel,
    turn_channel_kept,
    turn_channel_alone,
    turn_channel_too_wide,
    turn_channel_cancelled,
    turn_list,
    turn_list_built,
    turn_list_refused,
    turn_list_cancelled,
    turn_buffer,
    turn_buffer_too_high,
    turn_context_cancelled,
    turn_context_initialized,
    turn_channel_refused,
    turn_mapping,
    turn_answer_frees,
    turn_adapter,
};
enum {
    TURN_COUNT = sizeof turns / sizeof *turns
};

/* ---- What is left of them ---- */

static void driver_open(driver *out) {
    memset(out, 0, sizeof *out);
    out->wdm = wdm_open(false, false);
    out->context = out->contexts;
    out->other = out->wdm;
    out->other.adapter = adapter_get(&out->wdm, describe(false));
}

static void turn_make(driver *of, size_t turn) {
    turns[turn](of);
    of->context++;
}

static void driver_rests(const driver *of) {
    const wdfdma_machine_state *state = wdfdma_machine_get_state(of->wdm.machine);
    CHECK_EQUAL(state->free_registers, REGISTERS);
    CHECK_EQUAL(state->mappings, 0);
    CHECK_EQUAL(state->waiting_pool + state->waiting_channel, 0);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_ADAPTER], 2);
    CHECK(wdfdma_machine_get_bugcheck(of->wdm.machine) == NULL);
    CHECK_MACHINE(of->wdm.machine);
}

TEST(turns_cost_nothing) {
    for (size_t i = 0; i < TURN_COUNT; i++) {
        driver made;
        driver_open(&made);
        turn_make(&made, i);
        turn_make(&made, i);
        size_t bytes = wdfdma_machine_get_used_bytes(made.wdm.machine);
        for (int turn = 0; turn < TURNS; turn++) {
            turn_make(&made, i);
        }
        CHECK_EQUAL(wdfdma_machine_get_used_bytes(made.wdm.machine), bytes);
        driver_rests(&made);
        harness_machine_end(made.wdm.machine);
    }
}

/* The one that fails leaves nothing either, and the next is as any other. */
TEST(turns_that_fail_cost_nothing) {
    for (size_t i = 0; i < TURN_COUNT; i++) {
        uint32_t failed = 0;
        driver made;
        driver_open(&made);
        turn_make(&made, i);
        turn_make(&made, i);
        size_t bytes = wdfdma_machine_get_used_bytes(made.wdm.machine);
        for (uint64_t n = 1; n <= ALLOCATIONS; n++) {
            CHECK_STATUS(wdfdma_machine_fail_allocation(made.wdm.machine, n), STATUS_SUCCESS);
            turn_make(&made, i);
            failed += wdfdma_machine_get_fail_allocation(made.wdm.machine) == 0;
            CHECK_STATUS(wdfdma_machine_fail_allocation(made.wdm.machine, 0), STATUS_SUCCESS);
            driver_rests(&made);
            turn_make(&made, i);
            CHECK_EQUAL(wdfdma_machine_get_used_bytes(made.wdm.machine), bytes);
        }
        CHECK(failed < ALLOCATIONS);
        driver_rests(&made);
        harness_machine_end(made.wdm.machine);
    }
}

/* What two turns of a fresh machine come to, of which the first fails at its [n]-th allocation; 0: none does. */
static size_t turns_take(size_t turn, uint64_t n) {
    driver made;
    driver_open(&made);
    CHECK_STATUS(wdfdma_machine_fail_allocation(made.wdm.machine, n), STATUS_SUCCESS);
    turn_make(&made, turn);
    CHECK_STATUS(wdfdma_machine_fail_allocation(made.wdm.machine, 0), STATUS_SUCCESS);
    driver_rests(&made);
    turn_make(&made, turn);
    size_t bytes = wdfdma_machine_get_used_bytes(made.wdm.machine);
    harness_machine_end(made.wdm.machine);
    return bytes;
}

/* The first of a kind fails, whose tables are not there yet. */
TEST(the_first_turn_may_fail) {
    for (size_t i = 0; i < TURN_COUNT; i++) {
        for (uint64_t n = 1; n <= ALLOCATIONS; n++) {
            CHECK_EQUAL(turns_take(i, n), turns_take(i, 0));
        }
    }
}

HARNESS_MAIN(ENTRY(turns_cost_nothing), ENTRY(turns_that_fail_cost_nothing),
             ENTRY(the_first_turn_may_fail))
