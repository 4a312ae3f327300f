//! How much of what is sent over a lossy link has to arrive, whatever the dice say.

/// What a check may do wrongly: once in a thousand million runs.
const NEVER: f64 = 1e-9;

/// The fewest units that arrive of `groups` when each datagram is lost with a chance of `percent` in a hundred: fewer are
/// so improbable that they count as impossible. A group is a row of units that are worth nothing without all those before
/// them; a number is the datagrams of one unit, all of which it needs.
pub(super) fn least(groups: impl IntoIterator<Item = Vec<u32>>, percent: u8) -> usize {
    // The chance of each number of units, group after group.
    let mut chances = vec![1.0];
    for group in groups {
        chances = convolve(&chances, &prefixes(&group, percent));
    }
    let mut fewer = 0.0;
    let impossible = |chance: &&f64| {
        fewer += **chance;
        fewer < NEVER
    };
    chances.iter().take_while(impossible).count()
}

/// The chance that exactly the first n units of a group arrive, for every n.
fn prefixes(group: &[u32], percent: u8) -> Vec<f64> {
    let arrives = 1.0 - f64::from(percent) / 100.0;
    let mut so_far = 1.0;
    let mut chances = Vec::with_capacity(group.len() + 1);
    for &datagrams in group {
        let whole = arrives.powi(datagrams as i32);
        chances.push(so_far * (1.0 - whole));
        so_far *= whole;
    }
    chances.push(so_far);
    chances
}

fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            sums[i + j] += x * y;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(count: usize) -> impl Iterator<Item = Vec<u32>> {
        std::iter::repeat_n(vec![1], count)
    }

    #[test]
    fn nothing_is_missing_without_loss_and_nothing_is_promised_of_a_dead_link() {
        assert_eq!(least(single(80), 0), 80);
        assert_eq!(least(single(80), 100), 0);
    }

    /// 2⁻³⁰ < 10⁻⁹ < 2⁻²⁹: of 29 coins none may be heads, of 30 one must.
    #[test]
    fn what_is_improbable_enough_counts_as_impossible() {
        assert_eq!(least(single(29), 50), 0);
        assert_eq!(least(single(30), 50), 1);
    }

    #[test]
    fn a_unit_is_worth_nothing_without_those_before_it() {
        let alone = least(std::iter::repeat_n(vec![1], 100), 2);
        let behind = least(std::iter::repeat_n(vec![1; 10], 10), 2);
        let large = least(std::iter::repeat_n(vec![5], 100), 2);
        assert!(behind < alone && large < alone, "{alone} {behind} {large}");
        assert_eq!(prefixes(&[1, 1], 50), [0.5, 0.25, 0.25]);
        assert_eq!(prefixes(&[2], 50), [0.75, 0.25]);
    }
}
