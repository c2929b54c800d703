//! What of a plan must be known before its steps are read: parameters with their values, and the matrix.

use std::sync::Arc;

use minijinja::Value;

use super::{Check, axes, comparisons, named, pin, secrets, values_of};
use crate::diagnostic::Severity;
use crate::document::Node;
use crate::matrix::{self, Cell};
use crate::params::{self, Declared};
use crate::scope::{Limits, Scope};
use crate::template;

/// The parameters and the matrix of a plan.
pub(super) struct Prepared {
    /// The names that are known in every combination of the matrix.
    pub scope: Scope,
    /// The combinations: at least one.
    pub cells: Vec<Cell>,
    declared: Vec<Declared>,
    values: Vec<Option<Value>>,
}

impl Prepared {
    /// The parameters with their values.
    pub(super) fn params(&self) -> Vec<(&Declared, Option<&Value>)> {
        self.declared.iter().zip(self.values.iter().map(Option::as_ref)).collect()
    }
}

impl Check<'_> {
    /// Reads parameters and matrix.
    pub(super) fn prepared(&mut self, document: &Node) -> Prepared {
        let base = self.base();
        let mut reader = self.reader(base.clone());
        let declared = match document.get("params") {
            Some(node) => params::declared(node, &mut reader),
            None => Some(Vec::new()),
        };
        let given = self.given(declared.as_deref().unwrap_or_default());
        let axes = axes(document.get("matrix"));
        let values = declared.as_ref().map(|all| values_of(all, &given, &axes, &mut reader));
        let mut scope = base;
        for (declared, value) in declared.iter().flatten().zip(values.iter().flatten()) {
            if declared.secret {
                scope.mark_secret(&declared.name, value.iter().flat_map(template::texts));
            }
            if let Some(value) = value {
                scope.define(declared.name.as_str(), value.clone());
            }
        }
        reader.scope = Arc::new(scope.clone());
        let cells = match document.get("matrix") {
            Some(node) => matrix::cells(node, &mut reader),
            None => Some(vec![Cell::new()]),
        };
        let (declared, values) = (declared.unwrap_or_default(), values.unwrap_or_default());
        let mut cells = cells.unwrap_or_default();
        comparisons::check(document, &declared, &cells, &mut reader);
        pin::pin_and_report_unknown(&mut cells, &declared, &given, &mut reader);
        let found = reader.into_diagnostics();
        if found.iter().any(|d| d.severity() == Severity::Error) {
            // The steps are still read. Names with wrong values count as known only during the run.
            let unknown = named(document).into_iter().filter(|name| scope.known(name).is_none());
            unknown.collect::<Vec<_>>().into_iter().for_each(|name| scope.define_late(name));
        }
        self.diagnostics.extend(found);
        if cells.is_empty() {
            cells.push(Cell::new());
        }
        let prepared = Prepared { scope, cells, declared, values };
        self.hide_secrets(&prepared, document);
        prepared
    }

    /// The scope without the names of the plan.
    pub(super) fn base(&self) -> Scope {
        let mut base = Scope::default();
        base.set_env(Arc::new(self.options.env.clone()));
        base.set_limits(Limits {
            allow_run: self.options.allow_run,
            images: self.options.images.clone(),
            hosts: self.options.http_hosts.clone(),
            brokers: self.options.most_brokers,
            borrowed: self.options.backend.borrowed,
        });
        base
    }

    fn hide_secrets(&mut self, prepared: &Prepared, document: &Node) {
        let (params, cells) = (prepared.params(), &prepared.cells);
        for (declared, value) in params.iter().filter(|(declared, _)| declared.secret) {
            let in_cells = cells.iter().flatten().filter(|(k, _)| k.value == declared.name.value);
            let values = in_cells.map(|(_, value)| value).chain(*value);
            self.secrets.extend(values.flat_map(template::texts));
            secrets::of_matrix(document.get("matrix"), &declared.name, &self.library);
        }
    }
}
