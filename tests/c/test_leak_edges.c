/* Leaks to the last number: every parameter of every rule, the list of them and its room, lost registers
 * anywhere in a large pool, what is told again and what a machine is like after it was asked. */
#include "leaks.h"

enum {
    ROOM = 64
};

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

static IO_ALLOCATION_ACTION keep_registers(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                           PVOID context) {
    (void)device;
    (void)irp;
    if (context != NULL) {
        *(PVOID *)context = base;
    }
    return DeallocateObjectKeepRegisters;
}

static IO_ALLOCATION_ACTION keep_channel(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                         PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    (void)context;
    return KeepObject;
}

static void take_list(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context) {
    (void)device;
    (void)irp;
    *(PSCATTER_GATHER_LIST *)context = list;
}

static void reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(transaction, READ, registers, world_reserve_dma, NULL),
        STATUS_SUCCESS);
}

/* Registers of an enabler's adapter that nobody has: granted to a WDM routine, and forgotten. */
static PVOID lose(const world *of, WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction,
                  ULONG registers) {
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(enabler, direction);
    PDEVICE_OBJECT device = WdfDeviceWdmGetDeviceObject(of->device);
    PVOID base = NULL;
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    CHECK_STATUS(adapter->DmaOperations->AllocateAdapterChannel(adapter, device, registers,
                                                                keep_registers, &base),
                 STATUS_SUCCESS);
    KeLowerIrql(before);
    return base;
}

static void give_back(WDFDMAENABLER enabler, PVOID base, ULONG registers) {
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(enabler, READ);
    KIRQL before = KfRaiseIrql(DISPATCH_LEVEL);
    adapter->DmaOperations->FreeMapRegisters(adapter, base, registers);
    KeLowerIrql(before);
}

typedef struct told {
    uint32_t rule;
    uint64_t numbers[3]; /* its parameters 2 to 4 */
    uint32_t type;       /* of the object concerned */
} told;

static void told_expect(const wdfdma_violation *found, const told *expected, size_t count) {
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(found[i].rule, expected[i].rule);
        CHECK_EQUAL(found[i].parameters[0], expected[i].rule);
        for (int k = 0; k < 3; k++) {
            CHECK_EQUAL(found[i].parameters[k + 1], expected[i].numbers[k]);
        }
        CHECK_EQUAL(found[i].object_type, expected[i].type);
    }
}

/* Listed, then told: the same, in this order. The list writes what it has room for, and no more. */
static void leaks_expect(wdfdma_machine *machine, const told *expected, size_t count) {
    wdfdma_violation found[ROOM];
    size_t all = 0;
    for (size_t room = 0; room <= count + 1; room++) {
        memset(found, 0xAB, sizeof found);
        all = 0;
        CHECK_STATUS(wdfdma_machine_list_leaks(machine, NULL, room == 0 ? NULL : found, room, &all),
                     STATUS_SUCCESS);
        CHECK_EQUAL(all, count);
        size_t written = room < count ? room : count;
        told_expect(found, expected, written);
        CHECK_EQUAL(found[written].rule, 0xABABABAB);
    }
    wdfdma_machine_get_violations(machine, &all);
    CHECK_EQUAL(all, 0);
    CHECK_EQUAL(count_leaks(machine, NULL), count);
    const wdfdma_violation *kept = wdfdma_machine_get_violations(machine, &all);
    REQUIRE(CHECK_EQUAL(all, count));
    told_expect(kept, expected, count);
}

