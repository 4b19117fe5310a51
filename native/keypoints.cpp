// From the maps of a detector and its image to scores that are 0 but at keypoints (cyano/processing/structure.py and
// keypoints.py, which name the sources). Every function makes one row of a map from some rows of others, so rows are
// what threads share.
#include <math.h>
#include <omp.h>

#include "scratch.h"
#include "vector.h"

namespace {

constexpr int kTaps = 9;  // of a filter
constexpr int kReach = kTaps / 2;

struct Map {
    float* values;
    int height;
    int width;

    float* row(int y) const { return values + static_cast<size_t>(y) * width; }
};

// A row with room for `margin` values on both sides, and for whole vectors beyond.
size_t row_floats(int width, int margin) { return static_cast<size_t>(width) + 2 * margin + 2 * kLanes; }

inline int within(int y, int height) { return y < 0 ? 0 : y < height ? y : height - 1; }

// Second derivatives by Gaussian filters: first along y, into three rows, and then along x.
struct Filters {
    const float* along_x;  // [xx, yy, xy][taps]
    const float* along_y;
};

void hessian_row(const Map& image, const Filters& filters, int y, const Map& response, float* memory) {
    const int width = image.width;
    const size_t stride = row_floats(width, kReach);
    const float* rows[kTaps];
    for (int tap = 0; tap < kTaps; tap++) rows[tap] = image.row(within(y + tap - kReach, image.height));
    for (int which = 0; which < 3; which++) {
        float* filtered = memory + which * stride + kReach;
        for (int x = 0; x < width; x += kLanes) {
            Vector sum = zero();
            for (int tap = 0; tap < kTaps; tap++)
                sum = multiply_add(broadcast(filters.along_y[which * kTaps + tap]), load_within(rows[tap], x, width), sum);
            store_within(filtered, x, width, sum);
        }
        for (int beyond = 1; beyond <= kReach; beyond++) {  // the border's pixels repeat
            filtered[-beyond] = filtered[0];
            filtered[width - 1 + beyond] = filtered[width - 1];
        }
    }
    for (int x = 0; x < response.width; x += kLanes) {
        Vector derivative[3];
        for (int which = 0; which < 3; which++) {
            const float* filtered = memory + which * stride + x;
            derivative[which] = zero();
            for (int tap = 0; tap < kTaps; tap++)
                derivative[which] = multiply_add(broadcast(filters.along_x[which * kTaps + tap]), load(filtered + tap), derivative[which]);
        }
        const Vector determinant = derivative[0] * derivative[1] - derivative[2] * derivative[2];
        store_within(response.row(y), x, response.width, maximum(zero(), determinant));
    }
}

// The rows of a map that lie within `radius` of row y.
struct Rows {
    int first;
    int last;

