/* Copies of files that keep their holes: Kafka's index files are 10 MiB long and nearly empty. */
#ifndef KPLAN_SPARSE_H
#define KPLAN_SPARSE_H

#include "sys.h"

static char sparse_buffer[1 << 18];

/* Makes a range of a file read as zeros: holes, where the file system has them. */
static long sparse_clear(long fd, int64_t from, int64_t to) {
  while (from < to) {
    int64_t data = SYS(__NR_lseek, fd, from, SEEK_DATA);
    if (data == -ENXIO || data >= to) return 0; /* a hole up to there already */
    if (data < 0) return data;
    int64_t hole = SYS(__NR_lseek, fd, data, SEEK_HOLE);
    if (hole < 0 || hole > to) hole = to;
    int flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    long done = SYS(__NR_fallocate, fd, flags, data, hole - data);
    if (done < 0) return done;
    from = hole;
  }
  return 0;
}

static long sparse_copy_data(long from, long to, int64_t at, int64_t end) {
  while (at < end) {
    size_t most = end - at < (int64_t)sizeof sparse_buffer ? (size_t)(end - at) : sizeof sparse_buffer;
    long n = SYS(__NR_pread64, from, sparse_buffer, most, at);
    if (n <= 0) return n; /* 0: the file became shorter meanwhile */
    for (long out = 0; out < n;) {
      long written = SYS(__NR_pwrite64, to, sparse_buffer + out, n - out, at + out);
      if (written <= 0) return written < 0 ? written : -EIO;
      out += written;
    }
    at += n;
  }
  return 0;
}

/* Makes the range of one file the same in another; never by making the other shorter first, because it may be killed at
 * any moment. Returns 0 or a negative errno. The caller holds what guards the buffer. */
static long sparse_copy(long from, long to, int64_t at, int64_t end) {
  while (at < end) {
    int64_t data = SYS(__NR_lseek, from, at, SEEK_DATA);
    if (data == -ENXIO || data > end) data = end;
    if (data < 0) return data;
    long done = sparse_clear(to, at, data);
    if (done < 0) return done;
    if (data == end) return 0;
    int64_t hole = SYS(__NR_lseek, from, data, SEEK_HOLE);
    if (hole < 0 || hole > end) hole = end;
    done = sparse_copy_data(from, to, data, hole);
    if (done < 0) return done;
    at = hole;
  }
  return 0;
}

#endif
