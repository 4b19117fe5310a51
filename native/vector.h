// A vector of floats, as wide as the target has them.
#pragma once

#include <immintrin.h>

#include "target.h"

namespace {

#if defined(__AVX512F__)

constexpr int kLanes = 16;
constexpr int kRegisters = 32;
using Vector = __m512;

inline Vector load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
inline Vector broadcast(float x) { return _mm512_set1_ps(x); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
// The second where either is NaN.
inline Vector maximum(Vector a, Vector b) { return _mm512_max_ps(a, b); }

// x times two to the power of n, which is whole and at least -126.
inline Vector times_power(Vector x, Vector n) { return _mm512_scalef_ps(x, n); }
inline Vector rounded(Vector x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline float sum_of(Vector v) { return _mm512_reduce_add_ps(v); }
inline float maximum_of(Vector v) { return _mm512_reduce_max_ps(v); }

inline __mmask16 first_lanes(int count) { return static_cast<__mmask16>((1u << count) - 1); }
inline Vector load_first(const float* from, int count) { return _mm512_maskz_loadu_ps(first_lanes(count), from); }
inline void store_first(float* to, Vector v, int count) { _mm512_mask_storeu_ps(to, first_lanes(count), v); }

#else

constexpr int kLanes = 8;
constexpr int kRegisters = 16;
using Vector = __m256;

inline Vector load(const float* from) { return _mm256_loadu_ps(from); }
inline void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
inline Vector broadcast(float x) { return _mm256_set1_ps(x); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
// The second where either is NaN.
inline Vector maximum(Vector a, Vector b) { return _mm256_max_ps(a, b); }

// x times two to the power of n, which is whole and at least -126.
inline Vector times_power(Vector x, Vector n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return x * _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
inline Vector rounded(Vector x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline float sum_of(Vector v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
inline float maximum_of(Vector v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

inline __m256i first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vector load_first(const float* from, int count) { return _mm256_maskload_ps(from, first_lanes(count)); }
inline void store_first(float* to, Vector v, int count) { _mm256_maskstore_ps(to, first_lanes(count), v); }

#endif

inline Vector zero() { return broadcast(0.0f); }
inline int smaller(int a, int b) { return a < b ? a : b; }
inline int divided_up(int a, int b) { return (a + b - 1) / b; }
inline int whole_lanes(int count) { return divided_up(count, kLanes) * kLanes; }

// The vector at `offset` of `length` floats; beyond them there is nothing to read, and zeros come instead.
inline Vector load_within(const float* from, int offset, int length) {
    const int left = length - offset;
    return left >= kLanes ? load(from + offset) : load_first(from + offset, left);
}

inline void store_within(float* to, int offset, int length, Vector v) {
    const int left = length - offset;
    if (left >= kLanes) store(to + offset, v);
    else store_first(to + offset, v, left);
}

}  // namespace
