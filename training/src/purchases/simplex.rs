//! The least of a smooth function without its slope (Nelder, Mead 1965).

/// Steps at most, and the difference of values at which there is nothing left to gain.
const STEPS: usize = 600;
const LEAST: f64 = 1e-9;
/// Length of the edges at the start.
const EDGE: f64 = 0.5;

/// The point near `start` at which `of` is least; the same start gives the same point.
pub(super) fn least<const N: usize>(start: [f64; N], of: impl Fn(&[f64; N]) -> f64) -> [f64; N] {
    let sound = |point: &[f64; N]| {
        let value = of(point);
        if value.is_finite() { value } else { f64::INFINITY }
    };
    let mut corners = vec![(start, sound(&start))];
    for at in 0..N {
        let mut corner = start;
        corner[at] += EDGE;
        corners.push((corner, sound(&corner)));
    }
    for _ in 0..STEPS {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst) = (corners[0].1, corners[N].1);
        if worst - best < LEAST * (1.0 + best.abs()) {
            break;
        }
        let mut centre = [0.0; N];
        for (corner, _) in &corners[..N] {
            centre.iter_mut().zip(corner).for_each(|(centre, x)| *centre += x / N as f64);
        }
        let toward = |share: f64| {
            let mut point = centre;
            point.iter_mut().zip(&corners[N].0).for_each(|(point, x)| *point += share * (x - *point));
            (point, sound(&point))
        };
        let turned = toward(-1.0);
        if turned.1 < best {
            let further = toward(-2.0);
            corners[N] = if further.1 < turned.1 { further } else { turned };
            continue;
        }
        if turned.1 < corners[N - 1].1 {
            corners[N] = turned;
            continue;
        }
        let drawn_in = if turned.1 < worst { toward(-0.5) } else { toward(0.5) };
        if drawn_in.1 < worst.min(turned.1) {
            corners[N] = drawn_in;
            continue;
        }
        let middle = corners[0].0;
        for corner in &mut corners[1..] {
            corner.0.iter_mut().zip(middle).for_each(|(x, middle)| *x = middle + 0.5 * (*x - middle));
            corner.1 = sound(&corner.0);
        }
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners[0].0
}

#[cfg(test)]
mod tests {
    use super::least;

    #[test]
    fn the_least_of_a_bent_valley_is_found() {
        // Rosenbrock 1960.
        let found = least([-1.2, 1.0], |[x, y]| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2));
        assert!((found[0] - 1.0).abs() < 1e-3 && (found[1] - 1.0).abs() < 1e-3, "{found:?}");
    }
}
