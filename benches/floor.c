/* The least that a supervisor can do, as a floor to measure against: wait for a child, start the next one.
 *
 *   floor WORKERS COMMAND [ARG]...
 *
 * Each child is set up with the calls that a worker of cantella gets by default. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(char **command, int null, pid_t manager) {
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid > 0)
        return;
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != manager)
        _exit(9);
    for (int number = 0; number < 3; number++)
        dup2(null, number);
    syscall(SYS_close_range, 3, ~0U, 4 /* close-on-exec */);
    execv(command[0], command);
    _exit(9);
}

int main(int count, char **arguments) {
    if (count < 3)
        return 2;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t self = getpid();
    for (int workers = atoi(arguments[1]); workers > 0; workers--)
        start(arguments + 2, null, self);
    for (;;)
        if (waitpid(-1, NULL, 0) > 0)
            start(arguments + 2, null, self);
}
