/* What the compiler may call by name. */
#include "sys.h"

void *memset(void *to, int byte, size_t n) {
  volatile char *at = to; /* volatile: or the compiler makes a call of this function from its loop */
  for (size_t i = 0; i < n; i++) at[i] = (char)byte;
  return to;
}

void *memcpy(void *to, const void *from, size_t n) {
  void *start = to;
#if defined(__x86_64__)
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
  volatile char *out = to;
  for (size_t i = 0; i < n; i++) out[i] = ((const char *)from)[i];
#endif
  return start;
}
