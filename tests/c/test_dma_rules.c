/* Bug check 0xE6: channels, map registers and adapters of a WDM driver. */
#include "dma_rules.h"

/* ---- Channels and registers ---- */

static void prepare_waiting(dma *of) {
    of->other = of->wdm;
    of->other.adapter = adapter_get(&of->wdm, describe(false));
    of->others_base = channel_get(&of->other, NUMBER, DeallocateObjectKeepRegisters, &of->seen);
    CHECK_STATUS(ask(of, 2), STATUS_SUCCESS);
    CHECK_EQUAL(of->waiting.calls, 0);
}

static void offend_0B(dma *of) {
    expect(of, 2, 0, 0);
    CHECK(!NT_SUCCESS(ask(of, 2)));
}

static void near_0B(dma *of) {
    WDFDEVICE second = world_device(of->wdm.machine);
    of->wdm.object = WdfDeviceWdmGetPhysicalDevice(second);
    CHECK_STATUS(ask(of, 2), STATUS_SUCCESS);
}

static void offend_0C(dma *of) {
    expect(of, NUMBER + 1, NUMBER, 0);
    CHECK(!NT_SUCCESS(ask(of, NUMBER + 1)));
    CHECK_EQUAL(of->waiting.calls, 0);
}

static void near_0C(dma *of) {
    CHECK_STATUS(ask(of, NUMBER), STATUS_SUCCESS);
    CHECK_EQUAL(of->waiting.calls, 1);
}

static void offend_15(dma *of) {
    expect(of, NUMBER + 1, NUMBER, 0);
    CHECK(!NT_SUCCESS(ask(of, 3)));
}

static void near_15(dma *of) {
    CHECK_STATUS(ask(of, 2), STATUS_SUCCESS);
}

static void offend_10(dma *of) {
    expect(of, 1, 0, 0);
    of->wdm.ops->FreeMapRegisters(of->wdm.adapter, of->base, of->count);
}

static void near_10(dma *of) {
    CHECK(flush(of, 0, SOME));
    of->mapped_count = 0;
    of->wdm.ops->FreeMapRegisters(of->wdm.adapter, of->base, of->count);
    of->base = NULL;
}

/* ---- How a routine is called ---- */

static void offend_13_exact(dma *of) {
    expect(of, 1, DISPATCH_LEVEL, PASSIVE_LEVEL);
    wdm_operations->AllocateAdapterChannel(of->wdm.adapter, of->wdm.object, 2, on_control,
                                           &of->waiting);
    CHECK_EQUAL(of->waiting.calls, 0);
}

static void offend_13_most(dma *of) {
    PHYSICAL_ADDRESS logical;
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    expect(of, 2, PASSIVE_LEVEL, DISPATCH_LEVEL);
    CHECK(of->wdm.ops->AllocateCommonBuffer(of->wdm.adapter, SOME, &logical, TRUE) == NULL);
    KeLowerIrql(before);
}

static void near_13(dma *of) {
    PHYSICAL_ADDRESS logical;
    CHECK_STATUS(ask(of, 2), STATUS_SUCCESS);
    PVOID bytes = of->wdm.ops->AllocateCommonBuffer(of->wdm.adapter, SOME, &logical, TRUE);
    CHECK(bytes != NULL);
    of->wdm.ops->FreeCommonBuffer(of->wdm.adapter, SOME, logical, bytes, TRUE);
}

static void prepare_put(dma *of) {
    of->other.adapter = adapter_get(&of->wdm, describe(false));
    of->wdm.ops->PutDmaAdapter(of->other.adapter);
}

static void offend_18(dma *of) {
    expect(of, ANY, 0, 0);
    CHECK_EQUAL(of->wdm.ops->GetDmaAlignment(of->other.adapter), 0);
}

static void offend_19(dma *of) {
    expect(of, 0, 0, 0);
    CHECK_EQUAL(of->wdm.ops->GetDmaAlignment(NULL), 0);
}

static void near_18(dma *of) {
    CHECK_EQUAL(of->wdm.ops->GetDmaAlignment(of->wdm.adapter), 1);
}

