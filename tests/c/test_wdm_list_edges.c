/* Scatter/gather lists of a WDM driver at the edges: what is asked for wrongly, chains that are none, or are
 * none any more, and what is put. */
#include "dma_rules.h"

static const wdfdma_violation *told_at(const wdm *of, size_t count) {
    static const wdfdma_violation none;
    size_t kept = 0;
    const wdfdma_violation *list = wdfdma_machine_get_violations(of->machine, &kept);
    return CHECK_EQUAL(kept, count) && kept != 0 ? &list[kept - 1] : &none;
}

static wdm list_open(bool force, uint32_t mode) {
    wdm made = wdm_open(true, force);
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_NONE, mode);
    return made;
}

static uintptr_t handle_get(const wdm *of) {
    WDFOBJECT handle = NULL;
    wdfdma_machine_copy_objects(of->machine, WDFDMA_OBJECT_ADAPTER, &handle, 1);
    return (uintptr_t)handle;
}

static wdfdma_adapter_info info_get(const wdm *of) {
    wdfdma_adapter_info info = {0};
    WDFOBJECT handle = (WDFOBJECT)handle_get(of);
    CHECK_STATUS(wdfdma_adapter_get_info(handle, &info), STATUS_SUCCESS);
    return info;
}

static NTSTATUS list_at(const wdm *of, PMDL mdl, ULONGLONG offset, ULONG length, seen *out) {
    return of->ops->GetScatterGatherListEx(of->adapter, of->object, NULL, mdl, offset, length, 0,
                                           on_list, out, FALSE, NULL, NULL, NULL);
}

/* ---- How it is asked for ---- */

static PDEVICE_OBJECT told_device;

static void on_list_device(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list,
                           PVOID context) {
    told_device = device;
    CHECK(irp == NULL);
    *(PSCATTER_GATHER_LIST *)context = list;
}

TEST(a_routine_is_told_its_device) {
    wdm made = list_open(true, WDFDMA_MODE_DEFAULT);
    PSCATTER_GATHER_LIST list = NULL;
    told_device = NULL;
    CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                                MmGetMdlVirtualAddress(made.mdl), SOME,
                                                on_list_device, &list, TRUE),
                 STATUS_SUCCESS);
    REQUIRE(list != NULL);
    CHECK(told_device == made.object);
    CHECK_EQUAL(list->Reserved, 0);
    CHECK_EQUAL(list->NumberOfElements, 1);
    CHECK_EQUAL(list->Elements[0].Reserved, 0);
    made.ops->PutScatterGatherList(made.adapter, list, TRUE);
}

/* [flags] and a routine or none: only a synchronous request may go without one, and is told its list
 * otherwise than by the routine. */
TEST(a_list_is_told_once) {
    for (int way = 0; way < 8; way++) {
        bool waits = way % 2 == 0, builds = way / 2 % 2 != 0, routine = way / 4 != 0;
        wdm made = list_open(false, WDFDMA_MODE_DEFAULT);
        ULONG flags = waits ? 0 : DMA_SYNCHRONOUS_CALLBACK;
        PDRIVER_LIST_CONTROL control = routine ? on_list : NULL;
        uint64_t room[32];
        PSCATTER_GATHER_LIST list = NULL;
        seen first = {0};
        NTSTATUS status =
            builds ? made.ops->BuildScatterGatherListEx(made.adapter, made.object, NULL, made.mdl,
                                                        0, SOME, flags, control, &first, TRUE, room,
                                                        sizeof room, NULL, NULL, (PVOID)&list)
                   : made.ops->GetScatterGatherListEx(made.adapter, made.object, NULL, made.mdl, 0,
                                                      SOME, flags, control, &first, TRUE, NULL,
                                                      NULL, &list);
        CHECK_STATUS(status, waits && !routine ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS);
        CHECK_EQUAL(first.calls, routine);
        CHECK_EQUAL(list != NULL, !waits);
        list = list == NULL ? first.list : list;
        CHECK(first.list == NULL || first.list == list);
        if (list != NULL) {
            CHECK_EQUAL((void *)list == (void *)room, builds);
            CHECK_EQUAL(info_get(&made).lists_held, 1);
            made.ops->PutScatterGatherList(made.adapter, list, TRUE);
        }
        CHECK_EQUAL(info_get(&made).lists_held, 0);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
        harness_machine_end(made.machine);
    }
}

