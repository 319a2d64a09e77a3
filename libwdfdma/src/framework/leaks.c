/* What is still held, told as violations of the rules: by the whole machine, or by a device or an
 * enabler and what lies below it.
 *
 * Each thing held is told by itself, and once: a transaction, its reservation, its list, the
 * channel that it owns. Its registers are no leak of their own while anybody can give them back;
 * a run is lost when no transaction, no list and no owner of a channel has it. The order is the
 * same each time: by kind; in each kind as the objects lie in memory, or in the tree below. */
#include "framework.h"
#include "hal/device.h"
#include "hal/wdm_front.h"

enum {
    WINDOW_REGISTERS = 4096,
    WINDOW_WORDS = WINDOW_REGISTERS / 64,
    BATCH_BLOCKS = 64
};

typedef struct leak_search {
    wdfdma_machine *machine;
    const fx_object *root; /* NULL: the whole machine */
    bool is_deletion;      /* of [root]: what goes with its parent is no leak */
    size_t found;
    uint64_t adapters; /* visited */
    table told;        /* of each leak that the record has: how many times it has it */
    bool only_lists;   /* tells nobody: the first [capacity] go to [out] */
    wdfdma_violation *out;
    size_t capacity;
} leak_search;

typedef void (*leak_visitor)(leak_search *search, const object *item);

static bool rule_is_leak(uint32_t rule) {
    return rule == WDFDMA_RULE_NEVER_COMPLETED ||
           (rule >= WDFDMA_RULE_LEAK_TRANSACTION && rule <= WDFDMA_RULE_LEAK_ADAPTER);
}

/* What tells one leak from another: of an object's own, the object alone, whatever it holds by now;
 * of what it holds several of, which one. */
static uint64_t leak_get_key(uint32_t rule, uint64_t second, uint64_t third) {
    bool one_of_many = rule == WDFDMA_RULE_LEAK_COMMON_BUFFER || rule == WDFDMA_RULE_LEAK_LIST ||
                       rule == WDFDMA_RULE_LEAK_REGISTERS;
    return seed_mix(seed_mix(second ^ (uint64_t)rule << 56) ^ (one_of_many ? third : 0)) >> 1;
}

/* Enters what the record tells of already. Without memory it is told again. */
static void told_enter(leak_search *search) {
    wdfdma_machine *machine = search->machine;
    uint64_t countdown = failures_suspend(machine);
    for (uint32_t i = 0; i < machine->violations.count; i++) {
        const wdfdma_violation *told = &machine->violations.records[i];
        if (rule_is_leak(told->rule)) {
            uint64_t key = leak_get_key(told->rule, told->parameters[1], told->parameters[2]);
            const uint64_t *times = table_find(&search->told, key);
            table_put(machine, &search->told, key, times == NULL ? 1 : *times + 1);
        }
    }
    failures_resume(machine, countdown);
}

/* True for one that the record tells of, once for each time. */
static bool leak_is_told(leak_search *search, wdfdma_rule rule, uint64_t second, uint64_t third) {
    if (search->told.count == 0 || search->machine->rule_modes[rule] == WDFDMA_MODE_STOP) {
        return false;
    }
    uint64_t *times = table_find(&search->told, leak_get_key(rule, second, third));
    if (times == NULL || *times == 0) {
        return false;
    }
    --*times;
    return true;
}

static void leak_list(leak_search *search, wdfdma_rule rule, const uint64_t given[3],
                      const object *concerned) {
    if (search->found < search->capacity) {
        search->out[search->found] =
            verifier_make(search->machine, rule, given[0], given[1], given[2], concerned);
    }
    search->found++;
}

static void leak_tell(leak_search *search, wdfdma_rule rule, uint64_t second, uint64_t third,
                      uint64_t fourth, const object *concerned) {
    wdfdma_machine *machine = search->machine;
    if (machine->rule_modes[rule] == WDFDMA_MODE_IGNORE) {
        return;
    }
    if (search->only_lists) {
        const uint64_t given[3] = {second, third, fourth};
        leak_list(search, rule, given, concerned);
    } else {
        search->found += leak_is_told(search, rule, second, third) ||
                         verifier_rule_with(machine, rule, second, third, fourth, concerned);
    }
}

static void units_visit(leak_search *search, wdfdma_object_type type, leak_visitor visit) {
    const region *objects = &search->machine->regions[REGION_OBJECTS];
    uint32_t units = (uint32_t)(objects->used_bytes / OBJECT_UNIT_BYTES);
    for (uint32_t unit = 0; unit < units && !search->machine->state.halted; unit++) {
        const object *item = object_at(search->machine, unit, type);
        if (item != NULL) {
            visit(search, item);
        }
    }
}

