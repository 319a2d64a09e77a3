/* Bug check 0xE6: what a WDM driver maps and flushes. */
#include "dma_rules.h"

/* ---- What is mapped ---- */

static void offend_00_2(dma *of) {
    expect(of, 2, 2, 1);
    CHECK_EQUAL(map(of, FURTHER, FURTHER), 0);
}

static void near_00_2(dma *of) {
    CHECK_EQUAL(map(of, FURTHER, SOME), SOME);
}

/* An adapter of two registers, and all the bytes that they can hold. */
static void prepare_full(dma *of) {
    DEVICE_DESCRIPTION description = describe(false);
    description.MaximumLength = WORLD_PAGE;
    of->wdm.ops->PutDmaAdapter(of->wdm.adapter);
    of->wdm.adapter = adapter_get(&of->wdm, description);
    registers_take(of, 2);
    CHECK_EQUAL(map(of, 0, 2 * WORLD_PAGE - SOME), 2 * WORLD_PAGE - SOME);
}

static void offend_0D(dma *of) {
    expect(of, 2 * WORLD_PAGE + SOME, 2 * WORLD_PAGE, 0);
    CHECK_EQUAL(map(of, 2 * WORLD_PAGE - SOME, 2 * SOME), 0);
}

static void near_0D(dma *of) {
    CHECK_EQUAL(map(of, 2 * WORLD_PAGE - SOME, SOME), SOME);
}

static void prepare_unlocked(dma *of) {
    registers_take(of, 2);
    of->unlocked = IoAllocateMdl(of->start, SOME, FALSE, FALSE, NULL);
    of->wdm.mdl = of->unlocked;
}

static void offend_0E(dma *of) {
    expect(of, address_number(of->unlocked), 0, 0);
    CHECK_EQUAL(map(of, 0, SOME), 0);
}

static void near_0E(dma *of) {
    MmProbeAndLockPages(of->unlocked, KernelMode, IoWriteAccess);
    CHECK_EQUAL(map(of, 0, SOME), SOME);
}

static void offend_1B(dma *of) {
    expect(of, address_number(of->start + BUFFER_BYTES), address_number(of->wdm.mdl), 0);
    CHECK_EQUAL(map(of, BUFFER_BYTES, 1), 0);
}

static void near_1B(dma *of) {
    CHECK_EQUAL(map(of, BUFFER_BYTES - 1, 1), 1);
}

static void offend_1D(dma *of) {
    uint64_t start = address_number(of->start) + SOME - 1;
    expect(of, start, start + SOME, start);
    CHECK_EQUAL(map(of, SOME - 1, SOME), 0);
}

static void near_1D(dma *of) {
    CHECK_EQUAL(map(of, SOME, SOME), SOME);
}

static void offend_1F_1(dma *of) {
    expect(of, 1, address_number(of->start - 1), address_number(of->wdm.mdl));
    CHECK(!NT_SUCCESS(list_get(of, of->start - 1, SOME)));
}

static void near_1F_1(dma *of) {
    CHECK_STATUS(list_get(of, of->start, SOME), STATUS_SUCCESS);
}

static void offend_1F_2(dma *of) {
    expect(of, 2, address_number(of->start + BUFFER_BYTES), address_number(of->wdm.mdl));
    CHECK(!NT_SUCCESS(list_get(of, of->start + BUFFER_BYTES, SOME)));
}

static void near_1F_2(dma *of) {
    CHECK_STATUS(list_get(of, of->start + BUFFER_BYTES - 1, 1), STATUS_SUCCESS);
}

/* The buffer ends SOME bytes into its last page. */
static void offend_1F_3(dma *of) {
    expect(of, 3, address_number(of->wdm.mdl), 10 + WORLD_PAGE - SOME + 1);
    CHECK_EQUAL(map(of, BUFFER_BYTES - 10, 10 + WORLD_PAGE - SOME + 1), 0);
}

static void near_1F_3(dma *of) {
    CHECK_EQUAL(map(of, BUFFER_BYTES - 10, 10 + WORLD_PAGE - SOME), 10);
}

static void offend_21(dma *of) {
    expect(of, 0, 0, 0);
    CHECK_EQUAL(map(of, 0, 0), 0);
}

