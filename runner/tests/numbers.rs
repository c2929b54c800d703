//! Brokers that are numbered from 0, on real ones: of clusters that kplan starts, and of one that exists.

mod common;

use std::{fs, time::Duration};

use common::{
    cluster::{Any, backend, brokers, joined, spec},
    existing::backend_file,
    gone_within, java, real, run,
};
use kplan::{
    cluster::{Cluster, ClusterSpec, Quorum, backend::Sweep},
    processes::kill_processes,
};

/// Kills broker 0 and starts it again.
const PLAN: &str = "runner/tests/plans/from-zero.yaml";

#[test]
#[ignore = "needs a container engine: ci/test"]
fn the_first_broker_is_the_one_that_the_plan_says() {
    let _turn = real();
    let ran = run(&[PLAN]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let events = ran.events();
    assert!(events.contains("broker 0") && !events.contains("broker 3"), "{events}");
}

/// The same plan, unchanged, and one that names a broker that is not there.
async fn as_existing(c: &dyn Cluster) -> Result<(), Any> {
    assert_eq!(brokers(c), [0, 1, 2]);
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("cluster.yaml");
    fs::write(&path, backend_file(c, dir.path())?)?;
    let backend = format!("external={}", path.display());
    let own = dir.path().join("plan.yaml");
    let text = fs::read_to_string("tests/plans/from-zero.yaml")?;
    let wrong = text.replace("_broker: 0\n", "_broker: 7\n").replace(", first_broker: 0", "");
    fs::write(&own, &wrong)?;
    let own = own.display().to_string();
    let ran = tokio::task::spawn_blocking(move || {
        [run(&[PLAN, "--backend", &backend]), run(&[&own, "--backend", &backend])]
    });
    let [right, wrong] = ran.await?;
    assert_eq!(right.status(), Some(0), "{}", right.why());
    assert_eq!(wrong.status(), Some(1), "{}", wrong.why());
    // Before anything is made, and with the line of the plan.
    let (events, why) = (wrong.events(), wrong.why());
    assert!(why.contains("plan.yaml:14 names broker 7"), "{why}");
    assert!(why.contains("it has 0, 1 and 2; the nearest number is 2"), "{why}");
    assert!(!events.contains("topic orders, created by this plan"), "{events}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Java and Maven: ci/test"]
async fn an_existing_cluster_has_its_own_numbers() -> Result<(), Any> {
    let _turn = java();
    let dir = tempfile::tempdir()?;
    let plain = spec("4.1.1", Quorum::KraftCombined, dir.path());
    let run = plain.run.clone();
    let local = backend("local");
    let from_zero = ClusterSpec { first_broker: Some(0), ..plain };
    let cluster = local.launch(from_zero).await?;
    let done = async {
        joined(cluster.as_ref(), 3).await?;
        as_existing(cluster.as_ref()).await
    };
    let done = done.await;
    // Those that the commands started belong to nobody.
    while kill_processes(&run) > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.destroy().await?;
    let left = gone_within(&run, Duration::from_secs(20));
    local.sweep(&run, Sweep::All).await?;
    done?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
