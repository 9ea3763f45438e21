// The two activations of every gate, for four rows. Sums of products are written as fma, here and in the cells' equations: else
// one variant of a kernel might round a product, and another not. Both take the exponential of negative numbers
// only: it can't overflow, and at large inputs the limits are exact. WGSL's own `tanh` is undefined
// there on some drivers.

// 1 / (1 + e^-x)
fn sigmoid(x: Rows) -> Rows {
    let decay = exp(-abs(x));
    return select(Rows(1.0), decay, x < Rows()) / (1.0 + decay);
}

// (e^x - e^-x) / (e^x + e^-x); near 0, where that cancels, its Taylor series.
fn hyperbolic_tangent(x: Rows) -> Rows {
    let decay = exp(-2.0 * abs(x));
    let square = x * x;
    let third = fma(square, Rows(-17.0 / 315.0), Rows(2.0 / 15.0));
    let series = x * fma(square, fma(square, third, Rows(-1.0 / 3.0)), Rows(1.0));
    return select(sign(x) * (1.0 - decay) / (1.0 + decay), series, square < Rows(0.01));
}

// The slopes, from the activations' values.
fn sigmoid_slope(value: Rows) -> Rows {
    return value * (1.0 - value);
}

fn tanh_slope(value: Rows) -> Rows {
    return fma(-value, value, Rows(1.0));
}

// Gradients that have all but vanished are zero from here on: numbers below the normal range slow some
// processors down a hundredfold. Bits are compared, those of 1e-30: compilers that take it that there is no NaN would
// make zeros of it.
fn flush(gradient: Rows) -> Rows {
    let size = bitcast<Bits>(gradient) & Bits(0x7fffffffu);
    return select(gradient, Rows(), size < Bits(0x0da24260u));
}
