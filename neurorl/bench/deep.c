/* The size "deep" as a good programmer could write it: the equations of learning/deep/rule.py, sizes
 * known to the compiler, float32 throughout, every replica one block of memory.
 *
 *   cc -O3 -march=native -ffast-math -fPIC -DNI=400 -DNH=128 -DNO=3 -c deep.c
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#define NP (NH + 16) /* hidden neurons, a 1 for the bias, and zeros */
#define GAMMA 0.99f
#define KEEP (0.8f * GAMMA)
#define SILENT 30 /* decisions after which less than 1e-3 of a trace is left */
#define RATE 2e-4f
#define BETA 0.999f
#define FLOOR 1e-8f
#define BOUND 2.f
#define LIMIT 2.f
#define CENTRING 1e-3f
#define ENTROPY 2e-3f
#define SLOPE 3.f

/* Traces of silent neurons become denormal: see floor.c. */
#ifdef __SSE2__
#define FLUSH_DENORMALS const unsigned mode = _mm_getcsr(); _mm_setcsr(mode | 0x8040)
#define RESTORE_DENORMALS _mm_setcsr(mode)
#else
#define FLUSH_DENORMALS (void)0
#define RESTORE_DENORMALS (void)0
#endif

/* What a decision leaves for learning from it, once its outcome is known. */
typedef struct {
  _Alignas(64) float x[NP], u[NH], psi[NH], inverse[NH];
  float out[NO], score[NO], pull[NO];
} decision;

/* An actor, or a critic, which uses one output. back: the feedback that a hidden neuron hears. */
typedef struct {
  _Alignas(64) float w[NI + 1][NH], e[NI + 1][NH], h[NI + 1][NH];
  _Alignas(64) float wo[NO][NP], eo[NO][NP], ho[NO][NP], back[NO][NP];
  _Alignas(64) float mean[NH], variance[NH], a[NH], c[NH], alpha[NH], kappa[NH];
  decision was, now;
} half;

typedef struct {
  half halves[2];
  int16_t was[NI + 1], now[NI + 1], live[NI + 1]; /* rows whose inputs speak; whose traces live */
  int n_was, n_now, n_live, knows;
  int32_t spoke[NI + 1], since[NI + 1], learned, lives[NI + 1];
  double kept, discounted, returns_mean, returns_square, returns;
  uint32_t random;
} replica;

size_t replica_bytes(void) { return sizeof(replica); }
size_t half_bytes(void) { return sizeof(half); }
size_t offset_wo(void) { return offsetof(half, wo); }
size_t offset_back(void) { return offsetof(half, back); }

void begin_replica(replica *r, uint32_t seed) {
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < NH; i++) r->halves[k].variance[i] = 1.f;
  r->kept = 1.;
  r->random = seed | 1;
}

static float uniform(replica *r) {
  r->random ^= r->random << 13; r->random ^= r->random >> 17; r->random ^= r->random << 5;
  return (float)(r->random >> 8) * (1.f / 16777216.f);
}

static inline void see(replica *r, const uint8_t *image) {
  int n = 0;
  for (int i = 0; i + 8 <= NI; i += 8) {
    uint64_t eight;
    memcpy(&eight, image + i, 8);
    for (; eight; eight &= eight - 1) r->now[n++] = (int16_t)(i + __builtin_ctzll(eight) / 8);
  }
  for (int i = NI & ~7; i < NI; i++) if (image[i]) r->now[n++] = (int16_t)i;
  r->now[n++] = NI;
  r->n_now = n;
}

