/* A worker that writes a number of lines of 100 bytes, 64 KiB at a time, and ends.
 *
 *   writer LINES */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 100, CHUNK = 65536 };

int main(int count, char **arguments) {
    /* As many whole lines as a write can end anywhere in. */
    static char text[CHUNK * LINE];
    memset(text, 'x', sizeof text);
    for (size_t end = LINE - 1; end < sizeof text; end += LINE)
        text[end] = '\n';
    size_t left = (size_t)atoll(arguments[count - 1]) * LINE;
    size_t at = 0;
    while (left > 0) {
        size_t part = left < CHUNK ? left : CHUNK;
        ssize_t wrote = write(1, text + at, part);
        if (wrote <= 0)
            return 1;
        left -= (size_t)wrote;
        at = (at + (size_t)wrote) % sizeof text;
        if (at + CHUNK > sizeof text)
            at %= LINE;
    }
    return 0;
}
