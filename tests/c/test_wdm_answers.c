/* What an AdapterControl routine answers, and what the channel's owner frees: what each leaves, and what a
 * violation says of it. */
#include "dma_rules.h"

/* What the routine does before it answers. */
typedef struct control {
    wdm wdm;
    void (*act)(struct control *of);
    PVOID base;
    IO_ALLOCATION_ACTION answer;
    uint32_t calls;
} control;

static IO_ALLOCATION_ACTION on_control_acts(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                            PVOID context) {
    control *of = context;
    (void)irp;
    CHECK(device == of->wdm.object);
    of->calls++;
    of->base = base;
    of->act(of);
    return of->answer;
}

static ULONG part_map(const wdm *on, PVOID base, ULONG offset, ULONG length) {
    on->ops->MapTransfer(on->adapter, on->mdl, base,
                         (char *)MmGetMdlVirtualAddress(on->mdl) + offset, &length, TRUE);
    return length;
}

static void act_map(control *of) {
    CHECK_EQUAL(part_map(&of->wdm, of->base, 0, SOME), SOME);
}

static void act_free_channel(control *of) {
    of->wdm.ops->FreeAdapterChannel(of->wdm.adapter);
}

static void act_free_channel_and_put(control *of) {
    act_free_channel(of);
    of->wdm.ops->PutDmaAdapter(of->wdm.adapter);
}

/* Two routines that want another IRQL. */
static void act_call_others(control *of) {
    ULONG registers;
    DEVICE_DESCRIPTION description = describe(false);
    CHECK_EQUAL(of->wdm.ops->GetDmaAlignment(of->wdm.adapter), 0);
    CHECK(IoGetDmaAdapter(of->wdm.object, &description, &registers) == NULL);
    act_map(of);
}

static NTSTATUS control_ask(control *of, ULONG registers) {
    return of->wdm.ops->AllocateAdapterChannel(of->wdm.adapter, of->wdm.object, registers,
                                               on_control_acts, of);
}

static const wdfdma_violation *violation_at(const control *of, size_t index) {
    static const wdfdma_violation none;
    size_t count = 0;
    const wdfdma_violation *list = wdfdma_machine_get_violations(of->wdm.machine, &count);
    return CHECK(index < count) ? &list[index] : &none;
}

static size_t violations_of(const control *of) {
    size_t count = 0;
    wdfdma_machine_get_violations(of->wdm.machine, &count);
    return count;
}

static control control_open(bool gathers, uint32_t mode) {
    control made = {.wdm = wdm_open(gathers, false), .answer = DeallocateObject};
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_NONE, mode);
    return made;
}

static uint32_t mappings(const control *of) {
    return wdfdma_machine_get_state(of->wdm.machine)->mappings;
}

/* Whatever is mapped stays so where the answer keeps the registers, or there are none. */
TEST(an_answer_that_keeps_registers_keeps_mappings) {
    static const IO_ALLOCATION_ACTION answers[] = {KeepObject, DeallocateObjectKeepRegisters,
                                                   DeallocateObject};
    for (int i = 0; i < 3; i++) {
        control made = control_open(true, WDFDMA_MODE_COLLECT);
        DEVICE_DESCRIPTION wide = describe(true);
        wide.DmaAddressWidth = i == 2 ? 64 : 32;
        made.wdm.adapter = adapter_get(&made.wdm, wide);
        made.act = act_map;
        made.answer = answers[i];
        CHECK_STATUS(control_ask(&made, 2), STATUS_SUCCESS);
        CHECK_EQUAL(made.calls, 1);
        CHECK_EQUAL(made.base == NULL, i == 2);
        CHECK_EQUAL(violations_of(&made), 0);
        CHECK_EQUAL(mappings(&made), 1);
        CHECK_EQUAL(world_free_registers(made.wdm.machine), i == 2 ? REGISTERS : REGISTERS - 2);
    }
}

/* Those of other runs stay where the answer frees one. */
TEST(an_answer_ends_its_own_mappings) {
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    seen first;
    PVOID kept = channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &first);
    CHECK_EQUAL(part_map(&made.wdm, kept, FURTHER, SOME), SOME);
    made.act = act_map;
    CHECK_STATUS(control_ask(&made, 2), STATUS_SUCCESS);
    CHECK(made.base != kept);
    CHECK_EQUAL(mappings(&made), 1);
    CHECK_EQUAL(violations_of(&made), 1);
    CHECK_EQUAL(violation_at(&made, 0)->rule, WDFDMA_RULE_DMA_10);
    CHECK_EQUAL(violation_at(&made, 0)->parameters[1], 1);
    CHECK_EQUAL(violation_at(&made, 0)->parameters[2], 0);
    CHECK_EQUAL(violation_at(&made, 0)->parameters[3], 0);
    CHECK_STATUS(made.wdm.ops->FlushAdapterBuffersEx(made.wdm.adapter, made.wdm.mdl, kept, FURTHER,
                                                     SOME, TRUE),
                 STATUS_SUCCESS);
    CHECK_EQUAL(violations_of(&made), 1);
}

