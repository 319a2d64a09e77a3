/* Bug check 0xE6, 0x0F: what was written around common buffers and bounced bytes, and into free
 * map registers. The call that finds it goes on where the machine does. */
#include "wdm_world.h"

enum {
    BYTES = 5000,
    LENGTH = 200
};

static size_t violations_count(const wdm *of) {
    size_t count = 0;
    wdfdma_machine_get_violations(of->machine, &count);
    return count;
}

/* Under each mode: [rule] (none: nothing) was found, and the machine is as the mode says. */
static void found_check(const wdm *of, uint32_t rule, uint32_t mode, uint64_t third,
                        uint64_t fourth) {
    bool stops = rule != WDFDMA_RULE_NONE && mode == WDFDMA_MODE_DEFAULT;
    CHECK_EQUAL(world_rule(of->machine), stops ? rule : WDFDMA_RULE_NONE);
    CHECK_EQUAL(violations_count(of), rule != WDFDMA_RULE_NONE && mode != WDFDMA_MODE_IGNORE);
    if (stops) {
        check_violation(of, 0x0F);
        CHECK_EQUAL(world_parameter(of->machine, 1), wdfdma_rule_get_info(rule)->second);
        CHECK_EQUAL(world_parameter(of->machine, 2), third);
        CHECK_EQUAL(world_parameter(of->machine, 3), fourth);
    }
    CHECK_MACHINE(of->machine);
}

static const uint32_t MODES[] = {WDFDMA_MODE_DEFAULT, WDFDMA_MODE_COLLECT, WDFDMA_MODE_IGNORE};

/* ---- Common buffers ---- */

/* Writes the byte at [at] of a common buffer, and frees it. */
static void buffer_write(int32_t at, bool by_device, uint32_t rule, uint32_t mode) {
    wdm made = wdm_open(false, false);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    uint8_t *bytes = made.ops->AllocateCommonBuffer(made.adapter, BYTES, &logical, TRUE);
    uint8_t value = 0x77;
    wdfdma_machine_set_rule_mode(made.machine, rule, mode);
    if (by_device) {
        CHECK_STATUS(
            wdfdma_device_write(made.machine, (uint64_t)(logical.QuadPart + at), &value, 1),
            STATUS_SUCCESS);
    } else {
        bytes[at] = value;
    }
    made.ops->FreeCommonBuffer(made.adapter, BYTES, logical, bytes, TRUE);
    found_check(&made, rule, mode, BYTES, address_number(bytes));
    if (wdfdma_machine_get_bugcheck(made.machine) == NULL) {
        made.ops->PutDmaAdapter(made.adapter);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
    }
    harness_machine_end(made.machine);
}

TEST(a_common_buffer_has_tags) {
    for (int i = 0; i < 3; i++) {
        buffer_write(-1, false, WDFDMA_RULE_DMA_0F_1, MODES[i]);
        buffer_write(BYTES, false, WDFDMA_RULE_DMA_0F_2, MODES[i]);
        buffer_write(BYTES, true, WDFDMA_RULE_DMA_0F_2, MODES[i]);
    }
    buffer_write(0, false, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
    buffer_write(BYTES - 1, true, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
}

TEST(the_page_before_a_common_buffer_is_no_devices) {
    wdm made = wdm_open(false, false);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    uint8_t value = 1;
    CHECK(made.ops->AllocateCommonBuffer(made.adapter, BYTES, &logical, TRUE) != NULL);
    wdfdma_device_write(made.machine, (uint64_t)logical.QuadPart - 1, &value, 1);
    check_violation(&made, 0x26);
}

/* ---- Registers ---- */

typedef struct bounced {
    wdm wdm;
    seen seen;
    PVOID base;
    char *start;
    uint64_t address;
} bounced;

/* A mapping that bounces, of a driver whose device has no IOMMU before it. */
static bounced bounced_open(uint32_t rule, uint32_t mode) {
    bounced made = {.wdm = wdm_open(false, true)};
    ULONG length = LENGTH;
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_DMA_26, WDFDMA_MODE_IGNORE);
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_DEVICE_OUTSIDE_LIST,
                                 WDFDMA_MODE_IGNORE);
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_DEVICE_AFTER_FREE,
                                 WDFDMA_MODE_IGNORE);
    wdfdma_machine_set_rule_mode(made.wdm.machine, rule, mode);
    made.base = channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &made.seen);
    made.start = MmGetMdlVirtualAddress(made.wdm.mdl);
    made.address =
        (uint64_t)made.wdm.ops
            ->MapTransfer(made.wdm.adapter, made.wdm.mdl, made.base, made.start, &length, FALSE)
            .QuadPart;
    CHECK_EQUAL(length, LENGTH);
    return made;
}

static void device_write(const bounced *of, int64_t at, size_t count) {
    uint8_t bytes[2 * LENGTH];
    memset(bytes, 0x55, sizeof bytes);
    CHECK_STATUS(wdfdma_device_write(of->wdm.machine, of->address + (uint64_t)at, bytes, count),
                 STATUS_SUCCESS);
}

