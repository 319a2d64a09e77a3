/* The device's side: data really moves, and only where a live mapping or a common buffer allows
 * it. */
#include "world.h"

enum {
    GUARD = 300,
    MOST_BYTES = 16 * WORLD_PAGE
};

/* How a buffer is laid out in physical memory. */
typedef enum layout {
    CONSECUTIVE,
    SCATTERED,
    HIGH,
    CHAINED,
    LAYOUT_COUNT
} layout;

typedef struct transfer {
    world world;
    PMDL whole;  /* the buffer with guard bytes around it, which must not change */
    PMDL buffer; /* what the transaction is given */
    WDFDMATRANSACTION transaction;
    world_seen seen;
    uint8_t before[MOST_BYTES];
    uint8_t data[MOST_BYTES]; /* the device's */
    size_t length;
    size_t moved;
} transfer;

static void frames_choose(layout kind, uint64_t *pfns, size_t count) {
    for (size_t i = 0; i < count; i++) {
        switch (kind) {
        case SCATTERED:
            pfns[i] = 5000 + ((i * 7) % count) * 3;
            break;
        case HIGH:
            pfns[i] = (UINT64_C(1) << 23) + i;
            break;
        default:
            pfns[i] = 6000 + i;
            break;
        }
    }
}

/* The same pages twice: as a whole with guards at both ends, and as the buffer between them. */
static void buffer_make(transfer *of, layout kind) {
    uint64_t pfns[16];
    wdfdma_machine *machine = of->world.machine;
    frames_choose(kind, pfns, 16);
    of->whole = world_mdl(machine, 0, MOST_BYTES, pfns);
    if (kind != CHAINED) {
        of->buffer = world_mdl(machine, GUARD, (uint32_t)of->length, pfns);
    } else {
        uint32_t first = 2 * WORLD_PAGE - GUARD;
        of->buffer = world_mdl(machine, GUARD, first, pfns);
        of->buffer->Next = world_mdl(machine, 0, (uint32_t)of->length - first, pfns + 2);
    }
    world_fill(of->before, sizeof of->before, 50);
    CHECK_STATUS(wdfdma_mdl_write(machine, of->whole, 0, of->before, MOST_BYTES), STATUS_SUCCESS);
}

static void transfer_open(transfer *out, world_profile profile, layout kind, bool force) {
    wdfdma_machine_config config = world_config(6);
    config.force_map_registers = force;
    memset(out, 0, sizeof *out);
    out->length = MOST_BYTES - 2 * GUARD;
    out->world = world_open(&config, profile);
    buffer_make(out, kind);
    out->transaction = world_transaction(out->world.enabler);
    world_fill(out->data, sizeof out->data, 150);
}

/* The device moves [bytes] of the current transfer, element by element. */
static void device_move(transfer *of, size_t bytes, bool to_device) {
    static uint8_t back[MOST_BYTES];
    size_t done = 0;
    for (uint32_t i = 0; i < of->seen.elements && i < WORLD_ELEMENTS && done < bytes; i++) {
        uint64_t address = (uint64_t)of->seen.list[i].Address.QuadPart;
        size_t part =
            of->seen.list[i].Length < bytes - done ? of->seen.list[i].Length : bytes - done;
        size_t at = of->moved + done;
        if (to_device) {
            CHECK_STATUS(wdfdma_device_read(of->world.machine, address, back, part),
                         STATUS_SUCCESS);
            CHECK_BYTES(back, of->before + GUARD + at, part);
        } else {
            CHECK_STATUS(wdfdma_device_write(of->world.machine, address, of->data + at, part),
                         STATUS_SUCCESS);
        }
        done += part;
    }
    CHECK_EQUAL(done, bytes);
    of->moved += bytes;
}

static void system_complete(const transfer *of, WDF_DMA_DIRECTION direction) {
    if (world_info(of->transaction).state == WDFDMA_STATE_TRANSFER) {
        wdfdma_enabler_complete_transfer(of->world.enabler, direction);
    }
}

