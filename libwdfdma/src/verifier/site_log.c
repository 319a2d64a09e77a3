/* The log of call sites that have failed: its lines, in memory and in the file.
 *
 * It lies outside of every machine, in the host's own memory, so that no restore reaches it. The
 * file is only appended to, a line at a time; half a line at its end is what a crash leaves. */
#include "faults.h"
#include "sites.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t LONGEST = 1u << 30; /* no file of this many bytes is read */
static const char HEADER[] = "wdfdma-sites 1";

typedef struct site_line {
    char *text;
    uint64_t hash;
} site_line;

struct wdfdma_site_log {
    FILE *file;
    site_line *lines; /* in the order of their writing */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* the number of a line, from 1, or 0; open addressed, at most half full */
    size_t slot_count;
    uint32_t users;
    bool lost; /* a line was not written: the file's end is not known any more */
};

/* ---- The words of a line ---- */

static const struct {
    const char *name;
    uint32_t op;
} calls[] = {
    {"create", WDFDMA_OP_CREATE},
    {"initialize", WDFDMA_OP_INITIALIZE},
    {"execute", WDFDMA_OP_EXECUTE},
    {"allocate_resources", WDFDMA_OP_ALLOCATE_RESOURCES},
    {"dma_completed", WDFDMA_OP_DMA_COMPLETED},
    {"dma_completed_with_length", WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH},
    {"enabler_create", WDFDMA_OP_ENABLER_CREATE},
    {"enabler_configure_system_profile", WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE},
    {"initialize_using_request", WDFDMA_OP_INITIALIZE_USING_REQUEST},
    {"common_buffer_create", WDFDMA_OP_COMMON_BUFFER_CREATE},
    {"request_call", WDFDMA_OP_REQUEST_CALL},
    {"object_call", WDFDMA_OP_OBJECT_CALL},
    {"adapter_call", WDFDMA_OP_ADAPTER_CALL},
};

/* What lies below the calls, by its kind. */
static const struct {
    const char *name;
    uint32_t kind;
} below[] = {
    {"register_grant", WDFDMA_FAULT_GRANT},
    {"adapter", WDFDMA_FAULT_ADAPTER},
    {"partial_map", WDFDMA_FAULT_MAP},
};

enum {
    CALLS = sizeof calls / sizeof *calls,
    BELOW = sizeof below / sizeof *below
};

const char *site_call_get_name(wdfdma_fault_kind kind, uint32_t op) {
    for (size_t i = 0; kind == WDFDMA_FAULT_CALL && i < CALLS; i++) {
        if (calls[i].op == op) {
            return calls[i].name;
        }
    }
    for (size_t i = 0; i < BELOW; i++) {
        if (below[i].kind == (uint32_t)kind) {
            return below[i].name;
        }
    }
    return NULL;
}

/* A word of a line that is read: all of it, or the part of it that a crash has left. */
typedef struct word {
    const char *text;
    size_t length;
    bool is_cut;
} word;

static bool word_is(const word *given, const char *name) {
    bool fits = strncmp(given->text, name, given->length) == 0;
    return fits && (given->is_cut || name[given->length] == 0);
}

static bool status_is_known(uint32_t op, const word *given) {
    size_t count;
    const NTSTATUS *statuses = wdfdma_fault_get_statuses(op, &count);
    for (size_t i = 0; i < count; i++) {
        if (word_is(given, wdfdma_status_get_info(statuses[i])->name)) {
            return true;
        }
    }
    return false;
}

static word word_take(const char **at, const char *end) {
    word taken = {.text = *at};
    while (*at < end && **at != ' ') {
        ++*at;
    }
    taken.length = (size_t)(*at - taken.text);
    taken.is_cut = *at == end;
    *at += *at < end;
    return taken;
}

/* What is wrong with the two words that a line begins with, or NULL. */
static const char *words_check(const word *call, const word *status) {
    bool call_known = false;
    for (size_t i = 0; i < CALLS; i++) {
        bool is_it = word_is(call, calls[i].name);
        if (is_it && status_is_known(calls[i].op, status)) {
            return NULL;
        }
        call_known = call_known || is_it;
    }
    for (size_t i = 0; i < BELOW; i++) {
        bool is_it = word_is(call, below[i].name);
        if (is_it && word_is(status, "-")) {
            return NULL;
        }
        call_known = call_known || is_it;
    }
    return call_known ? "a status that the call does not fail with" : "no call that can fail";
}

