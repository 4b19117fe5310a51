// One level of the alignment of matches (cyano/processing/alignment.py, which names the method and its sources), one
// patch after the other: each stops by itself, and all that it needs stays in the first cache. Positions are (x, y).
#include <math.h>
#include <omp.h>

#include "scratch.h"

namespace {

constexpr int kRadius = 7;                    // samples from a patch's centre to its side
constexpr int kSide = 2 * kRadius + 1;
constexpr int kSamples = kSide * kSide;
constexpr int kPadded = 240;                  // samples in whole vectors; those beyond weigh nothing
constexpr int kRim = kSide + 2;               // with one more sample around, for the slopes
constexpr int kUnknowns = 6;                  // a shift by (x, y), and a shear of four numbers
constexpr float kLeastDeviation = 1e-6f;
constexpr float kLongestStep = 1.5f;          // over the distance of two samples
constexpr float kLargestShear = 0.25f;        // of one step
constexpr float kRelativeDamping = 1e-3f;
constexpr float kDamping = 1e-6f;

inline float limited(float x, float low, float high) {
    const float y = x > low ? x : low;  // NaN becomes `low`, which is a place
    return y < high ? y : high;
}

// An image whose pixels are means of `side` by `side` pixels of the whole one.
struct Picture {
    const float* pixels;
    int height;
    int width;
    float side;
};

// Grey values at places of the whole image, by linear interpolation; beyond the border as on it.
inline void sample(const Picture& picture, const float* x, const float* y, float* values, int count) {
    const float scale = 1.0f / picture.side;
    const int right = picture.width - 1, bottom = picture.height - 1, width = picture.width;
    const float* pixels = picture.pixels;
#pragma omp simd
    for (int i = 0; i < count; i++) {
        const float px = limited((x[i] + 0.5f) * scale - 0.5f, 0.0f, static_cast<float>(right));
        const float py = limited((y[i] + 0.5f) * scale - 0.5f, 0.0f, static_cast<float>(bottom));
        const int x0 = static_cast<int>(px), y0 = static_cast<int>(py);
        const int x1 = x0 < right ? x0 + 1 : right, y1 = y0 < bottom ? y0 + 1 : bottom;
        const float along_x = px - static_cast<float>(x0), along_y = py - static_cast<float>(y0);
        const float a = pixels[y0 * width + x0], b = pixels[y0 * width + x1];
        const float c = pixels[y1 * width + x0], d = pixels[y1 * width + x1];
        const float above = a + along_x * (b - a), below = c + along_x * (d - c);
        values[i] = above + along_y * (below - above);
    }
}

inline float product(const float* a, const float* b) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < kPadded; i++) sum += a[i] * b[i];
    return sum;
}

inline float weighted_product(const float* a, const float* b, const float* weights) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < kPadded; i++) sum += a[i] * b[i] * weights[i];
    return sum;
}

inline void add(float* to, float factor, const float* values) {
#pragma omp simd
    for (int i = 0; i < kPadded; i++) to[i] += factor * values[i];
}

// Values less their mean and over their standard deviation, which is returned.
inline float standardise(float* values, const float* weights) {
    const float mean = product(values, weights);
#pragma omp simd
    for (int i = 0; i < kPadded; i++) values[i] -= mean;
    const float spread = sqrtf(weighted_product(values, values, weights));
    const float deviation = spread > kLeastDeviation ? spread : kLeastDeviation;
    const float scale = 1 / deviation;
#pragma omp simd
    for (int i = 0; i < kPadded; i++) values[i] *= scale;
    return deviation;
}

// The inverse of a symmetric positive definite matrix of `size` rows.
void invert(double (*matrix)[kUnknowns], int size, float (*inverse)[kUnknowns]) {
    double result[kUnknowns][kUnknowns] = {};
    for (int i = 0; i < size; i++) result[i][i] = 1;
    for (int c = 0; c < size; c++) {
        const double scale = 1 / matrix[c][c];
        for (int j = 0; j < size; j++) {
            matrix[c][j] *= scale;
            result[c][j] *= scale;
        }
        for (int r = 0; r < size; r++) {
            const double factor = r == c ? 0 : matrix[r][c];
            for (int j = 0; j < size; j++) {
                matrix[r][j] -= factor * matrix[c][j];
                result[r][j] -= factor * result[c][j];
            }
        }
    }
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++) inverse[i][j] = static_cast<float>(result[i][j]);
}

// Two by two matrices, row by row.
struct Matrix {
    float v[4];

