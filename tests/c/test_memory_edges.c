/* Physical memory at the edges: which frames are chosen, what comes back, what is left when memory runs out
 * in the middle of a call. */
#include "world.h"

enum {
    PAGES = 60 /* more than the tables of pages begin with room for */
};

static NTSTATUS mdl_try(wdfdma_machine *machine, uint64_t pages, const uint64_t *frames,
                        PMDL *out) {
    const wdfdma_mdl_config config = {0, (uint32_t)(pages * WORLD_PAGE), frames,
                                      frames == NULL ? 0 : (size_t)pages};
    return wdfdma_mdl_create(machine, &config, out);
}

/* The first frame of a buffer of [pages] pages that is made now. */
static uint64_t frame_choose(wdfdma_machine *machine, uint32_t pages) {
    PMDL made = world_mdl(machine, 0, pages * WORLD_PAGE, NULL);
    uint64_t first = made == NULL ? 0 : MmGetMdlPfnArray(made)[0];
    CHECK_STATUS(wdfdma_mdl_destroy(machine, made), STATUS_SUCCESS);
    return first;
}

/* ---- Which frames ---- */

/* Behind the registers' addresses, unless these take up half of what 32 bits reach. */
TEST(frames_begin_behind_the_registers) {
    static const struct {
        uint32_t registers;
        uint64_t first;
    } rows[] = {{0, 256}, {64, 320}, {524031, 524287}, {524032, 1}, {524033, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdfdma_machine_config config = world_config(rows[i].registers);
        wdfdma_machine *machine = harness_machine(&config);
        CHECK_EQUAL(frame_choose(machine, 2), rows[i].first);
        CHECK_EQUAL(frame_choose(machine, 1), rows[i].first + 2);
        harness_machine_end(machine);
    }
}

/* From the last one on, then from behind the registers, then from the start. */
TEST(frames_are_found_where_there_are_some) {
    wdfdma_machine_config config = world_config(2);
    config.physical_address_bits = 21; /* 512 frames */
    wdfdma_machine *machine = harness_machine(&config);
    PMDL held = NULL, more = NULL;
    CHECK_EQUAL(frame_choose(machine, 200), 258);
    CHECK_EQUAL(frame_choose(machine, 54), 458); /* up to the last */
    CHECK_EQUAL(frame_choose(machine, 1), 258);
    CHECK_EQUAL(frame_choose(machine, 255), 1);
    CHECK_STATUS(mdl_try(machine, 254, NULL, &held), STATUS_SUCCESS);
    CHECK_EQUAL(MmGetMdlPfnArray(held)[0], 258);
    CHECK_EQUAL(frame_choose(machine, 257), 1);
    CHECK_STATUS(mdl_try(machine, 258, NULL, &more), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(mdl_try(machine, 257, NULL, &more), STATUS_SUCCESS);
    PMDL none = NULL;
    CHECK_STATUS(mdl_try(machine, 1, NULL, &none), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(mdl_try(machine, 1, (const uint64_t[]){0}, &none), STATUS_SUCCESS);
}

/* None that the machine's addresses do not have, wherever in a buffer. */
TEST(every_frame_is_looked_at) {
    wdfdma_machine *machine = harness_machine(NULL);
    for (size_t wrong = 0; wrong <= 3; wrong++) {
        uint64_t frames[] = {1, (1u << 24) - 1, 3};
        PMDL made = NULL;
        if (wrong < 3) {
            frames[wrong] = 1u << 24;
        }
        CHECK_STATUS(mdl_try(machine, 3, frames, &made),
                     wrong < 3 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS);
    }
}

/* ---- What goes, and comes back ---- */

/* Where a page lay there is none any more, whichever of its buffer it was. */
TEST(memory_that_is_gone_is_no_buffer) {
    for (size_t page = 0; page < 3; page++) {
        wdfdma_machine *machine = harness_machine(NULL);
        PMDL before = world_mdl(machine, 0, 3 * WORLD_PAGE, NULL);
        PMDL gone = world_mdl(machine, 0, 3 * WORLD_PAGE, NULL);
        uint8_t *living = wdfdma_mdl_get_bytes(machine, before);
        uint8_t *dead = wdfdma_mdl_get_bytes(machine, gone);
        PMDL mine = IoAllocateMdl(living + page * WORLD_PAGE, 10, FALSE, FALSE, NULL);
        PMDL late = IoAllocateMdl(dead + page * WORLD_PAGE, 10, FALSE, FALSE, NULL);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, gone), STATUS_SUCCESS);
        MmBuildMdlForNonPagedPool(mine);
        CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
        CHECK_EQUAL(MmGetMdlPfnArray(mine)[0], MmGetMdlPfnArray(before)[page]);
        MmBuildMdlForNonPagedPool(late);
        CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_INVALID_MDL);
        harness_machine_end(machine);
    }
}

