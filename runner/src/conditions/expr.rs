//! `expr`

use async_trait::async_trait;
use kplan_dsl::conditions::Expr;

use super::{Found, Judged, JudgedNow};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for Expr {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        if let Some(why) = j.stage.captures.unknown_in(self.0.text()) {
            return Ok(Found::inconclusive(why));
        }
        match self.0.eval(&j.stage.values()) {
            Ok(holds) => Ok(Found::plain(holds, format!("`{}` is {holds}", self.0.text()))),
            Err(diagnostic) => Ok(Found::inconclusive(diagnostic.message.to_string())),
        }
    }
}