    Matrix times(const Matrix& o) const {
        return {{v[0] * o.v[0] + v[1] * o.v[2], v[0] * o.v[1] + v[1] * o.v[3],
                 v[2] * o.v[0] + v[3] * o.v[2], v[2] * o.v[1] + v[3] * o.v[3]}};
    }
    Matrix plus(const Matrix& o, float factor) const {
        return {{v[0] + factor * o.v[0], v[1] + factor * o.v[1], v[2] + factor * o.v[2], v[3] + factor * o.v[3]}};
    }
    float squares() const { return v[0] * v[0] + v[1] * v[1] + v[2] * v[2] + v[3] * v[3]; }
};

// What is the same for all patches of a level.
struct Level {
    float spacing;
    bool sheared;
    float stiffness;
    float contrast;
    int steps;
    float still;
    float farthest;
    float reach;
    int unknowns;
    alignas(64) float x[kPadded];  // of the samples, from the centre
    alignas(64) float y[kPadded];
    alignas(64) float weights[kPadded];

    Level(float spacing_, bool sheared_, float stiffness_, float window, float contrast_, int steps_, float still_, float farthest_)
        : spacing(spacing_), sheared(sheared_), stiffness(stiffness_), contrast(contrast_), steps(steps_), still(still_),
          farthest(farthest_), reach(kRadius * spacing_), unknowns(sheared_ ? kUnknowns : 2), x{}, y{}, weights{} {
        const double variance = 2.0 * window * window * reach * reach;
        double sum = 0;
        for (int i = 0; i < kSamples; i++) {
            x[i] = static_cast<float>(i % kSide - kRadius) * spacing;
            y[i] = static_cast<float>(i / kSide - kRadius) * spacing;
            weights[i] = static_cast<float>(exp(-(static_cast<double>(x[i]) * x[i] + static_cast<double>(y[i]) * y[i]) / variance));
            sum += weights[i];
        }
        for (int i = 0; i < kSamples; i++) weights[i] = static_cast<float>(weights[i] / sum);
    }
};

// A patch of image 0, and what a difference of grey values says of its place.
class Patch {
  public:
    Patch(const Level& level, const Picture& picture, float x, float y) : level_(level) {
        alignas(64) float px[kRim * kRim], py[kRim * kRim], rim[kRim * kRim];
        for (int i = 0; i < kRim * kRim; i++) {
            px[i] = x + static_cast<float>(i % kRim - kRadius - 1) * level.spacing;
            py[i] = y + static_cast<float>(i / kRim - kRadius - 1) * level.spacing;
        }
        sample(picture, px, py, rim, kRim * kRim);
        for (int i = 0; i < kSamples; i++) values[i] = rim[(i / kSide + 1) * kRim + i % kSide + 1];
        const float deviation = standardise(values, level.weights);
        plain = deviation < level.contrast;
        differentiate(rim, 1 / (2 * level.spacing * deviation));
        leave_out_gain_and_offset();
        solve();
    }

    // How differences move and shear the patch, by what the shears are now.
    void step(const float* difference, const Matrix& shears, float* unknowns) const {
        float slope[kUnknowns];
        for (int u = 0; u < level_.unknowns; u++) {
            slope[u] = product(slopes_[u], difference);
            if (u >= 2) slope[u] += level_.stiffness * level_.reach * shears.v[u - 2];
        }
        for (int u = 0; u < level_.unknowns; u++) {
            unknowns[u] = 0;
            for (int w = 0; w < level_.unknowns; w++) unknowns[u] += inverse_[u][w] * slope[w];
        }
    }

    float variance() const { return inverse_[0][0] + inverse_[1][1]; }

    alignas(64) float values[kPadded] = {};
    bool plain;

  private:
    void differentiate(const float* rim, float scale) {
        for (int i = 0; i < kSamples; i++) {
            const float* here = rim + (i / kSide + 1) * kRim + i % kSide + 1;
            slopes_[0][i] = (here[1] - here[-1]) * scale;
            slopes_[1][i] = (here[kRim] - here[-kRim]) * scale;
        }
        // Shears count in shares of the reach, so that all unknowns have one size.
        for (int u = 2; u < level_.unknowns; u++) {
            const float* along = u % 2 ? level_.y : level_.x;
            for (int i = 0; i < kSamples; i++) slopes_[u][i] = slopes_[u / 2 - 1][i] * along[i] / level_.reach;
        }
    }

    // What they explain says nothing about the place.
    void leave_out_gain_and_offset() {
        for (int u = 0; u < level_.unknowns; u++) {
            const float mean = product(slopes_[u], level_.weights);
            for (int i = 0; i < kPadded; i++) slopes_[u][i] -= mean;
            add(slopes_[u], -weighted_product(slopes_[u], values, level_.weights), values);
        }
    }

