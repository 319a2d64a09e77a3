/* The pool's bitmap, and a tree over its words that finds the lowest run of n free registers.
 *
 * A node knows the free registers at its start, at its end, and its longest run: finding and
 * marking cost O(log N). The common case costs less: all words below low_word are full, so a run
 * inside low_word is the lowest there is; and one word's nodes (stale_word) are brought up to
 * date only when the tree is asked. */
#include "device.h"
#include "hal.h"

#include <string.h>

enum {
    WORD_BITS = 64
};
static const uint64_t FULL = UINT64_MAX;
static const uint32_t NONE = UINT32_MAX;

/* [count], from 1 on, bits from [first] on. */
static uint64_t bits_mask(uint32_t first, uint32_t count) {
    return FULL >> (WORD_BITS - count) << first;
}

/* The lowest bits of [word] that begin [count] free ones, all inside it. */
static uint64_t word_find_runs(uint64_t word, uint32_t count) {
    uint64_t starts = ~word;
    uint32_t length = 1;
    if (LIKELY(count <= 2)) {
        return starts & starts >> (count - 1);
    }
    while (starts != 0 && length < count) {
        uint32_t shift = 2 * length <= count ? length : count - length;
        starts &= starts >> shift;
        length += shift;
    }
    return starts;
}

static uint32_t word_find_longest(uint64_t word) {
    uint32_t longest = 0;
    for (uint64_t left = ~word; left != 0; left &= left >> 1) {
        longest++;
    }
    return longest;
}

static free_runs word_measure(uint64_t word) {
    if (word == 0) {
        return (free_runs){WORD_BITS, WORD_BITS, WORD_BITS};
    }
    return (free_runs){bit_find_lowest(word), 63 - bit_find_highest(word), word_find_longest(word)};
}

static free_runs nodes_join(const free_runs *left, const free_runs *right, uint32_t half_bits) {
    uint32_t across = left->suffix + right->prefix;
    uint32_t longest = left->longest > right->longest ? left->longest : right->longest;
    return (free_runs){
        .prefix = left->prefix == half_bits ? half_bits + right->prefix : left->prefix,
        .suffix = right->suffix == half_bits ? half_bits + left->suffix : right->suffix,
        .longest = across > longest ? across : longest};
}

/* Brings the nodes over the words from [first] to [last] up to date, as far as they change. */
static void nodes_update(pool *of, uint32_t first, uint32_t last) {
    uint32_t half_bits = WORD_BITS;
    bool changes = true;
    for (uint32_t word = first; word <= last; word++) {
        of->nodes[of->leaf_count + word] = word_measure(of->held[word]);
    }
    first += of->leaf_count;
    last += of->leaf_count;
    while (changes && first > 1) {
        first /= 2;
        last /= 2;
        changes = false;
        for (uint32_t node = first; node <= last; node++) {
            free_runs joined =
                nodes_join(&of->nodes[2 * node], &of->nodes[2 * node + 1], half_bits);
            changes = changes || memcmp(&joined, &of->nodes[node], sizeof joined) != 0;
            of->nodes[node] = joined;
        }
        half_bits *= 2;
    }
}

NO_INLINE static void nodes_settle(pool *of) {
    if (of->stale_word != NONE) {
        nodes_update(of, of->stale_word, of->stale_word);
        of->stale_word = NONE;
    }
}

/* The first register of the lowest run of [count], from nodes that are up to date; NONE where
 * there is none. */
static uint32_t nodes_find(const pool *of, uint32_t count) {
    uint32_t node = 1;
    uint32_t bits = of->leaf_count * WORD_BITS;
    uint32_t first = 0;
    if (of->nodes[1].longest < count) {
        return NONE;
    }
    while (node < of->leaf_count) {
        const free_runs *left = &of->nodes[2 * node];
        const free_runs *right = left + 1;
        bits /= 2;
        if (left->longest >= count) {
            node = 2 * node;
        } else if (left->suffix + right->prefix >= count) {
            return first + bits - left->suffix;
        } else {
            node = 2 * node + 1;
            first += bits;
        }
    }
    return first + bit_find_lowest(word_find_runs(of->held[node - of->leaf_count], count));
}

/* Flips the bits of a run of several words, which take their nodes along at once. */
COLD static void words_flip(pool *of, uint32_t word, uint32_t bit, uint32_t count) {
    uint32_t first = word;
    nodes_settle(of);
    while (count > 0) {
        uint32_t part = WORD_BITS - bit < count ? WORD_BITS - bit : count;
        of->held[word] ^= bits_mask(bit, part);
        word++;
        bit = 0;
        count -= part;
    }
    nodes_update(of, first, word - 1);
}

