/* The HAL's opening, its check, and the bug check that is its own. */
#include "hal.h"

size_t hal_get_bytes(const wdfdma_machine_config *config) {
    return size_round_up(sizeof(hal), 64) + pool_get_bytes(config->map_registers);
}

void hal_open(wdfdma_machine *machine) {
    pool_open(machine, (uint8_t *)hal_of(machine) + size_round_up(sizeof(hal), 64));
}

bool hal_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    return pool_check(machine, out) && channel_check(machine, out) && mapping_check(machine, out);
}