    void solve() {
        double normal[kUnknowns][kUnknowns];
        for (int a = 0; a < level_.unknowns; a++)
            for (int b = 0; b <= a; b++)
                normal[a][b] = normal[b][a] = weighted_product(slopes_[a], slopes_[b], level_.weights);
        for (int a = 0; a < level_.unknowns; a++)
            normal[a][a] += normal[a][a] * kRelativeDamping + kDamping + (a >= 2 ? level_.stiffness : 0);
        invert(normal, level_.unknowns, inverse_);
        for (int u = 0; u < level_.unknowns; u++)
            for (int i = 0; i < kPadded; i++) slopes_[u][i] *= level_.weights[i];
    }

    const Level& level_;
    alignas(64) float slopes_[kUnknowns][kPadded] = {};  // weighted in the end
    float inverse_[kUnknowns][kUnknowns];
};

struct Place {
    float x;
    float y;
    Matrix shears;
};

// Gauss-Newton steps until the patch lies still; the best place on the way, and its uncertainty in pixels.
float descend(const Level& level, const Patch& patch, const Picture& picture, const Matrix& neighbours, float origin_x, float origin_y, Place* place) {
    alignas(64) float x[kPadded], y[kPadded], seen[kPadded];
    Place now = *place;
    float least = INFINITY;
    bool plain = patch.plain;
    for (int step = 0; step < level.steps; step++) {
        const Matrix map = neighbours.plus(neighbours.times(now.shears), 1);
#pragma omp simd
        for (int i = 0; i < kPadded; i++) {
            x[i] = now.x + map.v[0] * level.x[i] + map.v[1] * level.y[i];
            y[i] = now.y + map.v[2] * level.x[i] + map.v[3] * level.y[i];
        }
        sample(picture, x, y, seen, kPadded);
        if (standardise(seen, level.weights) < level.contrast) plain = true;
        const float alike = weighted_product(patch.values, seen, level.weights);
        const float cost = 1 - alike * fabsf(alike) + level.stiffness * level.reach * level.reach * now.shears.squares();
        if (cost < least) {
            least = cost;
            *place = now;
        }
        add(seen, -alike, patch.values);
        float unknowns[kUnknowns];
        patch.step(seen, now.shears, unknowns);
        Matrix shear{};
        for (int i = 0; level.sheared && i < 4; i++)
            shear.v[i] = limited(unknowns[2 + i] / level.reach, -kLargestShear, kLargestShear);
        // The inverse of what the patch of image 0 would do, but for what vanishes on arrival.
        now.shears = now.shears.plus(shear, -1).plus(now.shears.times(shear), -1);
        const Matrix back = map.plus(map.times(shear), -1);
        const float move_x = -(back.v[0] * unknowns[0] + back.v[1] * unknowns[1]);
        const float move_y = -(back.v[2] * unknowns[0] + back.v[3] * unknowns[1]);
        const float length = sqrtf(move_x * move_x + move_y * move_y);
        const float share = length > kLongestStep * level.spacing ? kLongestStep * level.spacing / length : 1;
        now.x += share * move_x;
        now.y += share * move_y;
        const float away = sqrtf((now.x - origin_x) * (now.x - origin_x) + (now.y - origin_y) * (now.y - origin_y));
        if (length < level.still * level.spacing || !(away <= level.farthest)) break;
    }
    if (plain) return NAN;
    return least < 0 ? 0 : sqrtf(least * patch.variance());  // of equal pictures it may round to less than 0
}

}  // namespace

// Moves (count, 2) centres, which lie about the partners of (count, 2) points, and their (count, 2, 2) shears; writes
// (count,) uncertainties. `maps` (count, 2, 2) are how image 1 lies over image 0, and `origins` where the centres were
// before the first level.
CYANO_EXPORT int CYANO_NAME(align)(
    const float* pixels0, int height0, int width0, float side0, const float* pixels1, int height1, int width1, float side1,
    int count, const float* points, const float* maps, const float* origins, float* centres, float* shears, float* uncertainty,
    float spacing, int sheared, float stiffness, float window, float contrast, int steps, float still, float farthest, int threads) {
    const Picture picture0{pixels0, height0, width0, side0}, picture1{pixels1, height1, width1, side1};
    const Level level(spacing, sheared != 0, stiffness, window, contrast, steps, still, farthest);
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
    for (int k = 0; k < count; k++) {
        const Patch patch(level, picture0, points[2 * k], points[2 * k + 1]);
        Matrix neighbours;
        Place place{centres[2 * k], centres[2 * k + 1], {}};
        for (int i = 0; i < 4; i++) {
            neighbours.v[i] = maps[4 * k + i];
            place.shears.v[i] = shears[4 * k + i];
        }
        uncertainty[k] = descend(level, patch, picture1, neighbours, origins[2 * k], origins[2 * k + 1], &place);
        centres[2 * k] = place.x;
        centres[2 * k + 1] = place.y;
        for (int i = 0; i < 4; i++) shears[4 * k + i] = place.shears.v[i];
    }
    return kDone;
}
