/* What a device does to memory, by itself and as the plan of faults has it, and how it is found that nobody else
 * wrote to its map registers. */
#ifndef WDFDMA_HAL_DEVICE_H
#define WDFDMA_HAL_DEVICE_H

#include "hal.h"

/* device.c: the device's accesses */
/* Takes what the index has of [gone] out of it. */
NO_INLINE void mapping_unindex(wdfdma_machine *machine, mapping *gone);
/* A run of registers is freed: what is remembered of the device's use of them is of the past. */
void device_note_freed(wdfdma_machine *machine, uint32_t base, uint32_t count);
uint8_t *register_get_page(wdfdma_machine *machine, uint32_t index);
/* Of the mappings that a device has looked for: one that goes through a register, or NULL. */
const mapping *register_get_mapping(const wdfdma_machine *machine, uint32_t index);
/* The next bytes of a register, from [begin] on, that none of them covers; false where there are no
 * more. */
bool register_find_gap(const wdfdma_machine *machine, uint32_t index, uint32_t *begin,
                       uint32_t *end);

/* One access of the device. [out] and [data] NULL: a read whose bytes nobody wants. */
typedef struct device_move {
    uint64_t address;
    uint8_t *out;
    const uint8_t *data; /* of a write */
    size_t bytes;
} device_move;
/* [obeys]: no fault is asked. */
NTSTATUS device_access(wdfdma_machine *machine, const device_move *move, bool obeys);
/* Copies what is allowed. */
void device_copy(wdfdma_machine *machine, const device_move *move);

/* device_faults.c: the same as the plan of faults has it */
COLD void device_copy_or_fail(wdfdma_machine *machine, const device_move *move);
/* True where a transfer ran, and its completion routine has run. */
bool controller_complete_or_fail(wdfdma_machine *machine, adapter *by);

/* guard.c: what nobody may write to */
/* True where some register is filled: otherwise there is nothing to check. */
static inline bool guards_lie(const wdfdma_machine *machine) {
    return hal_of(machine)->filled.count != 0;
}
/* Fills what nothing is mapped through of a register that a device is about to use all the same. */
void guard_fill(wdfdma_machine *machine, uint32_t index);
/* The registers of these that nothing is mapped through. Returns how many were written to and are
 * not ignored; the machine may have halted over the first. */
COLD size_t guard_check_unused(wdfdma_machine *machine, uint32_t base, uint32_t count);
/* What [used] leaves of its registers. */
COLD void guard_check_around(wdfdma_machine *machine, const mapping *used, const object *concerned);

#endif
