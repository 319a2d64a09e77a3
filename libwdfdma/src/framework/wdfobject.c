/* Objects of the framework: parents and children, references, contexts, the two callbacks. */
#include "coverage.h"

/* One context of an object; its bytes follow. */
typedef struct fx_context {
    struct fx_context *next;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO type;
    PFN_WDF_OBJECT_CONTEXT_CLEANUP cleanup;
    PFN_WDF_OBJECT_CONTEXT_DESTROY destroy;
} fx_context;

static PCWDF_OBJECT_CONTEXT_TYPE_INFO type_get_unique(PCWDF_OBJECT_CONTEXT_TYPE_INFO type) {
    return type != NULL && type->UniqueType != NULL ? type->UniqueType : type;
}

static size_t attributes_get_context_bytes(const WDF_OBJECT_ATTRIBUTES *attributes) {
    if (attributes->ContextTypeInfo == NULL) {
        return 0;
    }
    return attributes->ContextSizeOverride != 0 ? attributes->ContextSizeOverride
                                                : attributes->ContextTypeInfo->ContextSize;
}

static bool levels_are_valid(const WDF_OBJECT_ATTRIBUTES *attributes) {
    return attributes->ExecutionLevel >= WdfExecutionLevelInheritFromParent &&
           attributes->ExecutionLevel <= WdfExecutionLevelDispatch &&
           attributes->SynchronizationScope >= WdfSynchronizationScopeInheritFromParent &&
           attributes->SynchronizationScope <= WdfSynchronizationScopeNone;
}

/* The framework's own checks of WDF_OBJECT_ATTRIBUTES, in the order of their fields. */
bool fx_attributes_are_valid(PWDF_OBJECT_ATTRIBUTES attributes, NTSTATUS *status) {
    if (attributes == NULL) {
        return true;
    }
    *status = STATUS_SUCCESS;
    PCWDF_OBJECT_CONTEXT_TYPE_INFO type = attributes->ContextTypeInfo;
    if (attributes->Size != sizeof *attributes) {
        *status = STATUS_INFO_LENGTH_MISMATCH;
    } else if (attributes->ContextSizeOverride != 0 &&
               (type == NULL || attributes->ContextSizeOverride < type->ContextSize)) {
        *status = STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    } else if (type != NULL && (type->Size != sizeof *type || type->ContextSize == 0)) {
        *status = STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    } else if (!levels_are_valid(attributes)) {
        *status = STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    }
    return *status == STATUS_SUCCESS;
}

static fx_context *context_create(wdfdma_machine *machine, fx_object *owner,
                                  const WDF_OBJECT_ATTRIBUTES *attributes) {
    size_t bytes = attributes_get_context_bytes(attributes);
    if (bytes > SIZE_MAX / 8) {
        return NULL;
    }
    fx_context *made = data_allocate(machine, sizeof *made + bytes, &owner->head);
    if (made != NULL) {
        made->type = type_get_unique(attributes->ContextTypeInfo);
        made->cleanup = attributes->EvtCleanupCallback;
        made->destroy = attributes->EvtDestroyCallback;
        made->next = owner->contexts;
        owner->contexts = made;
    }
    return made;
}

static bool attributes_ask_for_context(const WDF_OBJECT_ATTRIBUTES *attributes) {
    return attributes != NULL &&
           (attributes->ContextTypeInfo != NULL || attributes->EvtCleanupCallback != NULL ||
            attributes->EvtDestroyCallback != NULL);
}

static void child_append(fx_object *parent, fx_object *child) {
    child->parent = parent;
    child->previous_sibling = parent->last_child;
    if (parent->last_child == NULL) {
        parent->first_child = child;
    } else {
        parent->last_child->next_sibling = child;
    }
    parent->last_child = child;
}

static void child_remove(fx_object *child) {
    fx_object *parent = child->parent;
    if (parent == NULL) {
        return;
    }
    if (child->previous_sibling == NULL) {
        parent->first_child = child->next_sibling;
    } else {
        child->previous_sibling->next_sibling = child->next_sibling;
    }
    if (child->next_sibling == NULL) {
        parent->last_child = child->previous_sibling;
    } else {
        child->next_sibling->previous_sibling = child->previous_sibling;
    }
    child->parent = NULL;
    child->next_sibling = NULL;
    child->previous_sibling = NULL;
}

