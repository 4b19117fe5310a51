// Multi-head attention of the keypoints of two images, each to its own image's or to the other's (SuperGlue,
// arXiv:1911.11763, section 3.1): for some rows of queries at a time, all scores, their softmax in float32, and the sums
// of values. Products are float32, or of pairs of bfloat16.
//
//   qkv     [rows][query, key, value][heads][size], rows of image 0 and then those of image 1
//   keys    [head][block of keys][size / depth][keys of a block][depth], blocks ending in zeros
//   values  [head][keys / depth][size][depth], likewise
#include <math.h>
#include <omp.h>
#include <string.h>

#include "product.h"
#include "scratch.h"

namespace {

constexpr int kQueries = 4 * kRows;      // of a task
constexpr int kValueRows = 128;          // keys whose values stay in the first cache for all of them
constexpr float kLog2OfE = 1.44269504f;
constexpr float kSmallestPower = -126.0f;
constexpr float kPowerSeries[] = {  // ln(2)^n / n! for n = 6, 5, ... 0
    1.5403530e-4f, 1.3333558e-3f, 9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f};

// 2^x for x <= 0 by a Taylor polynomial about the nearest whole number; relative error 2e-7. NaN stays NaN.
inline Vector power_of_two(Vector x) {
    x = maximum(broadcast(kSmallestPower), x);
    const Vector whole = rounded(x), rest = x - whole;
    Vector sum = broadcast(kPowerSeries[0]);
    for (int i = 1; i < 7; i++) sum = multiply_add(sum, rest, broadcast(kPowerSeries[i]));
    return times_power(sum, whole);
}

// How numbers are kept for their products.
struct SingleStore : Single {
    static void put(Element* to, Vector v) { store(to, v); }
    // Values of keys [n, n + 1), columns [c, c + lanes).
    static void put_values(Element* to, const float* first, const float*) { store(to, load(first)); }
};

#if defined(__AVX512BF16__)
struct PairStore : Pairs {
    static __m256i rounded_off(Vector v) { return (__m256i)_mm512_cvtneps_pbh(v); }
    static void put(Element* to, Vector v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded_off(v)); }
    // Values of keys [n, n + 2), interleaved.
    static void put_values(Element* to, const float* first, const float* second) {
        const __m512i low = _mm512_cvtepu16_epi32(rounded_off(load(first)));
        const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded_off(load(second))), 16);
        _mm512_storeu_si512(to, _mm512_or_si512(low, high));
    }
};
#endif

struct Problem {
    const float* qkv;
    size_t stride;
    float* out;
    size_t out_stride;
    int count[2];
    int heads;
    bool cross;

    int blocks(int side) const { return divided_up(count[side], kBlock); }
    int tasks(int side) const { return divided_up(count[side], kQueries); }
    int first(int side) const { return side ? count[0] : 0; }
};

template <class Store, int Size>
class Attention {
  public:
    using Element = typename Store::Element;
    static constexpr int kDepth = Store::kDepth;

    Attention(const Problem& problem, float* packed) : problem_(problem) {
        keys_ = reinterpret_cast<Element*>(packed);
        values_ = keys_ + elements(problem);
    }

    // Floats for keys and values, and for a thread.
    static size_t packed_floats(const Problem& problem) { return 2 * elements(problem) * sizeof(Element) / sizeof(float) + kLanes; }
    static size_t thread_floats(const Problem& problem) {
        const int longest = problem.blocks(0) > problem.blocks(1) ? problem.blocks(0) : problem.blocks(1);
        return static_cast<size_t>(kQueries) * (2 * static_cast<size_t>(longest) * kBlock + 3 * Size);
    }

    void pack(int head, int side, int block) const {
        const int begin = block * kBlock, count = problem_.count[side];
        Element* keys = keys_ + offset(head, side, block);
        Element* values = values_ + offset(head, side, block);
        const float nothing[Size] = {};
        for (int key = 0; key < kBlock; key++) {
            const float* row = begin + key < count ? part(head, side, begin + key, 1) : nothing;
            alignas(64) Element kept[Size];
            for (int c = 0; c < Size; c += kLanes) Store::put(kept + c, load(row + c));
            for (int c = 0; c < Size; c++) keys[(c / kDepth * kBlock + key) * kDepth + c % kDepth] = kept[c];
        }
        for (int key = 0; key < kBlock; key += kDepth)
            for (int c = 0; c < Size; c += kLanes) {
                const float* row = begin + key < count ? part(head, side, begin + key, 2) : nothing;
                const float* next = begin + key + 1 < count ? part(head, side, begin + key + 1, 2) : nothing;
                Store::put_values(values + key * Size + c * kDepth, row + c, next + c);
            }
    }

    void attend(int head, int side, int task, float* memory) const {
        const int source = problem_.cross ? 1 - side : side, begin = task * kQueries;
        const int rows = smaller(kQueries, problem_.count[side] - begin), blocks = problem_.blocks(source);
        const size_t width = static_cast<size_t>(blocks) * kBlock;
        float* scores = memory;
        float* sums = scores + kQueries * width;
        Element* queries = reinterpret_cast<Element*>(sums + kQueries * Size);
        Element* shares = queries + kQueries * Size;
        load_queries(head, side, begin, rows, queries);
        for (int block = 0; block < blocks; block++)
            for (int row = 0; row < rows; row += kRows)
                product<Store, kRows, kBlockVectors, false>(
                    queries + row * Size, Size, keys_ + offset(head, source, block), kBlock * kDepth, Size / kDepth,
                    scores + row * width + block * kBlock, width);
        float scale[kQueries];
        for (int row = 0; row < rows; row++)
            scale[row] = 1 / softmax(scores + row * width, problem_.count[source], width, shares + row * width);
        add_values(values_ + offset(head, source, 0), shares, width, rows, sums);
        for (int row = 0; row < rows; row++) {
            float* out = problem_.out + (problem_.first(side) + begin + row) * problem_.out_stride + head * Size;
            for (int c = 0; c < Size; c += kLanes) store(out + c, load(sums + row * Size + c) * broadcast(scale[row]));
        }
    }