/* Flips bits where no node need be looked at now; false, with nothing changed, otherwise. */
static inline bool bits_flip_here(pool *of, uint32_t first, uint32_t count) {
    uint32_t word = first / WORD_BITS;
    uint32_t bit = first % WORD_BITS;
    if (UNLIKELY(of->stale_word != word) || UNLIKELY(bit + count > WORD_BITS)) {
        return false;
    }
    of->held[word] ^= bits_mask(bit, count);
    return true;
}

COLD static void bits_flip_slow(pool *of, uint32_t first, uint32_t count) {
    nodes_settle(of);
    of->stale_word = first / WORD_BITS;
    if (!bits_flip_here(of, first, count)) {
        words_flip(of, first / WORD_BITS, first % WORD_BITS, count);
    }
}

static inline void bits_flip(pool *of, uint32_t first, uint32_t count) {
    if (UNLIKELY(!bits_flip_here(of, first, count))) {
        bits_flip_slow(of, first, count);
    }
}

/* The lowest run where the low word does not hold it. */
NO_INLINE static uint32_t pool_find_slow(pool *of, uint32_t count) {
    nodes_settle(of);
    if (of->held[of->low_word] == FULL) {
        uint32_t free = nodes_find(of, 1);
        of->low_word = free == NONE ? of->low_word : free / WORD_BITS;
    }
    return nodes_find(of, count);
}

static inline uint32_t pool_find(pool *of, uint32_t count) {
    if (LIKELY(count <= WORD_BITS)) {
        uint64_t starts = word_find_runs(of->held[of->low_word], count);
        if (LIKELY(starts != 0)) {
            return of->low_word * WORD_BITS + bit_find_lowest(starts);
        }
    }
    return pool_find_slow(of, count);
}

/* A run is held from now on. */
static inline void run_note(wdfdma_machine *machine, const adapter *owner, uint32_t first,
                            uint32_t count) {
    hal_of(machine)->pool.runs[first] = (pool_run){count, adapter_get_tag(owner)};
    machine->state.free_registers -= count;
    if (UNLIKELY(machine->state.free_registers < machine->state.least_free_registers)) {
        machine->state.least_free_registers = machine->state.free_registers;
    }
}

bool pool_take_here(wdfdma_machine *machine, const adapter *owner, uint32_t count, uint32_t *base) {
    pool *of = &hal_of(machine)->pool;
    uint32_t word = of->low_word;
    uint64_t held = of->held[word];
    uint64_t starts = LIKELY(count <= WORD_BITS) ? word_find_runs(held, count) : 0;
    if (UNLIKELY(starts == 0) || UNLIKELY(of->stale_word != word) ||
        UNLIKELY(guards_lie(machine))) {
        return false;
    }
    uint32_t bit = bit_find_lowest(starts);
    of->held[word] = held | bits_mask(bit, count);
    *base = word * WORD_BITS + bit;
    run_note(machine, owner, *base, count);
    return true;
}

bool pool_take(wdfdma_machine *machine, const adapter *owner, uint32_t count, uint32_t *base) {
    pool *of = &hal_of(machine)->pool;
    if (UNLIKELY(count == 0 || count > machine->state.free_registers)) {
        return false;
    }
    uint32_t first = pool_find(of, count);
    if (UNLIKELY(first == NONE)) {
        return false;
    }
    if (UNLIKELY(guards_lie(machine))) {
        guard_check_unused(machine, first, count);
        if (machine->state.halted) {
            return false;
        }
    }
    bits_flip(of, first, count);
    run_note(machine, owner, first, count);
    *base = first;
    return true;
}

static inline void run_forget(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    pool *of = &hal_of(machine)->pool;
    of->runs[base].length = 0;
    machine->state.free_registers += count;
    if (UNLIKELY(base / WORD_BITS < of->low_word)) {
        of->low_word = base / WORD_BITS;
    }
}

void pool_put(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    WDFDMA_ASSERT(hal_of(machine)->pool.runs[base].length == count);
    bits_flip(&hal_of(machine)->pool, base, count);
    run_forget(machine, base, count);
}

bool pool_put_here(wdfdma_machine *machine, uint32_t base, uint32_t count) {
    if (UNLIKELY(!bits_flip_here(&hal_of(machine)->pool, base, count))) {
        return false;
    }
    run_forget(machine, base, count);
    return true;
}

