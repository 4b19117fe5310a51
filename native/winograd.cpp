// 3x3 convolution of an image with a border of zeros, then ReLU, then 2x2 pooling if wanted, by Winograd's
// F(4x4, 3x3): A tile of 4x4 results comes of 36 products instead of 144, and over all channels those are 36 products
// of matrices. Source: Lavin and Gray, Fast algorithms for convolutional neural networks, arXiv:1509.09308.
//
// A task is a number of tiles of one image; what it holds in between stays in the cache of its core:
//   image     [height][width][inputs]
//   weights   [outputs / block][36][inputs][block], the last block being as narrow as what is left, in whole vectors
//   inputs    [36][tiles][inputs, in whole vectors], tiles that were transformed
//   products  [36][tiles][block]
#include <math.h>
#include <omp.h>

#include "product.h"
#include "scratch.h"

namespace {

constexpr int kTile = 4;                  // results of a tile along each side
constexpr int kSpan = kTile + 2;          // pixels that they are made from
constexpr int kPoints = kSpan * kSpan;    // products of a tile
constexpr int kRowsOfTask = 48;           // tiles, a multiple of the rows of every product
constexpr size_t kTaskFloats = 160 * 1024;  // transformed inputs that stay in the second cache beside the weights

constexpr double kWeightTransform[kSpan][3] = {
    {1. / 4, 0, 0},           {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
    {1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1}};

// The input transform along one axis, for the points 0, 1, -1, 2, -2 and infinity.
inline void transform_input(const Vector* d, Vector* out) {
    const Vector two = broadcast(2), four = broadcast(4), minus_four = broadcast(-4), minus_five = broadcast(-5);
    const Vector a = multiply_add(minus_four, d[2], d[4]), b = multiply_add(minus_four, d[1], d[3]);
    const Vector c = d[4] - d[2], e = two * (d[3] - d[1]);
    out[0] = multiply_add(four, d[0], multiply_add(minus_five, d[2], d[4]));
    out[1] = a + b;
    out[2] = a - b;
    out[3] = c + e;
    out[4] = c - e;
    out[5] = multiply_add(four, d[1], multiply_add(minus_five, d[3], d[5]));
}

// The output transform along one axis.
inline void transform_output(const Vector* m, Vector* out) {
    const Vector a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    out[0] = m[0] + a + c;
    out[1] = multiply_add(broadcast(2), d, b);
    out[2] = multiply_add(broadcast(4), c, a);
    out[3] = multiply_add(broadcast(8), d, b) + m[5];
}

struct Layer {
    const float* weights;
    const float* bias;
    int inputs;
    int outputs;
    bool pool;
};

// The first layer, from one channel to the inputs of this one, which is made on the way: its results are the largest
// of all, and would leave the cache.
struct FirstLayer {
    const float* weights;  // [9][inputs], null where there is none
    const float* bias;
};

struct Image {
    const float* pixels;
    int height;
    int width;

    bool holds(int y, int x) const { return y >= 0 && y < height && x >= 0 && x < width; }
};

// The pixels that a tile is made from: 36 pointers to `inputs` floats.
class Pixels {
  public:
    Pixels(const Image& image, const Layer& layer, const FirstLayer& first, float* memory)
        : image_(image), layer_(layer), first_(first), made_(memory), zeros_(memory + kPoints * whole_lanes(layer.inputs)) {
        for (int c = 0; c < whole_lanes(layer.inputs); c += kLanes) store(zeros_ + c, zero());
    }
    static size_t floats(int inputs) { return static_cast<size_t>(kPoints + 1) * whole_lanes(inputs); }

    void around(int top, int left, const float** pixel) const {
        if (first_.weights) make(top, left);
        for (int i = 0; i < kSpan; i++)
            for (int j = 0; j < kSpan; j++) {
                const int y = top + i, x = left + j;
                const float*& there = pixel[i * kSpan + j];
                if (!image_.holds(y, x)) there = zeros_;
                else if (first_.weights) there = made_ + (i * kSpan + j) * whole_lanes(layer_.inputs);
                else there = image_.pixels + (static_cast<size_t>(y) * image_.width + x) * layer_.inputs;
            }
    }

  private:
    void make(int top, int left) const {
        constexpr int kGrey = kSpan + 2;
        float grey[kGrey][kGrey];
        for (int i = 0; i < kGrey; i++)
            for (int j = 0; j < kGrey; j++) {
                const int y = top - 1 + i, x = left - 1 + j;
                grey[i][j] = image_.holds(y, x) ? image_.pixels[static_cast<size_t>(y) * image_.width + x] : 0.0f;
            }
        const int inputs = layer_.inputs;
        for (int c = 0; c < inputs; c += kLanes) {
            Vector weight[9];
            for (int k = 0; k < 9; k++) weight[k] = load_within(first_.weights + k * inputs, c, inputs);
            const Vector bias = load_within(first_.bias, c, inputs);
            for (int i = 0; i < kSpan; i++)
                for (int j = 0; j < kSpan; j++) {
                    Vector sum = bias;
#pragma GCC unroll 9
                    for (int k = 0; k < 9; k++)
                        sum = multiply_add(broadcast(grey[i + k / 3][j + k % 3]), weight[k], sum);
                    store(made_ + (i * kSpan + j) * whole_lanes(inputs) + c, maximum(zero(), sum));
                }
        }
    }

    const Image& image_;
    const Layer& layer_;
    const FirstLayer& first_;
    float* made_;
    float* zeros_;
};

// 36 pixels of `inputs` channels into row `row` of the 36 matrices.
void transform_tile(const float* const* pixel, int inputs, int rows, int row, float* transformed) {
    const int stride = whole_lanes(inputs);
    for (int c = 0; c < inputs; c += kLanes) {
        Vector half[kPoints], line[kSpan], out[kSpan];
        for (int j = 0; j < kSpan; j++) {
#pragma GCC unroll 6
            for (int i = 0; i < kSpan; i++) line[i] = load_within(pixel[i * kSpan + j], c, inputs);
            transform_input(line, out);
#pragma GCC unroll 6
            for (int i = 0; i < kSpan; i++) half[i * kSpan + j] = out[i];
        }
        for (int i = 0; i < kSpan; i++) {
            transform_input(half + i * kSpan, out);
#pragma GCC unroll 6
            for (int j = 0; j < kSpan; j++)
                store(transformed + (static_cast<size_t>(i * kSpan + j) * rows + row) * stride + c, out[j]);
        }
    }
}

// The 36 products of a task's first `tiles` tiles with a block of weights.
template <int Vectors>
void multiply_block(const float* transformed, int rows, int tiles, const float* weights, int inputs, float* products) {
    constexpr int kTogether = Vectors == 1 ? 12 : kRows * kBlockVectors / Vectors;
    static_assert(kRowsOfTask / 2 % kTogether == 0, "a task is a whole number of products");
    const int stride = whole_lanes(inputs), width = Vectors * kLanes;
    for (int point = 0; point < kPoints; point++)
        for (int row = 0; row < tiles; row += kTogether)
            product<Single, kTogether, Vectors, false>(
                transformed + (static_cast<size_t>(point) * rows + row) * stride, stride,
                weights + static_cast<size_t>(point) * inputs * width, width, inputs,
                products + (static_cast<size_t>(point) * rows + row) * width, width);
}

struct Output {
    float* values;
    int height;  // after pooling
    int width;
    int channels;

    void put(int y, int x, int channel, Vector v) const {
        if (y < height && x < width)
            store_within(values + (static_cast<size_t>(y) * width + x) * channels, channel, channels, v);
    }
};

// The results of one tile for a vector of channels, from `products` at its row of the first matrix.
inline void finish(const float* products, size_t stride, Vector bias, bool pool, int y, int x, int channel, const Output& output) {
    Vector half[kTile * kSpan], line[kSpan], out[kTile], result[kTile * kTile];
    for (int j = 0; j < kSpan; j++) {
#pragma GCC unroll 6
        for (int i = 0; i < kSpan; i++) line[i] = load(products + (i * kSpan + j) * stride);
        transform_output(line, out);
#pragma GCC unroll 4
        for (int i = 0; i < kTile; i++) half[i * kSpan + j] = out[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < kTile; i++) transform_output(half + i * kSpan, result + i * kTile);
    if (!pool) {
        for (int i = 0; i < kTile; i++)
            for (int j = 0; j < kTile; j++)
                output.put(y + i, x + j, channel, maximum(zero(), result[i * kTile + j] + bias));
        return;
    }
    for (int i = 0; i < kTile; i += 2)
        for (int j = 0; j < kTile; j += 2) {
            const Vector* four = result + i * kTile + j;
            const Vector most = maximum(maximum(four[0], four[1]), maximum(four[kTile], four[kTile + 1]));
            output.put((y + i) / 2, (x + j) / 2, channel, maximum(zero(), most + bias));
        }
}

int tiles_of_task(int inputs) {
    const int fitting = static_cast<int>(kTaskFloats / (kPoints * static_cast<size_t>(whole_lanes(inputs))));
    return fitting >= kRowsOfTask ? kRowsOfTask : kRowsOfTask / 2;
}

class Convolution {
  public:
    Convolution(const Image& image, const Layer& layer, const FirstLayer& first, const Output& output)
        : image_(image), layer_(layer), first_(first), output_(output), rows_(tiles_of_task(layer.inputs)),
          across_(divided_up(image.width, kTile)), tiles_(across_ * divided_up(image.height, kTile)) {}

    int tasks() const { return divided_up(tiles_, rows_); }
    size_t floats() const {
        return kPoints * static_cast<size_t>(kRowsOfTask) * (whole_lanes(layer_.inputs) + kBlock) + Pixels::floats(layer_.inputs);
    }

    void run(int task, float* memory) const {
        float* transformed = memory;
        float* products = transformed + kPoints * static_cast<size_t>(kRowsOfTask) * whole_lanes(layer_.inputs);
        const Pixels pixels(image_, layer_, first_, products + kPoints * static_cast<size_t>(kRowsOfTask) * kBlock);
        const int begin = task * rows_, count = smaller(rows_, tiles_ - begin);
        for (int row = 0; row < count; row++) {
            const float* pixel[kPoints];
            pixels.around((begin + row) / across_ * kTile - 1, (begin + row) % across_ * kTile - 1, pixel);
            transform_tile(pixel, layer_.inputs, rows_, row, transformed);
        }
        for (int from = 0; from < layer_.outputs;) {
            const int vectors = smaller(divided_up(layer_.outputs - from, kLanes), kBlockVectors);
            const int width = vectors == 3 ? 2 : vectors;  // there is no product of three vectors
            const float* weights = layer_.weights + static_cast<size_t>(kPoints) * layer_.inputs * from;
            if (width == 1) multiply_block<1>(transformed, rows_, count, weights, layer_.inputs, products);
            else if (width == 2) multiply_block<2>(transformed, rows_, count, weights, layer_.inputs, products);
            else multiply_block<kBlockVectors>(transformed, rows_, count, weights, layer_.inputs, products);
            for (int row = 0; row < count; row++) finish_tile(begin + row, row, products, from, width * kLanes);
            from += width * kLanes;
        }
    }

  private:
    void finish_tile(int tile, int row, const float* products, int from, int width) const {
        const int y = tile / across_ * kTile, x = tile % across_ * kTile;
        for (int c = 0; c < width && from + c < layer_.outputs; c += kLanes)
            finish(products + static_cast<size_t>(row) * width + c, static_cast<size_t>(rows_) * width,
                   load_within(layer_.bias, from + c, layer_.outputs), layer_.pool, y, x, from + c, output_);
    }

    const Image& image_;
    const Layer& layer_;
    const FirstLayer& first_;
    const Output& output_;
    int rows_;
    int across_;
    int tiles_;
};

}  // namespace

// Floats of the packed weights of a layer.
CYANO_EXPORT size_t CYANO_NAME(winograd_pack_size)(int inputs, int outputs) {
    return static_cast<size_t>(kPoints) * inputs * whole_lanes(outputs);
}

// weight [outputs][inputs][3][3] -> packed, see above.
CYANO_EXPORT int CYANO_NAME(winograd_pack)(const float* weight, int inputs, int outputs, float* packed) {
    const int padded = whole_lanes(outputs);
    for (int from = 0; from < padded;) {
        const int vectors = smaller((padded - from) / kLanes, kBlockVectors);
        const int width = (vectors == 3 ? 2 : vectors) * kLanes;
        float* block = packed + static_cast<size_t>(kPoints) * inputs * from;
        for (int k = 0; k < width; k++)
            for (int c = 0; c < inputs; c++) {
                const float* w = weight + (static_cast<size_t>(from + k) * inputs + c) * 9;
                for (int i = 0; i < kSpan; i++)
                    for (int j = 0; j < kSpan; j++) {
                        double sum = 0;
                        for (int a = 0; a < 3 && from + k < outputs; a++)
                            for (int b = 0; b < 3; b++) sum += kWeightTransform[i][a] * w[a * 3 + b] * kWeightTransform[j][b];
                        block[(static_cast<size_t>(i * kSpan + j) * inputs + c) * width + k] = static_cast<float>(sum);
                    }
            }
        from += width;
    }
    return kDone;
}

// image [height][width][inputs], or [height][width] where there is a first layer
//   -> output [height][width][outputs], or with pooling [height / 2][width / 2][outputs].
CYANO_EXPORT int CYANO_NAME(winograd)(
    const float* pixels, int height, int width, const float* first_weights, const float* first_bias,
    const float* weights, const float* bias, int inputs, int outputs, int pool, float* output, int threads) {
    const Image image{pixels, height, width};
    const Layer layer{weights, bias, inputs, outputs, pool != 0};
    const FirstLayer first{first_weights, first_bias};
    const Output results{output, pool ? height / 2 : height, pool ? width / 2 : width, outputs};
    const Convolution convolution(image, layer, first, results);
    const int tasks = convolution.tasks();
    const Scratch scratch(threads, convolution.floats());
    if (scratch.failed()) return kNoMemory;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int task = 0; task < tasks; task++) convolution.run(task, scratch.of_thread(omp_get_thread_num()));
    return kDone;
}