/* A halt leaves all as it was. */
TEST(a_halt_keeps_what_is_mapped) {
    control made = control_open(false, WDFDMA_MODE_DEFAULT);
    made.act = act_map;
    CHECK_STATUS(control_ask(&made, 2), STATUS_UNSUCCESSFUL);
    check_violation(&made.wdm, 0x10);
    CHECK_EQUAL(mappings(&made), 1);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS - 2);
}

/* A channel that the routine has freed is not the answer's to free. */
TEST(an_answer_frees_a_channel_once) {
    static const struct {
        void (*act)(control *of);
        IO_ALLOCATION_ACTION answer;
        bool lives;
        bool told;
    } rows[] = {
        {act_free_channel, KeepObject, true, false},
        {act_free_channel, DeallocateObject, true, true},
        {act_free_channel, DeallocateObjectKeepRegisters, true, true},
        {act_free_channel_and_put, KeepObject, false, false},
        {act_free_channel_and_put, DeallocateObject, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control made = control_open(false, WDFDMA_MODE_COLLECT);
        WDFOBJECT handle = NULL;
        wdfdma_machine_copy_objects(made.wdm.machine, WDFDMA_OBJECT_ADAPTER, &handle, 1);
        made.act = rows[i].act;
        made.answer = rows[i].answer;
        CHECK_STATUS(control_ask(&made, 2), STATUS_SUCCESS);
        CHECK_EQUAL(violations_of(&made), rows[i].told);
        if (rows[i].told) {
            const wdfdma_violation *told = violation_at(&made, 0);
            CHECK_EQUAL(told->rule, WDFDMA_RULE_DMA_04);
            CHECK_EQUAL(told->parameters[1], 1);
            CHECK_EQUAL(told->parameters[2] | told->parameters[3], 0);
            CHECK_EQUAL(told->handle, rows[i].lives ? (uintptr_t)handle : 0);
        }
        CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
        CHECK_MACHINE(made.wdm.machine);
    }
}

/* A violation has the routine that is broken, also after calls inside of it. */
TEST(a_routine_is_told_after_others) {
    static const uint32_t routines[] = {WDFDMA_ROUTINE_GET_DMA_ALIGNMENT,
                                        WDFDMA_ROUTINE_IO_GET_DMA_ADAPTER,
                                        WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL};
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    made.act = act_call_others;
    CHECK_STATUS(control_ask(&made, 2), STATUS_SUCCESS);
    CHECK_EQUAL(violations_of(&made), 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQUAL(violation_at(&made, i)->op, WDFDMA_OP_ADAPTER_CALL);
        CHECK_EQUAL(violation_at(&made, i)->routine, routines[i]);
        CHECK_EQUAL(violation_at(&made, i)->depth, i < 2);
    }
}

/* ---- What the owner frees ---- */

/* Of a run of any length, one register too. */
TEST(registers_under_a_mapping_stay) {
    for (ULONG count = 1; count <= 3; count++) {
        control made = control_open(false, WDFDMA_MODE_COLLECT);
        seen first;
        PVOID base = channel_get(&made.wdm, count, KeepObject, &first);
        CHECK_EQUAL(part_map(&made.wdm, base, 0, SOME), SOME);
        made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
        CHECK_EQUAL(violations_of(&made), 1);
        CHECK_EQUAL(violation_at(&made, 0)->rule, WDFDMA_RULE_DMA_10);
        CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS - count);
        made.wdm.ops->FreeAdapterObject(made.wdm.adapter, DeallocateObjectKeepRegisters);
        CHECK_EQUAL(violations_of(&made), 1); /* which frees the channel alone */
        made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
        CHECK_EQUAL(violations_of(&made), 2);
        CHECK_EQUAL(violation_at(&made, 1)->rule, WDFDMA_RULE_DMA_04);
        CHECK_EQUAL(violation_at(&made, 1)->parameters[1], 1);
        CHECK_EQUAL(violation_at(&made, 1)->parameters[2] | violation_at(&made, 1)->parameters[3],
                    0);
        made.wdm.ops->FlushAdapterBuffersEx(made.wdm.adapter, made.wdm.mdl, base, 0, SOME, TRUE);
        made.wdm.ops->FreeMapRegisters(made.wdm.adapter, base, count);
        CHECK_EQUAL(violations_of(&made), 2);
        CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
    }
}

