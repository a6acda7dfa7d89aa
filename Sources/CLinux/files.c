#define _GNU_SOURCE
#include "clinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int daybook_write_at(int descriptor, struct iovec *parts, int count, int64_t offset) {
    while (count > 0) {
        ssize_t written = pwritev(descriptor, parts, count, offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        size_t left = (size_t)written;
        size_t asked = 0;
        for (int i = 0; i < count; i++) asked += parts[i].iov_len;
        // Nothing taken of something offered would repeat for ever.
        if (left == 0 && asked > 0) return -EIO;
        offset += written;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return 0;
}

void *daybook_directory_open(int directory) {
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return NULL;
    DIR *stream = fdopendir(copy);
    if (stream == NULL) {
        int code = errno;
        close(copy);
        errno = code;
    }
    return stream;
}

int daybook_directory_next(void *stream, char *name, size_t capacity, int *is_regular) {
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL) return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        size_t length = strlen(entry->d_name);
        if (length >= capacity) return -ENAMETOOLONG;
        memcpy(name, entry->d_name, length + 1);
        *is_regular = entry->d_type == DT_REG;
        if (entry->d_type == DT_UNKNOWN) {
            struct daybook_file_status status;
            int code = daybook_file_status_at(dirfd(stream), name, &status);
            if (code == -ENOENT) continue;
            if (code < 0) return code;
            *is_regular = (int)status.is_regular;
        }
        return 1;
    }
}

void daybook_directory_close(void *stream) { closedir(stream); }

static int convert(int result, const struct stat *from, struct daybook_file_status *status) {
    if (result < 0) return -errno;
    status->device = from->st_dev;
    status->inode = from->st_ino;
    status->byte_count = from->st_size;
    status->mode = from->st_mode & 07777;
    status->is_regular = S_ISREG(from->st_mode);
    return 0;
}

int daybook_file_status_at(int directory, const char *name, struct daybook_file_status *status) {
    struct stat found;
    int at = directory < 0 ? AT_FDCWD : directory;
    return convert(fstatat(at, name, &found, 0), &found, status);
}

int daybook_file_status_of(int descriptor, struct daybook_file_status *status) {
    struct stat found;
    return convert(fstat(descriptor, &found), &found, status);
}

int64_t daybook_total_bytes(int descriptor) {
    struct statvfs status;
    if (fstatvfs(descriptor, &status) < 0) return -errno;
    return (int64_t)status.f_blocks * (int64_t)status.f_frsize;
}

int64_t daybook_free_bytes(int descriptor) {
    struct statvfs status;
    if (fstatvfs(descriptor, &status) < 0) return -errno;
    return (int64_t)status.f_bavail * (int64_t)status.f_frsize;
}
