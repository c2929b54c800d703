/* Shifts the wall clock of a process while it runs, and nothing else: timers and waits go by the monotonic clock, which
 * stays true.
 *
 *   KPLAN_CLOCK  a file of 64 bytes, which is mapped (struct clock): whoever shifts the clock writes the slot that is not
 *                in use, then its number. The process counts in it how often it answered with a shifted time. */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "power.h"

#define EXPORT __attribute__((visibility("default")))
#define SECOND 1000000000LL
#define CLOCK_TAI 11

struct clock_slot {
  int64_t by;    /* nanoseconds */
  int64_t drift; /* nanoseconds more in each second */
  int64_t since; /* of CLOCK_BOOTTIME, nanoseconds: when the drift begins */
};
struct clock {
  uint64_t slot; /* 0: the true time; else the slot in use */
  uint64_t answers;
  struct clock_slot slots[2];
};
struct timespec64 { int64_t tv_sec, tv_nsec; };
struct timeval64 { int64_t tv_sec, tv_usec; };

static volatile struct clock *shared;
/* The kernel's function that needs no system call; NULL if it is not found. */
static long (*fast_get)(int, struct timespec64 *);

/* Finds a function of the object that the kernel maps into each process. */
static void *find(const char *image, const char *name) {
  const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
  const Elf64_Phdr *parts = (const Elf64_Phdr *)(image + head->e_phoff);
  const Elf64_Dyn *dynamic = NULL;
  const char *base = NULL;
  for (int i = 0; i < head->e_phnum; i++) {
    if (parts[i].p_type == PT_LOAD && !base) base = image - parts[i].p_vaddr + parts[i].p_offset;
    if (parts[i].p_type == PT_DYNAMIC) dynamic = (const Elf64_Dyn *)(image + parts[i].p_offset);
  }
  const Elf64_Sym *symbols = NULL;
  const char *names = NULL;
  const uint32_t *hash = NULL;
  for (; base && dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
    const char *at = base + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym *)at;
    if (dynamic->d_tag == DT_STRTAB) names = at;
    if (dynamic->d_tag == DT_HASH) hash = (const uint32_t *)at;
  }
  for (uint32_t i = 0; symbols && names && hash && i < hash[1]; i++)
    if (symbols[i].st_value && same(names + symbols[i].st_name, name, 64)) return (void *)(base + symbols[i].st_value);
  return NULL;
}

static void find_fast_get(void) {
  uint64_t pairs[64];
  long fd = open_at("/proc/self/auxv", O_RDONLY, 0);
  if (fd < 0) return;
  long size = SYS(__NR_read, fd, pairs, sizeof pairs);
  shut(fd);
  for (long i = 0; i + 1 < size / 8; i += 2)
    if (pairs[i] == AT_SYSINFO_EHDR) {
#if defined(__x86_64__)
      fast_get = (long (*)(int, struct timespec64 *))find((const char *)pairs[i + 1], "__vdso_clock_gettime");
#else
      fast_get = (long (*)(int, struct timespec64 *))find((const char *)pairs[i + 1], "__kernel_clock_gettime");
#endif
    }
}

void clock_begin(const char *path) {
  find_fast_get();
  long fd = open_at(path, O_RDWR, 0);
  if (fd < 0) return;
  long at = SYS(__NR_mmap, 0, sizeof(struct clock), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  shut(fd);
  if (at > 0 || at < -4095) shared = (volatile struct clock *)at;
}

static long get(int id, struct timespec64 *time) {
  return fast_get ? fast_get(id, time) : SYS(__NR_clock_gettime, id, time);
}

/* How far the wall clock is shifted now, in nanoseconds. */
static int64_t shift(void) {
  uint64_t slot = shared ? shared->slot : 0;
  if (slot != 1 && slot != 2) return 0;
  volatile struct clock_slot *in_use = &shared->slots[slot - 1];
  int64_t by = in_use->by, drift = in_use->drift;
  if (drift) {
    struct timespec64 now;
    get(CLOCK_BOOTTIME, &now);
    int64_t passed = now.tv_sec * SECOND + now.tv_nsec - in_use->since;
    by += passed / SECOND * drift + passed % SECOND * drift / SECOND;
  }
  shared->answers++;
  return by;
}

static void add(struct timespec64 *time, int64_t by) {
  int64_t part = time->tv_nsec + by % SECOND;
  time->tv_sec += by / SECOND + (part >= SECOND) - (part < 0);
  time->tv_nsec = part + (part < 0 ? SECOND : 0) - (part >= SECOND ? SECOND : 0);
}

EXPORT int clock_gettime(int id, struct timespec64 *time) {
  long done = get(id, time);
  if (done) return (int)result(done);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI) add(time, shift());
  return 0;
}
EXPORT int gettimeofday(struct timeval64 *out, void *zone) {
  struct timespec64 now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}
EXPORT int64_t time(int64_t *out) {
  struct timespec64 now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

/* Waits until a time of the wall clock are told a shifted time. A time of the monotonic clock is far less. */
extern void *dlsym(void *, const char *) __attribute__((weak));
extern void *dlvsym(void *, const char *, const char *) __attribute__((weak));
#define NEXT ((void *)-1L)
#define YEAR_2001 1000000000LL
typedef int (*wait_until)(void *, void *, const struct timespec64 *);

static wait_until find_wait(void) {
  const char *name = "pthread_cond_timedwait";
#if defined(__x86_64__)
  /* glibc has an older one too, which takes another condition. */
  void *found = dlvsym ? dlvsym(NEXT, name, "GLIBC_2.3.2") : NULL;
  if (found) return (wait_until)found;
#endif
  return dlsym ? (wait_until)dlsym(NEXT, name) : NULL;
}

EXPORT int pthread_cond_timedwait(void *condition, void *mutex, const struct timespec64 *until) {
  static wait_until next;
  if (!next) next = find_wait();
  if (!next) return ENOSYS;
  struct timespec64 time = *until;
  if (time.tv_sec > YEAR_2001) add(&time, -shift());
  return next(condition, mutex, &time);
}