/* What names no run: below the registers, above them, within one, and one that is free. */
static const uint64_t bad_bases[] = {1,
                                     0x1000,
                                     0xFF000,
                                     0x100001,
                                     0x100010,
                                     0x102000,
                                     0x103000,
                                     0x100000 + REGISTERS *WORLD_PAGE,
                                     0x100000 + WORLD_PAGE *((uint64_t)1 << 40),
                                     UINT64_MAX};
enum {
    BAD_COUNT = sizeof bad_bases / sizeof *bad_bases
};

TEST(only_a_run_is_freed) {
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    seen first, second;
    PVOID low = channel_get(&made.wdm, 1, DeallocateObjectKeepRegisters, &first);
    PVOID high = channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &second);
    CHECK_EQUAL((uintptr_t)low, 0x100000);
    CHECK_EQUAL((uintptr_t)high, 0x101000);
    for (size_t i = 0; i < BAD_COUNT; i++) {
        made.wdm.ops->FreeMapRegisters(made.wdm.adapter, (PVOID)(uintptr_t)bad_bases[i], 3);
        CHECK_EQUAL(violations_of(&made), i + 1);
        CHECK_EQUAL(violation_at(&made, i)->rule, WDFDMA_RULE_DMA_05);
        CHECK_EQUAL(violation_at(&made, i)->parameters[1], 3);
        CHECK_EQUAL(violation_at(&made, i)->parameters[2], bad_bases[i]);
        CHECK_EQUAL(violation_at(&made, i)->parameters[3], 0);
    }
    made.wdm.ops->FreeMapRegisters(made.wdm.adapter, NULL, 3);
    CHECK_EQUAL(part_map(&made.wdm, high, 0, SOME), SOME);
    CHECK_EQUAL(part_map(&made.wdm, low, FURTHER, SOME), SOME);
    CHECK(made.wdm.ops->FlushAdapterBuffers(made.wdm.adapter, made.wdm.mdl, high,
                                            MmGetMdlVirtualAddress(made.wdm.mdl), SOME, TRUE));
    made.wdm.ops->FreeMapRegisters(made.wdm.adapter, high, 2);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS - 1);
    CHECK_EQUAL(violations_of(&made), BAD_COUNT);
}

/* A run of three: how many registers too many are freed is told, or how many there were. */
TEST(a_run_is_freed_whole) {
    static const struct {
        ULONG count;
        uint64_t extra;
    } rows[] = {{1, 1}, {2, 2}, {4, 1}, {8, 5}, {0, 0}};
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    seen first;
    PVOID base = channel_get(&made.wdm, 3, DeallocateObjectKeepRegisters, &first);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        made.wdm.ops->FreeMapRegisters(made.wdm.adapter, base, rows[i].count);
        CHECK_EQUAL(violations_of(&made), i + 1);
        CHECK_EQUAL(violation_at(&made, i)->rule, WDFDMA_RULE_DMA_05);
        CHECK_EQUAL(violation_at(&made, i)->parameters[1], rows[i].extra);
        CHECK_EQUAL(violation_at(&made, i)->parameters[2], 0);
        CHECK_EQUAL(violation_at(&made, i)->parameters[3], 3);
    }
    made.wdm.ops->FreeMapRegisters(made.wdm.adapter, base, 3);
    CHECK_EQUAL(violations_of(&made), 5);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
}

/* The routine lets the next of the line have the channel, which its answer does not take from it. */
TEST(an_answer_leaves_the_next_its_channel) {
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    seen first, next = {.answer = KeepObject};
    channel_get(&made.wdm, 1, KeepObject, &first);
    made.act = act_free_channel;
    CHECK_STATUS(control_ask(&made, 2), STATUS_SUCCESS);
    CHECK_STATUS(made.wdm.ops->AllocateAdapterChannelEx(made.wdm.adapter, made.wdm.object, NULL, 3,
                                                        0, on_control, &next, NULL),
                 STATUS_SUCCESS);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(made.calls, 1);
    CHECK_EQUAL(next.calls, 1);
    CHECK_EQUAL(violations_of(&made), 1);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS - 3);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(violations_of(&made), 1);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
}

static seen asked_again;

