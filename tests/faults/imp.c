/* What breaks supervisors, where a shell is too slow or cannot.
 *
 *   imp flood PID SECONDS SIGNAL...   sends the signals as fast as it can, says how many
 *   imp orphans COUNT                 leaves that many orphans that end at once, says `spread`, stays
 *   imp crash PID                     makes a process run into a fault of its own
 *   imp wall PROGRAM [ARG]...         runs it on a wall clock that jumps by hours and years, forth and back
 *   imp flags NAME                    does something to the open files of 1 and 2, then writes 100 lines to each and
 *                                     stays: `nonblock`, `packets`, `tiny`, `owned`, or `plain` for nothing
 *   imp clock                         says the monotonic time in nanoseconds, is then named `ready`, stays
 *   imp move WHERE                    leaves a child in its group that ignores TERM, moves to its manager's group or to a
 *                                     session of its own (`group`, `session`), says `moved`, stays
 *   imp count DIRECTORY               writes lines of slot, generation and number, some hundred a second, and counts them in
 *                                     the file of its slot; leaves a stray in a session of its own, for a while
 *   imp giant BYTES                   writes that many bytes without a newline, is then named `finished`, stays
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int good, const char *what) {
    if (good)
        return;
    perror(what);
    exit(9);
}

static void stay(void) {
    for (;;)
        pause();
}

static void flood(char **arguments) {
    pid_t target = atoi(arguments[0]);
    time_t end = time(NULL) + atoi(arguments[1]);
    long sent = 0;
    while (time(NULL) < end)
        for (int round = 0; round < 1000; round++)
            for (char **signals = arguments + 2; *signals != NULL; signals++) {
                check(kill(target, atoi(*signals)) == 0, "kill");
                sent++;
            }
    printf("%ld\n", sent);
}

static void orphans(long count) {
    for (long number = 0; number < count; number++) {
        pid_t parent = fork();
        check(parent >= 0, "fork");
        if (parent == 0)
            _exit(fork() == 0 ? 0 : 0);
        check(waitpid(parent, NULL, 0) == parent, "waitpid");
    }
    check(write(1, "spread\n", 7) == 7, "write");
    stay();
}

static void wait_for_stop(pid_t target) {
    int status;
    check(waitpid(target, &status, __WALL) == target && WIFSTOPPED(status), "waitpid");
}

static void crash(pid_t target) {
    struct user_regs_struct registers;
    check(ptrace(PTRACE_ATTACH, target, 0, 0) == 0, "attach");
    wait_for_stop(target);
    check(ptrace(PTRACE_GETREGS, target, 0, &registers) == 0, "getregs");
    registers.rip = 8;
    /* Or the kernel would go back into the call that was cut short. */
    registers.orig_rax = (unsigned long)-1;
    check(ptrace(PTRACE_SETREGS, target, 0, &registers) == 0, "setregs");
    check(ptrace(PTRACE_DETACH, target, 0, 0) == 0, "detach");
}

/* Hides the vDSO, so that each look at a clock is a system call. */
static void hide_vdso(pid_t target) {
    struct user_regs_struct registers;
    check(ptrace(PTRACE_GETREGS, target, 0, &registers) == 0, "getregs");
    unsigned long at = registers.rsp;
    at += 8 * (2 + (unsigned long)ptrace(PTRACE_PEEKDATA, target, at, 0));
    while (ptrace(PTRACE_PEEKDATA, target, at, 0) != 0)
        at += 8;
    for (at += 8;; at += 16) {
        long type = ptrace(PTRACE_PEEKDATA, target, at, 0);
        if (type == AT_NULL)
            return;
        if (type == AT_SYSINFO_EHDR)
            check(ptrace(PTRACE_POKEDATA, target, at, AT_IGNORE) == 0, "poke");
    }
}

static void jump(pid_t target, unsigned long place) {
    static const long jumps[] = {0, 3600, -3600, 315360000, -315360000};
    static unsigned looks;
    long seconds = ptrace(PTRACE_PEEKDATA, target, place, 0);
    seconds += jumps[looks++ % 5];
    check(ptrace(PTRACE_POKEDATA, target, place, seconds) == 0, "poke");
}

