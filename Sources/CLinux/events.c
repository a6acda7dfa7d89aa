#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static int checked(int result) { return result < 0 ? -errno : result; }

int daybook_epoll_create(void) { return checked(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int descriptor, uint64_t token, uint32_t bits) {
    struct epoll_event event = {.events = 0, .data = {.u64 = token}};
    if (bits & DAYBOOK_READY_READ) event.events |= EPOLLIN | EPOLLRDHUP;
    if (bits & DAYBOOK_READY_WRITE) event.events |= EPOLLOUT;
    return checked(epoll_ctl(epoll, operation, descriptor, &event));
}

int daybook_epoll_add(int epoll, int descriptor, uint64_t token, uint32_t bits) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, token, bits);
}

int daybook_epoll_modify(int epoll, int descriptor, uint64_t token, uint32_t bits) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, token, bits);
}

int daybook_epoll_remove(int epoll, int descriptor) {
    return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0);
}

static int wait_for(int epoll, struct epoll_event *ready, int capacity, int64_t nanoseconds) {
    if (nanoseconds < 0) return epoll_wait(epoll, ready, capacity, -1);
    if (nanoseconds == 0) return epoll_wait(epoll, ready, capacity, 0);
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int count = epoll_pwait2(epoll, ready, capacity, &limit, NULL);
    if (count >= 0 || errno != ENOSYS) return count;
    // A kernel before 5.11 counts in milliseconds: rounded up, so that no deadline comes early.
    int64_t milliseconds = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
    if (milliseconds > 1000000000) milliseconds = 1000000000;
    return epoll_wait(epoll, ready, capacity, (int)milliseconds);
}

int daybook_epoll_wait(
    int epoll, struct daybook_readiness *events, int capacity, int64_t nanoseconds) {
    struct epoll_event ready[DAYBOOK_EPOLL_BATCH];
    if (capacity > DAYBOOK_EPOLL_BATCH) capacity = DAYBOOK_EPOLL_BATCH;
    int count = wait_for(epoll, ready, capacity, nanoseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        uint32_t bits = 0;
        // A failed descriptor is both readable and writable: the next call on it says why.
        if (ready[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            bits |= DAYBOOK_READY_READ;
        if (ready[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) bits |= DAYBOOK_READY_WRITE;
        if (ready[i].events & (EPOLLHUP | EPOLLERR)) bits |= DAYBOOK_READY_HANG_UP;
        events[i].token = ready[i].data.u64;
        events[i].bits = bits;
    }
    return count;
}

int daybook_eventfd_create(int blocking) {
    return checked(eventfd(0, EFD_CLOEXEC | (blocking ? 0 : EFD_NONBLOCK)));
}

int daybook_signal_watch(void) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    int code = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (code != 0) return -code;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, &ignore, NULL) < 0) return -errno;
    return checked(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int daybook_signal_next(int descriptor) {
    struct signalfd_siginfo information;
    for (;;) {
        ssize_t count = read(descriptor, &information, sizeof information);
        if (count == (ssize_t)sizeof information) return (int)information.ssi_signo;
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return 0;
        return count < 0 ? -errno : -EIO;
    }
}
