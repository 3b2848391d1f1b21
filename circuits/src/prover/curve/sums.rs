//! Sums of groups of points, by trees of additions in batches.
//!
//! The points of a group are added in pairs, then the sums in pairs, until one is left. The groups are taken in
//! blocks whose points fit a core's cache. One level of all the trees of a block is one batch, and as each point is
//! in one pair no addition waits for another. A group larger than a block is cut into pieces, whose sums are the
//! members of another round.

use core::marker::PhantomData;

use zeroize::Zeroizing;

use super::super::lanes::{Cpu, Kernel, Line, Path, prefetch};
use super::Group;
use super::pairs::{Batch, Pairs, Signed};

/// Lines of the points of a block.
const BLOCK_LINES: usize = 8192;

/// The sum of each group: `members` are the points of the first group, then of the second and so on, `sizes` how
/// many each has, `lines` where the points are. The sum of none is infinity.
///
/// # Panics
/// Where the sizes do not add up to the members, or a member is not in `lines`.
pub fn sums<G: Group>(path: Path, lines: &[Line], members: &[Signed], sizes: &[u32]) -> Zeroizing<Vec<Line>> {
    let block = BLOCK_LINES / G::LINES;
    let pieces: Vec<u32> = sizes.iter().map(|size| size.div_ceil(block as u32).max(1)).collect();
    let cut = sizes.iter().zip(&pieces).flat_map(|(size, count)| {
        (0..*count).map(move |piece| (size - piece * block as u32).min(block as u32))
    });
    let cut = Zeroizing::new(cut.collect::<Vec<u32>>());
    let sums = path.run(Round::<G> { lines, members, sizes: &cut, group: PhantomData });
    if cut.len() == sizes.len() {
        return sums;
    }
    let members: Vec<Signed> = (0..cut.len()).map(|i| Signed::new((i * G::LINES) as u32, false)).collect();
    self::sums::<G>(path, &sums, &members, &pieces)
}

/// Sums of groups none of which is larger than a block.
struct Round<'a, G> {
    lines: &'a [Line],
    members: &'a [Signed],
    sizes: &'a [u32],
    group: PhantomData<G>,
}

impl<G: Group> Kernel for Round<'_, G> {
    type Output = Zeroizing<Vec<Line>>;

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Self::Output {
        let mut results = Zeroizing::new(vec![Line::default(); self.sizes.len() * G::LINES]);
        let mut trees = Trees::<G, C>::new();
        let mut members = self.members;
        let mut group = 0;
        while group < self.sizes.len() {
            let first = group;
            let mut size = 0;
            while group < self.sizes.len() && size + self.sizes[group] as usize <= trees.capacity {
                size += self.sizes[group] as usize;
                group += 1;
            }
            let (block, rest) = members.split_at(size);
            members = rest;
            let results = &mut results[first * G::LINES..group * G::LINES];
            trees.grow(cpu, self.lines, block, &self.sizes[first..group], results);
        }
        assert!(members.is_empty(), "members of the groups");
        results
    }
}

/// The trees of a block, one level after the other.
struct Trees<G: Group, C: Cpu> {
    /// Points of a block.
    capacity: usize,
    /// For each tree that is not done its group and how many nodes it has.
    widths: Vec<(u32, u32)>,
    /// The nodes of this level and of the next, tree after tree, and a spare one.
    nodes: [Zeroizing<Vec<Line>>; 2],
    /// Members without a partner, and where their nodes are.
    singles: Vec<(Signed, u32)>,
    pairs: Pairs,
    batch: Batch<G, C>,
}

impl<G: Group, C: Cpu> Trees<G, C> {
    fn new() -> Self {
        let nodes = || Zeroizing::new(vec![Line::default(); BLOCK_LINES + G::LINES]);
        Self {
            capacity: BLOCK_LINES / G::LINES,
            widths: Vec::new(),
            nodes: [nodes(), nodes()],
            singles: Vec::new(),
            pairs: Pairs::default(),
            batch: Batch::default(),
        }
    }

    /// Writes the sum of each group to `results`.
    #[inline(always)]
    fn grow(&mut self, cpu: C, lines: &[Line], members: &[Signed], sizes: &[u32], results: &mut [Line]) {
        let [nodes, next] = &mut self.nodes;
        self.widths.clear();
        let (mut member, mut to) = (0, 0);
        for (group, size) in sizes.iter().enumerate() {
            let of_group = &members[member..][..*size as usize];
            member += of_group.len();
            if of_group.is_empty() {
                continue;
            }
            let (couples, single) = of_group.as_chunks::<2>();
            for [left, right] in couples {
                self.pairs.push(*left, *right, to);
                to += G::LINES as u32;
            }
            if let [single] = single {
                prefetch(lines, single.line() as usize);
                self.singles.push((*single, to));
                to += G::LINES as u32;
            }
            self.widths.push((group as u32, size.div_ceil(2)));
        }
        self.batch.add::<true>(cpu, &mut self.pairs, lines, nodes);
        for (single, to) in self.singles.drain(..) {
            copy::<G>(lines, single, &mut nodes[to as usize..]);
        }
        while !self.widths.is_empty() {
            level::<G>(&mut self.widths, nodes, next, &mut self.pairs, results);
            self.batch.add::<false>(cpu, &mut self.pairs, nodes, next);
            core::mem::swap(nodes, next);
        }
    }
}

/// Takes out of the trees those of one node, which is their sum, and pairs the nodes of the others.
#[inline(always)]
fn level<G: Group>(
    widths: &mut Vec<(u32, u32)>,
    nodes: &[Line],
    next: &mut [Line],
    pairs: &mut Pairs,
    results: &mut [Line],
) {
    let (mut from, mut to) = (0, 0);
    let point = G::LINES as u32;
    widths.retain_mut(|(group, width)| {
        if *width == 1 {
            copy::<G>(nodes, Signed::new(from, false), &mut results[*group as usize * G::LINES..]);
            from += point;
            return false;
        }
        for _ in 0..*width / 2 {
            pairs.push(Signed::new(from, false), Signed::new(from + point, false), to);
            (from, to) = (from + 2 * point, to + point);
        }
        if *width % 2 == 1 {
            copy::<G>(nodes, Signed::new(from, false), &mut next[to as usize..]);
            (from, to) = (from + point, to + point);
        }
        *width = width.div_ceil(2);
        true
    });
}

/// Copies one point.
#[inline(always)]
fn copy<G: Group>(lines: &[Line], point: Signed, to: &mut [Line]) {
    let to = &mut to[..G::LINES];
    to.copy_from_slice(&lines[point.line() as usize..][..G::LINES]);
    if point.is_negative() {
        G::negate(to);
    }
}
