/* The file of a journal, as a test reads it back while the journal is still kept. */
#ifndef WDFDMA_TESTS_JOURNAL_FILE_H
#define WDFDMA_TESTS_JOURNAL_FILE_H

#include "harness.h"

enum {
    JOURNAL_MOST = 1 << 16 /* bytes that are read of it */
};

/* The bytes of the journal; how many. */
static inline size_t journal_read(const char *path, uint8_t *bytes, size_t most) {
    FILE *file = fopen(path, "rb");
    size_t read = file == NULL ? 0 : fread(bytes, 1, most, file);
    if (file != NULL) {
        fclose(file);
    }
    return read;
}

/* Checks that the file's last bytes are [expected], and that there were [before] of all before. */
static inline void journal_check_end(const wdfdma_machine *machine, const char *path,
                                     uint64_t before, const uint8_t *expected, size_t count) {
    static uint8_t bytes[JOURNAL_MOST];
    size_t read = journal_read(path, bytes, sizeof bytes);
    CHECK_EQUAL(wdfdma_journal_get_bytes(machine, NULL), before + count);
    REQUIRE(before + count <= read);
    CHECK_BYTES(bytes + before, expected, count);
}

/* The values, at most [most], of the entry that begins at byte [at]; its code in [code]. */
static inline size_t journal_read_entry(const char *path, uint64_t at, uint8_t *code,
                                        uint64_t *values, size_t most) {
    static uint8_t bytes[JOURNAL_MOST];
    size_t read = journal_read(path, bytes, sizeof bytes);
    if (!CHECK(at + 2 <= read)) {
        return 0;
    }
    *code = bytes[at];
    size_t count = bytes[at + 1];
    at += 2;
    for (size_t i = 0; i < count && i < most; i++) {
        values[i] = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            values[i] |= (uint64_t)(bytes[at] & 127) << shift;
            if (bytes[at++] < 128) {
                break;
            }
        }
    }
    return count;
}

#endif
