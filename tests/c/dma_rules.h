/* Cases of bug check 0xE6 at the WDM adapter interface: for each rule a call that breaks exactly it,
 * and one beside it that does not. Where the rule is collected or ignored, the call has changed
 * nothing: what follows goes as if it had not been made. */
#ifndef WDFDMA_TESTS_DMA_RULES_H
#define WDFDMA_TESTS_DMA_RULES_H

#include "wdm_world.h"

enum {
    NUMBER = REGISTERS,
    SOME = 100,    /* bytes of a small mapping */
    FURTHER = 5000 /* an offset in the second page */
};
static const uint64_t ANY = UINT64_MAX;

/* What a case has under way; finish() takes back what is left of it. */
typedef struct dma {
    wdm wdm;
    wdm other;
    char *start; /* of the buffer */
    PVOID base;  /* of [count] registers, or NULL */
    ULONG count;
    PVOID others_base;
    ULONG mapped[2]; /* the offsets of what is mapped */
    ULONG mapped_count;
    seen seen;
    seen waiting;
    PMDL unlocked;
    WDFDMAENABLER enabler;
    uint8_t context[DMA_TRANSFER_CONTEXT_SIZE_V1];
    uint64_t room[32];
    uint64_t parameters[3]; /* 2 to 4, as the offence expects them */
} dma;

typedef struct dma_case {
    wdfdma_rule rule;
    bool gathers;
    bool force;
    void (*prepare)(dma *of);
    void (*offend)(dma *of);
    void (*stay_near)(dma *of);
} dma_case;

static inline void expect(dma *of, uint64_t second, uint64_t third, uint64_t fourth) {
    of->parameters[0] = second;
    of->parameters[1] = third;
    of->parameters[2] = fourth;
}

/* ---- What the cases are made of ---- */

static inline ULONG map(dma *of, ULONG offset, ULONG length) {
    ULONG given = length;
    of->wdm.ops->MapTransfer(of->wdm.adapter, of->wdm.mdl, of->base, of->start + offset, &given,
                             FALSE);
    if (given != 0 && of->mapped_count < 2) {
        of->mapped[of->mapped_count++] = offset;
    }
    return given;
}

static inline BOOLEAN flush(dma *of, ULONG offset, ULONG length) {
    return of->wdm.ops->FlushAdapterBuffers(of->wdm.adapter, of->wdm.mdl, of->base,
                                            of->start + offset, length, FALSE);
}

static inline NTSTATUS ask(dma *of, ULONG count) {
    of->waiting.answer = DeallocateObject;
    return of->wdm.ops->AllocateAdapterChannel(of->wdm.adapter, of->wdm.object, count, on_control,
                                               &of->waiting);
}

static inline NTSTATUS list_get(dma *of, char *address, ULONG length) {
    return of->wdm.ops->GetScatterGatherList(of->wdm.adapter, of->wdm.object, of->wdm.mdl, address,
                                             length, on_list, &of->seen, TRUE);
}

static inline void registers_take(dma *of, ULONG count) {
    of->count = count;
    of->base = channel_get(&of->wdm, count, DeallocateObjectKeepRegisters, &of->seen);
}

static inline void prepare_none(dma *of) {
    (void)of;
}

static inline void prepare_registers(dma *of) {
    registers_take(of, 2);
}

static inline void prepare_mapping(dma *of) {
    registers_take(of, 2);
    CHECK_EQUAL(map(of, 0, SOME), SOME);
}

static inline void prepare_most_registers(dma *of) {
    registers_take(of, NUMBER - 2);
}

static inline void finish(dma *of) {
    for (ULONG i = 0; i < of->mapped_count; i++) {
        CHECK(flush(of, of->mapped[i], 1));
    }
    if (of->seen.list != NULL) {
        of->wdm.ops->PutScatterGatherList(of->wdm.adapter, of->seen.list, TRUE);
    }
    if (of->base != NULL) {
        of->wdm.ops->FreeMapRegisters(of->wdm.adapter, of->base, of->count);
    }
    if (of->others_base != NULL) {
        of->wdm.ops->FreeMapRegisters(of->other.adapter, of->others_base, NUMBER);
    }
    if (of->unlocked != NULL) {
        IoFreeMdl(of->unlocked);
    }
    if (of->enabler != NULL) {
        wdfdma_enabler_complete_transfer(of->enabler, WdfDmaDirectionReadFromDevice);
        of->wdm.ops->FlushAdapterBuffersEx(of->wdm.adapter, of->wdm.mdl, of->seen.base, 0, SOME,
                                           TRUE);
        of->wdm.ops->FreeAdapterChannel(of->wdm.adapter);
    } else {
        of->wdm.ops->PutDmaAdapter(of->wdm.adapter);
    }
    CHECK_EQUAL(world_free_registers(of->wdm.machine), NUMBER);
    CHECK_EQUAL(wdfdma_machine_get_state(of->wdm.machine)->mappings, 0);
}