static uint32_t words_of(uint32_t registers) {
    return registers == 0 ? 1 : (registers + WORD_BITS - 1) / WORD_BITS;
}

static uint32_t leaves_of(uint32_t words) {
    uint32_t leaves = 1;
    while (leaves < words) {
        leaves *= 2;
    }
    return leaves;
}

size_t pool_get_bytes(uint32_t registers) {
    size_t leaves = leaves_of(words_of(registers));
    return leaves * sizeof(uint64_t) + 2 * leaves * sizeof(free_runs) +
           (size_t)registers * sizeof(pool_run);
}

/* Nothing is free in the nodes past the last word, which are zero as the memory is: the words under
 * them are not looked at. */
void pool_open(wdfdma_machine *machine, void *memory) {
    pool *of = &hal_of(machine)->pool;
    uint32_t registers = machine->config.map_registers;
    of->word_count = words_of(registers);
    of->leaf_count = leaves_of(of->word_count);
    of->held = memory;
    of->nodes = (free_runs *)(void *)(of->held + of->leaf_count);
    of->runs = (pool_run *)(void *)(of->nodes + 2 * (size_t)of->leaf_count);
    of->stale_word = NONE;
    uint32_t last_bits = registers - (of->word_count - 1) * WORD_BITS;
    if (last_bits == 0) {
        of->held[0] = FULL;
    } else {
        of->held[of->word_count - 1] = ~bits_mask(0, last_bits);
    }
    for (uint32_t leaf = 0; leaf < of->word_count; leaf++) {
        of->nodes[of->leaf_count + leaf] = word_measure(of->held[leaf]);
    }
    uint32_t half_bits = WORD_BITS;
    for (uint32_t level = of->leaf_count / 2; level >= 1; level /= 2, half_bits *= 2) {
        for (uint32_t node = level; node < 2 * level; node++) {
            of->nodes[node] = nodes_join(&of->nodes[2 * node], &of->nodes[2 * node + 1], half_bits);
        }
    }
    machine->state.map_registers = registers;
    machine->state.free_registers = registers;
    machine->state.least_free_registers = registers;
}

const uint64_t *wdfdma_pool_get_bitmap(const wdfdma_machine *machine, size_t *words) {
    if (machine == NULL || words == NULL) {
        return NULL;
    }
    *words = hal_of(machine)->pool.word_count;
    return hal_of(machine)->pool.held;
}

uint32_t wdfdma_pool_get_run(const wdfdma_machine *machine, uint32_t index) {
    return machine == NULL ? 0 : pool_get_run(machine, index);
}

static bool bit_is_held(const pool *of, uint32_t index) {
    return (of->held[index / WORD_BITS] >> (index % WORD_BITS)) & 1;
}

/* The equation free + held = N, with the runs as the witness of what is held. */
static bool runs_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    const pool *of = &hal_of(machine)->pool;
    uint32_t held = 0;
    uint32_t run_end = 0;
    for (uint32_t index = 0; index < machine->config.map_registers; index++) {
        if (of->runs[index].length != 0) {
            if (index < run_end) {
                return check_fail(out, "no two runs of registers overlap", index, run_end, index);
            }
            run_end = index + of->runs[index].length;
            held += of->runs[index].length;
        }
        if (bit_is_held(of, index) != (index < run_end)) {
            return check_fail(out, "a register is held when it is in a run", index, index < run_end,
                              bit_is_held(of, index));
        }
    }
    uint32_t free = machine->config.map_registers - held;
    return machine->state.free_registers == free ||
           check_fail(out, "free + held = N", 0, free, machine->state.free_registers);
}

bool pool_check(const wdfdma_machine *machine, wdfdma_check_failure *out) {
    const pool *of = &hal_of(machine)->pool;
    for (uint32_t word = 0; word < of->low_word; word++) {
        if (of->held[word] != FULL) {
            return check_fail(out, "every word below the low one is full", word, FULL,
                              of->held[word]);
        }
    }
    for (uint32_t word = 0; word < of->word_count; word++) {
        free_runs measured = word_measure(of->held[word]);
        if (word != of->stale_word &&
            memcmp(&measured, &of->nodes[of->leaf_count + word], sizeof measured) != 0) {
            return check_fail(out, "the tree knows the longest free run of each word", word,
                              measured.longest, of->nodes[of->leaf_count + word].longest);
        }
    }
    return runs_check(machine, out);
}
