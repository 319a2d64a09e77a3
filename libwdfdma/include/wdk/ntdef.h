/* The base types of a Windows driver, spelled the same on every 64-bit host. ULONG and LONG have 32
 * bits everywhere, pointers and ULONG_PTR 64, WCHAR 16. Not to be mixed with <windows.h> in one
 * source file: there LONG is another type. */
#ifndef WDFDMA_WDK_NTDEF_H
#define WDFDMA_WDK_NTDEF_H

#include <stddef.h>
#include <stdint.h>

#include "driverspecs.h"
#include "wdfdma/api.h"

#if UINTPTR_MAX != 0xFFFFFFFFFFFFFFFFu
#error "wdfdma simulates 64-bit Windows and needs a 64-bit host"
#endif

#if defined(_WINDEF_) || defined(_MINWINDEF_)
#error "windows.h and the driver headers of wdfdma do not fit into one source file"
#endif

/* Anonymous structs and trailing arrays without a length are C, but not C++. */
#if defined(__cplusplus) && (defined(__GNUC__) || defined(__clang__))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#elif defined(_MSC_VER)
#pragma warning(push)
#pragma warning(disable : 4200 4201)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef char CHAR;
typedef char CCHAR;
typedef signed char SCHAR;
typedef unsigned char UCHAR;
typedef unsigned char BYTE;
typedef unsigned char BOOLEAN;
typedef int16_t SHORT;
typedef int16_t CSHORT;
typedef uint16_t USHORT;
typedef uint16_t WCHAR;
typedef int32_t LONG;
typedef int32_t INT;
typedef int32_t INT32;
typedef uint32_t ULONG;
typedef uint32_t UINT;
typedef uint32_t UINT32;
typedef uint32_t ULONG32;
typedef uint32_t DWORD;
typedef int64_t LONGLONG;
typedef int64_t LONG64;
typedef int64_t INT64;
typedef uint64_t ULONGLONG;
typedef uint64_t ULONG64;
typedef uint64_t UINT64;
typedef uint64_t DWORD64;
typedef int64_t LONG_PTR;
typedef int64_t INT_PTR;
typedef int64_t SSIZE_T;
typedef uint64_t ULONG_PTR;
typedef uint64_t UINT_PTR;
typedef uint64_t SIZE_T;
typedef uint64_t KAFFINITY;

typedef void *PVOID;
typedef void *HANDLE;
typedef const void *PCVOID;
typedef CHAR *PCHAR;
typedef CHAR *PSTR;
typedef const CHAR *PCCH;
typedef const CHAR *PCSTR;
typedef const CHAR *LPCSTR;
typedef UCHAR *PUCHAR;
typedef BOOLEAN *PBOOLEAN;
typedef USHORT *PUSHORT;
typedef WCHAR *PWCHAR;
typedef WCHAR *PWSTR;
typedef const WCHAR *PCWSTR;
typedef LONG *PLONG;
typedef ULONG *PULONG;
typedef LONGLONG *PLONGLONG;
typedef ULONGLONG *PULONGLONG;
typedef ULONG_PTR *PULONG_PTR;
typedef SIZE_T *PSIZE_T;
typedef HANDLE *PHANDLE;

typedef LONG NTSTATUS;
typedef NTSTATUS *PNTSTATUS;

typedef UCHAR KIRQL;
typedef KIRQL *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG HighPart;
    };
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
    struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef LARGE_INTEGER PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS;

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

typedef struct _SINGLE_LIST_ENTRY {
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

typedef struct _UNICODE_STRING {
    USHORT Length;        /* bytes used, without a terminating zero */
    USHORT MaximumLength; /* bytes of [Buffer] */
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

typedef struct _GUID {
    ULONG Data1;
    USHORT Data2;
    USHORT Data3;
    UCHAR Data4[8];
} GUID, *LPGUID;
typedef const GUID *LPCGUID;
/* cffi: end */

#ifdef __cplusplus
}
#endif

#if defined(__cplusplus) && (defined(__GNUC__) || defined(__clang__))
#pragma GCC diagnostic pop
#elif defined(_MSC_VER)
#pragma warning(pop)
#endif

#ifndef VOID
#define VOID void
#endif
#ifndef CONST
#define CONST const
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

#define NT_SUCCESS(Status) (((NTSTATUS)(Status)) >= 0)
#define NT_INFORMATION(Status) ((((ULONG)(Status)) >> 30) == 1u)
#define NT_WARNING(Status) ((((ULONG)(Status)) >> 30) == 2u)
#define NT_ERROR(Status) ((((ULONG)(Status)) >> 30) == 3u)

#define MAXUCHAR 0xFFu
#define MAXUSHORT 0xFFFFu
#define MAXULONG 0xFFFFFFFFu
#define MAXULONGLONG 0xFFFFFFFFFFFFFFFFu

/* Calling conventions: a 64-bit host has one. */
#ifndef NTAPI
#define NTAPI
#endif
#ifndef STDCALL
#define STDCALL
#endif

#ifndef FORCEINLINE
#if defined(_MSC_VER)
#define FORCEINLINE __forceinline
#else
#define FORCEINLINE inline __attribute__((always_inline))
#endif
#endif
#ifndef DECLSPEC_NORETURN
#if defined(_MSC_VER)
#define DECLSPEC_NORETURN __declspec(noreturn)
#else
#define DECLSPEC_NORETURN __attribute__((noreturn))
#endif
#endif
/* One definition is kept of those that several objects have: what __declspec(selectany) does. */
#ifndef DECLSPEC_SELECTANY
#if defined(_WIN32)
#define DECLSPEC_SELECTANY __declspec(selectany)
#else
#define DECLSPEC_SELECTANY __attribute__((weak))
#endif
#endif

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END }
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#endif

#ifndef C_ASSERT
#ifdef __cplusplus
#define C_ASSERT(e) static_assert(e, #e)
#else
#define C_ASSERT(e) _Static_assert(e, #e)
#endif
#endif

#define UNREFERENCED_PARAMETER(P) ((void)(P))
#define DBG_UNREFERENCED_PARAMETER(P) ((void)(P))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(V) ((void)(V))

#ifndef FIELD_OFFSET
#define FIELD_OFFSET(Type, Field) ((LONG)offsetof(Type, Field))
#endif
#ifndef CONTAINING_RECORD
#define CONTAINING_RECORD(Address, Type, Field) ((Type *)((PCHAR)(Address) - offsetof(Type, Field)))
#endif
#ifndef RTL_NUMBER_OF
#define RTL_NUMBER_OF(Array) (sizeof(Array) / sizeof((Array)[0]))
#endif
#ifndef ARRAYSIZE
#define ARRAYSIZE(Array) RTL_NUMBER_OF(Array)
#endif

/* Nothing is paged here. */
#define PAGED_CODE() ((void)0)
#define PAGED_CODE_LOCKED() ((void)0)

#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif

#endif