/* What is wrong with a line, or NULL; [is_cut]: it was the last one, and has no end. */
static const char *line_check(const char *text, size_t length, bool is_cut) {
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F) {
            return "a character that no line has";
        }
    }
    const char *at = text;
    const char *end = text + length;
    word call = word_take(&at, end);
    word status = word_take(&at, end);
    call.is_cut = call.is_cut && is_cut;
    status.is_cut = status.is_cut && is_cut;
    const char *rule = words_check(&call, &status);
    return rule != NULL || at < end || is_cut ? rule : "there is no site";
}

/* ---- In memory ---- */

/* FNV-1a, then mixed: its low bits choose a slot. */
static uint64_t text_hash(const char *text) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *text != 0; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    }
    return seed_mix(hash);
}

static uint32_t *slot_find(const wdfdma_site_log *log, const char *text, uint64_t hash) {
    size_t at = (size_t)hash & (log->slot_count - 1);
    for (; log->slots[at] != 0; at = (at + 1) & (log->slot_count - 1)) {
        const site_line *line = &log->lines[log->slots[at] - 1];
        if (line->hash == hash && strcmp(line->text, text) == 0) {
            break;
        }
    }
    return &log->slots[at];
}

static bool slots_grow(wdfdma_site_log *log) {
    size_t slot_count = log->slot_count == 0 ? 64 : 2 * log->slot_count;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(log->slots);
    log->slots = slots;
    log->slot_count = slot_count;
    for (size_t i = 0; i < log->count; i++) {
        *slot_find(log, log->lines[i].text, log->lines[i].hash) = (uint32_t)i + 1;
    }
    return true;
}

static bool lines_grow(wdfdma_site_log *log) {
    size_t capacity = log->capacity == 0 ? 32 : 2 * log->capacity;
    site_line *lines =
        capacity > UINT32_MAX / 2 ? NULL : realloc(log->lines, capacity * sizeof *log->lines);
    if (lines == NULL) {
        return false;
    }
    log->lines = lines;
    log->capacity = capacity;
    return true;
}

/* Room for one more line, so that what is written can be remembered. */
static bool room_make(wdfdma_site_log *log) {
    return (log->count < log->capacity || lines_grow(log)) &&
           (2 * (log->count + 1) <= log->slot_count || slots_grow(log));
}