static void near_21(dma *of) {
    CHECK_EQUAL(map(of, 0, 1), 1);
}

static NTSTATUS map_ex(dma *of, ULONG length) {
    return of->wdm.ops->MapTransferEx(of->wdm.adapter, of->wdm.mdl, of->base, 0, 0, &length, FALSE,
                                      (PSCATTER_GATHER_LIST)(void *)of->room, sizeof of->room, NULL,
                                      NULL);
}

static void offend_24(dma *of) {
    expect(of, 1, 0, 0);
    CHECK(!NT_SUCCESS(map_ex(of, BUFFER_BYTES + 1)));
}

static void near_24(dma *of) {
    CHECK_STATUS(map_ex(of, BUFFER_BYTES), STATUS_SUCCESS);
    of->mapped_count = 1;
}

/* ---- What is flushed ---- */

static void offend_00_1(dma *of) {
    expect(of, 1, BUFFER_BYTES, 2 * WORLD_PAGE - SOME + 1);
    CHECK(!flush(of, 0, 2 * WORLD_PAGE - SOME + 1));
}

static void near_00_1(dma *of) {
    CHECK(flush(of, 0, 2 * WORLD_PAGE - SOME));
    of->mapped_count = 0;
}

static void offend_16(dma *of) {
    expect(of, address_number(of->base), 0, 0);
    CHECK(!flush(of, SOME, SOME));
}

static void near_16(dma *of) {
    CHECK(flush(of, SOME - 1, SOME));
    of->mapped_count = 0;
}

static void offend_20(dma *of) {
    expect(of, address_number(of->base), address_number(of->start), address_number(of->wdm.mdl));
    CHECK(!flush(of, 0, SOME));
}

static void near_20(dma *of) {
    map(of, 0, SOME);
    near_16(of);
}

static void prepare_system(dma *of) {
    ULONG length = SOME;
    of->wdm.ops->PutDmaAdapter(of->wdm.adapter);
    of->enabler = world_enabler(of->wdm.device, &(world_profile){.profile = WdfDmaProfileSystem});
    of->wdm.adapter = WdfDmaEnablerWdmGetDmaAdapter(of->enabler, WdfDmaDirectionReadFromDevice);
    of->seen.answer = KeepObject;
    of->wdm.ops->InitializeDmaTransferContext(of->wdm.adapter, of->context);
    of->wdm.ops->AllocateAdapterChannelEx(of->wdm.adapter, of->wdm.object, of->context, 4, 0,
                                          on_control, &of->seen, NULL);
    CHECK_STATUS(of->wdm.ops->MapTransferEx(of->wdm.adapter, of->wdm.mdl, of->seen.base, 0, 0,
                                            &length, TRUE, (PSCATTER_GATHER_LIST)(void *)of->room,
                                            sizeof of->room, on_complete, &of->waiting),
                 STATUS_SUCCESS);
}

static void offend_23(dma *of) {
    expect(of, 0, 0, ANY);
    CHECK(!NT_SUCCESS(of->wdm.ops->FlushAdapterBuffersEx(of->wdm.adapter, of->wdm.mdl,
                                                         of->seen.base, 0, SOME, TRUE)));
    CHECK_EQUAL(of->waiting.calls, 0);
}

static void near_23(dma *of) {
    CHECK(wdfdma_enabler_complete_transfer(of->enabler, WdfDmaDirectionReadFromDevice));
}

/* ---- The cases ---- */

static const dma_case cases[] = {
    CASE(00_1, false, false, prepare_mapping, near_00_1),
    CASE(00_2, false, true, prepare_mapping, near_00_2),
    CASE(0D, false, false, prepare_full, near_0D),
    CASE(0E, false, false, prepare_unlocked, near_0E),
    CASE(16, false, false, prepare_mapping, near_16),
    CASE(1B, false, false, prepare_registers, near_1B),
    CASE(1D, false, false, prepare_mapping, near_1D),
    CASE(1F_1, true, false, prepare_none, near_1F_1),
    CASE(1F_2, true, false, prepare_none, near_1F_2),
    CASE(1F_3, false, false, prepare_registers, near_1F_3),
    CASE(20, false, false, prepare_registers, near_20),
    CASE(21, false, false, prepare_registers, near_21),
    CASE(23, false, false, prepare_system, near_23),
    CASE(24, false, false, prepare_registers, near_24),
};
enum {
    CASE_COUNT = sizeof cases / sizeof *cases
};