static void act_ask_again(control *of) {
    of->wdm.ops->FreeAdapterChannel(of->wdm.adapter);
    asked_again = (seen){.answer = KeepObject};
    CHECK_STATUS(of->wdm.ops->AllocateAdapterChannelEx(of->wdm.adapter, of->wdm.object, NULL, 3, 0,
                                                       on_control, &asked_again, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(asked_again.calls, 1);
}

/* Nor does it where the routine has got it once more. */
TEST(an_answer_leaves_what_is_got_again) {
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    made.act = act_ask_again;
    CHECK_STATUS(control_ask(&made, 2), STATUS_SUCCESS);
    CHECK_EQUAL(violations_of(&made), 1);
    CHECK_EQUAL(violation_at(&made, 0)->rule, WDFDMA_RULE_DMA_04);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(violations_of(&made), 1);
    CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
}

/* One request of a device object at a time, whichever of several it is. */
TEST(a_device_asks_once) {
    control made = control_open(false, WDFDMA_MODE_COLLECT);
    PDEVICE_OBJECT objects[3];
    seen holder, waiting[3] = {{0}};
    channel_get(&made.wdm, 1, KeepObject, &holder);
    for (int i = 0; i < 3; i++) {
        objects[i] = i == 0 ? made.wdm.object
                            : WdfDeviceWdmGetPhysicalDevice(world_device(made.wdm.machine));
        waiting[i].answer = DeallocateObject;
        CHECK_STATUS(made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, objects[i], 1,
                                                          on_control, &waiting[i]),
                     STATUS_SUCCESS);
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK_STATUS(made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, objects[i], 1,
                                                          on_control, &waiting[i]),
                     STATUS_INSUFFICIENT_RESOURCES);
        CHECK_EQUAL(violations_of(&made), i + 1);
        CHECK_EQUAL(violation_at(&made, i)->rule, WDFDMA_RULE_DMA_0B);
        CHECK_EQUAL(violation_at(&made, i)->parameters[1], 2);
    }
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(waiting[0].calls + waiting[1].calls + waiting[2].calls, 3);
    CHECK_STATUS(made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, objects[1], 1, on_control,
                                                      &waiting[1]),
                 STATUS_SUCCESS);
}

/* Nor is anything mapped on it, by an adapter that needs registers or by one that does not. */
TEST(only_a_run_is_mapped_on) {
    for (size_t i = 0; i < 2 * BAD_COUNT; i++) {
        control made = control_open(true, WDFDMA_MODE_DEFAULT);
        DEVICE_DESCRIPTION wide = describe(true);
        seen first, second;
        channel_get(&made.wdm, 1, DeallocateObjectKeepRegisters, &first);
        channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &second);
        wide.DmaAddressWidth = i < BAD_COUNT ? 32 : 64;
        made.wdm.adapter = i < BAD_COUNT ? made.wdm.adapter : adapter_get(&made.wdm, wide);
        CHECK_EQUAL(part_map(&made.wdm, (PVOID)(uintptr_t)bad_bases[i % BAD_COUNT], 0, SOME), 0);
        CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_CANCELLED_RESERVATION_USED);
        harness_machine_end(made.wdm.machine);
    }
}

TEST(nothing_is_mapped_on_others_registers) {
    control made = control_open(false, WDFDMA_MODE_DEFAULT);
    wdm other = made.wdm;
    seen first, second;
    other.adapter = adapter_get(&made.wdm, describe(false));
    channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &first);
    PVOID theirs = channel_get(&other, 2, DeallocateObjectKeepRegisters, &second);
    CHECK_EQUAL(part_map(&other, theirs, 0, SOME), SOME);
    CHECK_EQUAL(part_map(&made.wdm, theirs, FURTHER, SOME), 0);
    CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_CANCELLED_RESERVATION_USED);
}

HARNESS_MAIN(ENTRY(an_answer_that_keeps_registers_keeps_mappings),
             ENTRY(an_answer_ends_its_own_mappings), ENTRY(a_halt_keeps_what_is_mapped),
             ENTRY(an_answer_frees_a_channel_once), ENTRY(a_routine_is_told_after_others),
             ENTRY(registers_under_a_mapping_stay), ENTRY(only_a_run_is_freed),
             ENTRY(only_a_run_is_mapped_on), ENTRY(a_run_is_freed_whole),
             ENTRY(an_answer_leaves_the_next_its_channel), ENTRY(a_device_asks_once),
             ENTRY(an_answer_leaves_what_is_got_again),
             ENTRY(nothing_is_mapped_on_others_registers))
