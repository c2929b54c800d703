//! Quotas of users and clients (KIP-546: Kafka 2.6 on).

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        AlterClientQuotasRequest, DescribeClientQuotasRequest,
        alter_client_quotas_request::{EntityData, EntryData, OpData},
        describe_client_quotas_request::ComponentData,
    },
    protocol::StrBytes,
};

use super::ask::{AskError, Asker, check};

/// How a name is matched in the protocol.
const EXACTLY: i8 = 0;
const BY_DEFAULT: i8 = 1;

/// Whose a quota is: by type (`user`, `client-id`) a name; none for all that have no quota of their own.
pub type QuotaEntity = BTreeMap<&'static str, Option<String>>;

/// Limits by Kafka's names; none removes one.
pub type QuotaLimits = BTreeMap<String, Option<f64>>;

impl Asker {
    /// Changes quotas. Every broker can.
    pub async fn alter_quotas(
        &self,
        changes: &BTreeMap<QuotaEntity, QuotaLimits>,
    ) -> Result<(), AskError> {
        let entries: Vec<EntryData> =
            changes.iter().map(|(of, limits)| entry(of, limits)).collect();
        let request = AlterClientQuotasRequest::default().with_entries(entries);
        let answer = self.call_any(1, |_| request.clone()).await?;
        answer.entries.iter().try_for_each(|reported| {
            check(reported.error_code, reported.error_message.as_ref(), "AlterClientQuotas")
        })
    }

    /// The quota of exactly this entity, as a broker knows it.
    pub async fn quota(
        &self,
        broker: u32,
        of: &QuotaEntity,
    ) -> Result<BTreeMap<String, f64>, AskError> {
        let component = |(kind, name): (&&'static str, &Option<String>)| {
            ComponentData::default()
                .with_entity_type(StrBytes::from_static_str(kind))
                .with_match_type(if name.is_some() { EXACTLY } else { BY_DEFAULT })
                .with_match(name.clone().map(StrBytes::from_string))
        };
        let request = DescribeClientQuotasRequest::default()
            .with_components(of.iter().map(component).collect())
            .with_strict(true);
        let answer = self.call(broker, 1, |_| request.clone()).await?;
        check(answer.error_code, answer.error_message.as_ref(), "DescribeClientQuotas")?;
        let values = answer.entries.iter().flatten().flat_map(|entry| &entry.values);
        Ok(values.map(|value| (value.key.to_string(), value.value)).collect())
    }
}

fn entry(of: &QuotaEntity, limits: &QuotaLimits) -> EntryData {
    let text = |t: &str| StrBytes::from_string(t.to_owned());
    let entity = |(kind, name): (&&'static str, &Option<String>)| {
        EntityData::default()
            .with_entity_type(StrBytes::from_static_str(kind))
            .with_entity_name(name.as_deref().map(text))
    };
    let op = |(key, value): (&String, &Option<f64>)| {
        OpData::default()
            .with_key(text(key))
            .with_value(value.unwrap_or_default())
            .with_remove(value.is_none())
    };
    EntryData::default()
        .with_entity(of.iter().map(entity).collect())
        .with_ops(limits.iter().map(op).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_limit_is_removed_and_an_absent_name_is_the_default() {
        let of = QuotaEntity::from([("client-id", Some("app".to_owned())), ("user", None)]);
        let limits = QuotaLimits::from([
            ("consumer_byte_rate".to_owned(), None),
            ("producer_byte_rate".to_owned(), Some(512.0)),
        ]);
        let made = entry(&of, &limits);
        let names: Vec<Option<&str>> =
            made.entity.iter().map(|e| e.entity_name.as_ref().map(|n| n.as_str())).collect();
        assert_eq!(names, [Some("app"), None]);
        let ops: Vec<(f64, bool)> = made.ops.iter().map(|op| (op.value, op.remove)).collect();
        assert_eq!(ops, [(0.0, true), (512.0, false)]);
    }
}
