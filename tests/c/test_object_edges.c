/* Objects of the framework at their edges: attributes, contexts of one type under two names, what goes while
 * it is going or while it is wanted, memory that comes back, and power's callbacks on what goes in them. */
#include "power_world.h"

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

typedef struct EDGE_CONTEXT {
    uint64_t Value[8];
} EDGE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(EDGE_CONTEXT, GetEdge)

static WDF_OBJECT_ATTRIBUTES attributes_of(PCWDF_OBJECT_CONTEXT_TYPE_INFO type) {
    WDF_OBJECT_ATTRIBUTES made;
    WDF_OBJECT_ATTRIBUTES_INIT(&made);
    made.ContextTypeInfo = type;
    return made;
}

static world packet_world(void) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

/* The last good level and the first bad one, and the same of the scope. */
TEST(levels_and_scopes_have_an_end) {
    static const struct {
        int level;
        int scope;
        NTSTATUS status;
    } rows[] = {
        {WdfExecutionLevelInheritFromParent - 1, WdfSynchronizationScopeNone,
         STATUS_WDF_OBJECT_ATTRIBUTES_INVALID},
        {WdfExecutionLevelInheritFromParent, WdfSynchronizationScopeInheritFromParent,
         STATUS_SUCCESS},
        {WdfExecutionLevelDispatch, WdfSynchronizationScopeNone, STATUS_SUCCESS},
        {WdfExecutionLevelDispatch + 1, WdfSynchronizationScopeNone,
         STATUS_WDF_OBJECT_ATTRIBUTES_INVALID},
        {WdfExecutionLevelDispatch, WdfSynchronizationScopeInheritFromParent - 1,
         STATUS_WDF_OBJECT_ATTRIBUTES_INVALID},
        {WdfExecutionLevelDispatch, WdfSynchronizationScopeNone + 1,
         STATUS_WDF_OBJECT_ATTRIBUTES_INVALID},
    };
    world of = packet_world();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WDF_OBJECT_ATTRIBUTES attributes = attributes_of(NULL);
        WDFDMATRANSACTION made = NULL;
        attributes.ExecutionLevel = (WDF_EXECUTION_LEVEL)rows[i].level;
        attributes.SynchronizationScope = (WDF_SYNCHRONIZATION_SCOPE)rows[i].scope;
        CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &made), rows[i].status);
        CHECK((made != NULL) == NT_SUCCESS(rows[i].status));
    }
}

/* Two modules may each have the type's description: the unique one is the type. */
TEST(a_type_may_have_two_descriptions) {
    world of = packet_world();
    PCWDF_OBJECT_CONTEXT_TYPE_INFO unique = WDF_GET_CONTEXT_TYPE_INFO(EDGE_CONTEXT);
    WDF_OBJECT_CONTEXT_TYPE_INFO other = *unique;
    WDFDMATRANSACTION item = NULL;
    PVOID context = NULL;
    other.UniqueType = unique;
    WDF_OBJECT_ATTRIBUTES attributes = attributes_of(&other);
    CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &item), STATUS_SUCCESS);
    CHECK(GetEdge(item) != NULL);
    CHECK(WdfObjectGetTypedContextWorker(item, &other) == (PVOID)GetEdge(item));
    attributes = attributes_of(unique);
    CHECK_STATUS(WdfObjectAllocateContext(item, &attributes, &context), STATUS_OBJECT_NAME_EXISTS);
    CHECK(context == (PVOID)GetEdge(item));
    other.UniqueType = NULL; /* a type of its own */
    CHECK(WdfObjectGetTypedContextWorker(item, &other) == NULL);
}

