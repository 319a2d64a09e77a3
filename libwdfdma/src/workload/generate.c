/* Cases by chance. Numbers are drawn where bugs are: at the edges of pages, small, and now and then
 * anything. */
#include "workload.h"

#include <string.h>

/* SplitMix64: as good at seed 0 as at any. */
uint64_t mix_next(uint64_t *state) {
    uint64_t mixed = *state += 0x9E3779B97F4A7C15ull;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9ull;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBull;
    return mixed ^ mixed >> 31;
}

static uint32_t draw(uint64_t *state, uint32_t below) {
    return (uint32_t)(mix_next(state) % below);
}

static bool draw_one_in(uint64_t *state, uint32_t of) {
    return draw(state, of) == 0;
}

static void world_draw(uint64_t *state, uint8_t *out) {
    out[0] = (uint8_t)draw(state, 8);
    out[1] = (uint8_t)(draw_one_in(state, 2) ? 0 : draw(state, 6));
    out[2] = (uint8_t)draw(state, 4);
    out[3] = (uint8_t)draw_one_in(state, 4);
    out[4] = (uint8_t)draw(state, 256);
    out[5] = 0;
}

static uint32_t length_draw(uint64_t *state) {
    static const uint32_t PAGES[] = {0, 1, 1, 2, 2, 3, 4, 5, 8, 16};
    uint32_t pages = PAGES[draw(state, COUNT_OF(PAGES))];
    switch (draw(state, 4)) {
    case 0:
        return pages * PAGE_BYTES;
    case 1:
        return pages * PAGE_BYTES + 1 + draw(state, 8);
    case 2:
        return 1 + draw(state, 64);
    default:
        return 1 + draw(state, pages * PAGE_BYTES + PAGE_BYTES / 2);
    }
}

static uint32_t offset_draw(uint64_t *state) {
    switch (draw(state, 4)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return PAGE_BYTES - 1 - draw(state, 8);
    default:
        return draw(state, PAGE_BYTES);
    }
}

static void start_draw(uint64_t *state, uint8_t *values) {
    uint32_t mdls = draw_one_in(state, 3) ? draw(state, 4) : 0;
    uint32_t length = length_draw(state);
    uint32_t offset = offset_draw(state);
    length = length == 0 ? 0 : (length - 1) & 0xFFFF;
    values[0] = (uint8_t)(draw(state, 2) | mdls << 1 | draw(state, 4) << 3 |
                          (draw_one_in(state, 24) ? 32u : 0));
    values[1] = (uint8_t)length;
    values[2] = (uint8_t)(length >> 8);
    values[3] = (uint8_t)offset;
    values[4] = (uint8_t)(offset >> 8);
}

static void finish_draw(uint64_t *state, uint8_t *values) {
    values[0] = (uint8_t)draw(state, 4);
    values[1] = (uint8_t)(draw_one_in(state, 2) ? WDFDMA_END_RIGHT : draw(state, WDFDMA_END_COUNT));
    values[2] = (uint8_t)draw(state, 256);
}

static void move_draw(uint64_t *state, uint8_t *out) {
    /* Out of 20: what a driver sees most stands first. */
    static const uint8_t KINDS[] = {WDFDMA_MOVE_START,  WDFDMA_MOVE_START,  WDFDMA_MOVE_START,
                                    WDFDMA_MOVE_START,  WDFDMA_MOVE_START,  WDFDMA_MOVE_START,
                                    WDFDMA_MOVE_FINISH, WDFDMA_MOVE_FINISH, WDFDMA_MOVE_FINISH,
                                    WDFDMA_MOVE_FINISH, WDFDMA_MOVE_FINISH, WDFDMA_MOVE_FINISH,
                                    WDFDMA_MOVE_CANCEL, WDFDMA_MOVE_CANCEL, WDFDMA_MOVE_INTERRUPT,
                                    WDFDMA_MOVE_TAKE,   WDFDMA_MOVE_GIVE,   WDFDMA_MOVE_POWER,
                                    WDFDMA_MOVE_FAULT,  WDFDMA_MOVE_FAST,   WDFDMA_MOVE_ADVANCE};
    memset(out, 0, WDFDMA_CASE_STRIDE);
    out[0] = KINDS[draw(state, COUNT_OF(KINDS))];
    if (out[0] == WDFDMA_MOVE_START) {
        start_draw(state, out + 1);
    } else if (out[0] == WDFDMA_MOVE_FINISH) {
        finish_draw(state, out + 1);
    } else if (out[0] != WDFDMA_MOVE_INTERRUPT && out[0] != WDFDMA_MOVE_GIVE) {
        out[1] = (uint8_t)(draw_one_in(state, 2) ? draw(state, 4) : draw(state, 64));
        out[2] = (uint8_t)draw(state, 8);
        out[3] = (uint8_t)draw(state, 4);
    }
}

size_t wdfdma_workload_generate(uint64_t seed, uint8_t *out) {
    if (out == NULL) {
        return 0;
    }
    uint64_t state = seed;
    uint32_t moves = 2 + draw(&state, draw_one_in(&state, 4) ? WDFDMA_CASE_MOVES - 1 : 12);
    world_draw(&state, out);
    for (uint32_t i = 1; i <= moves; i++) {
        move_draw(&state, out + (size_t)i * WDFDMA_CASE_STRIDE);
    }
    return (size_t)(moves + 1) * WDFDMA_CASE_STRIDE;
}

static size_t move_insert(uint64_t *state, uint8_t *bytes, size_t size, uint32_t at) {
    uint8_t *place = bytes + (size_t)(at + 1) * WDFDMA_CASE_STRIDE;
    if (size + WDFDMA_CASE_STRIDE > WDFDMA_CASE_BYTES) {
        return size;
    }
    memmove(place + WDFDMA_CASE_STRIDE, place, (size_t)(bytes + size - place));
    move_draw(state, place);
    return size + WDFDMA_CASE_STRIDE;
}

static size_t move_remove(uint8_t *bytes, size_t size, uint32_t at) {
    uint8_t *place = bytes + (size_t)(at + 1) * WDFDMA_CASE_STRIDE;
    memmove(place, place + WDFDMA_CASE_STRIDE, (size_t)(bytes + size - place) - WDFDMA_CASE_STRIDE);
    return size - WDFDMA_CASE_STRIDE;
}

size_t wdfdma_workload_mutate(uint64_t seed, uint8_t *bytes, size_t size) {
    if (bytes == NULL || size > WDFDMA_CASE_BYTES) {
        return size;
    }
    uint64_t state = seed;
    uint32_t changes = 1 + draw(&state, 4);
    /* To whole moves, of which there is at least one. */
    uint32_t moves = wdfdma_workload_count_moves(bytes, size);
    size_t whole = (size_t)((moves == 0 ? 1 : moves) + 1) * WDFDMA_CASE_STRIDE;
    if (size < whole) {
        memset(bytes + size, 0, whole - size);
    }
    size = whole;
    for (uint32_t i = 0; i < changes; i++) {
        moves = wdfdma_workload_count_moves(bytes, size);
        uint32_t at = draw(&state, moves);
        switch (draw(&state, 5)) {
        case 0:
            bytes[draw(&state, (uint32_t)size)] = (uint8_t)draw(&state, 256);
            break;
        case 1:
            move_draw(&state, bytes + (size_t)(at + 1) * WDFDMA_CASE_STRIDE);
            break;
        case 2:
            world_draw(&state, bytes);
            break;
        case 3:
            size = moves > 1 ? move_remove(bytes, size, at) : size;
            break;
        default:
            size = move_insert(&state, bytes, size, at);
            break;
        }
    }
    return size;
}
