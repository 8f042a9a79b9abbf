/* The workload (workload.py) as a code generator could write it: sizes known to the compiler,
 * float32, every replica one block of memory.
 *
 *   cc -O3 -march=native -ffast-math -fPIC -DNI=32 -DNH=200 -DNO=2 -DSTEPS=20 -c floor.c
 *
 * dense: the eligibility of every synapse in every step; the floor that others are compared with.
 * block: the same numbers by another way. A window's spikes and traces are kept, and e and w are
 *        swept once a window: e <- d^STEPS e + sum over t of d^(STEPS-1-t) (PLUS x s - MINUS f y),
 *        with the spikes s, f of the sparse factor as lists.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

_Static_assert(STEPS % 2 == 0, "dense alternates between two rows and ends on the first");

typedef struct { float membrane, trace, eligibility, plus, minus, threshold; } constants;

/* What one step leaves to the next: spikes, and the traces of both sides. */
typedef struct {
  float si[NI], xi[NI], sh[NH], xh[NH], yh[NH], so[NO], yo[NO];
} row;

typedef struct {
  _Alignas(64) float w1[NI][NH];
  _Alignas(64) float w2[NO][NH];
  _Alignas(64) float e1[NI][NH];
  _Alignas(64) float e2[NO][NH];
  _Alignas(64) float vh[NH];
  float vo[NO];
  _Alignas(64) row rows[STEPS + 1];
  uint32_t key, draws;
} replica;

size_t replica_bytes(void) { return sizeof(replica); }
size_t offset_w1(void) { return offsetof(replica, w1); }
size_t offset_w2(void) { return offsetof(replica, w2); }
size_t offset_key(void) { return offsetof(replica, key); }

void reset_replica(replica *r) {
  memset(r->e1, 0, offsetof(replica, rows) - offsetof(replica, e1));
  memset(&r->rows[0], 0, sizeof(row));
  memset(&r->rows[STEPS], 0, sizeof(row));
}

/* Traces of silent neurons would soon be denormal, and slow. -ffast-math would set this mode for
 * the whole process when it links; here it holds only inside a call. */
#ifdef __SSE2__
#define FLUSH_DENORMALS const unsigned mode = _mm_getcsr(); _mm_setcsr(mode | 0x8040)
#define RESTORE_DENORMALS _mm_setcsr(mode)
#else
#define FLUSH_DENORMALS (void)0
#define RESTORE_DENORMALS (void)0
#endif

/* A hash of a counter, so that the draws of a step are independent and can go side by side. */
static inline uint32_t hash(uint32_t x) {
  x ^= x >> 16; x *= 0x7feb352dU;
  x ^= x >> 15; x *= 0x846ca68bU;
  return x ^ (x >> 16);
}

static inline void draw(replica *r, float *restrict s, const float *restrict p,
                        const uint8_t *raster) {
  if (raster) { for (int i = 0; i < NI; i++) s[i] = raster[i]; return; }
  const uint32_t key = r->key, start = r->draws;
  for (int i = 0; i < NI; i++)
    s[i] = (int32_t)(hash((start + (uint32_t)i) ^ key) >> 8) * (1.f / 16777216.f) < p[i] ? 1.f : 0.f;
  r->draws = start + NI;
}

/* One step of all neurons and traces; the spikes of *was* arrive. */
static inline void neurons(const constants *c, replica *r, const row *restrict was,
                           row *restrict now) {
  float *restrict v = r->vh;
  for (int j = 0; j < NH; j++) v[j] *= c->membrane;
  for (int i = 0; i < NI; i++)
    if (was->si[i] != 0.f) for (int j = 0; j < NH; j++) v[j] += r->w1[i][j];
  for (int j = 0; j < NH; j++) {
    const int fired = v[j] > c->threshold;
    now->sh[j] = fired ? 1.f : 0.f;
    v[j] = fired ? 0.f : v[j];
  }
  for (int o = 0; o < NO; o++) {
    float q = 0.f;
    for (int j = 0; j < NH; j++) q += was->sh[j] * r->w2[o][j];
    q += c->membrane * r->vo[o];
    const int fired = q > c->threshold;
    now->so[o] = fired ? 1.f : 0.f;
    r->vo[o] = fired ? 0.f : q;
  }
  for (int i = 0; i < NI; i++) now->xi[i] = c->trace * was->xi[i] + was->si[i];
  for (int j = 0; j < NH; j++) {
    now->xh[j] = c->trace * was->xh[j] + was->sh[j];
    now->yh[j] = c->trace * was->yh[j] + now->sh[j];
  }
  for (int o = 0; o < NO; o++) now->yo[o] = c->trace * was->yo[o] + now->so[o];
}

static inline float clip(float w, float bound) {
  w = w > bound ? bound : w;
  return w < -bound ? -bound : w;
}

static inline void eligibilities(const constants *c, replica *r, const row *was, const row *now) {
  const float keep = c->eligibility;
  for (int i = 0; i < NI; i++) {
    const float a = c->plus * now->xi[i], d = c->minus;
    float *restrict e = r->e1[i];
    if (was->si[i] != 0.f)
      for (int j = 0; j < NH; j++) e[j] = keep * e[j] + a * now->sh[j] - d * now->yh[j];
    else
      for (int j = 0; j < NH; j++) e[j] = keep * e[j] + a * now->sh[j];
  }
  for (int o = 0; o < NO; o++) {
    const float a = c->plus * now->so[o], d = c->minus * now->yo[o];
    float *restrict e = r->e2[o];
    for (int j = 0; j < NH; j++) e[j] = keep * e[j] + a * now->xh[j] - d * was->sh[j];
  }
}

