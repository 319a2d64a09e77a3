/* The one file that knows the operating system: reserving addresses, committing memory, and the
 * lock of the registry. Committed memory is zero. */
#if !defined(_WIN32)
#define _DEFAULT_SOURCE 1 /* MAP_ANONYMOUS, MAP_NORESERVE */
#endif

#include "machine.h"

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
/* Two words of the system's own headers would collide with the WDK's: only its functions are
 * declared. */
__declspec(dllimport) void *__stdcall VirtualAlloc(void *, size_t, uint32_t, uint32_t);
__declspec(dllimport) int __stdcall VirtualFree(void *, size_t, uint32_t);
__declspec(dllimport) void __stdcall AcquireSRWLockExclusive(void **);
__declspec(dllimport) void __stdcall ReleaseSRWLockExclusive(void **);
enum {
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

#else

#include <pthread.h>
#include <sys/mman.h>

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

#endif
