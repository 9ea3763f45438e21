//! Sigmoid and tanh of vectors. Both take the exponential of negative numbers only, so that nothing
//! overflows; infinities saturate, and what is not a number stays so.

use pulp::Simd;

/// A quotient whose division is still to come. The product of those that are divided together must be a normal
/// number; those of the activations lie in [1, 2].
#[derive(Clone, Copy)]
pub(super) struct Quotient<S: Simd> {
    numerator: S::f32s,
    denominator: S::f32s,
}

impl<S: Simd> Quotient<S> {
    #[inline(always)]
    pub fn new(numerator: S::f32s, denominator: S::f32s) -> Self {
        Self {
            numerator,
            denominator,
        }
    }
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

/// (2^r - 1) / r for |r| ≤ ½, the highest power first: the polynomial through the Chebyshev points. 2^r is right to
/// 3e-9 of its value with it, and 2^r - 1 near 0 too.
const EXP2_M1: [f32; 6] = [
    0.000_154_614_45,
    0.001_340_042_8,
    0.009_618_057,
    0.055_503_27,
    0.240_226_5,
    std::f32::consts::LN_2,
];

/// 2^x as 2^n · (1 + `quotient` · `r`).
struct Exp2<S: Simd> {
    r: S::f32s,
    quotient: S::f32s,
    /// n in the place of a number's exponent, to be added to it.
    exponent: S::u32s,
}

/// 2^x for x ≤ 0.
#[inline(always)]
fn exp2_of_negative<S: Simd>(simd: S, x: S::f32s) -> Exp2<S> {
    // Below, there are no normal numbers. NaN stays: vectors' maximum returns it where it is the second operand,
    // that of single numbers never does.
    let lowest = simd.splat_f32s(-125.0);
    let x = if S::IS_SCALAR {
        simd.select_f32s(simd.less_than_f32s(x, lowest), lowest, x)
    } else {
        simd.max_f32s(lowest, x)
    };
    // Adding and taking away 1.5 · 2^23 rounds to a whole number, which then stands in the low bits.
    let magic = simd.splat_f32s(12_582_912.0);
    let shifted = simd.add_f32s(x, magic);
    let r = simd.sub_f32s(x, simd.sub_f32s(shifted, magic));
    let mut quotient = simd.splat_f32s(EXP2_M1[0]);
    for coefficient in &EXP2_M1[1..] {
        quotient = simd.mul_add_e_f32s(quotient, r, simd.splat_f32s(*coefficient));
    }
    let exponent =
        simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    Exp2 {
        r,
        quotient,
        exponent,
    }
}

/// `value` · 2^n
#[inline(always)]
fn scale<S: Simd>(simd: S, value: S::f32s, exponent: S::u32s) -> S::f32s {
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(value), exponent))
}

/// A number's sign.
pub(super) const SIGN: u32 = 1 << 31;

/// e^x for x ≤ 0; next to nothing where that is no normal number.
#[inline(always)]
pub(super) fn exp_of_negative<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let log2_e = simd.splat_f32s(std::f32::consts::LOG2_E);
    let power = exp2_of_negative(simd, simd.mul_f32s(x, log2_e));
    let one = simd.splat_f32s(1.0);
    let value = simd.mul_add_e_f32s(power.quotient, power.r, one);
    scale(simd, value, power.exponent)
}

/// e^(-|x| · `factor`)
#[inline(always)]
fn decay<S: Simd>(simd: S, x: S::f32s, factor: f32) -> Exp2<S> {
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
    let decay = scale(
        simd,
        simd.mul_add_e_f32s(decay.quotient, decay.r, one),
        decay.exponent,
    );
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    Quotient {
        numerator: simd.select_f32s(negative, decay, one),
        denominator: simd.add_f32s(one, decay),
    }
}

/// (e^x - e^-x) / (e^x + e^-x). Where n is 0, as it is near 0, the 1s of the numerator cancel before they are
/// added to anything, so that small numbers keep all their digits.
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: S::f32s) -> Quotient<S> {
    let one = simd.splat_f32s(1.0);
    let decay = decay(simd, x, 2.0);
    let power = scale(simd, one, decay.exponent);
    let minus_one = simd.mul_f32s(decay.quotient, decay.r);
    let size = simd.negate_mul_add_e_f32s(power, minus_one, simd.sub_f32s(one, power));
    let sign = simd.and_u32s(simd.transmute_u32s_f32s(x), simd.splat_u32s(SIGN));
    let size = simd.transmute_u32s_f32s(size);
    Quotient {
        numerator: simd.transmute_f32s_u32s(simd.or_u32s(size, sign)),
        denominator: simd.mul_add_e_f32s(power, minus_one, simd.add_f32s(one, power)),
    }
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::cpu::simd::available;

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

    /// Both signs of sizes from 1e-37 to 100, 2000 in each power of two, then 0.01 apart to 120.
    fn numbers() -> Vec<f32> {
        let sizes = (1e-37f32.to_bits()..100f32.to_bits()).step_by(4001);
        let sizes = sizes.map(f32::from_bits);
        let sizes = sizes.chain((0..=12_000).map(|i| i as f32 * 0.01));
        sizes.flat_map(|x| [x, -x]).collect()
    }

    #[test]
    fn activations_are_right_relative_to_their_size_at_every_level() {
        let xs = numbers();
        for (level, arch) in available() {
            let mut largest = [0f64; 2];
            for (x, (sigmoid, tanh)) in xs.iter().zip(arch.dispatch(Both(&xs))) {
                let exact = f64::from(*x);
                let off = |found: f32, expected: f64| {
                    (f64::from(found) - expected).abs() / expected.abs().max(1e-38)
                };
                // It gets no smaller than 2^-125, and where it is small, it has the rounding of x in its exponent.
                let expected = (1.0 / (1.0 + (-exact).exp())).max(2f64.powi(-125));
                let of_sigmoid = off(sigmoid, expected) / (1.0 + exact.abs() / 8.0);
                let of_tanh = off(tanh, exact.tanh());
                assert!(
                    of_sigmoid < 5e-7,
                    "{level}: sigmoid of {x:e} is {sigmoid:e}"
                );
                assert!(of_tanh < 5e-7, "{level}: tanh of {x:e} is {tanh:e}");
                largest = [largest[0].max(of_sigmoid), largest[1].max(of_tanh)];
            }
            eprintln!(
                "{level}: largest relative error of sigmoid and tanh {:.1e} {:.1e}",
                largest[0], largest[1]
            );
        }
    }

    #[test]
    fn extremes_saturate_and_nan_stays_at_every_level() {
        let xs = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::NAN,
            0.0,
            -0.0,
        ];
        for (level, arch) in available() {
            let found = arch.dispatch(Both(&xs));
            for large in [0, 2] {
                assert_eq!(found[large], (1.0, 1.0), "{level}");
                let (sigmoid, tanh) = found[large + 1];
                assert!(sigmoid < 1e-37 && tanh == -1.0, "{level}: {found:?}");
            }
            assert!(found[4].0.is_nan() && found[4].1.is_nan(), "{level}");
            assert_eq!(found[5], (0.5, 0.0), "{level}");
            assert_eq!(found[6], (0.5, 0.0), "{level}");
        }
    }
}