NTSTATUS fx_create(wdfdma_machine *machine, wdfdma_object_type type, size_t bytes,
                   fx_object *parent, PWDF_OBJECT_ATTRIBUTES attributes, fx_object **out) {
    NTSTATUS status = STATUS_SUCCESS;
    if (!fx_attributes_are_valid(attributes, &status)) {
        return status;
    }
    if (parent != NULL && parent->deleting) {
        return STATUS_DELETE_PENDING;
    }
    fx_object *made = (fx_object *)object_create(machine, type, bytes);
    if (made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    made->references = 1;
    if (attributes_ask_for_context(attributes) &&
        context_create(machine, made, attributes) == NULL) {
        object_free(machine, &made->head);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (parent != NULL) {
        child_append(parent, made);
    }
    *out = made;
    return STATUS_SUCCESS;
}

static void contexts_free(wdfdma_machine *machine, fx_object *of) {
    while (of->contexts != NULL) {
        fx_context *first = of->contexts;
        of->contexts = first->next;
        data_free(machine, first);
    }
}

void fx_discard(wdfdma_machine *machine, fx_object *unseen) {
    contexts_free(machine, unseen);
    child_remove(unseen);
    object_free(machine, &unseen->head);
}

static void context_callback(wdfdma_machine *machine, fx_object *of,
                             void (*callback)(WDFOBJECT object)) {
    callback_frame frame;
    if (callback != NULL && callback_enter(machine, &frame, &of->head, WDFDMA_EVENT_COUNT, 0)) {
        callback(fx_get_handle(of));
        callback_leave(&frame);
    }
}

static void object_end(wdfdma_machine *machine, fx_object *gone) {
    switch (gone->head.type) {
    case WDFDMA_OBJECT_TRANSACTION:
        transaction_end(machine, (transaction *)gone);
        break;
    case WDFDMA_OBJECT_ENABLER:
        enabler_end(machine, (enabler *)gone);
        break;
    case WDFDMA_OBJECT_COMMON_BUFFER:
        common_buffer_end(machine, (common_buffer *)gone);
        break;
    default:
        break;
    }
}

/* True where a deleted transaction's memory must stay: the HAL still has its request. */
static bool object_is_wanted(const fx_object *gone) {
    return gone->head.type == WDFDMA_OBJECT_TRANSACTION &&
           transaction_is_waiting((const transaction *)gone);
}

static void fx_dereference(wdfdma_machine *machine, fx_object *item) {
    if (--item->references != 0) {
        return;
    }
    item->destroying = true;
    for (fx_context *at = item->contexts; at != NULL && !machine->state.halted; at = at->next) {
        context_callback(machine, item, at->destroy);
    }
    if (machine->state.halted) {
        return;
    }
    contexts_free(machine, item);
    if (object_is_wanted(item)) {
        machine->state.objects[item->head.type]--;
        item->head.handle = 0;
    } else {
        object_free(machine, &item->head);
    }
}

/* One object, whose children are gone. */
static void object_delete(wdfdma_machine *machine, fx_object *gone) {
    for (fx_context *at = gone->contexts; at != NULL && !machine->state.halted; at = at->next) {
        context_callback(machine, gone, at->cleanup);
    }
    if (!machine->state.halted) {
        object_end(machine, gone);
    }
    if (machine->state.halted) {
        return;
    }
    child_remove(gone);
    gone->head.kind = KIND_DELETED;
    fx_dereference(machine, gone);
}

static void delete_refuse(wdfdma_machine *machine, const fx_object *item) {
    verifier_wdf_violation(machine, WDFDMA_WDF_OBJECT_ERROR, item->head.handle, 0, &item->head);
}

/* Walks down to the last child and up again: no recursion, however deep a driver nests. A child that
 * is being deleted further out, in whose callback this call is made, would outlive its parent. */
void fx_delete(wdfdma_machine *machine, fx_object *gone) {
    uint64_t last = gone->head.handle;
    fx_object *at = gone;
    gone->deleting = true;
    while (!machine->state.halted) {
        if (at->last_child != NULL && at->last_child->deleting) {
            delete_refuse(machine, gone);
            return;
        }
        if (at->last_child != NULL) {
            at = at->last_child;
            at->deleting = true;
            continue;
        }
        uint64_t handle = at->head.handle;
        fx_object *parent = at->parent;
        object_delete(machine, at);
        if (handle == last) {
            return;
        }
        at = parent;
    }
}

static fx_object *any_enter(ddi_call *call, WDFOBJECT handle) {
    uint64_t bits = (uint64_t)(uintptr_t)handle;
    wdfdma_machine *machine = registry_find(bits);
    object *found = machine == NULL ? NULL : object_find(machine, bits);
    bool is_fx = found != NULL && found->type >= WDFDMA_OBJECT_DEVICE &&
                 found->type <= WDFDMA_OBJECT_GENERAL;
    wdfdma_object_type type = is_fx ? (wdfdma_object_type)found->type : WDFDMA_OBJECT_NONE;
    if (is_fx && found->kind == KIND_DELETED && !machine->state.halted) {
        ddi_begin(call, machine, WDFDMA_OP_OBJECT_CALL);
        coverage_begin(call, found);
        return (fx_object *)found;
    }
    return ddi_enter_slow(call, bits, type, WDFDMA_OP_OBJECT_CALL);
}

VOID WdfObjectDelete(WDFOBJECT Object) {
    ddi_call call;
    fx_object *item = any_enter(&call, Object);
    if (item == NULL) {
        return;
    }
    wdfdma_machine *machine = call.machine;
    machine->state.op = WDFDMA_OP_DELETE;
    journal_call_with(machine, item->head.handle, item->head.type);
    uint32_t label = item->head.label;
    bool is_transaction = item->head.type == WDFDMA_OBJECT_TRANSACTION;
    if (item->head.kind == KIND_DELETED || item->deleting ||
        item->head.type == WDFDMA_OBJECT_DEVICE || item->head.type == WDFDMA_OBJECT_REQUEST) {
        delete_refuse(machine, item);
    } else {
        if (item->head.type == WDFDMA_OBJECT_ENABLER) {
            leaks_report(machine, item);
        }
        if (!machine->state.halted) {
            fx_delete(machine, item);
        }
    }
    if (is_transaction) {
        ddi_leave_values(&call, label, 0, 0);
    } else {
        ddi_leave(&call);
    }
}

void WdfObjectReferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File) {
    (void)Tag;
    (void)Line;
    (void)File;
    ddi_call call;
    fx_object *item = any_enter(&call, Handle);
    if (item == NULL) {
        return;
    }
    journal_mark(call.machine, WDFDMA_JOURNAL_REFERENCE,
                 wdfdma_machine_localize(call.machine, item->head.handle), 1);
    if (item->destroying) {
        delete_refuse(call.machine, item);
    } else {
        item->references++;
    }
    ddi_leave(&call);
}

void WdfObjectDereferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File) {
    (void)Tag;
    (void)Line;
    (void)File;
    ddi_call call;
    fx_object *item = any_enter(&call, Handle);
    if (item == NULL) {
        return;
    }
    journal_mark(call.machine, WDFDMA_JOURNAL_REFERENCE,
                 wdfdma_machine_localize(call.machine, item->head.handle), 0);
    if (item->destroying || (item->references == 1 && item->head.kind != KIND_DELETED)) {
        delete_refuse(call.machine, item);
    } else {
        fx_dereference(call.machine, item);
    }
    ddi_leave(&call);
}