/* The framework's objects, one leak of each rule that they have. */
TEST(the_frameworks_leaks_have_their_numbers) {
    wdfdma_machine_config config = world_config(32);
    config.force_map_registers = true;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMAENABLER gathers =
        world_enabler(of.device, &(world_profile){.profile = WdfDmaProfileScatterGather});
    PMDL mdls[3];
    for (int i = 0; i < 3; i++) {
        mdls[i] = world_mdl(of.machine, 0, 4 * WORLD_PAGE, NULL);
    }
    WDFDMATRANSACTION reserved = world_transaction(of.enabler);
    WDFDMATRANSACTION filled = world_transaction(of.enabler);
    WDFDMATRANSACTION programmed = world_transaction(of.enabler);
    WDFDMATRANSACTION listed = world_transaction(gathers);
    const wdfdma_request_config read = {
        .type = WdfRequestTypeRead, .output = mdls[2], .output_length = 100};
    WDFCOMMONBUFFER buffer = NULL;
    WDFREQUEST request = NULL;
    reserve(reserved, 3);
    CHECK_STATUS(world_initialize(filled, READ, mdls[0], 0, 100), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(programmed, READ, mdls[0], 0, 5000), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(programmed, NULL), STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(listed, READ, mdls[1], 0, 9000), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(listed, NULL), STATUS_SUCCESS);
    CHECK_STATUS(WdfCommonBufferCreate(of.enabler, 5000, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_request_create(of.device, &read, &request), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        WdfObjectReference(of.device);
    }
    lose(&of, of.enabler, READ, 2);
    WDFOBJECT adapter = wdfdma_enabler_get_adapter(of.enabler, READ);
    const told expected[] = {
        {WDFDMA_RULE_LEAK_TRANSACTION,
         {number_of(reserved), WDFDMA_STATE_RESERVED, 0},
         WDFDMA_OBJECT_TRANSACTION},
        {WDFDMA_RULE_LEAK_RESERVATION, {number_of(reserved), 3, 0}, WDFDMA_OBJECT_TRANSACTION},
        {WDFDMA_RULE_LEAK_TRANSACTION,
         {number_of(filled), WDFDMA_STATE_INITIALIZED, 0},
         WDFDMA_OBJECT_TRANSACTION},
        {WDFDMA_RULE_NEVER_COMPLETED, {number_of(programmed), 5000, 0}, WDFDMA_OBJECT_TRANSACTION},
        {WDFDMA_RULE_NEVER_COMPLETED, {number_of(listed), 9000, 0}, WDFDMA_OBJECT_TRANSACTION},
        {WDFDMA_RULE_LEAK_LIST, {number_of(listed), 9000, 0}, WDFDMA_OBJECT_TRANSACTION},
        {WDFDMA_RULE_LEAK_COMMON_BUFFER, {number_of(buffer), 5000, 0}, WDFDMA_OBJECT_COMMON_BUFFER},
        {WDFDMA_RULE_LEAK_REQUEST, {number_of(request), 0, 0}, WDFDMA_OBJECT_REQUEST},
        {WDFDMA_RULE_LEAK_REFERENCE, {number_of(of.device), 2, 0}, WDFDMA_OBJECT_DEVICE},
        {WDFDMA_RULE_LEAK_REGISTERS, {number_of(adapter), 8, 2}, WDFDMA_OBJECT_ENABLER},
    };
    leaks_expect(of.machine, expected, sizeof expected / sizeof expected[0]);
}

/* A WDM driver's: one buffer, one list, the channel, the adapter. */
TEST(a_wdm_drivers_leaks_have_their_numbers) {
    wdm of = wdm_open(true, true);
    PHYSICAL_ADDRESS address;
    PSCATTER_GATHER_LIST list = NULL;
    WDFOBJECT adapter = NULL;
    CHECK_EQUAL(wdfdma_machine_copy_objects(of.machine, WDFDMA_OBJECT_ADAPTER, &adapter, 1), 1);
    CHECK(of.ops->AllocateCommonBuffer(of.adapter, 6000, &address, TRUE) != NULL);
    CHECK_STATUS(of.ops->GetScatterGatherList(of.adapter, of.object, of.mdl,
                                              MmGetMdlVirtualAddress(of.mdl), 5000, take_list,
                                              &list, FALSE),
                 STATUS_SUCCESS);
    CHECK(list != NULL);
    CHECK_STATUS(of.ops->AllocateAdapterChannel(of.adapter, of.object, 1, keep_registers, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(of.ops->AllocateAdapterChannel(of.adapter, of.object, 1, keep_channel, NULL),
                 STATUS_SUCCESS);
    const told expected[] = {
        {WDFDMA_RULE_LEAK_COMMON_BUFFER, {number_of(adapter), 6000, 0}, WDFDMA_OBJECT_ADAPTER},
        {WDFDMA_RULE_LEAK_LIST, {number_of(adapter), 5000, 0}, WDFDMA_OBJECT_ADAPTER},
        {WDFDMA_RULE_LEAK_REGISTERS, {number_of(adapter), 2, 1}, WDFDMA_OBJECT_ADAPTER},
        {WDFDMA_RULE_LEAK_CHANNEL, {number_of(adapter), 0, 0}, WDFDMA_OBJECT_ADAPTER},
        {WDFDMA_RULE_LEAK_ADAPTER, {number_of(adapter), 0, 0}, WDFDMA_OBJECT_ADAPTER},
    };
    leaks_expect(of.machine, expected, sizeof expected / sizeof expected[0]);
}

/* Below a device are its enablers' adapters, and those that a WDM driver got for it; not another's. */
TEST(a_root_has_what_lies_below_it) {
    wdm of = wdm_open(true, false);
    WDFDMAENABLER enabler =
        world_enabler(of.device, &(world_profile){.profile = WdfDmaProfileScatterGatherDuplex});
    WDFDEVICE other = world_device(of.machine);
    WDFDMATRANSACTION transaction = world_transaction(enabler);
    wdfdma_violation found[4];
    size_t count = 0;
    CHECK_STATUS(world_initialize(transaction, READ, of.mdl, 0, 100), STATUS_SUCCESS);
    CHECK_EQUAL(count_leaks(of.machine, NULL), 2);
    CHECK_EQUAL(count_leaks(of.machine, of.device), 2);
    CHECK_EQUAL(count_leaks(of.machine, enabler), 1);
    CHECK_EQUAL(count_leaks(of.machine, other), 0);
    CHECK_STATUS(wdfdma_machine_list_leaks(of.machine, enabler, found, 4, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 1);
    CHECK_EQUAL(found[0].handle, number_of(transaction));
    CHECK_STATUS(wdfdma_machine_list_leaks(of.machine, of.device, found, 4, &count),
                 STATUS_SUCCESS);
    CHECK_EQUAL(count, 2);
    CHECK_STATUS(wdfdma_machine_list_leaks(of.machine, other, found, 4, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 0);
}

TEST(wrong_arguments_are_refused) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(of.enabler);
    wdfdma_machine *machine = of.machine;
    wdfdma_violation found;
    size_t count = 7;
    CHECK_STATUS(wdfdma_machine_list_leaks(NULL, NULL, &found, 1, &count),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_list_leaks(machine, NULL, &found, 1, NULL),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_list_leaks(machine, NULL, NULL, 1, &count),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_list_leaks(machine, transaction, &found, 1, &count),
                 STATUS_INVALID_HANDLE);
    CHECK_STATUS(wdfdma_machine_check_leaks(machine, transaction, &count), STATUS_INVALID_HANDLE);
    CHECK_STATUS(wdfdma_machine_check_leaks(NULL, NULL, &count), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_check_leaks(machine, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(count, 7);
    CHECK_STATUS(wdfdma_machine_list_leaks(machine, NULL, &found, 0, &count), STATUS_SUCCESS);
    CHECK_EQUAL(count, 0);
    count = 7;
    wdfdma_machine_halt(machine, 1, 0);
    CHECK_STATUS(wdfdma_machine_list_leaks(machine, NULL, &found, 1, &count), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_machine_check_leaks(machine, NULL, &count), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(count, 7);
    CHECK(wdfdma_machine_take_leaks(machine, &count) == NULL);
    CHECK_EQUAL(count, 0);
    CHECK(wdfdma_machine_take_leaks(machine, NULL) == NULL);
}

/* Held and lost ones in turn, past the first 4096 registers and up to the last of the pool. */
TEST(each_lost_register_of_a_large_pool_is_found) {
    enum {
        REGISTERS_ALL = 4400,
        PAIRS = REGISTERS_ALL * 2 / 5 /* of two and of three registers in turn */
    };
    wdfdma_machine_config config = world_config(REGISTERS_ALL);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket,
                                                   .maximum_length = REGISTERS_ALL * WORLD_PAGE,
                                                   .version = 3});
    static wdfdma_violation found[PAIRS + 1];
    size_t count = 0;
    for (uint32_t i = 0; i < PAIRS; i++) {
        reserve(world_transaction(of.enabler), 1 + i % 2);
        lose(&of, of.enabler, READ, 1);
    }
    CHECK_EQUAL(world_free_registers(of.machine), 0);
    for (uint32_t rule = WDFDMA_RULE_LEAK_TRANSACTION; rule <= WDFDMA_RULE_LEAK_RESERVATION;
         rule++) {
        wdfdma_machine_set_rule_mode(of.machine, rule, WDFDMA_MODE_IGNORE);
    }
    CHECK_STATUS(wdfdma_machine_list_leaks(of.machine, NULL, found, PAIRS + 1, &count),
                 STATUS_SUCCESS);
    CHECK_EQUAL(count, PAIRS);
    for (size_t i = 0; i < PAIRS; i++) {
        CHECK_EQUAL(found[i].rule, WDFDMA_RULE_LEAK_REGISTERS);
        CHECK_EQUAL(found[i].parameters[2], 5 * (i / 2) + (i % 2 == 0 ? 1 : 4));
        CHECK_EQUAL(found[i].parameters[3], 1);
    }
}

/* Each adapter of an enabler is looked at once, whether it has one, two, or only the second. */
TEST(an_enablers_adapters_are_searched_once) {
    static const WDF_DMA_PROFILE profiles[] = {
        WdfDmaProfileScatterGather, WdfDmaProfileScatterGatherDuplex, WdfDmaProfileSystemDuplex};
    for (int way = 0; way < 3; way++) {
        WDFDEVICE device = world_device(harness_machine(NULL));
        world of = {.machine = wdfdma_object_get_machine(device), .device = device};
        WDF_DMA_ENABLER_CONFIG config;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, profiles[way], 65536);
        CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &of.enabler), STATUS_SUCCESS);
        if (way == 2) {
            CHECK_STATUS(world_configure(of.enabler, WdfDmaDirectionWriteToDevice), STATUS_SUCCESS);
        }
        for (int direction = way == 2 ? 1 : 0; direction < (way == 0 ? 1 : 2); direction++) {
            lose(&of, of.enabler, (WDF_DMA_DIRECTION)direction, 1);
        }
        CHECK_EQUAL(count_leaks(of.machine, of.enabler), way == 1 ? 2 : 1);
        CHECK_EQUAL(count_leaks(of.machine, of.device), way == 1 ? 2 : 1);
        CHECK_EQUAL(count_leaks(of.machine, NULL), way == 1 ? 2 : 1);
    }
}

/* A list's registers are its own, wherever they lie. */
TEST(the_registers_of_a_list_are_not_lost) {
    wdfdma_machine_config config = world_config(32);
    config.force_map_registers = true;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather});
    for (uint32_t i = 0; i < 2; i++) {
        WDFDMATRANSACTION transaction = world_transaction(of.enabler);
        PMDL mdl = world_mdl(of.machine, 0, 3 * WORLD_PAGE, NULL);
        CHECK_STATUS(world_initialize(transaction, READ, mdl, 0, 9000), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).first_register, 3 * i);
    }
    CHECK_LEAKS(of.machine, NULL, WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_LIST,
                WDFDMA_RULE_NEVER_COMPLETED, WDFDMA_RULE_LEAK_LIST);
}

