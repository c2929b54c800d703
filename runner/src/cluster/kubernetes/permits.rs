//! What Kubernetes permits, asked before anything is made: access reviews, and pods that are made only on trial.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use k8s_openapi::api::{authorization::v1::SelfSubjectAccessReview, core::v1::Pod};
use kube::{Api, api::PostParams};
use serde_json::json;

use super::super::RigError;
use super::{
    api::{KubeApi, asked, failed},
    objects::{NEVER_PULLED, made_of, network_privilege},
};

/// What a run does in its namespace: a verb, the group and the kind of the objects.
const NEEDED: [(&str, &str, &str); 17] = [
    ("create", "batch", "jobs"),
    ("list", "batch", "jobs"),
    ("patch", "batch", "jobs"),
    ("delete", "batch", "jobs"),
    ("create", "", "services"),
    ("list", "", "services"),
    ("delete", "", "services"),
    ("create", "", "secrets"),
    ("list", "", "secrets"),
    ("delete", "", "secrets"),
    ("create", "", "pods"),
    ("get", "", "pods"),
    ("list", "", "pods"),
    ("delete", "", "pods"),
    ("get", "", "pods/log"),
    ("get", "", "pods/exec"),
    ("create", "", "pods/exec"),
];

/// Fails if this user must not do all that a run does.
///
/// # Errors
/// [`RigError::Missing`] with what is not permitted.
pub async fn all_rights(api: &KubeApi) -> Result<(), RigError> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(api.client());
    let ask = async |(verb, group, resource): (&'static str, &str, &'static str)| {
        let (kind, sub) = resource.split_once('/').unwrap_or((resource, ""));
        let review: SelfSubjectAccessReview = made_of(json!({ "metadata": {}, "spec": {
            "resourceAttributes": {
                "namespace": api.namespace, "verb": verb, "group": group,
                "resource": kind, "subresource": sub,
            },
        } }))?;
        let post = PostParams::default();
        let answer = asked("say what is permitted", reviews.create(&post, &review)).await?;
        let allowed = answer.status.is_some_and(|status| status.allowed);
        Ok::<_, RigError>((!allowed).then_some((verb, resource)))
    };
    let refused: Vec<_> =
        try_join_all(NEEDED.into_iter().map(ask)).await?.into_iter().flatten().collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(RigError::Missing {
        what: format!(
            "Kubernetes does not permit this user to {} in the namespace {}",
            listed(&refused),
            api.namespace
        ),
        help: "ask for a role with these rights (docs/backends.md has one), or choose another \
               namespace with `kubectl config set-context --current --namespace`"
            .to_owned(),
    })
}

/// `create pods and secrets; list pods`.
fn listed(refused: &[(&str, &str)]) -> String {
    let mut by_verb: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (verb, resource) in refused {
        by_verb.entry(verb).or_default().insert(resource);
    }
    let of_verb = |(verb, resources): (&str, BTreeSet<&str>)| {
        let resources: Vec<&str> = resources.into_iter().collect();
        match resources.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!("{verb} {} and {last}", others.join(", "))
            }
            _ => format!("{verb} {}", resources.concat()),
        }
    };
    by_verb.into_iter().map(of_verb).collect::<Vec<_>>().join("; ")
}

/// Fails if no pod may be made in the namespace: there is none, a quota is used up, a policy refuses it.
///
/// # Errors
/// [`RigError::Missing`] with the reason that Kubernetes gave.
pub async fn pods(api: &KubeApi) -> Result<(), RigError> {
    let refusal = tried(api, json!({})).await?;
    refusal.map_or(Ok(()), Err)
}

/// Why no pod may have the privilege that network faults need, if it is so.
pub async fn network_faults(api: &KubeApi) -> Result<Option<RigError>, RigError> {
    tried(api, network_privilege()).await
}

/// Makes a pod on trial, which Kubernetes checks and does not keep. Returns why it was refused.
async fn tried(api: &KubeApi, context: serde_json::Value) -> Result<Option<RigError>, RigError> {
    let pod: Pod = made_of(json!({
        "metadata": { "generateName": "kplan-trial-" },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "containers": [{ "name": "trial", "image": NEVER_PULLED, "securityContext": context }],
        },
    }))?;
    let what = format!("let a pod be made in the namespace {}", api.namespace);
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    let pods = api.pods();
    let answer = asked("try whether a pod may be made", async {
        match pods.create(&trial, &pod).await {
            Ok(_) => Ok(None),
            Err(error @ kube::Error::Api(_)) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    });
    Ok(answer.await?.map(|error| RigError::Missing {
        what: failed(&what, &error).to_string(),
        help: "ask for what is missing, or choose another namespace with `kubectl config \
               set-context --current --namespace`"
            .to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_permitted_is_listed_by_verb() {
        let refused =
            [("list", "pods"), ("create", "secrets"), ("create", "pods"), ("create", "jobs")];
        assert_eq!(listed(&refused), "create jobs, pods and secrets; list pods");
    }

    /// The role that the manual tells users to ask for.
    #[test]
    fn the_role_of_the_manual_is_what_a_run_needs() {
        let manual = include_str!("../../../../docs/backends.md");
        let (_, role) = manual.split_once("kind: Role\n").expect("a role");
        let (role, _) = role.split_once("```").expect("an end");
        let mut found = BTreeSet::new();
        for line in role.lines().filter(|line| line.contains("apiGroups")) {
            let list = |key: &str| -> Vec<String> {
                let (_, rest) = line.split_once(&format!("{key}: [")).expect(key);
                let (items, _) = rest.split_once(']').expect("an end");
                items.split(", ").map(|item| item.trim_matches('"').to_owned()).collect()
            };
            let group = list("apiGroups").concat();
            for resource in list("resources") {
                found.extend(
                    list("verbs").into_iter().map(|v| (v, group.clone(), resource.clone())),
                );
            }
        }
        let needed = NEEDED.map(|(v, g, r)| (v.to_owned(), g.to_owned(), r.to_owned()));
        assert_eq!(found, needed.into());
    }
}