/* Moves the whole buffer, [step] bytes (0: all) of each transfer at a time. */
static void transfer_run(transfer *of, WDF_DMA_DIRECTION direction, size_t step) {
    bool to_device = direction == WdfDmaDirectionWriteToDevice;
    CHECK_STATUS(world_initialize(of->transaction, direction, of->buffer, 0, of->length),
                 STATUS_SUCCESS);
    REQUIRE(CHECK_STATUS(WdfDmaTransactionExecute(of->transaction, &of->seen), STATUS_SUCCESS));
    BOOLEAN over = FALSE;
    for (int rounds = 0; !over && rounds < 1000 && harness.failures == 0; rounds++) {
        NTSTATUS status;
        size_t length = WdfDmaTransactionGetCurrentDmaTransferLength(of->transaction);
        size_t bytes = step == 0 || step > length ? length : step;
        device_move(of, bytes, to_device);
        system_complete(of, direction);
        over = bytes == length
                   ? WdfDmaTransactionDmaCompleted(of->transaction, &status)
                   : WdfDmaTransactionDmaCompletedWithLength(of->transaction, bytes, &status);
        CHECK_STATUS(status, over ? STATUS_SUCCESS : STATUS_MORE_PROCESSING_REQUIRED);
    }
    CHECK_EQUAL(of->moved, of->length);
    CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(of->transaction), of->length);
}

static void transfer_check(transfer *of, bool to_device) {
    static uint8_t after[MOST_BYTES];
    CHECK_STATUS(wdfdma_mdl_read(of->world.machine, of->whole, 0, after, MOST_BYTES),
                 STATUS_SUCCESS);
    CHECK_BYTES(after, of->before, GUARD);
    CHECK_BYTES(after + GUARD + of->length, of->before + GUARD + of->length, GUARD);
    CHECK_BYTES(after + GUARD, to_device ? of->before + GUARD : of->data, of->length);
    CHECK_EQUAL(wdfdma_machine_get_state(of->world.machine)->mappings, 0);
    CHECK_EQUAL(world_free_registers(of->world.machine), 6);
}

static const struct {
    WDF_DMA_PROFILE profile;
    ULONG version;
} movers[] = {{WdfDmaProfilePacket, 3},
              {WdfDmaProfilePacket64, 3},
              {WdfDmaProfileScatterGather, 2},
              {WdfDmaProfileScatterGather, 3},
              {WdfDmaProfileScatterGather64, 2},
              {WdfDmaProfileScatterGather64, 3},
              {WdfDmaProfileScatterGatherDuplex, 3},
              {WdfDmaProfileScatterGather64Duplex, 3},
              {WdfDmaProfileSystem, 3},
              {WdfDmaProfileSystemDuplex, 3},
              {WdfDmaProfilePacket, 2}};

static void all_movers(bool force, size_t step) {
    static transfer made;
    for (size_t i = 0; i < sizeof movers / sizeof movers[0]; i++) {
        for (int kind = 0; kind < LAYOUT_COUNT; kind++) {
            for (int direction = 0; direction < 2; direction++) {
                if (movers[i].version == 2 && movers[i].profile == WdfDmaProfilePacket &&
                    kind == CHAINED) {
                    continue; /* refused: past the first MDL */
                }
                size_t failures = harness.failures;
                transfer_open(
                    &made,
                    (world_profile){.profile = movers[i].profile, .version = movers[i].version},
                    (layout)kind, force);
                transfer_run(&made, (WDF_DMA_DIRECTION)direction, step);
                transfer_check(&made, direction == WdfDmaDirectionWriteToDevice);
                harness_machine_end(made.world.machine);
                if (harness.failures != failures) {
                    printf("    profile %d version %u layout %d direction %d\n",
                           (int)movers[i].profile, (unsigned)movers[i].version, kind, direction);
                }
            }
        }
    }
}

TEST(data_arrives) {
    all_movers(false, 0);
}
TEST(data_arrives_through_registers) {
    all_movers(true, 0);
}
TEST(data_arrives_piecemeal) {
    all_movers(false, 3001);
}
TEST(data_arrives_piecemeal_through_registers) {
    all_movers(true, 1777);
}

