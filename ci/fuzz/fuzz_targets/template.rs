//! Any text as a template: in a scalar, in a name, in a condition.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use kplan_dsl::{Options, Values, check_text, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|template: &str| {
    // JSON's escapes are YAML's in double quotes.
    let quoted = serde_json::to_string(template).expect("text");
    let text = format!(
        "plan: v1\nname: x\nparams:\n  acks: all\n  list: {{ default: [1, 2], type: list }}\n\
         matrix:\n  version: [3.9.1, 4.1.1]\nsteps:\n  - note: {quoted}\n    name: {quoted}\n    \
         when: {quoted}\n  - start_cluster: {{ version: \"{{{{ version }}}}\" }}\n    capture: c\n  \
         - repeat: {{ for_each: {quoted}, as: n, steps: [{{ note: {quoted} }}] }}\n  \
         - assert:\n      - expr: {quoted}\n"
    );
    let checked = check_text(Path::new("plan.yaml"), &text, &Options::default());
    let _ = render(&checked.diagnostics, &checked.sources, false);
    let values = Arc::new(Values { run_id: "r".to_owned(), seed: 7, ..Values::default() });
    for step in checked.suites.iter().flat_map(|plan| &plan.steps) {
        let _ = step.finish(&values);
    }
});
