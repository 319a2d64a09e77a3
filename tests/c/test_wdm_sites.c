/* Every call site fails once: the routines of a WDM driver's adapter, each of which notes where it was
 * called from, for itself or for whom it lets through. */
#define PROGRAM "test_wdm_sites"
#include "fault_sites.h"
#include "wdm_world.h"

enum {
    CALLS_MOST = 20,
    LENGTH = 2 * WORLD_PAGE,
    HALF = REGISTERS / 2
};

/* A driver that needs no registers, so that none can be denied. */
typedef struct caller {
    wdm wdm;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    uint64_t room[32];
} caller;

static void caller_open(caller *out) {
    DEVICE_DESCRIPTION wide = describe(true);
    memset(out, 0, sizeof *out);
    out->wdm = wdm_open(true, false);
    wide.DmaAddressWidth = 64;
    out->wdm.adapter = adapter_get(&out->wdm, wide);
}

/* ---- Routines that fail ---- */

static bool list_end(const wdm *on, NTSTATUS status, const seen *got) {
    CHECK_EQUAL(NT_SUCCESS(status), got->calls);
    if (got->list != NULL) {
        on->ops->PutScatterGatherList(on->adapter, got->list, TRUE);
    }
    return NT_SUCCESS(status);
}

APART static bool call_get_list(caller *of) {
    const wdm *on = &of->wdm;
    seen got = {0};
    NTSTATUS status =
        on->ops->GetScatterGatherList(on->adapter, on->object, on->mdl,
                                      MmGetMdlVirtualAddress(on->mdl), LENGTH, on_list, &got, TRUE);
    return list_end(on, status, &got);
}

APART static bool call_get_list_ex(caller *of) {
    const wdm *on = &of->wdm;
    seen got = {0};
    NTSTATUS status =
        on->ops->GetScatterGatherListEx(on->adapter, on->object, of->context, on->mdl, 0, LENGTH, 0,
                                        on_list, &got, TRUE, NULL, NULL, NULL);
    return list_end(on, status, &got);
}

APART static bool call_build_list(caller *of) {
    const wdm *on = &of->wdm;
    seen got = {0};
    NTSTATUS status = on->ops->BuildScatterGatherList(
        on->adapter, on->object, on->mdl, MmGetMdlVirtualAddress(on->mdl), LENGTH, on_list, &got,
        TRUE, of->room, sizeof of->room);
    return list_end(on, status, &got);
}

APART static bool call_build_list_ex(caller *of) {
    const wdm *on = &of->wdm;
    seen got = {0};
    NTSTATUS status = on->ops->BuildScatterGatherListEx(
        on->adapter, on->object, of->context, on->mdl, 0, LENGTH, 0, on_list, &got, TRUE, of->room,
        sizeof of->room, NULL, NULL, NULL);
    return list_end(on, status, &got);
}

APART static bool call_calculate(caller *of) {
    const wdm *on = &of->wdm;
    ULONG bytes = 7;
    NTSTATUS status =
        on->ops->CalculateScatterGatherList(on->adapter, NULL, NULL, LENGTH, &bytes, NULL);
    CHECK_EQUAL(bytes != 7, NT_SUCCESS(status));
    return NT_SUCCESS(status);
}

APART static bool call_channel(caller *of) {
    const wdm *on = &of->wdm;
    seen got = {.answer = DeallocateObject};
    NTSTATUS status = on->ops->AllocateAdapterChannel(on->adapter, on->object, 2, on_control, &got);
    CHECK_EQUAL(NT_SUCCESS(status), got.calls);
    return NT_SUCCESS(status);
}

APART static bool call_channel_ex(caller *of) {
    const wdm *on = &of->wdm;
    seen got = {.answer = DeallocateObject};
    NTSTATUS status = on->ops->AllocateAdapterChannelEx(on->adapter, on->object, of->context, 2, 0,
                                                        on_control, &got, NULL);
    CHECK_EQUAL(NT_SUCCESS(status), got.calls);
    return NT_SUCCESS(status);
}

