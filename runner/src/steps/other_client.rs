//! What the program of a client is started with, and where it runs: on this machine, or in a container in the cluster's
//! network.

use std::collections::BTreeMap;

use kplan_dsl::value::ClientProgram;

use crate::{
    client::{
        program::ContainerSpec,
        spec::{Common, ProgramPlace},
    },
    cluster::Membership,
    stage::{Running, outcome::StepError},
    steps::Cx,
};

/// A program whose words have the run's seed, if it takes one.
pub fn seeded(program: &ClientProgram, seed: u64) -> ClientProgram {
    let mut seeded = program.clone();
    if let Some(flag) = &program.flags.seed {
        for words in [&mut seeded.producer, &mut seeded.consumer] {
            words.extend([flag.clone(), seed.to_string()]);
        }
    }
    seeded
}

/// Where a program runs, and how it reaches the brokers from there.
pub async fn place(
    common: &Common,
    program: &ClientProgram,
    running: &Running,
    cx: &Cx<'_>,
) -> Result<ProgramPlace, StepError> {
    let Some(image) = &program.image else {
        return Ok(ProgramPlace { bootstrap: common.bootstrap.clone(), container: None });
    };
    let containers = running.cluster.containers()?;
    containers.has_image(image).await?;
    let Membership { network, labels, bootstrap, memory, gateway } = containers.membership()?;
    let bootstrap = cx.stage.bootstrap_in_network(&common.name, bootstrap, gateway, running)?;
    let container = ContainerSpec {
        image: image.clone(),
        // Its client process adds the words, and the file of its settings.
        command: None,
        network,
        labels,
        ports: Vec::new(),
        files: BTreeMap::new(),
        memory,
    };
    Ok(ProgramPlace { bootstrap, container: Some(container) })
}
