/* What a driver may write where it must not: MDLs and lists changed behind the framework's back,
 * at any moment. The machine goes on with what is still true, or halts by the rule InvalidMdl; it
 * never crashes, and no one else's bytes change. */
#include "world.h"

enum {
    MDL_BYTES = 3 * WORLD_PAGE,
    CHAIN = 3,
    VICTIM_BYTES = 2 * WORLD_PAGE
};

typedef struct scene {
    world world;
    WDFDMAENABLER other; /* its transaction has the registers behind ours */
    PMDL chain[CHAIN];
    PMDL spare; /* live, of many scattered pages */
    WDFDMATRANSACTION transaction;
    WDFDMATRANSACTION holder; /* of all registers, while ours waits */
    WDFDMATRANSACTION victim;
    world_seen seen;
    world_seen victim_seen;
} scene;

typedef enum moment {
    BEFORE_INITIALIZE,
    BEFORE_EXECUTE,
    WHILE_WAITING,
    BEFORE_COMPLETE,
    MOMENT_COUNT
} moment;

/* ---- What can be done to a chain ---- */

static void next_to_itself(scene *of) {
    of->chain[0]->Next = of->chain[0];
}
static void next_in_a_circle(scene *of) {
    of->chain[2]->Next = of->chain[0];
}
static void next_is_garbage(scene *of) {
    of->chain[0]->Next = (PMDL)(uintptr_t)0x1230;
}
static void last_next_is_garbage(scene *of) {
    of->chain[2]->Next = (PMDL)(uintptr_t)0xFFFFFFFFFFFFFFF0u;
}
static void next_is_inside(scene *of) {
    of->chain[0]->Next = (PMDL)(void *)(MmGetMdlPfnArray(of->chain[1]));
}
static void next_is_freed(scene *of) {
    wdfdma_mdl_destroy(of->world.machine, of->chain[1]);
}
static void first_is_freed(scene *of) {
    wdfdma_mdl_destroy(of->world.machine, of->chain[0]);
}
static void next_is_gone(scene *of) {
    of->chain[0]->Next = NULL;
}
static void next_is_another(scene *of) {
    of->chain[0]->Next = of->spare;
}
static void count_too_big(scene *of) {
    of->chain[0]->ByteCount = MDL_BYTES + 2 * WORLD_PAGE;
}
static void count_huge(scene *of) {
    of->chain[1]->ByteCount = UINT32_MAX;
}
static void count_zero(scene *of) {
    of->chain[0]->ByteCount = 0;
}
static void second_count_zero(scene *of) {
    of->chain[1]->ByteCount = 0;
}
static void count_small(scene *of) {
    of->chain[0]->ByteCount = 1;
    of->chain[1]->ByteCount = 1;
}
static void offset_huge(scene *of) {
    of->chain[0]->ByteOffset = UINT32_MAX;
}
static void offset_past_page(scene *of) {
    of->chain[1]->ByteOffset = WORLD_PAGE;
}
/* The pages still suffice, but a part of the buffer now touches one more of them. */
static void offset_shifted(scene *of) {
    for (int i = 0; i < CHAIN; i++) {
        of->chain[i]->ByteCount -= 4000;
        of->chain[i]->ByteOffset = 4000;
    }
}
static void frames_forged(scene *of) {
    for (int i = 0; i < CHAIN; i++) {
        memset(MmGetMdlPfnArray(of->chain[i]), 0xFF, 3 * sizeof(PFN_NUMBER));
    }
}
static void header_forged(scene *of) {
    of->chain[0]->Size = -1;
    of->chain[0]->MdlFlags = -1;
    of->chain[0]->MappedSystemVa = NULL;
    of->chain[0]->StartVa = NULL;
}

static void (*const corruptions[])(scene *) = {
    next_to_itself,   next_in_a_circle, next_is_garbage,   last_next_is_garbage, next_is_inside,
    next_is_freed,    first_is_freed,   next_is_gone,      next_is_another,      count_too_big,
    count_huge,       count_zero,       second_count_zero, count_small,          offset_huge,
    offset_past_page, offset_shifted,   frames_forged,     header_forged};

/* ---- A scene ---- */

static void scene_open(scene *out, const world_profile *profile, bool force, uint64_t log_records) {
    wdfdma_machine_config config = world_config(16);
    static const uint64_t spare_pfns[4] = {900, 800, 700, 600};
    config.force_map_registers = force;
    config.log_records = log_records;
    memset(out, 0, sizeof *out);
    out->world = world_open(&config, *profile);
    const world_profile holding = {.profile = WdfDmaProfilePacket, .version = 3};
    out->other = world_enabler(out->world.device, &holding);
    for (int i = 0; i < CHAIN; i++) {
        out->chain[i] = world_mdl(out->world.machine, 0, MDL_BYTES, NULL);
    }
    for (int i = 0; i + 1 < CHAIN; i++) {
        out->chain[i]->Next = out->chain[i + 1];
    }
    out->spare = world_mdl(out->world.machine, 1, MDL_BYTES, spare_pfns);
    out->transaction = world_transaction(out->world.enabler);
    out->holder = world_transaction(out->other);
}

