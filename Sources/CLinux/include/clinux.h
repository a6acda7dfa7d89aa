#ifndef DAYBOOK_CLINUX_H
#define DAYBOOK_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// Linux calls that the Swift module of the C library hides (they need _GNU_SOURCE), macros, and
// calls whose C types do not import well. Every function that can fail returns the negated errno.

/// One descriptor that became ready: the token it was registered with, and `DAYBOOK_READY_*` bits.
struct daybook_readiness {
    uint64_t token;
    uint32_t bits;
};

enum {
    DAYBOOK_READY_READ = 1,
    DAYBOOK_READY_WRITE = 2,
    DAYBOOK_READY_HANG_UP = 4,
    /// Most events of one daybook_epoll_wait.
    DAYBOOK_EPOLL_BATCH = 512,
    /// Room for any socket address.
    DAYBOOK_ADDRESS_BYTES = 128,
};

// Errors.
const char *daybook_error_text(int code);
const char *daybook_error_name(int code);
const char *daybook_resolver_text(int code);

// epoll and eventfd.
int daybook_epoll_create(void);
int daybook_epoll_add(int epoll, int descriptor, uint64_t token, uint32_t bits);
int daybook_epoll_modify(int epoll, int descriptor, uint64_t token, uint32_t bits);
int daybook_epoll_remove(int epoll, int descriptor);
/// Waits at most `nanoseconds` (negative: without end); returns how many of `events` were written.
/// An interrupting signal counts as nothing ready.
int daybook_epoll_wait(
    int epoll, struct daybook_readiness *events, int capacity, int64_t nanoseconds);
int daybook_eventfd_create(int blocking);

// Sockets. Addresses are the bytes of a sockaddr. All sockets are non-blocking and close-on-exec.
/// Returns 0, or a code for daybook_resolver_text. Writes the address and its length.
int daybook_resolve(
    const char *host, const char *port, int passive, uint8_t *address, uint32_t *length);
int daybook_listen(const uint8_t *address, uint32_t length, int backlog);
int daybook_accept(int listener);
/// Begins to connect; the socket becomes writable when it is decided.
int daybook_connect(const uint8_t *address, uint32_t length);
/// 0 when connected, else the negated error of the attempt.
int daybook_connect_result(int descriptor);
int daybook_socket_pair(int descriptors[2]);
long daybook_receive(int descriptor, void *buffer, size_t count);
long daybook_send(int descriptor, const void *buffer, size_t count);
int daybook_shutdown_write(int descriptor);
/// Ends the connection once sent bytes are unacknowledged for so long (TCP_USER_TIMEOUT).
int daybook_limit_silence(int descriptor, unsigned milliseconds);
/// Writes "host:port" (numeric, IPv6 in brackets) of this end or of the peer.
int daybook_socket_name(int descriptor, int peer, char *text, size_t capacity);

// Files.
/// Writes all parts at `offset`, going on after short writes; returns 0. Changes `parts`.
int daybook_write_at(int descriptor, struct iovec *parts, int count, int64_t offset);
/// A directory stream over its own open of the descriptor; NULL and errno on failure.
void *daybook_directory_open(int directory);
/// Writes the next name; 1 when there was one, 0 at the end.
int daybook_directory_next(void *stream, char *name, size_t capacity, int *is_regular);
void daybook_directory_close(void *stream);
/// Device, inode, size and permission bits of a name; symbolic links are followed.
struct daybook_file_status {
    uint64_t device;
    uint64_t inode;
    int64_t byte_count;
    uint32_t mode;
    uint32_t is_regular;
};
int daybook_file_status_at(int directory, const char *name, struct daybook_file_status *status);
int daybook_file_status_of(int descriptor, struct daybook_file_status *status);
/// Bytes that this user may still write to the file system.
int64_t daybook_free_bytes(int descriptor);
/// Bytes of the file system.
int64_t daybook_total_bytes(int descriptor);

// The process.
/// Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it starts later, ignores SIGPIPE,
/// and returns a non-blocking descriptor that delivers the blocked ones.
int daybook_signal_watch(void);
/// The next signal, 0 when none waits.
int daybook_signal_next(int descriptor);
/// Raises the soft limit of open files to the hard one and returns it.
int64_t daybook_raise_file_limit(void);
int daybook_processor_count(void);
int daybook_terminal_columns(int descriptor);
void daybook_name_thread(const char *name);
/// Lets the calling thread give way to others: nice 10, for good.
void daybook_lower_thread(void);
/// Nanoseconds of clock `which`: 0 monotonic, 1 wall, 2 this process's processor time.
uint64_t daybook_clock(int which);
/// The environment's string number `position`, NULL past the end.
const char *daybook_environment(size_t position);

// Tell ThreadSanitizer that a lock at `place` was taken or is about to be let go of. They do
// nothing in any other build.
void daybook_sanitizer_acquire(void *place);
void daybook_sanitizer_release(void *place);

#endif
