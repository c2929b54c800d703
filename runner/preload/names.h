/* Changes of names that no sync has made durable yet: created, renamed and removed files and directories, and files that
 * became shorter. File systems with a journal, as ext4 and XFS, make all earlier changes durable with the next sync of
 * any file, in their order. The changes are kept in a file, because a process that is killed does not lose them: they
 * are in the kernel's memory.
 *
 * The file: 8 bytes, where the first change that is not carried out begins (a commit may be killed); then the changes. */
#ifndef KPLAN_NAMES_H
#define KPLAN_NAMES_H

#include "sys.h"

enum names_kind { NAMES_CREATE, NAMES_MKDIR, NAMES_RENAME, NAMES_UNLINK, NAMES_RMDIR, NAMES_LINK, NAMES_TRUNCATE };

struct names_change {
  uint16_t kind;
  uint16_t first, second; /* lengths of the paths behind it, with their final zeros; 0: none */
  uint16_t unused;
  int64_t number; /* permissions, or a size */
};

#define NAMES_BEGIN 8

/* Adds a change. The paths are below the data directory and begin with a slash. */
static inline long names_add(long fd, enum names_kind kind, const char *a, const char *b, int64_t number) {
  static char record[sizeof(struct names_change) + 2 * PATH + NAMES_BEGIN];
  struct stat st;
  if (!look_at(fd, &st)) return -EIO;
  size_t at = 0;
  if (st.st_size == 0) {
    uint64_t begin = NAMES_BEGIN;
    memcpy(record, &begin, NAMES_BEGIN);
    at = NAMES_BEGIN;
  }
  struct names_change change = {.kind = (uint16_t)kind, .number = number};
  change.first = (uint16_t)(length(a) + 1);
  change.second = b ? (uint16_t)(length(b) + 1) : 0;
  memcpy(record + at, &change, sizeof change);
  memcpy(record + at + sizeof change, a, change.first);
  if (b) memcpy(record + at + sizeof change + change.first, b, change.second);
  size_t whole = at + sizeof change + change.first + change.second;
  long n = SYS(__NR_pwrite64, fd, record, whole, st.st_size);
  return n == (long)whole ? 0 : n < 0 ? n : -EIO;
}

/* Carries one change out in a directory. What was done already, or concerns what is not there, is no error: a commit that
 * was killed does its last change again. */
static long names_do(const struct names_change *change, const char *dir, const char *a, const char *b) {
  char from[PATH], to[PATH];
  if (!join(from, dir, a) || (b && !join(to, dir, b))) return -ENAMETOOLONG;
  long done = 0;
  switch (change->kind) {
  case NAMES_CREATE:
    done = open_at(from, O_CREAT | O_WRONLY, (int)change->number);
    if (done >= 0) shut(done);
    break;
  case NAMES_MKDIR: done = SYS(__NR_mkdirat, AT_FDCWD, from, change->number); break;
  case NAMES_RENAME: done = SYS(__NR_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); break;
  case NAMES_UNLINK: done = SYS(__NR_unlinkat, AT_FDCWD, from, 0); break;
  case NAMES_RMDIR: done = SYS(__NR_unlinkat, AT_FDCWD, from, AT_REMOVEDIR); break;
  case NAMES_LINK: done = SYS(__NR_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); break;
  case NAMES_TRUNCATE: {
    struct stat st;
    if (look(from, &st) && st.st_size > change->number) done = SYS(__NR_truncate, from, change->number);
    break;
  }
  }
  return done == -ENOENT || done == -EEXIST || done >= 0 ? 0 : done;
}

/* Carries the first `most` changes out in a directory; after the last of all the file is empty. Returns how many there
 * were, or a negative errno. */
static long names_commit(long fd, const char *dir, long most) {
  static char record[sizeof(struct names_change) + 2 * PATH];
  uint64_t at = 0;
  if (SYS(__NR_pread64, fd, &at, NAMES_BEGIN, 0) != NAMES_BEGIN) return 0;
  long count = 0;
  for (; count < most; count++) {
    struct names_change change;
    long n = SYS(__NR_pread64, fd, record, sizeof record, at);
    if (n < (long)sizeof change) break;
    memcpy(&change, record, sizeof change);
    char *a = record + sizeof change, *b = a + change.first;
    if (n < (long)(sizeof change + change.first + change.second)) break;
    long done = names_do(&change, dir, a, change.second ? b : NULL);
    if (done < 0) return done;
    at += sizeof change + change.first + change.second;
    (void)SYS(__NR_pwrite64, fd, &at, NAMES_BEGIN, 0);
  }
  struct stat st;
  if (look_at(fd, &st) && at >= (uint64_t)st.st_size) (void)SYS(__NR_ftruncate, fd, 0);
  return count;
}

#endif