/* Why a context is not made; nothing is handed out then. */
TEST(a_context_is_refused_with_its_reason) {
    world of = packet_world();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_of(NULL);
    PVOID context = NULL;
    CHECK_STATUS(WdfObjectAllocateContext(of.enabler, NULL, &context), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(WdfObjectAllocateContext(of.enabler, &attributes, &context),
                 STATUS_OBJECT_NAME_INVALID);
    attributes = attributes_of(WDF_GET_CONTEXT_TYPE_INFO(EDGE_CONTEXT));
    attributes.ParentObject = of.device;
    CHECK_STATUS(WdfObjectAllocateContext(of.enabler, &attributes, &context),
                 STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    attributes.ParentObject = NULL;
    attributes.Size = 1;
    CHECK_STATUS(WdfObjectAllocateContext(of.enabler, &attributes, &context),
                 STATUS_INFO_LENGTH_MISMATCH);
    attributes = attributes_of(WDF_GET_CONTEXT_TYPE_INFO(EDGE_CONTEXT));
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    WdfObjectReference(item);
    WdfObjectDelete(item);
    CHECK(wdfdma_object_get_parent(item) == NULL);
    CHECK_STATUS(WdfObjectAllocateContext(item, &attributes, &context), STATUS_DELETE_PENDING);
    CHECK(context == NULL);
    CHECK_STATUS(WdfObjectAllocateContext(of.enabler, &attributes, NULL), STATUS_SUCCESS);
    WdfObjectDereference(item);
}

/* What is no context's start has no object; nor has anything on a machine that halted, or on none. */
TEST(a_context_leads_to_its_object) {
    world of = packet_world();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_of(WDF_GET_CONTEXT_TYPE_INFO(EDGE_CONTEXT));
    WDFDMATRANSACTION item = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &item), STATUS_SUCCESS);
    uint8_t *context = (uint8_t *)GetEdge(item);
    REQUIRE(context != NULL);
    CHECK(WdfObjectContextGetObject(context) == (WDFOBJECT)item);
    for (int away = 1; away <= 64; away++) {
        CHECK(WdfObjectContextGetObject(context + away) == NULL);
        CHECK(WdfObjectContextGetObject(context - away) == NULL);
    }
    CHECK(WdfObjectContextGetObject(NULL) == NULL);
    wdfdma_machine_use(NULL);
    CHECK(WdfObjectContextGetObject(context) == NULL);
    wdfdma_machine_use(of.machine);
    wdfdma_machine_halt(of.machine, 1, 0);
    CHECK(WdfObjectContextGetObject(context) == NULL);
}

static uint32_t cleaned;
static uint32_t cleaned_at; /* an IRQL */
static NTSTATUS pending[2];
static WDFDMAENABLER enabler_above;

static VOID on_cleanup(WDFOBJECT item) {
    WDF_OBJECT_ATTRIBUTES attributes = attributes_of(WDF_GET_CONTEXT_TYPE_INFO(EDGE_CONTEXT));
    WDFDMATRANSACTION made = NULL;
    cleaned++;
    cleaned_at = KeGetCurrentIrql();
    pending[0] = WdfObjectAllocateContext(item, &attributes, NULL);
    pending[1] = WdfDmaTransactionCreate(enabler_above, WDF_NO_OBJECT_ATTRIBUTES, &made);
    CHECK(made == NULL);
}

/* In its cleanup an object, and all above it that go with it, take nothing new. */
TEST(what_is_going_takes_nothing_new) {
    for (int way = 0; way < 2; way++) {
        world of = packet_world();
        WDF_OBJECT_ATTRIBUTES attributes = attributes_of(NULL);
        WDFDMATRANSACTION item = NULL;
        attributes.EvtCleanupCallback = on_cleanup;
        CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &item), STATUS_SUCCESS);
        enabler_above = of.enabler;
        cleaned = 0;
        if (way == 0) {
            WdfObjectDelete(of.enabler);
        } else {
            wdfdma_device_destroy(of.device);
        }
        CHECK_EQUAL(cleaned, 1);
        CHECK_EQUAL(cleaned_at, PASSIVE_LEVEL);
        CHECK_STATUS(pending[0], STATUS_DELETE_PENDING);
        CHECK_STATUS(pending[1], STATUS_DELETE_PENDING);
        CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
    }
}

static VOID on_cleanup_halt(WDFOBJECT item) {
    wdfdma_machine_halt(wdfdma_object_get_machine(item), 1, 0);
}

/* A machine that halts in a cleanup callback stays as it was in it. */
TEST(a_halt_in_a_cleanup_stops_the_deletion) {
    world of = packet_world();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_of(NULL);
    WDFDMATRANSACTION item = NULL;
    attributes.EvtCleanupCallback = on_cleanup_halt;
    CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &item), STATUS_SUCCESS);
    WdfObjectDelete(item);
    CHECK_EQUAL(wdfdma_object_get_type(item), WDFDMA_OBJECT_TRANSACTION);
    CHECK(wdfdma_object_get_parent(item) == (WDFOBJECT)of.enabler);
    CHECK_EQUAL(world_state(item), WDFDMA_STATE_CREATED);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 1);
}

