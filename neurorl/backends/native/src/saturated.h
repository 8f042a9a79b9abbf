// Nodes with limits: their functions, and weights after each of which a sum is clipped.
#pragma once

namespace neurorl {

// Functions of nodes with limits, whose numbers are exact in 24 bits.
inline float neurorl_floor(float x) { return __builtin_floorf(x); }
inline float neurorl_min(float a, float b) { return b < a ? b : a; }
inline float neurorl_max(float a, float b) { return b > a ? b : a; }
inline float neurorl_clip(float x, float low, float high)
{
    return neurorl_min(neurorl_max(x, low), high);
}

#define ALWAYS_INLINE inline __attribute__((always_inline))

// Weights of 16 bits, after each of which the sum is clipped to 16 bits. *fits*: how often the
// largest may be added at once, so that the product has 16 bits.
struct Saturated {
    const int16_t *w;
    const float *release;
    const int32_t *fits;
    typedef float Total;
    float plus(float sum, int64_t s, float times) const
    {
        return neurorl_clip(sum + w[s] * times, INT16_MIN, INT16_MAX);
    }
};

// Several of these. GCC has the instruction that clips their sums, without the headers that name it,
// which take longer to compile than all of a network; other compilers find it themselves.
typedef int16_t Eight __attribute__((vector_size(16)));
typedef int16_t Sixteen __attribute__((vector_size(32)));
#if defined __SSE2__ && !defined __clang__
#define HAS_EIGHT 1
inline Eight clipped(Eight a, Eight b) { return __builtin_ia32_paddsw128(a, b); }
#endif
#if defined __AVX2__ && !defined __clang__
#define HAS_SIXTEEN 1
inline Sixteen clipped(Sixteen a, Sixteen b) { return __builtin_ia32_paddsw256(a, b); }
#endif
inline int16_t clipped(int16_t a, int b) { return neurorl_clip(a + b, INT16_MIN, INT16_MAX); }

// Adds to the sums from k on, as many at a time as a vector has; returns the first one that is left.
template <class Vector, int ROWS>
ALWAYS_INLINE int add_vectors(
    const int16_t *const *row, const int16_t *times, int16_t *sums, int k, const int POST)
{
    const int n = sizeof(Vector) / sizeof *sums;
    for (; k + n <= POST; k += n) {
        Vector sum, w;
        memcpy(&sum, sums + k, sizeof sum);
        for (int s = 0; s < ROWS; s++) {
            memcpy(&w, row[s] + k, sizeof w);
            sum = clipped(sum, w * times[s]);
        }
        memcpy(sums + k, &sum, sizeof sum);
    }
    return k;
}

template <int ROWS>
ALWAYS_INLINE void add_times(
    const int16_t *const *row, const int16_t *times, int16_t *sums, const int POST)
{
    int k = 0;
#ifdef HAS_SIXTEEN
    k = add_vectors<Sixteen, ROWS>(row, times, sums, k, POST);
#endif
#ifdef HAS_EIGHT
    k = add_vectors<Eight, ROWS>(row, times, sums, k, POST);
#endif
    add_vectors<int16_t, ROWS>(row, times, sums, k, POST);
}

template <int ROWS>
ALWAYS_INLINE void add_rows(
    const int32_t *spike, const Saturated &weights, int16_t *sums, const int POST)
{
    const int16_t *row[ROWS];
    int16_t times[ROWS], most = 0;
    for (int s = 0; s < ROWS; s++) {
        row[s] = weights.w + (size_t)spike[s] * POST;
        times[s] = weights.release ? weights.release[spike[s]] : 1;
        most = times[s] > most ? times[s] : most;
    }
    if (most <= *weights.fits) return add_times<ROWS>(row, times, sums, POST);
    for (int s = 0; s < ROWS; s++)
        for (int k = 0; k < POST; k++) sums[k] = clipped(sums[k], row[s][k] * times[s]);
}

}  // namespace neurorl
