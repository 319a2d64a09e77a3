/* The pool of map registers, through reservations: against a naive bitmap, and its queues. */
#include "world.h"

enum {
    HELD_MOST = 300,
    WAITERS = 100000
};

/* ---- Against a naive bitmap ---- */

typedef struct naive_run {
    WDFDMATRANSACTION transaction;
    uint32_t base;
    uint32_t count;
} naive_run;

typedef struct naive_pool {
    world world;
    uint8_t *held; /* one byte for each register */
    uint32_t registers;
    uint32_t free;
    naive_run runs[HELD_MOST];
    uint32_t run_count;
    uint64_t random;
} naive_pool;

/* The lowest run of [count] free registers, or the number of registers where there is none. */
static uint32_t naive_find(const naive_pool *of, uint32_t count) {
    uint32_t run = 0;
    for (uint32_t i = 0; i < of->registers; i++) {
        run = of->held[i] ? 0 : run + 1;
        if (run == count) {
            return i + 1 - count;
        }
    }
    return of->registers;
}

static void naive_open(naive_pool *out, uint32_t registers, uint64_t seed) {
    wdfdma_machine_config config = world_config(registers);
    world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    profile.maximum_length = (size_t)registers * WORLD_PAGE;
    memset(out, 0, sizeof *out);
    out->world = world_open(&config, profile);
    out->held = calloc(registers, 1);
    out->registers = registers;
    out->free = registers;
    out->random = seed;
}

/* A length: mostly short, some about a word, some far longer. */
static uint32_t naive_choose(naive_pool *of) {
    uint32_t most = 8;
    switch (world_random_below(&of->random, 8)) {
    case 0:
        most = 70;
        break;
    case 1:
        most = of->registers / 4;
        break;
    case 2:
        return 64;
    default:
        break;
    }
    uint32_t count = 1 + world_random_below(&of->random, most == 0 ? 1 : most);
    return count > of->registers ? of->registers : count;
}

static void naive_take(naive_pool *of) {
    uint32_t count = naive_choose(of);
    uint32_t expected = naive_find(of, count);
    WDFDMATRANSACTION transaction = world_transaction(of->world.enabler);
    WdfDmaTransactionSetImmediateExecution(transaction, TRUE);
    NTSTATUS status = WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                         count, world_reserve_dma, NULL);
    if (expected == of->registers) {
        CHECK_STATUS(status, STATUS_INSUFFICIENT_RESOURCES);
        WdfObjectDelete(transaction);
        return;
    }
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_EQUAL(world_info(transaction).first_register, expected);
    CHECK_EQUAL(wdfdma_pool_get_run(of->world.machine, expected), count);
    memset(of->held + expected, 1, count);
    of->free -= count;
    of->runs[of->run_count++] = (naive_run){transaction, expected, count};
}

static void naive_put(naive_pool *of) {
    uint32_t index = world_random_below(&of->random, of->run_count);
    naive_run gone = of->runs[index];
    WdfDmaTransactionFreeResources(gone.transaction);
    WdfObjectDelete(gone.transaction);
    CHECK_EQUAL(wdfdma_pool_get_run(of->world.machine, gone.base), 0);
    memset(of->held + gone.base, 0, gone.count);
    of->free += gone.count;
    of->runs[index] = of->runs[--of->run_count];
}

static void naive_compare(const naive_pool *of) {
    size_t words = 0;
    const uint64_t *bitmap = wdfdma_pool_get_bitmap(of->world.machine, &words);
    CHECK_EQUAL(words, (of->registers + 63) / 64);
    for (uint32_t i = 0; i < words * 64; i++) {
        bool held = i >= of->registers || of->held[i];
        if (((bitmap[i / 64] >> (i % 64)) & 1) != held) {
            CHECK_EQUAL(i, UINT64_MAX);
            return;
        }
    }
    CHECK_MACHINE(of->world.machine);
}

static void naive_play(uint32_t registers, uint32_t steps, uint64_t seed) {
    static naive_pool of;
    naive_open(&of, registers, seed);
    REQUIRE(of.held != NULL);
    uint32_t least = registers;
    for (uint32_t i = 0; i < steps && harness.failures == 0; i++) {
        /* Tides, so that the pool is full at times and nearly empty at others. */
        bool rising = (i / 200) % 2 == 0;
        bool take = of.run_count == 0 || (of.run_count < HELD_MOST &&
                                          world_random_below(&of.random, 4) < (rising ? 3u : 1u));
        if (take) {
            naive_take(&of);
        } else {
            naive_put(&of);
        }
        least = of.free < least ? of.free : least;
        CHECK_EQUAL(world_free_registers(of.world.machine), of.free);
        if (i % (steps / 20) == 0) {
            naive_compare(&of);
        }
    }
    CHECK_EQUAL(wdfdma_machine_get_state(of.world.machine)->least_free_registers, least);
    while (of.run_count > 0) {
        naive_put(&of);
    }
    naive_compare(&of);
    CHECK_EQUAL(world_free_registers(of.world.machine), registers);
    free(of.held);
}