/* Freed pages are taken again, each by one buffer: in whatever order they went, and none is forgotten. */
TEST(freed_pages_are_taken_again) {
    static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL held[3];
    size_t used = 0;
    for (int round = 0; round < 12; round++) {
        const int *order = orders[round % 4];
        for (int i = 0; i < 3; i++) {
            held[i] = world_mdl(machine, 0, 4 * WORLD_PAGE, NULL);
            const uint8_t *zeros = wdfdma_mdl_get_bytes(machine, held[i]);
            CHECK(zeros[0] == 0 && memcmp(zeros, zeros + 1, 4 * WORLD_PAGE - 1) == 0);
            memset(wdfdma_mdl_get_bytes(machine, held[i]), i + 1, 4 * WORLD_PAGE);
        }
        for (int i = 0; i < 3; i++) {
            const uint8_t *bytes = wdfdma_mdl_get_bytes(machine, held[i]);
            CHECK_EQUAL(bytes[0], i + 1);
            CHECK_EQUAL(bytes[4 * WORLD_PAGE - 1], i + 1);
        }
        used = round == 0 ? wdfdma_machine_get_used_bytes(machine) : used;
        for (int i = 0; i < 3; i++) {
            CHECK_STATUS(wdfdma_mdl_destroy(machine, held[order[i]]), STATUS_SUCCESS);
            if (round % 2 != 0 && i < 2) { /* and between them, too */
                frame_choose(machine, 4);
            }
        }
    }
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(machine), used);
}

/* ---- Where memory runs out ---- */

/* A machine with as little memory as there may be, full of buffers of [pages] pages. */
static size_t machine_fill(wdfdma_machine *machine, uint64_t pages, PMDL *held, size_t most) {
    size_t count = 0;
    while (count < most && mdl_try(machine, pages, NULL, &held[count]) == STATUS_SUCCESS) {
        count++;
    }
    CHECK(count > 1 && count < most);
    return count;
}

static wdfdma_machine *machine_open_small(void) {
    wdfdma_machine_config config = world_config(16);
    config.reserve_bytes = UINT64_C(16) << 20;
    return harness_machine(&config);
}

TEST(full_memory_has_room_for_what_went) {
    wdfdma_machine *machine = machine_open_small();
    PMDL held[64], none = NULL;
    size_t count = machine_fill(machine, 256, held, 64);
    for (size_t i = 0; i < count; i++) {
        CHECK_STATUS(wdfdma_mdl_destroy(machine, held[i]), STATUS_SUCCESS);
        CHECK_STATUS(mdl_try(machine, 250, NULL, &held[i]), STATUS_SUCCESS);
        CHECK_STATUS(mdl_try(machine, 256, NULL, &none), STATUS_INSUFFICIENT_RESOURCES);
    }
    CHECK(none == NULL);
    CHECK_MACHINE(machine);
}

/* Where no page is given any more there is none. */
TEST(memory_is_had_to_the_last_page) {
    wdfdma_machine *machine = machine_open_small();
    PMDL held[64], made = NULL;
    machine_fill(machine, 256, held, 64);
    for (uint64_t pages = 128; pages != 0; pages /= 2) {
        while (mdl_try(machine, pages, NULL, &made) == STATUS_SUCCESS) {
        }
    }
    CHECK_STATUS(mdl_try(machine, 1, (const uint64_t[]){1000000}, &made),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_MACHINE(machine);
}

/* What does not fit changes nothing: not even which frames are chosen next. */
TEST(what_does_not_fit_leaves_no_trace) {
    uint64_t next[2];
    for (int tries = 0; tries < 2; tries++) {
        wdfdma_machine *machine = machine_open_small();
        PMDL held[64], none = NULL;
        uint64_t frames[256];
        for (uint64_t i = 0; i < 256; i++) {
            frames[i] = 1000000 + i;
        }
        size_t count = machine_fill(machine, 256, held, 64);
        wdfdma_machine_state before = *wdfdma_machine_get_state(machine);
        for (int i = 0; i < 3 && tries != 0; i++) {
            CHECK_STATUS(mdl_try(machine, 512, NULL, &none), STATUS_INSUFFICIENT_RESOURCES);
            CHECK_STATUS(mdl_try(machine, 1u << 19, NULL, &none), STATUS_INSUFFICIENT_RESOURCES);
            CHECK_STATUS(mdl_try(machine, 256, frames, &none), STATUS_INSUFFICIENT_RESOURCES);
        }
        CHECK_BYTES(wdfdma_machine_get_state(machine)->objects, before.objects,
                    sizeof before.objects);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, held[count - 1]), STATUS_SUCCESS);
        next[tries] = frame_choose(machine, 256);
    }
    CHECK_EQUAL(next[1], next[0]);
}

