// neurorl/numerics/elementary.py in C: the same operations in the same order, so the same bits. It
// is compiled without contraction into fused multiply-adds and without reassociation.
#pragma once

#include <stdint.h>
#include <string.h>

#include "expressions.h"

namespace neurorl {

// The coefficients come from Python, once, so that both have the same bits.
extern double cos_terms[13];

inline double exp(double x) { return neurorl_exp(x); }

inline double cospi(double y)
{
    const double whole = __builtin_rint(y);
    const double r = y - whole, z = r * r;
    const double odd = whole - 2.0 * __builtin_floor(0.5 * whole);
    double value = cos_terms[12];
    for (int m = 11; m >= 0; m--) value = value * z + cos_terms[m];
    return value * (1.0 - 2.0 * odd);
}

inline double dot(const double *a, const double *b, int64_t n)
{
    double lane[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int l = 0; l < 8; l++) lane[l] += a[i + l] * b[i + l];
    for (int l = 0; i + l < n; l++) lane[l] += a[i + l] * b[i + l];
    double sum = lane[0];
    for (int l = 1; l < 8; l++) sum += lane[l];
    return sum;
}

// The library is compiled with IEEE semantics, so these recognise infinities and NaN.
inline bool is_finite(double x) { return __builtin_fabs(x) <= __DBL_MAX__; }

inline bool are_finite(const double *x, int64_t n)
{
    int beyond = 0;
    for (int64_t i = 0; i < n; i++) beyond |= !is_finite(x[i]);
    return !beyond;
}

// The largest of a post factor.
const double LARGEST_FACTOR = 0x1p40;

inline bool are_factors(const double *x, int64_t n)
{
    int beyond = 0;
    for (int64_t i = 0; i < n; i++) beyond |= !(__builtin_fabs(x[i]) <= LARGEST_FACTOR);
    return !beyond;
}

// The grid of traces is 2**-20.
inline double on_grid(double x) { return __builtin_rint(x * 0x1p20) * 0x1p-20; }

// Do as on_grid for |x| < 2**31, but for the sign of 0. A sum with this number has no finer digits.
const double ROUNDS_TO_GRID = 0x1.8p32;
inline double on_grid_quick(double x) { return (x + ROUNDS_TO_GRID) - ROUNDS_TO_GRID; }

// Return x in units of the grid, for |x| < 2**11: the lowest bits of that sum.
inline int32_t grid_units(double x)
{
    const double sum = x + ROUNDS_TO_GRID;
    int64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (int32_t)bits;
}

}  // namespace neurorl
