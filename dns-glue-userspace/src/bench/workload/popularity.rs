//! How often each of many names is asked for.

use crate::conform::random::Draw;

/// A prime above 2^31, so that multiples of it go through every number below a
/// smaller one before the first comes again.
const STRIDE: u128 = 2_654_435_761;

/// How often each of `count` things is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Popularity {
    /// All equally often: the worst case for caches.
    Uniform,
    /// By Zipf's law with an exponent of 1: the thing of rank k has a share of
    /// about 1/k. Which one has which rank has nothing to do with its number.
    Zipf,
}

impl Popularity {
    /// Picks one of the numbers below `count`, which is at least 1 and below
    /// 2^31.
    pub fn pick(self, draw: &mut impl Draw, count: u64) -> u64 {
        match self {
            Self::Uniform => draw.next() % count,
            Self::Zipf => {
                let rank = rank(draw, count);
                (u128::from(rank) * STRIDE % u128::from(count)) as u64
            }
        }
    }
}

/// A rank below `count`, 0 the most popular. The logarithm of a number between
/// 1 and count + 1 is drawn evenly: rank k has a share of ln((k + 2)/(k + 1)),
/// which is 1/k but for the first few, of ln(count + 1).
fn rank(draw: &mut impl Draw, count: u64) -> u64 {
    // 53 bits, below 1.
    let even = (draw.next() >> 11) as f64 / (1_u64 << 53) as f64;
    let number = (even * (count as f64 + 1.0).ln()).exp();
    (number as u64).clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::random::Random;

    #[test]
    fn zipf_has_the_shares_that_it_says() {
        let mut random = Random(1);
        let mut ranks = vec![0_u32; 1000];
        for _ in 0..1_000_000 {
            ranks[rank(&mut random, 1000) as usize] += 1;
        }
        let whole = 1001_f64.ln();
        for (place, tolerance) in [(0, 0.01), (1, 0.02), (9, 0.05), (99, 0.15)] {
            let share = ((place as f64 + 2.0) / (place as f64 + 1.0)).ln() / whole;
            let expected = share * 1e6;
            let is_near = (f64::from(ranks[place]) / expected - 1.0).abs() < tolerance;
            assert!(is_near, "{place}: {} of {expected}", ranks[place]);
        }
        assert!(ranks.iter().all(|count| *count > 0));
    }

    #[test]
    fn every_number_has_a_rank() {
        for count in [1, 2, 7, 1000] {
            let mut numbers: Vec<u64> = (0..count)
                .map(|rank| (u128::from(rank) * STRIDE % u128::from(count)) as u64)
                .collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn uniform_picks_all() {
        let mut random = Random(1);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[Popularity::Uniform.pick(&mut random, 10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 150));
    }
}
