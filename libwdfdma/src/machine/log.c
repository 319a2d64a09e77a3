/* The log: fixed-size records, off, in a ring, or growing. It lies in a region of its own, so
 * that it can be read where it is, and later records never move earlier ones. */
#include "machine.h"

#include <string.h>

/* The place of the next record; a log that cannot grow any further loses what is new. */
static wdfdma_log_record *log_take(wdfdma_machine *machine) {
    region *part = &machine->regions[REGION_LOG];
    log_state *log = &machine->log;
    wdfdma_log_record *records = (wdfdma_log_record *)(void *)part->base;
    if (log->capacity != WDFDMA_LOG_GROWS) {
        log->lost += log->written >= log->capacity;
        return &records[log->written % log->capacity];
    }
    wdfdma_log_record *record = region_grow(machine, REGION_LOG, sizeof *record);
    log->lost += record == NULL;
    return record;
}

wdfdma_log_record *log_append_slow(wdfdma_machine *machine, wdfdma_record_kind kind, uint32_t code,
                                   uint32_t label) {
    wdfdma_log_record *record = log_take(machine);
    if (record == NULL) {
        return NULL;
    }
    machine->log.written++;
    *record = (wdfdma_log_record){.time_ns = machine->state.time_ns,
                                  .step = (uint32_t)machine->state.step,
                                  .object = label,
                                  .kind = (uint16_t)kind,
                                  .code = (uint16_t)code};
    return record;
}

NTSTATUS wdfdma_log_configure(wdfdma_machine *machine, uint64_t records) {
    if (machine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    region *part = &machine->regions[REGION_LOG];
    if (records != WDFDMA_LOG_GROWS) {
        if (records > part->limit_bytes / sizeof(wdfdma_log_record)) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        size_t bytes = (size_t)records * sizeof(wdfdma_log_record);
        if (bytes > part->used_bytes &&
            region_grow(machine, REGION_LOG, bytes - part->used_bytes) == NULL) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        part->used_bytes = bytes;
    } else {
        part->used_bytes = 0;
    }
    machine->log = (log_state){.capacity = records};
    violations_forget_log(machine);
    machine->attention &= ~(uint32_t)ATTENTION_LOG;
    machine->attention |= records != 0 ? ATTENTION_LOG : 0;
    return STATUS_SUCCESS;
}

NTSTATUS wdfdma_log_get_view(const wdfdma_machine *machine, wdfdma_log_view *out) {
    if (machine == NULL || out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    const log_state *log = &machine->log;
    const wdfdma_log_record *records =
        (const wdfdma_log_record *)(const void *)machine->regions[REGION_LOG].base;
    *out = (wdfdma_log_view){
        .first = records, .second = records, .lost = log->lost, .written = log->written};
    if (log->written <= log->capacity) {
        out->first_count = log->written;
        return STATUS_SUCCESS;
    }
    uint64_t oldest = log->written % log->capacity;
    out->first = records + oldest;
    out->first_count = log->capacity - oldest;
    out->second_count = oldest;
    return STATUS_SUCCESS;
}
