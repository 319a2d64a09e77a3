/* Objects: parents and children, references, contexts, cleanup and destroy, deletion at bad
 * moments. */
#include "world.h"

typedef struct FIRST_CONTEXT {
    uint64_t Value;
    char Room[100];
} FIRST_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(FIRST_CONTEXT, GetFirst)

typedef struct SECOND_CONTEXT {
    uint32_t Value;
} SECOND_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE(SECOND_CONTEXT)

/* What callbacks did, in order: the object's label, 'c' for cleanup, 'd' for destroy. */
static char story[64];
static WDFOBJECT chosen; /* what some callbacks act on */

static void story_add(char what, WDFOBJECT object) {
    size_t length = strlen(story);
    if (length + 3 < sizeof story) {
        story[length] = what;
        story[length + 1] = (char)('0' + wdfdma_object_get_label(object));
        story[length + 2] = '\0';
    }
}

static void on_cleanup(WDFOBJECT object) {
    story_add('c', object);
}

static void on_destroy(WDFOBJECT object) {
    story_add('d', object);
}

static WDF_OBJECT_ATTRIBUTES attributes_told(void) {
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.EvtCleanupCallback = on_cleanup;
    attributes.EvtDestroyCallback = on_destroy;
    story[0] = '\0';
    return attributes;
}

static WDFDMATRANSACTION transaction_with(WDFDMAENABLER enabler,
                                          WDF_OBJECT_ATTRIBUTES *attributes) {
    WDFDMATRANSACTION made = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(enabler, attributes, &made), STATUS_SUCCESS);
    return made;
}

static world open_packet(void) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

static void check_story(const char *expected) {
    if (strcmp(story, expected) != 0) {
        printf("    the story is %s, expected %s\n", story, expected);
        harness.failures++;
    }
}

static void check_object_error(const wdfdma_machine *machine, WDFOBJECT object) {
    CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(world_parameter(machine, 0), WDFDMA_WDF_OBJECT_ERROR);
    CHECK_EQUAL(world_parameter(machine, 1), (uintptr_t)object);
}

TEST(children_go_last_to_first) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    for (int i = 0; i < 4; i++) {
        transaction_with(made.enabler, &attributes);
    }
    WdfObjectDelete(made.enabler);
    check_story("c3d3c2d2c1d1c0d0");
    CHECK_EQUAL(wdfdma_object_get_type(made.enabler), WDFDMA_OBJECT_NONE);
}

TEST(a_device_takes_all_along) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    WDFDEVICE device = NULL;
    CHECK_STATUS(wdfdma_device_create(machine, &attributes, &device), STATUS_SUCCESS);
    WDFDMAENABLER first = world_enabler(device, &(world_profile){.profile = WdfDmaProfilePacket});
    WDFDMAENABLER second =
        world_enabler(device, &(world_profile){.profile = WdfDmaProfileScatterGather});
    transaction_with(first, &attributes);
    transaction_with(second, &attributes);
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(first, 10, NULL, &buffer), STATUS_SUCCESS);
    wdfdma_device_destroy(device);
    check_story("c1d1c0d0c0d0");
    for (int type = 0; type <= WDFDMA_OBJECT_GENERAL; type++) {
        CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[type], 0);
    }
}

TEST(references_keep_an_object) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(&attributes, FIRST_CONTEXT);
    WDFDMATRANSACTION transaction = transaction_with(made.enabler, &attributes);
    GetFirst(transaction)->Value = 11;
    WdfObjectReference(transaction);
    WdfObjectReferenceWithTag(transaction, (PVOID)story);
    WdfObjectDelete(transaction);
    check_story("c0");
    REQUIRE(GetFirst(transaction) != NULL);
    CHECK_EQUAL(GetFirst(transaction)->Value, 11);
    WdfObjectDereference(transaction);
    check_story("c0");
    WdfObjectDereferenceWithTag(transaction, (PVOID)story);
    check_story("c0d0");
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
    CHECK(GetFirst(transaction) == NULL);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(world_parameter(made.machine, 0), WDFDMA_WDF_INVALID_HANDLE);
}

TEST(a_parent_goes_before_its_referenced_child) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    WDFDMATRANSACTION transaction = transaction_with(made.enabler, &attributes);
    WdfObjectReference(transaction);
    wdfdma_device_destroy(made.device);
    check_story("c0");
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 1);
    CHECK_MACHINE(made.machine);
    WdfObjectDereference(transaction);
    check_story("c0d0");
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 0);
}

