//! `note`

use async_trait::async_trait;
use kplan_dsl::steps::Note;

use crate::{
    event::Event,
    stage::outcome::{Done, StepError},
    steps::{Act, Cx},
};

#[async_trait]
impl Act for Note {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        cx.stage.tell.emit(Event::Note { step: cx.id.to_owned(), text: self.text.clone() });
        Ok(Done::default())
    }
}
