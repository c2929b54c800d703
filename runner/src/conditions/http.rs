//! `http`: the answer of a service, or of a URL.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{
    conditions::{Http, HttpBody},
    value::MemberRef,
};
use serde_json::{Value, json};

use super::{Found, Judged, JudgedNow};
use crate::{
    client::http::{HttpAnswer, get},
    stage::{clients::shown, judge::Judge, outcome::StepError},
};

/// The limit of one request.
const LIMIT: Duration = Duration::from_secs(10);
/// Characters of a body that are shown.
const SHOWN: usize = 200;

#[async_trait]
impl JudgedNow for Http {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        match (&self.url, &self.service, &self.port) {
            (Some(url), ..) => {
                let answer = get(&url.host, url.port, &url.path, LIMIT).await;
                found(self, answer)
            }
            (None, Some(service), Some(port)) => {
                let port = u16::try_from(port.value).unwrap_or_default();
                of_service(self, service, port, j).await
            }
            _ => Err(StepError::not_so("`http` needs a service or a URL")),
        }
    }
}

/// The worst of the answers of the instances.
async fn of_service(args: &Http, service: &MemberRef, port: u16, j: &Judge<'_>) -> Judged {
    let name = service.client.as_str();
    let Ok(client) = j.stage.clients.get(name) else {
        return Ok(Found::not_covered(format!("service {name} was never started")));
    };
    let mut each = Vec::new();
    let only = service.member;
    for member in client.members.iter().filter(|m| only.is_none_or(|n| n == u32::from(m.number))) {
        let port = client.reached(port, member);
        let one = found(args, get("127.0.0.1", port, &args.path, LIMIT).await)?;
        each.push((shown(&client, member), one));
    }
    Ok(Found::every(each))
}

fn found(args: &Http, answer: Result<HttpAnswer, String>) -> Judged {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Ok(Found::plain(false, why)),
    };
    let status = u32::from(answer.status);
    if status != args.status {
        let found = Found::plain(false, format!("status {status}"));
        return Ok(Found { value: json!({ "status": status }), ..found }.because(body(&answer)));
    }
    let Some(wanted) = &args.body else {
        let found = Found::plain(true, format!("status {status}"));
        return Ok(Found { value: json!({ "status": status }), ..found });
    };
    judge_body(wanted, &answer)
}

fn judge_body(wanted: &HttpBody, answer: &HttpAnswer) -> Judged {
    if let Some(pattern) = &wanted.matches {
        let pattern = regex::bytes::Regex::new(pattern).map_err(StepError::not_so)?;
        let is = pattern.is_match(&answer.body);
        let text = if is { "the body matches" } else { "the body does not match" };
        return Ok(Found::plain(is, text).because(body(answer).filter(|_| !is)));
    }
    let pointer = wanted.pointer.as_ref().map(|p| p.as_str()).unwrap_or_default();
    let parsed: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let number = parsed.as_ref().and_then(|json| json.pointer(pointer)).and_then(Value::as_u64);
    Ok(match number {
        Some(number) => {
            let text = format!("{number} at {pointer}");
            Found::bounded(wanted.bound, number, text, json!(number))
        }
        None => Found::plain(false, format!("no whole number at {pointer}")).because(body(answer)),
    })
}

/// The beginning of a body, as evidence.
fn body(answer: &HttpAnswer) -> Option<String> {
    let text: String = String::from_utf8_lossy(&answer.body).chars().take(SHOWN).collect();
    (!text.is_empty()).then(|| format!("body: {text}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kplan_dsl::{Condition, Options, check_text};

    use super::*;
    use crate::event::Holds;

    /// The condition of a plan.
    fn condition(arguments: &str) -> Http {
        let url = "url: \"http://localhost:1/\"";
        let text = format!(
            "plan: v1\nname: x\nsteps:\n  - start_cluster\n  - assert: [{{ http: {{ {url}, {arguments} }} }}]\n"
        );
        let checked = check_text(Path::new("x.yaml"), &text, &Options::default());
        let plan = checked.suites.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let verb = plan.steps[1].verb().expect("known");
        match verb.conditions()[0].flat()[0].value {
            Condition::Http(ref it) => it.clone(),
            ref other => panic!("{other:?}"),
        }
    }

    fn holds(arguments: &str, status: u16, body: &str) -> Holds {
        let answer = HttpAnswer { status, body: body.into() };
        found(&condition(arguments), Ok(answer)).expect("judged").holds
    }

    #[test]
    fn status_and_body_are_judged() {
        assert_eq!(holds("status: 200", 200, ""), Holds::Yes);
        assert_eq!(holds("status: 200", 503, ""), Holds::No);
        assert_eq!(holds("body: ok", 200, "it is ok"), Holds::Yes);
        assert_eq!(holds("body: ok", 500, "it is ok"), Holds::No, "the status too");
        assert_eq!(holds("body: '^ok$'", 200, "it is ok"), Holds::No);
    }

    #[test]
    fn a_number_in_the_body_is_judged_by_its_bound() {
        let count = "body: { pointer: /a/0, at_least: 3 }";
        assert_eq!(holds(count, 200, "{\"a\": [3]}"), Holds::Yes);
        assert_eq!(holds(count, 200, "{\"a\": [2]}"), Holds::No);
        assert_eq!(holds(count, 200, "{\"a\": \"3\"}"), Holds::No, "a text");
        assert_eq!(holds(count, 200, "not JSON"), Holds::No);
    }

    #[test]
    fn no_answer_is_a_no() {
        let found = found(&condition("status: 200"), Err("refused".to_owned())).expect("judged");
        assert_eq!((found.holds, found.found.as_str()), (Holds::No, "refused"));
    }
}