/* All objects of [type] that are searched, those included that are deleted and live on. */
static void objects_visit(leak_search *search, wdfdma_object_type type, leak_visitor visit) {
    const fx_object *root = search->root;
    if (search->machine->state.objects[type] == 0) {
        return;
    }
    if (root == NULL) {
        units_visit(search, type, visit);
        return;
    }
    for (const fx_object *at = root; at != NULL; at = fx_next(at, root)) {
        if (at->head.type == (uint32_t)type) {
            visit(search, &at->head);
        }
    }
}

/* The framework's objects */

static void transaction_visit(leak_search *search, const object *head) {
    const transaction *item = (const transaction *)head;
    if (head->kind == KIND_DELETED) {
        return;
    }
    if (item->state == WDFDMA_STATE_TRANSFER && item->map.live) {
        leak_tell(search, WDFDMA_RULE_NEVER_COMPLETED, head->handle, item->fragment, 0, head);
    } else if (item->state != WDFDMA_STATE_CREATED && item->state != WDFDMA_STATE_RELEASED) {
        leak_tell(search, WDFDMA_RULE_LEAK_TRANSACTION, head->handle, item->state, 0, head);
    }
    /* A count that a Cancel left behind holds nothing. */
    if (item->reserved != 0 && (item->holds_base || transaction_is_waiting(item))) {
        leak_tell(search, WDFDMA_RULE_LEAK_RESERVATION, head->handle, item->reserved, 0, head);
    }
    if (item->held_list == LIST_HELD) {
        leak_tell(search, WDFDMA_RULE_LEAK_LIST, head->handle, item->map.length, 0, head);
    }
}

static void common_buffer_visit(leak_search *search, const object *head) {
    if (head->kind != KIND_DELETED && !search->is_deletion) {
        uint64_t length = ((const common_buffer *)head)->length;
        leak_tell(search, WDFDMA_RULE_LEAK_COMMON_BUFFER, head->handle, length, 0, head);
    }
}

static void request_visit(leak_search *search, const object *head) {
    if (head->kind != KIND_DELETED && !((const wdf_request *)head)->completed) {
        leak_tell(search, WDFDMA_RULE_LEAK_REQUEST, head->handle, 0, 0, head);
    }
}

/* Deletion has taken the first reference away. */
static void reference_visit(leak_search *search, const object *head) {
    uint32_t references = ((const fx_object *)head)->references;
    uint32_t own = head->kind == KIND_DELETED ? 0 : 1;
    if (references > own) {
        leak_tell(search, WDFDMA_RULE_LEAK_REFERENCE, head->handle, references - own, 0, head);
    }
}

/* Adapters */

/* The blocks that a table of the HAL leads to, in the order of their addresses. */
typedef struct block_walk {
    const table *of;
    uint64_t blocks[BATCH_BLOCKS];
    size_t count;
    size_t next;
} block_walk;

static const void *block_next(block_walk *walk) {
    if (walk->next == walk->count) {
        uint64_t last = walk->count == 0 ? 0 : walk->blocks[walk->count - 1];
        walk->count = table_copy_values(walk->of, last, walk->blocks, BATCH_BLOCKS);
        walk->next = 0;
    }
    return walk->count == 0 ? NULL : (const void *)(uintptr_t)walk->blocks[walk->next++];
}

/* Who a user knows: the enabler of an adapter, where it has one. */
static const object *adapter_get_face(const wdfdma_machine *machine, const adapter *by) {
    const object *owner = by->is_enablers ? object_find(machine, by->owner) : NULL;
    return owner == NULL ? &by->head : owner;
}

static void wdm_buffers_visit(leak_search *search, const adapter *by) {
    block_walk walk = {.of = &hal_of(search->machine)->wdm_buffers};
    const wdm_buffer *buffer;
    while ((buffer = block_next(&walk)) != NULL) {
        if (buffer->by == by) {
            leak_tell(search, WDFDMA_RULE_LEAK_COMMON_BUFFER, by->head.handle, buffer->length, 0,
                      adapter_get_face(search->machine, by));
        }
    }
}

/* One that is not live has been asked for only. */
static bool wdm_list_is_held(const wdm_list *list, const adapter *by) {
    return list->by == by && list->map.live;
}

