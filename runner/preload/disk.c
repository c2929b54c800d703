/* Makes calls on the files below a data directory fail or take longer, while a mapped file says so.
 *
 *   KPLAN_DISK_DATA  the data directory: absolute, no slash at its end
 *   KPLAN_DISK       a file of 128 bytes, which is mapped (struct disk). Whoever sets a rule writes one of its words; the
 *                    process counts in it the calls that the rules have met.
 *
 * Only while there is a rule does a call find out where its file is: without one it costs a look at a word of memory.
 * What a program reads and writes through mapped memory is no call, and no rule meets it. */
#include <linux/time.h>

#include "power.h"

#define SLICE 20000000 /* nanoseconds after which a call that waits looks at its rule again */
#define MILLION 1000000

struct disk {
  uint64_t fails;     /* 0: no call; else the errno, from bit 16 the kind and 1, from bit 32 how many of a million */
  uint64_t slow[3];   /* by kind, nanoseconds */
  uint64_t failed[3]; /* by kind: the calls that failed, */
  uint64_t slowed[3]; /* and those that were delayed */
  uint64_t drawn;     /* how often it was drawn which call fails */
};
struct wait { int64_t seconds, nanoseconds; };

static volatile struct disk *rules;
/* The directory as the program names it, and as the kernel does. */
static char named[PATH], real[PATH];

/* What the kernel names a descriptor; returns the length, and the text has no zero at its end. */
static long name_of(long fd, char out[PATH]) {
  char link[40] = "/proc/self/fd/";
  digits(link + length(link), (uint64_t)fd);
  return SYS(__NR_readlinkat, AT_FDCWD, link, out, PATH);
}

void disk_begin(const char *path, const char *data) {
  if (!join(named, data, "")) return;
  long dir = open_at(data, O_PATH | O_DIRECTORY, 0);
  long n = dir < 0 ? dir : name_of(dir, real);
  if (n <= 0 || n >= PATH) join(real, data, "");
  shut(dir);
  long fd = open_at(path, O_RDWR, 0);
  if (fd < 0) return;
  long at = SYS(__NR_mmap, 0, sizeof(struct disk), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  shut(fd);
  if (at > 0 || at < -4095) rules = (volatile struct disk *)at;
}

/* Whether a rule meets calls of a kind. */
static inline int concerns(enum disk_call kind) {
  return rules && (rules->slow[kind] || (rules->fails >> 16 & 0xffff) == kind + 1);
}

static int is_below(const char *path, long n, const char *dir) {
  long whole = (long)length(dir);
  return n >= whole && same(path, dir, whole) && (n == whole || path[whole] == '/');
}

/* Most descriptors of a broker are sockets: to know that costs less than their names. */
static int has(int fd) {
  char path[PATH];
  struct stat st;
  if (fd < 0 || !look_at(fd, &st)) return 0;
  unsigned kind = st.st_mode & S_IFMT;
  return (kind == S_IFREG || kind == S_IFDIR) && is_below(path, name_of(fd, path), real);
}

static int64_t now(void) {
  struct wait time;
  (void)SYS(__NR_clock_gettime, CLOCK_MONOTONIC, &time);
  return time.seconds * 1000000000 + time.nanoseconds;
}

/* Waits as long as the rule says now: not longer than until it is gone. */
static void take_long(enum disk_call kind) {
  if (!rules->slow[kind]) return;
  __atomic_fetch_add(&rules->slowed[kind], 1, __ATOMIC_RELAXED);
  int64_t begun = now(), left;
  while ((left = (int64_t)rules->slow[kind] - (now() - begun)) > 0) {
    struct wait slice = {.nanoseconds = left < SLICE ? left : SLICE};
    (void)SYS(__NR_nanosleep, &slice, NULL);
  }
}

/* Whether this call is one of so many of a million, by SplitMix64. */
static int chosen(uint64_t share) {
  uint64_t n = __atomic_add_fetch(&rules->drawn, 1, __ATOMIC_RELAXED) * 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return (n ^ (n >> 31)) % MILLION < share;
}

static long meet(enum disk_call kind) {
  take_long(kind);
  uint64_t fails = rules->fails;
  long error = (long)(fails & 0xffff);
  if (!error || (fails >> 16 & 0xffff) != kind + 1 || !chosen(fails >> 32)) return 0;
  __atomic_fetch_add(&rules->failed[kind], 1, __ATOMIC_RELAXED);
  return -error;
}

long disk_meets(int fd, enum disk_call kind) { return concerns(kind) && has(fd) ? meet(kind) : 0; }

long disk_meets_both(int from, int to) {
  long met = disk_meets(from, DISK_READ);
  return met ? met : disk_meets(to, DISK_WRITE);
}

long disk_makes(int dir, const char *path) {
  struct stat st;
  if (!concerns(DISK_WRITE) || !path) return 0;
  long n = (long)length(path);
  int below = path[0] == '/' ? is_below(path, n, named) || is_below(path, n, real) : dir != AT_FDCWD && has(dir);
  if (!below || !SYS(__NR_newfstatat, dir, path, &st, AT_SYMLINK_NOFOLLOW)) return 0;
  return meet(DISK_WRITE);
}
