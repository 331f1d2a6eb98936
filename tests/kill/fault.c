/* Loaded before the C library, this lets calls of a server fail as a broken or full disk would, and sets its clock: what, where,
 * and when stands in a small file that the test changes while the server runs (OTARU_FAULTS names it). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2, READS = 4, RENAMES = 8 };

struct control {
    _Atomic int32_t calls;   /* which kinds fail; 0 for none */
    _Atomic int32_t error;   /* with which errno */
    _Atomic int32_t skip;    /* how many go well before that */
    _Atomic int32_t times;   /* how many fail; below zero: all */
    _Atomic int32_t hits;    /* how many did */
    int32_t unused;
    _Atomic int64_t clock_s; /* how far ahead the clock is */
    char path[96];           /* what the file's path contains */
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("OTARU_FAULTS");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        fprintf(stderr, "OTARU_FAULTS names no file\n");
        _exit(70);
    }
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) _exit(71);
    control = map;
}

/* Whether this call has to fail; then errno is set. */
static int fails_at(const char *path) {
    if (!strstr(path, control->path)) return 0;
    if (atomic_fetch_sub(&control->skip, 1) > 0) return 0;
    if (atomic_load(&control->times) >= 0 && atomic_fetch_sub(&control->times, 1) <= 0) return 0;
    atomic_fetch_add(&control->hits, 1);
    errno = control->error;
    return 1;
}

static int fails(int kind, int fd) {
    if (!control || !(control->calls & kind)) return 0;
    char link[64], path[4096];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length < 0) return 0;
    path[length] = 0;
    return fails_at(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define INSTEAD(kind, result, name, parameters, arguments)      \
    result name parameters {                                    \
        static __typeof__(&name) real;                          \
        if (!real) real = REAL(name);                           \
        return fails(kind, fd) ? -1 : real arguments;           \
    }

INSTEAD(WRITES, ssize_t, write, (int fd, const void *bytes, size_t length), (fd, bytes, length))
INSTEAD(WRITES, ssize_t, pwrite, (int fd, const void *bytes, size_t length, off_t at), (fd, bytes, length, at))
INSTEAD(WRITES, ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t at), (fd, bytes, length, at))
INSTEAD(WRITES, ssize_t, writev, (int fd, const struct iovec *pieces, int count), (fd, pieces, count))
INSTEAD(WRITES, ssize_t, pwritev, (int fd, const struct iovec *pieces, int count, off_t at), (fd, pieces, count, at))
INSTEAD(SYNCS, int, fsync, (int fd), (fd))
INSTEAD(SYNCS, int, fdatasync, (int fd), (fd))
INSTEAD(READS, ssize_t, read, (int fd, void *bytes, size_t length), (fd, bytes, length))
INSTEAD(READS, ssize_t, pread, (int fd, void *bytes, size_t length, off_t at), (fd, bytes, length, at))
INSTEAD(READS, ssize_t, pread64, (int fd, void *bytes, size_t length, off64_t at), (fd, bytes, length, at))

int rename(const char *from, const char *to) {
    static __typeof__(&rename) real;
    if (!real) real = REAL(rename);
    if (control && (control->calls & RENAMES) && fails_at(to)) return -1;
    return real(from, to);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static __typeof__(&clock_gettime) real;
    if (!real) real = REAL(clock_gettime);
    int result = real(clock, time);
    if (result == 0 && control && clock == CLOCK_REALTIME) time->tv_sec += control->clock_s;
    return result;
}