/* The memory of contexts comes back: of objects that go, and of some that never came to be. */
TEST(contexts_give_their_memory_back) {
    world of = packet_world();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_of(WDF_GET_CONTEXT_TYPE_INFO(EDGE_CONTEXT));
    size_t before = 0;
    for (int turn = 0; turn < 100; turn++) {
        WDFDMATRANSACTION item = NULL;
        WDFCOMMONBUFFER buffer = NULL;
        CHECK_STATUS(WdfDmaTransactionCreate(of.enabler, &attributes, &item), STATUS_SUCCESS);
        CHECK_STATUS(WdfCommonBufferCreate(of.enabler, (size_t)1 << 50, &attributes, &buffer),
                     STATUS_INSUFFICIENT_RESOURCES);
        CHECK(buffer == NULL);
        WdfObjectDelete(item);
        CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->objects[WDFDMA_OBJECT_COMMON_BUFFER], 0);
        CHECK(turn < 2 || wdfdma_machine_get_used_bytes(of.machine) == before);
        before = wdfdma_machine_get_used_bytes(of.machine);
    }
}

/* A reservation that waits keeps the memory of its transaction, though there is no such object any more. */
TEST(a_deleted_transaction_is_wanted_by_its_request) {
    wdfdma_machine_config config = world_config(8);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMAENABLER other =
        world_enabler(of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION held = world_transaction(of.enabler);
    WDFDMATRANSACTION waits = world_transaction(other);
    wdfdma_waiter_info waiter = {0};
    CHECK_STATUS(WdfDmaTransactionAllocateResources(held, READ, 8, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(waits, READ, 5, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    WdfObjectDelete(waits);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 1);
    CHECK_EQUAL(wdfdma_object_get_type(waits), WDFDMA_OBJECT_NONE);
    CHECK(wdfdma_object_get_machine(waits) == NULL);
    for (int i = 0; i < 4; i++) { /* none of them takes its place */
        world_transaction(of.enabler);
    }
    CHECK_EQUAL(wdfdma_pool_copy_requests(of.machine, &waiter, 1), 1);
    CHECK_EQUAL(waiter.registers, 5);
    CHECK_MACHINE(of.machine);
    WdfDmaTransactionFreeResources(held);
    CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_PENDING_RESERVATION_DISTURBED);
    CHECK_EQUAL(world_parameter(of.machine, 1), 0);
    CHECK_EQUAL(wdfdma_machine_get_bugcheck(of.machine)->handle, 0);
}

/* The log has a deletion with its label, and no numbers. */
TEST(a_deletion_has_no_numbers) {
    world of = packet_world();
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    wdfdma_log_view view;
    CHECK_STATUS(wdfdma_log_configure(of.machine, WDFDMA_LOG_GROWS), STATUS_SUCCESS);
    WdfObjectDelete(item);
    CHECK_STATUS(wdfdma_log_get_view(of.machine, &view), STATUS_SUCCESS);
    REQUIRE(view.first_count == 1);
    CHECK_EQUAL(view.first[0].kind, WDFDMA_RECORD_OP);
    CHECK_EQUAL(view.first[0].code, WDFDMA_OP_DELETE);
    CHECK_EQUAL(view.first[0].values[0], 0);
    CHECK_EQUAL(view.first[0].values[1], 0);
}

/* Power */

typedef enum power_act {
    ACT_NOTHING,
    ACT_FAIL,
    ACT_DELETE,
    ACT_DELETE_REFERENCED,
    ACT_HALT,
    ACT_LEAVE
} power_act;

static char told[32];
static char acts_in;
static power_act act;

static NTSTATUS tell(WDFDMAENABLER enabler, char what) {
    size_t length = strlen(told);
    told[length] = what;
    told[length + 1] = '\0';
    if (what != acts_in || act == ACT_NOTHING) {
        return STATUS_SUCCESS;
    }
    if (act == ACT_LEAVE) {
        CHECK_STATUS(
            wdfdma_device_leave_d0((WDFDEVICE)wdfdma_object_get_parent(enabler), WdfPowerDeviceD3),
            STATUS_SUCCESS);
        return STATUS_SUCCESS;
    }
    if (act == ACT_HALT) {
        wdfdma_machine_halt(wdfdma_object_get_machine(enabler), 1, 0);
        return STATUS_SUCCESS;
    }
    if (act == ACT_DELETE_REFERENCED) {
        WdfObjectReference(enabler);
    }
    if (act != ACT_FAIL) {
        WdfObjectDelete(enabler);
    }
    return STATUS_DEVICE_NOT_READY;
}

static WDFDEVICE power_open(void) {
    WDFDEVICE device = world_device(harness_machine(NULL));
    power_enabler(device);
    told[0] = '\0';
    return device;
}

/* Up, down and down again, with something happening in one of the callbacks: who is told, what is answered. */
TEST(power_goes_on_as_far_as_it_can) {
    static const struct {
        char in;
        power_act act;
        const char *told[3]; /* up, down, down */
        NTSTATUS status[3];
    } rows[] = {
        {'-', ACT_NOTHING, {"FES", "TDL", "TDL"}, {0, 0, 0}},
        {'F', ACT_FAIL, {"F", "T", "TDL"}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'E', ACT_FAIL, {"FE", "TD", "TDL"}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'S', ACT_FAIL, {"FES", "TDL", "TDL"}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'T',
         ACT_FAIL,
         {"FES", "TDL", "TDL"},
         {0, STATUS_DEVICE_NOT_READY, STATUS_DEVICE_NOT_READY}},
        {'F', ACT_DELETE, {"F", "", ""}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'E', ACT_DELETE, {"FE", "", ""}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'T', ACT_DELETE, {"FES", "T", ""}, {0, STATUS_DEVICE_NOT_READY, 0}},
        {'D', ACT_DELETE, {"FES", "TD", ""}, {0, STATUS_DEVICE_NOT_READY, 0}},
        {'F', ACT_DELETE_REFERENCED, {"F", "", ""}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'E', ACT_DELETE_REFERENCED, {"FE", "", ""}, {STATUS_DEVICE_NOT_READY, 0, 0}},
        {'T', ACT_DELETE_REFERENCED, {"FES", "T", ""}, {0, STATUS_DEVICE_NOT_READY, 0}},
        {'D', ACT_DELETE_REFERENCED, {"FES", "TD", ""}, {0, STATUS_DEVICE_NOT_READY, 0}},
        {'F',
         ACT_HALT,
         {"F", "", ""},
         {STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL}},
        {'E',
         ACT_HALT,
         {"FE", "", ""},
         {STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL}},
        {'T', ACT_HALT, {"FES", "T", ""}, {0, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL}},
        {'D', ACT_HALT, {"FES", "TD", ""}, {0, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL}},
        {'L', ACT_HALT, {"FES", "TDL", ""}, {0, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WDFDEVICE device = power_open();
        acts_in = rows[i].in;
        act = rows[i].act;
        for (int step = 0; step < 3; step++) {
            told[0] = '\0';
            NTSTATUS status = step == 0 ? wdfdma_device_enter_d0(device, WdfPowerDeviceD3)
                                        : wdfdma_device_leave_d0(device, WdfPowerDeviceD3);
            CHECK_STATUS(status, rows[i].status[step]);
            if (!CHECK(strcmp(told, rows[i].told[step]) == 0)) {
                printf("row %zu, step %d: %s\n", i, step, told);
            }
        }
    }
}

/* The failures of the last time are forgotten when Fill is called again, in which a driver may do anything. */
TEST(a_failure_counts_until_the_next_time) {
    static const char fails_in[] = {'F', 'E'};
    for (int way = 0; way < 2; way++) {
        WDFDEVICE device = power_open();
        acts_in = fails_in[way];
        act = ACT_FAIL;
        CHECK_STATUS(wdfdma_device_enter_d0(device, WdfPowerDeviceD3), STATUS_DEVICE_NOT_READY);
        told[0] = '\0';
        acts_in = 'F';
        act = ACT_LEAVE;
        CHECK_STATUS(wdfdma_device_enter_d0(device, WdfPowerDeviceD3), STATUS_SUCCESS);
        CHECK(strcmp(told, "FTDLES") == 0);
    }
}

HARNESS_MAIN(ENTRY(a_failure_counts_until_the_next_time), ENTRY(levels_and_scopes_have_an_end),
             ENTRY(a_type_may_have_two_descriptions), ENTRY(a_context_is_refused_with_its_reason),
             ENTRY(a_context_leads_to_its_object), ENTRY(what_is_going_takes_nothing_new),
             ENTRY(a_halt_in_a_cleanup_stops_the_deletion), ENTRY(contexts_give_their_memory_back),
             ENTRY(a_deleted_transaction_is_wanted_by_its_request),
             ENTRY(a_deletion_has_no_numbers), ENTRY(power_goes_on_as_far_as_it_can))