static void offend_25(dma *of) {
    ULONG registers;
    DEVICE_DESCRIPTION description = describe(false);
    description.Version = DEVICE_DESCRIPTION_VERSION3 + 1;
    expect(of, 0, 0, 0);
    CHECK(IoGetDmaAdapter(of->wdm.object, &description, &registers) == NULL);
}

static void near_25(dma *of) {
    of->wdm.ops->PutDmaAdapter(adapter_get(&of->wdm, describe(false)));
}

/* ---- The cases ---- */

static const dma_case cases[] = {
    CASE(0B, false, false, prepare_waiting, near_0B),
    CASE(0C, false, false, prepare_none, near_0C),
    CASE(10, false, false, prepare_mapping, near_10),
    {WDFDMA_RULE_DMA_13, false, false, prepare_none, offend_13_exact, near_13},
    {WDFDMA_RULE_DMA_13, false, false, prepare_none, offend_13_most, near_13},
    CASE(15, false, false, prepare_most_registers, near_15),
    CASE(18, false, false, prepare_put, near_18),
    CASE(19, false, false, prepare_none, near_18),
    CASE(25, false, false, prepare_none, near_25),
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

/* Lists are bounded one by one, by what their adapter was granted. */
TEST(a_list_asks_for_too_many_registers) {
    for (ULONG lacks = 0; lacks < 2; lacks++) {
        wdm made = wdm_open(true, false);
        seen list = {0};
        PMDL mdl = world_mdl(made.machine, 0, (NUMBER + lacks) * WORLD_PAGE, NULL);
        NTSTATUS status = made.ops->GetScatterGatherList(
            made.adapter, made.object, mdl, MmGetMdlVirtualAddress(mdl),
            (NUMBER + lacks) * WORLD_PAGE, on_list, &list, TRUE);
        CHECK_EQUAL(NT_SUCCESS(status), lacks == 0);
        CHECK_EQUAL(list.calls, 1 - lacks);
        CHECK_EQUAL(world_rule(made.machine), lacks == 0 ? WDFDMA_RULE_NONE : WDFDMA_RULE_DMA_0C);
    }
}

/* AdapterControl maps, and its answer frees the registers. */
static IO_ALLOCATION_ACTION on_control_maps(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                            PVOID context) {
    dma *of = context;
    (void)device;
    (void)irp;
    of->base = base;
    CHECK_EQUAL(map(of, 0, SOME), SOME);
    return DeallocateObject;
}

TEST(an_answer_frees_what_is_mapped) {
    for (uint32_t mode = WDFDMA_MODE_DEFAULT; mode <= WDFDMA_MODE_IGNORE; mode++) {
        dma made = {.wdm = wdm_open(false, false)};
        made.start = MmGetMdlVirtualAddress(made.wdm.mdl);
        wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_DMA_10, mode);
        made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, made.wdm.object, 2, on_control_maps,
                                             &made);
        bool stops = mode == WDFDMA_MODE_DEFAULT || mode == WDFDMA_MODE_STOP;
        CHECK_EQUAL(world_rule(made.wdm.machine), stops ? WDFDMA_RULE_DMA_10 : WDFDMA_RULE_NONE);
        CHECK_EQUAL(violations_count(&made), mode == WDFDMA_MODE_IGNORE ? 0 : 1);
        if (!stops) {
            made.base = NULL;
            made.mapped_count = 0;
            finish(&made);
        }
        CHECK_MACHINE(made.wdm.machine);
    }
}

/* AdapterControl frees the registers, and its answer frees them again. */
static IO_ALLOCATION_ACTION on_control_frees(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                             PVOID context) {
    const dma *of = context;
    (void)device;
    (void)irp;
    of->wdm.ops->FreeMapRegisters(of->wdm.adapter, base, 2);
    return DeallocateObject;
}