/* The victim sends two pages to the device through registers of its own. */
static void victim_start(scene *of) {
    static uint8_t data[VICTIM_BYTES];
    static const uint64_t pfns[2] = {500, 400};
    PMDL mdl = world_mdl(of->world.machine, 0, VICTIM_BYTES, pfns);
    world_fill(data, sizeof data, 200);
    CHECK_STATUS(wdfdma_mdl_write(of->world.machine, mdl, 0, data, sizeof data), STATUS_SUCCESS);
    of->victim = world_transaction(world_enabler(
        of->world.device, &(world_profile){.profile = WdfDmaProfilePacket64, .version = 3}));
    CHECK_STATUS(world_initialize(of->victim, WdfDmaDirectionWriteToDevice, mdl, 0, VICTIM_BYTES),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(of->victim, &of->victim_seen), STATUS_SUCCESS);
}

static void victim_check(const scene *of) {
    static uint8_t data[VICTIM_BYTES], back[VICTIM_BYTES];
    if (of->victim_seen.programmed == 0 || wdfdma_machine_get_bugcheck(of->world.machine) != NULL) {
        return;
    }
    world_fill(data, sizeof data, 200);
    CHECK_STATUS(wdfdma_device_read(of->world.machine,
                                    (uint64_t)of->victim_seen.list[0].Address.QuadPart, back,
                                    of->victim_seen.list[0].Length),
                 STATUS_SUCCESS);
    CHECK_BYTES(back, data, of->victim_seen.list[0].Length);
}

/* The device uses all that it was last told, once. */
static void device_use(scene *of) {
    static uint8_t bytes[CHAIN * MDL_BYTES];
    for (uint32_t i = 0; i < of->seen.elements && i < WORLD_ELEMENTS; i++) {
        uint64_t address = (uint64_t)of->seen.list[i].Address.QuadPart;
        if (of->seen.list[i].Length > sizeof bytes) {
            continue;
        }
        if (of->seen.direction == WdfDmaDirectionReadFromDevice) {
            wdfdma_device_write(of->world.machine, address, bytes, of->seen.list[i].Length);
        } else {
            wdfdma_device_read(of->world.machine, address, bytes, of->seen.list[i].Length);
        }
    }
}

static bool scene_lasts(const scene *of) {
    return wdfdma_machine_get_bugcheck(of->world.machine) == NULL;
}

static void scene_execute(scene *of, moment when, void (*corrupt)(scene *)) {
    if (when == WHILE_WAITING) {
        CHECK_STATUS(WdfDmaTransactionAllocateResources(of->holder, WdfDmaDirectionReadFromDevice,
                                                        16, world_reserve_dma, NULL),
                     STATUS_SUCCESS);
    }
    NTSTATUS status = WdfDmaTransactionExecute(of->transaction, &of->seen);
    if (!NT_SUCCESS(status) || !scene_lasts(of)) {
        return;
    }
    if (when == WHILE_WAITING) {
        corrupt(of);
        WdfDmaTransactionFreeResources(of->holder);
    } else if (when == BEFORE_COMPLETE) {
        victim_start(of);
        device_use(of);
        corrupt(of);
    }
    for (int i = 0;
         i < 20 && scene_lasts(of) && world_state(of->transaction) == WDFDMA_STATE_TRANSFER &&
         world_info(of->transaction).waiting == WDFDMA_WAITING_NOT;
         i++) {
        device_use(of);
        if (scene_lasts(of)) {
            WdfDmaTransactionDmaCompleted(of->transaction, &status);
        }
    }
    victim_check(of);
}

static void scene_play(scene *of, moment when, void (*corrupt)(scene *),
                       WDF_DMA_DIRECTION direction) {
    if (when == BEFORE_INITIALIZE) {
        corrupt(of);
    }
    NTSTATUS status = WdfDmaTransactionInitializeUsingOffset(
        of->transaction, world_program_dma, direction, of->chain[0], 0, CHAIN * MDL_BYTES - 100);
    if (NT_SUCCESS(status)) {
        if (when == BEFORE_EXECUTE) {
            corrupt(of);
        }
        scene_execute(of, when, corrupt);
    }
}

/* A halt is by the rule that concerns MDLs or, where the chain has become too short, the one for
 * lengths. A device that uses what is no longer there is a bug check of its own. */
