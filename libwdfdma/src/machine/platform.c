/* The one file that knows the operating system: reserving addresses, committing memory, the lock
 * of the registry, files by their names, and who called. Committed memory is zero. */
#if !defined(_WIN32)
#define _GNU_SOURCE 1 /* MAP_ANONYMOUS, MAP_NORESERVE, dladdr */
#define _DARWIN_C_SOURCE 1
#endif

#include "machine.h"

#include <string.h>

/* [path] without its folders. */
static void module_set_name(platform_module *of, const char *path) {
    const char *name = path;
    for (const char *at = path; *at != 0; at++) {
        name = *at == '/' || *at == '\\' ? at + 1 : name;
    }
    size_t length = strlen(name);
    length = length < MODULE_NAME_BYTES ? length : MODULE_NAME_BYTES - 1;
    memcpy(of->name, name, length);
    of->name[length] = 0;
}

#if defined(_WIN32)

#include <io.h>
#include <wchar.h>

#define WIN32_LEAN_AND_MEAN
/* Two words of the system's own headers would collide with the WDK's: only its functions are
 * declared. */
__declspec(dllimport) void *__stdcall VirtualAlloc(void *, size_t, uint32_t, uint32_t);
__declspec(dllimport) int __stdcall VirtualFree(void *, size_t, uint32_t);
__declspec(dllimport) void __stdcall AcquireSRWLockExclusive(void **);
__declspec(dllimport) void __stdcall ReleaseSRWLockExclusive(void **);
__declspec(dllimport) int __stdcall MultiByteToWideChar(uint32_t, uint32_t, const char *, int,
                                                        wchar_t *, int);
__declspec(dllimport) int __stdcall GetModuleHandleExA(uint32_t, const void *, void **);
__declspec(dllimport) uint32_t __stdcall GetModuleFileNameA(void *, char *, uint32_t);
__declspec(dllimport) uint16_t __stdcall RtlCaptureStackBackTrace(uint32_t, uint32_t, void **,
                                                                  uint32_t *);
__declspec(dllimport) void *__stdcall CreateFileMappingA(void *, void *, uint32_t, uint32_t,
                                                         uint32_t, const char *);
__declspec(dllimport) void *__stdcall MapViewOfFile(void *, uint32_t, uint32_t, uint32_t, size_t);
__declspec(dllimport) int __stdcall UnmapViewOfFile(const void *);
__declspec(dllimport) int __stdcall CloseHandle(void *);
enum {
    MAP_WRITE = 2,
    CODE_PAGE_UTF8 = 65001,
    PATH_LENGTH = 4096,
    WALK_LENGTH = 128,
    FROM_ADDRESS_WITHOUT_REFERENCE = 4 | 2,

    COMMIT = 0x1000,
    RESERVE = 0x2000,
    RELEASE = 0x8000,
    NO_ACCESS = 0x01,
    READ_WRITE = 0x04
};

static void *registry_lock;

void *platform_reserve(size_t bytes) {
    return VirtualAlloc(NULL, bytes, RESERVE, NO_ACCESS);
}

bool platform_commit(void *address, size_t bytes) {
    return VirtualAlloc(address, bytes, COMMIT, READ_WRITE) != NULL;
}

void platform_release(void *address, size_t bytes) {
    (void)bytes;
    VirtualFree(address, 0, RELEASE);
}

void platform_lock(void) {
    AcquireSRWLockExclusive(&registry_lock);
}

void platform_unlock(void) {
    ReleaseSRWLockExclusive(&registry_lock);
}

FILE *platform_open_file(const char *path, const char *mode) {
    wchar_t wide_path[PATH_LENGTH];
    wchar_t wide_mode[8];
    if (MultiByteToWideChar(CODE_PAGE_UTF8, 0, path, -1, wide_path, PATH_LENGTH) == 0 ||
        MultiByteToWideChar(CODE_PAGE_UTF8, 0, mode, -1, wide_mode, 8) == 0) {
        return NULL;
    }
    return _wfopen(wide_path, wide_mode);
}

void *platform_map_file(const char *path, size_t bytes) {
    FILE *file = platform_open_file(path, "w+b");
    if (file == NULL) {
        return NULL;
    }
    uint64_t size = bytes;
    void *mapping = CreateFileMappingA((void *)_get_osfhandle(_fileno(file)), NULL, READ_WRITE,
                                       (uint32_t)(size >> 32), (uint32_t)size, NULL);
    void *address = mapping == NULL ? NULL : MapViewOfFile(mapping, MAP_WRITE, 0, 0, bytes);
    if (mapping != NULL) {
        CloseHandle(mapping);
    }
    fclose(file);
    return address;
}

void platform_unmap_file(void *address, size_t bytes) {
    (void)bytes;
    UnmapViewOfFile(address);
}

bool platform_find_module(const void *address, platform_module *out) {
    char path[PATH_LENGTH];
    void *found = NULL;
    if (GetModuleHandleExA(FROM_ADDRESS_WITHOUT_REFERENCE, address, &found) == 0 ||
        GetModuleFileNameA(found, path, PATH_LENGTH) == 0) {
        return false;
    }
    path[PATH_LENGTH - 1] = 0;
    out->base = found;
    module_set_name(out, path);
    return true;
}

size_t platform_walk_callers(const void *first, const void **out, size_t most) {
    void *walked[WALK_LENGTH];
    size_t count = RtlCaptureStackBackTrace(0, WALK_LENGTH, walked, NULL);
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < most; i++) {
        if (kept != 0 || walked[i] == first) {
            out[kept++] = walked[i];
        }
    }
    return kept;
}

#else

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#if !defined(MAP_NORESERVE)
#define MAP_NORESERVE 0
#endif

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

void *platform_reserve(size_t bytes) {
    void *address =
        mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return address == MAP_FAILED ? NULL : address;
}

bool platform_commit(void *address, size_t bytes) {
    return mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0;
}

void platform_release(void *address, size_t bytes) {
    munmap(address, bytes);
}

void platform_lock(void) {
    pthread_mutex_lock(&registry_lock);
}

void platform_unlock(void) {
    pthread_mutex_unlock(&registry_lock);
}

FILE *platform_open_file(const char *path, const char *mode) {
    return fopen(path, mode);
}

void *platform_map_file(const char *path, size_t bytes) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        return NULL;
    }
    void *address = MAP_FAILED;
    if (ftruncate(file, (off_t)bytes) == 0) {
        address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    close(file);
    return address == MAP_FAILED ? NULL : address;
}

void platform_unmap_file(void *address, size_t bytes) {
    munmap(address, bytes);
}

bool platform_find_module(const void *address, platform_module *out) {
    Dl_info found;
    if (dladdr(address, &found) == 0 || found.dli_fname == NULL) {
        return false;
    }
    out->base = found.dli_fbase;
    module_set_name(out, found.dli_fname);
    return true;
}

typedef struct caller_walk {
    const void *first;
    const void **out;
    size_t most;
    size_t kept;
} caller_walk;

static _Unwind_Reason_Code caller_visit(struct _Unwind_Context *context, void *argument) {
    caller_walk *walk = argument;
    const void *address = (const void *)_Unwind_GetIP(context);
    if (walk->kept == walk->most) {
        return _URC_END_OF_STACK;
    }
    if (address != NULL && (walk->kept != 0 || address == walk->first)) {
        walk->out[walk->kept++] = address;
    }
    return _URC_NO_REASON;
}

size_t platform_walk_callers(const void *first, const void **out, size_t most) {
    caller_walk walk = {.first = first, .out = out, .most = most};
    _Unwind_Backtrace(caller_visit, &walk);
    return walk.kept;
}

#endif
