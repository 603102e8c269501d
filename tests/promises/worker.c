/* The workers that the tests supervise, where a shell would change the signals that are looked at.
 *
 *   worker catch SIGNAL...        says `ready`, then `got N` for each; TERM ends it with 0
 *   worker ignore SIGNAL...       ignores them, says `ready` and stays
 *   worker slow MILLIS            says `ready`; TERM ends it with 0, but only after a while
 *   worker late MILLIS SIGNAL...  as catch, but only after a while
 *   worker mute                   closes its output and stays
 *   worker lines COUNT LENGTH     writes COUNT numbered lines of LENGTH bytes, is then named `finished`, stays
 *   worker family                 leaves a child in its group that ignores TERM, says `child PID`, stays
 *   worker forsaken               the same, and ends at once
 *   worker stray                  leaves a grandchild in a session of its own, says `child PID`, stays
 *   worker orphans COUNT          leaves so many orphans that end at once, says `made`, stays
 *   worker bytes                  writes what comes on its standard input, unbuffered, and stays
 *
 * Signals are numbers. Everything is written with one write(2) a line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *text, long number) {
    char line[64];
    int length = number < 0 ? snprintf(line, sizeof line, "%s\n", text)
                            : snprintf(line, sizeof line, "%s %ld\n", text, number);
    if (write(1, line, (size_t)length) < 0)
        _exit(9);
}

static void stay(void) {
    for (;;)
        pause();
}

static void got(int number) {
    say("got", number);
    if (number == SIGTERM)
        _exit(0);
}

static void handle_each(char **signals, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    for (; *signals != NULL; signals++)
        if (sigaction(atoi(*signals), &action, NULL) != 0)
            _exit(9);
    say("ready", -1);
    stay();
}

static long delay;

static void rest_for(long millis) {
    struct timespec rest = {millis / 1000, millis % 1000 * 1000000};
    while (nanosleep(&rest, &rest) != 0)
        ;
}

static void take_time(int number) {
    (void)number;
    rest_for(delay);
    _exit(0);
}

static void slow(const char *millis) {
    char *term[] = {"15", NULL};
    delay = atol(millis);
    handle_each(term, take_time);
}

static void late(char **arguments) {
    rest_for(atol(arguments[0]));
    handle_each(arguments + 1, got);
}

static void lines(long count, size_t length) {
    char *line = malloc(length);
    for (long number = 1; number <= count; number++) {
        memset(line, 'x', length);
        line[length - 1] = '\n';
        char start[16];
        int digits = snprintf(start, sizeof start, "%09ld", number);
        memcpy(line, start, (size_t)digits < length ? (size_t)digits : length - 1);
        size_t done = 0;
        while (done < length) {
            ssize_t wrote = write(1, line + done, length - done);
            if (wrote < 0)
                _exit(9);
            done += (size_t)wrote;
        }
    }
    prctl(PR_SET_NAME, "finished");
    stay();
}

static void descendant(int stray, int leader_stays) {
    int report[2];
    if (pipe(report) != 0)
        _exit(9);
    if (fork() == 0) {
        signal(SIGTERM, SIG_IGN);
        if (stray) {
            setsid();
            if (fork() != 0)
                _exit(0);
        }
        pid_t self = getpid();
        if (write(report[1], &self, sizeof self) != sizeof self)
            _exit(9);
        close(report[0]);
        close(report[1]);
        stay();
    }
    pid_t child;
    if (read(report[0], &child, sizeof child) != sizeof child)
        _exit(9);
    if (stray)
        wait(NULL);
    say("child", child);
    if (!leader_stays)
        _exit(0);
    stay();
}

static void orphans(long count) {
    for (; count > 0; count--) {
        pid_t child = fork();
        if (child == 0)
            _exit(fork() < 0 ? 9 : 0);
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            _exit(9);
    }
    say("made", -1);
    stay();
}

static void bytes(void) {
    char buffer[65536];
    ssize_t got;
    while ((got = read(0, buffer, sizeof buffer)) > 0)
        if (write(1, buffer, (size_t)got) != got)
            _exit(9);
    stay();
}

int main(int count, char **arguments) {
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "catch") == 0)
        handle_each(arguments + 2, got);
    else if (strcmp(mode, "ignore") == 0)
        handle_each(arguments + 2, SIG_IGN);
    else if (strcmp(mode, "slow") == 0 && count > 2)
        slow(arguments[2]);
    else if (strcmp(mode, "late") == 0 && count > 2)
        late(arguments + 2);
    else if (strcmp(mode, "mute") == 0) {
        close(1);
        close(2);
        stay();
    } else if (strcmp(mode, "lines") == 0 && count > 3)
        lines(atol(arguments[2]), (size_t)atol(arguments[3]));
    else if (strcmp(mode, "family") == 0)
        descendant(0, 1);
    else if (strcmp(mode, "forsaken") == 0)
        descendant(0, 0);
    else if (strcmp(mode, "stray") == 0)
        descendant(1, 1);
    else if (strcmp(mode, "orphans") == 0 && count > 2)
        orphans(atol(arguments[2]));
    else if (strcmp(mode, "bytes") == 0)
        bytes();
    return 9;
}
