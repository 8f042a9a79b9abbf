/* The draws of neurorl.numerics.random: Philox4x32-10, of which step % 4 picks one of four words. */
#ifndef NEURORL_PHILOX_H
#define NEURORL_PHILOX_H
#include <stdint.h>

/* Written out, as compilers vectorise no loop around a loop of rounds. */
#define NEURORL_ROUND                                                      \
    p0 = (uint64_t)c0 * 0xD2511F53U, p1 = (uint64_t)c2 * 0xCD9E8D57U;      \
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, c1 = (uint32_t)p1;                \
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1, c3 = (uint32_t)p0;                \
    k0 += 0x9E3779B9U, k1 += 0xBB67AE85U;

static inline uint32_t neurorl_word(
    const int64_t i, const int64_t step, const int64_t stream, const int64_t seed)
{
    const uint64_t block = (uint64_t)step >> 2;
    uint32_t c0 = (uint32_t)i, c1 = (uint32_t)block;
    uint32_t c2 = (uint32_t)(block >> 32), c3 = (uint32_t)stream;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)((uint64_t)seed >> 32);
    uint64_t p0, p1;
    NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND
    NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND NEURORL_ROUND
    const uint32_t odd = -(uint32_t)(step & 1), high = -(uint32_t)(step >> 1 & 1);
    const uint32_t low_word = c0 ^ ((c0 ^ c1) & odd), high_word = c2 ^ ((c2 ^ c3) & odd);
    return low_word ^ ((low_word ^ high_word) & high);
}

#undef NEURORL_ROUND
#endif