#define CASE(code, gathers, force, prepare, near) \
    {WDFDMA_RULE_DMA_##code, gathers, force, prepare, offend_##code, near}

static inline void case_open(const dma_case *of, uint32_t mode, dma *out) {
    memset(out, 0, sizeof *out);
    out->wdm = wdm_open(of->gathers, of->force);
    out->start = MmGetMdlVirtualAddress(out->wdm.mdl);
    wdfdma_machine_set_rule_mode(out->wdm.machine, of->rule, mode);
    of->prepare(out);
    CHECK(wdfdma_machine_get_bugcheck(out->wdm.machine) == NULL);
}

static inline size_t violations_count(const dma *of) {
    size_t count = 0;
    wdfdma_machine_get_violations(of->wdm.machine, &count);
    return count;
}

/* Each rule stops the machine. */
static inline void cases_stop(const dma_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const wdfdma_rule_info *info = wdfdma_rule_get_info(cases[i].rule);
        dma made;
        case_open(&cases[i], WDFDMA_MODE_DEFAULT, &made);
        cases[i].offend(&made);
        check_violation(&made.wdm, (uint64_t)info->first);
        CHECK_EQUAL(world_rule(made.wdm.machine), cases[i].rule);
        for (int at = 0; at < 3; at++) {
            uint64_t given = world_parameter(made.wdm.machine, at + 1);
            CHECK(made.parameters[at] == ANY ? given != 0 : given == made.parameters[at]);
        }
        CHECK(info->second < 0 || made.parameters[0] == (uint64_t)info->second);
        harness_machine_end(made.wdm.machine);
    }
}

/* What a call that changes nothing leaves as it is. */
static inline void states_compare(const wdfdma_machine_state *before,
                                  const wdfdma_machine_state *after) {
    CHECK_EQUAL(after->free_registers, before->free_registers);
    CHECK_EQUAL(after->waiting_pool, before->waiting_pool);
    CHECK_EQUAL(after->waiting_channel, before->waiting_channel);
    CHECK_EQUAL(after->mappings, before->mappings);
    CHECK_EQUAL(after->irql, before->irql);
    CHECK_BYTES(after->objects, before->objects, sizeof before->objects);
}

static inline void offence_collect(const dma_case *of, uint32_t mode) {
    dma made;
    case_open(of, mode, &made);
    wdfdma_machine *machine = made.wdm.machine;
    wdfdma_machine_state before = *wdfdma_machine_get_state(machine);
    of->offend(&made);
    states_compare(&before, wdfdma_machine_get_state(machine));
    CHECK_MACHINE(machine);
    size_t wanted = mode == WDFDMA_MODE_COLLECT ? 1 : 0;
    size_t count = 0;
    const wdfdma_violation *kept = wdfdma_machine_get_violations(machine, &count);
    if (CHECK_EQUAL(count, wanted) && count == 1) {
        CHECK_EQUAL(kept->rule, of->rule);
        CHECK_EQUAL(kept->code, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
        CHECK_EQUAL(kept->parameters[0], wdfdma_rule_get_info(of->rule)->first);
    }
    finish(&made);
    CHECK_EQUAL(violations_count(&made), wanted);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    harness_machine_end(machine);
}

/* An offence that is collected or ignored changes nothing. */
static inline void cases_collect(const dma_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        offence_collect(&cases[i], WDFDMA_MODE_COLLECT);
        offence_collect(&cases[i], WDFDMA_MODE_IGNORE);
    }
}

static inline void cases_miss(const dma_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        dma made;
        case_open(&cases[i], WDFDMA_MODE_DEFAULT, &made);
        cases[i].stay_near(&made);
        finish(&made);
        CHECK_EQUAL(violations_count(&made), 0);
        CHECK(wdfdma_machine_get_bugcheck(made.wdm.machine) == NULL);
        harness_machine_end(made.wdm.machine);
    }
}

#endif