/* A halt leaves the channel where it was; a machine that goes on frees it. */
TEST(an_answer_frees_what_is_freed) {
    for (uint32_t mode = WDFDMA_MODE_DEFAULT; mode <= WDFDMA_MODE_IGNORE; mode++) {
        dma made = {.wdm = wdm_open(false, false)};
        wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_DMA_05, mode);
        made.wdm.ops->AllocateAdapterChannel(made.wdm.adapter, made.wdm.object, 2, on_control_frees,
                                             &made);
        bool stops = mode == WDFDMA_MODE_DEFAULT || mode == WDFDMA_MODE_STOP;
        WDFOBJECT adapter = NULL;
        wdfdma_adapter_info info;
        CHECK_EQUAL(
            wdfdma_machine_copy_objects(made.wdm.machine, WDFDMA_OBJECT_ADAPTER, &adapter, 1), 1);
        CHECK_STATUS(wdfdma_adapter_get_info(adapter, &info), STATUS_SUCCESS);
        CHECK_EQUAL(world_rule(made.wdm.machine), stops ? WDFDMA_RULE_DMA_05 : WDFDMA_RULE_NONE);
        CHECK_EQUAL(violations_count(&made), mode == WDFDMA_MODE_IGNORE ? 0 : 1);
        CHECK_EQUAL(info.channel_owned, stops);
        CHECK_EQUAL(world_free_registers(made.wdm.machine), REGISTERS);
        CHECK_MACHINE(made.wdm.machine);
    }
}

/* A driver frees the registers of a system transaction, which gives them back once more. Where the
 * machine goes on, the channel is freed by nobody: who waits for it waits on. */
TEST(a_transaction_frees_what_is_freed) {
    for (uint32_t mode = WDFDMA_MODE_DEFAULT; mode <= WDFDMA_MODE_IGNORE; mode++) {
        dma made = {.wdm = wdm_open(false, false)};
        wdfdma_machine *machine = made.wdm.machine;
        WDFDMAENABLER enabler =
            world_enabler(made.wdm.device, &(world_profile){.profile = WdfDmaProfileSystem});
        WDFDMATRANSACTION item = world_transaction(enabler), next = world_transaction(enabler);
        PDMA_ADAPTER adapter =
            WdfDmaEnablerWdmGetDmaAdapter(enabler, WdfDmaDirectionReadFromDevice);
        wdfdma_transaction_info info;
        NTSTATUS status;
        wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_DMA_05, mode);
        CHECK_STATUS(world_initialize(item, WdfDmaDirectionReadFromDevice, made.wdm.mdl, 0, SOME),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_transaction_get_info(item, &info), STATUS_SUCCESS);
        made.wdm.ops->FreeMapRegisters(
            adapter, (PVOID)(uintptr_t)(0x100000 + (uint64_t)info.first_register * WORLD_PAGE),
            info.registers);
        CHECK_EQUAL(world_free_registers(machine), REGISTERS);
        CHECK(wdfdma_enabler_complete_transfer(enabler, WdfDmaDirectionReadFromDevice));
        bool stops = mode == WDFDMA_MODE_DEFAULT || mode == WDFDMA_MODE_STOP;
        CHECK_EQUAL(WdfDmaTransactionDmaCompleted(item, &status), !stops);
        CHECK_EQUAL(world_rule(machine), stops ? WDFDMA_RULE_DMA_05 : WDFDMA_RULE_NONE);
        CHECK_EQUAL(violations_count(&made), mode == WDFDMA_MODE_IGNORE ? 0 : 1);
        CHECK_MACHINE(machine);
        if (stops) {
            continue;
        }
        WdfObjectDelete(item);
        CHECK_STATUS(world_initialize(next, WdfDmaDirectionReadFromDevice, made.wdm.mdl, 0, SOME),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(next, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_machine_get_state(machine)->waiting_channel, 1);
        CHECK_EQUAL(world_free_registers(machine), REGISTERS);
        CHECK_MACHINE(machine);
        made.wdm.ops->FreeAdapterObject(adapter, DeallocateObjectKeepRegisters);
        CHECK_EQUAL(wdfdma_machine_get_state(machine)->waiting_channel, 0);
        CHECK_EQUAL(world_state(next), WDFDMA_STATE_TRANSFER);
        CHECK_MACHINE(machine);
    }
}

HARNESS_MAIN(ENTRY(each_rule_stops_the_machine), ENTRY(a_collected_offence_changes_nothing),
             ENTRY(a_near_miss_is_none), ENTRY(a_list_asks_for_too_many_registers),
             ENTRY(an_answer_frees_what_is_mapped), ENTRY(an_answer_frees_what_is_freed),
             ENTRY(a_transaction_frees_what_is_freed))