static void wdm_lists_visit(leak_search *search, const adapter *by) {
    block_walk walk = {.of = &hal_of(search->machine)->wdm_lists};
    const wdm_list *list;
    while ((list = block_next(&walk)) != NULL) {
        if (wdm_list_is_held(list, by)) {
            leak_tell(search, WDFDMA_RULE_LEAK_LIST, by->head.handle, list->map.length, 0,
                      adapter_get_face(search->machine, by));
        }
    }
}

/* A part of the pool: a bit for each register with which a run begins that somebody has. */
typedef struct run_window {
    uint32_t first;
    uint64_t known[WINDOW_WORDS];
} run_window;

static void run_know(run_window *window, uint32_t base) {
    if (base >= window->first && base - window->first < WINDOW_REGISTERS) {
        uint32_t bit = base - window->first;
        window->known[bit / 64] |= 1ull << (bit % 64);
    }
}

static uint32_t transaction_get_base(const transaction *item) {
    if (item->is_scatter_gather) {
        return item->held_list == LIST_HELD ? item->hal.gather.list_base : NO_REGISTER;
    }
    return item->holds_base ? item->base_register : NO_REGISTER;
}

/* NO_REGISTER is past every window. All transactions of an enabler are its children. */
static void runs_know(const wdfdma_machine *machine, const adapter *by, run_window *window) {
    const object *owner = adapter_get_face(machine, by);
    const fx_object *at = owner == &by->head ? NULL : ((const fx_object *)owner)->first_child;
    for (; at != NULL; at = at->next_sibling) {
        const transaction *item = (const transaction *)at;
        if (at->head.type == WDFDMA_OBJECT_TRANSACTION) {
            run_know(window, transaction_get_base(item));
        }
    }
    block_walk walk = {.of = &hal_of(machine)->wdm_lists};
    const wdm_list *list;
    while ((list = block_next(&walk)) != NULL) {
        if (wdm_list_is_held(list, by)) {
            run_know(window, list->base);
        }
    }
    if (by->channel != NULL && by->channel->waiting == WDFDMA_WAITING_NOT) {
        run_know(window, by->channel_base);
    }
}

static void window_visit(leak_search *search, const adapter *by, const run_window *window) {
    const object *face = adapter_get_face(search->machine, by);
    uint32_t left = search->machine->config.map_registers - window->first;
    for (uint32_t bit = 0; bit < WINDOW_REGISTERS && bit < left; bit++) {
        uint32_t base = window->first + bit;
        uint32_t length = pool_get_held(search->machine, by, base);
        if (length != 0 && (window->known[bit / 64] >> (bit % 64) & 1) == 0) {
            leak_tell(search, WDFDMA_RULE_LEAK_REGISTERS, by->head.handle, base, length, face);
        }
    }
}

/* The machine's own tables take no mark: what is known is noted here, a part of the pool at a
 * time. */
static void runs_visit(leak_search *search, const adapter *by) {
    uint32_t registers = search->machine->config.map_registers;
    for (uint32_t first = 0; first < registers; first += WINDOW_REGISTERS) {
        run_window window = {.first = first};
        runs_know(search->machine, by, &window);
        window_visit(search, by, &window);
    }
}

static void adapter_visit(leak_search *search, const object *head) {
    const adapter *by = (const adapter *)head;
    const object *face = adapter_get_face(search->machine, by);
    search->adapters++;
    if (by->common_buffers_held != 0) {
        wdm_buffers_visit(search, by);
    }
    if (by->lists_held != 0) {
        wdm_lists_visit(search, by);
    }
    if (by->registers_held != 0) {
        runs_visit(search, by);
    }
    if (by->channel != NULL) {
        uint64_t owner = (uint64_t)(uintptr_t)request_get_handle(search->machine, by->channel);
        leak_tell(search, WDFDMA_RULE_LEAK_CHANNEL, head->handle, owner, 0, face);
    }
    if (!by->is_enablers) {
        leak_tell(search, WDFDMA_RULE_LEAK_ADAPTER, head->handle, 0, 0, face);
    }
}

static void enabler_adapters_visit(leak_search *search, const object *head) {
    adapter *const *adapters = ((const enabler *)head)->adapters;
    if (adapters[0] != NULL) {
        adapter_visit(search, &adapters[0]->head);
    }
    if (adapters[1] != NULL && adapters[1] != adapters[0]) {
        adapter_visit(search, &adapters[1]->head);
    }
}

static void wdm_adapter_visit(leak_search *search, const object *head) {
    const adapter *by = (const adapter *)head;
    if (!by->is_enablers && by->owner == search->root->head.handle) {
        adapter_visit(search, head);
    }
}

