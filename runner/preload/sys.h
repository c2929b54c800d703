/* System calls and the few functions of a C library that this code needs. It brings them itself, because one object
 * must run beside every C library: with glibc and with musl, of any version. Calls return a negative errno. */
#ifndef KPLAN_SYS_H
#define KPLAN_SYS_H

#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <linux/uio.h>
#include <stddef.h>
#include <stdint.h>

#define PATH 4096 /* The longest path of Linux, with its final zero. */

static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
#error "this processor is not known"
#endif
}
#define SYS_(n, a, b, c, d, e, f, ...) \
  sys6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS(...) SYS_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* The compiler may call these two by their names. */
__attribute__((visibility("hidden"))) void *memset(void *to, int byte, size_t n);
__attribute__((visibility("hidden"))) void *memcpy(void *to, const void *from, size_t n);

static inline size_t length(const char *s) {
  size_t n = 0;
  while (s[n]) n++;
  return n;
}

/* Whether two texts have the same first n characters. */
static inline int same(const char *a, const char *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (a[i] != b[i]) return 0;
    if (!a[i]) return 1;
  }
  return 1;
}

/* Writes two texts one behind the other, as a path. False if they are too long for one. */
static inline int join(char out[PATH], const char *a, const char *b) {
  size_t la = length(a), lb = length(b);
  if (la + lb >= PATH) return 0;
  memcpy(out, a, la);
  memcpy(out + la, b, lb + 1);
  return 1;
}

/* Writes a number in decimal digits; returns how many. */
static inline size_t digits(char out[21], uint64_t n) {
  char back[20];
  size_t count = 0;
  do back[count++] = (char)('0' + n % 10);
  while (n /= 10);
  for (size_t i = 0; i < count; i++) out[i] = back[count - 1 - i];
  out[count] = 0;
  return count;
}

static inline long open_at(const char *path, int flags, int mode) {
  return SYS(__NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

static inline void shut(long fd) { (void)SYS(__NR_close, fd); }

/* What a path itself is, also where it is a link. */
static inline int look(const char *path, struct stat *st) {
  return !SYS(__NR_newfstatat, AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static inline int look_at(long fd, struct stat *st) {
  return !SYS(__NR_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

#endif
