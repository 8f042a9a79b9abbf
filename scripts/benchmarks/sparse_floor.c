/* A window of learning by the synapses of a list (scale_learning.py), as one would write it by hand
 * in C: the same equations in float32, with reassociation allowed.
 *
 *   cc -O3 -march=native -ffast-math -fPIC -shared sparse_floor.c -o sparse_floor.so
 *
 * Cells are LIF without noise, inputs arrive a step later. Synapses are listed by their input. Each
 * is visited once a window: e <- keep e + sum over t of left(t) (x(t) s(t) - A a(t) y(t)), of which
 * the first part is that of the cell's few spikes, the second that of the input's few spikes.
 */
#include <stdint.h>
#include <string.h>

enum { WIDTH = 64, MOST_STEPS = 254 };

typedef struct {
  int64_t inputs, cells, steps;
  const int64_t *start;              /* (inputs + 1): the synapses of each input */
  const int32_t *post;
  float *w, *e;                      /* of synapses */
  float *v, *y, *into;               /* of cells */
  float *x;                          /* of inputs */
  uint8_t *last;                     /* of inputs: whether they spiked in the step before */
  float membrane, threshold, trace, post_trace, depression, keep, low, high;
  float *left;                       /* (steps): what is left at the end of what each step adds */
  float *power;                      /* (steps): what is left of a cell's trace after so many */
  uint8_t *first;                    /* of cells: the step of the first spike, else steps */
  int32_t *others;                   /* of cells: the place in *links* of a later spike, else -1 */
  int32_t *links;                    /* (steps * cells, 2): step, next */
} floor_state;

static void arrive(floor_state *f, const uint8_t *spikes) {
  for (int64_t i = 0; i < f->inputs; i += 8) {
    uint64_t eight = 0;
    memcpy(&eight, spikes + i, f->inputs - i < 8 ? f->inputs - i : 8);
    while (eight) {
      const int64_t k = i + (__builtin_ctzll(eight) >> 3);
      eight &= eight - 1;
      for (int64_t s = f->start[k]; s < f->start[k + 1]; s++) f->into[f->post[s]] += f->w[s];
    }
  }
}

/* in: (steps, inputs), out: (steps, cells). */
void simulate(floor_state *f, const uint8_t *in, uint8_t *out) {
  for (int64_t t = 0; t < f->steps; t++, out += f->cells) {
    arrive(f, t ? in + (t - 1) * f->inputs : f->last);
    float *restrict v = f->v, *restrict into = f->into;
    uint8_t *restrict spiked = out;
    const float membrane = f->membrane, threshold = f->threshold;
    const int64_t n = f->cells;
    for (int64_t j = 0; j < n; j++) {
      const float now = membrane * v[j] + into[j];
      spiked[j] = now > threshold;
      v[j] = now > threshold ? 0.f : now;
      into[j] = 0.f;
    }
  }
}

static void note_spikes(floor_state *f, const uint8_t *out) {
  memset(f->first, (int)f->steps, f->cells);
  memset(f->others, 0xff, f->cells * sizeof *f->others);
  int32_t links = 0;
  for (int64_t t = 0; t < f->steps; t++, out += f->cells)
    for (int64_t i = 0; i < f->cells; i += 8) {
      uint64_t eight = 0;
      memcpy(&eight, out + i, f->cells - i < 8 ? f->cells - i : 8);
      while (eight) {
        const int64_t j = i + (__builtin_ctzll(eight) >> 3);
        eight &= eight - 1;
        if (f->first[j] == f->steps) { f->first[j] = (uint8_t)t; continue; }
        f->links[2 * links] = (int32_t)t, f->links[2 * links + 1] = f->others[j];
        f->others[j] = links++;
      }
    }
}

/* Bring the cells' traces to the window's end. */
static void leave(floor_state *f) {
  const int64_t steps = f->steps;
  for (int64_t j = 0; j < f->cells; j++) {
    float y = f->y[j] * f->power[steps];
    if (f->first[j] < steps) y += f->power[steps - 1 - f->first[j]];
    for (int32_t at = f->others[j]; at >= 0; at = f->links[2 * at + 1])
      y += f->power[steps - 1 - f->links[2 * at]];
    f->y[j] = y;
  }
}

/* Traces of WIDTH inputs in every step, times what is left; a last row of zeros. */
static void traces(floor_state *f, const uint8_t *in, int64_t i0, float x[][WIDTH],
                   uint8_t when[][WIDTH], int *count) {
  const int64_t n = f->inputs - i0 < WIDTH ? f->inputs - i0 : WIDTH;
  float now[WIDTH] = {0};
  memcpy(now, f->x + i0, n * sizeof *now);
  memset(count, 0, WIDTH * sizeof *count);
  for (int64_t t = 0; t < f->steps; t++) {
    uint8_t came[WIDTH] = {0};
    memcpy(came, t ? in + (t - 1) * f->inputs + i0 : f->last + i0, n);
    for (int k = 0; k < WIDTH; k++) { now[k] = f->trace * now[k] + came[k]; x[t][k] = f->left[t] * now[k]; }
    for (int k0 = 0; k0 < WIDTH; k0 += 8) {
      uint64_t eight;
      memcpy(&eight, came + k0, 8);
      for (; eight; eight &= eight - 1) {
        const int k = k0 + (__builtin_ctzll(eight) >> 3);
        when[count[k]++][k] = (uint8_t)t;
      }
    }
  }
  memset(x[f->steps], 0, sizeof x[0]);
  memcpy(f->x + i0, now, n * sizeof *now);
}

void remember(floor_state *f, const uint8_t *in, const uint8_t *out) {
  static _Thread_local float x[MOST_STEPS + 1][WIDTH];
  static _Thread_local uint8_t when[MOST_STEPS][WIDTH];
  int count[WIDTH];
  note_spikes(f, out);
  for (int64_t i0 = 0; i0 < f->inputs; i0 += WIDTH) {
    traces(f, in, i0, x, when, count);
    for (int64_t i = i0; i < i0 + WIDTH && i < f->inputs; i++) {
      const int k = (int)(i - i0);
      const int32_t *restrict post = f->post;
      float *restrict e = f->e;
      for (int64_t s = f->start[i]; s < f->start[i + 1]; s++) {
        float sum = x[f->first[post[s]]][k];
        for (int32_t at = f->others[post[s]]; at >= 0; at = f->links[2 * at + 1]) sum += x[f->links[2 * at]][k];
        e[s] = f->keep * e[s] + sum;
      }
      for (int a = 0; a < count[k]; a++) {
        const int t = when[a][k];
        const float scale = f->depression * f->left[t];
        for (int64_t s = f->start[i]; s < f->start[i + 1]; s++) {
          const int64_t j = post[s];
          float y = f->y[j] * f->power[t + 1];
          if (f->first[j] <= t) y += f->power[t - f->first[j]];
          for (int32_t at = f->others[j]; at >= 0; at = f->links[2 * at + 1])
            if (f->links[2 * at] <= t) y += f->power[t - f->links[2 * at]];
          e[s] -= scale * y;
        }
      }
    }
  }
  leave(f);
  memcpy(f->last, in + (f->steps - 1) * f->inputs, f->inputs);
}

void reinforce(floor_state *f, float step) {
  float *restrict w = f->w;
  const float *restrict e = f->e;
  const float low = f->low, high = f->high;
  for (int64_t s = 0; s < f->start[f->inputs]; s++) {
    float now = w[s] + step * e[s];
    now = now > high ? high : now;
    w[s] = now < low ? low : now;
  }
}
