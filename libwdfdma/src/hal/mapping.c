/* Live mappings: which there are, and which MDLs hold them.
 *
 * A mapping is listed in O(1) when it begins; a device's look enters it in the index (device.c).
 * The plain way (framework/cycle.c) ends one and leaves it listed, so that the next to begin there
 * finds it so; whoever frees its memory takes it out with mapping_end.
 *
 * An MDL knows all mappings that cover some of it, newest first: one that lies in a single MDL by
 * itself, one that runs through several by its parts, mappings of their own that only MDLs know. */
#include "device.h"
#include "hal.h"

/* Stands for an MDL that was destroyed under its mappings. */
static const mdl_object mdl_gone;

void mapping_list(wdfdma_machine *machine, mapping *made) {
    hal *of = hal_of(machine);
    made->listed = true;
    made->previous = NULL;
    made->next = of->listed;
    if (made->next != NULL) {
        made->next->previous = made;
    }
    of->listed = made;
}

void mapping_unlist(wdfdma_machine *machine, mapping *gone) {
    if (gone->previous == NULL) {
        hal_of(machine)->listed = gone->next;
    } else {
        gone->previous->next = gone->next;
    }
    if (gone->next != NULL) {
        gone->next->previous = gone->previous;
    }
    gone->listed = false;
    gone->next = NULL;
}

static bool ranges_overlap(uint64_t first, uint64_t length, uint64_t second, uint64_t others) {
    return first < second + others && second < first + length;
}

/* Whose mapping [at], one of an MDL's, is or is a part of; 0 for NULL. Only a part is not live. */
static COLD uint64_t whole_get_owner(const wdfdma_machine *machine, const mapping *at) {
    return mapping_get_owner_handle(machine, at == NULL || at->live ? at : at->previous);
}

/* The newest mapping on [of] that covers some of the range, and through which the device writes
 * where [reads] alone harm nobody; NULL: there is none. */
static const mapping *mdl_find_mapping(const mdl_object *of, uint64_t offset, uint64_t bytes,
                                       bool reads) {
    const mapping *at = of->live;
    while (at != NULL && ((reads && !at->device_writes) ||
                          !ranges_overlap(offset, bytes, at->offset, at->length))) {
        at = at->next_on;
    }
    return at;
}

static void mdl_add(mdl_object *of, mapping *made) {
    made->next_on = of->live;
    if (of->live != NULL) {
        of->live->previous_on = made;
    }
    of->live = made;
}

static void mdl_remove(mdl_object *of, mapping *gone) {
    if (of == &mdl_gone) {
        return;
    }
    if (of->live == gone) {
        of->live = gone->next_on;
    } else {
        gone->previous_on->next_on = gone->next_on;
    }
    if (gone->next_on != NULL) {
        gone->next_on->previous_on = gone->previous_on;
    }
    gone->next_on = NULL;
}

/* Two transfers on the same bytes, of which one at least writes to memory. */
static bool part_tell_shared(wdfdma_machine *machine, const mdl_object *of, const mapping *part,
                             const mapping *whole) {
    if (LIKELY(of->live == NULL)) {
        return false;
    }
    const mapping *there = mdl_find_mapping(of, part->offset, part->length, !part->device_writes);
    if (there == NULL) {
        return false;
    }
    const uint64_t parameters[3] = {of->head.handle, part->offset, part->length};
    const uint64_t others[2] = {whole_get_owner(machine, there),
                                mapping_get_owner_handle(machine, whole)};
    verifier_rule_among(machine, WDFDMA_RULE_BUFFER_SHARED, parameters, &of->head, others);
    return true;
}

/* The parts of a range in several MDLs, in one block, each linked to the one after it and, by
 * [previous], to the whole; they are not live themselves. */
static mapping *parts_make(wdfdma_machine *machine, mapping *whole, const mdl_walk *first,
                           uint32_t count) {
    mdl_walk part = *first;
    uint64_t countdown = failures_suspend(machine);
    mapping *parts = data_allocate(machine, count * sizeof *parts, NULL);
    failures_resume(machine, countdown);
    for (uint32_t i = 0; parts != NULL && i < count; i++) {
        parts[i] = (mapping){.next = i + 1 < count ? &parts[i + 1] : NULL,
                             .previous = whole,
                             .of = (mdl_object *)(uintptr_t)part.at,
                             .offset = part.offset,
                             .length = part.length,
                             .device_writes = whole->device_writes};
        mdl_walk_next(machine, &part);
    }
    return parts;
}

/* Of a range in several MDLs it is told once, of the first part that is shared. */
NO_INLINE static void parts_tell_shared(wdfdma_machine *machine, const mapping *whole,
                                        const mdl_walk *first, uint32_t *count) {
    mdl_walk part = *first;
    bool told = false;
    *count = 0;
    do {
        const mapping at = {
            .offset = part.offset, .length = part.length, .device_writes = whole->device_writes};
        told = told || part_tell_shared(machine, part.at, &at, whole);
        ++*count;
    } while (mdl_walk_next(machine, &part));
}

