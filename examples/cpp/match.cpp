// Two grey pictures to matches, with pair.onnx of `cyano export` and onnxruntime's C++ interface.
//
//   g++ -std=c++17 -O2 match.cpp -I ONNXRUNTIME/include -L ONNXRUNTIME/lib -lonnxruntime -o match
//   ./match onnx/pair.onnx a.pgm b.pgm > matches.txt
//
// Pictures are binary PGM files of 8 bits, best of 640 pixels along the longer side:
//   convert a.jpg -auto-orient -resize 640x640 -colorspace gray -depth 8 a.pgm
// Each line of the output is a match: x and y in the first picture, x and y in the second, and its probability.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int kLeastSide = 16;

struct Picture {
    int64_t width = 0;
    int64_t height = 0;
    std::vector<float> grey;  // [height][width], from 0 to 1
};

// The next number of a PGM header; lines that begin with # are comments.
int header_number(std::istream& file) {
    while ((file >> std::ws) && file.peek() == '#') file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    int number = 0;
    if (!(file >> number)) throw std::runtime_error("the header is not that of a PGM file");
    return number;
}

Picture read_pgm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + " cannot be opened");
    std::string kind(2, ' ');
    file.read(kind.data(), 2);
    if (kind != "P5") throw std::runtime_error(path + " is not a binary PGM file (P5)");
    Picture picture;
    picture.width = header_number(file);
    picture.height = header_number(file);
    const int most = header_number(file);
    file.get();  // one blank ends the header
    if (picture.width < kLeastSide || picture.height < kLeastSide) throw std::runtime_error(path + " is too small");
    if (most < 1 || most > 255) throw std::runtime_error(path + " has more than 8 bits");
    std::vector<unsigned char> bytes(static_cast<size_t>(picture.width * picture.height));
    if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
        throw std::runtime_error(path + " ends too early");
    picture.grey.reserve(bytes.size());
    for (const unsigned char byte : bytes) picture.grey.push_back(static_cast<float>(byte) / static_cast<float>(most));
    return picture;
}

// The picture as an input of the graph; it stays the owner of its values.
Ort::Value tensor_of(Picture& picture, const Ort::MemoryInfo& memory) {
    const std::array<int64_t, 4> shape = {1, 1, picture.height, picture.width};
    return Ort::Value::CreateTensor<float>(memory, picture.grey.data(), picture.grey.size(), shape.data(), shape.size());
}

struct Match {
    float x0, y0, x1, y1, score;
};

// Outputs are asked for by name, in this order: the order of the file is up to the program that wrote it.
constexpr std::array<const char*, 4> kOutputs = {"keypoints0", "keypoints1", "matches0", "matching_scores0"};

std::vector<Match> match(Ort::Session& session, Picture& picture0, Picture& picture1) {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<Ort::Value> inputs;
    inputs.push_back(tensor_of(picture0, memory));
    inputs.push_back(tensor_of(picture1, memory));
    const std::array<const char*, 2> names = {"image0", "image1"};
    const auto found = session.Run(
        Ort::RunOptions{nullptr}, names.data(), inputs.data(), inputs.size(), kOutputs.data(), kOutputs.size());
    const float* keypoints0 = found[0].GetTensorData<float>();     // [K][2], x and y
    const float* keypoints1 = found[1].GetTensorData<float>();     // [K][2]
    const int64_t* partners = found[2].GetTensorData<int64_t>();   // [1][K], -1 for none
    const float* scores = found[3].GetTensorData<float>();         // [1][K]
    const int64_t count = found[2].GetTensorTypeAndShapeInfo().GetShape()[1];
    std::vector<Match> matches;
    for (int64_t i = 0; i < count; i++) {
        const int64_t partner = partners[i];
        if (partner < 0) continue;
        matches.push_back({keypoints0[2 * i], keypoints0[2 * i + 1], keypoints1[2 * partner], keypoints1[2 * partner + 1],
                           scores[i]});
    }
    return matches;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) {
        std::fprintf(stderr, "usage: %s pair.onnx a.pgm b.pgm\n", arguments[0]);
        return 2;
    }
    try {
        Picture picture0 = read_pgm(arguments[2]);
        Picture picture1 = read_pgm(arguments[3]);
        Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "cyano");
        Ort::SessionOptions options;
#ifdef _WIN32
        const std::string narrow = arguments[1];
        const std::wstring path(narrow.begin(), narrow.end());
#else
        const std::string path = arguments[1];
#endif
        Ort::Session session(environment, path.c_str(), options);
        for (const Match& each : match(session, picture0, picture1))
            std::printf("%.4f %.4f %.4f %.4f %.6f\n", each.x0, each.y0, each.x1, each.y1, each.score);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
    return EXIT_SUCCESS;
}
