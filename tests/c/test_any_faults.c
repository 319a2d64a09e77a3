/* Whatever a plan of faults says, the machine holds. */
#include "controller.h"

enum {
    ROUNDS = 20000,
    MOST_PLANNED = 12
};

/* Any fault, most of them none; what is taken has a chance, or a place soon to come. */
static void plan_anything(wdfdma_machine *machine, uint64_t *random) {
    static const uint32_t ops[] = {0, 4, 15, 23, 44, 45, 46, UINT32_MAX};
    static const uint32_t chances[] = {1, 50, 300, 1000, 1001, UINT32_MAX};
    uint32_t drawn = world_random_below(random, 2 * WDFDMA_FAULT_KIND_COUNT);
    uint32_t kind = drawn > WDFDMA_FAULT_KIND_COUNT ? (uint32_t)WDFDMA_FAULT_DEVICE : drawn;
    bool by_chance = world_random_below(random, 2) == 0;
    const wdfdma_fault fault = {
        .kind = kind,
        .op = kind == WDFDMA_FAULT_MAP
                  ? 0
                  : ops[world_random_below(random, 2) * world_random_below(random, 8)],
        .routine = world_random_below(random, 4) == 0 ? world_random_below(random, 30) : 0,
        .behaviour = kind == WDFDMA_FAULT_DEVICE ? world_random_below(random, 7) : 0,
        .nth = by_chance ? 0 : 1 + world_random_below(random, 20),
        .per_mille = by_chance ? chances[world_random_below(random, 6)] : 0,
        .seed = world_random(random),
        .status = kind == WDFDMA_FAULT_CALL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS,
        .hits = UINT64_MAX,
        .met = UINT64_MAX};
    NTSTATUS status = wdfdma_machine_add_fault(machine, &fault);
    CHECK(status == STATUS_SUCCESS || status == STATUS_INVALID_PARAMETER);
}

/* One thing that a device or its driver does. */
static void anything_do(const controller *of, PMDL mdl, uint64_t *random) {
    uint8_t bytes[300];
    NTSTATUS status;
    uint64_t address = WORLD_REGISTERS_ADDRESS + world_random_below(random, 3 * WORLD_PAGE);
    size_t length = world_random_below(random, sizeof bytes);
    switch (world_random_below(random, 4)) {
    case 0:
        memset(bytes, 0x5A, sizeof bytes);
        wdfdma_device_write(of->world.machine, address, bytes, length);
        return;
    case 1:
        wdfdma_device_read(of->world.machine, address, bytes, length);
        return;
    case 2:
        controller_end(of);
        return;
    default:
        break;
    }
    switch (world_state(of->transaction)) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
        world_initialize(of->transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE);
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(of->transaction, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        WdfDmaTransactionDmaCompleted(of->transaction, &status);
        break;
    default:
        WdfDmaTransactionRelease(of->transaction);
        break;
    }
}

TEST(the_machine_holds_whatever_is_planned) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = true;
    controller of = {.world = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem,
                                                                  .maximum_length = WORLD_PAGE})};
    wdfdma_machine *machine = of.world.machine;
    PMDL mdl = world_mdl(machine, 0, 2 * WORLD_PAGE, NULL);
    uint64_t random = 77;
    uint64_t late = 0;
    uint64_t hits = 0;
    completion_completes = true;
    completion_deletes = NULL;
    of.transaction = world_transaction(of.world.enabler);
    WdfDmaTransactionSetTransferCompleteCallback(of.transaction, on_end, NULL);
    wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
    wdfdma_snapshot *start = world_snapshot(machine);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count;
        const wdfdma_fault *faults = wdfdma_machine_get_faults(machine, &count);
        for (size_t i = 0; i < count; i++) {
            hits += faults[i].hits;
        }
        if (wdfdma_machine_get_state(machine)->halted || world_random_below(&random, 100) == 0) {
            CHECK_STATUS(wdfdma_machine_restore(machine, start), STATUS_SUCCESS);
        } else if (count < MOST_PLANNED) {
            plan_anything(machine, &random);
        }
        anything_do(&of, mdl, &random);
        late += wdfdma_machine_count_late(machine);
    }
    CHECK(hits > 1000 && late > 100);
    wdfdma_snapshot_destroy(start);
}

HARNESS_MAIN(ENTRY(the_machine_holds_whatever_is_planned))
