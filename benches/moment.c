/* Looks at the clock as its first act and writes the nanoseconds to standard output; becomes COMMAND, or ends.
 *
 *   moment [COMMAND [ARG]...] */
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long stamp = now.tv_sec * 1000000000LL + now.tv_nsec;
    if (write(1, &stamp, sizeof stamp) != sizeof stamp)
        return 1;
    if (count > 1)
        execv(arguments[1], arguments + 1);
    return count > 1;
}
