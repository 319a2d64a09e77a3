/* What is asked of the compiler: asserts, thread-local words, what is inlined and what is likely. */
#ifndef WDFDMA_COMPILER_H
#define WDFDMA_COMPILER_H

#include <stdio.h>

#if WDFDMA_ASSERTS
#include <stdlib.h>
/* A bug in this library, never the driver's. */
#define WDFDMA_ASSERT(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)
#else
#define WDFDMA_ASSERT(condition) ((void)0)
#endif

#if defined(__GNUC__) && !defined(_WIN32)
/* Eight bytes of static TLS: one instruction instead of a call. */
#define WDFDMA_FAST_TLS __attribute__((tls_model("initial-exec")))
#else
#define WDFDMA_FAST_TLS
#endif

#if defined(__GNUC__)
/* For the few functions that every cycle of a transaction goes through. */
#define HOT_INLINE static inline __attribute__((always_inline))
/* Everything that such a function calls is inlined into it, but for what is COLD. */
#define HOT_PATH __attribute__((flatten))
#define COLD __attribute__((noinline, cold))
#define NO_INLINE __attribute__((noinline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#define HOT_INLINE static inline
#define HOT_PATH
#define COLD
#define NO_INLINE
#define LIKELY(condition) (condition)
#define UNLIKELY(condition) (condition)
#endif

#endif
