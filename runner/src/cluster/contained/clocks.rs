//! The clocks of nodes in containers: a file that each node maps says how wrong its clock is.

use async_trait::async_trait;
use futures::future::join_all;

use super::super::{Acted, ClockAbility, Node, RigError, Skew, preload};
use super::{
    command::{BY, FROM},
    shell::DiskShell,
};
use crate::history::{RunClock, now_us};

/// Writes the slot that is not in use, and then its number: a node that reads meanwhile has one or the other. Then waits
/// until the node was answered with a wrong time.
const SET: &str = r"
le() {
  local n=$1 text=
  for _ in 1 2 3 4 5 6 7 8; do text+=$(printf '\\x%02x' $((n & 255))); n=$((n >> 8)); done
  printf %b $text
}
put() { dd of=$file bs=8 seek=$1 conv=notrunc iflag=fullblock status=none; }
word() { od -An -tu8 -j$(($1 * 8)) -N8 $file | tr -d ' '; }
read -r up _ </proc/uptime
[ $(word 0) = 1 ] && slot=2 || slot=1
{ le $by; le $drift; le $((10#${up/./} * 10000000)); } | put $((3 * slot - 1))
answers=$(word 1)
";

#[async_trait]
impl<S: DiskShell> ClockAbility for S {
    async fn skew(&self, nodes: &[Node], skew: Skew) -> Result<Acted, RigError> {
        if !self.built().preload.clocks {
            return Err(preload::without(self.named(), "skew a clock"));
        }
        let begun_us = now_us();
        let one = async |node: &Node| {
            let Skew { by_ns, drift_ppb } = skew;
            let file = format!("{}/clock", self.preload_dir(*node));
            let set = match skew.is_right() {
                true => "le 0 | put 0\necho set".to_owned(),
                false => format!(
                    "{FROM}; le $slot | put 0\n\
                     for _ in {{1..100}}; do\n  \
                       [ $(word 1) != $answers ] && {BY} && echo set && exit\n  sleep 0.05\n\
                     done"
                ),
            };
            let script = format!("file={file} by={by_ns} drift={drift_ppb}\n{SET}\n{set}");
            let output = self.at_disk(*node, &script).await?;
            match output.text().lines().any(|line| line.trim() == "set") {
                true => Ok(Acted::since(begun_us).narrowed(output.stamps(), &RunClock::now())),
                false => Err(preload::no_skew(*node, &output.text())),
            }
        };
        let all = join_all(nodes.iter().map(one)).await;
        let all = all.into_iter().collect::<Result<Vec<Acted>, RigError>>()?;
        Ok(all.into_iter().reduce(Acted::and).unwrap_or_else(|| begun_us.into()))
    }
}