/* Another run, another buffer, another list is another leak: it is told though one like it was. */
TEST(what_came_in_the_place_of_another_is_told) {
    wdfdma_machine_config config = world_config(64);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket,
                                                   .maximum_length = 64 * WORLD_PAGE,
                                                   .version = 3});
    PVOID first = lose(&of, of.enabler, READ, 1);
    CHECK_EQUAL(count_leaks(of.machine, NULL), 1);
    CHECK_EQUAL(count_leaks(of.machine, NULL), 1);
    CHECK_EQUAL(count_violations(of.machine), 1);
    PVOID bases[63];
    for (int i = 0; i < 63; i++) {
        bases[i] = lose(&of, of.enabler, READ, 1);
    }
    give_back(of.enabler, first, 1);
    for (int i = 0; i < 63; i++) { /* one at a time is there */
        give_back(of.enabler, bases[i], 1);
    }
    for (uint32_t shift = 0; shift < 6; shift++) {
        PVOID below = lose(&of, of.enabler, READ, 1u << shift);
        PVOID base = lose(&of, of.enabler, READ, 1);
        give_back(of.enabler, below, 1u << shift);
        size_t before = count_violations(of.machine);
        CHECK_EQUAL(count_leaks(of.machine, NULL), 1);
        CHECK_EQUAL(count_violations(of.machine), before + 1);
        CHECK_EQUAL(last_of(of.machine).parameters[2], 1u << shift);
        give_back(of.enabler, base, 1);
    }
}

