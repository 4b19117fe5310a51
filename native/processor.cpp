// Which targets this processor has. Compiled for every x86-64 processor.
#define CYANO_EXPORT extern "C" __attribute__((visibility("default")))

// Whether the operating system keeps the wide registers is part of what the builtins ask for.
CYANO_EXPORT int cyano_has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

CYANO_EXPORT int cyano_has_avx512() {
    return cyano_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

CYANO_EXPORT int cyano_has_avx512bf16() { return cyano_has_avx512() && __builtin_cpu_supports("avx512bf16"); }