/* Only what the driver says was transferred leaves the registers. */
TEST(only_completed_bytes_come_out) {
    static transfer made;
    static uint8_t after[MOST_BYTES];
    NTSTATUS status;
    transfer_open(&made, (world_profile){.profile = WdfDmaProfilePacket, .version = 3}, CONSECUTIVE,
                  true);
    CHECK_STATUS(
        world_initialize(made.transaction, WdfDmaDirectionReadFromDevice, made.buffer, 0, 8000),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(made.transaction, &made.seen), STATUS_SUCCESS);
    device_move(&made, 8000, false);
    CHECK(WdfDmaTransactionDmaCompletedFinal(made.transaction, 4500, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(made.world.machine, made.whole, 0, after, MOST_BYTES),
                 STATUS_SUCCESS);
    CHECK_BYTES(after + GUARD, made.data, 4500);
    CHECK_BYTES(after + GUARD + 4500, made.before + GUARD + 4500, MOST_BYTES - GUARD - 4500);
}

/* ---- What is not allowed ---- */

/* A packet transfer of two pages, through registers or not. */
static uint64_t open_transfer(transfer *out, bool force, WDF_DMA_DIRECTION direction) {
    transfer_open(out, (world_profile){.profile = WdfDmaProfilePacket, .version = 3}, CONSECUTIVE,
                  force);
    CHECK_STATUS(world_initialize(out->transaction, direction, out->buffer, 0, 2 * WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(out->transaction, &out->seen), STATUS_SUCCESS);
    CHECK_EQUAL(out->seen.elements, 1);
    CHECK_EQUAL(out->seen.list[0].Length, 2 * WORLD_PAGE);
    return (uint64_t)out->seen.list[0].Address.QuadPart;
}

/* The access is refused with the IOMMU's bug check, and nothing is copied. */
static void check_refused(transfer *of, uint64_t address, size_t bytes, bool write) {
    static uint8_t buffer[64], after[MOST_BYTES];
    wdfdma_machine *machine = of->world.machine;
    memset(buffer, 0xEE, sizeof buffer);
    NTSTATUS status = write ? wdfdma_device_write(machine, address, buffer, bytes)
                            : wdfdma_device_read(machine, address, buffer, bytes);
    CHECK_STATUS(status, STATUS_UNSUCCESSFUL);
    CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    CHECK_EQUAL(world_parameter(machine, 0), 0x26);
    CHECK_EQUAL(buffer[0], 0xEE);
    CHECK_EQUAL(buffer[63], 0xEE);
    CHECK_STATUS(wdfdma_mdl_read(machine, of->whole, 0, after, MOST_BYTES), STATUS_SUCCESS);
    CHECK_BYTES(after, of->before, MOST_BYTES);
    CHECK_MACHINE(machine);
    harness_machine_end(machine);
}

TEST(the_ends_of_a_mapping_hold) {
    static transfer made;
    static const struct {
        int64_t offset;
        size_t bytes;
    } rows[] = {{-1, 1},         {-1, 2},       {8192, 1},     {8191, 2},
                {8192 - 64, 65}, {0, 8193},     {-4096, 64},   {16384, 1},
                {1 << 20, 1},    {0, SIZE_MAX}, {1, SIZE_MAX}, {8000, SIZE_MAX / 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int flags = 0; flags < 4; flags++) {
            bool write = (flags & 1) != 0;
            uint64_t address =
                open_transfer(&made, (flags & 2) != 0,
                              write ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice);
            check_refused(&made, address + (uint64_t)rows[i].offset, rows[i].bytes, write);
        }
    }
}

TEST(a_direction_is_one_way) {
    static transfer made;
    uint64_t address = open_transfer(&made, false, WdfDmaDirectionReadFromDevice);
    check_refused(&made, address, 1, false);
    address = open_transfer(&made, false, WdfDmaDirectionWriteToDevice);
    check_refused(&made, address, 1, true);
    address = open_transfer(&made, true, WdfDmaDirectionReadFromDevice);
    check_refused(&made, address, 1, false);
    address = open_transfer(&made, true, WdfDmaDirectionWriteToDevice);
    check_refused(&made, address, 1, true);
}

TEST(addresses_do_not_wrap) {
    static transfer made;
    static const uint64_t addresses[] = {UINT64_MAX,
                                         UINT64_MAX - 1,
                                         UINT64_MAX - 4095,
                                         0,
                                         1,
                                         UINT64_C(1) << 63,
                                         (UINT64_C(1) << 63) + 0x100000};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        open_transfer(&made, i % 2 == 0, WdfDmaDirectionReadFromDevice);
        check_refused(&made, addresses[i], 64, true);
        open_transfer(&made, i % 2 == 0, WdfDmaDirectionWriteToDevice);
        check_refused(&made, addresses[i], SIZE_MAX, false);
    }
}

/* Ends the transfer in every way there is; the device may not touch it afterwards. */
TEST(nothing_is_mapped_after_the_end) {
    static transfer made;
    NTSTATUS status;
    for (int way = 0; way < 4; way++) {
        for (int force = 0; force < 2; force++) {
            uint64_t address = open_transfer(&made, force != 0, WdfDmaDirectionWriteToDevice);
            uint8_t byte;
            CHECK_STATUS(wdfdma_device_read(made.world.machine, address, &byte, 1), STATUS_SUCCESS);
            switch (way) {
            case 0:
                CHECK(WdfDmaTransactionDmaCompleted(made.transaction, &status));
                break;
            case 1:
                CHECK(WdfDmaTransactionDmaCompletedFinal(made.transaction, 10, &status));
                break;
            case 2:
                CHECK(WdfDmaTransactionDmaCompletedWithLength(made.transaction, 100000, &status));
                CHECK_STATUS(status, STATUS_INVALID_PARAMETER);
                break;
            default:
                CHECK(!WdfDmaTransactionDmaCompletedWithLength(made.transaction, 5000, &status));
                break; /* the rest is mapped again, at another place */
            }
            CHECK_EQUAL(wdfdma_machine_get_state(made.world.machine)->mappings, way == 3);
            check_refused(&made, address, 1, false);
        }
    }
}

TEST(nothing_is_mapped_before_the_start) {
    static transfer made;
    transfer_open(&made, (world_profile){.profile = WdfDmaProfilePacket, .version = 3}, CONSECUTIVE,
                  true);
    CHECK_STATUS(
        world_initialize(made.transaction, WdfDmaDirectionReadFromDevice, made.buffer, 0, 100),
        STATUS_SUCCESS);
    check_refused(&made, 6000 * WORLD_PAGE + GUARD, 1, true);
    transfer_open(&made, (world_profile){.profile = WdfDmaProfilePacket, .version = 3}, CONSECUTIVE,
                  true);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(made.transaction, WdfDmaDirectionReadFromDevice,
                                                    2, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    check_refused(&made, WORLD_REGISTERS_ADDRESS, 1, true);
}

/* With map registers in between, the buffer's own pages are not the device's to touch, nor other
 * registers. */
TEST(other_registers_are_closed) {
    static transfer made;
    uint64_t address = open_transfer(&made, true, WdfDmaDirectionReadFromDevice);
    CHECK_EQUAL(address, WORLD_REGISTERS_ADDRESS + GUARD);
    check_refused(&made, 6000 * WORLD_PAGE + GUARD, 1, true);
    address = open_transfer(&made, true, WdfDmaDirectionReadFromDevice);
    check_refused(&made, WORLD_REGISTERS_ADDRESS + 5 * WORLD_PAGE, 1, true);
    open_transfer(&made, true, WdfDmaDirectionReadFromDevice);
    check_refused(&made, WORLD_REGISTERS_ADDRESS + 2 * WORLD_PAGE + GUARD, 1, true);
}

TEST(no_bytes_are_always_allowed) {
    wdfdma_machine *machine = harness_machine(NULL);
    uint8_t byte = 0;
    CHECK_STATUS(wdfdma_device_read(machine, 0, &byte, 0), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(machine, UINT64_MAX, NULL, 0), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_read(machine, 0, NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_device_write(machine, 0, NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_device_read(NULL, 0, &byte, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_device_write(NULL, 0, &byte, 1), STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
}

/* Where a register and a page have the same address, the register answers. */
TEST(a_register_answers_first) {
    wdfdma_machine_config config = world_config(4);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather64});
    WDFDMAENABLER narrow =
        world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    static const uint64_t here[1] = {0x100}, high[1] = {UINT64_C(1) << 22};
    PMDL direct_mdl = world_mdl(made.machine, 0, WORLD_PAGE, here);
    PMDL bounced_mdl = world_mdl(made.machine, 0, WORLD_PAGE, high);
    WDFDMATRANSACTION direct = world_transaction(made.enabler), bounced = world_transaction(narrow);
    world_seen direct_seen = {0}, bounced_seen = {0};
    uint8_t byte = 1, back = 0;
    NTSTATUS status;
    CHECK_STATUS(wdfdma_mdl_write(made.machine, direct_mdl, 0, &byte, 1), STATUS_SUCCESS);
    byte = 2;
    CHECK_STATUS(wdfdma_mdl_write(made.machine, bounced_mdl, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(direct, WdfDmaDirectionWriteToDevice, direct_mdl, 0, 4096),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(direct, &direct_seen), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_read(made.machine, 0x100000, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 1);
    CHECK_STATUS(world_initialize(bounced, WdfDmaDirectionWriteToDevice, bounced_mdl, 0, 4096),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(bounced, &bounced_seen), STATUS_SUCCESS);
    CHECK_EQUAL(direct_seen.list[0].Address.QuadPart, bounced_seen.list[0].Address.QuadPart);
    CHECK_STATUS(wdfdma_device_read(made.machine, 0x100000, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 2);
    CHECK(WdfDmaTransactionDmaCompleted(bounced, &status));
    CHECK_STATUS(wdfdma_device_read(made.machine, 0x100000, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 1);
}

/* Two mappings of one page, each with its own direction and its own end. */
TEST(mappings_of_one_page_overlap) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather64});
    static const uint64_t here[1] = {0x55};
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, here);
    WDFDMATRANSACTION in = world_transaction(made.enabler), out = world_transaction(made.enabler);
    uint8_t byte = 7;
    NTSTATUS status;
    CHECK_STATUS(world_initialize(in, WdfDmaDirectionReadFromDevice, mdl, 0, 2000), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(out, WdfDmaDirectionWriteToDevice, mdl, 1000, 2000),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(in, NULL), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(out, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_write(made.machine, 0x55000 + 1500, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_read(made.machine, 0x55000 + 1500, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_read(made.machine, 0x55000 + 2999, &byte, 1), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(in, &status));
    CHECK_STATUS(wdfdma_device_read(made.machine, 0x55000 + 1500, &byte, 1), STATUS_SUCCESS);
    CHECK_MACHINE(made.machine);
    CHECK_STATUS(wdfdma_device_write(made.machine, 0x55000 + 1500, &byte, 1), STATUS_UNSUCCESSFUL);
}

HARNESS_MAIN(ENTRY(data_arrives), ENTRY(data_arrives_through_registers),
             ENTRY(data_arrives_piecemeal), ENTRY(data_arrives_piecemeal_through_registers),
             ENTRY(only_completed_bytes_come_out), ENTRY(the_ends_of_a_mapping_hold),
             ENTRY(a_direction_is_one_way), ENTRY(addresses_do_not_wrap),
             ENTRY(nothing_is_mapped_after_the_end), ENTRY(nothing_is_mapped_before_the_start),
             ENTRY(other_registers_are_closed), ENTRY(no_bytes_are_always_allowed),
             ENTRY(a_register_answers_first), ENTRY(mappings_of_one_page_overlap))
