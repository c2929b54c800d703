//! Input that nobody meant well: no panic, no endless work, one clear message.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kplan_dsl::{
    Checked, Code, ExplainFormat, Memory, Options, check_text, check_with, diff::diff, explain,
    render,
};
use proptest::prelude::*;

fn check(text: &str) -> Checked {
    check_text(Path::new("p.yaml"), text, &Options::default())
}

fn codes(text: &str) -> Vec<Code> {
    check(text).diagnostics.iter().map(|d| d.code).collect()
}

const GOOD: &str = include_str!("../../plans/broker-restart.yaml");

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    assert_eq!(codes(&GOOD.replace('\n', "\r\n")), vec![]);
    assert_eq!(codes(&format!("\u{feff}{GOOD}")), vec![]);
    let wrong = GOOD.replace("kill_broker", "kil_broker");
    let line = |text: &str| {
        let checked = check(text);
        let place = checked.sources.positions(checked.diagnostics[0].span);
        place.map(|(start, _)| (start.line, start.column))
    };
    assert_eq!(line(&wrong), line(&wrong.replace('\n', "\r\n")));
    assert_eq!(line(&wrong), Some((31, 5)));
}

#[test]
fn control_characters_are_told_or_survived() {
    for text in
        ["\0", "plan: v1\nname: a\0b\nsteps:\n  - wait: 1s\n", "plan: v1\u{7f}\n", "\u{feff}"]
    {
        let checked = check(text);
        // Either it is refused, or it is a plan.
        assert!(checked.has_errors() || !checked.suites.is_empty(), "{text:?}");
        let shown = render(&checked.diagnostics, &checked.sources, true);
        assert_eq!(shown.is_empty(), checked.diagnostics.is_empty(), "{text:?}");
    }
}

#[test]
fn a_file_of_many_steps_is_read_and_one_too_large_refused() {
    let many = format!("plan: v1\nname: x\nsteps:\n{}", "  - note: x\n".repeat(20_000));
    assert_eq!(check(&many).suites[0].steps.len(), 20_000);
    let nested = "[".repeat(100_000);
    let told = codes(&format!("plan: v1\nname: x\nsteps: {nested}"));
    assert!(matches!(told[..], [Code::E001 | Code::E002]), "{told:?}");
    let deep = (0..60).fold("  - wait: 1s\n".to_owned(), |inner, _| {
        let inner = inner.replace('\n', "\n    ");
        format!("  - repeat:\n      times: 1\n      steps:\n      {}\n", inner.trim_end())
    });
    let told = codes(&format!("plan: v1\nname: x\nsteps:\n{deep}"));
    assert!(told.iter().any(|c| matches!(c, Code::E026 | Code::E002)), "{told:?}");
}

#[test]
fn loops_in_loops_do_not_multiply_without_end() {
    let inner = "{ times: 10000, as: a, steps: [{ repeat: { times: 10000, as: b, steps: [{ note: x }] } }] }";
    let text = format!("plan: v1\nname: x\nsteps:\n  - repeat: {inner}\n");
    assert_eq!(codes(&text), [Code::E026]);
}

#[test]
fn templates_cannot_work_without_end_or_reach_outside() {
    for template in [
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}{{ 1 }}",
        "{{ 'x' * 99999999 * 99999 }}",
        "{{ [1] * 999999999 }}",
        // Found by fuzzing: a list is multiplied lazily, and walking through it took ten seconds.
        "{{ [1] * 9999999 }}",
        "{{ [[1] * 9999] * 9999 }}",
        "every {{ [1] * 99999999 }} of them",
        // Found by fuzzing: writing one out for `~` cost no fuel, and took minutes.
        "{{ [[1] * 20006616 ~ 666666666 ~ 66666666] * 9 }}",
        "{{ ([1] * 99999999)|string ~ 1 in [[1] * 99999999] }}",
        "{% set a = [1] %}{% set a = a + a %}{{ a ~ 1 }}",
        "{{ ('x' * 250000) ~ ('x' * 250000) }}",
        "{{ ''.__class__ }}",
        "{% extends '/etc/passwd' %}{{ 1 }}",
        "{% import '/etc/passwd' as p %}{{ p }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ] {
        let text = format!("plan: v1\nname: x\nsteps:\n  - note: \"{template}\"\n");
        let told = codes(&text);
        assert!(told.iter().all(|c| ["E030", "E031", "E032"].contains(&c.text())), "{told:?}");
        assert!(!told.is_empty(), "{template}");
    }
}

/// Expressions that are as deep as they are long, each of about `n` parts.
fn chains(n: usize) -> Vec<String> {
    let between = |first: &str, more: &str| format!("{first}{}", more.repeat(n));
    let before = |more: &str, last: &str| format!("{}{last}", more.repeat(n));
    let ends =
        ["+", "-", "*", "/", "//", "%", "**", "~", "and", "or", "==", "<", "in", "is", "is not"];
    let mut all: Vec<String> =
        ends.iter().map(|sign| between("1", &format!(" {sign} 1"))).collect();
    all.extend(
        [".a", "[0]", "()", "|abs", "[1:]", " if 1 else 1", " is odd", "(1)(2)"]
            .map(|m| between("p", m)),
    );
    all.extend(["-", "not ", "- -", "1 if 1 else ", "("].map(|m| before(m, "1")));
    all.push(format!("{}1{}", "[".repeat(n), "]".repeat(n)));
    all.push(format!("{}1{}", "{'a': ".repeat(n), "}".repeat(n)));
    all.push(format!("{}1{}", "f(".repeat(n), ")".repeat(n)));
    all.push(format!("'a' {}", "'b' ".repeat(n)));
    all
}

