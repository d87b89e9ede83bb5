// Counts of durations in nanoseconds, with 1 % resolution.
#pragma once

#include <stdint.h>

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_SIZE (HISTOGRAM_STEPS * 48)

struct histogram {
  uint64_t counts[HISTOGRAM_SIZE];
  uint64_t total;
};

// Each power of two is divided into HISTOGRAM_STEPS equal steps.
static inline unsigned histogram_index(uint64_t ns) {
  if (ns < HISTOGRAM_STEPS) return (unsigned)ns;
  const unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - 6u;
  const unsigned index = (shift + 1u) * HISTOGRAM_STEPS + (unsigned)((ns >> shift) - HISTOGRAM_STEPS);
  return index < HISTOGRAM_SIZE ? index : HISTOGRAM_SIZE - 1;
}

static inline uint64_t histogram_value(unsigned index) {
  if (index < HISTOGRAM_STEPS) return index;
  const unsigned shift = index / HISTOGRAM_STEPS - 1u;
  return (uint64_t)(index % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << shift;
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns) {
  ++histogram->counts[histogram_index(ns)];
  ++histogram->total;
}

static inline void histogram_merge(struct histogram *into, const struct histogram *from) {
  for (unsigned i = 0; i < HISTOGRAM_SIZE; ++i) into->counts[i] += from->counts[i];
  into->total += from->total;
}

static inline uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
  const uint64_t wanted = (uint64_t)((double)histogram->total * quantile);
  uint64_t seen = 0;
  for (unsigned i = 0; i < HISTOGRAM_SIZE; ++i) {
    seen += histogram->counts[i];
    if (seen > wanted) return histogram_value(i);
  }
  return 0;
}
