// As much of Metal's standard library as naga's MSL of the activations needs.

#include <cstddef>

#if defined(__SSE__)
#include <immintrin.h>
#endif

namespace metal {

typedef float float4 __attribute__((ext_vector_type(4)));
typedef int bool4 __attribute__((ext_vector_type(4)));
typedef int int4 __attribute__((ext_vector_type(4)));
typedef unsigned uint4 __attribute__((ext_vector_type(4)));

template <typename T> T select(T no, T yes, bool4 condition) { return condition ? yes : no; }
template <typename To, typename From> To as_type(From from) { return __builtin_bit_cast(To, from); }
inline float4 abs(float4 x) { return __builtin_elementwise_abs(x); }
inline float4 min(float4 a, float4 b) { return a < b ? a : b; }
inline float4 max(float4 a, float4 b) { return a < b ? b : a; }
inline float4 clamp(float4 x, float4 low, float4 high) { return min(max(x, low), high); }
inline float4 fma(float4 a, float4 b, float4 c) { return a * b + c; }

// Metal's gives 0 for NaN.
inline float4 sign(float4 x) { return x > 0.0f ? float4(1.0f) : x < 0.0f ? float4(-1.0f) : float4(0.0f); }

// Metal's fast one is an `exp2`, with the factor rounded.
inline float4 exp(float4 x) {
    x *= 1.44269504f;
    return float4{__builtin_exp2f(x.x), __builtin_exp2f(x.y), __builtin_exp2f(x.z), __builtin_exp2f(x.w)};
}

} // namespace metal

using uint = unsigned;
using metal::as_type;

// Whether denormals, in and out, are zero; what was so before.
inline bool flush_denormals(bool flushing) {
#if defined(__SSE__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(flushing ? before | 0x8040 : before & ~0x8040u);
    return before & 0x8000;
#elif defined(__aarch64__)
    unsigned long before;
    asm volatile("mrs %0, fpcr" : "=r"(before));
    asm volatile("msr fpcr, %0" ::"r"(flushing ? before | 1ul << 24 : before & ~(1ul << 24)));
    return before >> 24 & 1;
#endif
}

#define APPLY(number, function)                                                                          \
    extern "C" void apply##number(const float *from, float *to, size_t count, bool flushing) {           \
        bool before = flush_denormals(flushing);                                                         \
        for (size_t at = 0; at < count; at += 4) {                                                       \
            metal::float4 x = {from[at], from[at + 1], from[at + 2], from[at + 3]}, y = function(x);     \
            for (int i = 0; i < 4; i++) to[at + i] = y[i];                                               \
        }                                                                                                \
        flush_denormals(before);                                                                         \
    }