static inline __attribute__((always_inline)) void forward(half *z, const replica *r, int n_out) {
  decision *to = &z->now;
  float d[NH];
  memcpy(d, z->w[NI], sizeof d);
  int j = 0; /* without the bias */
  for (; j + 4 <= r->n_now - 1; j += 4) {
    const float *p = z->w[r->now[j]], *q = z->w[r->now[j + 1]];
    const float *s = z->w[r->now[j + 2]], *t = z->w[r->now[j + 3]];
    for (int i = 0; i < NH; i++) d[i] += (p[i] + q[i]) + (s[i] + t[i]);
  }
  for (; j < r->n_now - 1; j++) for (int i = 0; i < NH; i++) d[i] += z->w[r->now[j]][i];
  const float first = 1.f / ((float)r->learned + 2.f), rate = first > 1e-4f ? first : 1e-4f;
  for (int i = 0; i < NH; i++) {
    const float inverse = 1.f / sqrtf(z->variance[i] + 1e-3f), u = (d[i] - z->mean[i]) * inverse;
    const float p = 1.f / (1.f + expf(-SLOPE * (u - 1.f)));
    to->u[i] = u;
    to->inverse[i] = inverse;
    to->psi[i] = SLOPE * p * (1.f - p);
    to->x[i] = u > 1.f ? 1.f : 0.f;
    z->mean[i] += rate * (d[i] - z->mean[i]);
    const float off = d[i] - z->mean[i];
    z->variance[i] += rate * (off * off - z->variance[i]);
  }
  to->x[NH] = 1.f;
  for (int o = 0; o < n_out; o++) {
    float sum = 0.f;
    for (int i = 0; i < NP; i++) sum += z->wo[o][i] * to->x[i];
    to->out[o] = sum;
  }
}

static inline float clip(float x, float most) { return x > most ? most : x < -most ? -most : x; }

/* Sweep a row once: trace, mean square, weight. */
#define SWEEP(n, w, e, h, said, added, feedback)                                   \
  for (int i = 0; i < n; i++) {                                                    \
    const float trace = KEEP * e[i] said, g = delta * trace added;                 \
    const float square = BETA * h[i] + (1.f - BETA) * g * g;                       \
    const float change = RATE * g / sqrtf(square * correction + FLOOR);            \
    e[i] = trace;                                                                  \
    h[i] = square;                                                                 \
    w[i] = clip(w[i] + change, BOUND);                                             \
    feedback;                                                                      \
  }

static inline __attribute__((always_inline)) void learn_half(
    half *z, const replica *r, int n_out, float delta, float correction) {
  const decision *at = &z->was;
  float f[NH], extra[NH];
  for (int i = 0; i < NH; i++) {
    float heard = 0.f;
    for (int o = 0; o < n_out; o++) heard += z->back[o][i] * at->score[o];
    const float own = heard * at->psi[i];
    z->a[i] = KEEP * z->a[i] + own;
    z->c[i] = KEEP * z->c[i] + own * at->u[i];
    z->alpha[i] += CENTRING * (delta * z->a[i] - z->alpha[i]);
    z->kappa[i] += CENTRING * (delta * z->c[i] - z->kappa[i]);
    extra[i] = -(z->alpha[i] + z->kappa[i] * at->u[i]) * at->inverse[i];
    f[i] = own * at->inverse[i];
  }
  for (int o = 0; o < n_out; o++) {
    float *restrict w = z->wo[o], *restrict e = z->eo[o], *restrict h = z->ho[o];
    float *restrict b = z->back[o];
    const float score = at->score[o], pull = at->pull[o], *restrict x = at->x;
    SWEEP(NP, w, e, h, + score * x[i], + pull * x[i], b[i] += change)
  }
  for (int k = 0; k < r->n_live; k++) {
    const int j = r->live[k];
    float *restrict w = z->w[j], *restrict e = z->e[j], *restrict h = z->h[j];
    if (r->spoke[j] == r->learned) { SWEEP(NH, w, e, h, + f[i], + extra[i], ) }
    else { SWEEP(NH, w, e, h, , , ) }
  }
}

/* Wake the rows of the last decision's inputs, and let rows fall silent whose traces have faded. */
static inline void choose_rows(replica *r) {
  const int32_t t = r->learned;
  for (int k = 0; k < r->n_was; k++) {
    const int j = r->was[k];
    r->spoke[j] = t;
    if (r->lives[j]) continue;
    const float left = powf(BETA, (float)(t - r->since[j]));
    for (int m = 0; m < 2; m++) for (int i = 0; i < NH; i++) r->halves[m].h[j][i] *= left;
    r->lives[j] = 1;
    r->live[r->n_live++] = (int16_t)j;
  }
  for (int k = r->n_live - 1; k >= 0; k--) {
    const int j = r->live[k];
    if (t - r->spoke[j] <= SILENT) continue;
    for (int m = 0; m < 2; m++) memset(r->halves[m].e[j], 0, sizeof r->halves[m].e[j]);
    r->lives[j] = 0;
    r->since[j] = t;
    r->live[k] = r->live[--r->n_live];
  }
}