APART static bool call_buffer(caller *of) {
    const wdm *on = &of->wdm;
    PHYSICAL_ADDRESS logical;
    PVOID made = on->ops->AllocateCommonBuffer(on->adapter, LENGTH, &logical, TRUE);
    if (made != NULL) {
        on->ops->FreeCommonBuffer(on->adapter, LENGTH, logical, made, TRUE);
    }
    return made != NULL;
}

APART static bool call_buffer_ex(caller *of) {
    const wdm *on = &of->wdm;
    PHYSICAL_ADDRESS logical;
    PVOID made = on->ops->AllocateCommonBufferEx(on->adapter, NULL, LENGTH, &logical, TRUE, 0);
    if (made != NULL) {
        on->ops->FreeCommonBuffer(on->adapter, LENGTH, logical, made, TRUE);
    }
    return made != NULL;
}

APART static bool call_info(caller *of) {
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
    volatile NTSTATUS status = of->wdm.ops->GetDmaAdapterInfo(of->wdm.adapter, &info);
    return NT_SUCCESS(status);
}

APART static bool call_transfer_info(caller *of) {
    const wdm *on = &of->wdm;
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    volatile NTSTATUS status =
        on->ops->GetDmaTransferInfo(on->adapter, on->mdl, 0, LENGTH, TRUE, &info);
    return NT_SUCCESS(status);
}

static bool mapped_end(const wdm *on, ULONG length) {
    if (length != 0) {
        CHECK_STATUS(on->ops->FlushAdapterBuffersEx(on->adapter, on->mdl, NULL, 0, length, TRUE),
                     STATUS_SUCCESS);
    }
    return length == LENGTH;
}

/* It cannot fail, but fall short. */
APART static bool call_map(caller *of) {
    const wdm *on = &of->wdm;
    ULONG length = LENGTH;
    on->ops->MapTransfer(on->adapter, on->mdl, NULL, MmGetMdlVirtualAddress(on->mdl), &length,
                         TRUE);
    return mapped_end(on, length);
}

APART static bool call_map_ex(caller *of) {
    const wdm *on = &of->wdm;
    ULONG length = LENGTH;
    NTSTATUS status =
        on->ops->MapTransferEx(on->adapter, on->mdl, NULL, 0, 0, &length, TRUE,
                               (PSCATTER_GATHER_LIST)(void *)of->room, sizeof of->room, NULL, NULL);
    return mapped_end(on, NT_SUCCESS(status) ? length : 0);
}

static bool (*const calls[])(caller *of) = {
    call_get_list, call_get_list_ex,   call_build_list, call_build_list_ex, call_calculate,
    call_channel,  call_channel_ex,    call_buffer,     call_buffer_ex,     call_info,
    call_map,      call_transfer_info, call_map_ex,
};

TEST(each_routine_fails_at_its_site) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        wdfdma_site_log *log = log_begin();
        caller made;
        uint64_t failures = 0;
        caller_open(&made);
        sites_set(made.wdm.machine, log, 0);
        while (failures < CALLS_MOST && !calls[i](&made)) {
            failures++;
        }
        CHECK(failures != 0 && failures < CALLS_MOST);
        CHECK_EQUAL(failed(made.wdm.machine), failures);
        CHECK_EQUAL(wdfdma_machine_get_sites(made.wdm.machine)->unnamed, 0);
        CHECK_EQUAL(count_sites(log, ""), 1);
        CHECK(calls[i](&made));
        CHECK(wdfdma_machine_get_bugcheck(made.wdm.machine) == NULL);
        wdfdma_site_log_close(log);
        harness_machine_end(made.wdm.machine);
    }
}

/* ---- Routines that let others through ---- */

