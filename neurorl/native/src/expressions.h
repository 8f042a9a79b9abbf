// The functions of expressions (neurorl/expressions/functions.py) in C: the same operations in the
// same order, so the same bits. Compiled without contraction into fused multiply-adds and without
// reassociation. In plain C, as Brian2's Cython target takes it too.
#ifndef NEURORL_EXPRESSIONS_H
#define NEURORL_EXPRESSIONS_H
#include <stdint.h>
#include <string.h>

#define NEURORL_LOG2_E 0x1.71547652b82fep+0
#define NEURORL_LN2_HIGH 0x1.62e42feep-1
#define NEURORL_LN2_LOW 0x1.a39ef35793c76p-33

static inline double neurorl_from_bits(int64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int64_t neurorl_to_bits(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// 2**k for a whole k from -1022 to 1023. The sum's last bits are those of k, and NaN does no harm.
static inline double neurorl_two_to(double k)
{
    const uint64_t bits = (uint64_t)neurorl_to_bits(k + 0x1.8p52);
    return neurorl_from_bits((int64_t)((bits + 1023) << 52));
}

static inline double neurorl_abs(double x) { return __builtin_fabs(x); }
static inline double neurorl_floor(double x) { return __builtin_floor(x); }
static inline double neurorl_trunc(double x) { return __builtin_trunc(x); }
static inline double neurorl_sqrt(double x) { return __builtin_sqrt(x); }
static inline double neurorl_min(double a, double b) { return (b < a) | (b != b) ? b : a; }
static inline double neurorl_max(double a, double b) { return (b > a) | (b != b) ? b : a; }
static inline double neurorl_where(int condition, double a, double b) { return condition ? a : b; }
static inline double neurorl_divide(double a, double b) { return a / b; }

static inline double neurorl_clip(double x, double low, double high)
{
    return neurorl_min(neurorl_max(x, low), high);
}

static inline double neurorl_sign(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x == 0.0 ? 0.0 : x;
}

// x * x * ... from the left.
static inline double neurorl_power(double x, int n)
{
    double value = x;
    for (int k = 1; k < n; k++) value = value * x;
    return value;
}

// The polynomial of n coefficients from the highest on.
static inline double neurorl_polynomial(const double *coefficients, int n, double x)
{
    double value = coefficients[0];
    for (int k = 1; k < n; k++) value = value * x + coefficients[k];
    return value;
}

// (e**r - 1) / r
static inline double neurorl_exp_rest(double r)
{
    static const double c[13] = {
        1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0,
        1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0};
    return neurorl_polynomial(c, 13, r);
}

static inline double neurorl_exp(double x)
{
    x = x < -700.0 ? -700.0 : x;
    x = x > 700.0 ? 700.0 : x;
    const double k = __builtin_rint(x * NEURORL_LOG2_E);
    const double r = (x - k * NEURORL_LN2_HIGH) - k * NEURORL_LN2_LOW;
    return (neurorl_exp_rest(r) * r + 1.0) * neurorl_two_to(k);
}

static inline double neurorl_log(double x)
{
    const int is_regular = (x > 0.0) & (x <= __DBL_MAX__);
    const int is_small = is_regular & (x < 0x1p-1022);
    const double scaled = (is_regular ? x : 1.0) * (is_small ? 0x1p54 : 1.0);
    const int64_t root_half = (int64_t)0x3fe6a09e << 32, one = (int64_t)0x3ff << 52;
    const int64_t bits = neurorl_to_bits(scaled) + (one - root_half);
    const double k = (double)(int32_t)((bits >> 52) - 1023) - (is_small ? 54.0 : 0.0);
    const double f = neurorl_from_bits((bits & (((int64_t)1 << 52) - 1)) + root_half) - 1.0;
    const double half_square = 0.5 * f * f;
    const double s = f / (2.0 + f), z = s * s;
    static const double c[10] = {
        2.0 / 21.0, 2.0 / 19.0, 2.0 / 17.0, 2.0 / 15.0, 2.0 / 13.0,
        2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0};
    double value = neurorl_polynomial(c, 10, z);
    const double rest = s * (half_square + z * value) + k * NEURORL_LN2_LOW;
    value = rest - half_square + f + k * NEURORL_LN2_HIGH;
    const double outside = x == 0.0 ? -__builtin_inf() : x > 0.0 ? x : __builtin_nan("");
    return is_regular ? value : outside;
}

static inline double neurorl_tanh(double x)
{
    const double size = __builtin_fabs(x), y = 2.0 * (size > 25.0 ? 25.0 : size);
    const double k = __builtin_rint(y * NEURORL_LOG2_E);
    const double r = (y - k * NEURORL_LN2_HIGH) - k * NEURORL_LN2_LOW;
    const double power = neurorl_two_to(k);
    const double less_one = r * neurorl_exp_rest(r) * power + (power - 1.0);
    return __builtin_copysign(less_one / (less_one + 2.0), x);
}

static inline double neurorl_sigmoid(double x) { return 1.0 / (1.0 + neurorl_exp(-x)); }

// What is left of an angle after k turns by pi/2, whose parts have 22 bits but for the last.
static inline double neurorl_turned(double x, double k)
{
    double r = x - k * 0x1.921fbp+0;
    r = r - k * 0x1.5110bp-22;
    r = r - k * 0x1.184698p-44;
    r = r - k * 0x1.3198a2e037073p-69;
    r = r < -0.8 ? -0.8 : r;
    return r > 0.8 ? 0.8 : r;
}

static inline double neurorl_sin_within(double r)
{
    static const double c[8] = {
        1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
        1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0};
    const double z = r * r, value = neurorl_polynomial(c, 8, z);
    return r + r * (z * value);
}

static inline double neurorl_cos_within(double r)
{
    static const double c[8] = {
        -1.0 / 6402373705728000.0, 1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0,
        -1.0 / 3628800.0, 1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0};
    const double z = r * r, value = neurorl_polynomial(c, 8, z);
    return (1.0 - 0.5 * z) + z * z * value;
}

// The sine where turn is 0, the cosine where it is 1: a quarter of a turn ahead.
static inline double neurorl_wave(double x, double turn)
{
    const double k = __builtin_rint(x * 0x1.45f306dc9c883p-1), r = neurorl_turned(x, k);
    const double ahead = k + turn, quarter = ahead - 4.0 * __builtin_floor(0.25 * ahead);
    const int is_odd = (quarter == 1.0) | (quarter == 3.0);
    const double value = is_odd ? neurorl_cos_within(r) : neurorl_sin_within(r);
    return quarter >= 2.0 ? -value : value;
}

static inline double neurorl_sin(double x) { return x == 0.0 ? x : neurorl_wave(x, 0.0); }
static inline double neurorl_cos(double x) { return neurorl_wave(x, 1.0); }

#endif
