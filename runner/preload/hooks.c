/* The functions of the C library that a program's calls reach here instead: those with which Java 8 to 25 and the shells of
 * Kafka's images open, change, sync, map and name files. Each makes the system call itself. */
#include <stdarg.h>

#include "power.h"

#define EXPORT __attribute__((visibility("default")))

/* Where both C libraries keep the error of the current thread. */
extern int *__errno_location(void);

long result(long done) {
  if (done >= 0 || done < -4095) return done;
  *__errno_location() = (int)-done;
  return -1;
}

static int opened(int dir, const char *path, int flags, int mode) {
  char room[PATH];
  long met = flags & O_CREAT ? disk_makes(dir, path) : 0;
  if (met) return (int)result(met);
  const char *below = power_below(dir, path, room);
  return (int)result(below ? power_open(dir, path, below, flags, mode) : SYS(__NR_openat, dir, path, flags, mode));
}

#define MODE                                                \
  int mode = 0;                                             \
  if (flags & (O_CREAT | __O_TMPFILE)) {                    \
    va_list rest;                                           \
    va_start(rest, flags);                                  \
    mode = va_arg(rest, int);                               \
    va_end(rest);                                           \
  }

EXPORT int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
EXPORT int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
EXPORT int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
EXPORT int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
EXPORT int openat(int dir, const char *path, int flags, ...) { MODE return opened(dir, path, flags, mode); }
EXPORT int openat64(int dir, const char *path, int flags, ...) { MODE return opened(dir, path, flags | O_LARGEFILE, mode); }
EXPORT int creat(const char *path, unsigned mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, (int)mode); }
EXPORT int creat64(const char *path, unsigned mode) { return creat(path, mode); }

/* Forgotten first: another thread may get the number at once. */
EXPORT int close(int fd) {
  power_closed(fd);
  return (int)result(SYS(__NR_close, fd));
}
EXPORT int dup(int from) {
  long to = SYS(__NR_dup, from);
  if (to >= 0) power_copied(from, (int)to);
  return (int)result(to);
}
EXPORT int dup3(int from, int to, int flags) {
  long done = SYS(__NR_dup3, from, to, flags);
  if (done >= 0) power_copied(from, to);
  return (int)result(done);
}
/* dup3 refuses two equal numbers, dup2 returns them if they are open. */
EXPORT int dup2(int from, int to) {
  struct stat st;
  if (from == to) return look_at(from, &st) ? to : (int)result(-EBADF);
  return dup3(from, to, 0);
}

/* The call, unless a fault of the disk makes it fail. */
#define DISK(kind, fd, call) (disk_meets(fd, kind) ?: (call))

EXPORT long read(int fd, void *bytes, size_t n) { return result(DISK(DISK_READ, fd, SYS(__NR_read, fd, bytes, n))); }
EXPORT long readv(int fd, const struct iovec *parts, int count) {
  return result(DISK(DISK_READ, fd, SYS(__NR_readv, fd, parts, count)));
}
EXPORT long pread64(int fd, void *bytes, size_t n, int64_t offset) {
  return result(DISK(DISK_READ, fd, SYS(__NR_pread64, fd, bytes, n, offset)));
}
EXPORT long pread(int fd, void *bytes, size_t n, int64_t offset) { return pread64(fd, bytes, n, offset); }
EXPORT long preadv64(int fd, const struct iovec *parts, int count, int64_t offset) {
  return result(DISK(DISK_READ, fd, SYS(__NR_preadv, fd, parts, count, offset, 0)));
}
EXPORT long preadv(int fd, const struct iovec *parts, int count, int64_t offset) {
  return preadv64(fd, parts, count, offset);
}

EXPORT long write(int fd, const void *bytes, size_t n) {
  long done = DISK(DISK_WRITE, fd, SYS(__NR_write, fd, bytes, n));
  power_written(fd, done);
  return result(done);
}
EXPORT long writev(int fd, const struct iovec *parts, int count) {
  long done = DISK(DISK_WRITE, fd, SYS(__NR_writev, fd, parts, count));
  power_written(fd, done);
  return result(done);
}
EXPORT long pwrite64(int fd, const void *bytes, size_t n, int64_t offset) {
  long done = DISK(DISK_WRITE, fd, SYS(__NR_pwrite64, fd, bytes, n, offset));
  power_written_at(fd, done, offset);
  return result(done);
}
EXPORT long pwrite(int fd, const void *bytes, size_t n, int64_t offset) { return pwrite64(fd, bytes, n, offset); }
EXPORT long pwritev64(int fd, const struct iovec *parts, int count, int64_t offset) {
  long done = DISK(DISK_WRITE, fd, SYS(__NR_pwritev, fd, parts, count, offset, 0));
  power_written_at(fd, done, offset);
  return result(done);
}
EXPORT long pwritev(int fd, const struct iovec *parts, int count, int64_t offset) {
  return pwritev64(fd, parts, count, offset);
}
EXPORT long sendfile64(int to, int from, int64_t *offset, size_t n) {
  long done = disk_meets_both(from, to) ?: SYS(__NR_sendfile, to, from, offset, n);
  power_written(to, done);
  return result(done);
}
EXPORT long sendfile(int to, int from, int64_t *offset, size_t n) { return sendfile64(to, from, offset, n); }
EXPORT long copy_file_range(int from, int64_t *from_at, int to, int64_t *to_at, size_t n, unsigned flags) {
  long done = disk_meets_both(from, to) ?: SYS(__NR_copy_file_range, from, from_at, to, to_at, n, flags);
  if (to_at) power_written_at(to, done, *to_at - (done > 0 ? done : 0));
  else power_written(to, done);
  return result(done);
}

