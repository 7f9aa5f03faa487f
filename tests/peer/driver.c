/* Asks the C library LCMAPS which account people get: many questions, one process.
 *
 *     driver DATABASE MAP GRIDMAPDIR COUNTER < questions > answers
 *
 * A question is a line of words: a policy of the database, then in hexadecimal the content of MAP, a distinguished name and
 * FQANs. "-" as content leaves MAP and the leases in GRIDMAPDIR as they are; otherwise leases are removed first. An answer is a
 * line "uid gids gids lease", or "-" where there is no mapping. COUNTER is the library's mapcounter; gLExec gave -1.
 *
 * A measuring instrument for a private mount namespace, whose /etc/passwd and /etc/group have the accounts. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <lcmaps/lcmaps_basic.h>
#include "hex.h"

extern lcmaps_init_t lcmaps_init;

#define MAX_FQANS 32

static void write_map(const char *path, char *content)
{
    size_t length = decode(content);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(content, 1, length, file) != length || fclose(file)) exit(66);
}

static void remove_leases(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    if (!directory) exit(67);
    while ((entry = readdir(directory)))
        if (entry->d_name[0] == '%') unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
}

static void print_gids(const gid_t *gids, int count)
{
    for (int i = 0; i < count; i++) printf("%s%u", i ? "," : "", (unsigned)gids[i]);
    putchar(' ');
}

static void ask(char *policy, char *dn, char **fqans, int count, int counter)
{
    uid_t uid = 0;
    gid_t *primary = NULL, *secondary = NULL;
    int primaries = 0, secondaries = 0;
    char *lease = NULL;
    /* What it gives belongs to it. */
    if (lcmaps_run_with_fqans_mapcounter_and_return_account(dn, fqans, count, counter, "", 1, &policy, &uid, &primary, &primaries,
                                                            &secondary, &secondaries, &lease)) {
        puts("-");
        return;
    }
    printf("%u ", (unsigned)uid);
    print_gids(primary, primaries);
    print_gids(secondary, secondaries);
    puts(lease ? lease : "");
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    FILE *log = fopen("/dev/null", "w");
    if (argc != 5 || !log || setenv("LCMAPS_DB_FILE", argv[1], 1)) return 64;
    if (lcmaps_init(log)) {
        fprintf(stderr, "LCMAPS does not start with %s\n", argv[1]);
        return 1;
    }
    while (getline(&line, &size, stdin) > 0) {
        char *rest = NULL, *fqans[MAX_FQANS];
        int count = 0;
        char *policy = strtok_r(line, " \n", &rest), *map = strtok_r(NULL, " \n", &rest), *dn = strtok_r(NULL, " \n", &rest);
        if (!dn) return 65;
        if (strcmp(map, "-")) {
            write_map(argv[2], map);
            remove_leases(argv[3]);
        }
        decode(dn);
        while (count < MAX_FQANS && (fqans[count] = strtok_r(NULL, " \n", &rest))) decode(fqans[count++]);
        ask(policy, dn, fqans, count, atoi(argv[4]));
        fflush(stdout);
    }
    return 0;
}
