//! The checker's pass that asks librdkafka about the settings of clients: every command that reads plans reports
//! each refused setting, with its place in the plan, before a run.

use kplan_dsl::{
    BackendFile, Code, Diagnostic, Help, Pass, Span, Spanned, Step, librdkafka_instead, nearest,
    value::{ExpectedError, Isolation, Settings},
};

use crate::{
    client::{
        ClientType, NotSet, ask, settings,
        spec::{Common, CopierSpec, ProducerSpec},
        table,
    },
    steps::{MakesHalves, SettingsMap, act_of},
};

/// The most refused combinations of settings that are reported for one client.
const MOST: usize = 8;

/// Reports the settings in plans that librdkafka refuses; the clients also have the backend's own settings.
pub fn pass(base: SettingsMap) -> Pass {
    Pass::new(move |plan| {
        let mut reported = Vec::new();
        let mut left: Vec<&Step> = plan.steps.iter().chain(&plan.finally).collect();
        while let Some(step) = left.pop() {
            let runs = step.head.when.as_ref().is_none_or(|when| when.known() != Some(false));
            if runs {
                left.extend(step.children().into_iter().flatten());
                reported.extend(of_step(step, &base));
            }
        }
        reported
    })
}

/// The settings in a backend file that librdkafka refuses; the file gives them to every client.
pub fn of_backend(file: &BackendFile) -> Vec<Diagnostic> {
    let make = |config: SettingsMap| {
        let spec = CopierSpec {
            common: Common::unstarted("client", config),
            from: String::new(),
            to: String::new(),
            partitions: 1,
            group: "group".to_owned(),
            messages: 1,
            isolation: Isolation::ReadCommitted,
        };
        let plain = ProducerSpec { idempotent: false, transactional: None, ..spec.producer() };
        vec![
            (ClientType::Producer, settings::producer(&plain)),
            (ClientType::Consumer, settings::consumer(&spec.consumer())),
        ]
    };
    refused(&file.client, &SettingsMap::new(), file.bootstrap.span, &make)
}

fn of_step(step: &Step, base: &SettingsMap) -> Vec<Diagnostic> {
    // A step whose `expect_error` matches the text of the error must get that error at run time.
    if matches!(step.head.expect_error.as_deref(), Some(ExpectedError::Matches(_))) {
        return Vec::new();
    }
    let client = step.verb().and_then(|verb| act_of(verb).client(&step.head));
    client.map_or_else(Vec::new, |client| {
        let mut reported = refused(client.config, base, step.head.key, &*client.halves);
        reported.extend(ignored(client.config, &*client.halves));
        reported
    })
}

/// The settings that this client ignores, because they are of consumers and it only produces, or the reverse.
fn ignored(config: &Settings, make: &MakesHalves<'_>) -> Vec<Diagnostic> {
    if config.is_empty() {
        return Vec::new();
    }
    let kinds: Vec<ClientType> =
        make(SettingsMap::new()).into_iter().map(|(kind, _)| kind).collect();
    let (letter, of, who) = match kinds[..] {
        [ClientType::Producer] => ("C", "consumers", "a producer"),
        [ClientType::Consumer] => ("P", "producers", "a consumer"),
        _ => return Vec::new(),
    };
    let others = table::only_of(letter);
    let keys = config.0.iter().map(|(key, _)| key);
    let ignored = keys.filter(|key| others.contains(key.value.as_str()));
    ignored
        .map(|key| {
            let message = format!("`{}` is a setting of {of}: {who} ignores it", key.value);
            Diagnostic::new(Code::W014, key.span, message)
        })
        .collect()
}