static void learn(replica *r, float delta) {
  delta = clip(delta, LIMIT);
  r->kept *= BETA;
  const float correction = (float)(1. / (1. - r->kept));
  choose_rows(r);
  learn_half(&r->halves[0], r, NO, delta, correction);
  learn_half(&r->halves[1], r, 1, delta, correction);
  r->learned++;
}

/* Divide a reward by the running deviation of discounted returns. */
static float scaled(replica *r, float reward) {
  r->discounted = r->discounted * GAMMA + reward;
  r->returns += 1.;
  const double off = r->discounted - r->returns_mean;
  r->returns_mean += off / r->returns;
  r->returns_square += off * (r->discounted - r->returns_mean);
  const double variance = r->returns > 1. ? r->returns_square / (r->returns - 1.) : 0.;
  return variance > 1e-8 ? (float)(reward / sqrt(variance)) : reward;
}

static int choose(decision *d, float u) {
  float most = d->out[0], total = 0.f, entropy = 0.f, p[NO], logs[NO];
  for (int o = 1; o < NO; o++) most = d->out[o] > most ? d->out[o] : most;
  for (int o = 0; o < NO; o++) total += p[o] = expf(d->out[o] - most);
  int action = NO - 1;
  for (int o = 0; o < NO; o++) {
    p[o] /= total;
    logs[o] = p[o] > 0.f ? logf(p[o]) : 0.f;
    entropy -= p[o] * logs[o];
  }
  float below = 0.f;
  for (int o = 0; o < NO; o++) if (u < (below += p[o])) { action = o; break; }
  for (int o = 0; o < NO; o++) {
    d->score[o] = (o == action) - p[o];
    d->pull[o] = -ENTROPY * p[o] * (logs[o] + entropy);
  }
  return action;
}

/* Learn from the last decisions, and decide; u (replicas): draws, or NULL to draw here. */
void step_deep(int replicas, replica *all, const uint8_t *images, const float *rewards,
               const float *u, int64_t *actions) {
  FLUSH_DENORMALS;
  for (int b = 0; b < replicas; b++) {
    replica *r = all + b;
    half *actor = &r->halves[0], *critic = &r->halves[1];
    see(r, images + (size_t)b * NI);
    forward(actor, r, NO);
    forward(critic, r, 1);
    critic->now.score[0] = 1.f;
    actions[b] = choose(&actor->now, u ? u[b] : uniform(r));
    if (r->knows)
      learn(r, scaled(r, rewards[b]) + GAMMA * critic->now.out[0] - critic->was.out[0]);
    actor->was = actor->now;
    critic->was = critic->now;
    memcpy(r->was, r->now, sizeof r->was);
    r->n_was = r->n_now;
    r->knows = 1;
  }
  RESTORE_DENORMALS;
}

/* End an episode: a terminal state is worth 0; of a truncated one's last decision nothing is learned. */
void end_deep(replica *r, float reward, int terminated) {
  reward = scaled(r, reward);
  if (terminated) learn(r, reward - r->halves[1].was.out[0]);
  for (int k = 0; k < r->n_live; k++) {
    const int j = r->live[k];
    for (int m = 0; m < 2; m++) memset(r->halves[m].e[j], 0, sizeof r->halves[m].e[j]);
    r->lives[j] = 0;
    r->since[j] = r->learned;
  }
  for (int m = 0; m < 2; m++) {
    memset(r->halves[m].eo, 0, sizeof r->halves[m].eo);
    memset(r->halves[m].a, 0, sizeof r->halves[m].a);
    memset(r->halves[m].c, 0, sizeof r->halves[m].c);
  }
  r->n_live = r->knows = 0;
  r->discounted = 0.;
}