static void adapters_visit(leak_search *search) {
    if (search->root == NULL) {
        objects_visit(search, WDFDMA_OBJECT_ADAPTER, adapter_visit);
        return;
    }
    objects_visit(search, WDFDMA_OBJECT_ENABLER, enabler_adapters_visit);
    if (search->root->head.type == WDFDMA_OBJECT_DEVICE &&
        search->machine->state.objects[WDFDMA_OBJECT_ADAPTER] > search->adapters) {
        units_visit(search, WDFDMA_OBJECT_ADAPTER, wdm_adapter_visit);
    }
}

static bool all_is_ignored(const wdfdma_machine *machine) {
    bool ignored = true;
    for (uint32_t rule = 0; rule < WDFDMA_RULE_COUNT; rule++) {
        ignored &= !rule_is_leak(rule) || machine->rule_modes[rule] == WDFDMA_MODE_IGNORE;
    }
    return ignored;
}

static void leaks_find(leak_search *search) {
    if (all_is_ignored(search->machine)) {
        return;
    }
    if (!search->only_lists) {
        told_enter(search);
    }
    objects_visit(search, WDFDMA_OBJECT_TRANSACTION, transaction_visit);
    objects_visit(search, WDFDMA_OBJECT_COMMON_BUFFER, common_buffer_visit);
    objects_visit(search, WDFDMA_OBJECT_REQUEST, request_visit);
    for (uint32_t type = WDFDMA_OBJECT_DEVICE; type <= WDFDMA_OBJECT_GENERAL; type++) {
        objects_visit(search, (wdfdma_object_type)type, reference_visit);
    }
    adapters_visit(search);
    data_free(search->machine, search->told.entries);
}

void leaks_report(wdfdma_machine *machine, const fx_object *doomed) {
    leak_search search = {.machine = machine, .root = doomed, .is_deletion = true};
    leaks_find(&search);
}

/* What lies below a root, or all; registers that nobody used are nobody's, so of all only. */
static void machine_search(leak_search *search) {
    wdfdma_machine *machine = search->machine;
    leaks_find(search);
    if (search->root == NULL && !machine->state.halted) {
        search->found += guard_check_unused(machine, 0, machine->config.map_registers);
    }
}

static const fx_object *root_find(const wdfdma_machine *machine, WDFOBJECT below) {
    const object *found = object_find(machine, (uint64_t)(uintptr_t)below);
    bool is_root = found != NULL && found->kind == 0 &&
                   (found->type == WDFDMA_OBJECT_DEVICE || found->type == WDFDMA_OBJECT_ENABLER);
    return is_root ? (const fx_object *)found : NULL;
}

NTSTATUS wdfdma_machine_list_leaks(wdfdma_machine *machine, WDFOBJECT below, wdfdma_violation *out,
                                   size_t capacity, size_t *count) {
    if (machine == NULL || count == NULL || (out == NULL && capacity != 0)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    leak_search search = {.machine = machine, .only_lists = true, .out = out, .capacity = capacity};
    if (below != NULL && (search.root = root_find(machine, below)) == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    leaks_find(&search);
    *count = search.found;
    return STATUS_SUCCESS;
}

NTSTATUS wdfdma_machine_check_leaks(wdfdma_machine *machine, WDFOBJECT below, size_t *count) {
    if (machine == NULL || count == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    leak_search search = {.machine = machine};
    if (below != NULL && (search.root = root_find(machine, below)) == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    machine_search(&search);
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    *count = search.found;
    return STATUS_SUCCESS;
}

const wdfdma_violation *wdfdma_machine_take_leaks(wdfdma_machine *machine, size_t *count) {
    if (machine == NULL || count == NULL) {
        return NULL;
    }
    *count = 0;
    if (machine->state.halted) {
        return NULL;
    }
    for (uint32_t rule = 0; rule < WDFDMA_RULE_COUNT; rule++) {
        bool asked = rule_is_leak(rule) || rule == WDFDMA_RULE_DMA_0F_3;
        if (asked && machine->rule_modes[rule] != WDFDMA_MODE_IGNORE) {
            machine->rule_modes[rule] = WDFDMA_MODE_COLLECT;
        }
    }
    /* Room for what is found, and memory to note it. */
    wdfdma_machine_clear_violations(machine);
    machine->fail_countdown = 0;
    leak_search search = {.machine = machine};
    machine_search(&search);
    *count = machine->violations.count;
    return machine->violations.records;
}
