/* Asks the C stack (LCMAPS, its verify_proxy and libvomsapi) who people are: many questions, one process.
 *
 *     driver DATABASE NOW < questions > answers
 *
 * A question is a line of two words: a directory, and the content of a proxy file in hexadecimal. The directory has the
 * trust directories certificates and vomsdir, which the database and the environment name as seen from there. An answer is
 * a line: the name and the FQANs in hexadecimal, or "-" for a refusal. NOW is the time, to all libraries.
 *
 * A measuring instrument for a private namespace, whose host name is the one that attribute certificates may be for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <lcmaps/lcmaps_cred_data.h>
#include <lcmaps/lcmaps_return_account_from_pem.h>
#include "../peer/hex.h"

/* What the library tells its plug-ins. */
extern void *lcmaps_getRunVars(const char *name, const char *type);

static time_t now;

/* The libraries find this one before the C library's. */
time_t time(time_t *result)
{
    if (result) *result = now;
    return now;
}

static void print(const char *text)
{
    for (; *text; text++) printf("%02x", (unsigned char)*text);
    putchar(' ');
}

/* What dummy_good gives an account with, at the end of the policy: the moment when the library still has what it found. */
int addCredentialData(int type, void *data)
{
    int (*theirs)(int, void *) = (int (*)(int, void *))dlsym(RTLD_NEXT, "addCredentialData");
    if (type == UID) {
        char **name = lcmaps_getRunVars("user_dn", "char *");
        char ***fqans = lcmaps_getRunVars("fqan_list", "char **");
        int *count = lcmaps_getRunVars("nfqan", "int");
        if (!name || !*name || !fqans || !count) exit(66);
        print(*name);
        for (int i = 0; i < *count; i++) print((*fqans)[i]);
    }
    return theirs(type, data);
}

static void ask(char *pem)
{
    lcmaps_account_info_t account;
    lcmaps_account_info_init(&account);
    puts(lcmaps_return_account_from_pem(pem, -1, &account) ? "-" : "");
    lcmaps_account_info_clean(&account);
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t size = 0;
    if (argc != 3 || setenv("LCMAPS_DB_FILE", argv[1], 1)) return 64;
    now = atol(argv[2]);
    while (getline(&line, &size, stdin) > 0) {
        char *rest = NULL;
        char *directory = strtok_r(line, " \n", &rest), *pem = strtok_r(NULL, "\n", &rest);
        if (!directory || chdir(directory)) return 65;
        if (pem) decode(pem);
        ask(pem ? pem : "");
        fflush(stdout);
    }
    return 0;
}