static fx_context *context_find(const fx_object *of, PCWDF_OBJECT_CONTEXT_TYPE_INFO type) {
    PCWDF_OBJECT_CONTEXT_TYPE_INFO unique = type_get_unique(type);
    fx_context *at = of->contexts;
    while (at != NULL && (at->type == NULL || at->type != unique)) {
        at = at->next;
    }
    return at;
}

PVOID WdfObjectGetTypedContextWorker(WDFOBJECT Handle, PCWDF_OBJECT_CONTEXT_TYPE_INFO TypeInfo) {
    ddi_call call;
    fx_object *item = any_enter(&call, Handle);
    if (item == NULL) {
        return NULL;
    }
    fx_context *found = TypeInfo == NULL ? NULL : context_find(item, TypeInfo);
    ddi_leave(&call);
    return found == NULL ? NULL : found + 1;
}

NTSTATUS WdfObjectAllocateContext(WDFOBJECT Handle, PWDF_OBJECT_ATTRIBUTES ContextAttributes,
                                  PVOID *Context) {
    SITE_NOTE(Handle, WDFDMA_OP_OBJECT_CALL);
    ddi_call call;
    fx_object *item = any_enter(&call, Handle);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_SUCCESS;
    fx_context *made = NULL;
    if (ContextAttributes == NULL) {
        status = STATUS_INVALID_PARAMETER;
    } else if (!fx_attributes_are_valid(ContextAttributes, &status)) {
        /* the status says why */
    } else if (ContextAttributes->ContextTypeInfo == NULL) {
        status = STATUS_OBJECT_NAME_INVALID;
    } else if (ContextAttributes->ParentObject != NULL) {
        status = STATUS_WDF_OBJECT_ATTRIBUTES_INVALID;
    } else if (item->head.kind == KIND_DELETED || item->deleting) {
        status = STATUS_DELETE_PENDING;
    } else if ((made = context_find(item, ContextAttributes->ContextTypeInfo)) != NULL) {
        status = STATUS_OBJECT_NAME_EXISTS;
    } else if (fault_hits_routine(call.machine, WDFDMA_ROUTINE_OBJECT_ALLOCATE_CONTEXT, &status)) {
        /* so it fails */
    } else if ((made = context_create(call.machine, item, ContextAttributes)) == NULL) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (made != NULL && Context != NULL) {
        *Context = made + 1;
    }
    ddi_leave(&call);
    return status;
}

