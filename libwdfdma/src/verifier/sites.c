/* Every call site fails once: which site a call has, and whether the log tells of it.
 *
 * What a machine knows of it is not part of its value: it lies beside the arena, so that a restore
 * leaves it, as the log in the file is left. */
#include "sites.h"

#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WALKED_FRAMES = 64, /* looked at for the callers of a caller */
    WORDS_BYTES = 96    /* of a line before its site: the call and the status */
};

static const char LIBRARY = 0; /* lies where the library does */

typedef struct site_caller {
    const void *address;
    uint32_t op;
} site_caller;

struct site_watch {
    wdfdma_site_log *log;
    wdfdma_site_config config;
    wdfdma_site_state state;
    bool naming;           /* [config].source runs */
    site_caller callers[]; /* by the depth of callbacks */
};

WDFDMA_FAST_TLS _Thread_local const void *site_kept;

static void watch_free(struct site_watch *watch) {
    if (watch != NULL) {
        wdfdma_site_log_close(watch->log);
        free(watch);
    }
}

static struct site_watch *watch_create(const wdfdma_machine *machine, wdfdma_site_log *log,
                                       const wdfdma_site_config *config) {
    size_t depths = (size_t)machine->config.maximum_depth + 1;
    struct site_watch *made = calloc(1, sizeof *made + depths * sizeof *made->callers);
    if (made != NULL) {
        site_log_keep(log);
        made->log = log;
        made->config = config == NULL ? (wdfdma_site_config){0} : *config;
        made->config.frames += made->config.frames == 0;
    }
    return made;
}

