/* The log of call sites: what is refused, what a crash leaves, and a log that is long. */
#define PROGRAM "test_site_log"
#include "fault_sites.h"

TEST(a_misuse_is_refused) {
    wdfdma_site_log *log = log_begin();
    wdfdma_machine *machine = harness_machine(NULL);
    const wdfdma_site_config far = {.frames = WDFDMA_SITE_FRAMES + 1};
    CHECK_STATUS(wdfdma_machine_set_sites(NULL, log, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_sites(machine, log, &far), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_site_log_open(NULL, &log, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_site_log_open(LOG, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_sites(machine) == NULL && wdfdma_machine_get_sites(NULL) == NULL);
    CHECK_EQUAL(wdfdma_site_log_get_count(NULL), 0);
    CHECK(!wdfdma_site_log_is_lost(NULL));
    CHECK(wdfdma_site_log_get_line(log, 0) == NULL && wdfdma_site_log_get_line(NULL, 0) == NULL);
    wdfdma_site_log_close(NULL);
    sites_set(machine, log, 0);
    wdfdma_machine_halt(machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    CHECK_STATUS(wdfdma_machine_set_sites(machine, log, NULL), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_machine_set_sites(machine, NULL, NULL), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_sites(machine) == NULL);
    wdfdma_site_log_close(log);
}

#define FIRST "wdfdma-sites 1\n"
#define LINE "execute STATUS_WDF_BUSY driver.sys+0x10\n"

static void file_write(const char *text) {
    FILE *file = fopen(LOG, "wb");
    if (CHECK(file != NULL)) {
        CHECK(fputs(text, file) >= 0);
        fclose(file);
    }
}

static void file_check(const char *expected) {
    char text[4096] = "";
    FILE *file = fopen(LOG, "rb");
    if (CHECK(file != NULL)) {
        size_t bytes = fread(text, 1, sizeof text - 1, file);
        CHECK_EQUAL(bytes, strlen(expected));
        CHECK(strcmp(text, expected) == 0);
        fclose(file);
    }
}

TEST(a_damaged_log_is_refused) {
    static const struct {
        const char *text;
        uint64_t line;
        const char *rule;
    } damaged[] = {
        {"anything", 1, "not the first line"},
        {"wdfdma-sites 2\n", 1, "not the first line"},
        {"wdfdma-sites 1 \n", 1, "not the first line"},
        {"\n" FIRST, 1, "not the first line"},
        {LINE FIRST, 1, "not the first line"},
        {FIRST LINE "exec STATUS_WDF_BUSY a\n", 3, "no call"},
        {FIRST LINE LINE "\n", 4, "no call"},
        {FIRST FIRST, 2, "no call"},
        {FIRST "release STATUS_WDF_BUSY a\n" LINE, 2, "no call"},
        {FIRST "execute STATUS_CANCELLED a\n" LINE, 2, "a status"},
        {FIRST "create STATUS_WDF_BUSY a\n", 2, "a status"},
        {FIRST "execute - a\n", 2, "a status"},
        {FIRST "adapter STATUS_UNSUCCESSFUL a\n", 2, "a status"},
        {FIRST "execute STATUS_WDF_BUSY\n", 2, "there is no site"},
        {FIRST "execute STATUS_WDF_BUSY \n", 2, "there is no site"},
        {FIRST "execute STATUS_WDF_BUSY a\tb\n", 2, "a character"},
        {FIRST "execute STATUS_WDF_BUSY a\r\n", 2, "a character"},
        {FIRST "garbage", 2, "no call"},
        {FIRST "garbage~\n", 2, "no call"},
        {FIRST "execute STATUS_X", 2, "a status"},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        wdfdma_site_log *log = NULL;
        wdfdma_site_log_error error = {0};
        file_write(damaged[i].text);
        CHECK_STATUS(wdfdma_site_log_open(LOG, &log, &error), STATUS_INVALID_PARAMETER);
        CHECK(log == NULL);
        CHECK_EQUAL(error.line, damaged[i].line);
        CHECK(error.rule != NULL && strstr(error.rule, damaged[i].rule) != NULL);
        file_check(damaged[i].text);
    }
}

TEST(what_a_crash_leaves_is_taken) {
    static const struct {
        const char *text;
        size_t count;
        const char *after;
    } cut[] = {
        {"", 0, FIRST},
        {"wdfdma-si", 0, "wdfdma-si~\n" FIRST},
        {"wdfdma-sites 1", 0, "wdfdma-sites 1~\n" FIRST},
        {FIRST, 0, FIRST},
        {FIRST LINE, 1, FIRST LINE},
        {FIRST LINE LINE, 1, FIRST LINE LINE},
        {FIRST LINE "e", 1, FIRST LINE "e~\n"},
        {FIRST LINE "execute ", 1, FIRST LINE "execute ~\n"},
        {FIRST LINE "execute STATUS_W", 1, FIRST LINE "execute STATUS_W~\n"},
        {FIRST "execute STATUS_WDF_BUSY driver.s", 0, FIRST "execute STATUS_WDF_BUSY driver.s~\n"},
        {FIRST "execute ST~\n" LINE "adapter - x y", 1,
         FIRST "execute ST~\n" LINE "adapter - x y~\n"},
        {"wdfdma~\n" FIRST LINE, 1, "wdfdma~\n" FIRST LINE},
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        file_write(cut[i].text);
        for (int round = 0; round < 2; round++) {
            wdfdma_site_log *log = log_open();
            CHECK_EQUAL(wdfdma_site_log_get_count(log), cut[i].count);
            wdfdma_site_log_close(log);
            file_check(cut[i].after);
        }
    }
}

/* A line is in the file before the call fails, with nothing closed. */
TEST(a_line_is_there_at_once) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    WDFDMATRANSACTION transaction = NULL;
    wdfdma_site_config config = {.source = name_given, .context = (void *)(uintptr_t)"here"};
    CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &config), STATUS_SUCCESS);
    CHECK(!NT_SUCCESS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction)));
    file_check(FIRST "create STATUS_INSUFFICIENT_RESOURCES here\n");
    wdfdma_site_log_close(log);
}