static void scene_judge(const scene *of) {
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(of->world.machine);
    CHECK_MACHINE(of->world.machine);
    if (bugcheck == NULL || bugcheck->code == WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION) {
        return;
    }
    CHECK_EQUAL(bugcheck->code, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
    CHECK(bugcheck->rule == WDFDMA_RULE_INVALID_MDL ||
          bugcheck->rule == WDFDMA_RULE_LENGTH_PAST_BUFFER);
}

static void scenes_play(WDF_DMA_PROFILE profile, ULONG version, bool force, moment when) {
    static scene made;
    const world_profile asked = {
        .profile = profile, .version = version, .maximum_length = 7 * WORLD_PAGE};
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++) {
        for (int direction = 0; direction < 2; direction++) {
            size_t before = harness.failures;
            scene_open(&made, &asked, force, 0);
            scene_play(&made, when, corruptions[i], (WDF_DMA_DIRECTION)direction);
            scene_judge(&made);
            harness_machine_end(made.world.machine);
            if (harness.failures != before) {
                printf(
                    "    profile %d version %u forced %d moment %d corruption %zu direction %d\n",
                    (int)profile, (unsigned)version, force, (int)when, i, direction);
            }
        }
    }
}

static void all_profiles_play(moment when) {
    static const struct {
        WDF_DMA_PROFILE profile;
        ULONG version;
    } rows[] = {{WdfDmaProfilePacket, 2},          {WdfDmaProfilePacket, 3},
                {WdfDmaProfileScatterGather, 2},   {WdfDmaProfileScatterGather, 3},
                {WdfDmaProfileScatterGather64, 3}, {WdfDmaProfileSystem, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scenes_play(rows[i].profile, rows[i].version, false, when);
        scenes_play(rows[i].profile, rows[i].version, true, when);
    }
}

TEST(before_initialize) {
    all_profiles_play(BEFORE_INITIALIZE);
}
TEST(before_execute) {
    all_profiles_play(BEFORE_EXECUTE);
}
TEST(while_waiting) {
    all_profiles_play(WHILE_WAITING);
}
TEST(before_complete) {
    all_profiles_play(BEFORE_COMPLETE);
}

/* ---- One by one ---- */

/* The buffer ends exactly with its first MDL, whose Next nobody has a reason to follow. */
TEST(garbage_behind_the_buffer_is_not_followed) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    mdl->Next = (PMDL)(uintptr_t)0x1230;
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

/* The list needs more elements, once its registers come, than there was room for when they were
 * asked for. */
TEST(a_list_that_grew_while_waiting) {
    static const uint64_t scattered[4] = {900, 800, 700, 600};
    wdfdma_machine_config config = world_config(16);
    world made =
        world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    WDFDMAENABLER other =
        world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, scattered);
    WDFDMATRANSACTION holder = world_transaction(other);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(holder, WdfDmaDirectionReadFromDevice, 16,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(transaction).waiting, WDFDMA_WAITING_POOL);
    mdl->ByteOffset = 2000;
    mdl->ByteCount -= 2000;
    WdfDmaTransactionFreeResources(holder);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
}

/* The bytes would come out of one more register than the transfer holds: the last of the pool, at
 * that. */
