/* Bad handles by the million: stale, forged, swapped, of another machine or type, with NULLs and
 * extreme numbers, also from inside callbacks. Whatever is called, nothing crashes, and the check
 * of the machine holds. The program's argument is the number of calls, and a second one the seed.
 */
#include "handles.h"

fuzz of;

void call_any(void) {
    if (wdfdma_machine_get_state(of.machines[0])->depth >= NESTED_DEPTH) {
        return;
    }
    of.calls++;
    if (of.mild && pick(16) != 0) {
        call_transaction_step();
    } else if (pick(3) == 0) {
        kernel_calls[pick(kernel_call_count)]();
    } else {
        framework_calls[pick(framework_call_count)]();
    }
}

/* What can be seen of a machine, but for what calls that return put back. */
typedef struct outside {
    wdfdma_machine_state state;
    wdfdma_transaction_info transactions[HANDLE_COUNT];
    wdfdma_adapter_info adapters[HANDLE_COUNT];
} outside;

static outside at_halt; /* of the machine that halted last */
static wdfdma_bugcheck last_bugcheck;

static void outside_look(wdfdma_machine *machine, outside *out) {
    WDFOBJECT handles[HANDLE_COUNT];
    memset(out, 0, sizeof *out);
    out->state = *wdfdma_machine_get_state(machine);
    out->state.op = 0;
    out->state.depth = 0;
    out->state.irql = 0;
    wdfdma_machine_copy_objects(machine, WDFDMA_OBJECT_TRANSACTION, handles, HANDLE_COUNT);
    for (uint64_t i = 0; i < out->state.objects[WDFDMA_OBJECT_TRANSACTION] && i < HANDLE_COUNT;
         i++) {
        wdfdma_transaction_get_info((WDFDMATRANSACTION)handles[i], &out->transactions[i]);
    }
    wdfdma_machine_copy_objects(machine, WDFDMA_OBJECT_ADAPTER, handles, HANDLE_COUNT);
    for (uint64_t i = 0; i < out->state.objects[WDFDMA_OBJECT_ADAPTER] && i < HANDLE_COUNT; i++) {
        wdfdma_adapter_get_info(handles[i], &out->adapters[i]);
    }
}

static void halt_note(wdfdma_machine *machine, const wdfdma_bugcheck *bugcheck, void *context) {
    (void)context;
    outside_look(machine, &at_halt);
    last_bugcheck = *bugcheck;
}

/* After a halt calls return, and nothing else happens. */
static void halt_check(wdfdma_machine *machine) {
    static outside now;
    outside_look(machine, &now);
    bool same = CHECK_BYTES(&now.state, &at_halt.state, sizeof now.state);
    same = same && CHECK_BYTES(now.transactions, at_halt.transactions, sizeof now.transactions);
    if (!same || !CHECK_BYTES(now.adapters, at_halt.adapters, sizeof now.adapters)) {
        printf("    rule %u, bug check 0x%X, in operation %u\n", last_bugcheck.rule,
               last_bugcheck.code, last_bugcheck.op);
    }
}

static void machine_open(uint32_t index, bool verifier) {
    static const WDF_DMA_PROFILE kinds[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather,
                                            WdfDmaProfileSystemDuplex, WdfDmaProfilePacket64};
    wdfdma_machine_config config = world_config(8);
    config.reserve_bytes = 64u << 20;
    config.verifier = verifier;
    config.handler = halt_note;
    of.machines[index] = harness_machine(&config);
    of.devices[index] = world_device(of.machines[index]);
    keep(of.devices[index]);
    for (int i = 0; i < 4; i++) {
        const world_profile asked = {.profile = kinds[i], .version = i < 3 ? 3u : 2u};
        of.enablers[index][i] = world_enabler(of.devices[index], &asked);
        keep(of.enablers[index][i]);
        keep(world_transaction(of.enablers[index][i]));
        WDFDMATRANSACTION stale = world_transaction(of.enablers[index][i]);
        keep(stale);
        WdfObjectDelete(stale);
    }
    WDFCOMMONBUFFER made = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(of.enablers[index][0], 100, NULL, &made), STATUS_SUCCESS);
    keep(made);
}

static void mdls_open(void) {
    static const uint64_t scattered[3] = {9, 7, 5};
    wdfdma_machine *machine = of.machines[0];
    of.mdls[0] = world_mdl(machine, 100, 2 * WORLD_PAGE, NULL);
    of.mdls[1] = world_mdl(machine, 4000, WORLD_PAGE, NULL);
    of.mdls[2] = world_mdl(machine, 0, 3 * WORLD_PAGE, scattered);
    of.mdls[3] = world_mdl(machine, 1, 1, NULL);
    of.mdls[1]->Next = of.mdls[2];
    of.forged = *of.mdls[0];
    of.mdls[4] = world_mdl(machine, 1, 1, NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, of.mdls[4]), STATUS_SUCCESS);
}

