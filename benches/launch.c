/* launch COMMAND [ARGUMENT…]: becomes the account that it was built for and runs a command. It asks nobody and checks
 * nothing: the floor below what any program that switches identity can cost. Setuid root in the bench's private site only.
 *
 * gcc -O2 -static -DTARGET=3000 -o launch launch.c */
#define _GNU_SOURCE
#include <grp.h>
#include <sys/types.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char *environment[] = { "PATH=/usr/bin:/bin", NULL };
    const gid_t group = TARGET;
    if (argc < 2 || setgroups(1, &group) || setresgid(TARGET, TARGET, TARGET) || setresuid(TARGET, TARGET, TARGET))
        return 202;
    execve(argv[1], argv + 1, environment);
    return 126;
}
