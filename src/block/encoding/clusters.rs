//! Finds texts that begin alike. Written next to each other they take about a quarter less, and
//! compress faster; what each text's cluster is takes a few bits.

use crate::block::Texts;

/// The cluster of each text, 0 for those of none; `None` if putting like to like promises nothing.
pub(super) fn clusters_of(texts: &Texts) -> Option<Vec<u32>> {
    if texts.len() < TEXTS_MIN || texts.bytes.len() < BYTES_MIN {
        return None;
    }
    let keys: Vec<u128> = texts.iter().map(beginning).collect();
    let kept = frequent(&keys);
    let clusters: Vec<u32> = keys.iter().map(|key| kept.binary_search(key).map_or(0, |at| at as u32 + 1)).collect();
    let clustered = clusters.iter().filter(|&&cluster| cluster > 0).count();
    (kept.len() > 1 && clustered > texts.len() / 2).then_some(clusters)
}

/// The first letters and blanks of a text: what its template most likely has before its variables.
fn beginning(text: &[u8]) -> u128 {
    let letters = text.iter().take(LOOK_BYTES).filter(|b| b.is_ascii_alphabetic() || **b == b' ');
    letters.take(LETTERS).fold(0, |key, &letter| key << 8 | u128::from(letter))
}

/// The keys of the largest clusters, ascending: like beginnings lie side by side.
fn frequent(keys: &[u128]) -> Vec<u128> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|left, right| left == right);
    let mut large: Vec<(usize, u128)> =
        runs.filter(|run| run.len() >= CLUSTER_TEXTS_MIN).map(|run| (run.len(), run[0])).collect();
    large.sort_unstable_by(|left, right| right.cmp(left));
    large.truncate(CLUSTERS_MAX);
    let mut kept: Vec<u128> = large.into_iter().map(|(_, key)| key).collect();
    kept.sort_unstable();
    kept
}

/// Order of the texts in their clusters: the index of each text to be written. Texts of one cluster
/// keep their order, so the clusters alone give it back.
pub(super) fn order_of(clusters: &[u32]) -> Vec<u32> {
    let mut ends = [0u32; CLUSTERS_MAX + 2];
    for &cluster in clusters {
        ends[cluster as usize + 1] += 1;
    }
    for cluster in 0..=CLUSTERS_MAX {
        ends[cluster + 1] += ends[cluster];
    }
    let mut order = vec![0; clusters.len()];
    for (i, &cluster) in (0..).zip(clusters) {
        let at = &mut ends[cluster as usize];
        order[*at as usize] = i;
        *at += 1;
    }
    order
}

/// The texts in this order; those that it does not name are left out.
pub(super) fn permuted(texts: &Texts, order: &[u32]) -> Texts {
    let len = order.iter().map(|&i| texts.range(i as usize).len()).sum();
    let mut out = Texts { bytes: Vec::with_capacity(len), ends: Vec::with_capacity(order.len()) };
    order.iter().for_each(|&i| out.push(texts.get(i as usize)));
    out
}

/// The order that undoes another.
pub(super) fn inverse(order: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; order.len()];
    (0..).zip(order).for_each(|(at, &i)| inverse[i as usize] = at);
    inverse
}

/// Clusters beside the one of texts that are like no others: a number of theirs is one byte.
pub(super) const CLUSTERS_MAX: usize = 255;
/// Texts that begin alike, at least, to be a cluster.
const CLUSTER_TEXTS_MIN: usize = 8;
/// Texts, and their bytes, below which there is nothing to gain.
const TEXTS_MIN: usize = 1024;
const BYTES_MIN: usize = 64 << 10;
/// Letters and blanks that must be alike.
const LETTERS: usize = 12;
/// Bytes of a text among which they are sought.
const LOOK_BYTES: usize = 160;
