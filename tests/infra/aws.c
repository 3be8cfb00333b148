// The `aws` of the tests: hands its open files to aws_server.py, which forks into the AWS CLI, and ends with the CLI's exit code.
// In C because a script makes dozens of calls, and even the smallest Python program takes longer to start than this one to run.

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
static pid_t cli;
static volatile sig_atomic_t last;

// Passes a signal on, and again after 2 s, as a person would: one that comes between Python's look and its wait for an answer is
// not noticed.
static void pass_on(int number) {
    if (number != SIGALRM)
        last = number;
    kill(cli, last);
    alarm(2);
}

int main(void) {
    struct sigaction now, act = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigset_t passed_on;
    sigemptyset(&passed_on);
    for (int i = 0; i < 3; i++) {
        sigaction(SIGNALS[i], NULL, &now);
        if (now.sa_handler != SIG_IGN)
            sigaddset(&passed_on, SIGNALS[i]);
    }
    sigprocmask(SIG_BLOCK, &passed_on, NULL);

    // The process id and the numbers of the files, as text; the files themselves go with it.
    char text[4096];
    int files[200], count = 0, length = sprintf(text, "%d", getpid());
    DIR *listing = opendir("/proc/self/fd");
    for (struct dirent *entry; listing && count < 200 && (entry = readdir(listing));) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || number == dirfd(listing))
            continue;
        files[count++] = number;
        length += sprintf(text + length, " %d", number);
    }
    closedir(listing);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof files)] = {0};
    struct iovec part = {text, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))};
    memcpy(CMSG_DATA(rights), files, count * sizeof(int));

    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    uint32_t answer;
    if (connect(server, (struct sockaddr *)&address, sizeof address) || sendmsg(server, &message, 0) != length ||
        recv(server, &answer, 4, MSG_WAITALL) != 4)
        return 255;
    cli = ntohl(answer);
    sigaction(SIGALRM, &act, NULL);
    for (int i = 0; i < 3; i++)
        if (sigismember(&passed_on, SIGNALS[i]))
            sigaction(SIGNALS[i], &act, NULL);
    sigprocmask(SIG_UNBLOCK, &passed_on, NULL);
    return recv(server, &answer, 4, MSG_WAITALL) == 4 ? (int)ntohl(answer) : 255;
}