TEST(a_file_that_cannot_be_had) {
    wdfdma_site_log *log = NULL;
    wdfdma_site_log_error error = {0};
    CHECK_STATUS(wdfdma_site_log_open("no such folder/sites.log", &log, &error),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(error.line, 0);
    CHECK(error.error != 0 && error.rule != NULL && log == NULL);
}

/* More lines than the log's first room. */
TEST(a_long_log_is_read_back) {
    enum {
        LONG_LINES = 3000
    };
    FILE *file = fopen(LOG, "wb");
    REQUIRE(file != NULL);
    fputs(FIRST, file);
    for (int i = 0; i < LONG_LINES; i++) {
        fprintf(file, "create STATUS_INSUFFICIENT_RESOURCES site %d\n", i);
    }
    fclose(file);
    wdfdma_site_log *log = log_open();
    CHECK_EQUAL(wdfdma_site_log_get_count(log), LONG_LINES);
    world made = list_open();
    for (int i = LONG_LINES - 3; i < LONG_LINES + 3; i++) {
        char name[32];
        WDFDMATRANSACTION transaction = NULL;
        wdfdma_site_config config = {.source = name_given, .context = name};
        snprintf(name, sizeof name, "site %d", i);
        CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &config), STATUS_SUCCESS);
        NTSTATUS status = WdfDmaTransactionCreate(made.enabler, NULL, &transaction);
        CHECK_EQUAL(NT_SUCCESS(status), i < LONG_LINES);
        wdfdma_machine_set_sites(made.machine, NULL, NULL);
    }
    wdfdma_site_log_close(log);
}

SITES_MAIN(ENTRY(a_misuse_is_refused), ENTRY(a_damaged_log_is_refused),
           ENTRY(what_a_crash_leaves_is_taken), ENTRY(a_line_is_there_at_once),
           ENTRY(a_file_that_cannot_be_had), ENTRY(a_long_log_is_read_back))
