//! What a template makes of a secret is hidden wherever a plan is shown, or the plan is refused.

use std::path::Path;

use kplan_dsl::{Checked, Code, ExplainFormat, Options, check_text, explain, render};

const TOKEN: &str = "Qz7xw9kvj horsy QUAXKL";

/// A secret by every way in which a template can come to it.
const NAMES: [&str; 10] = [
    "env.TOK",
    "env['TOK']",
    "p",
    "params.p",
    "several[0]",
    "pair.key",
    "m",
    "matrix.m",
    "around",
    "one",
];

/// What hands over the whole, as the word that is put behind a name.
const WHOLE: [&str; 12] = [
    "",
    " | upper",
    " | lower",
    " | capitalize",
    " | trim",
    " | string",
    " | default('x')",
    " | trim | upper",
    " if 1 < 2 else 'x'",
    " == 'x'",
    " | length > 3",
    " in ['x']",
];

/// What makes something else of it.
const PART: [&str; 36] = [
    "[1:]",
    "[:8]",
    "[::-1]",
    "[0]",
    " ~ 'x'",
    " | title",
    " | reverse",
    " | list",
    " | first",
    " | last",
    " | length",
    " | count",
    " | replace('o', '0')",
    " | replace(' ', '')",
    " | list | join('-')",
    " | split(' ')",
    " | split(' ') | join('_')",
    " | urlencode",
    " | sort | join",
    " | unique | join",
    " | batch(4) | list",
    " | slice(4) | list",
    " | min",
    " | max",
    " | map('upper') | list",
    " | select('in', 'Qz7') | list",
    " | zip('abc') | list",
    " | chain('abc') | list",
    " | indent(3, true)",
    "[4:] | upper",
    " | upper | list | join('.')",
    ".replace('o', '0')",
    ".split(' ')",
    ".title()",
    " if false else 'x'.join(p)",
    " | string | reverse",
];

fn check(expression: &str) -> Checked {
    let text = format!(
        "plan: v1\nname: x\nparams:\n  p: {{ secret: true, default: {TOKEN} }}\n  \
         several: {{ secret: true, default: [{TOKEN}] }}   # kplan: allow W024\n  \
         pair: {{ secret: true, default: {{ key: {TOKEN} }} }}   # kplan: allow W024\n  around: 'x {{{{ env.TOK }}}} y'   # kplan: allow W024\n\
         matrix: {{ m: ['{{{{ env.TOK }}}}'] }}   # kplan: allow W024\nsteps:\n  - start_cluster: {{ brokers: 1 }}\n  - repeat:\n      for_each: ['{{{{ p }}}}']\n      \
         as: one\n      steps:\n        - note: \"{expression}\"\n  - assert: [brokers_alive: 1]\n"
    );
    let mut options = Options::default();
    options.env.allowed.insert("TOK".to_owned(), TOKEN.to_owned());
    check_text(Path::new("p.yaml"), &text, &options)
}

/// Everything that is shown of a plan, its source left out.
fn shown(checked: &Checked) -> String {
    let explained = [ExplainFormat::Text, ExplainFormat::Markdown, ExplainFormat::Mermaid]
        .map(|format| explain(&checked.suites, format));
    explained.concat() + &render(&checked.diagnostics, &checked.sources, false)
}

/// Four letters of the secret that stand together in a text, also backwards or with signs between them.
fn part_in(text: &str) -> Option<String> {
    let letters = |text: &str| -> Vec<char> {
        text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
    };
    let (text, secret) = (letters(text), letters(TOKEN));
    let backwards: Vec<char> = secret.iter().rev().copied().collect();
    let parts = secret.windows(4).chain(backwards.windows(4));
    let found = parts.into_iter().find(|part| text.windows(4).any(|w| w == *part));
    found.map(|part| part.iter().collect())
}

#[test]
fn a_whole_secret_is_handed_over_and_hidden() {
    for name in NAMES {
        for rest in WHOLE {
            for expression in
                [format!("{{{{ {name}{rest} }}}}"), format!("a {{{{ {name}{rest} }}}} b")]
            {
                let checked = check(&expression);
                assert!(!checked.has_errors(), "{expression}: {:?}", checked.diagnostics);
                assert_eq!(part_in(&shown(&checked)), None, "{expression}: {}", shown(&checked));
            }
        }
    }
}

#[test]
fn nothing_else_is_made_of_a_secret() {
    for name in NAMES {
        for rest in PART {
            for expression in [
                format!("{{{{ {name}{rest} }}}}"),
                format!("a {{{{ {name} }}}} {{{{ {name}{rest} }}}} b"),
                format!("{{{{ [{name}{rest}] }}}}"),
                format!("{{{{ {{ '': {name}{rest} }} }}}}"),
            ] {
                let checked = check(&expression);
                let told: Vec<Code> = checked.diagnostics.iter().map(|d| d.code).collect();
                // A filter that minijinja does not have, or that takes no text, fails by itself.
                assert!(matches!(told[..], [Code::E035 | Code::E032]), "{expression}: {told:?}");
                assert_eq!(part_in(&shown(&checked)), None, "{expression}: {}", shown(&checked));
            }
        }
    }
}

#[test]
fn what_holds_all_parameters_holds_the_secrets_too() {
    for expression in [
        "(params | string)[3:40]",
        "(matrix | string)[3:]",
        "params | dictsort | string",
        "params.items() | list | string",
        "(params | items | list | string)[9:]",
        "{ p[1:]: 1 }",
        "'%s' | format(p[1:])",
        "[p, 'x'] | join",
    ] {
        let checked = check(&format!("{{{{ {expression} }}}}"));
        let told: Vec<Code> = checked.diagnostics.iter().map(|d| d.code).collect();
        assert!(matches!(told[..], [Code::E035 | Code::E032]), "{expression}: {told:?}");
    }
}
