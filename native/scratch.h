// Memory for the threads of one call, in whole cache lines.
#pragma once

#include <stdlib.h>

#include "target.h"

namespace {

constexpr size_t kCacheLine = 64;

class Scratch {
  public:
    Scratch(int threads, size_t floats_each) : stride_((floats_each * sizeof(float) + kCacheLine - 1) / kCacheLine * kCacheLine) {
        memory_ = static_cast<char*>(aligned_alloc(kCacheLine, threads * stride_));
    }
    ~Scratch() { free(memory_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    bool failed() const { return memory_ == nullptr; }
    float* of_thread(int thread) const { return reinterpret_cast<float*>(memory_ + thread * stride_); }

  private:
    size_t stride_;
    char* memory_;
};

// What kernels return.
constexpr int kDone = 0;
constexpr int kNoMemory = 1;
constexpr int kUnknownSize = 2;

}  // namespace