/* A context's block names its object; a pointer that is no context's start names none. */
WDFOBJECT WdfObjectContextGetObject(PVOID ContextPointer) {
    wdfdma_machine *machine = wdfdma_machine_current();
    if (machine == NULL || machine->state.halted) {
        return NULL;
    }
    const region *data = &machine->regions[REGION_DATA];
    uintptr_t offset = (uintptr_t)ContextPointer - (uintptr_t)data->base;
    if (offset < sizeof(fx_context) + sizeof(data_head) || offset >= data->used_bytes ||
        offset % sizeof(data_head) != 0) {
        return NULL;
    }
    const fx_context *context = (const fx_context *)ContextPointer - 1;
    uint32_t owner = data_get_head(context)->owner;
    for (uint32_t type = WDFDMA_OBJECT_DEVICE; type <= WDFDMA_OBJECT_GENERAL; type++) {
        const fx_object *item =
            (const fx_object *)object_at(machine, owner, (wdfdma_object_type)type);
        for (const fx_context *at = item == NULL ? NULL : item->contexts; at != NULL;
             at = at->next) {
            if (at == context) {
                return fx_get_handle(item);
            }
        }
    }
    return NULL;
}

static object *object_look_up(WDFOBJECT item, wdfdma_machine **machine) {
    uint64_t handle = (uint64_t)(uintptr_t)item;
    *machine = registry_find(handle);
    return *machine == NULL ? NULL : object_find(*machine, handle);
}

uint32_t wdfdma_object_get_type(WDFOBJECT object_handle) {
    wdfdma_machine *machine;
    const object *found = object_look_up(object_handle, &machine);
    return found == NULL || found->kind != 0 ? WDFDMA_OBJECT_NONE : found->type;
}

uint32_t wdfdma_object_get_label(WDFOBJECT object_handle) {
    wdfdma_machine *machine;
    const object *found = object_look_up(object_handle, &machine);
    return found == NULL ? 0 : found->label;
}

wdfdma_machine *wdfdma_object_get_machine(WDFOBJECT object_handle) {
    wdfdma_machine *machine;
    const object *found = object_look_up(object_handle, &machine);
    return found == NULL ? NULL : machine;
}

static bool links_check(const fx_object *item, wdfdma_check_failure *out) {
    const fx_object *previous = NULL;
    for (const fx_object *child = item->first_child; child != NULL; child = child->next_sibling) {
        if (child->parent != item || child->previous_sibling != previous ||
            child->head.handle == 0) {
            return check_fail(out, "a child knows its parent and its siblings", child->head.label,
                              item->head.label,
                              child->parent == NULL ? 0 : child->parent->head.label);
        }
        previous = child;
    }
    return item->last_child == previous ||
           check_fail(out, "a parent knows its last child", item->head.label, 1, 0);
}

const fx_object *fx_next(const fx_object *at, const fx_object *root) {
    if (at->first_child != NULL) {
        return at->first_child;
    }
    while (at != root && at->next_sibling == NULL) {
        at = at->parent;
    }
    return at == root ? NULL : at->next_sibling;
}

bool fx_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    const region *objects = &machine->regions[REGION_OBJECTS];
    for (size_t offset = 0; offset < objects->used_bytes; offset += OBJECT_UNIT_BYTES) {
        const object *head = (const object *)(const void *)(objects->base + offset);
        if (head->handle == 0 || head->type != WDFDMA_OBJECT_DEVICE ||
            object_find(machine, head->handle) != head) {
            continue;
        }
        const fx_object *root = (const fx_object *)head;
        for (const fx_object *at = root; at != NULL; at = fx_next(at, root)) {
            if (!links_check(at, out)) {
                return false;
            }
        }
    }
    return true;
}
