// Products of a few rows with a few vectors of columns, summed in registers: the inner loop of every kernel here.
#pragma once

#include "vector.h"

namespace {

constexpr int kBlockVectors = kRegisters / 8;          // vectors of columns at a time
constexpr int kBlock = kBlockVectors * kLanes;
constexpr int kRows = (kRegisters - kRegisters / 4) / kBlockVectors;  // rows beside them

// Numbers as they are multiplied: one after the other, in float32.
struct Single {
    using Element = float;
    static constexpr int kDepth = 1;

    static Vector columns(const Element* from) { return load(from); }
    static Vector multiply(Vector sum, const Element* row, Vector columns) { return multiply_add(broadcast(*row), columns, sum); }
};

#if defined(__AVX512BF16__)
// In bfloat16, two at a time; sums are float32.
struct Pairs {
    using Element = uint16_t;
    static constexpr int kDepth = 2;

    static Vector columns(const Element* from) { return _mm512_loadu_ps(from); }
    static Vector multiply(Vector sum, const Element* row, Vector columns) {
        int pair;
        __builtin_memcpy(&pair, row, sizeof pair);
        return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_set1_epi32(pair), (__m512bh)columns);
    }
};
#endif

// out [Rows][Vectors * lanes] = (or +=) rows [Rows][steps * depth] times columns [steps][Vectors * lanes][depth].
// The strides are those of a row of each, in elements.
template <class Arithmetic, int Rows, int Vectors, bool Add>
inline void product(
    const typename Arithmetic::Element* rows, size_t row_stride, const typename Arithmetic::Element* columns,
    size_t column_stride, int steps, float* out, size_t out_stride) {
    Vector sum[Rows][Vectors];
#pragma GCC unroll 24
    for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; j++) sum[i][j] = Add ? load(out + i * out_stride + j * kLanes) : zero();
    for (int step = 0; step < steps; step++) {
        Vector column[Vectors];
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; j++)
            column[j] = Arithmetic::columns(columns + step * column_stride + j * kLanes * Arithmetic::kDepth);
#pragma GCC unroll 24
        for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
            for (int j = 0; j < Vectors; j++)
                sum[i][j] = Arithmetic::multiply(sum[i][j], rows + i * row_stride + step * Arithmetic::kDepth, column[j]);
    }
#pragma GCC unroll 24
    for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; j++) store(out + i * out_stride + j * kLanes, sum[i][j]);
}

}  // namespace