TEST(small_pools_give_the_lowest_run) {
    naive_play(2, 2000, 1);
    naive_play(3, 2000, 2);
    naive_play(63, 10000, 3);
    naive_play(64, 10000, 4);
    naive_play(65, 10000, 5);
    naive_play(127, 10000, 6);
    naive_play(200, 10000, 7);
}

TEST(large_pools_give_the_lowest_run) {
    naive_play(4096, 10000, 8);
    naive_play(4097, 5000, 9);
    naive_play(65536, 2000, 10);
}

TEST(the_largest_pool_gives_the_lowest_run) {
    naive_play(1048576, 500, 11);
}

/* Every second register is free, then some pairs: what the tree must look through. */
TEST(a_comb_is_searched) {
    enum {
        REGISTERS = 4096
    };
    wdfdma_machine_config config = world_config(REGISTERS);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket,
                                                     .version = 3,
                                                     .maximum_length = REGISTERS * WORLD_PAGE});
    static WDFDMATRANSACTION single[REGISTERS];
    for (uint32_t i = 0; i < REGISTERS; i++) {
        single[i] = world_transaction(made.enabler);
        CHECK_STATUS(WdfDmaTransactionAllocateResources(single[i], WdfDmaDirectionReadFromDevice, 1,
                                                        world_reserve_dma, NULL),
                     STATUS_SUCCESS);
    }
    for (uint32_t i = 0; i < REGISTERS; i += 2) {
        WdfDmaTransactionFreeResources(single[i]);
    }
    WDFDMATRANSACTION pair = world_transaction(made.enabler);
    WdfDmaTransactionSetImmediateExecution(pair, TRUE);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(pair, WdfDmaDirectionReadFromDevice, 2,
                                                    world_reserve_dma, NULL),
                 STATUS_INSUFFICIENT_RESOURCES);
    WdfDmaTransactionFreeResources(single[3001]);
    WdfDmaTransactionFreeResources(single[1023]);
    CHECK_STATUS(WdfDmaTransactionRelease(pair), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(pair, WdfDmaDirectionReadFromDevice, 3,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(world_info(pair).first_register, 1022);
}

/* ---- Queues ---- */

/* What waits, and the order in which it was served. */
typedef struct line {
    wdfdma_machine *machine;
    WDFDMATRANSACTION *waiters;
    uint32_t *served; /* numbers of waiters, in order */
    uint32_t served_count;
    uint32_t next; /* the number of the waiter made last */
} line;

typedef struct ticket {
    line *of;
    uint32_t number;
} ticket;

/* Gives back what it gets, so that the line goes on. */
static void line_reserve_dma(WDFDMATRANSACTION transaction, PVOID context) {
    const ticket *mine = context;
    mine->of->served[mine->of->served_count++] = mine->number;
    CHECK_EQUAL(transaction == mine->of->waiters[mine->number], true);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    WdfDmaTransactionFreeResources(transaction);
}

static void line_stand(line *of, ticket *tickets, WDFDMAENABLER enabler, uint32_t registers) {
    uint32_t number = of->next++;
    tickets[number] = (ticket){of, number};
    of->waiters[number] = world_transaction(enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(of->waiters[number],
                                                    WdfDmaDirectionReadFromDevice, registers,
                                                    line_reserve_dma, &tickets[number]),
                 STATUS_SUCCESS);
}

/* Cancels waiters here and there, half of them in all; marks them with NULL. */
static void line_thin(line *of) {
    uint64_t random = 77;
    for (uint32_t i = 0; i < of->next / 2; i++) {
        uint32_t number = world_random_below(&random, of->next);
        if (of->waiters[number] != NULL) {
            CHECK(WdfDmaTransactionCancel(of->waiters[number]));
            CHECK(!WdfDmaTransactionCancel(of->waiters[number]));
            WdfObjectDelete(of->waiters[number]);
            of->waiters[number] = NULL;
        }
    }
}

static void line_check_order(const line *of) {
    uint32_t at = 0;
    for (uint32_t number = 0; number < of->next; number++) {
        if (of->waiters[number] != NULL) {
            if (at == of->served_count || of->served[at] != number) {
                CHECK_EQUAL(at == of->served_count ? UINT32_MAX : of->served[at], number);
                return;
            }
            at++;
        }
    }
    CHECK_EQUAL(at, of->served_count);
}

static void line_play(bool one_adapter, uint32_t waiters) {
    wdfdma_machine_config config = world_config(64);
    world_profile profile = {
        .profile = WdfDmaProfilePacket, .version = 3, .maximum_length = 64 * 4096};
    world made = world_open(&config, profile);
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    line of = {.machine = made.machine};
    of.waiters = calloc(waiters, sizeof *of.waiters);
    of.served = calloc(waiters, sizeof *of.served);
    ticket *tickets = calloc(waiters, sizeof *tickets);
    REQUIRE(of.waiters != NULL && of.served != NULL && tickets != NULL);
    WDFDMATRANSACTION holder = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(holder, WdfDmaDirectionReadFromDevice, 64,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    for (uint32_t i = 0; i < waiters; i++) {
        WDFDMAENABLER enabler = one_adapter ? made.enabler : world_enabler(made.device, &profile);
        line_stand(&of, tickets, enabler, 1 + i % 64);
    }
    CHECK_EQUAL(state->waiting_pool, one_adapter ? 1 : waiters);
    CHECK_EQUAL(state->waiting_channel, one_adapter ? waiters - 1 : 0);
    CHECK_MACHINE(made.machine);
    line_thin(&of);
    CHECK_MACHINE(made.machine);
    CHECK_EQUAL(of.served_count, 0);
    WdfDmaTransactionFreeResources(holder);
    line_check_order(&of);
    CHECK_EQUAL(state->waiting_pool + state->waiting_channel, 0);
    CHECK_EQUAL(state->free_registers, 64);
    harness_machine_end(made.machine);
    free(of.waiters);
    free(of.served);
    free(tickets);
}

TEST(the_line_of_the_pool_is_in_order) {
    line_play(false, 1000);
}

TEST(the_line_of_an_adapter_is_in_order) {
    line_play(true, 1000);
}

TEST(a_long_line_of_the_pool) {
    line_play(false, WAITERS);
}

TEST(a_long_line_of_an_adapter) {
    line_play(true, WAITERS);
}

/* Who would fit does not overtake a head that does not. */
TEST(nobody_overtakes) {
    wdfdma_machine_config config = world_config(10);
    world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3, .maximum_length = 40960};
    world made = world_open(&config, profile);
    WDFDMATRANSACTION small[2], waiters[3], copied[3];
    world_seen seen = {0};
    for (int i = 0; i < 2; i++) {
        small[i] = world_transaction(made.enabler);
        CHECK_STATUS(WdfDmaTransactionAllocateResources(small[i], WdfDmaDirectionReadFromDevice, 4,
                                                        world_reserve_dma, NULL),
                     STATUS_SUCCESS);
    }
    for (int i = 0; i < 3; i++) {
        static const ULONG wanted[3] = {7, 1, 2};
        waiters[i] = world_transaction(world_enabler(made.device, &profile));
        CHECK_STATUS(WdfDmaTransactionAllocateResources(waiters[i], WdfDmaDirectionReadFromDevice,
                                                        wanted[i], world_reserve_dma, &seen),
                     STATUS_SUCCESS);
    }
    CHECK_EQUAL(wdfdma_pool_copy_waiters(made.machine, copied, 3), 3);
    CHECK_EQUAL(memcmp(copied, waiters, sizeof copied), 0);
    WdfDmaTransactionFreeResources(small[0]);
    CHECK_EQUAL(seen.reserved, 0); /* six are free, but not together */
    CHECK(WdfDmaTransactionCancel(waiters[0]));
    CHECK_EQUAL(seen.reserved, 2);
    CHECK_EQUAL(world_info(waiters[1]).first_register, 0);
    CHECK_EQUAL(world_info(waiters[2]).first_register, 1);
    CHECK_EQUAL(wdfdma_pool_copy_waiters(made.machine, NULL, 0), 0);
}

TEST(a_pool_of_nothing) {
    wdfdma_machine_config config = world_config(0);
    wdfdma_machine *machine = harness_machine(&config);
    WDFDMAENABLER enabler = NULL;
    size_t words = 0;
    const world_profile profile = {.profile = WdfDmaProfilePacket};
    CHECK_STATUS(world_enabler_try(world_device(machine), &profile, &enabler), STATUS_UNSUCCESSFUL);
    const uint64_t *bitmap = wdfdma_pool_get_bitmap(machine, &words);
    CHECK(words == 1 && bitmap[0] == UINT64_MAX);
    CHECK_EQUAL(wdfdma_pool_get_run(machine, 0), 0);
    CHECK_EQUAL(wdfdma_pool_get_run(machine, UINT32_MAX), 0);
}

TEST(nothing_is_asked_of_no_machine) {
    size_t words = 5;
    CHECK(wdfdma_pool_get_bitmap(NULL, &words) == NULL);
    CHECK(wdfdma_pool_get_bitmap(harness_machine(NULL), NULL) == NULL);
    CHECK_EQUAL(wdfdma_pool_get_run(NULL, 0), 0);
    CHECK_EQUAL(wdfdma_pool_copy_waiters(NULL, NULL, 0), 0);
}

HARNESS_MAIN(ENTRY(small_pools_give_the_lowest_run), ENTRY(large_pools_give_the_lowest_run),
             ENTRY(the_largest_pool_gives_the_lowest_run), ENTRY(a_comb_is_searched),
             ENTRY(the_line_of_the_pool_is_in_order), ENTRY(the_line_of_an_adapter_is_in_order),
             ENTRY(a_long_line_of_the_pool), ENTRY(a_long_line_of_an_adapter),
             ENTRY(nobody_overtakes), ENTRY(a_pool_of_nothing),
             ENTRY(nothing_is_asked_of_no_machine))