static int wall(char **program) {
    pid_t target = fork();
    check(target >= 0, "fork");
    if (target == 0) {
        check(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0, "traceme");
        execvp(program[0], program);
        check(0, "exec");
    }
    wait_for_stop(target);
    check(ptrace(PTRACE_SETOPTIONS, target, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0, "options");
    hide_vdso(target);
    int entering = 1, give = 0;
    for (;;) {
        int status;
        check(ptrace(PTRACE_SYSCALL, target, 0, give) == 0, "syscall");
        check(waitpid(target, &status, __WALL) == target, "waitpid");
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        give = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
        if (give != 0)
            continue;
        struct user_regs_struct registers;
        check(ptrace(PTRACE_GETREGS, target, 0, &registers) == 0, "getregs");
        if (!entering && registers.orig_rax == SYS_clock_gettime && registers.rdi == CLOCK_REALTIME)
            jump(target, registers.rsi);
        entering = !entering;
    }
}

static void do_to(int number, const char *name) {
    if (strcmp(name, "nonblock") == 0)
        check(fcntl(number, F_SETFL, O_NONBLOCK) == 0, "nonblock");
    else if (strcmp(name, "packets") == 0)
        check(fcntl(number, F_SETFL, O_DIRECT) == 0, "packets");
    else if (strcmp(name, "tiny") == 0)
        check(fcntl(number, F_SETPIPE_SZ, 4096) > 0, "tiny");
    else if (strcmp(name, "owned") == 0) {
        check(fcntl(number, F_SETOWN, getppid()) == 0, "setown");
        check(fcntl(number, F_SETFL, O_ASYNC) == 0, "async");
    }
}

static void flags(const char *name) {
    for (int number = 1; number <= 2; number++)
        do_to(number, name);
    for (int line = 0; line < 100; line++)
        for (int number = 1; number <= 2; number++)
            check(dprintf(number, "%s %d\n", name, line) > 0, "write");
    stay();
}

static void tell_clock(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock");
    check(dprintf(1, "%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec) > 0, "write");
    check(prctl(PR_SET_NAME, "ready") == 0, "name");
    stay();
}

static void move(const char *where) {
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        signal(SIGTERM, SIG_IGN);
        check(write(1, "child\n", 6) == 6, "write");
        stay();
    }
    if (strcmp(where, "group") == 0)
        check(setpgid(0, getpgid(getppid())) == 0, "setpgid");
    else
        check(setsid() == getpid(), "setsid");
    check(write(1, "moved\n", 6) == 6, "write");
    stay();
}

static void nothing(int number) { (void)number; }

/* The counter of this generation, in a file that outlives the worker. */
static volatile long *counter_in(const char *directory, const char *slot, long generation) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, slot);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    check(file >= 0, path);
    long page = generation * 8 / 4096 * 4096;
    check(ftruncate(file, page + 4096) == 0, "ftruncate");
    char *start = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, page);
    check(start != MAP_FAILED, "mmap");
    close(file);
    return (volatile long *)(start + generation * 8 % 4096);
}

static void leave_stray(void) {
    pid_t parent = fork();
    check(parent >= 0, "fork");
    if (parent == 0) {
        setsid();
        if (fork() == 0)
            usleep(500000);
        _exit(0);
    }
    /* A signal may have ended it. */
    waitpid(parent, NULL, 0);
}

static void count_lines(const char *directory) {
    const char *slot = getenv("CANTELLA_WORKER_SLOT");
    long generation = atol(getenv("CANTELLA_WORKER_GENERATION"));
    volatile long *counter = counter_in(directory, slot, generation);
    signal(SIGUSR1, nothing);
    signal(SIGUSR2, nothing);
    leave_stray();
    for (long line = 1;; line++) {
        check(dprintf(1, "%s %ld %ld\n", slot, generation, line) > 0, "write");
        *counter = line;
        usleep(5000);
    }
}

static void giant(long long bytes) {
    static char block[65536];
    memset(block, 'g', sizeof block);
    while (bytes > 0) {
        ssize_t wrote = write(1, block, bytes < (long long)sizeof block ? (size_t)bytes : sizeof block);
        check(wrote > 0, "write");
        bytes -= wrote;
    }
    check(prctl(PR_SET_NAME, "finished") == 0, "name");
    stay();
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "flood") == 0 && count > 4)
        flood(arguments + 2);
    else if (strcmp(mode, "orphans") == 0 && count > 2)
        orphans(atol(arguments[2]));
    else if (strcmp(mode, "crash") == 0 && count > 2)
        crash(atoi(arguments[2]));
    else if (strcmp(mode, "wall") == 0 && count > 2)
        return wall(arguments + 2);
    else if (strcmp(mode, "flags") == 0 && count > 2)
        flags(arguments[2]);
    else if (strcmp(mode, "clock") == 0)
        tell_clock();
    else if (strcmp(mode, "move") == 0 && count > 2)
        move(arguments[2]);
    else if (strcmp(mode, "count") == 0 && count > 2)
        count_lines(arguments[2]);
    else if (strcmp(mode, "giant") == 0 && count > 2)
        giant(atoll(arguments[2]));
    else
        return 9;
    return 0;
}
