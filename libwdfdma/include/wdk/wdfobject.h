/* What every object of the framework has: a parent, references, and contexts of declared types.
 * A driver declares a context type once, in a header of its own; all its files then share one
 * type. */
#ifndef WDFDMA_WDK_WDFOBJECT_H
#define WDFDMA_WDK_WDFOBJECT_H

#include "wdftypes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef enum _WDF_EXECUTION_LEVEL {
    WdfExecutionLevelInvalid = 0,
    WdfExecutionLevelInheritFromParent = 1,
    WdfExecutionLevelPassive = 2,
    WdfExecutionLevelDispatch = 3
} WDF_EXECUTION_LEVEL;

typedef enum _WDF_SYNCHRONIZATION_SCOPE {
    WdfSynchronizationScopeInvalid = 0,
    WdfSynchronizationScopeInheritFromParent = 1,
    WdfSynchronizationScopeDevice = 2,
    WdfSynchronizationScopeQueue = 3,
    WdfSynchronizationScopeNone = 4
} WDF_SYNCHRONIZATION_SCOPE;

/* An object goes: its children have been told, last to first, and now itself. Its handle and
 * context are good still.
 * Models: EvtCleanupCallback.
 * Source: EVT_WDF_OBJECT_CONTEXT_CLEANUP callback function (wdfobject.h). */
typedef void EVT_WDF_OBJECT_CONTEXT_CLEANUP(WDFOBJECT Object);
typedef EVT_WDF_OBJECT_CONTEXT_CLEANUP *PFN_WDF_OBJECT_CONTEXT_CLEANUP;

/* The last reference has gone. The context is good still.
 * Models: EvtDestroyCallback.
 * Source: EVT_WDF_OBJECT_CONTEXT_DESTROY callback function (wdfobject.h). */
typedef void EVT_WDF_OBJECT_CONTEXT_DESTROY(WDFOBJECT Object);
typedef EVT_WDF_OBJECT_CONTEXT_DESTROY *PFN_WDF_OBJECT_CONTEXT_DESTROY;

typedef struct _WDF_OBJECT_CONTEXT_TYPE_INFO WDF_OBJECT_CONTEXT_TYPE_INFO,
    *PWDF_OBJECT_CONTEXT_TYPE_INFO;
typedef const WDF_OBJECT_CONTEXT_TYPE_INFO *PCWDF_OBJECT_CONTEXT_TYPE_INFO;
typedef PCWDF_OBJECT_CONTEXT_TYPE_INFO (*PFN_GET_UNIQUE_CONTEXT_TYPE)(void);

/* A context type. Two infos are the same type when their [UniqueType] is the same. */
struct _WDF_OBJECT_CONTEXT_TYPE_INFO {
    ULONG Size;
    LPCSTR ContextName;
    size_t ContextSize; /* bytes */
    PCWDF_OBJECT_CONTEXT_TYPE_INFO UniqueType;
    PFN_GET_UNIQUE_CONTEXT_TYPE EvtDriverGetUniqueContextType;
};

/* What a driver says of an object that it makes, or of a context that it adds.
 * Errors that they bring to any function that takes them: STATUS_INFO_LENGTH_MISMATCH for a wrong
 * Size; STATUS_WDF_OBJECT_ATTRIBUTES_INVALID for a context size of 0, an override without a type or
 * below its size, and a level or scope out of its range.
 * Source: Framework Object Creation Errors. */
typedef struct _WDF_OBJECT_ATTRIBUTES {
    ULONG Size;
    PFN_WDF_OBJECT_CONTEXT_CLEANUP EvtCleanupCallback;
    PFN_WDF_OBJECT_CONTEXT_DESTROY EvtDestroyCallback;
    WDF_EXECUTION_LEVEL ExecutionLevel;
    WDF_SYNCHRONIZATION_SCOPE SynchronizationScope;
    WDFOBJECT ParentObject;
    size_t ContextSizeOverride; /* bytes; 0: the type's */
    PCWDF_OBJECT_CONTEXT_TYPE_INFO ContextTypeInfo;
} WDF_OBJECT_ATTRIBUTES, *PWDF_OBJECT_ATTRIBUTES;

/* The context of the type [TypeInfo] that [Handle] has. Drivers call it by the name that their
 * declaration of the type gave.
 * Models: WdfObjectGetTypedContextWorker.
 * Source: WdfObjectGetTypedContextWorker function (wdfobject.h).
 * The context is owned by the machine, all zero when it was made, and lives as long as the object.
 * Errors: NULL where the object has no context of that type. */
WDFDMA_API PVOID WdfObjectGetTypedContextWorker(WDFOBJECT Handle,
                                                PCWDF_OBJECT_CONTEXT_TYPE_INFO TypeInfo);

/* Gives a live object one more context, and with it the two callbacks of [ContextAttributes].
 * Models: WdfObjectAllocateContext. Source: WdfObjectAllocateContext function (wdfobject.h).
 * [ContextAttributes] copied. What [Context], which may be NULL, is set to is owned by the machine.
 * Errors: STATUS_INVALID_PARAMETER without attributes; STATUS_OBJECT_NAME_INVALID for attributes
 * without a type; STATUS_OBJECT_NAME_EXISTS, with [Context] set, for a type that the object has
 * already; STATUS_DELETE_PENDING for an object that is going; STATUS_INSUFFICIENT_RESOURCES.
 * Choice: attributes with a parent, which the page forbids without naming a status, are
 * STATUS_WDF_OBJECT_ATTRIBUTES_INVALID. */
WDFDMA_API NTSTATUS WdfObjectAllocateContext(WDFOBJECT Handle,
                                             PWDF_OBJECT_ATTRIBUTES ContextAttributes,
                                             PVOID *Context);