TEST(a_bounced_buffer_that_shifted) {
    wdfdma_machine_config config = world_config(2);
    config.force_map_registers = true;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION first = world_transaction(made.enabler);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    NTSTATUS status;
    CHECK_STATUS(WdfDmaTransactionAllocateResources(first, WdfDmaDirectionReadFromDevice, 1,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(transaction).first_register, 1);
    mdl->ByteOffset = 2000;
    mdl->ByteCount -= 2000;
    WdfDmaTransactionDmaCompleted(transaction, &status);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
}

/* A list that bounces is granted one register, and its chain touches two pages by then: the second
 * one's bytes must not end in the register of someone else. */
TEST(a_neighbours_register_is_left_alone) {
    static uint8_t data[WORLD_PAGE], back[WORLD_PAGE];
    wdfdma_machine_config config = world_config(3);
    config.force_map_registers = true;
    world made =
        world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather, .version = 3});
    const world_profile packet = {.profile = WdfDmaProfilePacket, .version = 3};
    WDFDMATRANSACTION holder = world_transaction(world_enabler(made.device, &packet));
    WDFDMATRANSACTION victim = world_transaction(world_enabler(made.device, &packet));
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL victim_mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    world_seen seen = {0};
    world_fill(data, sizeof data, 1);
    CHECK_STATUS(wdfdma_mdl_write(made.machine, victim_mdl, 0, data, sizeof data), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(holder, WdfDmaDirectionReadFromDevice, 2,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(victim, WdfDmaDirectionWriteToDevice, victim_mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(victim, &seen), STATUS_SUCCESS);
    CHECK_STATUS(
        world_initialize(transaction, WdfDmaDirectionWriteToDevice, mdl, 0, 2 * WORLD_PAGE),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    PMDL longer = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    mdl->ByteCount = 100;
    mdl->Next = longer;
    WdfDmaTransactionFreeResources(holder);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
    if (wdfdma_machine_get_bugcheck(made.machine) == NULL) {
        CHECK_STATUS(wdfdma_device_read(made.machine, (uint64_t)seen.list[0].Address.QuadPart, back,
                                        sizeof back),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, data, sizeof data);
    }
}

/* A mapping is what the HAL mapped, whatever the driver writes into the list that tells it. */
static PSCATTER_GATHER_LIST kept_list;

static BOOLEAN keep_list(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                         WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    kept_list = list;
    return TRUE;
}

static void list_forge(WDF_DMA_PROFILE profile, uint64_t address, ULONG length, bool force) {
    wdfdma_machine_config config = world_config(8);
    config.force_map_registers = force;
    world made = world_open(&config, (world_profile){.profile = profile, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    PMDL secret = world_mdl(made.machine, 0, WORLD_PAGE, (const uint64_t[]){0x55});
    uint8_t bytes[16] = {0};
    CHECK(secret != NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                     transaction, keep_list, WdfDmaDirectionReadFromDevice, mdl, 0, 4096),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    kept_list->NumberOfElements = UINT32_MAX;
    kept_list->Elements[0].Address.QuadPart = (LONGLONG)address;
    kept_list->Elements[0].Length = length;
    CHECK_STATUS(wdfdma_device_write(made.machine, address, bytes, sizeof bytes),
                 STATUS_UNSUCCESSFUL);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
    CHECK_MACHINE(made.machine);
    harness_machine_end(made.machine);
}

TEST(a_forged_list_opens_nothing) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather,
                                               WdfDmaProfileSystem};
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        for (int force = 0; force < 2; force++) {
            list_forge(profiles[i], 0x55 * WORLD_PAGE, 4096, force != 0);
            list_forge(profiles[i], WORLD_REGISTERS_ADDRESS + 7 * WORLD_PAGE, 4096, force != 0);
            list_forge(profiles[i], 0, 4096, force != 0);
            list_forge(profiles[i], WORLD_REGISTERS_ADDRESS + (UINT64_C(1) << 40), UINT32_MAX,
                       force != 0);
        }
    }
}

/* Offsets are taken from an address that is never null, whatever the object's place in the
 * machine. */
TEST(a_scattered_mdl_has_an_address) {
    wdfdma_machine *machine = harness_machine(NULL);
    static const uint64_t twice[2] = {5, 5};
    PMDL mdl = world_mdl(machine, 16, WORLD_PAGE, twice);
    CHECK(MmGetMdlBaseVa(mdl) != NULL);
    WDFDMAENABLER enabler = world_enabler(world_device(machine),
                                          &(world_profile){.profile = WdfDmaProfileScatterGather});
    WDFDMATRANSACTION transaction = world_transaction(enabler);
    CHECK_STATUS(WdfDmaTransactionInitialize(transaction, world_program_dma,
                                             WdfDmaDirectionReadFromDevice, mdl,
                                             (char *)MmGetMdlVirtualAddress(mdl) + 100, 1000),
                 STATUS_SUCCESS);
}

/* A list lies in its transaction, in a region where the first word of a slot tells a handle. */
static BOOLEAN program_forging(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                               WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    uint64_t handle = (uint64_t)(uintptr_t)transaction;
    (void)device;
    (void)context;
    (void)direction;
    for (uint64_t unit = 1; unit <= 4; unit++) {
        for (size_t word = 0; word < 5; word++) {
            uint64_t forged[5] = {WDFDMA_OBJECT_TRANSACTION, WDFDMA_OBJECT_TRANSACTION,
                                  WDFDMA_OBJECT_TRANSACTION, WDFDMA_OBJECT_TRANSACTION,
                                  WDFDMA_OBJECT_TRANSACTION};
            forged[word] = handle + unit;
            memcpy(list, forged, sizeof forged);
            CHECK_EQUAL(wdfdma_object_get_type((WDFOBJECT)(uintptr_t)(handle + unit)),
                        WDFDMA_OBJECT_NONE);
        }
    }
    return TRUE;
}

TEST(a_list_makes_no_handle) {
    wdfdma_machine_config config = world_config(8);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program_forging,
                                                        WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

HARNESS_MAIN(ENTRY(a_list_makes_no_handle), ENTRY(before_initialize), ENTRY(before_execute),
             ENTRY(while_waiting), ENTRY(before_complete),
             ENTRY(garbage_behind_the_buffer_is_not_followed),
             ENTRY(a_list_that_grew_while_waiting), ENTRY(a_bounced_buffer_that_shifted),
             ENTRY(a_neighbours_register_is_left_alone), ENTRY(a_forged_list_opens_nothing),
             ENTRY(a_scattered_mdl_has_an_address))
