//! Numbers as Python rounds, raises and writes them, to the bit.

use std::hint::black_box;

/// `round(number, digits)`: to the nearest decimal, of two to the even one.
pub fn round(number: f64, digits: usize) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let factor = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6].get(digits).copied().unwrap_or(f64::NAN);
    let (scaled, whole) = (number * factor, (number * factor).round());
    // the product is off by half its last bit at most: far enough from the middle between two decimals, that is nothing
    if scaled.abs() < 1e9 && (scaled - whole).abs() < 0.499_999 && whole != 0.0 {
        return whole / factor;
    }
    fixed(number, digits).parse().unwrap_or(number)
}

/// `round(number, digits) + 0.0`: never a negative zero.
pub fn rounded(number: f64, digits: usize) -> f64 {
    round(number, digits) + 0.0
}

/// `f"{number:.{digits}f}"`.
pub fn fixed(number: f64, digits: usize) -> String {
    format!("{number:.digits$}")
}

/// `f"{number:g}"` of a finite number: six significant digits.
pub fn general(number: f64) -> String {
    let scientific = format!("{number:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return without_zeros(&fixed(number, (5 - exponent).max(0) as usize)).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
}

fn without_zeros(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

/// `0.5 ** exponent`, by the C library's `pow`, as Python computes it.
pub fn half_to(exponent: f64) -> f64 {
    // the optimiser would call exp2, whose last bit may differ
    black_box(0.5f64).powf(exponent)
}