/* Buffers of an adapter's, of other lengths each time. */
TEST(buffers_of_other_lengths_are_told) {
    wdm of = wdm_open(true, false);
    wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_LEAK_ADAPTER, WDFDMA_MODE_IGNORE);
    for (ULONG shift = 0; shift < 12; shift++) {
        PHYSICAL_ADDRESS address;
        ULONG bytes = WORLD_PAGE + (1u << shift);
        PVOID buffer = of.ops->AllocateCommonBuffer(of.adapter, bytes, &address, TRUE);
        REQUIRE(buffer != NULL);
        CHECK_EQUAL(count_leaks(of.machine, NULL), 1);
        CHECK_EQUAL(count_violations(of.machine), 2 * shift + 1);
        CHECK_EQUAL(last_of(of.machine).parameters[2], bytes);
        of.ops->FreeCommonBuffer(of.adapter, bytes, address, buffer, TRUE);
        PSCATTER_GATHER_LIST list = NULL;
        CHECK_STATUS(of.ops->GetScatterGatherList(of.adapter, of.object, of.mdl,
                                                  MmGetMdlVirtualAddress(of.mdl), bytes, take_list,
                                                  &list, FALSE),
                     STATUS_SUCCESS);
        CHECK_EQUAL(count_leaks(of.machine, NULL), 1);
        CHECK_EQUAL(count_violations(of.machine), 2 * shift + 2);
        CHECK_EQUAL(last_of(of.machine).parameters[2], bytes);
        of.ops->PutScatterGatherList(of.adapter, list, FALSE);
    }
}

