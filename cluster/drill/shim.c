// Faults of disk and clock inside a process of a drill, preloaded into `daybook`.
//
// Its words are in a page of a file that the drill has mapped too (DAYBOOK_DRILL_CONTROL): they
// change while the process runs. Without the variable everything is as it is without the shim.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// The layout is repeated in faults.py.
struct control {
    _Atomic uint64_t delay_microseconds; // of each write and sync
    _Atomic uint64_t hangs;              // while it is not 0, writes and syncs do not return
    _Atomic uint64_t error;              // errno with which writes and syncs fail; 0: they do not
    _Atomic uint64_t is_full;            // the file system says that nothing is free
    _Atomic int64_t clock_nanoseconds;   // added to the wall clock
    _Atomic uint64_t touched;            // calls that were delayed, hung or failed
};

static struct control none;
static struct control *control = &none;

static const long hang_step_nanoseconds = 2000000;

__attribute__((constructor)) static void map_control(void) {
    const char *path = getenv("DAYBOOK_DRILL_CONTROL");
    if (path == NULL) return;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) abort();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (page == MAP_FAILED) abort();
    control = page;
}

static void sleep_nanoseconds(uint64_t nanoseconds) {
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {
    }
}

/// What the disk does before a call: 0, or the errno with which the call fails.
static int suffer(void) {
    uint64_t delay = atomic_load(&control->delay_microseconds);
    if (delay != 0 || atomic_load(&control->hangs) != 0) atomic_fetch_add(&control->touched, 1);
    if (delay != 0) sleep_nanoseconds(delay * 1000);
    while (atomic_load(&control->hangs) != 0) sleep_nanoseconds(hang_step_nanoseconds);
    int error = (int)atomic_load(&control->error);
    if (error != 0) atomic_fetch_add(&control->touched, 1);
    return error;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define SUFFERING(name, parameters, arguments, type) \
    type name parameters {                           \
        int error = suffer();                        \
        if (error != 0) {                            \
            errno = error;                           \
            return -1;                               \
        }                                            \
        return NEXT(name) arguments;                 \
    }

SUFFERING(pwritev, (int file, const struct iovec *parts, int count, off_t offset),
          (file, parts, count, offset), ssize_t)
SUFFERING(pwrite, (int file, const void *bytes, size_t count, off_t offset),
          (file, bytes, count, offset), ssize_t)
SUFFERING(fsync, (int file), (file), int)
SUFFERING(fdatasync, (int file), (file), int)

int fstatvfs(int file, struct statvfs *status) {
    int result = NEXT(fstatvfs)(file, status);
    if (result == 0 && atomic_load(&control->is_full) != 0) {
        status->f_bfree = 0;
        status->f_bavail = 0;
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static __typeof__(&clock_gettime) next;
    if (next == NULL) next = NEXT(clock_gettime);
    int result = next(clock, time);
    if (result != 0 || clock != CLOCK_REALTIME) return result;
    int64_t nanoseconds = time->tv_nsec + atomic_load(&control->clock_nanoseconds) % 1000000000;
    time->tv_sec += atomic_load(&control->clock_nanoseconds) / 1000000000;
    if (nanoseconds < 0) {
        nanoseconds += 1000000000;
        time->tv_sec -= 1;
    } else if (nanoseconds >= 1000000000) {
        nanoseconds -= 1000000000;
        time->tv_sec += 1;
    }
    time->tv_nsec = nanoseconds;
    return 0;
}
