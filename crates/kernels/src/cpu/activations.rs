//! Sigmoid and tanh of vectors. Both take the exponential of negative numbers only, so that nothing
//! overflows; infinities saturate, and what is not a number stays so.

use pulp::Simd;

/// A quotient whose division is still to come. Denominators lie in [1, 2].
#[derive(Clone, Copy)]
pub(super) struct Quotient<S: Simd> {
    numerator: S::f32s,
    denominator: S::f32s,
}

/// The values of N quotients by one division, a processor's slowest operation by far: the product of all
/// denominators is inverted, then multiplied by all denominators but a quotient's own.
#[inline(always)]
pub(super) fn divide<S: Simd, const N: usize>(
    simd: S,
    quotients: [Quotient<S>; N],
) -> [S::f32s; N] {
    let mut values = [simd.splat_f32s(0.0); N];
    values[0] = quotients[0].numerator;
    let mut product = quotients[0].denominator;
    for i in 1..N {
        values[i] = simd.mul_f32s(quotients[i].numerator, product);
        product = simd.mul_f32s(product, quotients[i].denominator);
    }
    let mut inverse = simd.div_f32s(simd.splat_f32s(1.0), product);
    for i in (1..N).rev() {
        values[i] = simd.mul_f32s(values[i], inverse);
        inverse = simd.mul_f32s(inverse, quotients[i].denominator);
    }
    values[0] = simd.mul_f32s(values[0], inverse);
    values
}

/// 2^r for |r| ≤ ½, the highest power first: the polynomial through the Chebyshev points of degree 6. Its
/// error is below 3e-9 of the value, and it is exact for 0.
const EXP2: [f32; 7] = [
    0.000_154_614_45,
    0.001_340_042_8,
    0.009_618_057,
    0.055_503_27,
    0.240_226_5,
    std::f32::consts::LN_2,
    1.0,
];

/// 2^x for x ≤ 0: 2^n times 2^r.
#[inline(always)]
fn exp2_of_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // Below, there are no normal numbers. The second operand is what a NaN returns.
    let x = simd.max_f32s(simd.splat_f32s(-125.0), x);
    // Adding and taking away 1.5 · 2^23 rounds to a whole number, which then stands in the low bits.
    let magic = simd.splat_f32s(12_582_912.0);
    let shifted = simd.add_f32s(x, magic);
    let r = simd.sub_f32s(x, simd.sub_f32s(shifted, magic));
    let mut value = simd.splat_f32s(EXP2[0]);
    for coefficient in &EXP2[1..] {
        value = simd.mul_add_f32s(value, r, simd.splat_f32s(*coefficient));
    }
    // Times 2^n: n is added to the exponent.
    let n = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(value), n))
}

const SIGN: u32 = 1 << 31;

/// e^(-|x| · `factor`)
#[inline(always)]
fn decay<S: Simd>(simd: S, x: S::f32s, factor: f32) -> S::f32s {
    let minus_size = simd.or_u32s(simd.transmute_u32s_f32s(x), simd.splat_u32s(SIGN));
    let minus_size = simd.transmute_f32s_u32s(minus_size);
    let scale = simd.splat_f32s(factor * std::f32::consts::LOG2_E);
    exp2_of_negative(simd, simd.mul_f32s(minus_size, scale))
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> Quotient<S> {
    let one = simd.splat_f32s(1.0);
    let decay = decay(simd, x, 1.0);
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    Quotient {
        numerator: simd.select_f32s(negative, decay, one),
        denominator: simd.add_f32s(one, decay),
    }
}

/// (e^x - e^-x) / (e^x + e^-x)
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: S::f32s) -> Quotient<S> {
    let one = simd.splat_f32s(1.0);
    let decay = decay(simd, x, 2.0);
    let size = simd.transmute_u32s_f32s(simd.sub_f32s(one, decay));
    let sign = simd.and_u32s(simd.transmute_u32s_f32s(x), simd.splat_u32s(SIGN));
    Quotient {
        numerator: simd.transmute_f32s_u32s(simd.or_u32s(size, sign)),
        denominator: simd.add_f32s(one, decay),
    }
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
                let [of_sigmoid, of_tanh] = divide(simd, [sigmoid(simd, x), tanh(simd, x)]);
                simd.partial_store_f32s(&mut sigmoids, of_sigmoid);
                simd.partial_store_f32s(&mut tanhs, of_tanh);
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
