/* Memory of this object's own, and its lock: a C library's allocator may itself call functions that this object
 * replaces. Blocks are never returned to the kernel: a block that is read after it was given back is still a block. */
#ifndef KPLAN_MEMORY_H
#define KPLAN_MEMORY_H

#include <linux/futex.h>

#include "sys.h"

/* A lock of three states (Drepper, "Futexes are tricky"): free, held, held with others waiting. */
static uint32_t lock_state;

static inline void lock(void) {
  uint32_t was = 0;
  if (__atomic_compare_exchange_n(&lock_state, &was, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&lock_state, 2, __ATOMIC_ACQUIRE) != 0)
    (void)SYS(__NR_futex, &lock_state, FUTEX_WAIT_PRIVATE, 2, NULL);
}

static inline void unlock(void) {
  if (__atomic_exchange_n(&lock_state, 0, __ATOMIC_RELEASE) == 2)
    (void)SYS(__NR_futex, &lock_state, FUTEX_WAKE_PRIVATE, 1);
}

#define MEMORY_LEAST 6 /* the smallest block has 64 bytes */
#define MEMORY_CHUNK (1UL << 20)

static void *memory_free[21 - MEMORY_LEAST]; /* by the size's power of two */
static char *memory_at, *memory_end;

static inline int memory_class(size_t size) {
  int class = 0;
  while ((1UL << (class + MEMORY_LEAST)) < size) class++;
  return class;
}

/* A block of zeros, for at most MEMORY_CHUNK bytes; NULL without memory. The caller holds the lock. */
static void *memory_take(size_t size) {
  int class = memory_class(size);
  size_t whole = 1UL << (class + MEMORY_LEAST);
  void *block = memory_free[class];
  if (block) {
    memory_free[class] = *(void **)block;
  } else {
    if ((size_t)(memory_end - memory_at) < whole) {
      long chunk = SYS(__NR_mmap, 0, MEMORY_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (chunk < 0 && chunk > -4096) return NULL;
      memory_at = (char *)chunk;
      memory_end = memory_at + MEMORY_CHUNK;
    }
    block = memory_at;
    memory_at += whole;
  }
  memset(block, 0, size);
  return block;
}

static void memory_give(void *block, size_t size) {
  int class = memory_class(size);
  *(void **)block = memory_free[class];
  memory_free[class] = block;
}

#endif