/* p (replicas, NI); raster (replicas, STEPS, NI), or NULL to draw; counts (replicas, NO). */
void step_dense(const constants *c, int replicas, replica *all, const float *p,
                const uint8_t *raster, float *counts) {
  FLUSH_DENORMALS;
  for (int b = 0; b < replicas; b++) {
    replica *r = all + b;
    float *count = counts + b * NO;
    for (int o = 0; o < NO; o++) count[o] = 0.f;
    for (int t = 0; t < STEPS; t++) {
      const row *was = &r->rows[t & 1];
      row *now = &r->rows[(t + 1) & 1];
      draw(r, now->si, p + b * NI, raster ? raster + ((size_t)b * STEPS + t) * NI : NULL);
      neurons(c, r, was, now);
      eligibilities(c, r, was, now);
      for (int o = 0; o < NO; o++) count[o] += now->so[o];
    }
  }
  RESTORE_DENORMALS;
}

void learn_dense(const constants *c, int replicas, replica *all, const float *m, float rate1,
                 float bound1, float rate2, float bound2) {
  FLUSH_DENORMALS;
  (void)c;
  for (int b = 0; b < replicas; b++) {
    replica *r = all + b;
    const float k1 = rate1 * m[b], k2 = rate2 * m[b];
    float *restrict w = r->w1[0];
    const float *restrict e = r->e1[0];
    for (int k = 0; k < NI * NH; k++) w[k] = clip(w[k] + k1 * e[k], bound1);
    w = r->w2[0];
    e = r->e2[0];
    for (int k = 0; k < NO * NH; k++) w[k] = clip(w[k] + k2 * e[k], bound2);
  }
  RESTORE_DENORMALS;
}

void step_block(const constants *c, int replicas, replica *all, const float *p,
                const uint8_t *raster, float *counts) {
  FLUSH_DENORMALS;
  for (int b = 0; b < replicas; b++) {
    replica *r = all + b;
    float *count = counts + b * NO;
    for (int o = 0; o < NO; o++) count[o] = 0.f;
    r->rows[0] = r->rows[STEPS];
    for (int t = 0; t < STEPS; t++) {
      row *now = &r->rows[t + 1];
      draw(r, now->si, p + b * NI, raster ? raster + ((size_t)b * STEPS + t) * NI : NULL);
      neurons(c, r, &r->rows[t], now);
      for (int o = 0; o < NO; o++) count[o] += now->so[o];
    }
  }
  RESTORE_DENORMALS;
}

/* Hidden spikes of row t are list[first[t] .. first[t + 1]). */
static inline void hidden_spikes(const replica *r, uint16_t *list, int *first) {
  int n = 0;
  for (int t = 0; t <= STEPS; t++) {
    first[t] = n;
    for (int j = 0; j < NH; j++) {
      list[n] = (uint16_t)j; /* overwritten by the next, unless it spiked */
      n += r->rows[t].sh[j] != 0.f;
    }
  }
  first[STEPS + 1] = n;
}

void learn_block(const constants *c, int replicas, replica *all, const float *m, float rate1,
                 float bound1, float rate2, float bound2) {
  FLUSH_DENORMALS;
  uint16_t list[(STEPS + 1) * NH + 1];
  int first[STEPS + 2];
  float left[STEPS + 1], keep = 1.f; /* left[t]: what the end of the window keeps of row t */
  for (int t = STEPS; t > 0; t--) { left[t] = keep; keep *= c->eligibility; }
  for (int b = 0; b < replicas; b++) {
    replica *r = all + b;
    const row *rows = r->rows;
    const float k1 = rate1 * m[b], k2 = rate2 * m[b];
    hidden_spikes(r, list, first);
    for (int i = 0; i < NI; i++) {
      float *restrict e = r->e1[i], *restrict w = r->w1[i];
      for (int j = 0; j < NH; j++) e[j] *= keep;
      for (int t = 1; t <= STEPS; t++) {
        const float a = c->plus * left[t] * rows[t].xi[i], d = c->minus * left[t];
        for (int k = first[t]; k < first[t + 1]; k++) e[list[k]] += a;
        if (rows[t - 1].si[i] != 0.f) for (int j = 0; j < NH; j++) e[j] -= d * rows[t].yh[j];
      }
      for (int j = 0; j < NH; j++) w[j] = clip(w[j] + k1 * e[j], bound1);
    }
    for (int o = 0; o < NO; o++) {
      float *restrict e = r->e2[o], *restrict w = r->w2[o];
      for (int j = 0; j < NH; j++) e[j] *= keep;
      for (int t = 1; t <= STEPS; t++) {
        const float a = c->plus * left[t], d = c->minus * left[t] * rows[t].yo[o];
        if (rows[t].so[o] != 0.f) for (int j = 0; j < NH; j++) e[j] += a * rows[t].xh[j];
        for (int k = first[t - 1]; k < first[t]; k++) e[list[k]] -= d;
      }
      for (int j = 0; j < NH; j++) w[j] = clip(w[j] + k2 * e[j], bound2);
    }
  }
  RESTORE_DENORMALS;
}
