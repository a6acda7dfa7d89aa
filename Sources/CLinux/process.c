#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const char *daybook_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text == NULL ? "unknown error" : text;
}

const char *daybook_error_name(int code) {
    const char *name = strerrorname_np(code);
    return name == NULL ? "E?" : name;
}

int64_t daybook_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    }
    return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

int daybook_processor_count(void) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}

int daybook_terminal_columns(int descriptor) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return -errno;
    return size.ws_col;
}

void daybook_name_thread(const char *name) {
    char text[16];
    strncpy(text, name, sizeof text - 1);
    text[sizeof text - 1] = 0;
    pthread_setname_np(pthread_self(), text);
}

void daybook_lower_thread(void) {
    // Linux has a nice value for each thread, and takes a thread's number for a process's.
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
}

uint64_t daybook_clock(int which) {
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_PROCESS_CPUTIME_ID};
    struct timespec now = {0, 0};
    clock_gettime(clocks[which], &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *daybook_environment(size_t position) {
    // Walked from the start each time: the variables of one start are read once.
    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++) {
        if (i == position) return environ[i];
    }
    return NULL;
}