/* Without memory for the parts, only the MDL in which it begins knows it. */
static void parts_begin(wdfdma_machine *machine, mapping *whole, const mdl_walk *first,
                        uint32_t count) {
    mapping *parts = parts_make(machine, whole, first, count);
    if (parts == NULL) {
        mdl_add(whole->of, whole);
        return;
    }
    whole->in_parts = true;
    whole->parts = parts;
    for (mapping *at = parts; at != NULL; at = at->next) {
        mdl_add(at->of, at);
    }
}

static void parts_end(wdfdma_machine *machine, mapping *whole) {
    for (mapping *at = whole->parts; at != NULL; at = at->next) {
        mdl_remove(at->of, at);
    }
    data_free(machine, whole->parts);
    whole->parts = NULL;
    whole->in_parts = false;
}

bool mapping_begin(wdfdma_machine *machine, mapping *made) {
    mdl_walk part;
    uint32_t parts = 1;
    if (made->of != NULL && UNLIKELY(made->offset + made->length > made->of->mdl->ByteCount) &&
        mdl_walk_begin(machine, &part, made->of->mdl, made->offset, made->length)) {
        parts_tell_shared(machine, made, &part, &parts);
    } else if (made->of != NULL) {
        part_tell_shared(machine, made->of, made, made);
    }
    if (UNLIKELY(machine->state.halted)) {
        return false;
    }
    made->live = true;
    machine->state.mappings++;
    if (!made->listed) {
        mapping_list(machine, made);
    }
    if (UNLIKELY(parts > 1)) {
        parts_begin(machine, made, &part, parts);
    } else if (made->of != NULL) {
        mdl_add(made->of, made);
    }
    return true;
}

void mapping_end(wdfdma_machine *machine, mapping *gone) {
    if (gone->live) {
        gone->live = false;
        gone->first_register = NO_REGISTER;
        machine->state.mappings--;
        if (gone->in_parts) {
            parts_end(machine, gone);
        } else if (gone->of != NULL) {
            mdl_remove(gone->of, gone);
        }
    }
    if (gone->listed) {
        mapping_unlist(machine, gone);
    }
    if (gone->indexed) {
        mapping_unindex(machine, gone);
    }
}

bool mdl_may_touch(wdfdma_machine *machine, const mdl_object *of, uint64_t offset, uint64_t bytes,
                   bool write) {
    if (LIKELY(of->live == NULL)) {
        return true;
    }
    const mapping *there = mdl_find_mapping(of, offset, bytes, !write);
    if (there == NULL) {
        return true;
    }
    const uint64_t parameters[3] = {of->head.handle, offset, bytes};
    const uint64_t others[2] = {whole_get_owner(machine, there), 0};
    verifier_rule_among(machine, WDFDMA_RULE_BUFFER_TOUCHED, parameters, &of->head, others);
    return !machine->state.halted;
}

uint32_t mdl_count_mappings(const mdl_object *of) {
    uint32_t count = 0;
    for (const mapping *at = of->live; at != NULL; at = at->next_on) {
        count++;
    }
    return count;
}

bool mdl_may_go(wdfdma_machine *machine, const mdl_object *of) {
    uint32_t count = mdl_count_mappings(of);
    if (UNLIKELY(count != 0)) {
        const uint64_t parameters[3] = {of->head.handle, count, 0};
        const uint64_t others[2] = {whole_get_owner(machine, of->live),
                                    whole_get_owner(machine, of->live->next_on)};
        verifier_rule_among(machine, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED, parameters, &of->head,
                            others);
    }
    return !machine->state.halted;
}

void mdl_leave_mappings(mdl_object *gone) {
    mdl_object *nowhere = (mdl_object *)(uintptr_t)&mdl_gone;
    while (gone->live != NULL) {
        mapping *at = gone->live;
        gone->live = at->next_on;
        at->next_on = NULL;
        at->of = nowhere;
        if (!at->live && at->previous->of == gone) {
            at->previous->of = nowhere;
        }
    }
}

static bool list_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    uint64_t live = 0;
    uint64_t count = 0;
    const mapping *previous = NULL;
    for (const mapping *at = hal_of(machine)->listed; at != NULL; at = at->next) {
        if (!at->listed || at->indexed || at->previous != previous) {
            return check_fail(out, "a mapping in the list knows it, and is not indexed", count, 1,
                              at->listed);
        }
        previous = at;
        live += at->live;
        count++;
    }
    return live <= machine->state.mappings ||
           check_fail(out, "no more mappings are listed than are live", 0, machine->state.mappings,
                      live);
}

static bool mdl_check(const mdl_object *of, wdfdma_check_failure *out) {
    const mapping *previous = NULL;
    for (const mapping *at = of->live; at != NULL; at = at->next_on) {
        if (at->of != of || (previous != NULL && at->previous_on != previous)) {
            return check_fail(out, "an MDL's mappings are linked both ways, and lie in it",
                              of->head.label, 1, 0);
        }
        previous = at;
    }
    return true;
}

bool mapping_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    size_t units = machine->regions[REGION_OBJECTS].used_bytes / OBJECT_UNIT_BYTES;
    for (size_t unit = 0; unit < units; unit++) {
        const mdl_object *of =
            (const mdl_object *)object_at(machine, (uint32_t)unit, WDFDMA_OBJECT_MDL);
        if (of != NULL && !mdl_check(of, out)) {
            return false;
        }
    }
    return list_check(machine, out);
}
