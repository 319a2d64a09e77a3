/* A device that is short, silent, late, twice or wrong: its accesses, and the ends of the system DMA
 * controller's transfers. What the moves mean where it obeys is in device.c and system.c. */
#include "device.h"

enum {
    PART_BYTES = 256
};

/* A late read comes to nobody, and still asks for memory that may be no longer the device's. */
static void access_come(wdfdma_machine *machine, const late_move *late) {
    const device_move move = {
        .address = late->address,
        .data = late->op == WDFDMA_OP_DEVICE_WRITE ? (const uint8_t *)(late + 1) : NULL,
        .bytes = late->length};
    device_access(machine, &move, true);
}

static void access_put_off(wdfdma_machine *machine, const device_move *move) {
    const late_move late = {.make = access_come,
                            .op = machine->state.op,
                            .address = move->address,
                            .length = move->bytes};
    late_add(machine, &late, move->data);
}

/* The same with each byte its complement. */
static void access_spoil(wdfdma_machine *machine, const device_move *move) {
    uint8_t spoiled[PART_BYTES];
    if (move->data == NULL) {
        device_copy(machine, move);
        for (size_t i = 0; i < move->bytes; i++) {
            move->out[i] = (uint8_t)~move->out[i];
        }
        return;
    }
    for (size_t done = 0; done < move->bytes;) {
        size_t left = move->bytes - done;
        size_t here = left < PART_BYTES ? left : PART_BYTES;
        for (size_t i = 0; i < here; i++) {
            spoiled[i] = (uint8_t)~move->data[done + i];
        }
        const device_move part = {.address = move->address + done, .data = spoiled, .bytes = here};
        device_copy(machine, &part);
        done += here;
    }
}

void device_copy_or_fail(wdfdma_machine *machine, const device_move *move) {
    device_move half = *move;
    half.bytes /= 2;
    switch (device_behave(machine, machine->state.op,
                          half.bytes == 0 ? BEHAVIOURS_WHOLE : BEHAVIOURS_ALL)) {
    case WDFDMA_DEVICE_SHORT:
        device_copy(machine, &half);
        break;
    case WDFDMA_DEVICE_SILENT:
        break;
    case WDFDMA_DEVICE_LATE:
        access_put_off(machine, move);
        break;
    case WDFDMA_DEVICE_TWICE:
        device_copy(machine, move);
        access_put_off(machine, move);
        break;
    case WDFDMA_DEVICE_WRONG:
        access_spoil(machine, move);
        break;
    default:
        device_copy(machine, move);
        break;
    }
}

/* The adapter may be gone by then, its transfer be over, or another one run. */
static void controller_come(wdfdma_machine *machine, const late_move *late) {
    object *found = object_find(machine, late->address);
    if (found != NULL && found->type == WDFDMA_OBJECT_ADAPTER) {
        ddi_call call;
        ddi_begin(&call, machine, WDFDMA_OP_COMPLETE_TRANSFER);
        controller_complete(machine, (adapter *)found, DmaComplete);
        ddi_leave(&call);
    }
}

bool controller_complete_or_fail(wdfdma_machine *machine, adapter *by) {
    uint64_t handle = by->head.handle;
    const late_move late = {
        .make = controller_come, .op = WDFDMA_OP_COMPLETE_TRANSFER, .address = handle};
    if (by->controller == NULL) {
        return false;
    }
    switch (device_behave(machine, WDFDMA_OP_COMPLETE_TRANSFER, BEHAVIOURS_ALL)) {
    case WDFDMA_DEVICE_SHORT:
        return controller_complete(machine, by, DmaAborted);
    case WDFDMA_DEVICE_SILENT:
        return false;
    case WDFDMA_DEVICE_LATE:
        late_add(machine, &late, NULL);
        return false;
    case WDFDMA_DEVICE_TWICE:
        controller_complete(machine, by, DmaComplete);
        if (!machine->state.halted && by->head.handle == handle) {
            controller_complete(machine, by, DmaComplete);
        }
        return true;
    case WDFDMA_DEVICE_WRONG:
        return controller_complete(machine, by, DmaError);
    default:
        return controller_complete(machine, by, DmaComplete);
    }
}
