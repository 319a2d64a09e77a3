/* A machine without an IOMMU on which one transfer bounces: of a transaction, or of a WDM driver's list. */
#ifndef WDFDMA_TESTS_BOUNCE_WORLD_H
#define WDFDMA_TESTS_BOUNCE_WORLD_H

#include "wdm_world.h"

enum {
    OFFSET = 100, /* of the buffer in its first page; LENGTH: into its second */
    LENGTH = 5000,
    TRANSFER_REGISTERS = 2,
    DIRECTIONS = 2
};

typedef enum way_of_transfer {
    PACKET,
    GATHER,
    SYSTEM,
    WDM_LIST,
    WAYS
} way;

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;
static const WDF_DMA_DIRECTION WRITE = WdfDmaDirectionWriteToDevice;
static const uint32_t MODES[] = {WDFDMA_MODE_DEFAULT, WDFDMA_MODE_COLLECT, WDFDMA_MODE_IGNORE};

/* A machine on which everything bounces, and one way to transfer. */
typedef struct bounced {
    way way;
    wdfdma_machine *machine;
    WDFDEVICE device;
    WDFDMATRANSACTION transaction;
    wdm wdm;
    PMDL mdl;
    WDF_DMA_DIRECTION direction;
    world_seen seen;
    PSCATTER_GATHER_LIST list;
    uint64_t address; /* of the first element */
} bounced;

static inline void rules_set(wdfdma_machine *machine, uint32_t first, uint32_t last,
                             uint32_t mode) {
    for (uint32_t rule = first; rule <= last; rule++) {
        CHECK_STATUS(wdfdma_machine_set_rule_mode(machine, rule, mode), STATUS_SUCCESS);
    }
}

static inline void iommu_remove(wdfdma_machine *machine) {
    rules_set(machine, WDFDMA_RULE_DMA_26, WDFDMA_RULE_DMA_26, WDFDMA_MODE_IGNORE);
    rules_set(machine, WDFDMA_RULE_DEVICE_AFTER_COMPLETION, WDFDMA_RULE_DEVICE_OUTSIDE_LIST,
              WDFDMA_MODE_IGNORE);
}

static inline bounced bounced_open(way by, bool verifier) {
    static const WDF_DMA_PROFILE profiles[] = {
        [PACKET] = WdfDmaProfilePacket,
        [GATHER] = WdfDmaProfileScatterGather,
        [SYSTEM] = WdfDmaProfileSystem,
        [WDM_LIST] = WdfDmaProfilePacket,
    };
    bounced made = {.way = by};
    if (by == WDM_LIST) {
        made.wdm = wdm_open(true, true);
        made.machine = made.wdm.machine;
        made.device = made.wdm.device;
    } else {
        wdfdma_machine_config config = world_config(REGISTERS);
        config.force_map_registers = true;
        config.verifier = verifier;
        world of = world_open(&config, (world_profile){.profile = profiles[by], .version = 3});
        made.machine = of.machine;
        made.device = of.device;
        made.transaction = world_transaction(of.enabler);
    }
    made.mdl = world_mdl(made.machine, OFFSET, LENGTH, NULL);
    iommu_remove(made.machine);
    return made;
}

static inline void bounced_start(bounced *of, WDF_DMA_DIRECTION direction, size_t length) {
    seen listed = {0};
    of->direction = direction;
    if (of->way == WDM_LIST) {
        of->wdm.ops->GetScatterGatherList(of->wdm.adapter, of->wdm.object, of->mdl,
                                          MmGetMdlVirtualAddress(of->mdl), (ULONG)length, on_list,
                                          &listed, direction == WRITE);
        CHECK_EQUAL(listed.calls, wdfdma_machine_get_bugcheck(of->machine) == NULL);
        of->list = listed.list;
        of->address = listed.list == NULL ? 0 : (uint64_t)listed.list->Elements[0].Address.QuadPart;
        return;
    }
    CHECK_STATUS(world_initialize(of->transaction, direction, of->mdl, 0, length), STATUS_SUCCESS);
    WdfDmaTransactionExecute(of->transaction, &of->seen);
    of->address = (uint64_t)of->seen.list[0].Address.QuadPart;
}

static inline void bounced_complete(const bounced *of) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    if (of->way == WDM_LIST) {
        of->wdm.ops->PutScatterGatherList(of->wdm.adapter, of->list, of->direction == WRITE);
        return;
    }
    WdfDmaTransactionDmaCompleted(of->transaction, &status);
}

static inline void bounced_finish(const bounced *of) {
    bounced_complete(of);
    if (of->way != WDM_LIST && wdfdma_machine_get_bugcheck(of->machine) == NULL) {
        CHECK_STATUS(WdfDmaTransactionRelease(of->transaction), STATUS_SUCCESS);
    }
}

static inline void device_write(const bounced *of, int64_t at, size_t count, int value) {
    static uint8_t bytes[REGISTERS * WORLD_PAGE];
    memset(bytes, value, sizeof bytes);
    CHECK_STATUS(wdfdma_device_write(of->machine, of->address + (uint64_t)at, bytes, count),
                 STATUS_SUCCESS);
}

static inline void bytes_read(const bounced *of, int64_t at, uint8_t *out, size_t count) {
    CHECK_STATUS(wdfdma_device_read(of->machine, of->address + (uint64_t)at, out, count),
                 STATUS_SUCCESS);
}

static inline size_t violations_count(const bounced *of) {
    size_t count = 0;
    wdfdma_machine_get_violations(of->machine, &count);
    return count;
}

/* Of the [index]-th violation of at least so many. */
static inline void violation_check(const bounced *of, size_t index, uint32_t rule, uint64_t third,
                                   uint64_t fourth) {
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of->machine, &count);
    REQUIRE(index < count);
    CHECK_EQUAL(found[index].rule, rule);
    CHECK_EQUAL(found[index].code, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    CHECK_EQUAL(found[index].parameters[0], 0x0F);
    CHECK_EQUAL(found[index].parameters[1], wdfdma_rule_get_info(rule)->second);
    CHECK_EQUAL(found[index].parameters[2], wdfdma_machine_localize(of->machine, third));
    CHECK_EQUAL(found[index].parameters[3], fourth);
}

/* Under [mode] just [rule] was found, of the byte at [wrong]; or nothing. */
static inline void found_check(const bounced *of, uint32_t rule, uint32_t mode, uint64_t third,
                               uint64_t fourth) {
    bool told = rule != WDFDMA_RULE_NONE && mode != WDFDMA_MODE_IGNORE;
    bool stops = told && mode == WDFDMA_MODE_DEFAULT;
    CHECK_EQUAL(world_rule(of->machine), stops ? rule : WDFDMA_RULE_NONE);
    CHECK_EQUAL(violations_count(of), told);
    if (told) {
        violation_check(of, 0, rule, third, fourth);
    }
    CHECK_MACHINE(of->machine);
}

/* Nothing is left of what was found: the registers are free, and the next transfer is as any. */
static inline void after_check(bounced *of) {
    size_t before = violations_count(of);
    bounced_start(of, READ, LENGTH);
    device_write(of, 0, LENGTH, 0x11);
    bounced_finish(of);
    CHECK_EQUAL(violations_count(of), before);
    CHECK_EQUAL(world_free_registers(of->machine), REGISTERS);
    CHECK_EQUAL(wdfdma_machine_get_state(of->machine)->mappings, 0);
}

static inline void reservation_make(bounced *of, ULONG registers) {
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of->transaction, READ, registers,
                                                    world_reserve_dma, &of->seen),
                 STATUS_SUCCESS);
}

#endif