static char *text_copy(const char *text, size_t length) {
    char *copy = malloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

/* There is room; [text] is the log's from now on. */
static void line_put(wdfdma_site_log *log, char *text, uint64_t hash) {
    *slot_find(log, text, hash) = (uint32_t)log->count + 1;
    log->lines[log->count++] = (site_line){text, hash};
}

/* ---- The file ---- */

static bool file_append(wdfdma_site_log *log, const char *line) {
    return fputs(line, log->file) >= 0 && fputc('\n', log->file) != EOF && fflush(log->file) == 0;
}

static NTSTATUS line_read(wdfdma_site_log *log, const char *text, size_t length) {
    char *copy = text_copy(text, length);
    if (copy == NULL || !room_make(log)) {
        free(copy);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    uint64_t hash = text_hash(copy);
    if (*slot_find(log, copy, hash) != 0) {
        free(copy); /* two processes at once have written it */
        return STATUS_SUCCESS;
    }
    line_put(log, copy, hash);
    return STATUS_SUCCESS;
}

typedef struct file_reader {
    const char *at;
    const char *end;
    wdfdma_site_log_error *error;
    bool has_header;
    bool is_cut; /* its last line has no end */
} file_reader;

static const char *header_check(const char *text, size_t length, bool is_cut) {
    const word given = {text, length, is_cut};
    return word_is(&given, HEADER) ? NULL : "not the first line of a log of sites";
}

/* One line, the next of the file. */
static NTSTATUS file_read_line(wdfdma_site_log *log, file_reader *reader) {
    const char *text = reader->at;
    size_t left = (size_t)(reader->end - text);
    const char *newline = memchr(text, '\n', left);
    reader->is_cut = newline == NULL;
    size_t length = reader->is_cut ? left : (size_t)(newline - text);
    reader->at = reader->is_cut ? reader->end : newline + 1;
    reader->error->line++;
    bool was_cut = length > 0 && text[length - 1] == '~';
    bool is_part = reader->is_cut || was_cut;
    length -= was_cut;
    reader->error->rule = reader->has_header ? line_check(text, length, is_part)
                                             : header_check(text, length, is_part);
    if (reader->error->rule != NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (is_part) {
        return STATUS_SUCCESS;
    }
    if (!reader->has_header) {
        reader->has_header = true;
        return STATUS_SUCCESS;
    }
    return line_read(log, text, length);
}

static NTSTATUS file_refuse(wdfdma_site_log_error *error) {
    *error = (wdfdma_site_log_error){.rule = "the system refuses the file", .error = errno};
    return STATUS_UNSUCCESSFUL;
}

/* All of a file, or an empty one where there is none; owned by the caller, freed. */
static NTSTATUS file_load(const char *path, char **out, size_t *bytes,
                          wdfdma_site_log_error *error) {
    size_t capacity = 4096;
    char *text = malloc(capacity);
    FILE *file = platform_open_file(path, "rb");
    NTSTATUS status = text == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
    *bytes = 0;
    if (file == NULL && errno != ENOENT) {
        status = file_refuse(error);
    }
    while (file != NULL && NT_SUCCESS(status) && !feof(file)) {
        if (*bytes == capacity) {
            char *grown = capacity > LONGEST / 2 ? NULL : realloc(text, capacity *= 2);
            if (grown == NULL) {
                status = STATUS_INSUFFICIENT_RESOURCES;
                break;
            }
            text = grown;
        }
        errno = 0;
        *bytes += fread(text + *bytes, 1, capacity - *bytes, file);
        if (ferror(file)) {
            status = file_refuse(error);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    *out = text;
    return status;
}

static NTSTATUS file_read(wdfdma_site_log *log, const char *path, file_reader *reader) {
    char *text;
    size_t bytes;
    NTSTATUS status = file_load(path, &text, &bytes, reader->error);
    reader->at = text;
    reader->end = text == NULL ? NULL : text + bytes;
    while (NT_SUCCESS(status) && reader->at < reader->end) {
        status = file_read_line(log, reader);
    }
    free(text);
    return status;
}

/* Opened to be appended to; half a line is ended, and a new log begun. */
static NTSTATUS file_begin(wdfdma_site_log *log, const char *path, const file_reader *reader) {
    errno = 0;
    log->file = platform_open_file(path, "ab");
    bool good = log->file != NULL && (!reader->is_cut || file_append(log, "~")) &&
                (reader->has_header || file_append(log, HEADER));
    return good ? STATUS_SUCCESS : file_refuse(reader->error);
}

/* ---- The log ---- */

static void log_free(wdfdma_site_log *log) {
    for (size_t i = 0; i < log->count; i++) {
        free(log->lines[i].text);
    }
    if (log->file != NULL) {
        fclose(log->file);
    }
    free(log->lines);
    free(log->slots);
    free(log);
}

NTSTATUS wdfdma_site_log_open(const char *path, wdfdma_site_log **out,
                              wdfdma_site_log_error *error) {
    wdfdma_site_log_error found = {.line = 0};
    file_reader reader = {.error = &found};
    if (path == NULL || out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    wdfdma_site_log *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    made->users = 1;
    NTSTATUS status = file_read(made, path, &reader);
    if (NT_SUCCESS(status)) {
        status = file_begin(made, path, &reader);
    }
    if (!NT_SUCCESS(status)) {
        log_free(made);
        if (error != NULL) {
            *error = found;
        }
        return status;
    }
    *out = made;
    return STATUS_SUCCESS;
}

void site_log_keep(wdfdma_site_log *log) {
    platform_lock();
    log->users++;
    platform_unlock();
}

void wdfdma_site_log_close(wdfdma_site_log *log) {
    if (log == NULL) {
        return;
    }
    platform_lock();
    bool last = --log->users == 0;
    platform_unlock();
    if (last) {
        log_free(log);
    }
}

size_t wdfdma_site_log_get_count(const wdfdma_site_log *log) {
    return log == NULL ? 0 : log->count;
}

const char *wdfdma_site_log_get_line(const wdfdma_site_log *log, size_t index) {
    return log == NULL || index >= log->count ? NULL : log->lines[index].text;
}

bool wdfdma_site_log_is_lost(const wdfdma_site_log *log) {
    return log != NULL && log->lost;
}

/* As site_log_add, with the lock held. */
static bool line_add(wdfdma_site_log *log, const char *line) {
    uint64_t hash = text_hash(line);
    if (log->lost || (log->slot_count != 0 && *slot_find(log, line, hash) != 0)) {
        return false;
    }
    char *copy = text_copy(line, strlen(line));
    log->lost = copy == NULL || !room_make(log) || !file_append(log, line);
    if (log->lost) {
        free(copy);
        return false;
    }
    line_put(log, copy, hash);
    return true;
}

bool site_log_add(wdfdma_site_log *log, const char *line) {
    platform_lock();
    bool added = line_add(log, line);
    platform_unlock();
    return added;
}