/* With all other rules ignored, these are searched; with all of these, nothing is. */
TEST(only_the_rules_of_leaks_count) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_machine *machine = of.machine;
    reserve(world_transaction(of.enabler), 2);
    wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_NONE, WDFDMA_MODE_IGNORE);
    CHECK_EQUAL(count_leaks(machine, NULL), 0);
    wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_LEAK_RESERVATION, WDFDMA_MODE_COLLECT);
    CHECK_EQUAL(count_leaks(machine, NULL), 1);
    CHECK_EQUAL(last_of(machine).rule, WDFDMA_RULE_LEAK_RESERVATION);
}

/* Asked again and again, a machine takes no memory for it, and the failure that is to come still comes. */
TEST(a_machine_stays_as_it_was_asked) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    reserve(world_transaction(of.enabler), 2);
    count_leaks(of.machine, NULL);
    count_leaks(of.machine, NULL);
    size_t before = wdfdma_machine_get_used_bytes(of.machine);
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 5), STATUS_SUCCESS);
    for (int i = 0; i < 200; i++) {
        CHECK_EQUAL(count_leaks(of.machine, NULL), 2);
    }
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(of.machine), before);
    CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), 5);
}

/* What is told before counts no more; memory is there, whatever was to fail; other rules stay as they were. */
TEST(all_leaks_are_taken) {
    for (uint64_t fails = 0; fails < 3; fails++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        wdfdma_machine *machine = of.machine;
        wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_LEAK_TRANSACTION, WDFDMA_MODE_STOP);
        wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_LEAK_REQUEST, WDFDMA_MODE_IGNORE);
        wdfdma_machine_set_rule_mode(machine, WDFDMA_RULE_VERIFIER_BREAK, WDFDMA_MODE_COLLECT);
        CHECK_EQUAL(WdfDmaEnablerGetFragmentLength(of.enabler, (WDF_DMA_DIRECTION)7), 0);
        CHECK_EQUAL(count_violations(machine), 1);
        reserve(world_transaction(of.enabler), 2);
        CHECK_STATUS(wdfdma_machine_fail_allocation(machine, fails), STATUS_SUCCESS);
        size_t count = 0;
        const wdfdma_violation *found = wdfdma_machine_take_leaks(machine, &count);
        REQUIRE(CHECK_EQUAL(count, 2));
        CHECK_EQUAL(found[0].rule, WDFDMA_RULE_LEAK_TRANSACTION);
        CHECK_EQUAL(found[1].rule, WDFDMA_RULE_LEAK_RESERVATION);
        CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
        CHECK_EQUAL(wdfdma_machine_get_fail_allocation(machine), 0);
        CHECK_EQUAL(wdfdma_machine_get_rule_mode(machine, WDFDMA_RULE_LEAK_TRANSACTION),
                    WDFDMA_MODE_COLLECT);
        CHECK_EQUAL(wdfdma_machine_get_rule_mode(machine, WDFDMA_RULE_LEAK_REQUEST),
                    WDFDMA_MODE_IGNORE);
        CHECK_EQUAL(wdfdma_machine_get_rule_mode(machine, WDFDMA_RULE_DMA_0F_3),
                    WDFDMA_MODE_COLLECT);
        CHECK_EQUAL(wdfdma_machine_get_rule_mode(machine, WDFDMA_RULE_MAPPED_TWICE),
                    WDFDMA_MODE_DEFAULT);
        CHECK_EQUAL(wdfdma_machine_get_rule_mode(machine, WDFDMA_RULE_STATUS_IGNORED),
                    WDFDMA_MODE_DEFAULT);
    }
}

HARNESS_MAIN(ENTRY(the_frameworks_leaks_have_their_numbers),
             ENTRY(a_wdm_drivers_leaks_have_their_numbers), ENTRY(a_root_has_what_lies_below_it),
             ENTRY(wrong_arguments_are_refused), ENTRY(each_lost_register_of_a_large_pool_is_found),
             ENTRY(the_registers_of_a_list_are_not_lost),
             ENTRY(an_enablers_adapters_are_searched_once),
             ENTRY(what_came_in_the_place_of_another_is_told),
             ENTRY(buffers_of_other_lengths_are_told), ENTRY(only_the_rules_of_leaks_count),
             ENTRY(a_machine_stays_as_it_was_asked), ENTRY(all_leaks_are_taken))