/* Nothing of the pages behind [before] is memory that a driver could describe. */
static void check_nothing_behind(wdfdma_machine *machine, PMDL before) {
    uint8_t *end = (uint8_t *)wdfdma_mdl_get_bytes(machine, before) + WORLD_PAGE;
    for (size_t page = 0; page < PAGES; page++) {
        wdfdma_snapshot *now = world_snapshot(machine);
        PMDL mine = IoAllocateMdl(end + page * WORLD_PAGE, 10, FALSE, FALSE, NULL);
        MmBuildMdlForNonPagedPool(mine);
        CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_INVALID_MDL);
        CHECK_STATUS(wdfdma_machine_restore(machine, now), STATUS_SUCCESS);
        wdfdma_snapshot_destroy(now);
    }
}

/* Each allocation of a call fails once: the same frames serve the next one, and are zero. */
TEST(frames_are_not_half_alive) {
    uint32_t refused = 0;
    for (uint64_t n = 1; n < 12; n++) {
        wdfdma_machine *machine = harness_machine(NULL);
        uint64_t frames[PAGES];
        PMDL made = NULL, again = NULL, before = world_mdl(machine, 0, WORLD_PAGE, NULL);
        for (uint64_t i = 0; i < PAGES; i++) {
            frames[i] = 5000 + 3 * i;
        }
        CHECK_STATUS(wdfdma_machine_fail_allocation(machine, n), STATUS_SUCCESS);
        NTSTATUS status = mdl_try(machine, PAGES, frames, &made);
        CHECK_STATUS(wdfdma_machine_fail_allocation(machine, 0), STATUS_SUCCESS);
        if (status != STATUS_SUCCESS) {
            refused++;
            CHECK_STATUS(status, STATUS_INSUFFICIENT_RESOURCES);
            CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MDL], 1);
            CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MEMORY], 1);
            check_nothing_behind(machine, before);
            CHECK_STATUS(mdl_try(machine, PAGES, frames, &made), STATUS_SUCCESS);
        }
        REQUIRE(made != NULL);
        CHECK(wdfdma_mdl_get_bytes(machine, made) != NULL); /* one after another */
        for (uint64_t i = 0; i < PAGES; i++) {
            uint8_t byte = 0x55;
            CHECK_STATUS(wdfdma_mdl_read(machine, made, i * WORLD_PAGE, &byte, 1), STATUS_SUCCESS);
            CHECK_EQUAL(byte, 0);
            CHECK_STATUS(wdfdma_mdl_write(machine, made, i * WORLD_PAGE, &(uint8_t){1}, 1),
                         STATUS_SUCCESS);
        }
        CHECK_STATUS(mdl_try(machine, PAGES, frames, &again), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, made), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, again), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, before), STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MEMORY], 0);
        harness_machine_end(machine);
    }
    CHECK(refused >= 5);
}

/* An MDL is its header and its frames, twice. */
TEST(an_mdl_costs_what_it_holds) {
    for (uint32_t pages = 100; pages < 20000; pages = pages * 5 / 4) {
        wdfdma_machine *machine = harness_machine(NULL);
        size_t before = wdfdma_machine_get_used_bytes(machine);
        REQUIRE(IoAllocateMdl(NULL, pages * WORLD_PAGE, FALSE, FALSE, NULL) != NULL);
        size_t cost = wdfdma_machine_get_used_bytes(machine) - before;
        size_t held = sizeof(MDL) + 16 * (size_t)pages + 16;
        CHECK(cost >= held);
        CHECK(cost < held / 2 * 3 + 512); /* a block of the next size, and the object */
        harness_machine_end(machine);
    }
}

HARNESS_MAIN(ENTRY(frames_begin_behind_the_registers), ENTRY(frames_are_found_where_there_are_some),
             ENTRY(every_frame_is_looked_at), ENTRY(memory_that_is_gone_is_no_buffer),
             ENTRY(freed_pages_are_taken_again), ENTRY(full_memory_has_room_for_what_went),
             ENTRY(memory_is_had_to_the_last_page), ENTRY(what_does_not_fit_leaves_no_trace),
             ENTRY(frames_are_not_half_alive), ENTRY(an_mdl_costs_what_it_holds))
