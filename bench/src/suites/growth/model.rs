//! A model of what a size costs, of the smaller sizes and held against the largest.

/// In what of the size a model is a line.
pub(super) type Of = fn(f64) -> f64;

/// A model that misses what was measured by more, in parts of it, says nothing of what was not.
pub(crate) const TRUSTED: f64 = 0.5;
/// A model of fewer sizes is a line through any two of them, and says nothing either.
const LEAST: usize = 3;

/// cost = a + b·f(size).
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    of: Of,
    a: f64,
    b: f64,
    /// By how much the model of the smaller sizes misses the largest, in parts of what was measured there.
    pub(super) error: f64,
    /// Of how many sizes it is.
    sizes: usize,
}

impl Model {
    /// Of points with rising sizes, at least three.
    pub(super) fn fit(points: &[(f64, f64)], of: Of) -> Option<Self> {
        let ((size, measured), smaller) = points.split_last()?;
        if smaller.len() < 2 {
            return None;
        }
        let count = smaller.len() as f64;
        let x = |point: &(f64, f64)| of(point.0);
        let (mean_x, mean_y) = (
            smaller.iter().map(x).sum::<f64>() / count,
            smaller.iter().map(|point| point.1).sum::<f64>() / count,
        );
        let covariance: f64 = smaller.iter().map(|point| (x(point) - mean_x) * (point.1 - mean_y)).sum();
        let variance: f64 = smaller.iter().map(|point| (x(point) - mean_x).powi(2)).sum();
        let b = (covariance / variance).max(0.0);
        let mut model = Self { of, a: mean_y - b * mean_x, b, error: 0.0, sizes: smaller.len() };
        model.error = model.misses(*size, *measured);
        Some(model)
    }

    /// What it says of a thousand times a size; nothing where it is of too few sizes, or missed the largest that was measured by
    /// too much.
    pub(super) fn at_thousandfold(self, size: f64) -> Option<f64> {
        (self.sizes >= LEAST && self.error.abs() <= TRUSTED).then(|| self.at(1e3 * size))
    }

    /// By how much it misses another size, in parts of what was measured there.
    pub(super) fn misses(self, size: f64, measured: f64) -> f64 {
        self.at(size) / measured - 1.0
    }

    fn at(self, size: f64) -> f64 {
        self.a + self.b * (self.of)(size)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_of_the_smaller_sizes_and_tested_at_the_largest() {
        let line = |size: f64| 2.0 + 0.5 * size.log10();
        let mut points: Vec<(f64, f64)> = [1e3, 1e4, 1e5, 1e6].map(|size| (size, line(size))).to_vec();
        let model = Model::fit(&points, f64::log10).unwrap();
        assert!(model.error.abs() < 1e-9 && (model.at(1e9) - 6.5).abs() < 1e-9);
        // What was measured there is a tenth more than the others let one expect: the model is not bent to it.
        points[3].1 *= 1.1;
        let model = Model::fit(&points, f64::log10).unwrap();
        assert!((model.error - (1.0 / 1.1 - 1.0)).abs() < 1e-9);
        assert_eq!(model.at_thousandfold(1e6), Some(model.at(1e9)));
        assert!((model.misses(1e7, 11.0) - (5.5 / 11.0 - 1.0)).abs() < 1e-9);
        // Half as much again, and more.
        for (factor, trusted) in [(1.0 / 1.49, true), (1.0 / 1.51, false)] {
            points[3].1 = line(1e6) * factor;
            let model = Model::fit(&points, f64::log10).unwrap();
            assert_eq!(model.at_thousandfold(1e6).is_some(), trusted, "{}", model.error);
        }
        points[2].1 = line(1e5);
        let of_two = Model::fit(&points[..3], f64::log10).unwrap();
        assert!(of_two.error.abs() < 1e-9 && of_two.at_thousandfold(1e5).is_none());
        assert!(Model::fit(&points[..2], f64::log10).is_none());
        // What seems to fall is noise: the model is its mean, and never below nothing.
        let falling = [(1e3, 3.0), (1e4, 1.0), (1e5, 2.0)];
        assert_eq!(Model::fit(&falling, f64::log10).unwrap().at(1e9), 2.0);
        let memory =
            Model::fit(&[1e3, 1e4, 1e5].map(|size| (size, 100.0 + 10.0 * size)), |size| size).unwrap();
        assert!(memory.error.abs() < 1e-9 && (memory.at(1e9) / 1e10 - 1.0).abs() < 1e-6);
    }
}