TEST(a_deleted_object_takes_no_calls) {
    world made = open_packet();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    WdfObjectReference(transaction);
    WdfObjectDelete(transaction);
    CHECK_EQUAL(wdfdma_object_get_type(transaction), WDFDMA_OBJECT_NONE);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_parameter(made.machine, 0), WDFDMA_WDF_INVALID_HANDLE);
}

TEST(what_the_framework_owns_is_not_deleted) {
    world made = open_packet();
    WdfObjectDelete(made.device);
    check_object_error(made.machine, made.device);
    made = open_packet();
    const wdfdma_request_config config = {.type = WdfRequestTypeRead};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(made.device, &config, &request), STATUS_SUCCESS);
    WdfObjectDelete(request);
    check_object_error(made.machine, request);
}

TEST(nothing_is_dereferenced_past_the_last) {
    world made = open_packet();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    WdfObjectReference(transaction);
    WdfObjectDereference(transaction);
    WdfObjectDereference(transaction);
    check_object_error(made.machine, transaction);
}

TEST(nothing_is_deleted_twice) {
    world made = open_packet();
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    WdfObjectReference(transaction);
    WdfObjectDelete(transaction);
    WdfObjectDelete(transaction);
    check_object_error(made.machine, transaction);
}

/* ---- Contexts ---- */

TEST(contexts_are_found_by_type) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, FIRST_CONTEXT);
    WDFDMATRANSACTION transaction = transaction_with(made.enabler, &attributes);
    FIRST_CONTEXT *first = GetFirst(transaction);
    REQUIRE(first != NULL);
    CHECK_EQUAL(first->Value, 0);
    CHECK(WdfObjectGet_SECOND_CONTEXT(transaction) == NULL);
    CHECK(WdfObjectGetTypedContext(transaction, FIRST_CONTEXT) == first);
    CHECK(WdfObjectContextGetObject(first) == (WDFOBJECT)transaction);
    CHECK(WdfObjectContextGetObject((char *)first + 1) == NULL);
    CHECK(WdfObjectContextGetObject((char *)first + 16) == NULL);
    CHECK(WdfObjectContextGetObject(first - 1) == NULL);
    CHECK(WdfObjectContextGetObject(NULL) == NULL);
    CHECK(WdfObjectContextGetObject(&attributes) == NULL);
    CHECK(WdfObjectContextGetObject((PVOID)(uintptr_t)UINT64_MAX) == NULL);
    CHECK(WdfObjectGetTypedContextWorker(transaction, NULL) == NULL);
    WdfObjectDelete(transaction);
    CHECK(WdfObjectContextGetObject(first) == NULL);
}

TEST(contexts_are_added) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(&attributes, FIRST_CONTEXT);
    PVOID first = NULL, second = NULL, again = NULL;
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &first), STATUS_SUCCESS);
    WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(&attributes, SECOND_CONTEXT);
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &second), STATUS_SUCCESS);
    CHECK(GetFirst(made.enabler) == first);
    CHECK(WdfObjectGet_SECOND_CONTEXT(made.enabler) == second);
    CHECK(WdfObjectContextGetObject(first) == (WDFOBJECT)made.enabler);
    CHECK(WdfObjectContextGetObject(second) == (WDFOBJECT)made.enabler);
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &again),
                 STATUS_OBJECT_NAME_EXISTS);
    CHECK(again == second);
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, NULL),
                 STATUS_OBJECT_NAME_EXISTS);
    WdfObjectDelete(made.enabler);
    check_story("c0c0d0d0");
}

TEST(bad_attributes_for_a_context) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes;
    PVOID context = NULL;
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, NULL, &context), STATUS_INVALID_PARAMETER);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &context),
                 STATUS_OBJECT_NAME_INVALID);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, FIRST_CONTEXT);
    attributes.ParentObject = made.device;
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &context),
                 STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    attributes.ParentObject = NULL;
    attributes.Size--;
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &context),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK(context == NULL);
    WdfObjectReference(made.enabler);
    WdfObjectDelete(made.enabler);
    attributes.Size++;
    CHECK_STATUS(WdfObjectAllocateContext(made.enabler, &attributes, &context),
                 STATUS_DELETE_PENDING);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

