/* Which functions leave the shared library. WDFDMA_BUILD is defined while the shared library itself
 * is compiled, WDFDMA_STATIC by everyone who compiles or links the static one. The build deletes
 * the marker where it reads the headers for CFFI. */
#ifndef WDFDMA_API_H
#define WDFDMA_API_H

#if defined(WDFDMA_STATIC) && defined(__GNUC__)
/* A DDI that the linker inlined into a driver would have no call site. */
#define WDFDMA_API __attribute__((noinline))
#elif defined(WDFDMA_STATIC)
#define WDFDMA_API
#elif defined(_WIN32) && defined(WDFDMA_BUILD)
#define WDFDMA_API __declspec(dllexport)
#elif defined(_WIN32)
#define WDFDMA_API __declspec(dllimport)
#elif defined(__GNUC__)
#define WDFDMA_API __attribute__((visibility("default")))
#else
#define WDFDMA_API
#endif

#endif
