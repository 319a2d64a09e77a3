/* The bytes of a case: every string of bytes is one. A 0 is the simplest of what a byte can say. */
#include "workload.h"

#include <stdio.h>
#include <string.h>

static uint8_t byte_at(const uint8_t *bytes, size_t size, size_t at) {
    return at < size ? bytes[at] : 0;
}

static const uint32_t REGISTERS[] = {64, 32, 16, 8, 6, 4, 3, 128};
static const uint32_t ADAPTER_REGISTERS[] = {UINT32_MAX, 17, 8, 4, 3, 2};
static const uint32_t ADDRESS_BITS[] = {36, 32, 40, 48};

case_world case_read_world(const uint8_t *bytes, size_t size) {
    return (case_world){
        .map_registers = REGISTERS[byte_at(bytes, size, 0) % COUNT_OF(REGISTERS)],
        .registers_per_adapter =
            ADAPTER_REGISTERS[byte_at(bytes, size, 1) % COUNT_OF(ADAPTER_REGISTERS)],
        .physical_address_bits = ADDRESS_BITS[byte_at(bytes, size, 2) % COUNT_OF(ADDRESS_BITS)],
        .force_map_registers = byte_at(bytes, size, 3) % 2 != 0,
        .revision = byte_at(bytes, size, 4),
    };
}

uint32_t wdfdma_workload_count_moves(const uint8_t *bytes, size_t size) {
    if (bytes == NULL || size <= WDFDMA_CASE_STRIDE) {
        return 0;
    }
    size_t moves = (size - 1) / WDFDMA_CASE_STRIDE;
    return moves < WDFDMA_CASE_MOVES ? (uint32_t)moves : WDFDMA_CASE_MOVES;
}

case_move case_read_move(const uint8_t *bytes, size_t size, uint32_t index) {
    size_t at = (size_t)(index + 1) * WDFDMA_CASE_STRIDE;
    case_move move = {.kind = byte_at(bytes, size, at) % WDFDMA_MOVE_COUNT};
    for (size_t i = 0; i < sizeof move.values; i++) {
        move.values[i] = byte_at(bytes, size, at + 1 + i);
    }
    return move;
}

/* Bit 0: a write; bits 1 and 2: MDLs less 1; bits 3 and 4: the layout; bit 5: no buffer. */
case_request case_read_request(const case_move *move) {
    const uint8_t *values = move->values;
    case_request request = {
        .is_write = (values[0] & 1) != 0,
        .mdls = 1 + (values[0] >> 1 & 3u),
        .layout = values[0] >> 3 & 3u,
        .length = (values[0] & 32) != 0 ? 0 : 1 + (uint64_t)(values[1] | values[2] << 8),
        .byte_offset = (uint32_t)(values[3] | values[4] << 8) % PAGE_BYTES,
    };
    if (request.mdls > request.length) {
        request.mdls = 1;
    }
    return request;
}

bool wdfdma_workload_get_config(const uint8_t *bytes, size_t size, wdfdma_machine_config *config) {
    if ((bytes == NULL && size != 0) || config == NULL) {
        return false;
    }
    case_world world = case_read_world(bytes, size);
    config->map_registers = world.map_registers;
    config->registers_per_adapter = world.registers_per_adapter;
    config->physical_address_bits = world.physical_address_bits;
    config->force_map_registers = world.force_map_registers;
    config->verifier = true;
    return true;
}

static int world_describe(const uint8_t *bytes, size_t size, char *out, size_t capacity) {
    case_world world = case_read_world(bytes, size);
    char adapter[32] = "";
    if (world.registers_per_adapter != UINT32_MAX) {
        snprintf(adapter, sizeof adapter, ", %u for an adapter",
                 (unsigned)world.registers_per_adapter);
    }
    return snprintf(out, capacity, "%u map registers%s, addresses of %u bits%s, revision 0x%02X",
                    (unsigned)world.map_registers, adapter, (unsigned)world.physical_address_bits,
                    world.force_map_registers ? ", everything bounces" : "",
                    (unsigned)world.revision);
}

static int start_describe(const case_move *move, char *out, size_t capacity) {
    static const char *const LAYOUTS[] = {"", ", pages with gaps", ", pages above 4 GiB",
                                          ", every second page above 4 GiB"};
    case_request request = case_read_request(move);
    if (request.length == 0) {
        return snprintf(out, capacity, "start a %s of no bytes",
                        request.is_write ? "write" : "read");
    }
    return snprintf(out, capacity, "start a %s of %llu bytes at offset %u in %u MDL%s%s",
                    request.is_write ? "write" : "read", (unsigned long long)request.length,
                    (unsigned)request.byte_offset, (unsigned)request.mdls,
                    request.mdls == 1 ? "" : "s", LAYOUTS[request.layout]);
}

static int finish_describe(const case_move *move, char *out, size_t capacity) {
    static const char *const ENDINGS[WDFDMA_END_COUNT] = {
        "ends, all bytes moved",           "ends short",
        "ends, the device having no more", "fails",
        "ends without an interrupt",       "ends with two interrupts",
        "goes on for some bytes"};
    uint32_t ending = move->values[1] % WDFDMA_END_COUNT;
    bool is_part = ending == WDFDMA_END_SHORT || ending == WDFDMA_END_NO_MORE ||
                   ending == WDFDMA_END_FAILED || ending == WDFDMA_END_NOT_YET;
    char part[32] = "";
    if (is_part) {
        snprintf(part, sizeof part, ", %u/256 of them", (unsigned)move->values[2]);
    }
    return snprintf(out, capacity, "the %u. channel at work %s%s", 1u + move->values[0],
                    ENDINGS[ending], part);
}

static int move_describe(const case_move *move, char *out, size_t capacity) {
    switch (move->kind) {
    case WDFDMA_MOVE_START:
        return start_describe(move, out, capacity);
    case WDFDMA_MOVE_FINISH:
        return finish_describe(move, out, capacity);
    case WDFDMA_MOVE_CANCEL:
        return snprintf(out, capacity, "cancel the %u. request that is not completed",
                        1u + move->values[0]);
    case WDFDMA_MOVE_INTERRUPT:
        return snprintf(out, capacity, "an interrupt");
    case WDFDMA_MOVE_TAKE:
        return snprintf(out, capacity, "another driver asks for %u map registers",
                        1u + move->values[0] % 64u);
    case WDFDMA_MOVE_GIVE:
        return snprintf(out, capacity, "the other driver gives its map registers back");
    case WDFDMA_MOVE_POWER:
        return snprintf(out, capacity, "the device leaves D0, or enters it again");
    case WDFDMA_MOVE_FAULT:
        return snprintf(out, capacity, "%s will fail, the %u. time", fault_name(move->values[0]),
                        1u + move->values[2] % 4u);
    case WDFDMA_MOVE_FAST:
        return snprintf(out, capacity, "what is started next ends at once");
    default:
        return snprintf(out, capacity, "%u ms go by", 1u + move->values[0]);
    }
}

size_t wdfdma_workload_describe(const uint8_t *bytes, size_t size, uint32_t index, char *out,
                                size_t capacity) {
    if ((bytes == NULL && size != 0) || (out == NULL && capacity != 0)) {
        return 0;
    }
    if (index == UINT32_MAX) {
        return (size_t)world_describe(bytes, size, out, capacity);
    }
    if (index >= wdfdma_workload_count_moves(bytes, size)) {
        return 0;
    }
    case_move move = case_read_move(bytes, size, index);
    return (size_t)move_describe(&move, out, capacity);
}