#[test]
fn expressions_of_any_length_are_told_or_survived() {
    // 20,000 parts are refused; those that may just be are compiled, and the stack must hold them.
    for n in [20_000, 999, 499, 330, 249, 199] {
        for chain in chains(n) {
            let start: String = chain.chars().take(24).collect();
            for step in [
                format!("note: \"{{{{ {chain} }}}}\""),
                format!("note: \"a {{{{ {chain} }}}} b {{{{ 1 }}}}\""),
                format!("assert: [expr: \"{chain}\"]"),
                format!("{{ note: x, when: \"{chain}\" }}"),
            ] {
                let checked = check(&format!("plan: v1\nname: x\nsteps:\n  - {step}\n"));
                if n == 20_000 {
                    assert!(checked.has_errors(), "{start}");
                }
                let shown = render(&checked.diagnostics, &checked.sources, false);
                assert!(shown.len() < 100_000, "{start}: {}", shown.len());
            }
        }
    }
}

#[test]
fn an_expression_that_is_too_long_is_told_where_it_is() {
    let long =
        format!("plan: v1\nname: x\nsteps:\n  - note: \"{{{{ {}1 }}}}\"\n", "-".repeat(2_000));
    let checked = check(&long);
    let told = &checked.diagnostics[0];
    assert_eq!(told.code, Code::E030);
    assert!(told.message.contains("more than 1,000 words and signs"), "{}", told.message);
    let (start, _) = checked.sources.positions(told.span).expect("a known file");
    assert_eq!((start.line, start.column), (4, 1_015));
    // Many short ones are no long one.
    let many =
        format!("plan: v1\nname: x\nsteps:\n  - note: \"{}\"\n", "{{ 2 * 3 }} ".repeat(1_000));
    assert!(!check(&many).has_errors());
}

#[test]
fn many_statements_are_told() {
    for n in [10, 10_000] {
        for (open, close) in [
            ("{% if 1 %}", "{% endif %}"),
            ("{% for a in b %}", "{% endfor %}"),
            ("{% set a = 1 %}", ""),
        ] {
            let text = format!("{}{{{{ 1 }}}}{}", open.repeat(n), close.repeat(n));
            assert_eq!(
                codes(&format!("plan: v1\nname: x\nsteps:\n  - note: \"{text}\"\n")),
                [Code::E030]
            );
        }
    }
}

