//! Which partition a producer's next message goes to, and with which key.

/// A producer's choice of partitions and keys: a function of the message number.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    partitions: u32,
    /// Messages that a partition without keys gets in its turn.
    block: u64,
    /// Messages that are sent in such blocks, after the first turn.
    in_blocks: u64,
    /// The keys' partitions; empty without keys.
    by_key: Vec<u32>,
    /// The keys of each partition, in their turn.
    by_partition: Vec<Vec<u32>>,
}

impl KeyPlan {
    /// Without keys the partitions are used in turn. With `keys`, the keys `k0`, `k1` .. are used in
    /// turn, and each goes to the partition that Kafka's default partitioner gives it.
    pub fn new(partitions: u32, keys: Option<u32>) -> Self {
        let partitions = partitions.max(1);
        let by_key: Vec<u32> = (0..keys.unwrap_or(0))
            .map(|k| partition_of(key_name(k).as_bytes(), partitions))
            .collect();
        let mut by_partition = vec![Vec::new(); partitions as usize];
        for (key, partition) in by_key.iter().enumerate() {
            by_partition[*partition as usize].push(key as u32);
        }
        Self { partitions, block: 1, in_blocks: 0, by_key, by_partition }
    }

    /// Without keys: after one message for each partition, each gets `block` messages in its turn. Of
    /// `count` messages those that fill no turn of all are sent one by one again: each partition gets as
    /// many as it would have.
    pub fn in_blocks(self, block: u64, count: Option<u64>) -> Self {
        let (block, partitions) = (block.max(1), u64::from(self.partitions));
        let turn = block.saturating_mul(partitions);
        let whole = |count: u64| count.saturating_sub(partitions) / turn * turn;
        Self { block, in_blocks: count.map_or(u64::MAX, whole), ..self }
    }

    /// The partition and the key of message number `i`, from 0.
    pub fn nth(&self, i: u64) -> (u32, Option<u32>) {
        if self.by_key.is_empty() {
            let partitions = u64::from(self.partitions);
            // A reader of the history sees at once which partitions are used.
            let turn = match i.checked_sub(partitions) {
                Some(later) if later < self.in_blocks => later / self.block,
                Some(later) => later,
                None => i,
            };
            return ((turn % partitions) as u32, None);
        }
        let key = (i % self.by_key.len() as u64) as u32;
        (self.by_key[key as usize], Some(key))
    }

    /// For each partition that keys go to: after how many of its messages the same key comes again.
    /// With this the audit knows which later message supersedes which in a compacted topic.
    pub fn periods(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let periods = (0..).zip(self.by_partition.iter().map(|keys| keys.len() as u64));
        periods.filter(|(_, period)| *period > 0)
    }

    /// The partitions that get messages at all.
    pub fn used(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.partitions)
            .filter(|p| self.by_key.is_empty() || !self.by_partition[*p as usize].is_empty())
    }
}

/// The bytes of key number `key`.
pub fn key_name(key: u32) -> String {
    format!("k{key}")
}

/// The partition that Kafka's default partitioner gives a key: murmur2, without its sign.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// MurmurHash2 (Austin Appleby, public domain), with the seed that Kafka's clients use.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{KeyPlan, murmur2};

    #[test]
    fn hashes_as_kafkas_clients_do() {
        // The values of Apache Kafka's UtilsTest.testMurmur2.
        let known = [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn without_keys_partitions_take_turns() {
        let plan = KeyPlan::new(3, None);
        let first: Vec<_> = (0..7).map(|i| plan.nth(i)).collect();
        assert_eq!(
            first,
            [(0, None), (1, None), (2, None), (0, None), (1, None), (2, None), (0, None)]
        );
        assert_eq!(plan.used().count(), 3);
        assert_eq!(plan.periods().count(), 0);
    }

    #[test]
    fn blocks_begin_after_a_message_for_each_partition() {
        let plan = KeyPlan::new(3, None);
        let turns = |count, n| -> Vec<u32> {
            let plan = plan.clone().in_blocks(2, count);
            (0..n).map(|i| plan.nth(i).0).collect()
        };
        assert_eq!(turns(None, 10), [0, 1, 2, 0, 0, 1, 1, 2, 2, 0]);
        assert_eq!(turns(Some(12), 12), [0, 1, 2, 0, 0, 1, 1, 2, 2, 0, 1, 2], "four for each");
        assert_eq!(turns(Some(2), 2), [0, 1]);
        let keyed = KeyPlan::new(3, Some(5));
        let same = (0..50).all(|i| keyed.nth(i) == keyed.clone().in_blocks(9, None).nth(i));
        assert!(same, "keys have their partition");
    }

    #[test]
    fn a_key_stays_in_its_partition_and_comes_again_after_its_period() {
        let plan = KeyPlan::new(5, Some(17));
        let mut sent = BTreeMap::<u32, Vec<Option<u32>>>::new();
        for i in 0..1000 {
            let (partition, key) = plan.nth(i);
            sent.entry(partition).or_default().push(key);
        }
        assert!(sent.keys().copied().eq(plan.used()));
        let homes: usize = plan.periods().map(|(_, period)| period as usize).sum();
        assert_eq!(homes, 17, "each key lives in one partition");
        for (partition, period) in plan.periods() {
            let keys = &sent[&partition];
            let turn: BTreeSet<_> = keys[..period as usize].iter().collect();
            assert_eq!(turn.len() as u64, period, "no key comes twice in a turn");
            for (seq, key) in keys.iter().enumerate() {
                assert_eq!(*key, keys[seq % period as usize]);
            }
        }
    }

    #[test]
    fn one_key_uses_one_partition() {
        assert_eq!(KeyPlan::new(3, Some(1)).used().count(), 1);
    }
}