    Rows(const Map& map, int y, int radius)
        : first(y > radius ? y - radius : 0), last(smaller(y + radius, map.height - 1)) {}
    int count() const { return last - first + 1; }
};

// Maxima over windows of 2 radius + 1 pixels along both axes, of row y; beyond the border there is nothing.
void window_maxima(const Map& map, int y, int radius, float* row) {
    const Rows rows(map, y, radius);
    const int length = map.width + 2 * radius;
    for (int x = 0; x < radius; x++) row[x] = row[map.width + radius + x] = -INFINITY;
    for (int x = 0; x < map.width; x += kLanes) {
        Vector most = load_within(map.row(rows.first), x, map.width);
        for (int other = rows.first + 1; other <= rows.last; other++)
            most = maximum(most, load_within(map.row(other), x, map.width));
        store_within(row + radius, x, map.width, most);
    }
    for (int x = length; x < length + 2 * kLanes; x++) row[x] = -INFINITY;
    // Windows double until one more shift completes them.
    for (int size = 1; size < 2 * radius + 1;) {
        const int shift = smaller(size, 2 * radius + 1 - size);
        for (int x = 0; x < length - shift; x += kLanes) store(row + x, maximum(load(row + x), load(row + x + shift)));
        size += shift;
    }
}

// Means over the pixels of the map that lie within `radius` along both axes, of row y.
void window_means(const Map& map, int y, int radius, float* row) {
    const Rows rows(map, y, radius);
    float* sums = row + row_floats(map.width, radius);
    for (int x = 0; x < radius; x++) sums[x] = sums[map.width + radius + x] = 0;
    for (int x = 0; x < map.width; x += kLanes) {
        Vector sum = zero();
        for (int other = rows.first; other <= rows.last; other++) sum = sum + load_within(map.row(other), x, map.width);
        store_within(sums + radius, x, map.width, sum);
    }
    for (int x = 0; x < map.width; x += kLanes) {
        Vector sum = zero();
        for (int step = 0; step <= 2 * radius; step++) sum = sum + load(sums + x + step);
        store(row + x, sum);
    }
    for (int x = 0; x < map.width; x++) {
        const int columns = smaller(x + radius, map.width - 1) - (x > radius ? x - radius : 0) + 1;
        row[x] /= static_cast<float>(rows.count() * columns);
    }
}

struct Weights {
    float strong;  // response of a clear place
    int reach;     // of the surroundings
    float expected;  // pixels of a cell
};

// How sure the detector is of the surroundings, times how clear the place is; 0 but at maxima of the response.
void score_row(const Map& probabilities, const Map& response, const Weights& weights, int y, const Map& scores, float* memory) {
    const int width = scores.width;
    float* means = memory;
    float* most = memory + 2 * row_floats(width, weights.reach);
    window_means(probabilities, y, weights.reach, means);
    window_maxima(response, y, 1, most);
    const float* here = response.row(y);
    float* out = scores.row(y);
    for (int x = 0; x < width; x++) {
        const float near = means[x] * weights.expected;
        const float score = (near < 1 ? near : 1) * (here[x] / (here[x] + weights.strong));
        out[x] = here[x] == most[x] && here[x] > 0 ? score : 0;
    }
}

// Maxima of what is left, beside those that there are.
void mark_row(const Map& left, int y, int radius, const Map& maxima, float* memory) {
    window_maxima(left, y, radius, memory);
    const float* here = left.row(y);
    float* marks = maxima.row(y);
    for (int x = 0; x < left.width; x++)
        if (here[x] > 0 && here[x] == memory[x]) marks[x] = 1;
}

// The scores that no maximum is near to.
void leave_row(const Map& scores, const Map& maxima, int y, int radius, const Map& left, float* memory) {
    window_maxima(maxima, y, radius, memory);
    for (int x = 0; x < scores.width; x++) left.row(y)[x] = memory[x] > 0 ? 0 : scores.row(y)[x];
}

}  // namespace

// image [height][width] and a detector's probabilities [rows][columns], of which the image is at least as large
//   -> response and scores [rows][columns].
CYANO_EXPORT int CYANO_NAME(structured_scores)(
    const float* pixels, int height, int width, const float* along_x, const float* along_y, const float* probable, int rows,
    int columns, float strong, int reach, float expected, float* response, float* scores, int threads) {
    const Map image{const_cast<float*>(pixels), height, width}, probabilities{const_cast<float*>(probable), rows, columns};
    const Map responses{response, rows, columns}, results{scores, rows, columns};
    const Filters filters{along_x, along_y};
    const Weights weights{strong, reach, expected};
    const Scratch scratch(threads, 3 * row_floats(width, kReach) + 3 * row_floats(columns, reach + 1));
    if (scratch.failed()) return kNoMemory;
#pragma omp parallel num_threads(threads)
    {
        float* memory = scratch.of_thread(omp_get_thread_num());
#pragma omp for
        for (int y = 0; y < rows; y++) hessian_row(image, filters, y, responses, memory);
#pragma omp for
        for (int y = 0; y < rows; y++) score_row(probabilities, responses, weights, y, results, memory);
    }
    return kDone;
}

// scores [height][width], not negative -> those that are the highest within `radius` along both axes, 0 elsewhere; one
// that only loses to such as are suppressed themselves has another chance, twice.
CYANO_EXPORT int CYANO_NAME(suppress)(const float* scores, int height, int width, int radius, float* kept, int threads) {
    const Map map{const_cast<float*>(scores), height, width}, maxima{kept, height, width};
    const Scratch rest(1, static_cast<size_t>(height) * width), scratch(threads, row_floats(width, radius));
    if (rest.failed() || scratch.failed()) return kNoMemory;
    const Map left{rest.of_thread(0), height, width};
#pragma omp parallel num_threads(threads)
    {
        float* memory = scratch.of_thread(omp_get_thread_num());
#pragma omp for
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) maxima.row(y)[x] = 0;
            mark_row(map, y, radius, maxima, memory);
        }
        for (int round = 0; round < 2; round++) {
#pragma omp for
            for (int y = 0; y < height; y++) leave_row(map, maxima, y, radius, left, memory);
#pragma omp for
            for (int y = 0; y < height; y++) mark_row(left, y, radius, maxima, memory);
        }
#pragma omp for
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) maxima.row(y)[x] = maxima.row(y)[x] > 0 ? map.row(y)[x] : 0;
    }
    return kDone;
}
