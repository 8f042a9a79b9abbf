// Vectors in memory that begin at a cache line: loads and stores of 64 bytes that straddle two lines
// cost twice as much. What they grow by isn't set to 0.
#pragma once

#include <stdint.h>
#include <new>
#include <vector>

#ifdef __clang__
#define NEURORL_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define NEURORL_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Places{__VA_ARGS__})
#endif

namespace neurorl {

template <class T>
struct OnLines {
    typedef T value_type;
    OnLines() {}
    template <class U> OnLines(const OnLines<U> &) {}
    T *allocate(size_t n) { return (T *)::operator new(n * sizeof(T), std::align_val_t(64)); }
    void deallocate(T *p, size_t) { ::operator delete(p, std::align_val_t(64)); }
    template <class U> void construct(U *p) { ::new ((void *)p) U; }
    template <class U, class V> void construct(U *p, const V &value) { ::new ((void *)p) U(value); }
    template <class U> bool operator==(const OnLines<U> &) const { return true; }
    template <class U> bool operator!=(const OnLines<U> &) const { return false; }
};

typedef std::vector<double, OnLines<double>> Numbers;
typedef std::vector<int32_t, OnLines<int32_t>> Integers;
typedef std::vector<uint32_t, OnLines<uint32_t>> Words;

// Eight numbers of 32 bits, whole ones too: moving them changes no bit. Compilers shuffle vectors that
// are wider than the processor's one number at a time: of four or eight, it is what processors have.
typedef float Octet __attribute__((vector_size(32)));

// Make columns of 8 rows, which are then rows.
inline void transpose(Octet *rows)
{
    typedef int32_t Places __attribute__((vector_size(32)));
    Octet pairs[8], fours[8];
    for (int i = 0; i < 8; i += 2) {
        const Octet a = rows[i], b = rows[i + 1];
        pairs[i] = NEURORL_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
        pairs[i + 1] = NEURORL_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            const Octet a = pairs[i + k], b = pairs[i + k + 2];
            fours[i + 2 * k] = NEURORL_SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
            fours[i + 2 * k + 1] = NEURORL_SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        const Octet a = fours[i], b = fours[i + 4];
        rows[i] = NEURORL_SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        rows[i + 4] = NEURORL_SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

}  // namespace neurorl
