//! Sums of groups of points, by trees of additions in batches.
//!
//! The points of a group are added in pairs, then the sums in pairs, until one is left. The groups are taken in
//! blocks whose points fit a core's cache. One level of all the trees of a block is one batch, and as each point is
//! in one pair no addition waits for another.
//!
//! A batch pays for an inversion, which is dear for the few pairs near the roots. A first round therefore leaves
//! those, and another one takes what is left of all blocks together. So it is with a group larger than a block: the
//! nodes left of its pieces are the members of another round.

use core::marker::PhantomData;

use zeroize::Zeroizing;

use super::super::lanes::{Cpu, Kernel, Line, Path, prefetch};
use super::Group;
use super::pairs::{Batch, Pairs, Signed};

/// Lines of the points of a block.
const BLOCK_LINES: usize = 8192;
/// Of as many points as a block has, at least this part should be added by one inversion.
const FEWEST_PAIRS: usize = 12;

/// The sum of each group: `members` are the points of the first group, then of the second and so on, `sizes` how
/// many each has, `lines` where the points are. The sum of none is infinity.
///
/// # Panics
/// Where the sizes do not add up to the members, or a member is not in `lines`.
pub fn sums<G: Group>(path: Path, lines: &[Line], members: &[Signed], sizes: &[u32]) -> Zeroizing<Vec<Line>> {
    let block = BLOCK_LINES / G::LINES;
    let early = members.len() > 4 * block;
    let least = if early { block / FEWEST_PAIRS } else { 0 };
    let mut left = path.run(Round::<G> { lines, members, sizes, least, group: PhantomData });
    while left.sizes.iter().any(|size| *size > 1) {
        let members: Vec<Signed> =
            (0..left.nodes.len()).step_by(G::LINES).map(|line| Signed::new(line as u32, false)).collect();
        let Left { nodes, sizes } = left;
        let (lines, sizes) = (&nodes, &sizes);
        left = path.run(Round::<G> { lines, members: &members, sizes, least: 0, group: PhantomData });
    }
    if left.sizes.iter().all(|size| *size == 1) {
        return left.nodes;
    }
    let mut sums = Zeroizing::new(vec![Line::default(); sizes.len() * G::LINES]);
    let occupied = sums.chunks_exact_mut(G::LINES).zip(left.sizes.iter()).filter(|(_, size)| **size == 1);
    for ((sum, _), node) in occupied.zip(left.nodes.chunks_exact(G::LINES)) {
        sum.copy_from_slice(node);
    }
    sums
}

/// One pass over all members, block by block.
struct Round<'a, G> {
    lines: &'a [Line],
    members: &'a [Signed],
    sizes: &'a [u32],
    /// A level of fewer pairs is left to another round, but for the first level.
    least: usize,
    group: PhantomData<G>,
}

/// What a round leaves: the nodes of the first group, then of the second and so on, and how many each has.
struct Left {
    nodes: Zeroizing<Vec<Line>>,
    sizes: Zeroizing<Vec<u32>>,
}

impl<G: Group> Kernel for Round<'_, G> {
    type Output = Left;

    #[inline(always)]
    fn run<C: Cpu>(self, cpu: C) -> Left {
        let capacity = BLOCK_LINES / G::LINES;
        let mut trees = Trees::<G, C>::new();
        // What three levels leave, which is where most rounds end.
        let room = (self.members.len() / 8 + self.sizes.len() + 1) * G::LINES;
        let mut nodes = Zeroizing::new(Vec::with_capacity(room));
        let mut sizes = Zeroizing::new(self.sizes.to_vec());
        let mut rest = self.members;
        let mut group = 0;
        while group < sizes.len() {
            let first = group;
            let mut size = 0;
            while group < sizes.len() && size + sizes[group] as usize <= capacity {
                size += sizes[group] as usize;
                group += 1;
            }
            if group == first {
                // A group larger than a block: its pieces one by one.
                let (members, others) = rest.split_at(sizes[group] as usize);
                rest = others;
                sizes[group] = 0;
                for piece in members.chunks(capacity) {
                    let mut size = [piece.len() as u32];
                    nodes.extend_from_slice(trees.grow(cpu, self.lines, piece, &mut size, self.least));
                    sizes[group] += size[0];
                }
                group += 1;
                continue;
            }
            let (members, others) = rest.split_at(size);
            rest = others;
            let sizes = &mut sizes[first..group];
            nodes.extend_from_slice(trees.grow(cpu, self.lines, members, sizes, self.least));
        }
        assert!(rest.is_empty(), "members of the groups");
        Left { nodes, sizes }
    }
}

/// The trees of a block, one level after the other.
struct Trees<G: Group, C: Cpu> {
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
            nodes: [nodes(), nodes()],
            singles: Vec::new(),
            pairs: Pairs::default(),
            batch: Batch::default(),
        }
    }

    /// Adds in pairs while there are at least `least`, at least once. Gives the nodes that are left and in `sizes`
    /// how many each group has.
    #[inline(always)]
    fn grow(
        &mut self,
        cpu: C,
        lines: &[Line],
        members: &[Signed],
        sizes: &mut [u32],
        least: usize,
    ) -> &[Line] {
        let mut end = self.pair_members(lines, members, sizes);
        let nodes = &mut self.nodes[0];
        self.batch.add::<true>(cpu, &mut self.pairs, lines, nodes);
        for (single, to) in self.singles.drain(..) {
            copy::<G>(lines, single, &mut nodes[to as usize..]);
        }
        loop {
            let pairs = sizes.iter().map(|size| *size as usize / 2).sum::<usize>();
            if pairs == 0 || pairs < least {
                return &self.nodes[0][..end as usize];
            }
            let [nodes, next] = &mut self.nodes;
            end = pair_nodes::<G>(sizes, nodes, next, &mut self.pairs);
            self.batch.add::<false>(cpu, &mut self.pairs, nodes, next);
            core::mem::swap(nodes, next);
        }
    }

    /// Pairs the members of each group and notes those that are left over. Gives the end of the nodes.
    #[inline(always)]
    fn pair_members(&mut self, lines: &[Line], members: &[Signed], sizes: &mut [u32]) -> u32 {
        let (mut member, mut to) = (0, 0);
        for size in sizes {
            let (couples, single) = members[member..][..*size as usize].as_chunks::<2>();
            member += *size as usize;
            for [left, right] in couples {
                self.pairs.push(*left, *right, to);
                to += G::LINES as u32;
            }
            if let [single] = single {
                prefetch(lines, single.line() as usize);
                self.singles.push((*single, to));
                to += G::LINES as u32;
            }
            *size = size.div_ceil(2);
        }
        to
    }
}

/// Pairs the nodes of each tree and copies to the next level those that are left over. Gives the end of the next.
#[inline(always)]
fn pair_nodes<G: Group>(sizes: &mut [u32], nodes: &[Line], next: &mut [Line], pairs: &mut Pairs) -> u32 {
    let (mut from, mut to) = (0, 0);
    let point = G::LINES as u32;
    for size in sizes {
        for _ in 0..*size / 2 {
            pairs.push(Signed::new(from, false), Signed::new(from + point, false), to);
            (from, to) = (from + 2 * point, to + point);
        }
        if *size % 2 == 1 {
            copy::<G>(nodes, Signed::new(from, false), &mut next[to as usize..]);
            (from, to) = (from + point, to + point);
        }
        *size = size.div_ceil(2);
    }
    to
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