TEST(each_rule_stops_the_machine) {
    cases_stop(cases, CASE_COUNT);
}

TEST(a_collected_offence_changes_nothing) {
    cases_collect(cases, CASE_COUNT);
}

TEST(a_near_miss_is_none) {
    cases_miss(cases, CASE_COUNT);
}

/* Two parts of one transfer bounce through one run, and each keeps its own registers. */
TEST(parts_of_a_run_do_not_overlap) {
    dma made = {.wdm = wdm_open(false, true)};
    uint8_t data[2][SOME], back[SOME];
    made.start = MmGetMdlVirtualAddress(made.wdm.mdl);
    prepare_registers(&made);
    for (ULONG part = 0; part < 2; part++) {
        ULONG length = SOME;
        world_fill(data[part], SOME, part);
        PHYSICAL_ADDRESS address = made.wdm.ops->MapTransfer(
            made.wdm.adapter, made.wdm.mdl, made.base, made.start + part * FURTHER, &length, FALSE);
        CHECK_STATUS(
            wdfdma_device_write(made.wdm.machine, (uint64_t)address.QuadPart, data[part], SOME),
            STATUS_SUCCESS);
    }
    for (ULONG part = 0; part < 2; part++) {
        CHECK(flush(&made, part * FURTHER, SOME));
        CHECK_STATUS(wdfdma_mdl_read(made.wdm.machine, made.wdm.mdl, part * FURTHER, back, SOME),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, data[part], SOME);
    }
    finish(&made);
}

/* Where Windows has an address there is a number, which is the same on each machine; so is the log. */
TEST(no_address_of_the_host_is_told) {
    wdfdma_log_record last[2];
    uint64_t parameters[2];
    for (int i = 0; i < 2; i++) {
        dma made = {.wdm = wdm_open(false, false)};
        wdfdma_log_view view;
        made.start = MmGetMdlVirtualAddress(made.wdm.mdl);
        prepare_registers(&made);
        CHECK_STATUS(wdfdma_log_configure(made.wdm.machine, WDFDMA_LOG_GROWS), STATUS_SUCCESS);
        offend_1B(&made);
        CHECK_STATUS(wdfdma_log_get_view(made.wdm.machine, &view), STATUS_SUCCESS);
        REQUIRE(CHECK(view.first_count != 0));
        last[i] = view.first[view.first_count - 1];
        parameters[i] = world_parameter(made.wdm.machine, 2);
        CHECK_EQUAL(last[i].kind, WDFDMA_RECORD_BUGCHECK);
    }
    CHECK_EQUAL(parameters[0], parameters[1]);
    CHECK_BYTES(&last[0], &last[1], sizeof last[0]);
}

TEST(an_address_is_a_distance) {
    dma made = {.wdm = wdm_open(false, false)};
    const char *start = MmGetMdlVirtualAddress(made.wdm.mdl);
    uint64_t number = wdfdma_machine_localize(made.wdm.machine, (uint64_t)(uintptr_t)start);
    CHECK(number <
          wdfdma_machine_get_config(made.wdm.machine)->reserve_bytes + ((uint64_t)1 << 30));
    CHECK_EQUAL(wdfdma_machine_localize(made.wdm.machine, (uint64_t)(uintptr_t)(start + 7)),
                number + 7);
    CHECK_EQUAL(wdfdma_machine_localize(made.wdm.machine, (uint64_t)(uintptr_t)&made),
                (uint64_t)(uintptr_t)&made);
    CHECK_EQUAL(wdfdma_machine_localize(NULL, (uint64_t)(uintptr_t)start),
                (uint64_t)(uintptr_t)start);
    CHECK_EQUAL(wdfdma_machine_localize(made.wdm.machine, 0), 0);
}

HARNESS_MAIN(ENTRY(each_rule_stops_the_machine), ENTRY(a_collected_offence_changes_nothing),
             ENTRY(a_near_miss_is_none), ENTRY(no_address_of_the_host_is_told),
             ENTRY(an_address_is_a_distance), ENTRY(parts_of_a_run_do_not_overlap))
