// What the texts of a rule can name (neurorl/rules/post_factor.py), as their compiled code reads it;
// neurorl/native/rule_text.py writes that code.
#ifndef NEURORL_NAMES_H
#define NEURORL_NAMES_H
#include <stdint.h>

namespace neurorl {

#define NEURORL_RULE_NAMES(X) \
    X(NAME_SPIKE) X(NAME_W) X(NAME_P) X(NAME_Y) X(NAME_PHI) X(NAME_T) X(NAME_B) X(NAME_V) \
    X(NAME_N) X(NAME_MEMBRANE) X(NAME_THETA) X(NAME_SLOW) X(NAME_M)

// Of one layer in a window; null is what its text doesn't name.
struct Names {
    int64_t n, steps, stride;
    const uint8_t *spikes;  // row of step t at spikes + t * stride
    const double *p, *y, *v, *slow;  // (steps, n)
    const double *phi, *taken, *b, *V, *count, *theta;  // (n,)
    double W, M;
};

// A compiled text: writes post factors on the grid, (steps, n), or (n,) if it is a gain.
struct Text {
    int64_t is_gain, names;  // names: a bit for each that it uses
    void (*compute)(const Names *names, double *f);
};

}  // namespace neurorl

#endif
