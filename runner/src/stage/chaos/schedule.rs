//! The schedule: a function of the seed and the plan, so that the same seed repeats it.

use std::time::Duration;

use kplan_dsl::{Verb, facts::Strikes, steps::ChaosFault, value::Target};

/// The most faults of a schedule.
const MOST: u32 = 10_000;

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    pub number: u32,
    /// When it begins, counted from the begin of the chaos.
    pub at: Duration,
    /// When it is undone.
    pub until: Duration,
    /// What is done, with the broker that was chosen where the plan has `random`.
    pub verb: Verb,
}

impl Planned {
    /// How long it lasts.
    pub fn lasts(&self) -> Duration {
        self.until.saturating_sub(self.at)
    }
}

/// How long a chaos lasts when only these of its faults are kept: until one `every` after the last of them,
/// because nothing breaks later.
pub fn lasting<'p>(
    (total, every): (Duration, Duration),
    kept: impl Iterator<Item = &'p Planned>,
) -> Duration {
    kept.map(|planned| planned.until + every).max().map_or(total, |end| end.min(total))
}

/// A random number for a seed, a place in the plan and a purpose: FNV-1a, finished by SplitMix64's
/// mixer. Own code, because the generators of libraries may change with their version, and the seed
/// of an old report must keep its meaning.
pub fn draw(seed: u64, place: &str, number: u32, purpose: u8) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(place.bytes());
    let bytes = bytes.chain(number.to_le_bytes()).chain([purpose]);
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// One fault begins in the first quarter of every `every`, and all are undone when `total` is over.
pub fn schedule(
    seed: u64,
    place: &str,
    (total, every): (Duration, Duration),
    faults: &[ChaosFault],
    brokers: &[u32],
) -> Vec<Planned> {
    if faults.is_empty() || every.is_zero() || brokers.is_empty() {
        return Vec::new();
    }
    let quarter = u64::try_from(every.as_millis() / 4).unwrap_or(u64::MAX).max(1);
    (0..MOST)
        .map(|i| {
            let late = Duration::from_millis(draw(seed, place, i, 0) % quarter);
            let at = every.saturating_mul(i).saturating_add(late);
            let chosen = draw(seed, place, i, 1) % faults.len() as u64;
            let fault = &faults[usize::try_from(chosen).unwrap_or(0)];
            let until = fault.for_time.map_or(total, |time| (at + time).min(total));
            let drawn = draw(seed, place, i, 2) % brokers.len() as u64;
            let broker = brokers[usize::try_from(drawn).unwrap_or(0)];
            Planned {
                number: i + 1,
                at,
                until,
                verb: fixed(&fault.verb, broker, until - at.min(until)),
            }
        })
        .take_while(|planned| planned.at < total)
        .collect()
}

/// The verb with `random` replaced by a broker, lasting that long.
fn fixed(verb: &Verb, broker: u32, lasts: Duration) -> Verb {
    let mut verb = verb.clone();
    if let Some(lasting) = verb.lasting_mut() {
        lasting.for_time = Some(lasts);
    }
    verb.change_targets(&mut |target| settle(target, broker));
    verb
}

fn settle(target: &mut Target, broker: u32) {
    match target {
        Target::Random => *target = Target::Broker(broker),
        Target::Several(all) => {
            all.iter_mut().for_each(|t| settle(&mut t.value, broker));
            // `random` in `[1, random]` may have chosen 1: the list is then one broker.
            let mut seen = Vec::new();
            all.retain(|t| match t.value {
                Target::Broker(n) if seen.contains(&n) => false,
                Target::Broker(n) => {
                    seen.push(n);
                    true
                }
                _ => true,
            });
        }
        Target::AnyOf(inner) | Target::Not(inner) => settle(&mut inner.value, broker),
        _ => {}
    }
}

/// What a fault affects: faults of different kinds do not overlap, because a starting broker
/// must reach the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    /// Processes or disks of brokers.
    Nodes,
    /// Connections between nodes.
    Network,
    Others,
}

/// What a verb affects.
pub fn hits(verb: &Verb) -> Hits {
    match verb.facts().strikes {
        Strikes::Routes => Hits::Network,
        Strikes::Processes | Strikes::Disks | Strikes::Files | Strikes::DiskCalls => Hits::Nodes,
        Strikes::Clocks
        | Strikes::Requests
        | Strikes::Lines
        | Strikes::Clients
        | Strikes::Nothing
        | Strikes::Everything => Hits::Others,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use kplan_dsl::{
        Span, Spanned,
        steps::{KillBroker, Lasting},
    };

    use super::*;

    fn kill(time: Option<u64>) -> ChaosFault {
        let for_time = time.map(Duration::from_secs);
        let lasting = Lasting { for_time, ..Lasting::default() };
        let broker = Spanned::new(Target::Random, Span::default());
        let verb = Verb::KillBroker(Box::new(KillBroker { broker, lasting }));
        ChaosFault { verb, for_time, span: Spanned::new((), Span::default()) }
    }

    fn of(seed: u64, faults: &[ChaosFault]) -> Vec<Planned> {
        let times = (Duration::from_secs(60), Duration::from_secs(10));
        schedule(seed, "5", times, faults, &[1, 2, 3])
    }

    #[test]
    fn a_seed_has_one_schedule() {
        let faults = [kill(Some(5)), kill(None)];
        assert_eq!(of(7, &faults), of(7, &faults));
        assert_ne!(of(7, &faults), of(8, &faults));
        let mut text = String::new();
        for one in of(7, &faults) {
            let _ = writeln!(text, "{:?} {:?} {}", one.at, one.lasts(), one.verb.explain());
        }
        // Another text here means that the seeds of old reports do not repeat their schedules.
        insta::assert_snapshot!(text);
    }

    #[test]
    fn faults_begin_in_turn_and_end_in_time() {
        for seed in 0..200 {
            let all = of(seed, &[kill(Some(15)), kill(None)]);
            assert_eq!(all.len(), 6, "one in each 10 s of 60 s");
            for (i, one) in (0..).zip(&all) {
                let slot = Duration::from_secs(10 * i);
                assert!(one.at >= slot && one.at < slot + Duration::from_millis(2_500), "{one:?}");
                assert!(one.until > one.at && one.until <= Duration::from_secs(60), "{one:?}");
                assert!(!one.verb.explain().contains("random"), "{one:?}");
            }
        }
    }

    #[test]
    fn every_broker_and_every_fault_has_its_turn() {
        let all: Vec<Planned> = (0..50).flat_map(|s| of(s, &[kill(Some(5)), kill(None)])).collect();
        for n in 1..=3 {
            let hit = |p: &&Planned| p.verb.explain().contains(&format!("broker {n}"));
            assert!(all.iter().filter(hit).count() > 50, "broker {n}");
        }
        assert!(all.iter().filter(|p| p.lasts() == Duration::from_secs(5)).count() > 75);
    }

    #[test]
    fn nothing_to_choose_from_is_an_empty_schedule() {
        assert!(of(1, &[]).is_empty());
    }
}
