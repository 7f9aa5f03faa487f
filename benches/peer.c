/* peer POLICY COMMAND [ARGUMENT…]: does with the LCMAPS C library what glexec does, with the same proxy, for comparison:
 * reads the proxy as the caller, has the library verify and map it by a policy of /etc/peer/lcmaps.db, becomes the
 * account, runs the command. A measuring instrument: setuid root in the bench's private site only, and safe nowhere.
 *
 * gcc -O2 -o peer peer.c -llcmaps_return_account_from_pem -llcmaps -ldl */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <lcmaps/lcmaps_return_account_from_pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int failed(int code, const char *what)
{
    fprintf(stderr, "peer: %s\n", what);
    return code;
}

/* The caller's proxy as text, read with the caller's own rights. */
static char *read_proxy(void)
{
    const char *path = getenv("GLEXEC_CLIENT_CERT");
    struct stat status;
    char *text = NULL;
    if (!path || seteuid(getuid()))
        return NULL;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) && (text = calloc(1, status.st_size + 1)))
        if (read(fd, text, status.st_size) != status.st_size)
            text = NULL;
    close(fd);
    return seteuid(0) ? NULL : text;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return failed(201, "usage: peer POLICY COMMAND [ARGUMENT...]");
    char *proxy = read_proxy();
    if (!proxy)
        return failed(201, "no proxy");

    clearenv();
    setenv("LCMAPS_DB_FILE", "/etc/peer/lcmaps.db", 1);
    setenv("LCMAPS_POLICY_NAME", argv[1], 1);
    setenv("LCMAPS_DEBUG_LEVEL", "3", 1);
    setenv("LCMAPS_LOG_FILE", "/var/log/peer.log", 1);
    setenv("X509_CERT_DIR", "/etc/grid-security/certificates", 1);
    setenv("X509_VOMS_DIR", "/etc/grid-security/vomsdir", 1);
    lcmaps_account_info_t account;
    lcmaps_account_info_init(&account);
    if (lcmaps_return_account_from_pem(proxy, -1, &account) || account.npgid < 1)
        return failed(203, "LCMAPS says no; see /var/log/peer.log");
    gid_t group = account.pgid_list[0];
    if (account.uid == 0 || group == 0)
        return failed(203, "mapped to root");
    if (setgroups(account.nsgid, account.sgid_list) || setresgid(group, group, group) ||
        setresuid(account.uid, account.uid, account.uid))
        return failed(202, "no switch");

    clearenv();
    setenv("PATH", "/usr/bin:/bin", 1);
    execv(argv[2], argv + 2);
    return failed(126, "no exec");
}