static void bounced_flush(const bounced *of) {
    of->wdm.ops->FlushAdapterBuffers(of->wdm.adapter, of->wdm.mdl, of->base, of->start, LENGTH,
                                     FALSE);
}

/* The device writes [count] bytes from [at] on; the first one out of place is at [wrong]. */
static void padding_write(int64_t at, size_t count, int64_t wrong, uint32_t rule, uint32_t mode) {
    bounced made = bounced_open(rule, mode);
    uint8_t back[LENGTH], expected[LENGTH];
    memset(expected, 0x55, sizeof expected);
    device_write(&made, at, count);
    bounced_flush(&made);
    found_check(&made.wdm, rule, mode, address_number(made.start), made.address + (uint64_t)wrong);
    bool halted = wdfdma_machine_get_bugcheck(made.wdm.machine) != NULL;
    CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, halted); /* not flushed */
    if (!halted) {
        CHECK_STATUS(wdfdma_mdl_read(made.wdm.machine, made.wdm.mdl, 0, back, LENGTH),
                     STATUS_SUCCESS);
        CHECK_BYTES(back + LENGTH / 2, expected, 1);
        made.wdm.ops->FreeMapRegisters(made.wdm.adapter, made.base, 2);
        CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
    }
    harness_machine_end(made.wdm.machine);
}

TEST(what_bounces_has_padding) {
    for (int i = 0; i < 3; i++) {
        padding_write(-1, LENGTH + 1, -1, WDFDMA_RULE_DMA_0F_4, MODES[i]);
        padding_write(0, LENGTH + 1, LENGTH, WDFDMA_RULE_DMA_0F_5, MODES[i]);
    }
    padding_write(0, LENGTH, 0, WDFDMA_RULE_NONE, WDFDMA_MODE_DEFAULT);
}

/* A transaction of the framework's takes the lowest register. */
static void transaction_reserve(const wdm *of) {
    WDFDMAENABLER enabler =
        world_enabler(of->device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(enabler);
    world_seen reserved = {0};
    WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 1,
                                       world_reserve_dma, &reserved);
    CHECK_EQUAL(reserved.reserved, wdfdma_machine_get_bugcheck(of->machine) == NULL);
}

/* [late]: the device writes when the registers are free again. [framework]: a transaction gets
 * them next. */
static void registers_write_late(bool late, bool framework, uint32_t mode) {
    uint32_t rule = late ? WDFDMA_RULE_DMA_0F_3 : WDFDMA_RULE_NONE;
    bounced made = bounced_open(WDFDMA_RULE_DMA_0F_3, mode);
    wdfdma_machine *machine = made.wdm.machine;
    device_write(&made, 0, LENGTH);
    bounced_flush(&made);
    made.wdm.ops->FreeMapRegisters(made.wdm.adapter, made.base, 2);
    if (late) {
        device_write(&made, 0, LENGTH);
    }
    CHECK_EQUAL(violations_count(&made.wdm), 0);
    if (framework) {
        transaction_reserve(&made.wdm);
    } else {
        seen next = {.answer = DeallocateObject};
        made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, made.wdm.object, 1, on_control,
                                             &next);
        CHECK_EQUAL(next.calls, wdfdma_machine_get_bugcheck(machine) == NULL);
    }
    found_check(&made.wdm, rule, late ? mode : (uint32_t)WDFDMA_MODE_DEFAULT, made.address, 0);
    harness_machine_end(machine);
}

TEST(freed_registers_are_filled) {
    for (int i = 0; i < 3; i++) {
        registers_write_late(true, false, MODES[i]);
        registers_write_late(true, true, MODES[i]);
    }
    registers_write_late(false, false, WDFDMA_MODE_DEFAULT);
    registers_write_late(false, true, WDFDMA_MODE_DEFAULT);
}

/* A driver frees its registers, another one gets them, and then the first frees its channel with
 * all that came with it: the other's bytes are left alone. */
TEST(a_neighbours_registers_are_not_filled) {
    bounced made = bounced_open(WDFDMA_RULE_DMA_05, WDFDMA_MODE_COLLECT);
    wdfdma_machine *machine = made.wdm.machine;
    bounced_flush(&made);
    uint32_t held = world_free_registers(machine);
    made.wdm.ops->FreeMapRegisters(made.wdm.adapter, made.base, 2);
    seen next = {.answer = KeepObject};
    made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, made.wdm.object, 2, on_control, &next);
    made.wdm.ops->FreeMapRegisters(made.wdm.adapter, next.base, 2);
    size_t before = violations_count(&made.wdm);
    made.wdm.ops->FreeAdapterChannel(made.wdm.adapter);
    CHECK_EQUAL(violations_count(&made.wdm), before + 1);
    CHECK_EQUAL(world_free_registers(machine), held + 2);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    CHECK_MACHINE(machine);
}

HARNESS_MAIN(ENTRY(a_common_buffer_has_tags), ENTRY(the_page_before_a_common_buffer_is_no_devices),
             ENTRY(what_bounces_has_padding), ENTRY(freed_registers_are_filled),
             ENTRY(a_neighbours_registers_are_not_filled))