  private:
    static size_t elements(const Problem& problem) {
        return static_cast<size_t>(problem.blocks(0) + problem.blocks(1)) * problem.heads * kBlock * Size;
    }

    size_t offset(int head, int side, int block) const {
        const size_t before = side ? static_cast<size_t>(problem_.blocks(0)) * problem_.heads : 0;
        return (before + static_cast<size_t>(head) * problem_.blocks(side) + block) * kBlock * Size;
    }

    // Query (0), key (1) or value (2) of a keypoint.
    const float* part(int head, int side, int keypoint, int which) const {
        return problem_.qkv + (problem_.first(side) + keypoint) * problem_.stride + (which * problem_.heads + head) * Size;
    }

    // Rows beyond the last are zeros, so that all products are of as many rows.
    void load_queries(int head, int side, int begin, int rows, Element* queries) const {
        const Vector scale = broadcast(kLog2OfE / sqrtf(static_cast<float>(Size)));
        for (int row = 0; row < kQueries; row++)
            for (int c = 0; c < Size; c += kLanes)
                Store::put(queries + row * Size + c, row < rows ? load(part(head, side, begin + row, 0) + c) * scale : zero());
    }

    // Scores to powers of two below the greatest, 0 beyond the last key; their sum.
    static float softmax(float* scores, int count, size_t width, Element* shares) {
        for (size_t key = count; key < width; key++) scores[key] = -INFINITY;
        Vector greatest = load(scores);
        for (size_t key = kLanes; key < width; key += kLanes) greatest = maximum(greatest, load(scores + key));
        const Vector most = broadcast(maximum_of(greatest));
        Vector sum[kBlockVectors];
        for (int j = 0; j < kBlockVectors; j++) sum[j] = zero();
        for (size_t key = 0; key < width; key += kBlock)
            for (int j = 0; j < kBlockVectors; j++) {
                const size_t at = key + j * kLanes;
                const Vector share = power_of_two(load(scores + at) - most);
                Store::put(shares + at, share);
                sum[j] = sum[j] + share;
            }
        for (int j = 1; j < kBlockVectors; j++) sum[0] = sum[0] + sum[j];
        return sum_of(sum[0]);
    }

    static void add_values(const Element* values, const Element* shares, size_t width, int rows, float* sums) {
        constexpr int kVectors = Size / kLanes < kBlockVectors ? Size / kLanes : kBlockVectors;
        for (size_t key = 0; key < width; key += kValueRows) {
            const int steps = static_cast<int>(width - key < kValueRows ? width - key : kValueRows) / kDepth;
            for (int c = 0; c < Size; c += kVectors * kLanes)
                for (int row = 0; row < rows; row += kRows) {
                    const Element* from = values + key * Size + c * kDepth;
                    auto add = key ? product<Store, kRows, kVectors, true> : product<Store, kRows, kVectors, false>;
                    add(shares + row * width + key, width, from, Size * kDepth, steps, sums + row * Size + c, Size);
                }
        }
    }

    const Problem& problem_;
    Element* keys_;
    Element* values_;
};

template <class Store, int Size>
int run(const Problem& problem, int threads) {
    using Kind = Attention<Store, Size>;
    const Scratch packed(1, Kind::packed_floats(problem)), scratch(threads, Kind::thread_floats(problem));
    if (packed.failed() || scratch.failed()) return kNoMemory;
    const Kind attention(problem, packed.of_thread(0));
    const int blocks = problem.blocks(0) + problem.blocks(1), tasks = problem.tasks(0) + problem.tasks(1);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int i = 0; i < problem.heads * blocks; i++) {
            const int block = i % blocks, side = block >= problem.blocks(0);
            attention.pack(i / blocks, side, side ? block - problem.blocks(0) : block);
        }
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < problem.heads * tasks; i++) {
            const int task = i % tasks, side = task >= problem.tasks(0);
            attention.attend(i / tasks, side, side ? task - problem.tasks(0) : task, scratch.of_thread(omp_get_thread_num()));
        }
    }
    return kDone;
}

template <class Store>
int run_sized(const Problem& problem, int size, int threads) {
    switch (size) {
        case 32: return run<Store, 32>(problem, threads);
        case 64: return run<Store, 64>(problem, threads);
        case 128: return run<Store, 128>(problem, threads);
        default: return kUnknownSize;
    }
}

}  // namespace

// qkv (count0 + count1, 3 * heads * size) -> out (count0 + count1, heads * size); strides in floats. Both counts are
// positive. `pairs` has products computed in bfloat16 where the target can.
CYANO_EXPORT int CYANO_NAME(attention)(
    const float* qkv, int stride, float* out, int out_stride, int count0, int count1, int heads, int size, int cross, int pairs, int threads) {
    const Problem problem{qkv, static_cast<size_t>(stride), out, static_cast<size_t>(out_stride), {count0, count1}, heads, cross != 0};
#if defined(__AVX512BF16__)
    if (pairs) return run_sized<PairStore>(problem, size, threads);
#endif
    (void)pairs;
    return run_sized<SingleStore>(problem, size, threads);
}
