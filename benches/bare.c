/* The least that an init can do, as a floor to measure against: start a child in a group of its own and wait for it.
 *
 *   bare COMMAND [ARG]... */
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        execv(arguments[1], arguments + 1);
        _exit(127);
    }
    int status;
    if (count < 2 || pid < 0 || waitpid(pid, &status, 0) != pid)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
