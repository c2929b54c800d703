//! **replicas_differ**: replicas that are in sync do not hold the same record at an offset. It is not judged from
//! histories, but counted and shown like the other measures: see [`compare`](crate::segments::compare()).

use super::measure::{Counting, Damage, Headline, MeasureFacts};

pub(super) const FACTS: MeasureFacts = MeasureFacts {
    ..MeasureFacts::of(
        Counting::Elsewhere,
        None,
        Headline {
            damage: Some(Damage::Loss),
            label: [
                "record that differs between in-sync replicas",
                "records that differ between in-sync replicas",
            ],
            definition: "Replicas that are in sync do not hold the same record at an offset.",
        },
    )
};