NTSTATUS wdfdma_machine_set_sites(wdfdma_machine *machine, wdfdma_site_log *log,
                                  const wdfdma_site_config *config) {
    if (machine == NULL || (config != NULL && config->frames > WDFDMA_SITE_FRAMES)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (log != NULL && machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    struct site_watch *before = machine->arena.sites;
    if (before != NULL && before->naming) {
        return STATUS_INVALID_DEVICE_STATE;
    }
    struct site_watch *made = log == NULL ? NULL : watch_create(machine, log, config);
    if (log != NULL && made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    machine->arena.sites = made;
    machine->attention &= ~(uint32_t)ATTENTION_SITES;
    machine->attention |= made != NULL ? ATTENTION_SITES : 0;
    watch_free(before);
    return STATUS_SUCCESS;
}

void sites_end(wdfdma_machine *machine) {
    watch_free(machine->arena.sites);
    machine->arena.sites = NULL;
}

const wdfdma_site_state *wdfdma_machine_get_sites(const wdfdma_machine *machine) {
    return machine == NULL || machine->arena.sites == NULL ? NULL : &machine->arena.sites->state;
}

void sites_note(wdfdma_machine *machine, wdfdma_op op, const void *caller) {
    machine->arena.sites->callers[machine->state.depth] = (site_caller){caller, (uint32_t)op};
}

/* ---- Names ---- */

/* Appends `module+0x1234`; false where the address is in no module, or there is no room. */
static bool frame_name(const void *address, char *out, size_t *used) {
    platform_module of;
    if (!platform_find_module(address, &of)) {
        return false;
    }
    size_t room = WDFDMA_SITE_BYTES - *used;
    unsigned long long offset = (uintptr_t)address - (uintptr_t)of.base;
    int written =
        snprintf(out + *used, room, "%s%s+0x%llx", *used == 0 ? "" : " < ", of.name, offset);
    if (written < 0 || (size_t)written >= room) {
        out[*used] = 0;
        return false;
    }
    *used += (size_t)written;
    return true;
}

/* The return addresses of what the caller at frames[0] was called from; what lies in this library
 * itself is no part of the driver's way, where that can be told. Returns how many, the first among
 * them. */
static size_t frames_find(const void *caller, const void **frames, size_t most) {
    platform_module own;
    platform_module of;
    const void *walked[WALKED_FRAMES];
    size_t count = platform_walk_callers(caller, walked, WALKED_FRAMES);
    bool known = platform_find_module(&LIBRARY, &own) && platform_find_module(caller, &of);
    bool apart = known && own.base != of.base;
    size_t kept = 1;
    frames[0] = caller;
    for (size_t i = 1; i < count && kept < most; i++) {
        bool inside = apart && platform_find_module(walked[i], &of) && of.base == own.base;
        if (!inside) {
            frames[kept++] = walked[i];
        }
    }
    return kept;
}

/* The name of the site by its return addresses; false where the call noted none. */
static bool callers_name(const wdfdma_machine *machine, const struct site_watch *watch, char *out) {
    const site_caller *noted = &watch->callers[machine->state.depth];
    const void *frames[WDFDMA_SITE_FRAMES] = {noted->address};
    size_t used = 0;
    if (noted->address == NULL || noted->op != machine->state.op) {
        return false;
    }
    size_t count =
        watch->config.frames == 1 ? 1 : frames_find(noted->address, frames, watch->config.frames);
    for (size_t i = 0; i < count; i++) {
        if (!frame_name(frames[i], out, &used)) {
            return i != 0;
        }
    }
    return true;
}

static bool source_name(wdfdma_machine *machine, struct site_watch *watch, char *out) {
    watch->naming = true;
    size_t length = watch->config.source(watch->config.context, machine, out, WDFDMA_SITE_BYTES);
    watch->naming = false;
    out[length < WDFDMA_SITE_BYTES ? length : WDFDMA_SITE_BYTES - 1] = 0;
    return out[0] != 0 && !machine->state.halted;
}

/* A name is one line, and does not end as a line that was cut short does. */
static void name_clean(char *name) {
    for (char *at = name; *at != 0; at++) {
        bool is_control = (unsigned char)*at < ' ' || *at == 0x7F;
        *at = is_control || (*at == '~' && at[1] == 0) ? '?' : *at;
    }
}

static bool site_name(wdfdma_machine *machine, struct site_watch *watch, char *out) {
    bool named = watch->config.source != NULL ? source_name(machine, watch, out)
                                              : callers_name(machine, watch, out);
    if (!named) {
        watch->state.unnamed++;
        return false;
    }
    name_clean(out);
    return true;
}

/* ---- Failing ---- */

static bool site_fails(wdfdma_machine *machine, const char *call, const char *status,
                       const char *site) {
    struct site_watch *watch = machine->arena.sites;
    char line[WORDS_BYTES + WDFDMA_SITE_BYTES];
    snprintf(line, sizeof line, "%s %s %s", call, status, site);
    if (!site_log_add(watch->log, line)) {
        return false;
    }
    watch->state.failed++;
    watch->state.hit_op = machine->state.op;
    watch->state.hit_step = machine->state.step;
    return true;
}

bool sites_hit(wdfdma_machine *machine, wdfdma_fault_kind kind, uint32_t routine, uint32_t traits,
               NTSTATUS *status) {
    struct site_watch *watch = machine->arena.sites;
    char site[WDFDMA_SITE_BYTES] = "";
    uint32_t op = machine->state.op;
    const char *call = site_call_get_name(kind, op);
    bool is_spent = watch->config.most != 0 && watch->state.failed >= watch->config.most;
    if (call == NULL || is_spent || watch->naming) {
        return false;
    }
    if (!site_name(machine, watch, site)) {
        /* Where naming it has halted the machine, the call is over, whatever it had in mind. */
        if (machine->state.halted) {
            *status = STATUS_UNSUCCESSFUL;
        }
        return machine->state.halted;
    }
    if (kind != WDFDMA_FAULT_CALL) {
        return site_fails(machine, call, "-", site);
    }
    size_t count;
    const NTSTATUS *statuses = wdfdma_fault_get_statuses(op, &count);
    for (size_t i = 0; i < count; i++) {
        if (fault_fits(op, routine, statuses[i], traits) &&
            site_fails(machine, call, wdfdma_status_get_info(statuses[i])->name, site)) {
            *status = statuses[i];
            return true;
        }
    }
    return false;
}
