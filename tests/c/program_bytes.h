/* Programs written byte by byte: numbers are LEB128. */
#ifndef WDFDMA_TESTS_PROGRAM_BYTES_H
#define WDFDMA_TESTS_PROGRAM_BYTES_H

#include "world.h"

enum {
    PROGRAM_MOST = 4096
};

typedef struct program {
    uint8_t bytes[PROGRAM_MOST];
    size_t size;
    size_t ends[64]; /* where the head, and then each outermost STEP, ends */
    size_t end_count;
} program;

static inline void put_byte(program *to, uint64_t byte) {
    if (to->size < PROGRAM_MOST) {
        to->bytes[to->size++] = (uint8_t)byte;
    }
}

static inline void put_number(program *to, uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
        put_byte(to, (value & 0x7F) | 0x80);
    }
    put_byte(to, value);
}

static inline void put_numbers(program *to, const uint64_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        put_number(to, values[i]);
    }
}

/* Also a step, where its operation is below 128 and it has no body. */
#define PUT(to, ...) \
    put_numbers((to), (const uint64_t[]){__VA_ARGS__}, \
                sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* The steps of [body], after the operands before them. */
static inline void put_body(program *to, const program *body) {
    put_number(to, body->size);
    for (size_t i = 0; i < body->size; i++) {
        put_byte(to, body->bytes[i]);
    }
}

#endif