/* Two requests of one adapter: the second waits for the channel, whatever the first does. */
typedef struct line {
    wdm wdm;
    wdm other;
    PVOID others_base;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    seen first;
    seen second;
    seen list;
} line;

static void line_open(line *out, bool first_waits) {
    memset(out, 0, sizeof *out);
    out->wdm = wdm_open(false, false);
    out->other = out->wdm;
    out->other.adapter = adapter_get(&out->wdm, describe(true));
    const wdm *on = &out->wdm;
    if (first_waits) {
        seen holder;
        out->others_base = channel_get(&out->other, HALF, DeallocateObjectKeepRegisters, &holder);
        CHECK_STATUS(on->ops->GetScatterGatherList(out->other.adapter, on->object, on->mdl,
                                                   MmGetMdlVirtualAddress(on->mdl), BUFFER_BYTES,
                                                   on_list, &out->list, TRUE),
                     STATUS_SUCCESS);
        CHECK_EQUAL(world_free_registers(on->machine), 0);
    }
    out->first.answer = first_waits ? DeallocateObject : KeepObject;
    out->second.answer = DeallocateObject;
    CHECK_STATUS(on->ops->AllocateAdapterChannelEx(on->adapter, on->object, out->context, HALF, 0,
                                                   on_control, &out->first, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(on->ops->AllocateAdapterChannelEx(on->adapter, on->object, NULL, 1, 0, on_control,
                                                   &out->second, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(out->first.calls, !first_waits);
    CHECK_EQUAL(wdfdma_machine_get_state(on->machine)->waiting_channel, 1);
}

APART static void let_free_channel(line *of) {
    of->wdm.ops->FreeAdapterChannel(of->wdm.adapter);
}

APART static void let_free_object(line *of) {
    of->wdm.ops->FreeAdapterObject(of->wdm.adapter, DeallocateObject);
}

APART static void let_free_registers(line *of) {
    of->wdm.ops->FreeMapRegisters(of->other.adapter, of->others_base, HALF);
    CHECK_EQUAL(of->first.calls, 1);
}

APART static void let_put_list(line *of) {
    of->wdm.ops->PutScatterGatherList(of->other.adapter, of->list.list, TRUE);
    CHECK_EQUAL(of->first.calls, 1);
}

APART static void let_cancel(line *of) {
    CHECK(of->wdm.ops->CancelAdapterChannel(of->wdm.adapter, of->wdm.object, of->context));
    CHECK_EQUAL(of->first.calls, 0);
}

static const struct {
    void (*let)(line *of);
    bool first_waits;
    bool
        drains; /* the pool's line, whose head the second becomes meanwhile: it is served after all */
} lets[] = {
    {let_free_channel, false, false}, {let_free_object, false, false},
    {let_free_registers, true, true}, {let_put_list, true, true},
    {let_cancel, true, false},
};

/* Whoever is let through may be denied its registers, at the site of the call that lets it. */
TEST(who_is_let_through_is_denied) {
    for (size_t i = 0; i < sizeof lets / sizeof *lets; i++) {
        wdfdma_site_log *log = log_begin();
        line made;
        line_open(&made, lets[i].first_waits);
        sites_set(made.wdm.machine, log, 0);
        lets[i].let(&made);
        CHECK_EQUAL(made.second.calls, lets[i].drains);
        CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->waiting_pool, !lets[i].drains);
        CHECK_EQUAL(wdfdma_site_log_get_count(log), 1);
        CHECK_EQUAL(count_lines(log, "register_grant - " PROGRAM), 1);
        CHECK_EQUAL(wdfdma_machine_get_sites(made.wdm.machine)->unnamed, 0);
        CHECK(wdfdma_machine_get_bugcheck(made.wdm.machine) == NULL);
        wdfdma_site_log_close(log);
        harness_machine_end(made.wdm.machine);
    }
}

SITES_MAIN(ENTRY(each_routine_fails_at_its_site), ENTRY(who_is_let_through_is_denied))
