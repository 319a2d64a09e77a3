/* A map from numbers to numbers: open addressing, linear probing, removal by shifting back, so
 * that a table that has seen much is as fast as a new one. It never shrinks and is at most two
 * thirds full. */
#include "machine.h"

typedef struct table_entry {
    uint64_t key;
    uint64_t value;
} table_entry;

static const uint64_t NO_KEY = UINT64_MAX;
enum {
    FIRST_CAPACITY = 64
};

static uint64_t key_mix(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return key ^ (key >> 29);
}

static uint64_t table_probe(const table *map, uint64_t key) {
    uint64_t at = key_mix(key) & (map->capacity - 1);
    while (map->entries[at].key != NO_KEY && map->entries[at].key != key) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

static bool table_resize(wdfdma_machine *machine, table *map, uint64_t capacity) {
    table bigger = {.capacity = capacity, .count = map->count};
    bigger.entries = data_allocate(machine, capacity * sizeof(table_entry), NULL);
    if (bigger.entries == NULL) {
        return false;
    }
    for (uint64_t at = 0; at < capacity; at++) {
        bigger.entries[at].key = NO_KEY;
    }
    for (uint64_t at = 0; at < map->capacity; at++) {
        if (map->entries[at].key != NO_KEY) {
            bigger.entries[table_probe(&bigger, map->entries[at].key)] = map->entries[at];
        }
    }
    data_free(machine, map->entries);
    *map = bigger;
    return true;
}

bool table_put(wdfdma_machine *machine, table *map, uint64_t key, uint64_t value) {
    if (3 * (map->count + 1) > 2 * map->capacity) {
        uint64_t capacity = map->capacity == 0 ? FIRST_CAPACITY : 2 * map->capacity;
        if (!table_resize(machine, map, capacity)) {
            return false;
        }
    }
    table_entry *entry = &map->entries[table_probe(map, key)];
    map->count += entry->key == NO_KEY;
    entry->key = key;
    entry->value = value;
    return true;
}

uint64_t *table_find(const table *map, uint64_t key) {
    if (map->count == 0) {
        return NULL;
    }
    table_entry *entry = &map->entries[table_probe(map, key)];
    return entry->key == NO_KEY ? NULL : &entry->value;
}

void table_remove(table *map, uint64_t key) {
    if (map->count == 0) {
        return;
    }
    uint64_t mask = map->capacity - 1;
    uint64_t hole = table_probe(map, key);
    if (map->entries[hole].key == NO_KEY) {
        return;
    }
    map->count--;
    for (uint64_t at = (hole + 1) & mask; map->entries[at].key != NO_KEY; at = (at + 1) & mask) {
        uint64_t home = key_mix(map->entries[at].key) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->entries[hole] = map->entries[at];
            hole = at;
        }
    }
    map->entries[hole].key = NO_KEY;
}

/* Where the entries lie depends on their keys, which may be addresses: a walk that is to be the
 * same each time goes by the values. */
size_t table_copy_values(const table *map, uint64_t after, uint64_t *out, size_t capacity) {
    size_t count = 0;
    for (uint64_t at = 0; at < map->capacity && map->count != 0; at++) {
        uint64_t value = map->entries[at].value;
        bool wanted = map->entries[at].key != NO_KEY && value > after &&
                      (count < capacity || value < out[count - 1]);
        if (!wanted) {
            continue;
        }
        size_t place = count < capacity ? count++ : count - 1;
        for (; place > 0 && out[place - 1] > value; place--) {
            out[place] = out[place - 1];
        }
        out[place] = value;
    }
    return count;
}