/// Comparing each value with each other, or walking through a line for each mistake in it, took minutes.
#[test]
fn large_plans_of_every_kind_are_told_soon() {
    let lines = |line: fn(usize) -> String| (0..50_000).map(line).collect::<String>();
    let listed = |word: fn(usize) -> String| (0..50_000).map(word).collect::<Vec<_>>().join(",");
    let steps = "steps:\n  - note: x\n";
    let (numbers, numbered) = (listed(|n| n.to_string()), lines(|n| format!("    - {{m: {n}}}\n")));
    let twice = listed(|_| "a: 1".to_owned());
    let wide = listed(|n| format!("m{n}: 1"));
    for (text, most) in [
        (format!("matrix:\n  m: [{numbers}]\n{steps}"), 2),
        (format!("matrix:\n  m: [{}]\n{steps}", listed(|_| "1".to_owned())), 2),
        (format!("matrix:\n  m: [1, 2]\n  include:\n{numbered}{steps}"), 2),
        (format!("matrix:\n  m: [1, 2]\n  exclude:\n{numbered}{steps}"), 2),
        (format!("matrix:\n  include: [{{{wide}}}]\n{steps}"), 2),
        (format!("matrix:\n{}{steps}", lines(|n| format!("  m{n}: [1]\n"))), 2),
        (format!("steps:\n  - note: {{{twice}}}\n"), 50_100),
        (format!("steps: [{}]\n", listed(|n| format!("{{nte: {n}}}"))), 50_100),
        (format!("steps:\n{}", lines(|n| format!("  - nte: {n}\n"))), 50_100),
        (
            format!(
                "steps:\n  - include: nope.yaml\n{}",
                lines(|_| "  - include: nope.yaml\n".to_owned())
            ),
            50_100,
        ),
        (format!("steps:\n  - assert: [{}]\n", listed(|n| format!("expr: \"1 == {n}\""))), 150_000),
        (format!("steps:\n  - note: \"{}\"\n", "{{ 2 * ( }}".repeat(50_000)), 2),
        (format!("steps:\n  - note: \"{}\"\n", "{{ 2 ~ 3 }}".repeat(50_000)), 2),
    ] {
        let checked = check(&format!("plan: v1\nname: x\n{text}"));
        let told = &checked.diagnostics;
        assert!(!told.is_empty() && told.len() <= most, "{}: {}", told.len(), &text[..60]);
        for diagnostic in told {
            assert!(checked.sources.positions(diagnostic.span).is_some());
        }
        let shown = render(told, &checked.sources, false);
        assert!(shown.len() < 400_000, "{}: {}", shown.len(), &text[..60]);
    }
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_told() {
    let read = |bytes: Vec<u8>| {
        let path = Path::new("plan.yaml");
        let files = Memory(BTreeMap::from([(path.to_owned(), bytes)]));
        let checked = check_with(path, &Options::default(), Box::new(files));
        let shown = render(&checked.diagnostics, &checked.sources, false);
        assert!(!shown.is_empty() && shown.len() < 2_000, "{}", shown.len());
        checked.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    assert_eq!(read(b"plan: v1\nname: \xff\xfe\n".to_vec()), [Code::E005]);
    assert_eq!(read(vec![0xff; 1_000]), [Code::E005]);
    assert_eq!(read(vec![b'#'; (16 << 20) + 1]), [Code::E002]);
}

#[test]
fn ten_megabytes_are_read() {
    let long =
        format!("plan: v1\nname: x\nsteps:\n  - note: |\n{}", "      some words\n".repeat(620_000));
    assert!(long.len() > 10 << 20);
    let checked = check(&long);
    assert_eq!((checked.has_errors(), checked.suites.len()), (false, 1));
    let name = format!("plan: v1\nname: \"{}\"\nsteps:\n  - wat: 1s\n", "x".repeat(10 << 20));
    let checked = check(&name);
    assert!(checked.has_errors());
    let shown = render(&checked.diagnostics, &checked.sources, false);
    assert!(shown.len() < 100_000, "{}", shown.len());
}

#[test]
fn a_hundred_thousand_steps_are_read_explained_and_compared() {
    let many = format!("plan: v1\nname: x\nsteps:\n{}", "  - note: x\n".repeat(100_000));
    let suites = check(&many).suites;
    assert_eq!(suites[0].steps.len(), 100_000);
    assert!(explain(&suites, ExplainFormat::Text).len() < 100_000);
    assert_eq!(diff(&suites, &suites), vec![]);
    let other = check(&many.replacen("note: x", "note: y", 1)).suites;
    assert_eq!(diff(&suites, &other).len(), 1);
}

#[test]
fn anchors_do_not_multiply_without_end() {
    let mut bomb = "plan: v1\nname: x\nsteps:\n  - note: &a0 [x, x]\n".to_owned();
    for level in 1..30 {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("  - note: &a{level} [{inner}]\n"));
    }
    assert_eq!(codes(&bomb), [Code::E002]);
}

#[test]
fn included_files_stay_below_the_plans_directory() {
    let fragment = b"fragment: v1\nsteps:\n  - note: x\n".to_vec();
    for outside in ["../other.yaml", "/etc/other.yaml", "a/../../other.yaml", "./../other.yaml"] {
        let plan = format!("plan: v1\nname: x\nsteps:\n  - include: {outside}\n");
        let files = Memory(BTreeMap::from([
            (PathBuf::from("plans/p.yaml"), plan.into_bytes()),
            (PathBuf::from("other.yaml"), fragment.clone()),
            (PathBuf::from("/etc/other.yaml"), fragment.clone()),
        ]));
        let path = Path::new("plans/p.yaml");
        let checked = check_with(path, &Options::default(), Box::new(files));
        let told: Vec<Code> = checked.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(told, [Code::E080], "{outside}");
    }
}

/// A plan with pieces taken out, doubled or replaced.
fn mangled() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{ ".to_owned()),
        Just(" }}".to_owned()),
        Just("- ".to_owned()),
        Just(": ".to_owned()),
        Just("\n  ".to_owned()),
        Just("[".to_owned()),
        Just("*a &a ".to_owned()),
        Just("\u{1F980}".to_owned()),
        "\\PC{0,6}",
    ];
    let cut = (0.0..1.0_f64, 0..20_usize, piece);
    prop::collection::vec(cut, 1..6).prop_map(|cuts| {
        let mut text = GOOD.to_owned();
        for (at, length, piece) in cuts {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of it"
            )]
            let at = text.floor_char_boundary((text.len() as f64 * at) as usize);
            let end = text.ceil_char_boundary((at + length).min(text.len()));
            text.replace_range(at..end, &piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_mangled_plan_is_told_or_read(text in mangled()) {
        let checked = check(&text);
        let shown = render(&checked.diagnostics, &checked.sources, false);
        prop_assert_eq!(checked.diagnostics.is_empty(), shown.is_empty());
        prop_assert_eq!(checked.has_errors(), checked.suites.is_empty());
        for diagnostic in &checked.diagnostics {
            let (start, end) = checked.sources.positions(diagnostic.span).expect("a known file");
            prop_assert!(start <= end && start.line >= 1 && start.column >= 1);
        }
    }

    #[test]
    fn any_text_is_survived(text in "\\PC*") {
        check(&text);
    }
}