static NTSTATUS try_attributes(const WDF_OBJECT_ATTRIBUTES *wanted) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = *wanted;
    WDFDMATRANSACTION transaction = NULL;
    NTSTATUS status = WdfDmaTransactionCreate(made.enabler, &attributes, &transaction);
    CHECK_EQUAL(NT_SUCCESS(status), transaction != NULL);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION],
                NT_SUCCESS(status));
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
    harness_machine_end(made.machine);
    return status;
}

TEST(bad_attributes_for_an_object) {
    static const WDF_OBJECT_CONTEXT_TYPE_INFO nothing = {sizeof nothing, "nothing", 0, &nothing,
                                                         NULL};
    WDF_OBJECT_ATTRIBUTES good, bad;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&good, FIRST_CONTEXT);
    CHECK_STATUS(try_attributes(&good), STATUS_SUCCESS);
    bad = good;
    bad.Size = 0;
    CHECK_STATUS(try_attributes(&bad), STATUS_INFO_LENGTH_MISMATCH);
    bad = good;
    bad.ContextSizeOverride = sizeof(FIRST_CONTEXT) - 1;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    bad.ContextSizeOverride = sizeof(FIRST_CONTEXT) + 1;
    CHECK_STATUS(try_attributes(&bad), STATUS_SUCCESS);
    bad.ContextTypeInfo = NULL;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    bad = good;
    bad.ContextTypeInfo = &nothing;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
}

TEST(levels_and_scopes_have_ranges) {
    WDF_OBJECT_ATTRIBUTES good, bad;
    WDF_OBJECT_ATTRIBUTES_INIT(&good);
    bad = good;
    bad.ExecutionLevel = WdfExecutionLevelInvalid;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    bad.ExecutionLevel = (WDF_EXECUTION_LEVEL)4;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    bad = good;
    bad.SynchronizationScope = WdfSynchronizationScopeInvalid;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
    bad.SynchronizationScope = (WDF_SYNCHRONIZATION_SCOPE)5;
    CHECK_STATUS(try_attributes(&bad), STATUS_WDF_OBJECT_ATTRIBUTES_INVALID);
}

/* From sizes that fit to those that nothing holds. */
TEST(contexts_of_any_size) {
    WDF_OBJECT_ATTRIBUTES attributes;
    for (int bit = 7; bit < 64; bit++) {
        WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, FIRST_CONTEXT);
        attributes.ContextSizeOverride = (size_t)1 << bit;
        NTSTATUS status = try_attributes(&attributes);
        CHECK(status == STATUS_SUCCESS || (bit > 24 && status == STATUS_INSUFFICIENT_RESOURCES));
        CHECK(status == STATUS_INSUFFICIENT_RESOURCES || bit < 34);
        attributes.ContextSizeOverride += (attributes.ContextSizeOverride - 1);
        try_attributes(&attributes);
    }
}

/* ---- Callbacks that act ---- */

static void on_cleanup_delete_chosen(WDFOBJECT object) {
    story_add('c', object);
    if (chosen != NULL) {
        WDFOBJECT gone = chosen;
        chosen = NULL;
        WdfObjectDelete(gone);
    }
}

static WDFDMATRANSACTION transaction_that_deletes(WDFDMAENABLER enabler) {
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    attributes.EvtCleanupCallback = on_cleanup_delete_chosen;
    return transaction_with(enabler, &attributes);
}

TEST(a_cleanup_deletes_a_sibling) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    chosen = transaction_with(made.enabler, &attributes);
    transaction_that_deletes(made.enabler);
    WdfObjectDelete(made.enabler);
    check_story("c1c0d0d1");
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 0);
}

TEST(a_cleanup_cannot_delete_itself) {
    world made = open_packet();
    WDFDMATRANSACTION transaction = transaction_that_deletes(made.enabler);
    chosen = transaction;
    WdfObjectDelete(transaction);
    check_object_error(made.machine, transaction);
}

/* The parent goes inside its child's cleanup: all of its other children go with it, and nobody
 * outlives it. */
TEST(a_cleanup_deletes_its_parent) {
    world made = open_packet();
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    WDFDMATRANSACTION sibling = transaction_with(made.enabler, &attributes);
    WDFDMATRANSACTION transaction = transaction_that_deletes(made.enabler);
    chosen = made.enabler;
    WdfObjectDelete(transaction);
    CHECK_MACHINE(made.machine);
    if (wdfdma_machine_get_bugcheck(made.machine) == NULL) {
        CHECK_EQUAL(state->objects[WDFDMA_OBJECT_ENABLER], 0);
        CHECK_EQUAL(state->objects[WDFDMA_OBJECT_TRANSACTION], 0);
        CHECK_EQUAL(wdfdma_object_get_type(sibling), WDFDMA_OBJECT_NONE);
    }
}