EXPORT int ftruncate64(int fd, int64_t size) {
  long done = DISK(DISK_WRITE, fd, SYS(__NR_ftruncate, fd, size));
  if (done >= 0) power_resized(fd, size);
  return (int)result(done);
}
EXPORT int ftruncate(int fd, int64_t size) { return ftruncate64(fd, size); }
EXPORT int fallocate64(int fd, int mode, int64_t offset, int64_t n) {
  long done = DISK(DISK_WRITE, fd, SYS(__NR_fallocate, fd, mode, offset, n));
  if (done >= 0) power_changed_from(fd, offset);
  return (int)result(done);
}
EXPORT int fallocate(int fd, int mode, int64_t offset, int64_t n) { return fallocate64(fd, mode, offset, n); }

static int synced(int fd, long call) {
  long met = disk_meets(fd, DISK_SYNC);
  if (met) return (int)result(met);
  return power_synced(fd) ? 0 : (int)result(SYS(call, fd));
}
EXPORT int fsync(int fd) { return synced(fd, __NR_fsync); }
EXPORT int fdatasync(int fd) { return synced(fd, __NR_fdatasync); }

EXPORT void *mmap64(void *at, size_t size, int protection, int flags, int fd, int64_t offset) {
  long done = SYS(__NR_mmap, at, size, protection, flags, fd, offset);
  int shared = (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_SHARED_VALIDATE;
  int stores = shared && !(flags & MAP_ANONYMOUS) && (protection & PROT_WRITE);
  if (stores && (done >= 0 || done < -4095)) power_mapped((void *)done, size, fd, offset);
  return (void *)result(done);
}
EXPORT void *mmap(void *at, size_t size, int protection, int flags, int fd, int64_t offset) {
  return mmap64(at, size, protection, flags, fd, offset);
}
EXPORT int munmap(void *at, size_t size) {
  power_unmapped(at, size);
  return (int)result(SYS(__NR_munmap, at, size));
}
EXPORT int msync(void *at, size_t size, int flags) {
  if ((flags & MS_SYNC) && power_map_synced(at, size)) return 0;
  return (int)result(SYS(__NR_msync, at, size, flags));
}

EXPORT int renameat2(int da, const char *a, int db, const char *b, unsigned flags) {
  char room_a[PATH], room_b[PATH];
  const char *below_a = power_below(da, a, room_a), *below_b = power_below(db, b, room_b);
  if (below_a && below_b) return (int)result(power_rename(da, a, below_a, db, b, below_b, flags));
  return (int)result(SYS(__NR_renameat2, da, a, db, b, flags));
}
EXPORT int renameat(int da, const char *a, int db, const char *b) { return renameat2(da, a, db, b, 0); }
EXPORT int rename(const char *a, const char *b) { return renameat(AT_FDCWD, a, AT_FDCWD, b); }

static int removed(int dir, const char *path, enum power_way way) {
  char room[PATH];
  const char *below = power_below(dir, path, room);
  if (below) return (int)result(power_remove(dir, path, below, way));
  if (way != WAY_EITHER) return (int)result(SYS(__NR_unlinkat, dir, path, way == WAY_DIRECTORY ? AT_REMOVEDIR : 0));
  long done = SYS(__NR_unlinkat, dir, path, 0);
  return (int)result(done == -EISDIR ? SYS(__NR_unlinkat, dir, path, AT_REMOVEDIR) : done);
}
EXPORT int unlink(const char *path) { return removed(AT_FDCWD, path, WAY_FILE); }
EXPORT int rmdir(const char *path) { return removed(AT_FDCWD, path, WAY_DIRECTORY); }
EXPORT int remove(const char *path) { return removed(AT_FDCWD, path, WAY_EITHER); }
EXPORT int unlinkat(int dir, const char *path, int flags) {
  return removed(dir, path, flags & AT_REMOVEDIR ? WAY_DIRECTORY : WAY_FILE);
}

EXPORT int mkdirat(int dir, const char *path, unsigned mode) {
  char room[PATH];
  long met = disk_makes(dir, path);
  if (met) return (int)result(met);
  const char *below = power_below(dir, path, room);
  return (int)result(below ? power_mkdir(dir, path, below, (int)mode) : SYS(__NR_mkdirat, dir, path, mode));
}
EXPORT int mkdir(const char *path, unsigned mode) { return mkdirat(AT_FDCWD, path, mode); }

EXPORT int link(const char *a, const char *b) {
  char room_a[PATH], room_b[PATH];
  const char *below_a = power_below(AT_FDCWD, a, room_a), *below_b = power_below(AT_FDCWD, b, room_b);
  if (below_a && below_b) return (int)result(power_link(a, below_a, b, below_b));
  return (int)result(SYS(__NR_linkat, AT_FDCWD, a, AT_FDCWD, b, 0));
}