static void requests_open(void) {
    wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = of.mdls[0], .output_length = 5000};
    WDFREQUEST made = NULL;
    CHECK_STATUS(wdfdma_request_create(of.devices[0], &config, &made), STATUS_SUCCESS);
    keep(made);
}

static void adapters_open(void) {
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .MaximumLength = 3 * WORLD_PAGE,
                                      .DmaAddressWidth = 32};
    for (int i = 0; i < ADAPTER_COUNT; i++) {
        ULONG registers;
        description.ScatterGather = i % 2 == 0;
        description.Master = i != 3;
        of.adapters[i] =
            IoGetDmaAdapter(WdfDeviceWdmGetPhysicalDevice(of.devices[0]), &description, &registers);
    }
    of.adapters[0] =
        WdfDmaEnablerWdmGetDmaAdapter(of.enablers[0][0], WdfDmaDirectionReadFromDevice);
    of.adapters[1] =
        WdfDmaEnablerWdmGetDmaAdapter(of.enablers[0][2], WdfDmaDirectionReadFromDevice);
    of.operations = of.adapters[0]->DmaOperations;
}

static void world_make(bool verifier, uint32_t mode) {
    uint64_t random = of.random;
    memset(&of, 0, sizeof of);
    of.random = random;
    machine_open(1, verifier);
    machine_open(0, verifier);
    mdls_open();
    requests_open();
    adapters_open();
    for (int i = 0; i < 2; i++) {
        wdfdma_machine_set_rule_mode(of.machines[i], WDFDMA_RULE_NONE, mode);
        of.snapshots[i] = world_snapshot(of.machines[i]);
    }
    wdfdma_machine_use(of.machines[0]);
}

/* A machine that has halted is put back; now and then, one that has not. */
static bool machines_put_back(void) {
    bool any = false;
    for (int i = 0; i < 2; i++) {
        bool halted = wdfdma_machine_get_bugcheck(of.machines[i]) != NULL;
        if (halted) {
            halt_check(of.machines[i]);
        }
        if (halted || of.calls % 4096 < 2) {
            CHECK_MACHINE(of.machines[i]);
            of.halts += halted;
            CHECK_STATUS(wdfdma_machine_restore(of.machines[i], of.snapshots[i]), STATUS_SUCCESS);
            wdfdma_machine_use(of.machines[0]);
            any = true;
        }
    }
    return any;
}

static uint64_t calls_wanted = 200000;

static void calls_make(bool verifier, uint32_t mode) {
    world_make(verifier, mode);
    const fuzz fresh = of;
    while (of.calls < calls_wanted / 2 && harness.failures == 0) {
        call_any();
        if (machines_put_back() && pick(4) == 0) {
            memcpy(of.handles, fresh.handles, sizeof of.handles);
            memcpy(of.adapters, fresh.adapters, sizeof of.adapters);
            of.handle_count = fresh.handle_count;
            of.mild = pick(3) != 0;
        }
    }
    printf("    %" PRIu64 " calls, %" PRIu64 " bug checks\n", of.calls, of.halts);
    CHECK(of.halts > of.calls / 200);
    for (int i = 0; i < 2; i++) {
        wdfdma_snapshot_destroy(of.snapshots[i]);
    }
}

TEST(bad_handles_by_the_million) {
    calls_make(true, WDFDMA_MODE_DEFAULT);
}

TEST(bad_handles_without_the_verifier) {
    calls_make(false, WDFDMA_MODE_DEFAULT);
}

/* Broken rules of Windows' do not halt the machine: what they refuse changes nothing. */
TEST(bad_handles_collected) {
    calls_make(true, WDFDMA_MODE_COLLECT);
}

TEST(bad_handles_ignored) {
    calls_make(true, WDFDMA_MODE_IGNORE);
}

/* Our rules halt it too. */
TEST(bad_handles_stop) {
    calls_make(false, WDFDMA_MODE_STOP);
}

int main(int argc, char **argv) {
    static const harness_entry entries[] = {
        ENTRY(bad_handles_by_the_million), ENTRY(bad_handles_without_the_verifier),
        ENTRY(bad_handles_collected), ENTRY(bad_handles_ignored), ENTRY(bad_handles_stop)};
    if (argc > 1) {
        calls_wanted = strtoull(argv[1], NULL, 10);
    }
    of.random = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    return harness_main(entries, 5, NULL);
}
