// What the texts of a rule can name (neurorl/rules/post_factor.py), and how neurorl/native/build.py
// prints one.
#pragma once

#include <stdint.h>

namespace neurorl {

// Of one layer in a window; null is what its text doesn't name.
struct Names {
    int64_t size, steps, stride;
    const uint8_t *spike;  // row of a step at spike + step * stride
    const double *p, *y, *v, *slow;  // (steps, size)
    const double *phi, *t, *b, *V, *n, *theta;  // (size,)
    double W, M;
};

// A bit for each name whose numbers are computed for a text that has it, and only then.
enum Used {
    USED_p = 1, USED_y = 2, USED_v = 4, USED_slow = 8,
    USED_phi = 16, USED_t = 32, USED_n = 64, USED_V = 128
};

// A compiled text: writes post factors on the grid, (steps, size), or (size,) if it is a gain.
struct Text {
    int64_t is_gain, used;
    void (*compute)(const Names &names, double *f);
};

}  // namespace neurorl

#define NEURORL_TEXT(name, is_gain, used, value) \
    static void name##_factors(const neurorl::Names &names, double *__restrict f) \
    { \
        const double *__restrict phi = names.phi, *__restrict t = names.t, *__restrict b = names.b; \
        const double *__restrict V = names.V, *__restrict n = names.n; \
        const double *__restrict theta = names.theta, W = names.W, M = names.M; \
        const int64_t size = names.size; \
        for (int64_t step = 0; step < (is_gain ? 1 : names.steps); step++, f += size) { \
            const uint8_t *__restrict spike = names.spike + step * names.stride; \
            const double *__restrict p = names.p + step * size, *__restrict y = names.y + step * size; \
            const double *__restrict v = names.v + step * size; \
            const double *__restrict slow = names.slow + step * size; \
            for (int64_t j = 0; j < size; j++) f[j] = __builtin_rint((value) * 0x1p20) * 0x1p-20; \
        } \
    } \
    extern "C" { neurorl::Text name = {is_gain, used, name##_factors}; }
