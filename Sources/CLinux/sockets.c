#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(
    sizeof(struct sockaddr_storage) <= DAYBOOK_ADDRESS_BYTES, "an address does not fit");

int daybook_resolve(
    const char *host, const char *port, int passive, uint8_t *address, uint32_t *length) {
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
    };
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) return code;
    // A name with both families: IPv4, because "localhost" is what a node listens on.
    struct addrinfo *chosen = found;
    for (struct addrinfo *next = found; next != NULL; next = next->ai_next) {
        if (next->ai_family == AF_INET) {
            chosen = next;
            break;
        }
    }
    memcpy(address, chosen->ai_addr, chosen->ai_addrlen);
    *length = chosen->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

const char *daybook_resolver_text(int code) { return gai_strerror(code); }

static int failed(int descriptor) {
    int code = errno;
    if (descriptor >= 0) close(descriptor);
    return -code;
}

static int make_socket(const uint8_t *address) {
    int family = ((const struct sockaddr *)address)->sa_family;
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int without_delay(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int daybook_limit_silence(int descriptor, unsigned milliseconds) {
    return setsockopt(
               descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds) < 0
        ? -errno
        : 0;
}

int daybook_listen(const uint8_t *address, uint32_t length, int backlog) {
    int descriptor = make_socket(address);
    int on = 1;
    if (descriptor < 0) return failed(descriptor);
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(descriptor, (const struct sockaddr *)address, length) < 0 ||
        listen(descriptor, backlog) < 0)
        return failed(descriptor);
    return descriptor;
}

int daybook_accept(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    if (without_delay(descriptor) < 0 && errno != EOPNOTSUPP) return failed(descriptor);
    return descriptor;
}

int daybook_connect(const uint8_t *address, uint32_t length) {
    int descriptor = make_socket(address);
    if (descriptor < 0) return failed(descriptor);
    if (without_delay(descriptor) < 0) return failed(descriptor);
    if (connect(descriptor, (const struct sockaddr *)address, length) < 0 &&
        errno != EINPROGRESS && errno != EINTR)
        return failed(descriptor);
    return descriptor;
}

int daybook_connect_result(int descriptor) {
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) < 0) return -errno;
    return -code;
}

int daybook_socket_pair(int descriptors[2]) {
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return socketpair(AF_UNIX, type, 0, descriptors) < 0 ? -errno : 0;
}

long daybook_receive(int descriptor, void *buffer, size_t count) {
    for (;;) {
        ssize_t received = recv(descriptor, buffer, count, 0);
        if (received >= 0) return received;
        if (errno != EINTR) return -errno;
    }
}

long daybook_send(int descriptor, const void *buffer, size_t count) {
    for (;;) {
        ssize_t sent = send(descriptor, buffer, count, MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno != EINTR) return -errno;
    }
}

int daybook_shutdown_write(int descriptor) {
    return shutdown(descriptor, SHUT_WR) < 0 ? -errno : 0;
}

int daybook_socket_name(int descriptor, int peer, char *text, size_t capacity) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int code = peer ? getpeername(descriptor, (struct sockaddr *)&address, &length)
                    : getsockname(descriptor, (struct sockaddr *)&address, &length);
    if (code < 0) return -errno;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                    flags) != 0)
        return -EAFNOSUPPORT;
    const char *format = address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s";
    int written = snprintf(text, capacity, format, host, port);
    return written < 0 || (size_t)written >= capacity ? -ENAMETOOLONG : 0;
}
