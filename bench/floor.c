/* The lower bound of a relay: copies bytes between each caller and the upstream without parsing them.
 *
 * floor PORT UPSTREAM_PORT, both on 127.0.0.1. One thread, epoll, two sockets for each caller. A write that
 * would block is waited for, and delays all callers: enough for a lower bound, not for a proxy. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILES = 65536, EVENTS = 256 };

static int peer[FILES];

static struct sockaddr_in local(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((unsigned short)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void watch(int poller, int file) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
    epoll_ctl(poller, EPOLL_CTL_ADD, file, &event);
}

static void join(int poller, int caller, const struct sockaddr_in *upstream) {
    int one = 1, upstream_socket = socket(AF_INET, SOCK_STREAM, 0);
    if (upstream_socket < 0 || upstream_socket >= FILES ||
        connect(upstream_socket, (const void *)upstream, sizeof *upstream)) {
        close(upstream_socket);
        close(caller);
        return;
    }
    setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(upstream_socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    peer[caller] = upstream_socket;
    peer[upstream_socket] = caller;
    watch(poller, caller);
    watch(poller, upstream_socket);
}

/* Returns 0 when one of the two is closed. */
static int carry(int from, int to) {
    static char buffer[65536];
    ssize_t got = read(from, buffer, sizeof buffer);
    for (ssize_t done = 0; done < got;) {
        ssize_t put = send(to, buffer + done, (size_t)(got - done), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put > 0) {
            done += put;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = to, .events = POLLOUT}, 1, -1);
        } else {
            return 0;
        }
    }
    return got > 0;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in here = local(arguments[1]), upstream = local(arguments[2]);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poller = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&here, sizeof here) || listen(listener, 4096)) return 1;
    watch(poller, listener);
    printf("listening on 127.0.0.1:%s\n", arguments[1]);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listener) {
                join(poller, accept(listener, NULL, NULL), &upstream);
            } else if (peer[file] >= 0 && !carry(file, peer[file])) {
                close(peer[file]);
                close(file);
                peer[peer[file]] = -1;
                peer[file] = -1;
            }
        }
    }
}
