/* The kernel's own calls that a driver's DMA sources make: MDLs over simulated memory, and the
 * IRQL. They have no handle, so they concern the calling thread's current machine; without one
 * they do nothing. */
#include "hal.h"

#include <string.h>

/* The current machine, if it still runs. */
static wdfdma_machine *machine_running(void) {
    wdfdma_machine *machine = wdfdma_machine_current();
    return machine == NULL || machine->state.halted ? NULL : machine;
}

PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota,
                   PIRP Irp) {
    (void)SecondaryBuffer;
    (void)ChargeQuota;
    (void)Irp;
    wdfdma_machine *machine = machine_running();
    uint32_t byte_offset = (uint32_t)((uintptr_t)VirtualAddress % PAGE_BYTES);
    mdl_object *made =
        machine == NULL || Length == 0 ? NULL : mdl_create_empty(machine, byte_offset, Length);
    if (made == NULL) {
        return NULL;
    }
    made->mdl->StartVa = (PVOID)((uintptr_t)VirtualAddress - byte_offset);
    return made->mdl;
}

void IoFreeMdl(PMDL Mdl) {
    wdfdma_machine *machine = machine_running();
    if (machine != NULL && Mdl != NULL && wdfdma_mdl_destroy(machine, Mdl) != STATUS_SUCCESS) {
        mdl_refuse(machine, Mdl);
    }
}

/* The frames behind the virtual range that [made] describes; false where some of it is not
 * simulated memory. */
static bool frames_find(wdfdma_machine *machine, mdl_object *made, size_t pages) {
    uintptr_t first = (uintptr_t)made->mdl->StartVa;
    for (size_t i = 0; i < pages; i++) {
        if (!memory_find_pfn(machine, (void *)(first + i * PAGE_BYTES), &made->pfns[i])) {
            return false;
        }
    }
    return true;
}

static void mdl_lock(PMDL mdl, bool maps) {
    wdfdma_machine *machine = machine_running();
    mdl_object *made = machine == NULL ? NULL : mdl_find_any(machine, mdl);
    if (machine == NULL) {
        return;
    }
    size_t pages = made == NULL ? 0 : mdl_count_pages(made);
    if (pages == 0 || made->pages != 0 || !frames_find(machine, made, pages) ||
        !mdl_build(machine, made, true)) {
        mdl_bugcheck(machine, made == NULL ? NULL : &made->head);
        return;
    }
    CSHORT flag = maps ? MDL_SOURCE_IS_NONPAGED_POOL : MDL_PAGES_LOCKED;
    mdl->MdlFlags = (CSHORT)(mdl->MdlFlags | flag);
}

void MmBuildMdlForNonPagedPool(PMDL MemoryDescriptorList) {
    mdl_lock(MemoryDescriptorList, true);
}

void MmProbeAndLockPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                         LOCK_OPERATION Operation) {
    (void)AccessMode;
    (void)Operation;
    mdl_lock(MemoryDescriptorList, false);
}

void MmUnlockPages(PMDL MemoryDescriptorList) {
    wdfdma_machine *machine = machine_running();
    mdl_object *of = machine == NULL ? NULL : mdl_find_any(machine, MemoryDescriptorList);
    if (machine == NULL) {
        return;
    }
    if (of == NULL || of->pages == 0) {
        mdl_bugcheck(machine, of == NULL ? NULL : &of->head);
        return;
    }
    if (!mdl_may_go(machine, of)) {
        return;
    }
    memory_dereference(machine, of->pfns, of->pages);
    of->pages = 0;
    of->bytes = NULL;
    of->mdl->MdlFlags = (CSHORT)(of->mdl->MdlFlags & ~(MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA));
}

void IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length) {
    wdfdma_machine *machine = machine_running();
    if (machine == NULL) {
        return;
    }
    const mdl_object *source = mdl_find(machine, SourceMdl);
    mdl_object *target = mdl_find_any(machine, TargetMdl);
    if (source == NULL || target == NULL || target->pages != 0) {
        mdl_refuse(machine, target == NULL || target->pages != 0 ? TargetMdl : SourceMdl);
        return;
    }
    uint64_t offset =
        (uint64_t)((uintptr_t)VirtualAddress - (uintptr_t)MmGetMdlVirtualAddress(SourceMdl));
    uint64_t left = offset < SourceMdl->ByteCount ? SourceMdl->ByteCount - offset : 0;
    uint64_t bytes = Length == 0 ? left : Length;
    uint32_t byte_offset = mdl_page_offset(SourceMdl, offset);
    uint64_t pages = pages_spanned(byte_offset, bytes);
    if (bytes == 0 || bytes > left || pages > target->capacity_pages) {
        mdl_bugcheck(machine, &target->head);
        return;
    }
    uint64_t first = (SourceMdl->ByteOffset + offset) / PAGE_BYTES;
    memcpy(target->pfns, source->pfns + first, (size_t)pages * sizeof *target->pfns);
    TargetMdl->ByteOffset = byte_offset;
    TargetMdl->ByteCount = (ULONG)bytes;
    mdl_build(machine, target, true); /* its frames are alive, so it needs no memory */
    TargetMdl->StartVa = (PVOID)((uintptr_t)VirtualAddress - byte_offset);
    TargetMdl->MdlFlags = (CSHORT)(TargetMdl->MdlFlags | MDL_PARTIAL);
}

PVOID MmMapLockedPagesSpecifyCache(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                   MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress,
                                   ULONG BugCheckOnFailure, ULONG Priority) {
    (void)AccessMode;
    (void)CacheType;
    (void)RequestedAddress;
    (void)BugCheckOnFailure;
    (void)Priority;
    wdfdma_machine *machine = machine_running();
    return machine == NULL ? NULL : wdfdma_mdl_get_bytes(machine, MemoryDescriptorList);
}

void MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList) {
    (void)BaseAddress;
    wdfdma_machine *machine = machine_running();
    if (machine != NULL && mdl_find_any(machine, MemoryDescriptorList) == NULL) {
        mdl_bugcheck(machine, NULL);
    }
}

KIRQL KeGetCurrentIrql(void) {
    const wdfdma_machine *machine = wdfdma_machine_current();
    return machine == NULL ? PASSIVE_LEVEL : (KIRQL)machine->state.irql;
}

static void irql_bugcheck(wdfdma_machine *machine, wdfdma_rule rule, KIRQL asked) {
    const uint64_t parameters[4] = {machine->state.irql, asked};
    machine_bugcheck(machine, verifier_get_rule(rule)->code, parameters, rule, NULL);
}

KIRQL KfRaiseIrql(KIRQL NewIrql) {
    wdfdma_machine *machine = machine_running();
    if (machine == NULL) {
        return PASSIVE_LEVEL;
    }
    journal_mark(machine, WDFDMA_OP_RAISE_IRQL, NewIrql, 0);
    KIRQL before = (KIRQL)machine->state.irql;
    if (NewIrql < before || NewIrql > HIGH_LEVEL) {
        irql_bugcheck(machine, WDFDMA_RULE_IRQL_NOT_GREATER_OR_EQUAL, NewIrql);
    } else {
        machine->state.irql = NewIrql;
    }
    return before;
}

void KeLowerIrql(KIRQL NewIrql) {
    wdfdma_machine *machine = machine_running();
    if (machine == NULL) {
        return;
    }
    journal_mark(machine, WDFDMA_OP_LOWER_IRQL, NewIrql, 0);
    if (NewIrql > machine->state.irql) {
        irql_bugcheck(machine, WDFDMA_RULE_IRQL_NOT_LESS_OR_EQUAL, NewIrql);
    } else {
        machine->state.irql = NewIrql;
    }
}