/// Each setting that librdkafka refuses by itself, then the other settings that it refuses in combination. If the
/// backend's own settings do not suit this client, that is reported at `place`.
fn refused(
    config: &Settings,
    base: &SettingsMap,
    place: Span,
    make: &MakesHalves<'_>,
) -> Vec<Diagnostic> {
    let (mut reported, mut left) = (Vec::new(), Vec::new());
    // A setting that runs a program would run it when librdkafka is asked.
    for (key, value) in config.0.iter().filter(|(key, _)| !Settings::runs_program(key)) {
        match ask::takes(key, value) {
            Ok(()) => left.push((key, value)),
            Err(why) => reported.push(alone(key, value.span, why)),
        }
    }
    if left.is_empty() && base.is_empty() {
        return reported;
    }
    let over = |base: &SettingsMap, chosen: &[Setting<'_>]| {
        let mut all = base.clone();
        all.extend(chosen.iter().map(|(k, v)| (k.value.clone(), v.value.clone())));
        let halves = make(all);
        halves.into_iter().find_map(|(kind, all)| {
            ask::takes_together(kind, &all).err().map(|why| Refusal { why, all })
        })
    };
    let answer = |chosen: &[Setting<'_>]| over(base, chosen);
    // A client that is refused without any settings is not the settings' fault: the language has diagnostics for it.
    if answer(&left).is_none() || over(&SettingsMap::new(), &[]).is_some() {
        return reported;
    }
    if let Some(refusal) = answer(&[]) {
        let what = "librdkafka refuses the backend file's settings for this client";
        let message = format!("{what}: {}", plain(&refusal.why));
        reported.push(Diagnostic::new(Code::E017, place, message));
        return reported;
    }
    for _ in 0..MOST {
        let Some(refusal) = answer(&left) else { break };
        // Settings that the refusal names are tried first: removing any other one may hide the fault too.
        let mut order: Vec<usize> = (0..left.len()).collect();
        order.sort_by_key(|at| !refusal.names(left[*at].0));
        let without = |at: usize| {
            let mut rest = left.clone();
            rest.remove(at);
            answer(&rest)
        };
        let helps = |at: &usize| without(*at).is_none_or(|other| other.why != refusal.why);
        let Some(at) = order.iter().copied().find(helps).or(order.first().copied()) else { break };
        reported.push(refusal.reported(&left, at));
        left.remove(at);
    }
    reported
}

type Setting<'s> = (&'s Spanned<String>, &'s Spanned<String>);

fn alone(key: &Spanned<String>, value: Span, why: NotSet) -> Diagnostic {
    match why {
        NotSet::Unknown => {
            let names = table::settings().keys().map(String::as_str);
            let near = || nearest(key, names).map(|near| Help::did_you_mean(key.as_str(), near));
            let help = librdkafka_instead(key).map(Help::from).or_else(near).unwrap_or_else(|| {
                "`config` takes librdkafka's names, not those of Java's clients".into()
            });
            let message = format!("librdkafka has no setting `{}`", key.value);
            Diagnostic::new(Code::E017, key.span, message).help(help)
        }
        NotSet::Value(why) => {
            let message = format!("librdkafka refuses this value: {}", plain(&why));
            Diagnostic::new(Code::E017, value, message)
        }
    }
}

/// A refused combination of settings.
struct Refusal {
    why: String,
    all: SettingsMap,
}

impl Refusal {
    /// The settings that librdkafka's error text names.
    fn named(&self) -> impl Iterator<Item = &str> {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        let words = self.why.split(move |c| !inside(c)).map(|word| word.trim_matches('.'));
        words.filter(|word| self.all.contains_key(*word))
    }

    fn names(&self, key: &str) -> bool {
        self.named().any(|named| named == key)
    }

    fn reported(&self, left: &[Setting<'_>], at: usize) -> Diagnostic {
        let message =
            format!("librdkafka refuses this combination of settings: {}", plain(&self.why));
        let mut reported = Diagnostic::new(Code::E017, left[at].0.span, message);
        let mut others: Vec<String> = Vec::new();
        for named in self.named().filter(|named| *named != left[at].0.value) {
            match left.iter().find(|(key, _)| key.value == named) {
                Some((key, _)) => reported = reported.related(key.span, "together with this"),
                None => others.push(format!("`{named}` is {} here", self.all[named])),
            }
        }
        others.dedup();
        reported.maybe_help((!others.is_empty()).then(|| others.join(", ")))
    }
}

fn plain(why: &str) -> &str {
    why.trim().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kplan_dsl::{Options, Verb, check_text, facts::Kind};

    use super::*;

    #[test]
    fn every_verb_with_settings_of_a_client_is_asked_about() {
        let clients = Verb::ALL.iter().filter(|info| {
            let traffic = Verb::facts_of(info.word).is_some_and(|f| f.kind == Kind::Traffic);
            traffic && (info.fields)().iter().any(|field| field.key == "config")
        });
        let examples: Vec<&str> = clients.flat_map(|info| info.examples).copied().collect();
        assert!(examples.len() >= 4, "{examples:?}");
        for example in examples {
            let text = format!("plan: v1\nname: x\nsteps:\n  - start_cluster\n  - {example}\n");
            let checked = check_text(Path::new("x.yaml"), &text, &Options::default());
            let step = &checked.suites.first().unwrap_or_else(|| panic!("{text}")).steps[1];
            let client = step.verb().and_then(|verb| act_of(verb).client(&step.head));
            let halves =
                client.map(|client| (client.halves)(SettingsMap::new())).unwrap_or_default();
            assert!(!halves.is_empty(), "{example}");
        }
    }
}
