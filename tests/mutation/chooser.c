
/* Which mutant takes effect, and which ones a test reaches: added to hal.c in a build of mutants. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    REACHED_BYTES = 65536
};
int wdfdma_mutant = 0;
static unsigned char reached_here[REACHED_BYTES];
unsigned char *wdfdma_reached = reached_here;

__attribute__((visibility("default"))) void wdfdma_set_mutant(int number);
__attribute__((visibility("default"))) unsigned char *wdfdma_get_reached(void);
void wdfdma_set_mutant(int number) {
    wdfdma_mutant = number;
}
unsigned char *wdfdma_get_reached(void) {
    return wdfdma_reached;
}

/* The programs that a test starts say what they reach in the same file. */
__attribute__((constructor)) static void mutant_read(void) {
    const char *number = getenv("WDFDMA_MUTANT");
    const char *path = getenv("WDFDMA_REACHED");
    wdfdma_mutant = number == NULL ? 0 : atoi(number);
    int file = path == NULL ? -1 : open(path, O_RDWR);
    if (file >= 0) {
        void *shared = mmap(NULL, REACHED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        wdfdma_reached = shared == MAP_FAILED ? reached_here : shared;
    }
}
