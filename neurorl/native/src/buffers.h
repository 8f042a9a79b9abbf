// Vectors that begin at a cache line: loads and stores of 64 bytes that straddle two lines cost twice
// as much. What they grow by isn't set to 0.
#pragma once

#include <stdint.h>
#include <new>
#include <vector>

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

}  // namespace neurorl