/* The object that a context belongs to.
 * Models: WdfObjectContextGetObject. Source: WdfObjectContextGetObject function (wdfobject.h).
 * [ContextPointer] borrowed: the first byte of a context of the thread's machine.
 * Errors: NULL for any other pointer. */
WDFDMA_API WDFOBJECT WdfObjectContextGetObject(PVOID ContextPointer);

/* Adds a reference: handle and contexts stay until it is taken away. Drivers call it through
 * WdfObjectReference.
 * Models: WdfObjectReferenceActual. Source: WdfObjectReferenceActual function (wdfobject.h).
 * [Tag], [Line] and [File] name the holder to a debugger; they are borrowed and change nothing. */
WDFDMA_API void WdfObjectReferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File);

/* Takes a reference away; with the last one the object is destroyed. Drivers call it through
 * WdfObjectDereference.
 * Models: WdfObjectDereferenceActual. Source: WdfObjectDereferenceActual function (wdfobject.h).
 * Errors: bug check 0x10D with parameter 1 = 7 for a reference that the driver does not hold. */
WDFDMA_API void WdfObjectDereferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File);

/* Deletes an object and, before it, its children.
 * Models: WdfObjectDelete. Source: WdfObjectDelete function (wdfobject.h).
 * The handle is stale afterwards; while a reference is held it still serves to reach contexts and
 * to dereference.
 * Errors: bug check 0x10D with parameter 1 = 7 for what the framework owns, as devices and
 * requests.
 * Legal states of a transaction: all but transfer, which is a bug check if the verifier is on. */
WDFDMA_API void WdfObjectDelete(WDFOBJECT Object);
/* cffi: end */

#ifdef __cplusplus
}
#endif

#define WdfObjectReference(Handle) WdfObjectReferenceActual((Handle), NULL, __LINE__, __FILE__)
#define WdfObjectReferenceWithTag(Handle, Tag) \
    WdfObjectReferenceActual((Handle), (Tag), __LINE__, __FILE__)
#define WdfObjectDereference(Handle) WdfObjectDereferenceActual((Handle), NULL, __LINE__, __FILE__)
#define WdfObjectDereferenceWithTag(Handle, Tag) \
    WdfObjectDereferenceActual((Handle), (Tag), __LINE__, __FILE__)

/* All defaults: no callbacks, no parent, no context.
 * Models: WDF_OBJECT_ATTRIBUTES_INIT. Source: WDF_OBJECT_ATTRIBUTES_INIT function (wdfobject.h).
 * [Attributes] owned by the caller. */
static inline void WDF_OBJECT_ATTRIBUTES_INIT(PWDF_OBJECT_ATTRIBUTES Attributes) {
    memset(Attributes, 0, sizeof(*Attributes));
    Attributes->Size = (ULONG)sizeof(*Attributes);
    Attributes->ExecutionLevel = WdfExecutionLevelInheritFromParent;
    Attributes->SynchronizationScope = WdfSynchronizationScopeInheritFromParent;
}

/* The info that belongs to a context type: its name, and its address. */
#define WDF_TYPE_NAME_TO_TYPE_INFO(ContextType) _WDF_##ContextType##_TYPE_INFO
#define WDF_GET_CONTEXT_TYPE_INFO(ContextType) (&WDF_TYPE_NAME_TO_TYPE_INFO(ContextType))

#define WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(Attributes, ContextType) \
    ((void)((Attributes)->ContextTypeInfo = WDF_GET_CONTEXT_TYPE_INFO(ContextType)->UniqueType))
#define WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(Attributes, ContextType) \
    (WDF_OBJECT_ATTRIBUTES_INIT(Attributes), \
     WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(Attributes, ContextType))

#define WdfObjectGetTypedContext(Handle, ContextType) \
    ((ContextType *)WdfObjectGetTypedContextWorker( \
        (WDFOBJECT)(Handle), WDF_GET_CONTEXT_TYPE_INFO(ContextType)->UniqueType))

/* Begins the definition of a constant of which any number of objects may have one, the linker
 * keeping one. In C++ a constant leaves its object only if it is declared extern. */
#if !defined(_WIN32)
#define WDF_DEFINE_TYPE_INFO(Name) \
    EXTERN_C const WDF_OBJECT_CONTEXT_TYPE_INFO Name DECLSPEC_SELECTANY; \
    const WDF_OBJECT_CONTEXT_TYPE_INFO Name
#elif defined(__cplusplus)
#define WDF_DEFINE_TYPE_INFO(Name) \
    EXTERN_C DECLSPEC_SELECTANY const WDF_OBJECT_CONTEXT_TYPE_INFO Name
#else
#define WDF_DEFINE_TYPE_INFO(Name) DECLSPEC_SELECTANY const WDF_OBJECT_CONTEXT_TYPE_INFO Name
#endif

/* Declares [ContextType], a struct, as a context, and [CastingFunction](handle), which finds it on
 * an object. */
#define WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(ContextType, CastingFunction) \
    WDF_DEFINE_TYPE_INFO(WDF_TYPE_NAME_TO_TYPE_INFO(ContextType)) = { \
        (ULONG)sizeof(WDF_OBJECT_CONTEXT_TYPE_INFO), #ContextType, sizeof(ContextType), \
        WDF_GET_CONTEXT_TYPE_INFO(ContextType), NULL}; \
    static inline ContextType *CastingFunction(WDFOBJECT Handle) { \
        return (ContextType *)WdfObjectGetTypedContextWorker( \
            Handle, WDF_GET_CONTEXT_TYPE_INFO(ContextType)->UniqueType); \
    }

#define WDF_DECLARE_CONTEXT_TYPE(ContextType) \
    WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(ContextType, WdfObjectGet_##ContextType)

#endif
