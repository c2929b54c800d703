/* A wall clock that jumps, for the processes that load this before their C library.
 *
 * KPLAN_TEST_CLOCK names a file of eight bytes: how many seconds the wall clock is off, read at every
 * call. As with a real jump, a wait on a condition until some wall-clock time that has begun is as much
 * longer or shorter as the clock jumps; the monotonic clock goes on. Here is what kplan imports of the
 * C library's that looks at the wall clock. (Its own cnd_timedwait comes before the one below, which is
 * what a kplan without it would meet.)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* How often a wait looks at the clock. */
#define SLICE_NS 20000000L

static volatile const int64_t *off;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("KPLAN_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, sizeof *off, PROT_READ, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) off = mapped;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && off && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *off;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise)) return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now) *now = precise.tv_sec;
    return precise.tv_sec;
}

static int is_before(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The end of the wait's next slice by the real clock; 0 when its time has come. */
static int next(const struct timespec *until, struct timespec *slice) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!is_before(&now, until)) return 0;
    long left = until->tv_sec - now.tv_sec > 1
                    ? SLICE_NS
                    : (until->tv_sec - now.tv_sec) * 1000000000L + until->tv_nsec - now.tv_nsec;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, slice);
    slice->tv_nsec += left < SLICE_NS ? left : SLICE_NS;
    slice->tv_sec += slice->tv_nsec / 1000000000L;
    slice->tv_nsec %= 1000000000L;
    return 1;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    if (!real) real = (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
    struct timespec slice;
    int ended = thrd_timedout;
    while (ended == thrd_timedout && next(until, &slice))
        ended = real(condition, mutex, &slice);
    return ended;
}