TEST(a_list_is_built_in_a_buffer) {
    wdm made = list_open(false, WDFDMA_MODE_COLLECT);
    uint64_t room[32];
    seen first = {0}, second = {0};
    char *start = MmGetMdlVirtualAddress(made.mdl);
    CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start, SOME,
                                                  on_list, &first, TRUE, NULL, 999),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(made.ops->BuildScatterGatherListEx(made.adapter, made.object, NULL, made.mdl, 0,
                                                    SOME, 0, on_list, &first, TRUE, NULL, 999, NULL,
                                                    NULL, NULL),
                 STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(first.calls, 0);
    CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start, SOME,
                                                  on_list, &first, TRUE, room, sizeof room),
                 STATUS_SUCCESS);
    CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start, SOME,
                                                  on_list, &second, TRUE, room, sizeof room),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(second.calls, 0);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_MAPPED_TWICE);
    CHECK_EQUAL(info_get(&made).lists_held, 1);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - 1);
}

/* Through registers: what a device is to read is there when the list is, what it wrote comes when the list is
 * put. */
TEST(a_list_has_a_direction) {
    for (int way = 0; way < 8; way++) {
        BOOLEAN to_device = way % 2 != 0;
        wdm made = list_open(true, WDFDMA_MODE_DEFAULT);
        char *start = MmGetMdlVirtualAddress(made.mdl);
        uint8_t data[SOME], back[SOME] = {0};
        uint64_t room[32];
        seen list = {0};
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        world_fill(data, SOME, 5);
        CHECK_STATUS(wdfdma_mdl_write(made.machine, made.mdl, 0, to_device ? data : back, SOME),
                     STATUS_SUCCESS);
        if (way / 2 == 0) {
            status = made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl, start,
                                                    SOME, on_list, &list, to_device);
        } else if (way / 2 == 1) {
            status =
                made.ops->GetScatterGatherListEx(made.adapter, made.object, NULL, made.mdl, 0, SOME,
                                                 0, on_list, &list, to_device, NULL, NULL, NULL);
        } else if (way / 2 == 2) {
            status =
                made.ops->BuildScatterGatherList(made.adapter, made.object, made.mdl, start, SOME,
                                                 on_list, &list, to_device, room, sizeof room);
        } else {
            status = made.ops->BuildScatterGatherListEx(made.adapter, made.object, NULL, made.mdl,
                                                        0, SOME, 0, on_list, &list, to_device, room,
                                                        sizeof room, NULL, NULL, NULL);
        }
        CHECK_STATUS(status, STATUS_SUCCESS);
        REQUIRE(list.list != NULL);
        uint64_t address = (uint64_t)list.list->Elements[0].Address.QuadPart;
        CHECK_STATUS(to_device ? wdfdma_device_read(made.machine, address, back, SOME)
                               : wdfdma_device_write(made.machine, address, data, SOME),
                     STATUS_SUCCESS);
        made.ops->PutScatterGatherList(made.adapter, list.list, to_device);
        if (!to_device) {
            CHECK_STATUS(wdfdma_mdl_read(made.machine, made.mdl, 0, back, SOME), STATUS_SUCCESS);
        }
        CHECK_BYTES(back, data, SOME);
        harness_machine_end(made.machine);
    }
}

/* ---- Ranges and chains ---- */

TEST(a_range_ends_with_its_chain) {
    wdm made = list_open(false, WDFDMA_MODE_COLLECT);
    PMDL second = world_mdl(made.machine, 0, 500, NULL);
    static const struct {
        ULONGLONG offset;
        ULONG length;
        NTSTATUS status;
    } rows[] = {
        {0, BUFFER_BYTES + 500, STATUS_SUCCESS},
        {0, BUFFER_BYTES + 501, STATUS_BUFFER_TOO_SMALL},
        {BUFFER_BYTES, 500, STATUS_SUCCESS},
        {BUFFER_BYTES + 499, 1, STATUS_SUCCESS},
        {BUFFER_BYTES + 499, 2, STATUS_BUFFER_TOO_SMALL},
        {BUFFER_BYTES + 500, 1, STATUS_BUFFER_TOO_SMALL},
        {(ULONGLONG)1 << 40, 1, STATUS_BUFFER_TOO_SMALL},
    };
    made.mdl->Next = second;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seen list = {0};
        CHECK_STATUS(list_at(&made, made.mdl, rows[i].offset, rows[i].length, &list),
                     rows[i].status);
        CHECK_EQUAL(list.calls, NT_SUCCESS(rows[i].status));
        if (list.list != NULL) {
            made.ops->PutScatterGatherList(made.adapter, list.list, FALSE);
        }
    }
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
    told_at(&made, 0);
}

