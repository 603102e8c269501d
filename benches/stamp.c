/* A worker whose first act is to look at the clock; it writes its pid and the nanoseconds to a FIFO, and stays.
 *
 *   stamp FIFO */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long stamp[2] = {getpid(), now.tv_sec * 1000000000LL + now.tv_nsec};
    int fifo = open(arguments[count - 1], O_WRONLY);
    if (write(fifo, stamp, sizeof stamp) != sizeof stamp)
        return 1;
    close(fifo);
    for (;;)
        pause();
}
