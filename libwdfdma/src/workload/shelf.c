/* Machines that serve case after case: a fresh machine is the same as one taken back to its beginning,
 * and dearer. One for each size of the pool; the other settings are looked at when adapters and pages are
 * made, not before. */
#include "workload.h"

static wdfdma_machine *place_fill(shelf_place *place, const wdfdma_machine_config *config) {
    if (!NT_SUCCESS(wdfdma_machine_create(config, &place->machine))) {
        place->machine = NULL;
    } else if (!NT_SUCCESS(wdfdma_snapshot_create(place->machine, &place->beginning))) {
        wdfdma_machine_destroy(place->machine);
        place->machine = NULL;
    }
    return place->machine;
}

static wdfdma_machine *shelf_take(machine_shelf *shelf, const wdfdma_machine_config *config) {
    for (uint32_t i = 0; i < SHELF_PLACES; i++) {
        shelf_place *place = &shelf->places[i];
        if (place->machine == NULL) {
            return place_fill(place, config);
        }
        if (place->machine->config.map_registers == config->map_registers) {
            return NT_SUCCESS(wdfdma_machine_restore(place->machine, place->beginning))
                       ? place->machine
                       : NULL;
        }
    }
    return NULL;
}

NTSTATUS shelf_run(machine_shelf *shelf, const wdfdma_case_target *target, const uint8_t *bytes,
                   size_t size, wdfdma_workload_result *out) {
    if (target->runner != NULL) {
        return target->runner(bytes, size, out, target->runner_context);
    }
    wdfdma_machine_config config;
    wdfdma_machine_config_init(&config);
    if (!wdfdma_workload_get_config(bytes, size, &config)) {
        return STATUS_INVALID_PARAMETER;
    }
    wdfdma_machine *before = wdfdma_machine_current();
    wdfdma_machine *machine = shelf_take(shelf, &config);
    if (machine == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    machine->config.registers_per_adapter = config.registers_per_adapter;
    machine->config.physical_address_bits = config.physical_address_bits;
    machine->config.force_map_registers = config.force_map_registers;
    NTSTATUS status = STATUS_SUCCESS;
    if (wdfdma_machine_get_coverage(machine) != target->coverage) {
        status = wdfdma_machine_set_coverage(machine, target->coverage);
    }
    if (NT_SUCCESS(status)) {
        status = wdfdma_workload_run(machine, target->driver, bytes, size, out);
    }
    wdfdma_machine_use(before);
    return status;
}

void shelf_end(machine_shelf *shelf) {
    for (uint32_t i = 0; i < SHELF_PLACES; i++) {
        wdfdma_machine_destroy(shelf->places[i].machine);
        wdfdma_snapshot_destroy(shelf->places[i].beginning);
        shelf->places[i] = (shelf_place){0};
    }
}