/* A circle, what is no MDL, and one without pages: wherever in the chain it stands. */
TEST(a_chain_is_of_locked_mdls) {
    enum {
        CIRCLE,
        FORGED,
        UNLOCKED,
        WAYS
    };
    for (int way = 0; way < WAYS; way++) {
        for (int hops = 0; hops < 3; hops++) {
            wdm made = list_open(false, WDFDMA_MODE_DEFAULT);
            seen list = {0};
            PMDL last = made.mdl;
            for (int i = 0; i < hops; i++) {
                last->Next = world_mdl(made.machine, 0, 100, NULL);
                last = last->Next;
            }
            MDL forged = *made.mdl;
            PMDL unlocked =
                IoAllocateMdl(MmGetMdlVirtualAddress(made.mdl), 100, FALSE, FALSE, NULL);
            last->Next = way == CIRCLE ? made.mdl : way == FORGED ? &forged : unlocked;
            CHECK_STATUS(list_at(&made, made.mdl, 0, 5 * BUFFER_BYTES, &list), STATUS_UNSUCCESSFUL);
            CHECK_EQUAL(list.calls, 0);
            const wdfdma_bugcheck *told = wdfdma_machine_get_bugcheck(made.machine);
            REQUIRE(told != NULL);
            CHECK_EQUAL(told->rule, way == UNLOCKED ? WDFDMA_RULE_DMA_0E : WDFDMA_RULE_INVALID_MDL);
            CHECK_EQUAL(told->object_type, WDFDMA_OBJECT_MDL);
            if (way == UNLOCKED) {
                CHECK_EQUAL(told->parameters[1], address_number(unlocked));
                CHECK_EQUAL(told->parameters[2] | told->parameters[3], 0);
            }
            last->Next = NULL;
            harness_machine_end(made.machine);
        }
    }
}