static WDFDMATRANSACTION late_child;
static NTSTATUS late_status;

static void on_cleanup_create(WDFOBJECT object) {
    late_child = NULL;
    late_status = WdfDmaTransactionCreate((WDFDMAENABLER)object, NULL, &late_child);
}

/* A child made while its parent goes must not outlive it. */
TEST(a_cleanup_creates_a_child) {
    world made = open_packet();
    WDF_DMA_ENABLER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    WDFDMAENABLER enabler = NULL;
    attributes.EvtCleanupCallback = on_cleanup_create;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, 4096);
    CHECK_STATUS(WdfDmaEnablerCreate(made.device, &config, &attributes, &enabler), STATUS_SUCCESS);
    WdfObjectDelete(enabler);
    CHECK(late_child == NULL || wdfdma_object_get_type(late_child) == WDFDMA_OBJECT_NONE);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 0);
}

static void on_destroy_dereference(WDFOBJECT object) {
    WdfObjectDereference(object);
}

TEST(a_destroy_cannot_dereference) {
    world made = open_packet();
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    attributes.EvtDestroyCallback = on_destroy_dereference;
    WDFDMATRANSACTION transaction = transaction_with(made.enabler, &attributes);
    WdfObjectDelete(transaction);
    check_object_error(made.machine, transaction);
}

static uint32_t revivals;

static void on_destroy_revive(WDFOBJECT object) {
    if (revivals++ == 0) {
        WdfObjectReference(object);
        WdfObjectDereference(object);
    }
}

/* An object that goes is not brought back, nor destroyed a second time. */
TEST(a_destroy_happens_once) {
    world made = open_packet();
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    WDF_OBJECT_ATTRIBUTES attributes = attributes_told();
    attributes.EvtDestroyCallback = on_destroy_revive;
    revivals = 0;
    WDFDMATRANSACTION transaction = transaction_with(made.enabler, &attributes);
    WdfObjectDelete(transaction);
    CHECK_EQUAL(revivals, 1);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_TRANSACTION],
                wdfdma_machine_get_bugcheck(made.machine) != NULL);
    CHECK_MACHINE(made.machine);
    if (wdfdma_machine_get_bugcheck(made.machine) == NULL) {
        WDFDMATRANSACTION first = world_transaction(made.enabler);
        CHECK(world_transaction(made.enabler) != first);
    }
}

TEST(a_transfer_is_not_deleted) {
    world made = open_packet();
    PMDL mdl = world_mdl(made.machine, 0, 100, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    WdfObjectDelete(made.enabler);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    CHECK_EQUAL(world_parameter(made.machine, 0), WDFDMA_WDF_DMA_FATAL_ERROR);
    CHECK_EQUAL(world_parameter(made.machine, 1), (uintptr_t)transaction);
    CHECK_EQUAL(world_parameter(made.machine, 2), WDFDMA_STATE_TRANSFER);
}

HARNESS_MAIN(ENTRY(children_go_last_to_first), ENTRY(a_device_takes_all_along),
             ENTRY(references_keep_an_object), ENTRY(a_parent_goes_before_its_referenced_child),
             ENTRY(a_deleted_object_takes_no_calls), ENTRY(what_the_framework_owns_is_not_deleted),
             ENTRY(nothing_is_dereferenced_past_the_last), ENTRY(nothing_is_deleted_twice),
             ENTRY(contexts_are_found_by_type), ENTRY(contexts_are_added),
             ENTRY(bad_attributes_for_a_context), ENTRY(bad_attributes_for_an_object),
             ENTRY(levels_and_scopes_have_ranges), ENTRY(contexts_of_any_size),
             ENTRY(a_cleanup_deletes_a_sibling), ENTRY(a_cleanup_cannot_delete_itself),
             ENTRY(a_cleanup_deletes_its_parent), ENTRY(a_cleanup_creates_a_child),
             ENTRY(a_destroy_cannot_dereference), ENTRY(a_destroy_happens_once),

             ENTRY(a_transfer_is_not_deleted))
