//! Sigmoid and tanh of a vector. Both take the exponential of negative numbers only, so that nothing
//! overflows; infinities saturate, and what is not a number stays so.

use pulp::Simd;

/// e^x for x ≤ 0: 2^n times a polynomial on ±ln 2 / 2 (coefficients of the exponential series, whose
/// remainder there is below 3e-8 of the value).
#[inline(always)]
fn exp_of_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let constant = |value| simd.splat_f32s(value);
    // Below, e^x is less than any normal number. The second operand is what a NaN returns.
    let x = simd.max_f32s(constant(-87.0), x);
    // Adding and taking away 1.5 · 2^23 rounds to a whole number, which then stands in the low bits.
    let magic = constant(12_582_912.0);
    let shifted = simd.mul_add_f32s(x, constant(std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    // ln 2 in two parts, the first with few bits: n times it is exact.
    let r = simd.mul_add_f32s(n, constant(-0.693_145_75), x);
    let r = simd.mul_add_f32s(n, constant(-1.428_606_8e-6), r);
    let mut value = constant(1.0 / 5040.0);
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        value = simd.mul_add_f32s(value, r, constant(coefficient));
    }
    // 2^n: n into the exponent's place, and its bias.
    let exponent =
        simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let power = simd.add_u32s(exponent, simd.splat_u32s(1f32.to_bits()));
    simd.mul_f32s(value, simd.transmute_f32s_u32s(power))
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let zero = simd.splat_f32s(0.0);
    let decay = exp_of_negative(simd, simd.min_f32s(simd.sub_f32s(zero, x), x));
    let negative = simd.less_than_f32s(x, zero);
    simd.div_f32s(
        simd.select_f32s(negative, decay, one),
        simd.add_f32s(one, decay),
    )
}

/// (e^x - e^-x) / (e^x + e^-x)
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let zero = simd.splat_f32s(0.0);
    let minus_size = simd.min_f32s(simd.sub_f32s(zero, x), x);
    let decay = exp_of_negative(simd, simd.add_f32s(minus_size, minus_size));
    let value = simd.div_f32s(simd.sub_f32s(one, decay), simd.add_f32s(one, decay));
    let negative = simd.less_than_f32s(x, zero);
    simd.select_f32s(negative, simd.sub_f32s(zero, value), value)
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    /// Both activations of every number.
    struct Both<'a>(&'a [f32]);

    impl WithSimd for Both<'_> {
        type Output = Vec<(f32, f32)>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut values = Vec::new();
            for chunk in self.0.chunks(S::F32_LANES) {
                let x = simd.partial_load_f32s(chunk);
                let (mut sigmoids, mut tanhs) = (chunk.to_vec(), chunk.to_vec());
                simd.partial_store_f32s(&mut sigmoids, sigmoid(simd, x));
                simd.partial_store_f32s(&mut tanhs, tanh(simd, x));
                values.extend(sigmoids.into_iter().zip(tanhs));
            }
            values
        }
    }

    #[test]
    fn activations_are_right_over_the_whole_range() {
        let xs: Vec<f32> = (-1_200_000..=1_200_000).map(|i| i as f32 * 1e-4).collect();
        for (x, (sigmoid, tanh)) in xs.iter().zip(Arch::new().dispatch(Both(&xs))) {
            let exact = f64::from(*x);
            let expected = 1.0 / (1.0 + (-exact).exp());
            assert!((f64::from(sigmoid) - expected).abs() < 5e-7, "sigmoid {x}");
            assert!((f64::from(tanh) - exact.tanh()).abs() < 5e-7, "tanh {x}");
        }
    }

    #[test]
    fn extremes_saturate_and_nan_stays() {
        let xs = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::NAN,
        ];
        let found = Arch::new().dispatch(Both(&xs));
        assert_eq!(found[0], (1.0, 1.0));
        assert!(found[1].0 < 1e-37 && found[1].1 == -1.0, "{:?}", found[1]);
        assert_eq!(found[2], (1.0, 1.0));
        assert!(found[3].0 < 1e-37 && found[3].1 == -1.0, "{:?}", found[3]);
        assert!(found[4].0.is_nan() && found[4].1.is_nan());
    }
}