/* Noted only, the call fails all the same. */
TEST(an_unlocked_chain_gets_no_list) {
    wdm made = list_open(false, WDFDMA_MODE_COLLECT);
    seen list = {0};
    made.mdl->Next = IoAllocateMdl(MmGetMdlVirtualAddress(made.mdl), 100, FALSE, FALSE, NULL);
    CHECK_STATUS(list_at(&made, made.mdl, 0, BUFFER_BYTES + 1, &list), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(list.calls, 0);
    CHECK_EQUAL(told_at(&made, 1)->rule, WDFDMA_RULE_DMA_0E);
    CHECK_STATUS(list_at(&made, made.mdl, 0, BUFFER_BYTES, &list), STATUS_SUCCESS);
    CHECK_EQUAL(list.calls, 1);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* The first MDL is looked at before the address in it, and no further one for its sake. */
TEST(an_address_is_in_an_mdl) {
    for (int way = 0; way < 3; way++) {
        wdm made = list_open(false, WDFDMA_MODE_DEFAULT);
        PMDL one = world_mdl(made.machine, 0, 1, NULL);
        MDL forged = *made.mdl;
        char *start = MmGetMdlVirtualAddress(way == 2 ? one : made.mdl);
        seen list = {0};
        one->Next = &forged;
        NTSTATUS status = made.ops->GetScatterGatherList(made.adapter, made.object,
                                                         way == 0   ? NULL
                                                         : way == 1 ? &forged
                                                                    : one,
                                                         start - (way == 1 ? WORLD_PAGE : 0), 1,
                                                         on_list, &list, TRUE);
        CHECK_STATUS(status, way == 2 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(list.calls, way == 2);
        CHECK_EQUAL(world_rule(made.machine),
                    way == 2 ? WDFDMA_RULE_NONE : WDFDMA_RULE_INVALID_MDL);
        one->Next = NULL;
        harness_machine_end(made.machine);
    }
}

/* The chain breaks, or grows, while its list waits: its adapter is told of. */
TEST(a_chain_changes_while_it_waits) {
    for (int way = 0; way < 2; way++) {
        wdm made = list_open(false, WDFDMA_MODE_DEFAULT);
        seen holder, list = {0};
        uintptr_t handle = handle_get(&made);
        PMDL second = world_mdl(made.machine, 0, 4096, NULL);
        MDL forged = *made.mdl;
        made.mdl->Next = second;
        PVOID base = channel_get(&made, REGISTERS, DeallocateObjectKeepRegisters, &holder);
        CHECK_STATUS(list_at(&made, made.mdl, 0, BUFFER_BYTES + 100, &list), STATUS_SUCCESS);
        if (way == 0) {
            made.mdl->Next = &forged;
        } else {
            made.mdl->ByteCount = 100;
        }
        made.ops->FreeMapRegisters(made.adapter, base, REGISTERS);
        CHECK_EQUAL(list.calls, 0);
        CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(wdfdma_machine_get_bugcheck(made.machine)->handle, handle);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
        made.mdl->Next = NULL;
        made.mdl->ByteCount = BUFFER_BYTES;
    }
}

/* A second list of the same bytes stops the machine: its routine does not run. */
TEST(a_list_that_is_shared_is_not_given) {
    wdm made = list_open(false, WDFDMA_MODE_STOP);
    seen first = {0}, second = {0};
    CHECK_STATUS(list_at(&made, made.mdl, 0, SOME, &first), STATUS_SUCCESS);
    CHECK_STATUS(list_at(&made, made.mdl, SOME - 1, SOME, &second), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_BUFFER_SHARED);
    CHECK_EQUAL(second.calls, 0);
    CHECK_EQUAL(info_get(&made).lists_held, 1);
}

/* ---- What is put ---- */

/* One that is none, another adapter's, and one that is put already: how many there are is told. */
TEST(only_ones_own_list_is_put) {
    wdm made = list_open(false, WDFDMA_MODE_COLLECT);
    wdm other = made;
    seen lists[3] = {{0}};
    SCATTER_GATHER_LIST none = {0};
    other.adapter = adapter_get(&made, describe(true));
    for (ULONG i = 0; i < 3; i++) {
        CHECK_STATUS(list_at(i == 2 ? &other : &made, made.mdl, i * SOME, SOME, &lists[i]),
                     STATUS_SUCCESS);
    }
    PSCATTER_GATHER_LIST bad[] = {NULL, &none, lists[2].list, lists[0].list};
    for (size_t i = 0; i < 4; i++) {
        if (i == 3) {
            made.ops->PutScatterGatherList(made.adapter, lists[0].list, FALSE);
        }
        made.ops->PutScatterGatherList(made.adapter, bad[i], FALSE);
        const wdfdma_violation *told = told_at(&made, i + 1);
        uint32_t held = i == 3 ? 1 : 2;
        CHECK_EQUAL(told->rule, WDFDMA_RULE_DMA_06);
        CHECK_EQUAL(told->parameters[1], held);
        CHECK_EQUAL(told->parameters[2], held + 1);
        CHECK_EQUAL(told->parameters[3], 0);
        CHECK_EQUAL(info_get(&made).lists_held, held);
    }
    made.ops->PutScatterGatherList(other.adapter, lists[2].list, FALSE);
    made.ops->PutScatterGatherList(made.adapter, lists[1].list, FALSE);
    told_at(&made, 4);
}

/* Its chain does not fit the registers any more: the machine stops, and nothing is given back. */
TEST(a_list_whose_chain_changed_is_not_put) {
    wdm made = list_open(true, WDFDMA_MODE_DEFAULT);
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    PMDL more = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    seen list = {0}, lists[2] = {{0}};
    for (ULONG i = 0; i < 2; i++) {
        CHECK_STATUS(list_at(&made, made.mdl, i * SOME, SOME, &lists[i]), STATUS_SUCCESS);
    }
    CHECK_STATUS(list_at(&made, mdl, 0, 2 * WORLD_PAGE, &list), STATUS_SUCCESS);
    for (ULONG i = 0; i < 2; i++) {
        made.ops->PutScatterGatherList(made.adapter, lists[i].list, FALSE);
    }
    mdl->ByteCount = WORLD_PAGE + 100;
    mdl->Next = more;
    more->ByteOffset = 2000;
    more->ByteCount = 6000;
    made.ops->PutScatterGatherList(made.adapter, list.list, FALSE);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_INVALID_MDL);
    CHECK_EQUAL(info_get(&made).lists_held, 1);
    CHECK_EQUAL(info_get(&made).registers_held, 2);
    CHECK_EQUAL(world_free_registers(made.machine), REGISTERS - 2);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 1);
    mdl->ByteCount = 2 * WORLD_PAGE;
    mdl->Next = NULL;
    more->ByteOffset = 0;
    more->ByteCount = 2 * WORLD_PAGE;
    CHECK_MACHINE(made.machine);
}

HARNESS_MAIN(ENTRY(a_routine_is_told_its_device), ENTRY(a_list_is_told_once),
             ENTRY(a_list_is_built_in_a_buffer), ENTRY(a_range_ends_with_its_chain),
             ENTRY(a_chain_is_of_locked_mdls), ENTRY(a_chain_changes_while_it_waits),
             ENTRY(an_address_is_in_an_mdl), ENTRY(an_unlocked_chain_gets_no_list),
             ENTRY(a_list_has_a_direction), ENTRY(a_list_that_is_shared_is_not_given),
             ENTRY(only_ones_own_list_is_put), ENTRY(a_list_whose_chain_changed_is_not_put))
